package transform

import (
	"slices"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/config"
	"github.com/penstock-io/penstock/connect/data"
)

// filter drops every record; it is of use with a predicate.
type filter struct{ closer }

func (*filter) ConfigDef() *config.Def { return config.NewDef() }

func (*filter) Configure(map[string]string) error { return nil }

func (*filter) Apply(*connect.Record) (bool, error) { return false, nil }

// dropHeaders removes headers by name.
type dropHeaders struct {
	closer
	names []string
}

func (*dropHeaders) ConfigDef() *config.Def {
	return config.NewDef(required("headers", config.TypeList, "Names of the headers to remove.", emptyList))
}

func (t *dropHeaders) Configure(props map[string]string) error {
	v, err := t.ConfigDef().Parse(props)
	if err == nil {
		t.names = v.List("headers")
	}
	return err
}

func (t *dropHeaders) Apply(rec *connect.Record) (bool, error) {
	rec.Headers = slices.DeleteFunc(rec.Headers, func(h connect.Header) bool { return slices.Contains(t.names, h.Key) })
	return true, nil
}

// insertHeader adds a header of a fixed value.
type insertHeader struct {
	closer
	header connect.Header
}

func (*insertHeader) ConfigDef() *config.Def {
	return config.NewDef(
		required("header", config.TypeString, "Name of the header.", config.All(config.NonNull, config.NonEmpty)),
		required("value.literal", config.TypeString, "Value of the header; its schema is found from the text.", config.All(config.NonNull, config.NonEmpty)))
}

func (t *insertHeader) Configure(props map[string]string) error {
	v, err := t.ConfigDef().Parse(props)
	if err != nil {
		return err
	}
	var parsed data.SchemaAndValue
	if parsed, err = data.ParseString(v.String("value.literal")); err != nil {
		return config.Invalid("value.literal", v.String("value.literal"), err.Error())
	}
	t.header = connect.Header{Key: v.String("header"), Schema: parsed.Schema, Value: parsed.Value}
	return nil
}

func (t *insertHeader) Apply(rec *connect.Record) (bool, error) {
	rec.Headers = append(rec.Headers, t.header)
	return true, nil
}
