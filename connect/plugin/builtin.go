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
		set.Transformations = append(set.Transformations, Plugin[transform.Transformation]{c.Name, version, c.New})
	}
	for _, c := range transform.Predicates() {
		set.Predicates = append(set.Predicates, Plugin[transform.Predicate]{c.Name, version, c.New})
	}
	return set
}

func converters(version string) Set {
	var set Set
	add := func(class string, make func() both) {
		set.Converters = append(set.Converters, Plugin[convert.Converter]{class, version, func() convert.Converter { return make() }})
		set.HeaderConverters = append(set.HeaderConverters, Plugin[convert.HeaderConverter]{class, version, func() convert.HeaderConverter { return make() }})
	}
	add("org.apache.kafka.connect.json.JsonConverter", func() both { return json.New() })
	add("org.apache.kafka.connect.storage.StringConverter", func() both { return text.New() })
	add("org.apache.kafka.connect.converters.ByteArrayConverter", func() both { return bytes.New() })
	add("org.apache.kafka.connect.converters.BooleanConverter", func() both { return number.NewBoolean() })
	add("org.apache.kafka.connect.converters.DoubleConverter", func() both { return number.NewDouble() })
	add("org.apache.kafka.connect.converters.FloatConverter", func() both { return number.NewFloat() })
	add("org.apache.kafka.connect.converters.IntegerConverter", func() both { return number.NewInteger() })
	add("org.apache.kafka.connect.converters.LongConverter", func() both { return number.NewLong() })
	add("org.apache.kafka.connect.converters.ShortConverter", func() both { return number.NewShort() })
	set.HeaderConverters = append(set.HeaderConverters, Plugin[convert.HeaderConverter]{
		"org.apache.kafka.connect.storage.SimpleHeaderConverter", version,
		func() convert.HeaderConverter { return text.NewSimpleHeader() },
	})
	return set
}
