package filesystem

import (
	"context"
	"errors"
	"io"
	"time"
)

// Errors that callers branch on; backends wrap them with what was attempted.
var (
	ErrNotExist = errors.New("no such file or directory")
	ErrExist    = errors.New("file already exists")
	// ErrLeased: somebody else has the file open for writing.
	ErrLeased = errors.New("file is open for writing elsewhere")
	// ErrFenced: this writer lost the file to somebody who recovered its lease.
	ErrFenced = errors.New("the lease of this file was taken over")
)

// Info describes a file or directory.
type Info struct {
	Path     string // absolute
	Size     int64
	Dir      bool
	Modified time.Time
}

// File is a file open for writing. Data is guaranteed only after Close returned nil:
// it is then complete and survives a crash of any process. After an error the file
// is unusable; Close still releases it. One goroutine uses a File.
type File interface {
	io.Writer
	// Sync makes what was written visible to readers after a crash, as far as the
	// backend can; only Close is certain.
	Sync() error
	Close() error
}

// FS stores files. Paths are absolute, slash-separated and without scheme or
// authority; backends clean double slashes. Every call is bounded by its context
// and by the backend's own deadlines. An FS is safe for concurrent use; two FS
// values on the same store are two clients, whose leases exclude each other.
type FS interface {
	// Create makes a new file and its parent directories. ErrExist when there is one.
	// The creator holds the file's lease until Close.
	Create(ctx context.Context, path string) (File, error)
	// Append opens an existing file at its end and takes its lease: ErrLeased while
	// another client has it, ErrNotExist when there is none.
	Append(ctx context.Context, path string) (File, error)
	// Open reads a closed file from the start.
	Open(ctx context.Context, path string) (io.ReadCloser, error)
	// Rename moves a file and never overwrites: ErrExist when the target exists,
	// ErrNotExist when the source is missing or the target's directory is. When the
	// answer of the store is lost it finds out what happened.
	Rename(ctx context.Context, from, to string) error
	// Remove deletes a file, or a directory with all below it; missing is success.
	Remove(ctx context.Context, path string) error
	// MkdirAll makes a directory and its parents.
	MkdirAll(ctx context.Context, path string) error
	// Stat returns ErrNotExist when there is nothing. The size of a file that is open
	// for writing may be too small.
	Stat(ctx context.Context, path string) (Info, error)
	// List returns the entries of a directory in name order, ErrNotExist when there is none.
	List(ctx context.Context, dir string) ([]Info, error)
	// RecoverLease takes the file away from whoever writes it and returns when it is
	// closed, with its length final. A file that is closed already is success; the
	// former writer gets ErrFenced. It blocks until ctx ends at most.
	RecoverLease(ctx context.Context, path string) error
	// Close releases the client and all leases it holds.
	Close() error
}
