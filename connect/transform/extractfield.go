package transform

import (
	"fmt"
	"strings"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/config"
	"github.com/penstock-io/penstock/connect/data"
)

// extractField replaces the key or value by one of its fields.
type extractField struct {
	closer
	reader
	side  side
	name  string
	path  []string
	plans plans[*extractPlan]
}

type extractPlan struct {
	schema *data.Schema
	at     []int
}

func (*extractField) ConfigDef() *config.Def {
	return config.NewDef(ranked(config.Medium, required("field", config.TypeString, "Name or path of the field.", nil)),
		replaceNullKey(), ranked(config.High, optional("field.syntax.version", config.TypeString, "V1",
			"V1: field is a name. V2: field is a path, with dots between the names.", config.OneOfIgnoreCase("V1", "V2"))))
}

func (t *extractField) Configure(props map[string]string) error {
	v, err := t.ConfigDef().Parse(props)
	if err != nil {
		return err
	}
	t.withDefault, t.name = v.Bool(replaceNull), v.String("field")
	t.path = []string{t.name}
	if strings.EqualFold(v.String("field.syntax.version"), "V2") {
		t.path, err = parsePath(t.name)
	}
	return err
}

// parsePath splits a path of syntax V2 (KIP-821): a name may stand in back-ticks, which
// end before a dot or at the end of the path; \` is a back-tick there.
func parsePath(path string) ([]string, error) {
	var names []string
	for rest, pos := path, 0; ; {
		if !strings.HasPrefix(rest, "`") {
			name, next, more := strings.Cut(rest, ".")
			names = append(names, name)
			if !more {
				return names, nil
			}
			pos += len(name) + 1
			rest = next
			continue
		}
		end := closingTick(rest)
		if end < 0 {
			return nil, &config.Error{Key: "field", Msg: fmt.Sprintf("Incomplete backtick pair in path: [%s], "+
				"consider adding a backslash before backtick at position %d to escape it", path, pos)}
		}
		names = append(names, strings.ReplaceAll(rest[1:end], "\\`", "`"))
		if end+1 == len(rest) {
			return names, nil
		}
		pos += end + 2
		rest = rest[end+2:]
	}
}

func closingTick(text string) int {
	for i := 1; i < len(text); i++ {
		if text[i] == '`' && text[i-1] != '\\' && (i+1 == len(text) || text[i+1] == '.') {
			return i
		}
	}
	return -1
}

func (t *extractField) plan(s *data.Schema) (*extractPlan, error) {
	p := &extractPlan{schema: s}
	for _, name := range t.path {
		if p.schema.Type() != data.StructType {
			return nil, dataError("Cannot look up fields on non-struct type")
		}
		f := p.schema.Field(name)
		if f == nil {
			return nil, javaError("java.lang.IllegalArgumentException", "Unknown field: %s", t.name)
		}
		p.schema, p.at = f.Schema, append(p.at, f.Index)
	}
	return p, nil
}

func (t *extractField) Apply(rec *connect.Record) (bool, error) {
	const purpose = "field extraction"
	d := t.side.of(rec)
	v, err := d.Value()
	if err != nil {
		return false, err
	}
	s := d.Schema()
	if s == nil {
		if v == nil {
			return true, nil
		}
		purpose := purpose
		for _, name := range t.path {
			if v == nil {
				break
			}
			m, err := needMap(v, purpose)
			if err != nil {
				return false, err
			}
			v, _ = m.Get(name)
			purpose = "nested field access"
		}
		d.SetValue(nil, v)
		return true, nil
	}
	if v != nil {
		if _, err := needStruct(v, purpose); err != nil {
			return false, err
		}
	}
	p, err := t.plans.get(s, t.plan)
	if err != nil {
		return false, err
	}
	for _, i := range p.at {
		in, ok := v.(*data.Struct)
		if !ok {
			v = nil
			break
		}
		v = t.at(in, i)
	}
	d.SetValue(p.schema, v)
	return true, nil
}
