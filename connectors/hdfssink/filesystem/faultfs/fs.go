package faultfs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"sync"
	"time"

	"github.com/penstock-io/penstock/connectors/hdfssink/filesystem"
)

// Errors that rules produce.
var (
	ErrInjected = errors.New("injected failure")
	ErrCrashed  = errors.New("process crashed (injected)")
)

// FS is a file system with faults. Safe for concurrent use.
type FS struct {
	// HangTimeout ends a hanging operation of a file; set it before use. It stands for
	// the deadline of a real backend. New sets 30 s, right inside a synctest bubble.
	HangTimeout time.Duration

	under  filesystem.FS
	closed chan struct{}

	mu      sync.Mutex
	rules   []*activeRule
	trace   []Call
	crashed bool
	ended   bool
	hits    []Call
}

type activeRule struct {
	Rule
	seen int
}

var _ filesystem.FS = (*FS)(nil)

// New wraps under. Of several rules that match a call the first one counts. A rule
// without an action, or with a bad pattern, panics.
func New(under filesystem.FS, rules ...Rule) *FS {
	f := &FS{under: under, HangTimeout: 30 * time.Second, closed: make(chan struct{})}
	f.Add(rules...)
	return f
}

// Add adds rules; they count calls from now on.
func (f *FS) Add(rules ...Rule) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, r := range rules {
		if _, err := path.Match(r.path, ""); err != nil || !slices.Contains(Actions(), r.action) {
			panic(fmt.Sprintf("faultfs: incomplete rule %q: %v", r, err))
		}
		f.rules = append(f.rules, &activeRule{Rule: r})
	}
}

// Clear removes all rules; a crash stays.
func (f *FS) Clear() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rules = nil
}

// Trace returns all calls so far, those that a rule hit included, those after a crash not.
func (f *FS) Trace() []Call {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.trace)
}

// Hits returns the calls that a rule hit.
func (f *FS) Hits() []Call {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.hits)
}

// Crashed reports whether a rule has ended the process.
func (f *FS) Crashed() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.crashed
}

// Crash ends the process now, as a rule would.
func (f *FS) Crash() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.crashed = true
}

// decide notes a call and returns the rule that hits it, nil for none. A process that
// crashed gets ErrCrashed.
func (f *FS) decide(c Call) (*Rule, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.crashed {
		return nil, ErrCrashed
	}
	c.N = len(f.trace)
	f.trace = append(f.trace, c)
	var hit *Rule
	for _, r := range f.rules {
		if !r.matches(c) {
			continue
		}
		r.seen++
		due := r.seen > r.skip && (r.times == 0 || r.seen <= r.skip+r.times)
		if due && hit == nil {
			hit = &r.Rule
		}
	}
	if hit == nil {
		return nil, nil
	}
	f.hits = append(f.hits, c)
	if hit.action == CrashBefore {
		f.crashed = true
	}
	return hit, nil
}

// run makes one call with whatever the rules do to it. half is what FailHalf does
// before the error, nil for nothing.
func (f *FS) run(ctx context.Context, c Call, call func() error, half func()) error {
	r, err := f.decide(c)
	if err != nil {
		return fmt.Errorf("%s: %w", c, err)
	}
	if r == nil {
		return call()
	}
	switch r.action {
	case FailBefore:
	case FailAfter:
		if err := call(); err != nil {
			return err
		}
	case FailHalf:
		if half != nil {
			half()
		}
	case Hang:
		return fmt.Errorf("%s: hung: %w", c, f.hang(ctx))
	case CrashBefore:
		return fmt.Errorf("%s: %w", c, ErrCrashed)
	case CrashAfter:
		call() //nolint:errcheck // nobody is left to tell
		f.Crash()
		return fmt.Errorf("%s: %w", c, ErrCrashed)
	}
	if r.err != nil {
		return fmt.Errorf("%s: %w", c, r.err)
	}
	return fmt.Errorf("%s: %w", c, ErrInjected)
}

