package hdfsfs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/colinmarc/hdfs/v2"

	"github.com/penstock-io/penstock/connectors/hdfssink/filesystem/hdfsfs/namenode"
)

// Open implements filesystem.FS.
func (f *FS) Open(ctx context.Context, p string) (io.ReadCloser, error) {
	ctx, cancel := f.bound(ctx)
	defer cancel()
	p = Clean(p)
	st, err := f.stat(ctx, p)
	if err == nil && st.Dir {
		err = fmt.Errorf("is a directory")
	}
	if err == nil {
		err = checkStatus(st)
	}
	if err != nil {
		return nil, wrap("open", p, err)
	}
	for again := f.retries(ctx, "open", p); ; {
		s, err := f.acquire(ctx)
		if err == nil {
			s.share()
			var r *hdfs.FileReader
			r, err = await(ctx, f, func() (*hdfs.FileReader, error) {
				defer s.release()
				return s.client.Open(p)
			}, func(r *hdfs.FileReader) { _ = r.Close() })
			if err == nil {
				return &reader{fs: f, s: s, path: p, r: r}, nil
			}
			s.release()
		}
		if isRemote(err) && !namenode.IsTemporary(namenode.Exception(err)) {
			return nil, wrap("open", p, err)
		}
		if err := again(err); err != nil {
			return nil, wrap("open", p, err)
		}
	}
}

// reader reads a file of the length it had when it was opened.
type reader struct {
	fs     *FS
	s      *session
	path   string
	r      *hdfs.FileReader
	offset int64
	closed bool
}

// Read implements io.Reader. The client tries every DataNode of a block once; we let it
// try again until FileTimeout.
func (r *reader) Read(b []byte) (int, error) {
	n, err := r.r.Read(b)
	if err != nil && !errors.Is(err, io.EOF) && n == 0 && !r.closed {
		n, err = r.readAgain(b, err)
	}
	r.offset += int64(n)
	if errors.Is(err, io.EOF) && r.offset < r.r.Stat().Size() {
		err = fmt.Errorf("ended at byte %d of %d: %w", r.offset, r.r.Stat().Size(), io.ErrUnexpectedEOF)
	}
	if err == nil || errors.Is(err, io.EOF) {
		return n, err
	}
	return n, wrap("read", r.path, err)
}

func (r *reader) readAgain(b []byte, err error) (int, error) {
	ctx, cancel := context.WithTimeoutCause(context.Background(), r.fs.FileTimeout, errFileTimeout(r.fs.FileTimeout))
	defer cancel()
	for again := r.fs.retries(ctx, "read", r.path); ; {
		if isRemote(err) && !namenode.IsTemporary(namenode.Exception(err)) {
			return 0, err
		}
		if err := again(err); err != nil {
			return 0, err
		}
		var n int
		if n, err = r.r.Read(b); n > 0 || err == nil || errors.Is(err, io.EOF) {
			return n, err
		}
	}
}

// Close implements io.Closer.
func (r *reader) Close() error {
	if r.closed {
		return nil
	}
	r.closed = true
	r.r.SetDeadline(time.Unix(1, 0)) //nolint:errcheck // only to end it sooner
	r.r.Close()                      //nolint:errcheck // nothing was written
	r.s.release()
	return nil
}
