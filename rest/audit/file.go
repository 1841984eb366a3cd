package audit

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// file appends lines to a file and rotates it. Its owner calls one method at a time.
type file struct {
	path     string
	maxBytes int64
	maxFiles int

	f    *os.File // nil: not open
	info os.FileInfo
	size int64
	torn bool // the last line is not complete
}

// open opens the file if it is not open, or no longer the one at the path: somebody has renamed
// or removed it.
func (f *file) open() error {
	if f.f != nil {
		if now, err := os.Stat(f.path); err == nil && os.SameFile(now, f.info) {
			return nil
		}
		_ = f.close() // its lines are written
	}
	opened, err := os.OpenFile(f.path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	info, err := opened.Stat()
	if err != nil {
		return errors.Join(err, opened.Close())
	}
	f.f, f.info, f.size = opened, info, info.Size()
	return nil
}

// write appends a line; durable makes sure that it survives a crash of the machine.
func (f *file) write(line []byte, durable bool) error {
	if err := f.open(); err != nil {
		return err
	}
	if f.maxBytes > 0 && f.size > 0 && f.size+int64(len(line)) > f.maxBytes {
		if err := f.rotate(); err != nil {
			return fmt.Errorf("rotate it: %w", err)
		}
	}
	if f.torn {
		line = append([]byte{'\n'}, line...)
	}
	n, err := f.f.Write(line)
	f.size += int64(n)
	if err != nil {
		f.torn = f.torn || n > 0
		return err
	}
	f.torn = false
	if durable {
		return f.f.Sync()
	}
	return nil
}

// rotate renames the file to path.1, path.1 to path.2 and so on; the last one is removed.
func (f *file) rotate() error {
	name := func(i int) string { return fmt.Sprintf("%s.%d", f.path, i) }
	if err := os.Remove(name(f.maxFiles)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for i := f.maxFiles - 1; i >= 1; i-- {
		if err := os.Rename(name(i), name(i+1)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if err := os.Rename(f.path, name(1)); err != nil {
		return err
	}
	return f.open()
}

func (f *file) close() error {
	if f.f == nil {
		return nil
	}
	err := f.f.Close()
	f.f, f.torn = nil, false
	return err
}
