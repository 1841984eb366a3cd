package faultfs

import (
	"context"
	"io"

	"github.com/penstock-io/penstock/connectors/hdfssink/filesystem"
)

// file is a file open for writing. After an injected failure it is unusable, as with
// a real store, and its Close releases the file below but reports the failure.
type file struct {
	fs    *FS
	under filesystem.File
	path  string
	err   error
}

func (w *file) run(op Op, call func() error, half func()) error {
	err := w.fs.run(context.Background(), Call{Op: op, Path: w.path}, call, half)
	if err != nil && w.err == nil {
		w.err = err
	}
	return err
}

// Write implements io.Writer.
func (w *file) Write(b []byte) (n int, err error) {
	if w.err != nil {
		return 0, w.err
	}
	err = w.run(Write, func() error {
		n, err = w.under.Write(b)
		return err
	}, func() {
		n, _ = w.under.Write(b[:len(b)/2]) //nolint:errcheck // fails either way
	})
	return n, err
}

// Sync implements filesystem.File.
func (w *file) Sync() error {
	if w.err != nil {
		return w.err
	}
	return w.run(Sync, w.under.Sync, nil)
}

// Close implements filesystem.File. One that failed before it was done leaves the file
// open below: its lease is lost until it is recovered.
func (w *file) Close() error {
	if w.err == nil {
		return w.run(Close, w.under.Close, nil)
	}
	if !w.fs.Crashed() {
		w.under.Close() //nolint:errcheck // the file has failed already
	}
	return w.err
}

// reader is a file open for reading.
type reader struct {
	io.ReadCloser
	fs   *FS
	path string
}

// Read implements io.Reader.
func (r *reader) Read(b []byte) (n int, err error) {
	err = r.fs.run(context.Background(), Call{Op: Read, Path: r.path}, func() error {
		n, err = r.ReadCloser.Read(b)
		return err
	}, nil)
	return n, err
}
