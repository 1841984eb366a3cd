// Package format turns records into files. Formats lie below it: avro, json, text.
package format

import (
	"io"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/data"
)

// Format makes the files of one kind. It belongs to one task.
type Format interface {
	// Extension ends every file name, with its dot: .avro
	Extension() string
	// NewWriter starts a file whose first record has the given schema (nil: schemaless)
	// and writes its header, if any, to w. Nothing is written when it returns an error.
	NewWriter(w io.Writer, schema *data.Schema) (RecordWriter, error)
	// ReadSchema returns the schema that NewWriter got for an existing file, nil when
	// the format does not keep it.
	ReadSchema(r io.Reader) (*data.Schema, error)
}

// RecordWriter writes one file. An error of type *connect.DataError is the record's
// fault: nothing of it is in the file and the next one can be written. Any other
// error is w's: the file is lost.
type RecordWriter interface {
	Write(rec *connect.SinkRecord, value *data.Datum) error
	// Close writes what is buffered and the end of the file; it does not close w.
	Close() error
	// Buffered returns the bytes held in memory.
	Buffered() int
}
