package avro

import (
	"errors"
	"strconv"

	"github.com/penstock-io/penstock/connect/data"
)

var errDefault = errors.New("a default that is not of its type")

// fromDefault reads the JSON form of a default.
func (c *toConnect) fromDefault(s *data.Schema, a *Schema, v *jsonValue) (any, error) {
	if v == nil || v.kind == jsonNull {
		return nil, nil
	}
	if a.kind == kindUnion {
		if inner := nullable(a); inner != nil {
			return c.fromDefault(s, inner, v)
		}
		return c.unionDefault(s, a, v)
	}
	switch s.Type() {
	case data.Boolean:
		return v.text == "true", v.mustBe(jsonBool)
	case data.String:
		return v.text, v.mustBe(jsonString)
	case data.Bytes:
		return bytesDefault(s, v)
	case data.Array, data.MapType, data.StructType:
		return c.containerDefault(s, a, v)
	default:
		return numberDefault(s, v)
	}
}

func (v *jsonValue) mustBe(k jsonKind) error {
	if v.kind != k {
		return errDefault
	}
	return nil
}

// unionDefault makes the default of a union, which is one of its first branch.
func (c *toConnect) unionDefault(s *data.Schema, a *Schema, v *jsonValue) (any, error) {
	first := a.branches[0]
	if len(a.branches) == 1 {
		return c.fromDefault(s, first, v)
	}
	f := s.Field(c.branchName(first))
	if f == nil {
		return nil, errDefault
	}
	inner, err := c.fromDefault(f.Schema, first, v)
	if err != nil {
		return nil, err
	}
	st := data.NewStruct(s)
	return st, st.PutAt(f.Index, inner)
}

func bytesDefault(s *data.Schema, v *jsonValue) (any, error) {
	if v.kind != jsonString {
		return nil, errDefault
	}
	b := make([]byte, 0, len(v.text))
	for _, r := range v.text {
		if r > 0xFF {
			return nil, errDefault
		}
		b = append(b, byte(r))
	}
	if s.Name() == data.DecimalName {
		return data.BytesToDecimal(s, b)
	}
	return b, nil
}

func numberDefault(s *data.Schema, v *jsonValue) (any, error) {
	switch s.Type() {
	case data.Float32:
		f, err := floatDefault(v, 32)
		return float32(f), err
	case data.Float64:
		return floatDefault(v, 64)
	case data.Int64:
		n, ok := v.int(64)
		if !ok {
			return nil, errDefault
		}
		if s.Name() == data.TimestampName {
			return data.IntToTimestamp(s, n)
		}
		return n, nil
	default:
	}
	bits := map[data.Type]int{data.Int8: 8, data.Int16: 16, data.Int32: 32}[s.Type()]
	n, ok := v.int(bits)
	if !ok {
		return nil, errDefault
	}
	switch {
	case s.Name() == data.DateName:
		return data.IntToDate(s, int32(n))
	case s.Name() == data.TimeName:
		return data.IntToTime(s, int32(n))
	case bits == 8:
		return int8(n), nil
	case bits == 16:
		return int16(n), nil
	}
	return int32(n), nil
}

// floatDefault also takes the texts NaN, Infinity and -Infinity, which FromConnect writes.
func floatDefault(v *jsonValue, bits int) (float64, error) {
	if v.kind != jsonNumber && (v.kind != jsonString || v.text != "NaN" && v.text != "Infinity" && v.text != "-Infinity") {
		return 0, errDefault
	}
	f, err := strconv.ParseFloat(v.text, bits)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return 0, errDefault
	}
	return f, nil
}

func (c *toConnect) containerDefault(s *data.Schema, a *Schema, v *jsonValue) (any, error) {
	switch {
	case s.Type() == data.Array && v.kind == jsonArray:
		list := make([]any, len(v.list))
		for i := range v.list {
			var err error
			if list[i], err = c.fromDefault(s.ValueSchema(), a.items, &v.list[i]); err != nil {
				return nil, err
			}
		}
		return list, nil
	case s.Type() == data.MapType && a.kind == kindMap && v.kind == jsonObject:
		m := data.NewMap(len(v.list))
		for i, name := range v.names {
			e, err := c.fromDefault(s.ValueSchema(), a.items, &v.list[i])
			if err != nil {
				return nil, err
			}
			m.Put(name, e)
		}
		return m, nil
	case s.Type() == data.MapType && a.kind == kindArray && v.kind == jsonArray:
		return c.pairsDefault(s, a, v)
	case s.Type() == data.StructType && v.kind == jsonObject:
		st := data.NewStruct(s)
		for i := range s.Fields() {
			f := &s.Fields()[i]
			e, err := c.fromDefault(f.Schema, a.fields[i].schema, v.member(f.Name))
			if err != nil {
				return nil, err
			}
			if err := st.PutAt(i, e); err != nil {
				return nil, err
			}
		}
		return st, nil
	}
	return nil, errDefault
}

func (c *toConnect) pairsDefault(s *data.Schema, a *Schema, v *jsonValue) (any, error) {
	m := data.NewMap(len(v.list))
	for i := range v.list {
		pair := &v.list[i]
		if pair.kind != jsonArray || len(pair.list) != 2 {
			return nil, errDefault
		}
		k, err := c.fromDefault(s.KeySchema(), a.items.field(mapEntryKey).schema, &pair.list[0])
		if err != nil {
			return nil, err
		}
		e, err := c.fromDefault(s.ValueSchema(), a.items.field(mapEntryValue).schema, &pair.list[1])
		if err != nil {
			return nil, err
		}
		m.Put(k, e)
	}
	return m, nil
}
