//go:build unix

package localfs

import (
	"context"
	"errors"
	"fmt"
	"io"
	iofs "io/fs"
	"os"
	"path"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/penstock-io/penstock/connectors/hdfssink/filesystem"
)

// FS is one client of a directory of the local disk. Safe for concurrent use.
type FS struct {
	root string

	mu     sync.Mutex
	closed bool
	files  map[*file]struct{}
}

var _ filesystem.FS = (*FS)(nil)

// New returns a client whose paths start at root; "/" is the whole disk.
func New(root string) *FS {
	return &FS{root: filepath.Clean(root), files: map[*file]struct{}{}}
}

// clean makes a path absolute and removes double slashes.
func clean(p string) string { return path.Clean("/" + p) }

func (f *FS) local(p string) string { return filepath.Join(f.root, filepath.FromSlash(clean(p))) }

// ready is the check before each call.
func (f *FS) ready(ctx context.Context) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return fmt.Errorf("file system client: %w", iofs.ErrClosed)
	}
	return nil
}

// wrap says what failed and adds the contract's error.
func wrap(op, p string, err error) error {
	if err == nil {
		return nil
	}
	sentinel := error(nil)
	switch {
	case errors.Is(err, iofs.ErrNotExist):
		sentinel = filesystem.ErrNotExist
	case errors.Is(err, iofs.ErrExist):
		sentinel = filesystem.ErrExist
	}
	if sentinel != nil && !errors.Is(err, sentinel) {
		return fmt.Errorf("localfs: %s %s: %w: %w", op, clean(p), sentinel, err)
	}
	return fmt.Errorf("localfs: %s %s: %w", op, clean(p), err)
}

// noDir makes "a parent is a file" mean that there is nothing, for calls that look.
func noDir(err error) error {
	if errors.Is(err, syscall.ENOTDIR) {
		return fmt.Errorf("%w: %w", filesystem.ErrNotExist, err)
	}
	return err
}

// Create implements filesystem.FS.
func (f *FS) Create(ctx context.Context, p string) (filesystem.File, error) {
	if err := f.ready(ctx); err != nil {
		return nil, wrap("create", p, err)
	}
	local := f.local(p)
	if err := makeDirs(filepath.Dir(local)); err != nil {
		return nil, wrap("create", p, err)
	}
	return f.open("create", p, os.O_CREATE|os.O_EXCL)
}

// Append implements filesystem.FS.
func (f *FS) Append(ctx context.Context, p string) (filesystem.File, error) {
	if err := f.ready(ctx); err != nil {
		return nil, wrap("append to", p, err)
	}
	return f.open("append to", p, 0)
}

// open opens a file for writing and takes its lease. The file may have been moved or
// replaced between the two: then it is opened again.
func (f *FS) open(op, p string, flags int) (filesystem.File, error) {
	local := f.local(p)
	for {
		osf, err := os.OpenFile(local, os.O_WRONLY|os.O_APPEND|flags, 0o666)
		if err != nil {
			return nil, wrap(op, p, noDir(err))
		}
		same, err := lockOpened(osf, local)
		if err == nil && same {
			return f.track(&file{fs: f, path: p, f: osf, created: flags != 0})
		}
		osf.Close()
		if err != nil {
			return nil, wrap(op, p, err)
		}
		if flags != 0 {
			return nil, wrap(op, p, fmt.Errorf("%w: somebody took the new file away", filesystem.ErrLeased))
		}
	}
}

func (f *FS) track(w *file) (filesystem.File, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		w.f.Close()
		return nil, wrap("open", w.path, iofs.ErrClosed)
	}
	f.files[w] = struct{}{}
	return w, nil
}

// lockOpened takes the lease of an open file without waiting: ErrLeased when another
// has it. same is false when the path leads elsewhere by now.
func lockOpened(osf *os.File, local string) (same bool, err error) {
	if err := lock(osf); err != nil {
		return false, err
	}
	mine, err := osf.Stat()
	if err != nil {
		return false, err
	}
	there, err := os.Stat(local)
	if errors.Is(err, iofs.ErrNotExist) {
		return false, nil
	}
	return err == nil && os.SameFile(mine, there), err
}

// Open implements filesystem.FS.
func (f *FS) Open(ctx context.Context, p string) (io.ReadCloser, error) {
	if err := f.ready(ctx); err != nil {
		return nil, wrap("open", p, err)
	}
	osf, err := os.Open(f.local(p))
	if err != nil {
		return nil, wrap("open", p, noDir(err))
	}
	if info, err := osf.Stat(); err != nil || info.IsDir() {
		osf.Close()
		return nil, wrap("open", p, errors.Join(err, syscall.EISDIR))
	}
	return osf, nil
}

// Rename implements filesystem.FS.
func (f *FS) Rename(ctx context.Context, from, to string) error {
	op := "rename " + clean(from) + " to"
	if err := f.ready(ctx); err != nil {
		return wrap(op, to, err)
	}
	source, target := f.local(from), f.local(to)
	if err := renameNew(source, target); err != nil {
		return wrap(op, to, err)
	}
	err := syncDir(filepath.Dir(target))
	if filepath.Dir(source) != filepath.Dir(target) {
		err = errors.Join(err, syncDir(filepath.Dir(source)))
	}
	return wrap(op, to, err)
}

