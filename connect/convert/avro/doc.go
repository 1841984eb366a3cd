// Package avro maps Connect schemas and values to Avro as the JVM's AvroData does
// (io.confluent.connect.avro.AvroData 7.7.2), without a schema registry.
//
// FromConnect makes an Avro schema of a Connect schema, with the very text of the JVM:
// names, defaults, documentation and the connect.* properties that let ToConnect get the
// Connect schema back. An Encoder is the compiled form of one Connect schema; it appends
// values in Avro's binary form without allocating.
//
// Data without a schema is written as the recursive record
// io.confluent.connect.avro.Anything.
package avro

// Options are those of AvroData that the users of this package configure.
type Options struct {
	// EnhancedSchema keeps enums as enums and full names in unions
	// (enhanced.avro.schema.support).
	EnhancedSchema bool
	// ConnectMetaData writes and reads the connect.* properties (connect.meta.data).
	ConnectMetaData bool
	// AllowOptionalMapKeys writes maps with optional string keys as Avro maps
	// (allow.optional.map.keys). A null key is an error then.
	AllowOptionalMapKeys bool
}

// Names of parameters, properties and records, which files and other readers know.
const (
	namespace      = "io.confluent.connect.avro"
	defaultName    = "ConnectDefault"
	mapEntryName   = "MapEntry"
	mapEntryKey    = "key"
	mapEntryValue  = "value"
	unionName      = namespace + ".Union"
	enumParam      = namespace + ".Enum"
	recordDocParam = namespace + ".record.doc"
	fieldDocParam  = namespace + ".field.doc."
	enumDocParam   = namespace + ".enum.doc."
	enumDefParam   = namespace + ".enum.default."
	fieldDefParam  = namespace + ".field.default"
	// generalizedUnion marks unions that converters with generalized.sum.type.support deliver.
	generalizedUnion = "org.apache.kafka.connect.data.Union"

	fixedSizeParam = "connect.fixed.size"
	precisionParam = "connect.decimal.precision"
	avroPrefix     = "avro" // of parameters and properties that are handed on

	propName         = "connect.name"
	propDoc          = "connect.doc"
	propVersion      = "connect.version"
	propParameters   = "connect.parameters"
	propDefault      = "connect.default"
	propType         = "connect.type"
	propInternalType = "connect.internal.type"
	propLogicalType  = "logicalType"
	propScale        = "scale"
	propPrecision    = "precision"
)

// defaultPrecision is what a Decimal without a precision gets.
const defaultPrecision = 64
