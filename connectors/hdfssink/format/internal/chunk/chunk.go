// Package chunk collects the records of a file and writes them in big pieces. The buffers
// of closed files are used again by the next ones of the same task.
package chunk

import (
	"errors"
	"io"

	"github.com/penstock-io/penstock/connect"
)

const (
	// Size is the number of bytes from which a Writer writes.
	Size = 64 << 10
	// maxKept bounds the capacity of a buffer that is kept, and maxSpare their number.
	maxKept  = 4 * Size
	maxSpare = 16
)

// ErrClosed is the error of a write behind Close.
var ErrClosed = errors.New("the file was closed before")

// RecordError returns err as a *connect.DataError: the record is to blame, not the file.
func RecordError(err error) error {
	var e *connect.DataError
	if errors.As(err, &e) {
		return err
	}
	return &connect.DataError{Msg: err.Error(), Err: err}
}

// Pool keeps buffers that are not in use. The zero value is ready; it is not safe for
// concurrent use.
type Pool struct{ spare [][]byte }

// Get returns an empty buffer, nil when there is none to use again: it grows with what a
// file really has, since many files may be open.
func (p *Pool) Get() []byte {
	if len(p.spare) == 0 {
		return nil
	}
	b := p.spare[len(p.spare)-1]
	p.spare = p.spare[:len(p.spare)-1]
	return b[:0]
}

// Put takes a buffer back.
func (p *Pool) Put(b []byte) {
	if b != nil && cap(b) <= maxKept && len(p.spare) < maxSpare {
		p.spare = append(p.spare, b)
	}
}

// Writer writes the records of one file. It is not safe for concurrent use.
type Writer struct {
	w    io.Writer
	pool *Pool
	// Buf holds what is not written yet. Its user appends a whole record, or none of it.
	Buf []byte
	err error
}

// NewWriter returns a Writer to w that takes its buffer from pool.
func NewWriter(w io.Writer, pool *Pool) *Writer {
	return &Writer{w: w, pool: pool, Buf: pool.Get()}
}

// Err returns the error that lost the file, or ErrClosed.
func (w *Writer) Err() error { return w.err }

// Recorded writes when enough has come together; it is called after each record.
func (w *Writer) Recorded() error {
	if len(w.Buf) < Size {
		return nil
	}
	return w.flush()
}

func (w *Writer) flush() error {
	if len(w.Buf) > 0 {
		_, w.err = w.w.Write(w.Buf)
		if cap(w.Buf) > maxKept {
			w.Buf = nil
		}
		w.Buf = w.Buf[:0]
	}
	return w.err
}

// Close writes what is left and gives the buffer back. A second call does nothing.
func (w *Writer) Close() error {
	if w.err != nil {
		if errors.Is(w.err, ErrClosed) {
			return nil
		}
		return w.err
	}
	if err := w.flush(); err != nil {
		return err
	}
	w.pool.Put(w.Buf)
	w.Buf, w.err = nil, ErrClosed
	return nil
}
