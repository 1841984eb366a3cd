// Package livefile reads a file again when it has changed, for lists of users and roles that
// must not need a restart.
package livefile

import (
	"os"
	"sync"

	"go.uber.org/zap"
)

// File is the content of a file. It is safe for concurrent use.
type File[T any] struct {
	path, what string
	read       func(path string) (T, error)
	log        *zap.Logger

	mu      sync.Mutex
	content T
	seen    os.FileInfo
}

// Open reads a file for the first time; what names it in the log, such as "The users file of the
// REST interface".
func Open[T any](path, what string, read func(path string) (T, error), log *zap.Logger) (*File[T], error) {
	f := &File[T]{path: path, what: what, read: read, log: log}
	var err error
	// The mark is taken before reading: what is written meanwhile counts as the next change.
	if f.seen, err = os.Stat(path); err != nil {
		return nil, err
	}
	if f.content, err = read(path); err != nil {
		return nil, err
	}
	return f, nil
}

// Content returns the content as it is now. When the file is not there or cannot be read, the
// last content remains, and the log tells why once per change.
func (f *File[T]) Content() T {
	f.mu.Lock()
	defer f.mu.Unlock()
	now, err := os.Stat(f.path)
	if err != nil {
		return f.content
	}
	if old := f.seen; now.ModTime().Equal(old.ModTime()) && now.Size() == old.Size() && os.SameFile(now, old) {
		return f.content
	}
	f.seen = now
	content, err := f.read(f.path)
	if err != nil {
		f.log.Error(f.what+" has changed and cannot be used; what was read before remains", zap.String("file", f.path), zap.Error(err))
		return f.content
	}
	f.log.Info(f.what+" has changed and was read again", zap.String("file", f.path))
	f.content = content
	return content
}
