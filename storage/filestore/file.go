//go:build unix

package filestore

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// maxFile bounds the file and with it the memory for reading it: millions of offsets.
const maxFile = 256 << 20

// offsetFile is a locked file that is replaced as a whole.
type offsetFile struct {
	path string // links resolved: a link stays what it is, its target is replaced
	max  int
	lock *os.File
}

// openFile locks the file. It is the lock of another file, because the one with the
// offsets is a new one after every write; it ends with the process, whatever kills it.
func openFile(path string, limit int) (*offsetFile, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("offset file (%s): %w", Property, err)
	}
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("offset file (%s): %w", Property, err)
	}
	lock, err := os.OpenFile(path+".lock", os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, fmt.Errorf("lock offset file %s (%s): %w. Its directory must exist, and this worker may have to write there", path, Property, err)
	}
	if err := flock(lock); err != nil {
		lock.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("offset file %s is used by another worker, which holds %s. "+
				"Stop that worker, or give this one a file of its own (%s)", path, lock.Name(), Property)
		}
		return nil, fmt.Errorf("lock offset file %s (%s): %w", path, Property, err)
	}
	return &offsetFile{path: path, max: limit, lock: lock}, nil
}

func flock(f *os.File) error {
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

func (f *offsetFile) close() error { return f.lock.Close() }

// read returns nothing for a file that does not exist.
func (f *offsetFile) read() ([]byte, error) {
	r, err := os.Open(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("open offset file (%s): %w", Property, err)
	}
	defer r.Close()
	if info, err := r.Stat(); err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("offset file %s (%s) is not a regular file", f.path, Property)
	}
	content, err := io.ReadAll(io.LimitReader(r, int64(f.max)+1))
	if err != nil {
		return nil, fmt.Errorf("read offset file (%s): %w", Property, err)
	}
	if len(content) > f.max {
		return nil, fmt.Errorf("offset file %s (%s) has more than %d bytes: no worker writes such a file. Check what it is", f.path, Property, f.max)
	}
	return content, nil
}

// replace puts content in the place of the file. Until the rename the old file stands; a
// left-over <file>.tmp of a crash is overwritten by the next write.
func (f *offsetFile) replace(content []byte) error {
	mode := fs.FileMode(0o644)
	if info, err := os.Stat(f.path); err == nil {
		mode = info.Mode().Perm()
	}
	return writeDurably(f.path, content, mode)
}

// keepCopy saves the file as <file>.jvm. It may run again after a crash.
func (f *offsetFile) keepCopy() error {
	info, err := os.Stat(f.path)
	if err != nil {
		return fmt.Errorf("keep a copy of the JVM worker's file: %w", err)
	}
	content, err := f.read()
	if err == nil {
		err = writeDurably(f.path+".jvm", content, info.Mode().Perm())
	}
	if err != nil {
		return fmt.Errorf("keep a copy of the JVM worker's file: %w", err)
	}
	return nil
}

func writeDurably(path string, content []byte, mode fs.FileMode) error {
	tmp := path + ".tmp"
	w, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, mode)
	if err != nil {
		return err
	}
	_, err = w.Write(content)
	if err == nil {
		err = w.Sync()
	}
	if err = errors.Join(err, w.Close()); err != nil {
		return errors.Join(err, os.Remove(tmp))
	}
	if err := os.Rename(tmp, path); err != nil {
		return errors.Join(err, os.Remove(tmp))
	}
	return syncDir(filepath.Dir(path))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