// Remove implements filesystem.FS.
func (f *FS) Remove(ctx context.Context, p string) error {
	if err := f.ready(ctx); err != nil {
		return wrap("remove", p, err)
	}
	local := f.local(p)
	if local == f.root {
		return wrap("remove", p, errors.New("cannot remove the root directory"))
	}
	if err := os.RemoveAll(local); err != nil && !errors.Is(err, syscall.ENOTDIR) {
		return wrap("remove", p, err)
	}
	err := syncDir(filepath.Dir(local))
	if errors.Is(err, iofs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return nil
	}
	return wrap("remove", p, err)
}

// MkdirAll implements filesystem.FS.
func (f *FS) MkdirAll(ctx context.Context, dir string) error {
	if err := f.ready(ctx); err != nil {
		return wrap("mkdir", dir, err)
	}
	local := f.local(dir)
	if info, err := os.Stat(local); err == nil && !info.IsDir() {
		return wrap("mkdir", dir, filesystem.ErrExist)
	}
	return wrap("mkdir", dir, makeDirs(local))
}

// makeDirs makes directories that survive a power failure: each parent is synced.
func makeDirs(dir string) error {
	if info, err := os.Stat(dir); err == nil {
		if !info.IsDir() {
			return fmt.Errorf("%s: %w", dir, syscall.ENOTDIR)
		}
		return nil
	}
	parent := filepath.Dir(dir)
	if parent != dir {
		if err := makeDirs(parent); err != nil {
			return err
		}
	}
	if err := os.Mkdir(dir, 0o777); err != nil && !errors.Is(err, iofs.ErrExist) {
		return err
	}
	return syncDir(parent)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// Stat implements filesystem.FS.
func (f *FS) Stat(ctx context.Context, p string) (filesystem.Info, error) {
	if err := f.ready(ctx); err != nil {
		return filesystem.Info{}, wrap("stat", p, err)
	}
	fi, err := os.Stat(f.local(p))
	if err != nil {
		return filesystem.Info{}, wrap("stat", p, noDir(err))
	}
	return info(clean(p), fi), nil
}

func info(p string, fi os.FileInfo) filesystem.Info {
	i := filesystem.Info{Path: p, Size: fi.Size(), Dir: fi.IsDir(), Modified: fi.ModTime()}
	if i.Dir {
		i.Size = 0 // as in HDFS
	}
	return i
}

// List implements filesystem.FS.
func (f *FS) List(ctx context.Context, dir string) ([]filesystem.Info, error) {
	if err := f.ready(ctx); err != nil {
		return nil, wrap("list", dir, err)
	}
	local := f.local(dir)
	if fi, err := os.Stat(local); err != nil {
		return nil, wrap("list", dir, noDir(err))
	} else if !fi.IsDir() {
		return nil, wrap("list", dir, errors.New("not a directory"))
	}
	entries, err := os.ReadDir(local) // in name order
	if err != nil {
		return nil, wrap("list", dir, noDir(err))
	}
	infos := make([]filesystem.Info, 0, len(entries))
	for _, e := range entries {
		fi, err := e.Info()
		if errors.Is(err, iofs.ErrNotExist) {
			continue // removed meanwhile
		}
		if err != nil {
			return nil, wrap("list", dir, err)
		}
		infos = append(infos, info(path.Join(clean(dir), e.Name()), fi))
	}
	return infos, nil
}

// leasePoll is how often RecoverLease looks whether a living writer is done.
const leasePoll = 50 * time.Millisecond

// RecoverLease implements filesystem.FS. A dead process holds nothing; for a living
// writer it waits until ctx ends, and then returns ErrLeased.
func (f *FS) RecoverLease(ctx context.Context, p string) error {
	const op = "recover the lease of"
	if err := f.ready(ctx); err != nil {
		return wrap(op, p, err)
	}
	tick := time.NewTicker(leasePoll)
	defer tick.Stop()
	for {
		err := f.settle(p)
		if !errors.Is(err, filesystem.ErrLeased) {
			return wrap(op, p, err)
		}
		select {
		case <-ctx.Done():
			return wrap(op, p, fmt.Errorf("%w: its writer lives: %w", err, context.Cause(ctx)))
		case <-tick.C:
		}
		if err := f.ready(context.Background()); err != nil {
			return wrap(op, p, err)
		}
	}
}

// settle takes the lease, makes what a dead writer left durable, and lets go.
func (f *FS) settle(p string) error {
	local := f.local(p)
	osf, err := os.OpenFile(local, os.O_WRONLY, 0)
	if err != nil {
		return noDir(err)
	}
	defer osf.Close()
	if _, err := lockOpened(osf, local); err != nil {
		return err
	}
	return osf.Sync()
}

// Close implements filesystem.FS. Files still open are closed with what was written.
func (f *FS) Close() error {
	f.mu.Lock()
	if f.closed {
		f.mu.Unlock()
		return nil
	}
	f.closed = true
	files := f.files
	f.files = nil
	f.mu.Unlock()
	var errs []error
	for w := range files {
		errs = append(errs, w.release())
	}
	return errors.Join(errs...)
}
