//go:build unix

package localfs

import (
	iofs "io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"github.com/penstock-io/penstock/connectors/hdfssink/filesystem"
)

// file is a file open for writing.
type file struct {
	fs      *FS
	path    string
	f       *os.File
	created bool

	mu     sync.Mutex // one goroutine writes; FS.Close may come in between
	err    error      // first failure; the file is unusable
	closed bool
}

func (w *file) fail(op string, err error) error {
	if err != nil && w.err == nil {
		w.err = wrap(op, w.path, err)
	}
	return w.err
}

func (w *file) usable(op string) error {
	if w.closed {
		return wrap(op, w.path, iofs.ErrClosed)
	}
	return w.err
}

// Write implements io.Writer.
func (w *file) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.usable("write"); err != nil {
		return 0, err
	}
	n, err := w.f.Write(b)
	return n, w.fail("write", err)
}

// Sync implements filesystem.File.
func (w *file) Sync() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.usable("sync"); err != nil {
		return err
	}
	return w.fail("sync", w.f.Sync())
}

// Close implements filesystem.File: it syncs the file and the name of a new one.
func (w *file) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return wrap("close", w.path, iofs.ErrClosed)
	}
	w.fs.mu.Lock()
	delete(w.fs.files, w)
	w.fs.mu.Unlock()
	return w.shut()
}

// release is Close for FS.Close.
func (w *file) release() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return nil
	}
	return w.shut()
}

func (w *file) shut() error {
	w.closed = true
	if w.err == nil {
		_ = w.fail("close", w.settle()) // kept in w.err
	}
	_ = w.fail("close", w.f.Close()) // frees the lease
	return w.err
}

func (w *file) settle() error {
	if err := w.f.Sync(); err != nil {
		return err
	}
	info, err := w.f.Stat()
	if err != nil {
		return err
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok && st.Nlink == 0 {
		return filesystem.ErrNotExist // removed while we wrote
	}
	if w.created {
		return syncDir(filepath.Dir(w.fs.local(w.path)))
	}
	return nil
}
