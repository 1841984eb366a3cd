package wal

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/penstock-io/penstock/connectors/hdfssink/filesystem"
)

// ErrTakenOver: somebody else has taken the log over since our Take. The holder must
// not rename or write anything any more.
var ErrTakenOver = errors.New("another writer has taken over the write-ahead log")

// Replay finishes what a log promises: it renames the files of c that were not yet
// renamed. It returns what the new log starts with, so that a log always tells the latest
// offset. Take may call it a second time with more.
type Replay func(ctx context.Context, c *Contents) (Kept, error)

// Kept is a block that outlives its log.
type Kept struct {
	Block   []Entry // nil for none
	Settled bool    // its files are known to have been renamed
}

// Log is a log whose lease we hold. One goroutine uses it.
type Log struct {
	fs      filesystem.FS
	path    string
	timeout time.Duration
	enc     encoder
	old     filesystem.Info // of log.1 since our Take; zero when there is none
	file    filesystem.File // open for append: our lease; nil after a failure
	pending int             // bytes of a block that may or may not be in the log
	open    bool            // the last block may have files that are not renamed yet
	buf     []byte
}

// Options are for Take.
type Options struct {
	FS   filesystem.FS
	Path string // of the log, absolute
	// Timeout bounds each call of FS.
	Timeout time.Duration
	// Keep selects entries for Contents.Older, see Read.
	Keep   func(Entry) bool
	Replay Replay
	Logger *zap.Logger
}

// Take makes the caller the writer of a log: it takes the lease away from whoever has
// it, reads what is there, has it replayed, moves it to log.1, where the lease is
// recovered again, and starts a new log. It may be repeated after an error. ErrTakenOver
// means that somebody else did the same at the same time and was faster.
func Take(ctx context.Context, o Options) (*Log, error) {
	l := &Log{fs: o.FS, path: o.Path, timeout: o.Timeout, enc: encoder{marker: newMarker()}}
	cur, err := l.load(ctx, o, l.path)
	if err != nil {
		return nil, err
	}
	c := cur.Contents
	var former loaded
	if c.Last == nil {
		// The JVM's rule: an empty log does not hide what log.1 says.
		if former, err = l.load(ctx, o, l.oldPath()); err != nil {
			return nil, err
		}
		c = former.Contents
		c.Rotated = true
	}
	keep, err := o.Replay(ctx, &c)
	if err != nil {
		return nil, err
	}
	switch {
	case !cur.exists:
	case cur.Last == nil && former.Last != nil:
		// log.1 is worth more than an empty log.
		err = l.call(ctx, func(ctx context.Context) error { return l.fs.Remove(ctx, l.path) })
	default:
		keep, err = l.rotate(ctx, o, cur, keep)
	}
	if err != nil {
		return nil, err
	}
	if l.old, err = l.stat(ctx, l.oldPath()); err != nil {
		return nil, err
	}
	if err := l.create(ctx, keep); err != nil {
		return nil, err
	}
	if err := l.hold(ctx); err != nil {
		return nil, err
	}
	return l, nil
}

func (l *Log) oldPath() string { return l.path + ".1" }

// call bounds one call of the file system.
func (l *Log) call(ctx context.Context, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, l.timeout, fmt.Errorf("not done within %s", l.timeout))
	defer cancel()
	return f(ctx)
}

// loaded is a log as it was found.
type loaded struct {
	Contents
	exists bool
	size   int64
}

// load recovers the lease of a log and reads it.
func (l *Log) load(ctx context.Context, o Options, p string) (in loaded, err error) {
	err = l.call(ctx, func(ctx context.Context) error { return l.fs.RecoverLease(ctx, p) })
	if errors.Is(err, filesystem.ErrNotExist) {
		return in, nil
	}
	if err != nil {
		return in, err
	}
	info, err := l.stat(ctx, p)
	if err != nil {
		return in, err
	}
	err = l.call(ctx, func(ctx context.Context) error {
		r, err := l.fs.Open(ctx, p)
		if err != nil {
			return err
		}
		defer r.Close()
		in.Contents, err = Read(r, o.Keep)
		return err
	})
	if err != nil {
		return in, fmt.Errorf("read write-ahead log %s: %w", p, err)
	}
	in.exists, in.size = true, info.Size
	if in.Damage != nil && o.Logger != nil {
		o.Logger.Warn("write-ahead log ends early: the last commit was not completed, or the log is damaged",
			zap.String("path", p), zap.Error(in.Damage))
	}
	return in, nil
}

// stat returns the zero Info for nothing.
func (l *Log) stat(ctx context.Context, p string) (info filesystem.Info, err error) {
	err = l.call(ctx, func(ctx context.Context) (err error) {
		info, err = l.fs.Stat(ctx, p)
		return err
	})
	if errors.Is(err, filesystem.ErrNotExist) {
		return filesystem.Info{}, nil
	}
	return info, err
}

