package data

// Schemas of the primitive types, required and optional, without other attributes.
var (
	Int8Schema    = &Schema{typ: Int8}
	Int16Schema   = &Schema{typ: Int16}
	Int32Schema   = &Schema{typ: Int32}
	Int64Schema   = &Schema{typ: Int64}
	Float32Schema = &Schema{typ: Float32}
	Float64Schema = &Schema{typ: Float64}
	BooleanSchema = &Schema{typ: Boolean}
	StringSchema  = &Schema{typ: String}
	BytesSchema   = &Schema{typ: Bytes}

	OptionalInt8    = &Schema{typ: Int8, optional: true}
	OptionalInt16   = &Schema{typ: Int16, optional: true}
	OptionalInt32   = &Schema{typ: Int32, optional: true}
	OptionalInt64   = &Schema{typ: Int64, optional: true}
	OptionalFloat32 = &Schema{typ: Float32, optional: true}
	OptionalFloat64 = &Schema{typ: Float64, optional: true}
	OptionalBoolean = &Schema{typ: Boolean, optional: true}
	OptionalString  = &Schema{typ: String, optional: true}
	OptionalBytes   = &Schema{typ: Bytes, optional: true}
)

// Schemas of the logical types, required, version 1. DecimalSchema makes the fourth.
var (
	DateSchema      = &Schema{typ: Int32, name: DateName, version: 1, hasVersion: true}
	TimeSchema      = &Schema{typ: Int32, name: TimeName, version: 1, hasVersion: true}
	TimestampSchema = &Schema{typ: Int64, name: TimestampName, version: 1, hasVersion: true}
)
