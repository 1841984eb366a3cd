package plugin

import (
	"github.com/penstock-io/penstock/connect/convert"
	"github.com/penstock-io/penstock/connect/convert/bytes"
	"github.com/penstock-io/penstock/connect/convert/json"
	"github.com/penstock-io/penstock/connect/convert/number"
	"github.com/penstock-io/penstock/connect/convert/text"
	"github.com/penstock-io/penstock/connect/transform"
)

// both is a converter of records and of headers.
type both interface {
	convert.Converter
	convert.HeaderConverter
}

// Builtin returns Kafka's own converters, transformations and predicates under their Java
// names; version is the version of Kafka that is imitated.
func Builtin(version string) Set {
	set := converters(version)
	for _, c := range transform.Transformations() {
		set.Transformations = append(set.Transformations, Plugin[transform.Transformation]{Class: c.Name, Version: version, New: c.New, Overview: c.Overview})
	}
	for _, c := range transform.Predicates() {
		set.Predicates = append(set.Predicates, Plugin[transform.Predicate]{Class: c.Name, Version: version, New: c.New, Overview: c.Overview})
	}
	return set
}

func converters(version string) Set {
	var set Set
	add := func(class string, make func() both, overview string) {
		set.Converters = append(set.Converters, Plugin[convert.Converter]{
			Class: class, Version: version, New: func() convert.Converter { return make() }, Overview: overview,
		})
		set.HeaderConverters = append(set.HeaderConverters, Plugin[convert.HeaderConverter]{
			Class: class, Version: version, New: func() convert.HeaderConverter { return make() }, Overview: overview,
		})
	}
	add("org.apache.kafka.connect.json.JsonConverter", func() both { return json.New() },
		"JSON text, with a schema around each value (schemas.enable=true), a schema in the configuration (schema.content), or none.")
	add("org.apache.kafka.connect.storage.StringConverter", func() both { return text.New() },
		"Text. Any value is written as Java prints it; what is read is an optional string.")
	add("org.apache.kafka.connect.converters.ByteArrayConverter", func() both { return bytes.New() },
		"Bytes as they are; nothing else can be written.")
	ofNumber := func(name string, make func() both, what string) {
		add("org.apache.kafka.connect.converters."+name+"Converter", make, what+" Other types and lengths are refused.")
	}
	ofNumber("Boolean", func() both { return number.NewBoolean() }, "A boolean as one byte, 1 or 0.")
	ofNumber("Double", func() both { return number.NewDouble() }, "A 64-bit floating-point number as 8 bytes, big-endian.")
	ofNumber("Float", func() both { return number.NewFloat() }, "A 32-bit floating-point number as 4 bytes, big-endian.")
	ofNumber("Integer", func() both { return number.NewInteger() }, "A 32-bit integer as 4 bytes, big-endian.")
	ofNumber("Long", func() both { return number.NewLong() }, "A 64-bit integer as 8 bytes, big-endian.")
	ofNumber("Short", func() both { return number.NewShort() }, "A 16-bit integer as 2 bytes, big-endian.")
	set.HeaderConverters = append(set.HeaderConverters, Plugin[convert.HeaderConverter]{
		Class: "org.apache.kafka.connect.storage.SimpleHeaderConverter", Version: version,
		New:      func() convert.HeaderConverter { return text.NewSimpleHeader() },
		Overview: "Header values as text; what is read gets the type that its text looks like: boolean, number, date, list, map or string.",
	})
	return set
}
