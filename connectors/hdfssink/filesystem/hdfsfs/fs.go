package hdfsfs

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/penstock-io/penstock/connectors/hdfssink/filesystem"
	"github.com/penstock-io/penstock/connectors/hdfssink/filesystem/hdfsfs/namenode"
)

var errClosed = errors.New("file system is closed")

// FS is a client of one HDFS. Safe for concurrent use.
type FS struct {
	settings
	nn      *namenode.Client
	dirs    dirCache
	closed  context.Context
	close   context.CancelFunc
	calls   sync.WaitGroup // goroutines of await
	opening chan struct{}  // held by who looks for the current session

	mu       sync.Mutex
	current  *session
	sessions map[*session]struct{}
	files    map[*file]struct{}
}

var _ filesystem.FS = (*FS)(nil)

func newFS(s settings, nn *namenode.Client) *FS {
	closed, end := context.WithCancel(context.Background())
	return &FS{settings: s, nn: nn, closed: closed, close: end, opening: make(chan struct{}, 1),
		sessions: map[*session]struct{}{}, files: map[*file]struct{}{}}
}

// Clean makes a path absolute and removes double slashes; "+" and the rest stay as they are.
func Clean(p string) string { return path.Clean("/" + p) }

// bound adds the default deadline to a context without one.
func (f *FS) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return ctx, func() {}
	}
	return context.WithTimeoutCause(ctx, f.CallTimeout, fmt.Errorf("no success within %s", f.CallTimeout))
}

// Rename implements filesystem.FS with rename2, which never overwrites here. After a
// lost reply the file id tells whether the target is our file.
func (f *FS) Rename(ctx context.Context, from, to string) error {
	ctx, cancel := f.bound(ctx)
	defer cancel()
	from, to = Clean(from), Clean(to)
	op := "rename " + from + " to"
	src, err := f.nn.Stat(ctx, from)
	if err != nil {
		return wrap(op, to, err)
	}
	if src == nil {
		return wrap(op, to, filesystem.ErrNotExist)
	}
	result, err := f.nn.Rename(ctx, from, to)
	if err == nil {
		return nil
	}
	class := namenode.Exception(err)
	vague := class == namenode.ExceptionIO // a directory in the way gives it, not FileAlreadyExistsException
	if vague || result.ReplyLost && class != "" {
		dst, statErr := f.nn.Stat(ctx, to)
		switch {
		case statErr != nil:
			return wrap(op, to, errors.Join(err, statErr))
		case dst != nil && dst.FileID == src.FileID && result.ReplyLost:
			return nil
		case dst != nil && vague:
			return wrap(op, to, fmt.Errorf("%w: %w", filesystem.ErrExist, err))
		}
	}
	return wrap(op, to, err)
}

// Remove implements filesystem.FS.
func (f *FS) Remove(ctx context.Context, p string) error {
	ctx, cancel := f.bound(ctx)
	defer cancel()
	p = Clean(p)
	_, err := f.nn.Delete(ctx, p)
	if missing(err) {
		return nil
	}
	return wrap("remove", p, err)
}

// MkdirAll implements filesystem.FS; new directories get 0777 less the umask.
func (f *FS) MkdirAll(ctx context.Context, dir string) error {
	ctx, cancel := f.bound(ctx)
	defer cancel()
	dir = Clean(dir)
	return wrap("mkdir", dir, f.nn.Mkdirs(ctx, dir, f.dirPerm))
}

// Stat implements filesystem.FS.
func (f *FS) Stat(ctx context.Context, p string) (filesystem.Info, error) {
	ctx, cancel := f.bound(ctx)
	defer cancel()
	p = Clean(p)
	st, err := f.stat(ctx, p)
	if err != nil {
		return filesystem.Info{}, wrap("stat", p, err)
	}
	return info(p, st), nil
}

// stat returns ErrNotExist for nothing, a path below a file included.
func (f *FS) stat(ctx context.Context, p string) (*namenode.FileStatus, error) {
	st, err := f.nn.Stat(ctx, p)
	if err == nil && st == nil || missing(err) {
		return nil, filesystem.ErrNotExist
	}
	return st, err
}

