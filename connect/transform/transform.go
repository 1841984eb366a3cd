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
	// New makes an instance that is not configured, from any goroutine.
	New func() T
}

const javaPackage = "org.apache.kafka.connect.transforms."

// Transformations returns the built-in transforms, sorted by name.
func Transformations() []Class[Transformation] {
	var all []Class[Transformation]
	one := func(name string, make func() Transformation) {
		all = append(all, Class[Transformation]{javaPackage + name, make})
	}
	both := func(name string, make func(side) Transformation) {
		one(name+"$Key", func() Transformation { return make(keySide) })
		one(name+"$Value", func() Transformation { return make(valueSide) })
	}
	both("Cast", func(s side) Transformation { return &cast{side: s} })
	one("DropHeaders", func() Transformation { return &dropHeaders{} })
	both("ExtractField", func(s side) Transformation { return &extractField{side: s} })
	one("Filter", func() Transformation { return &filter{} })
	both("Flatten", func(s side) Transformation { return &flatten{side: s} })
	both("HeaderFrom", func(s side) Transformation { return &headerFrom{side: s} })
	both("HoistField", func(s side) Transformation { return &hoistField{side: s} })
	both("InsertField", func(s side) Transformation { return &insertField{side: s} })
	one("InsertHeader", func() Transformation { return &insertHeader{} })
	both("MaskField", func(s side) Transformation { return &maskField{side: s} })
	one("RegexRouter", func() Transformation { return &regexRouter{} })
	both("ReplaceField", func(s side) Transformation { return &replaceField{side: s} })
	both("SetSchemaMetadata", func(s side) Transformation { return &setSchemaMetadata{side: s} })
	both("TimestampConverter", func(s side) Transformation { return &timestampConverter{side: s} })
	one("TimestampRouter", func() Transformation { return &timestampRouter{} })
	one("ValueToKey", func() Transformation { return &valueToKey{} })
	return all
}

// Predicates returns the built-in predicates, sorted by name.
func Predicates() []Class[Predicate] {
	const p = javaPackage + "predicates."
	return []Class[Predicate]{
		{p + "HasHeaderKey", func() Predicate { return &hasHeaderKey{} }},
		{p + "RecordIsTombstone", func() Predicate { return &recordIsTombstone{} }},
		{p + "TopicNameMatches", func() Predicate { return &topicNameMatches{} }},
	}
}
