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

// withRoom returns a copy with room for n more headers: whoever made the record may still
// use its headers, and the room behind them.
func withRoom(headers []connect.Header, n int) []connect.Header {
	return append(make([]connect.Header, 0, len(headers)+n), headers...)
}

// dropHeaders removes headers by name.
type dropHeaders struct {
	closer
	names []string
}

func (*dropHeaders) ConfigDef() *config.Def {
	return config.NewDef(names("headers", "Names of the headers to remove."))
}

func (t *dropHeaders) Configure(props map[string]string) error {
	v, err := t.ConfigDef().Parse(props)
	if err == nil {
		t.names = v.List("headers")
	}
	return err
}

func (t *dropHeaders) Apply(rec *connect.Record) (bool, error) {
	drop := func(h connect.Header) bool { return slices.Contains(t.names, h.Key) }
	if slices.ContainsFunc(rec.Headers, drop) {
		rec.Headers = slices.DeleteFunc(slices.Clone(rec.Headers), drop)
	}
	return true, nil
}

// insertHeader adds a header of a fixed value.
type insertHeader struct {
	closer
	header connect.Header
}

func (*insertHeader) ConfigDef() *config.Def {
	return config.NewDef(
		required("header", config.TypeString, "Name of the header.", config.NonNull),
		required("value.literal", config.TypeString, "Value of the header; its schema is found from the text.", config.NonNull))
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
	rec.Headers = append(withRoom(rec.Headers, 1), t.header)
	return true, nil
}