// rotate moves the log to log.1. A former writer may have opened it once more between
// the recovery of its lease and the move: hence the second recovery, behind which
// nobody has it open and nobody finds it under its name.
func (l *Log) rotate(ctx context.Context, o Options, cur loaded, keep Kept) (Kept, error) {
	err := l.call(ctx, func(ctx context.Context) error { return l.fs.Remove(ctx, l.oldPath()) })
	if err == nil {
		err = l.call(ctx, func(ctx context.Context) error { return l.fs.Rename(ctx, l.path, l.oldPath()) })
	}
	if err != nil {
		return keep, err
	}
	again, err := l.load(ctx, o, l.oldPath())
	if err != nil || again.size == cur.size || again.Last == nil {
		return keep, err
	}
	return o.Replay(ctx, &again.Contents)
}

// create starts the log, with the block to keep.
func (l *Log) create(ctx context.Context, keep Kept) error {
	var f filesystem.File
	err := l.call(ctx, func(ctx context.Context) (err error) {
		f, err = l.fs.Create(ctx, l.path)
		return err
	})
	if errors.Is(err, filesystem.ErrExist) {
		return fmt.Errorf("%w %s: it was created meanwhile", ErrTakenOver, l.path)
	}
	if err != nil {
		return err
	}
	l.buf = l.enc.header(l.buf[:0])
	if len(keep.Block) > 0 {
		l.buf = l.enc.block(l.buf, false, keep.Block)
		if keep.Settled {
			l.buf = l.enc.block(l.buf, false, nil)
		}
	}
	_, err = f.Write(l.buf)
	return errors.Join(err, f.Close())
}

// hold takes the lease of the closed log and makes sure that the log is still ours:
// nobody had it since we closed it. A take-over always changes log.1, and other writers
// make the log longer.
func (l *Log) hold(ctx context.Context) error {
	var f filesystem.File
	err := l.call(ctx, func(ctx context.Context) (err error) {
		f, err = l.fs.Append(ctx, l.path)
		return err
	})
	if errors.Is(err, filesystem.ErrLeased) || errors.Is(err, filesystem.ErrNotExist) {
		return fmt.Errorf("%w %s: %w", ErrTakenOver, l.path, err)
	}
	if err != nil {
		return err
	}
	if err := l.Verify(ctx); err != nil {
		f.Close() //nolint:errcheck // nothing was written
		return err
	}
	l.file = f
	return nil
}

// Verify returns ErrTakenOver when the log and log.1 show that somebody else has taken
// the log over, another error when that could not be found out.
func (l *Log) Verify(ctx context.Context) error {
	info, err := l.stat(ctx, l.path)
	if err != nil {
		return err
	}
	old, err := l.stat(ctx, l.oldPath())
	if err != nil {
		return err
	}
	switch {
	case info.Path == "":
		return fmt.Errorf("%w %s: it is gone", ErrTakenOver, l.path)
	case info.Size < l.enc.pos-int64(l.pending) || info.Size > l.enc.pos:
		return fmt.Errorf("%w %s: it has %d bytes, we wrote %d", ErrTakenOver, l.path, info.Size, l.enc.pos)
	case (old.Path == "") != (l.old.Path == "") || old.Size != l.old.Size || !old.Modified.Equal(l.old.Modified):
		return fmt.Errorf("%w %s: it was rotated", ErrTakenOver, l.path)
	}
	return nil
}

// Commit appends one block. When it returns nil the block is durable and the lease ours
// again. After an error the log is of no more use, except for Verify and Close, and
// whether the block counts is found out by the next Take.
func (l *Log) Commit(ctx context.Context, entries []Entry) error {
	if l.file == nil {
		return fmt.Errorf("write-ahead log %s failed before", l.path)
	}
	if err := l.append(entries); err != nil {
		return l.explain(ctx, err)
	}
	l.open = true
	return l.hold(ctx)
}

// append writes a block and closes the log, which makes it durable.
func (l *Log) append(entries []Entry) error {
	l.buf = l.enc.block(l.buf[:0], true, entries)
	l.pending = len(l.buf)
	_, err := l.file.Write(l.buf)
	if closeErr := l.file.Close(); err == nil {
		err = closeErr
	}
	l.file = nil
	if err == nil {
		l.pending = 0
	}
	return err
}

// Settle closes the log with a note, an empty block, that the files of the last block
// were renamed: when they are missing later they were moved away, not lost.
func (l *Log) Settle() error {
	if l.file == nil || !l.open {
		return l.Close()
	}
	return l.append(nil)
}

// explain tells a lease that was taken from one that ended by itself, as HDFS does to a
// client that could not renew it for an hour.
func (l *Log) explain(ctx context.Context, err error) error {
	if errors.Is(err, filesystem.ErrFenced) || errors.Is(err, filesystem.ErrNotExist) {
		if taken := l.Verify(ctx); errors.Is(taken, ErrTakenOver) {
			return fmt.Errorf("%w (%w)", taken, err)
		}
	}
	return err
}

// Close gives the lease back. The log stays as it is.
func (l *Log) Close() error {
	if l.file == nil {
		return nil
	}
	f := l.file
	l.file = nil
	return f.Close()
}