// hang waits until ctx ends, or HangTimeout when it never does: files have no context.
func (f *FS) hang(ctx context.Context) error {
	if ctx.Done() == nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, f.HangTimeout, ErrInjected)
		defer cancel()
	}
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-f.closed:
		return ErrInjected
	}
}

// Create implements filesystem.FS.
func (f *FS) Create(ctx context.Context, p string) (filesystem.File, error) {
	return f.openWriter(ctx, Create, p, f.under.Create)
}

// Append implements filesystem.FS.
func (f *FS) Append(ctx context.Context, p string) (filesystem.File, error) {
	return f.openWriter(ctx, Append, p, f.under.Append)
}

// openWriter: a file whose open failed after it was done stays open below, as with a
// real store; its lease is lost until it is recovered.
func (f *FS) openWriter(ctx context.Context, op Op, p string, open func(context.Context, string) (filesystem.File, error)) (filesystem.File, error) {
	var w filesystem.File
	err := f.run(ctx, Call{Op: op, Path: p}, func() (err error) {
		w, err = open(ctx, p)
		return err
	}, nil)
	if err != nil {
		return nil, err
	}
	return &file{fs: f, under: w, path: p}, nil
}

// Open implements filesystem.FS.
func (f *FS) Open(ctx context.Context, p string) (io.ReadCloser, error) {
	var r io.ReadCloser
	err := f.run(ctx, Call{Op: Open, Path: p}, func() (err error) {
		r, err = f.under.Open(ctx, p)
		return err
	}, nil)
	if err != nil {
		if r != nil {
			r.Close()
		}
		return nil, err
	}
	return &reader{fs: f, ReadCloser: r, path: p}, nil
}

// Rename implements filesystem.FS.
func (f *FS) Rename(ctx context.Context, from, to string) error {
	return f.run(ctx, Call{Op: Rename, Path: from, To: to}, func() error { return f.under.Rename(ctx, from, to) }, nil)
}

// Remove implements filesystem.FS.
func (f *FS) Remove(ctx context.Context, p string) error {
	return f.run(ctx, Call{Op: Remove, Path: p}, func() error { return f.under.Remove(ctx, p) }, nil)
}

// MkdirAll implements filesystem.FS.
func (f *FS) MkdirAll(ctx context.Context, dir string) error {
	return f.run(ctx, Call{Op: MkdirAll, Path: dir}, func() error { return f.under.MkdirAll(ctx, dir) }, nil)
}

// Stat implements filesystem.FS.
func (f *FS) Stat(ctx context.Context, p string) (i filesystem.Info, err error) {
	err = f.run(ctx, Call{Op: Stat, Path: p}, func() (err error) {
		i, err = f.under.Stat(ctx, p)
		return err
	}, nil)
	if err != nil {
		return filesystem.Info{}, err
	}
	return i, nil
}

// List implements filesystem.FS.
func (f *FS) List(ctx context.Context, dir string) (infos []filesystem.Info, err error) {
	err = f.run(ctx, Call{Op: List, Path: dir}, func() (err error) {
		infos, err = f.under.List(ctx, dir)
		return err
	}, nil)
	if err != nil {
		return nil, err
	}
	return infos, nil
}

// RecoverLease implements filesystem.FS.
func (f *FS) RecoverLease(ctx context.Context, p string) error {
	return f.run(ctx, Call{Op: RecoverLease, Path: p}, func() error { return f.under.RecoverLease(ctx, p) }, nil)
}

// Close implements filesystem.FS. It ends hanging calls of files and closes the file
// system below, unless the process crashed: then nothing reaches that.
func (f *FS) Close() error {
	f.mu.Lock()
	if !f.ended {
		f.ended = true
		close(f.closed)
	}
	crashed := f.crashed
	f.mu.Unlock()
	if crashed {
		return ErrCrashed
	}
	return f.under.Close()
}