// missing: there is nothing at the path, and cannot be. For reading below a file the
// NameNode throws AccessControlException, which only its text tells from a real one.
func missing(err error) bool {
	switch namenode.Exception(err) {
	case namenode.ExceptionFileNotFound, namenode.ExceptionParentNotDirectory:
		return true
	case namenode.ExceptionAccessControl:
		return strings.Contains(err.Error(), "(is not a directory)")
	}
	return false
}

func info(p string, st *namenode.FileStatus) filesystem.Info {
	return filesystem.Info{Path: p, Size: st.Length, Dir: st.Dir, Modified: st.Modified}
}

// List implements filesystem.FS.
func (f *FS) List(ctx context.Context, dir string) ([]filesystem.Info, error) {
	ctx, cancel := f.bound(ctx)
	defer cancel()
	dir = Clean(dir)
	entries, ok, err := f.nn.List(ctx, dir)
	if err == nil && !ok || missing(err) {
		err = filesystem.ErrNotExist
	}
	if err == nil && len(entries) == 1 && entries[0].Name == "" {
		err = errors.New("not a directory")
	}
	if err != nil {
		return nil, wrap("list", dir, err)
	}
	infos := make([]filesystem.Info, len(entries))
	for i := range entries {
		infos[i] = info(path.Join(dir, entries[i].Name), &entries[i])
	}
	slices.SortFunc(infos, func(a, b filesystem.Info) int { return strings.Compare(a.Path, b.Path) })
	return infos, nil
}

const (
	closedPoll      = 100 * time.Millisecond
	recoverAgain    = 10 * time.Second // first repetition of recoverLease, doubling
	recoverAgainMax = time.Minute
)

// RecoverLease implements filesystem.FS. The NameNode makes the DataNodes agree on the
// last block, which takes a few hundred milliseconds; the request is repeated now and
// then, since a recovery whose DataNode died is not taken up by itself for long.
func (f *FS) RecoverLease(ctx context.Context, p string) error {
	ctx, cancel := f.bound(ctx)
	defer cancel()
	p = Clean(p)
	poll := time.NewTicker(closedPoll)
	defer poll.Stop()
	again := recoverAgain
	for {
		closed, err := f.nn.RecoverLease(ctx, p)
		if err != nil || closed {
			return wrap("recover the lease of", p, err)
		}
		for repeat := time.Now().Add(again); time.Now().Before(repeat); {
			select {
			case <-ctx.Done():
				return wrap("recover the lease of", p, unrecovered(p, context.Cause(ctx)))
			case <-poll.C:
			}
			if closed, err = f.nn.IsFileClosed(ctx, p); err != nil && ctx.Err() != nil {
				err = unrecovered(p, err)
			}
			if err != nil || closed {
				return wrap("recover the lease of", p, err)
			}
		}
		again = min(2*again, recoverAgainMax)
	}
}

// unrecovered is the error of a file whose last writer has lost the lease, while the
// DataNodes have not agreed on the length of the last block. Nearly always they do so
// within seconds; a DataNode that is down, or refuses, needs somebody who looks at it.
func unrecovered(p string, cause error) error {
	return fmt.Errorf("%w: %w: the DataNodes that hold its last block have not agreed on its length yet, and nobody can append to the "+
		"file until they do. If this goes on, look for the block recovery in the logs of the NameNode and of those DataNodes: one that is "+
		"down must come back, one that refuses (\"Block length mismatch\") must be restarted. "+
		"\"hdfs debug recoverLease -path %s\" asks for it again and shows whether it is done", filesystem.ErrLeased, cause, p)
}

// Close implements filesystem.FS. Files still open are closed with what was written
// to them, within 5 seconds.
func (f *FS) Close() error {
	f.mu.Lock()
	if f.closed.Err() != nil {
		f.mu.Unlock()
		return nil //nolint:nilerr // closed before
	}
	f.close()
	files := f.files
	f.files = map[*file]struct{}{}
	sessions := f.sessions
	f.sessions = map[*session]struct{}{}
	f.mu.Unlock()

	deadline := time.Now().Add(5 * time.Second)
	for open := range files {
		f.Logger.Warn("file left open", zap.String("path", open.path))
		open.abandon(deadline)
	}
	for s := range sessions {
		s.end()
	}
	f.calls.Wait()
	return f.nn.Close()
}
