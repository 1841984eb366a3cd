package hdfsfs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"time"

	"github.com/colinmarc/hdfs/v2"
	"go.uber.org/zap"

	"github.com/penstock-io/penstock/connectors/hdfssink/filesystem"
	"github.com/penstock-io/penstock/connectors/hdfssink/filesystem/hdfsfs/namenode"
)

const (
	retryPause    = 100 * time.Millisecond // first pause between attempts, doubling
	retryPauseMax = 2 * time.Second
)

// Create implements filesystem.FS. When the NameNode's answer was lost and the file is
// there, the lease shows whether it is ours; then it is taken over and appended to.
func (f *FS) Create(ctx context.Context, p string) (filesystem.File, error) {
	ctx, cancel := f.bound(ctx)
	defer cancel()
	p = Clean(p)
	var lost []string // names of clients whose create got no answer
	orphaned := 0     // times that the directory was gone after all
	for again := f.retries(ctx, "create", p); ; {
		if err := f.ensureDir(ctx, path.Dir(p)); err != nil {
			return nil, wrap("create", p, err)
		}
		s, err := f.acquire(ctx)
		if err == nil {
			var w *hdfs.FileWriter
			w, err = f.begin(ctx, s, func() (*hdfs.FileWriter, error) {
				return s.client.CreateFile(p, f.replication, f.blockSize, fs.FileMode(f.filePerm))
			})
			if err == nil {
				return f.newFile(s, p, w, 0), nil
			}
			if !isRemote(err) {
				lost = append(lost, s.name())
			}
			s.release()
		}
		if errors.Is(err, fs.ErrExist) && len(lost) > 0 {
			if w, ok, err := f.reclaim(ctx, p, lost); ok || err != nil {
				return w, wrap("create", p, err)
			}
		}
		switch {
		case errors.Is(err, fs.ErrNotExist) && orphaned < 3: // the directory was removed meanwhile
			orphaned++
			f.dirs.forget(path.Dir(p))
			continue
		case isRemote(err) && !namenode.IsTemporary(namenode.Exception(err)):
			return nil, wrap("create", p, err)
		}
		if err := again(err); err != nil {
			return nil, wrap("create", p, err)
		}
	}
}

// reclaim opens a file that one of the lost holders, former clients of ours, still has
// open. ok is false when none has: the file is somebody else's.
func (f *FS) reclaim(ctx context.Context, p string, lost []string) (w filesystem.File, ok bool, err error) {
	for _, holder := range lost {
		err := f.nn.Fsync(ctx, p, holder)
		if class := namenode.Exception(err); class != "" && !namenode.IsTemporary(class) {
			continue
		}
		if err != nil {
			return nil, false, err
		}
		if err := f.RecoverLease(ctx, p); err != nil {
			return nil, false, err
		}
		w, err := f.Append(ctx, p)
		if errors.Is(err, filesystem.ErrLeased) {
			return nil, false, fmt.Errorf("%w: %w", filesystem.ErrExist, err)
		}
		return w, err == nil, err
	}
	return nil, false, nil
}

// Append implements filesystem.FS.
func (f *FS) Append(ctx context.Context, p string) (filesystem.File, error) {
	ctx, cancel := f.bound(ctx)
	defer cancel()
	p = Clean(p)
	var lost []string
	for again := f.retries(ctx, "append", p); ; {
		s, err := f.acquire(ctx)
		if err == nil {
			var w *hdfs.FileWriter
			w, err = f.begin(ctx, s, func() (*hdfs.FileWriter, error) { return s.client.Append(p) })
			if err == nil {
				return f.appendTo(ctx, s, p, w)
			}
			if !isRemote(err) {
				lost = append(lost, s.name())
			}
			s.release()
		}
		if namenode.Exception(err) == namenode.ExceptionAlreadyBeingCreated && len(lost) > 0 {
			w, ok, rerr := f.reclaim(ctx, p, lost)
			if ok || rerr != nil {
				return w, wrap("append to", p, rerr)
			}
		}
		if class := namenode.Exception(err); class == namenode.ExceptionParentNotDirectory {
			return nil, wrap("append to", p, fmt.Errorf("%w: %w", filesystem.ErrNotExist, remote(err)))
		}
		if isRemote(err) && !namenode.IsTemporary(namenode.Exception(err)) {
			return nil, wrap("append to", p, err)
		}
		if err := again(err); err != nil {
			return nil, wrap("append to", p, err)
		}
	}
}

// appendTo finds the size of a file just opened, which closing needs when a reply is lost.
func (f *FS) appendTo(ctx context.Context, s *session, p string, w *hdfs.FileWriter) (filesystem.File, error) {
	st, err := f.stat(ctx, p)
	if err == nil {
		err = checkStatus(st)
	}
	if err != nil {
		f.discard(s, w)
		s.release()
		return nil, wrap("append to", p, err)
	}
	return f.newFile(s, p, w, st.Length), nil
}

// begin opens a writer; one that comes too late is closed again.
func (f *FS) begin(ctx context.Context, s *session, call func() (*hdfs.FileWriter, error)) (*hdfs.FileWriter, error) {
	s.share() // for the goroutine that may outlive us
	return await(ctx, f, func() (*hdfs.FileWriter, error) {
		defer s.release()
		return call()
	}, func(w *hdfs.FileWriter) { f.discard(s, w) })
}

// discard closes a writer to which nothing was written.
func (f *FS) discard(s *session, w *hdfs.FileWriter) {
	w.SetDeadline(time.Now().Add(f.IOTimeout)) //nolint:errcheck // nothing to set it on yet
	if err := w.Close(); err != nil {
		s.retire() // let its lease expire
	}
}

// retries returns a function that pauses after a failed attempt, ever longer, and
// returns an error when ctx ends or the FS is closed.
func (f *FS) retries(ctx context.Context, op, p string) func(error) error {
	d, first := retryPause, true
	return func(failure error) error {
		if errors.Is(failure, errClosed) {
			return failure
		}
		if first && ctx.Err() == nil {
			first = false
			f.Logger.Warn("HDFS call failed, repeating it", zap.String("operation", op), zap.String("path", p), zap.Error(failure))
		}
		t := time.NewTimer(d)
		defer t.Stop()
		d = min(2*d, retryPauseMax)
		select {
		case <-ctx.Done():
			if errors.Is(failure, context.Cause(ctx)) {
				return failure
			}
			return fmt.Errorf("%w; last failure: %w", context.Cause(ctx), failure)
		case <-f.closed.Done():
			return errClosed
		case <-t.C:
			return nil
		}
	}
}
