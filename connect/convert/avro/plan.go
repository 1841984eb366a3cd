package avro

import "github.com/penstock-io/penstock/connect/data"

// op is what a plan appends.
type op uint8

const (
	opInt8 op = iota
	opInt16
	opInt32
	opInt64
	opFloat32
	opFloat64
	opBoolean
	opString
	opBytes
	opEnum
	opFixed
	opDecimal
	opDate
	opTime
	opTimestamp
	opArray
	opMap
	opPairs
	opStruct
	opUnion
)

// plan is the compiled form of one schema. Plans form the same graph as the schemas.
type plan struct {
	op       op
	optional bool
	// Index of the branch, in Avro's form, for null and for a value.
	null, value byte

	schema    *data.Schema
	key, elem *plan
	fields    []*plan
	symbols   map[string]int32
	size      int // of a fixed
	scale     int32
}

var opOf = [...]op{
	data.Int8: opInt8, data.Int16: opInt16, data.Int32: opInt32, data.Int64: opInt64,
	data.Float32: opFloat32, data.Float64: opFloat64, data.Boolean: opBoolean,
	data.String: opString, data.Bytes: opBytes,
	data.Array: opArray, data.MapType: opMap, data.StructType: opStruct,
}

// compiler makes plans for schemas for which FromConnect has succeeded.
type compiler struct {
	options Options
	plans   map[*data.Schema]*plan
	// reshaped is set when values may come out otherwise than they went in: a null as the
	// default, a number narrowed.
	reshaped bool
}

func (c *compiler) compile(s *data.Schema) *plan {
	if p := c.plans[s]; p != nil {
		return p
	}
	p := &plan{op: opOf[s.Type()], optional: s.Optional(), schema: s, value: 2}
	c.plans[s] = p
	if s.Default() != nil && s.Type() != data.StructType {
		p.null, p.value = 2, 0
	}
	switch s.Type() {
	case data.Int8, data.Int16:
		c.reshaped = true
	case data.Int32:
		switch s.Name() {
		case data.DateName:
			p.op = opDate
		case data.TimeName:
			p.op = opTime
		}
	case data.Int64:
		if s.Name() == data.TimestampName {
			p.op = opTimestamp
		}
	case data.String:
		c.text(p)
	case data.Bytes:
		c.bytes(p)
	case data.Array:
		p.elem = c.compile(s.ValueSchema())
	case data.MapType:
		if !c.options.textKeys(s) {
			p.op = opPairs
		}
		p.key, p.elem = c.compile(s.KeySchema()), c.compile(s.ValueSchema())
	case data.StructType:
		c.structure(p)
	default:
	}
	return p
}

func (c *compiler) text(p *plan) {
	if _, ok := p.schema.Parameter(enumParam); !ok || !c.options.EnhancedSchema {
		return
	}
	p.op = opEnum
	p.symbols = make(map[string]int32)
	prefix := enumParam + "."
	for _, param := range p.schema.Parameters() {
		if len(param.Key) > len(prefix) && param.Key[:len(prefix)] == prefix {
			p.symbols[param.Key[len(prefix):]] = int32(len(p.symbols))
		}
	}
}

func (c *compiler) bytes(p *plan) {
	size, fixed, err := fixedSize(p.schema)
	if fixed && err == nil {
		p.op, p.size = opFixed, size
	}
	if p.schema.Name() == data.DecimalName {
		if !fixed {
			p.op = opDecimal
		}
		p.scale, _ = p.schema.Scale() // was read before
	}
}

func (c *compiler) structure(p *plan) {
	if isUnion(p.schema) {
		p.op = opUnion
	}
	p.fields = make([]*plan, len(p.schema.Fields()))
	for i := range p.fields {
		f := p.schema.Fields()[i].Schema
		p.fields[i] = c.compile(f)
		if f.Optional() && f.Default() != nil {
			c.reshaped = true
		}
	}
}
