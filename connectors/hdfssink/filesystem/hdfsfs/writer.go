package hdfsfs

import (
	"context"
	"errors"
	"fmt"
	iofs "io/fs"
	"sync"
	"time"

	"github.com/colinmarc/hdfs/v2"

	"github.com/penstock-io/penstock/connectors/hdfssink/filesystem"
	"github.com/penstock-io/penstock/connectors/hdfssink/filesystem/hdfsfs/namenode"
)

// packet is how much the client gathers before it sends.
const packet = 64 << 10

// file is a file open for writing.
type file struct {
	fs   *FS
	s    *session
	path string

	mu      sync.Mutex // one goroutine writes; FS.Close may come in between
	w       *hdfs.FileWriter
	size    int64 // length of the file with all that was written
	started bool  // a write succeeded: the first block is there
	pending int   // bytes gathered and not sent
	err     error // first failure; the file is unusable
	closed  bool
}

func (f *FS) newFile(s *session, p string, w *hdfs.FileWriter, size int64) filesystem.File {
	open := &file{fs: f, s: s, path: p, w: w, size: size}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed.Err() == nil {
		f.files[open] = struct{}{}
	}
	return open
}

// Write implements io.Writer.
func (f *file) Write(b []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.usable(); err != nil {
		return 0, wrap("write", f.path, err)
	}
	if len(b) == 0 {
		return 0, nil // the client would ask for a block that no DataNode ever gets, and never close
	}
	var n int
	var err error
	if f.started && f.pending+len(b) < packet {
		n, err = f.w.Write(b) // only gathers: no clock, no deadline
	} else {
		n, err = f.send(b)
	}
	f.size += int64(n)
	if err != nil {
		return n, f.fail("write", err)
	}
	f.pending = (f.pending + n) % packet
	f.started = f.started || n > 0
	return n, nil
}

// send writes with a deadline. While the file has no block, a NameNode that is down is
// waited for: asking again for the first block is safe, for a later one it is not,
// because the client forgets the one before and would get that again.
func (f *file) send(b []byte) (n int, err error) {
	deadline := time.Now().Add(f.fs.FileTimeout)
	ctx, cancel := context.WithDeadlineCause(context.Background(), deadline, errFileTimeout(f.fs.FileTimeout))
	defer cancel()
	for again := f.fs.retries(ctx, "write", f.path); ; {
		n, err = f.timed(deadline, func() (int, error) { return f.w.Write(b) })
		if err == nil || n > 0 || f.started || !fromNameNode(err) {
			return n, err
		}
		if err := again(err); err != nil {
			return 0, err
		}
	}
}

// timed runs an I/O of the writer with a deadline, and lifts it afterwards: the
// client's heartbeats, which go on between writes, would fail at it.
func (f *file) timed(deadline time.Time, io func() (int, error)) (int, error) {
	if err := f.w.SetDeadline(deadline); err != nil {
		return 0, err
	}
	n, err := io()
	if err == nil {
		err = f.w.SetDeadline(time.Time{})
	}
	return n, err
}

// Sync implements filesystem.File: it sends what was gathered to the DataNodes, without
// waiting for them.
func (f *file) Sync() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.usable(); err != nil {
		return wrap("sync", f.path, err)
	}
	_, err := f.timed(time.Now().Add(f.fs.FileTimeout), func() (int, error) { return 0, f.w.Flush() })
	if err != nil {
		return f.fail("sync", err)
	}
	f.pending = 0
	return nil
}

func (f *file) usable() error {
	if f.closed {
		return iofs.ErrClosed
	}
	return f.err
}

// Close implements filesystem.File.
func (f *file) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return wrap("close", f.path, iofs.ErrClosed)
	}
	return f.shut(time.Now().Add(f.fs.FileTimeout))
}

// shut closes the file and gives up its session.
func (f *file) shut(deadline time.Time) error {
	f.closed = true
	defer f.s.release()
	defer f.fs.forget(f)
	if f.err != nil {
		// Only to stop the client's goroutines; the socket is dead, so nothing is committed.
		f.w.SetDeadline(time.Unix(1, 0)) //nolint:errcheck // as said
		f.w.Close()                      //nolint:errcheck // as said
		f.s.retire()
		return wrap("close", f.path, f.err)
	}
	_, err := f.timed(deadline, func() (int, error) { return 0, f.w.Close() })
	if err != nil {
		err = f.finish(deadline, err)
	}
	if err != nil {
		err = f.fail("close", err)
		f.s.retire()
	}
	return err
}

// finish goes on after the client's Close failed. When the failure came after the
// DataNodes had everything, the file is completed by our own call, which names its
// last block: the client has forgotten that, so its second try would never succeed.
func (f *file) finish(deadline time.Time, cause error) error {
	if !hdfs.IsErrReplicating(cause) && !fromNameNode(cause) {
		return cause
	}
	ctx, cancel := context.WithDeadlineCause(context.Background(), deadline, errFileTimeout(f.fs.FileTimeout))
	defer cancel()
	last, err := f.lastBlock(ctx)
	if err != nil {
		return errors.Join(cause, err)
	}
	for d := retryPause / 4; ; d = min(2*d, retryPauseMax) {
		done, err := f.fs.nn.Complete(ctx, f.path, f.s.name(), last)
		if err != nil {
			return errors.Join(cause, err)
		}
		if done {
			return nil
		}
		t := time.NewTimer(d)
		select {
		case <-ctx.Done():
			t.Stop()
			return errors.Join(cause, context.Cause(ctx))
		case <-t.C:
		}
	}
}

// lastBlock is the file's last block with the length it has when all we wrote is in it.
func (f *file) lastBlock(ctx context.Context) (*namenode.Block, error) {
	b, err := f.fs.nn.Blocks(ctx, f.path)
	if err != nil || b.Last == nil {
		return nil, err
	}
	before := b.Length
	if b.LastComplete {
		before -= b.Last.Length
	}
	b.Last.Length = f.size - before
	if b.Last.Length < 0 {
		return nil, fmt.Errorf("%w: %d bytes were written, the NameNode knows %d", filesystem.ErrFenced, f.size, before)
	}
	return b.Last, nil
}

// fail notes the first failure, after asking the NameNode whether the lease was lost:
// the data path says only "broken pipe".
func (f *file) fail(op string, err error) error {
	if sentinel(err) == nil {
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		defer cancel()
		if lease := f.fs.nn.Fsync(ctx, f.path, f.s.name()); sentinel(lease) != nil {
			err = fmt.Errorf("%w: %w", lease, remote(err))
		}
	}
	f.err = wrap(op, f.path, err)
	return f.err
}

// abandon is FS.Close's way to close a file. A write under way fails when the sockets
// go, and its goroutine's Close finds the rest.
func (f *file) abandon(deadline time.Time) {
	if !f.mu.TryLock() {
		return
	}
	defer f.mu.Unlock()
	if f.closed {
		return
	}
	f.shut(deadline) //nolint:errcheck // nobody is left to tell
}

func (f *FS) forget(open *file) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.files, open)
}

func errFileTimeout(d time.Duration) error { return fmt.Errorf("not done within %s", d) }
