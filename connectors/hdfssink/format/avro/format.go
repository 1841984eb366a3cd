// Package avro is the format of the JVM sink's AvroFormat: Avro object container files,
// with the schema that AvroData makes of the first record's.
//
// The files are those that Java's DataFileWriter writes: the same header, blocks of 64000
// bytes before compression. A value that is an Avro datum already, written with the very
// schema of the file, is copied.
package avro

import (
	"fmt"
	"io"

	"github.com/penstock-io/penstock/connect"
	convavro "github.com/penstock-io/penstock/connect/convert/avro"
	"github.com/penstock-io/penstock/connect/data"
	"github.com/penstock-io/penstock/connectors/hdfssink/format"
	"github.com/penstock-io/penstock/connectors/hdfssink/format/internal/chunk"
)

// Options are the connector's keys for the format.
type Options struct {
	// Codec is avro.codec: null, which is also what "" means, deflate, snappy, bzip2 or
	// zstandard.
	Codec string
	// EnhancedSchema is enhanced.avro.schema.support.
	EnhancedSchema bool
	// ConnectMetaData is connect.meta.data.
	ConnectMetaData bool
	// AllowOptionalMapKeys is allow.optional.map.keys.
	AllowOptionalMapKeys bool
	// SchemaCacheSize is schemas.cache.config: how many compiled schemas are kept. It is
	// 1000 when it is not positive.
	SchemaCacheSize int
}

// Format makes .avro files. It belongs to one task.
type Format struct {
	options convavro.Options
	codec   codec
	limit   int
	// encoders by schema; when it is full, it starts anew.
	encoders map[*data.Schema]*convavro.Encoder

	pool   chunk.Pool
	packed []byte // a compressed block
}

var _ format.Format = (*Format)(nil)

// New returns the format. It fails when the codec is not known.
func New(o Options) (*Format, error) {
	c, err := newCodec(o.Codec)
	if err != nil {
		return nil, err
	}
	f := &Format{codec: c, limit: o.SchemaCacheSize, encoders: make(map[*data.Schema]*convavro.Encoder)}
	if f.limit <= 0 {
		f.limit = 1000
	}
	f.options = convavro.Options{
		EnhancedSchema:       o.EnhancedSchema,
		ConnectMetaData:      o.ConnectMetaData,
		AllowOptionalMapKeys: o.AllowOptionalMapKeys,
	}
	return f, nil
}

// Extension implements format.Format.
func (f *Format) Extension() string { return ".avro" }

// NewWriter implements format.Format. A schema that has no form in Avro is a
// *connect.DataError, and so is none: the JVM begins a file with a schema of its own for a
// first value without one, and fails at the second.
func (f *Format) NewWriter(w io.Writer, schema *data.Schema) (format.RecordWriter, error) {
	if schema == nil {
		return nil, &connect.DataError{Msg: "Avro needs a schema, and the value has none: it is null (a tombstone) or of a converter without schemas. " +
			"Set value.converter to one that gives schemas, such as JsonConverter with value.converter.schemas.enable=true, " +
			"or set format.class to io.confluent.connect.hdfs.json.JsonFormat"}
	}
	e, err := f.encoder(schema)
	if err != nil {
		return nil, err
	}
	out, err := newWriter(f, w, schema, e)
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (f *Format) encoder(schema *data.Schema) (*convavro.Encoder, error) {
	if e := f.encoders[schema]; e != nil {
		return e, nil
	}
	e, err := convavro.NewEncoder(schema, f.options)
	if err != nil {
		return nil, err
	}
	if len(f.encoders) >= f.limit {
		clear(f.encoders)
	}
	f.encoders[schema] = e
	return e, nil
}

// ReadSchema implements format.Format. It reads the header only; the version of the schema
// is its property connect.version.
func (f *Format) ReadSchema(r io.Reader) (*data.Schema, error) {
	text, err := readSchema(r)
	if err != nil {
		return nil, fmt.Errorf("read the header of an Avro file: %w", err)
	}
	s, err := convavro.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("read the schema of an Avro file: %w", err)
	}
	return convavro.ToConnect(s, convavro.NoVersion, f.options)
}
