package convert

import (
	"github.com/penstock-io/penstock/connect/config"
	"github.com/penstock-io/penstock/connect/data"
)

// TypeKey is the configuration key that tells a converter what it is used for. The
// runtime sets it to KeyType, ValueType or HeaderType.
const (
	TypeKey    = "converter.type"
	KeyType    = "key"
	ValueType  = "value"
	HeaderType = "header"
)

// A Converter makes Connect data of the bytes of a record key or value and the
// reverse (Java: o.a.k.connect.storage.Converter). One instance belongs to the
// goroutine of one task. A malformed value or a value that does not fit is a
// *connect.DataError, worded as in the JVM.
type Converter interface {
	// Configure is called once, before anything else. props are the converter's own
	// properties, without the prefix (key.converter.); unknown ones are ignored.
	Configure(props map[string]string, isKey bool) error
	// ToConnect sets out to the data in raw; nil is a null. The result may still be
	// encoded and alias raw, see data.Datum; whatever may be wrong with raw has been
	// found out when ToConnect returns. When it fails, out is undefined.
	ToConnect(topic string, raw []byte, out *data.Datum) error
	// FromConnect returns the bytes of a value; nil is a null. The caller owns them.
	FromConnect(topic string, schema *data.Schema, value any) ([]byte, error)
	// ConfigDef defines the options. The caller must not change it.
	ConfigDef() *config.Def
	// Close is called once when the task ends.
	Close() error
}

// An Appender is a Converter that can write into a buffer of the caller.
type Appender interface {
	// AppendFromConnect is Converter.FromConnect onto the end of dst. isNull reports
	// that the result is a null, for which nothing is appended.
	AppendFromConnect(dst []byte, topic string, schema *data.Schema, value any) (out []byte, isNull bool, err error)
}

// A HeaderConverter is a Converter of record headers (Java:
// o.a.k.connect.storage.HeaderConverter).
type HeaderConverter interface {
	// ConfigureHeader is called once, before anything else.
	ConfigureHeader(props map[string]string) error
	// ToConnectHeader returns the data in raw, which it does not keep.
	ToConnectHeader(topic, name string, raw []byte) (*data.Schema, any, error)
	// FromConnectHeader returns the bytes of a header value; nil is a null.
	FromConnectHeader(topic, name string, schema *data.Schema, value any) ([]byte, error)
	ConfigDef() *config.Def
	Close() error
}
