package text

import (
	"bytes"
	"errors"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/config"
	"github.com/penstock-io/penstock/connect/convert"
	"github.com/penstock-io/penstock/connect/data"
)

// SimpleHeaderConverter writes header values as text and finds out from the text what
// they are: 5 becomes an INT8, [1,2] an ARRAY (Java:
// o.a.k.connect.storage.SimpleHeaderConverter). It has no state and no options.
type SimpleHeaderConverter struct{}

var _ convert.HeaderConverter = (*SimpleHeaderConverter)(nil)

// NewSimpleHeader returns a converter, which need not be configured.
func NewSimpleHeader() *SimpleHeaderConverter { return &SimpleHeaderConverter{} }

// ConfigDef defines no options.
func (*SimpleHeaderConverter) ConfigDef() *config.Def { return config.NewDef() }

// ConfigureHeader takes nothing from props.
func (*SimpleHeaderConverter) ConfigureHeader(map[string]string) error { return nil }

// Close releases nothing.
func (*SimpleHeaderConverter) Close() error { return nil }

// ToConnectHeader returns the value that the text means, see data.ParseString. Text on
// which the parser gives up is handed on as BYTES.
func (*SimpleHeaderConverter) ToConnectHeader(_, _ string, raw []byte) (*data.Schema, any, error) {
	if raw == nil {
		return nil, nil, nil
	}
	v, err := data.ParseString(decodeUTF8(raw))
	if err != nil {
		return data.BytesSchema, bytes.Clone(raw), nil //nolint:nilerr // Java parity: it logs and takes the bytes
	}
	return v.Schema, v.Value, nil
}

// FromConnectHeader returns the text of a value, nil for null.
func (*SimpleHeaderConverter) FromConnectHeader(_, _ string, _ *data.Schema, value any) ([]byte, error) {
	if value == nil {
		return nil, nil
	}
	text, err := data.ConvertToString(value)
	if err != nil {
		return nil, asDataError(err)
	}
	return encodeUTF8([]byte{}, text), nil
}

// asDataError gives an error of package data the type that the runtime knows.
func asDataError(err error) error {
	var e *data.Error
	if errors.As(err, &e) {
		return &connect.DataError{Msg: e.Msg, Err: e.Err}
	}
	return err
}
