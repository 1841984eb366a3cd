package data

// Encoding tells how the raw bytes of a Datum are encoded.
type Encoding uint8

// The encodings a converter can leave a value in.
const (
	// Decoded: there are no raw bytes, Value is at hand.
	Decoded Encoding = iota
	// UTF8: the raw bytes are the text of an optional STRING.
	UTF8
	// RawBytes: the raw bytes are the value of an optional BYTES.
	RawBytes
	// JSON: the raw bytes are one well-formed, schemaless JSON value (RFC 8259,
	// already validated, no surrounding white space).
	JSON
	// AvroDatum: the raw bytes are one Avro datum, written with Writer, without
	// any registry header.
	AvroDatum
)

// Decoder turns the raw bytes of a Datum into a value. An implementation is
// owned by the converter that made the Datum and lives as long as its task.
type Decoder interface {
	// DecodeRaw decodes raw. The result must not alias raw.
	DecodeRaw(raw []byte) (any, error)
}

// Datum is a schema and a value that may still be encoded: whoever looks inside
// pays for decoding, once; nobody else does. A Datum belongs to the goroutine of
// its task. Raw bytes alias the fetched batch and are valid only until the Put
// they were handed to returns.
type Datum struct {
	schema  *Schema
	value   any
	raw     []byte
	enc     Encoding
	decoder Decoder
	// Writer is what the raw bytes were written with, for AvroDatum: an opaque
	// handle that is comparable (same handle = same writer schema).
	Writer any
}

// SetValue makes d the given schema and value, with nothing encoded.
func (d *Datum) SetValue(schema *Schema, value any) {
	*d = Datum{schema: schema, value: value}
}

// SetRaw makes d a value of schema that is still encoded. dec decodes it on
// first use. raw must not be nil: a null is SetValue(schema, nil).
func (d *Datum) SetRaw(schema *Schema, raw []byte, enc Encoding, dec Decoder, writer any) {
	*d = Datum{schema: schema, raw: raw, enc: enc, decoder: dec, Writer: writer}
}

// Schema returns the schema, nil when schemaless.
func (d *Datum) Schema() *Schema { return d.schema }

// Raw returns the encoded bytes while the value is still in the encoding enc,
// also after Value was called. Decoded is returned with nil.
func (d *Datum) Raw() (Encoding, []byte) { return d.enc, d.raw }

// Null reports whether the value is null, without decoding it.
func (d *Datum) Null() bool { return d.enc == Decoded && d.value == nil }

// Value decodes the value on first use and returns it.
func (d *Datum) Value() (any, error) {
	if d.decoder == nil {
		return d.value, nil
	}
	v, err := d.decoder.DecodeRaw(d.raw)
	if err != nil {
		return nil, err
	}
	d.value, d.decoder = v, nil
	return v, nil
}
