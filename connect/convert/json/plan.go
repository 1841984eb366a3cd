package json

import (
	"bytes"
	"encoding/base64"
	"time"

	"github.com/penstock-io/penstock/connect/data"
)

// plan decodes the payload of one schema straight from the bytes. Plans are built once
// per schema and only read.
type plan struct {
	schema *data.Schema
	op     op
	fields []fieldPlan // of a struct
	index  map[string]int
	elem   *plan // of an array or an object map
}

type fieldPlan struct {
	name []byte
	plan *plan
}

// op is what a plan expects.
type op uint8

const (
	opSlow op = iota // left to the slow path
	opInt8
	opInt16
	opInt32
	opInt64
	opFloat32
	opFloat64
	opBoolean
	opString
	opBytes
	opTimestamp
	opDate
	opTime
	opArray
	opMap
	opStruct
)

var opOf = [...]op{
	data.Int8: opInt8, data.Int16: opInt16, data.Int32: opInt32, data.Int64: opInt64,
	data.Float32: opFloat32, data.Float64: opFloat64, data.Boolean: opBoolean,
	data.String: opString, data.Bytes: opBytes,
	data.Array: opArray, data.MapType: opMap, data.StructType: opStruct,
}

// newPlan compiles a schema, which is a tree since it comes from JSON text.
func newPlan(s *data.Schema) *plan {
	p := &plan{schema: s, op: opOf[s.Type()]}
	switch s.Name() {
	case data.DecimalName:
		p.op = opSlow
		return p
	case data.DateName:
		p.op = opDate
		return p
	case data.TimeName:
		p.op = opTime
		return p
	case data.TimestampName:
		p.op = opTimestamp
		return p
	}
	switch p.op {
	case opArray:
		p.elem = newPlan(s.ValueSchema())
	case opMap:
		if s.KeySchema().Type() != data.String || s.KeySchema().Name() != "" {
			p.op = opSlow
			return p
		}
		p.elem = newPlan(s.ValueSchema())
	case opStruct:
		p.index = make(map[string]int, len(s.Fields()))
		for i := range s.Fields() {
			f := &s.Fields()[i]
			p.fields = append(p.fields, fieldPlan{[]byte(f.Name), newPlan(f.Schema)})
			p.index[f.Name] = i
		}
	default:
	}
	return p
}

// planner runs plans over one text. Its methods are those of scanner with a value: the
// position is -1 when the slow path has to look at the whole text.
type planner struct {
	scanner
	reader
	text string // a copy of b[base:]
	base int
}

// null returns the value of a null or a missing field.
func (d *planner) null(s *data.Schema) (v any, ok bool) {
	if def := s.Default(); def != nil && d.replaceNull {
		return def, true
	}
	return nil, s.Optional()
}

func (d *planner) run(p *plan, i, depth int) (any, int) {
	if i >= len(d.b) {
		return nil, -1
	}
	c := d.b[i]
	if c == 'n' {
		end := d.word(i, "null")
		v, ok := d.null(p.schema)
		if !ok {
			return nil, -1
		}
		return v, end
	}
	switch p.op {
	case opString:
		if c == '"' {
			return d.string(i)
		}
	case opBoolean:
		if c == 't' {
			return true, d.word(i, "true")
		}
		if c == 'f' {
			return false, d.word(i, "false")
		}
	case opStruct:
		if c == '{' {
			return d.structure(p, i+1, depth+1)
		}
	case opArray:
		if c == '[' {
			return d.array(p.elem, i+1, depth+1)
		}
	case opMap:
		if c == '{' {
			return d.mapping(p.elem, i+1, depth+1)
		}
	case opBytes:
		if c == '"' {
			return d.bytes(i)
		}
	case opSlow:
	default:
		if c == '-' || c-'0' <= 9 {
			return d.number(p, i)
		}
	}
	return d.odd(p, i, depth)
}

// odd takes a value that is not what the schema says by way of the tree.
func (d *planner) odd(p *plan, i, depth int) (any, int) {
	end := d.value(i, depth)
	if end < 0 {
		return nil, -1
	}
	n, err := parseTree(d.b[i:end])
	if err != nil {
		return nil, -1
	}
	v, err := d.convert(p.schema, n)
	if err != nil || v == nil { // a null made of something else is judged in its struct
		return nil, -1
	}
	return v, end
}

func (d *planner) string(i int) (any, int) {
	from := i + 1
	end := d.special(from)
	if end >= len(d.b) {
		return nil, -1
	}
	if d.b[end] == '"' {
		return d.text[from-d.base : end-d.base], end + 1
	}
	if end = d.str(from); end < 0 {
		return nil, -1
	}
	s, _ := unescape(d.b, from)
	return s, end
}

