package json

import (
	"strings"

	"github.com/penstock-io/penstock/connect/config"
	"github.com/penstock-io/penstock/connect/convert"
)

const (
	schemasEnable    = "schemas.enable"
	schemasCacheSize = "schemas.cache.size"
	schemaContent    = "schema.content"
	decimalFormat    = "decimal.format"
	replaceNull      = "replace.null.with.default"
)

func configDef() *config.Def {
	return convert.NewDef(
		config.Key{
			Name: schemasEnable, Type: config.TypeBoolean, Default: true, Importance: config.High,
			Group: "Schemas", Order: 0, Width: config.WidthMedium, DisplayName: "Enable Schemas",
			Doc: "Whether every key and value carries its schema: an object of \"schema\" and \"payload\". With false, keys and values are plain JSON.",
		},
		config.Key{
			Name: schemasCacheSize, Type: config.TypeInt, Default: 1000, Importance: config.High,
			Group: "Schemas", Order: 1, Width: config.WidthMedium, DisplayName: "Schema Cache Size",
			Doc: "How many schemas the converter keeps, each of those it reads and those it writes.",
		},
		config.Key{
			Name: schemaContent, Type: config.TypeString, Default: nil, Importance: config.High,
			Group: "Schemas", Order: 2, Width: config.WidthMedium, DisplayName: "Schema Content",
			Doc: "A schema in JSON, in the form that \"schema\" has in messages. With schemas.enable=true, messages are read as payloads of this schema and carry none themselves.",
		},
		config.Key{
			Name: decimalFormat, Type: config.TypeString, Default: "BASE64", Importance: config.Low,
			Group: "Serialization", Order: 0, Width: config.WidthMedium, DisplayName: "Decimal Format",
			Validator: config.OneOfIgnoreCase("BASE64", "NUMERIC"),
			Doc:       "How decimals are written: BASE64 (the bytes of the unscaled value) or NUMERIC (a number). Both are read.",
		},
		config.Key{
			Name: replaceNull, Type: config.TypeBoolean, Default: true, Importance: config.Low,
			Group: "Serialization", Order: 1, Width: config.WidthMedium, DisplayName: "Replace null with default",
			Doc: "Whether a null becomes the default of its field, if there is one.",
		},
	)
}

// options are the parsed properties.
type options struct {
	schemas, numeric, replaceNull bool
	cacheSize                     int
	content                       string
}

func parseOptions(def *config.Def, props map[string]string) (options, error) {
	v, err := def.Parse(props)
	if err != nil {
		return options{}, err
	}
	return options{
		schemas:     v.Bool(schemasEnable),
		numeric:     strings.EqualFold(v.String(decimalFormat), "NUMERIC"),
		replaceNull: v.Bool(replaceNull),
		cacheSize:   v.Int(schemasCacheSize),
		content:     v.String(schemaContent),
	}, nil
}
