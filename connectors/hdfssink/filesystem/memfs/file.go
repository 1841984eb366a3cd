package memfs

import (
	"context"
	iofs "io/fs"

	"github.com/penstock-io/penstock/connectors/hdfssink/filesystem"
)

// file is a file open for writing.
type file struct {
	fs     *FS
	path   string
	node   *node
	lease  *lease
	closed bool
}

// do runs a call under the store's lock while the file may be written.
func (f *file) do(op string, call func()) error {
	return f.fs.do(context.Background(), op, f.path, func(string) error {
		switch {
		case f.closed:
			return iofs.ErrClosed
		case f.lease.taken:
			return filesystem.ErrFenced
		case f.node.removed:
			return filesystem.ErrNotExist
		}
		call()
		return nil
	})
}

// Write implements io.Writer.
func (f *file) Write(b []byte) (int, error) {
	if err := f.do("write", func() { f.lease.buf = append(f.lease.buf, b...) }); err != nil {
		return 0, err
	}
	return len(b), nil
}

// Sync implements filesystem.File. It guarantees nothing, so that nobody relies on it.
func (f *file) Sync() error { return f.do("sync", func() {}) }

// Close implements filesystem.File.
func (f *file) Close() error {
	err := f.do("close", func() { f.node.close(len(f.lease.buf)) })
	f.closed = true
	return err
}