func (d *planner) bytes(i int) (any, int) {
	from := i + 1
	end := d.special(from)
	if end >= len(d.b) || d.b[end] != '"' {
		return nil, -1
	}
	src := d.b[from:end]
	out := make([]byte, base64.StdEncoding.DecodedLen(len(src)))
	n, err := base64.StdEncoding.Decode(out, src)
	if err != nil {
		return nil, -1
	}
	return out[:n], end + 1
}

func (d *planner) number(p *plan, i int) (any, int) {
	end := d.scanner.number(i)
	if end < 0 {
		return nil, -1
	}
	raw := d.b[i:end]
	if p.op == opFloat64 || p.op == opFloat32 {
		text := d.text[i-d.base : end-d.base]
		if p.op == opFloat32 {
			return float32(parseFloat(text, 32)), end
		}
		return parseFloat(text, 64), end
	}
	digits := len(raw)
	for _, c := range raw {
		if c == '.' || c|0x20 == 'e' {
			return d.odd(p, i, 0)
		}
	}
	n := lowBits(raw)
	switch p.op {
	case opInt8:
		return int8(n), end
	case opInt16:
		return int16(n), end
	case opInt32:
		return int32(n), end
	case opInt64:
		return n, end
	case opTimestamp:
		return time.UnixMilli(n).UTC(), end
	default:
	}
	if digits > 18 || n != int64(int32(n)) {
		return nil, -1 // Date and Time want 32 bits
	}
	var v time.Time
	var err error
	if p.op == opDate {
		v, err = data.IntToDate(p.schema, int32(n))
	} else {
		v, err = data.IntToTime(p.schema, int32(n))
	}
	if err != nil {
		return nil, -1
	}
	return v, end
}

// next takes what follows an element; more is false at the end of the container.
func (s *scanner) next(i int, closing byte) (end int, more bool) {
	i = s.space(i)
	if i >= len(s.b) {
		return -1, false
	}
	switch s.b[i] {
	case closing:
		return i + 1, false
	case ',':
		return s.space(i + 1), true
	}
	return -1, false
}

func (d *planner) array(elem *plan, i, depth int) (any, int) {
	list := []any{}
	if depth > maxDepth {
		return nil, -1
	}
	if i = d.space(i); i < len(d.b) && d.b[i] == ']' {
		return list, i + 1
	}
	for more := true; more; {
		var v any
		if v, i = d.run(elem, i, depth); i < 0 {
			return nil, -1
		}
		list = append(list, v)
		i, more = d.next(i, ']')
	}
	return list, i
}

// member takes a plain member name and its colon.
func (d *planner) member(i int) (name []byte, end int) {
	if i >= len(d.b) || d.b[i] != '"' {
		return nil, -1
	}
	from := i + 1
	end = d.special(from)
	if end >= len(d.b) || d.b[end] != '"' || end-from > maxName {
		return nil, -1
	}
	return d.b[from:end], d.colon(end + 1)
}

func (d *planner) mapping(elem *plan, i, depth int) (any, int) {
	m := data.NewMap(0)
	if depth > maxDepth {
		return nil, -1
	}
	if i = d.space(i); i < len(d.b) && d.b[i] == '}' {
		return m, i + 1
	}
	for more := true; more; {
		name, at := d.member(i)
		if at < 0 {
			return nil, -1
		}
		var v any
		if v, at = d.run(elem, at, depth); at < 0 {
			return nil, -1
		}
		from := i + 1 - d.base
		m.Put(d.text[from:from+len(name)], v)
		i, more = d.next(at, '}')
	}
	return m, i
}

func (d *planner) structure(p *plan, i, depth int) (any, int) {
	if depth > maxDepth {
		return nil, -1
	}
	values := make([]any, len(p.fields))
	i = d.space(i)
	more := i >= len(d.b) || d.b[i] != '}'
	if !more {
		i++
	}
	for expect := 0; more; {
		name, at := d.member(i)
		if at < 0 {
			return nil, -1
		}
		k := -1
		if expect < len(p.fields) && bytes.Equal(p.fields[expect].name, name) {
			k = expect
		} else if j, ok := p.index[string(name)]; ok {
			k = j
		}
		if k < 0 {
			at = d.value(at, depth)
		} else {
			values[k], at = d.run(p.fields[k].plan, at, depth)
			expect = k + 1
		}
		if at < 0 {
			return nil, -1
		}
		i, more = d.next(at, '}')
	}
	if i < 0 {
		return nil, -1
	}
	for k := range values {
		if values[k] == nil {
			v, ok := d.null(p.fields[k].plan.schema)
			if !ok {
				return nil, -1
			}
			values[k] = v
		}
	}
	return data.StructOf(p.schema, values), i
}
