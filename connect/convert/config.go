package convert

import (
	"maps"

	"github.com/penstock-io/penstock/connect/config"
)

// NewDef returns the definition of a converter: TypeKey and the given keys.
func NewDef(keys ...config.Key) *config.Def {
	return config.NewDef(config.Key{
		Name: TypeKey, Type: config.TypeString, Default: config.NoDefault, Importance: config.Low, Order: -1,
		Validator: config.OneOf(KeyType, ValueType, HeaderType),
		Doc:       "What the converter is used for: key, value or header. Set by the worker.",
	}).Add(keys...)
}

// WithType returns a copy of props that has the use of a record converter as TypeKey.
func WithType(props map[string]string, isKey bool) map[string]string {
	out := withProps(props)
	out[TypeKey] = ValueType
	if isKey {
		out[TypeKey] = KeyType
	}
	return out
}

// WithHeaderType returns a copy of props that has HeaderType as TypeKey, unless it says
// otherwise.
func WithHeaderType(props map[string]string) map[string]string {
	out := withProps(props)
	if out[TypeKey] == "" {
		out[TypeKey] = HeaderType
	}
	return out
}

func withProps(props map[string]string) map[string]string {
	out := make(map[string]string, len(props)+1)
	maps.Copy(out, props)
	return out
}
