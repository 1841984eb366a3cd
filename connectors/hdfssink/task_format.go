package hdfssink

import (
	"fmt"

	"github.com/penstock-io/penstock/connectors/hdfssink/format"
	"github.com/penstock-io/penstock/connectors/hdfssink/format/avro"
	"github.com/penstock-io/penstock/connectors/hdfssink/format/json"
	"github.com/penstock-io/penstock/connectors/hdfssink/format/text"
)

// newFormat returns the format of format.class; each task has its own.
func newFormat(c *Config) (format.Format, error) {
	switch c.Format {
	case Avro:
		return avro.New(avro.Options{
			Codec: c.AvroCodec, EnhancedSchema: c.EnhancedAvro, ConnectMetaData: c.ConnectMetaData,
			AllowOptionalMapKeys: c.AllowOptionalMapKeys, SchemaCacheSize: c.SchemaCacheSize,
		})
	case JSON:
		return json.New(json.Options{}), nil
	case Text:
		return text.New(text.Options{}), nil
	case Parquet, ORC: // refused by ParseConfig
	}
	return nil, fmt.Errorf("format.class %s is not supported", c.FormatClass)
}
