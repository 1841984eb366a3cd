package avro

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"io"

	"github.com/penstock-io/penstock/connect"
	convavro "github.com/penstock-io/penstock/connect/convert/avro"
	"github.com/penstock-io/penstock/connect/data"
	"github.com/penstock-io/penstock/connectors/hdfssink/format/internal/chunk"
)

const (
	magic    = "Obj\x01"
	syncSize = 16
	// blockSize is the number of bytes, before compression, from which a block is written
	// (Java: DataFileConstants.DEFAULT_SYNC_INTERVAL).
	blockSize = 64000
	// headroom in front of a block takes its count and size, so that it is written in one
	// piece without being copied.
	headroom = 2 * binary.MaxVarintLen64

	schemaKey = "avro.schema"
	codecKey  = "avro.codec"
)

// writer writes one container file.
type writer struct {
	format  *Format
	w       io.Writer
	schema  *data.Schema
	encoder *convavro.Encoder
	sync    [syncSize]byte
	block   []byte // headroom, then the records
	count   int64  // of records in block
	err     error  // lost the file
}

// newWriter writes the header.
func newWriter(f *Format, w io.Writer, schema *data.Schema, e *convavro.Encoder) (*writer, error) {
	out := &writer{format: f, w: w, schema: schema, encoder: e}
	rand.Read(out.sync[:])             //nolint:errcheck // never fails
	header := append([]byte(magic), 4) // two entries
	header = appendString(header, schemaKey)
	header = appendString(header, e.Schema().String())
	header = appendString(header, codecKey)
	header = appendString(header, f.codec.name())
	header = append(header, 0)
	header = append(header, out.sync[:]...)
	if _, err := w.Write(header); err != nil {
		return nil, err
	}
	out.begin(f.pool.Get())
	return out, nil
}

func appendString(dst []byte, s string) []byte {
	return append(binary.AppendVarint(dst, int64(len(s))), s...)
}

// begin starts a block in a buffer.
func (w *writer) begin(buf []byte) {
	var room [headroom]byte
	w.block, w.count = append(buf[:0], room[:]...), 0
}

// Write implements format.RecordWriter.
func (w *writer) Write(_ *connect.SinkRecord, value *data.Datum) error {
	if w.err != nil {
		return w.err
	}
	if !w.copied(value) {
		v, err := value.Value()
		if err != nil {
			return chunk.RecordError(err)
		}
		block, err := w.encoder.Append(w.block, v)
		w.block = block
		if err != nil {
			return err
		}
	}
	w.count++
	if len(w.block)-headroom < blockSize {
		return nil
	}
	return w.flush()
}

// copied appends a datum that is encoded as the file's are.
func (w *writer) copied(value *data.Datum) bool {
	enc, raw := value.Raw()
	if enc != data.AvroDatum {
		return false
	}
	s, ok := value.Writer.(*convavro.Schema)
	if !ok || !value.Schema().Equal(w.schema) || !w.encoder.CanCopy(s) {
		return false
	}
	w.block = append(w.block, raw...)
	return true
}

// flush writes the block.
func (w *writer) flush() error {
	if w.count == 0 {
		return nil
	}
	block := w.block
	if w.format.codec.name() != codecNull {
		var room [headroom]byte
		var err error
		block, err = w.format.codec.append(append(w.format.packed[:0], room[:]...), w.block[headroom:])
		if err != nil {
			w.err = err
			return err
		}
		w.format.packed = block
	}
	var prefix [headroom]byte
	p := binary.AppendVarint(prefix[:0], w.count)
	p = binary.AppendVarint(p, int64(len(block)-headroom))
	from := headroom - len(p)
	copy(block[from:], p)
	block = append(block, w.sync[:]...)
	if _, w.err = w.w.Write(block[from:]); w.err != nil {
		return w.err
	}
	if cap(w.block) > maxBlock { // one big record does not stay
		w.block, w.format.packed = nil, nil
	}
	w.begin(w.block)
	return nil
}

// maxBlock bounds the capacity of a block that is kept.
const maxBlock = 1 << 20

// Close implements format.RecordWriter.
func (w *writer) Close() error {
	if errors.Is(w.err, chunk.ErrClosed) {
		return nil
	}
	if w.err != nil {
		return w.err
	}
	if err := w.flush(); err != nil {
		return err
	}
	w.format.pool.Put(w.block)
	w.block, w.err = nil, chunk.ErrClosed
	return nil
}

// Buffered implements format.RecordWriter.
func (w *writer) Buffered() int { return max(len(w.block)-headroom, 0) }
