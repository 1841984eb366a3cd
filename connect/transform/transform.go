package transform

import (
	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/config"
)

// Transformation changes records on their way to the task (Java:
// o.a.k.connect.transforms.Transformation).
type Transformation interface {
	// Configure takes the transform's own keys, without prefix. It is called once, first;
	// an error is about the configuration.
	Configure(props map[string]string) error
	// Apply changes rec in place. With keep false the record is dropped. After an error
	// rec may be changed in part and must not be used.
	Apply(rec *connect.Record) (keep bool, err error)
	// ConfigDef defines the own keys. It may be called before Configure.
	ConfigDef() *config.Def
	// Close frees what Configure took; it is called once, last.
	Close() error
}

// Predicate decides whether a transform is applied (Java:
// o.a.k.connect.transforms.predicates.Predicate). It is called as a Transformation is.
type Predicate interface {
	Configure(props map[string]string) error
	// Test reports whether rec meets the predicate; it does not change rec.
	Test(rec *connect.Record) bool
	ConfigDef() *config.Def
	Close() error
}

// Class is a built-in transform or predicate.
type Class[T any] struct {
	// Name is the Java class name.
	Name string
	// Overview says in a sentence or two what the class does, for the reference.
	Overview string
	// New makes an instance that is not configured, from any goroutine.
	New func() T
}

const javaPackage = "org.apache.kafka.connect.transforms."

// Transformations returns the built-in transforms, sorted by name.
func Transformations() []Class[Transformation] {
	var all []Class[Transformation]
	one := func(name, overview string, make func() Transformation) {
		all = append(all, Class[Transformation]{javaPackage + name, overview, make})
	}
	both := func(name, overview string, make func(side) Transformation) {
		one(name+"$Key", overview, func() Transformation { return make(keySide) })
		one(name+"$Value", overview, func() Transformation { return make(valueSide) })
	}
	both("Cast", "Turns fields, or the whole key or value, into another type.",
		func(s side) Transformation { return &cast{side: s} })
	one("DropHeaders", "Removes headers by name.",
		func() Transformation { return &dropHeaders{} })
	both("ExtractField", "Replaces the key or value by one of its fields.",
		func(s side) Transformation { return &extractField{side: s} })
	one("Filter", "Drops every record: use it with a predicate that chooses the records to be dropped.",
		func() Transformation { return &filter{} })
	both("Flatten", "Makes the fields of nested structs and maps fields of the outer one, with joined names. Arrays stay as they are.",
		func(s side) Transformation { return &flatten{side: s} })
	both("HeaderFrom", "Moves or copies fields into headers.",
		func(s side) Transformation { return &headerFrom{side: s} })
	both("HoistField", "Wraps the key or value into a struct or map with one field.",
		func(s side) Transformation { return &hoistField{side: s} })
	both("InsertField", "Adds fields with the topic, partition, offset or timestamp of the record, or with a fixed text.",
		func(s side) Transformation { return &insertField{side: s} })
	one("InsertHeader", "Adds a header with a fixed value.",
		func() Transformation { return &insertHeader{} })
	both("MaskField", "Replaces the values of fields by a null value of their type (0, empty, false) or by a replacement.",
		func(s side) Transformation { return &maskField{side: s} })
	one("RegexRouter", "Gives records another topic: a regular expression that matches the whole name, and a replacement.",
		func() Transformation { return &regexRouter{} })
	both("ReplaceField", "Leaves out, picks or renames fields.",
		func(s side) Transformation { return &replaceField{side: s} })
	both("SetSchemaMetadata", "Sets name and version of the schema of the key or value.",
		func(s side) Transformation { return &setSchemaMetadata{side: s} })
	both("TimestampConverter", "Turns timestamps from one form into another: text, Unix time, Date, Time or Timestamp. All times are in UTC.",
		func(s side) Transformation { return &timestampConverter{side: s} })
	one("TimestampRouter", "Gives records a topic whose name is made of the topic and the time of the record.",
		func() Transformation { return &timestampRouter{} })
	one("ValueToKey", "Makes the key of fields of the value.",
		func() Transformation { return &valueToKey{} })
	return all
}

// Predicates returns the built-in predicates, sorted by name.
func Predicates() []Class[Predicate] {
	const p = javaPackage + "predicates."
	return []Class[Predicate]{
		{p + "HasHeaderKey", "True for records that have a header of the name.", func() Predicate { return &hasHeaderKey{} }},
		{p + "RecordIsTombstone", "True for records without a value.", func() Predicate { return &recordIsTombstone{} }},
		{p + "TopicNameMatches", "True for records whose topic matches a regular expression in full.", func() Predicate { return &topicNameMatches{} }},
	}
}
