package avro

import (
	"fmt"
	"strconv"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/data"
)

// An Encoder appends the values of one Connect schema in Avro's binary form, as
// AvroData.fromConnectData and Avro's GenericDatumWriter do together. It is not safe for
// concurrent use.
type Encoder struct {
	schema   *data.Schema
	avro     *Schema
	plan     *plan // nil: data without a schema
	reshaped bool

	orders []*mapOrder // in use by maps further up, and spare ones
	depth  int

	writer  *Schema // the last one that CanCopy was asked for
	canCopy bool
}

// mapOrder are the buffers for the order of one map.
type mapOrder struct {
	order  data.HashOrder
	hashes []int32
}

// NewEncoder compiles a schema, nil for data without one. It fails as FromConnect does.
func NewEncoder(s *data.Schema, o Options) (*Encoder, error) {
	out, err := FromConnect(s, o)
	if err != nil {
		return nil, err
	}
	e := &Encoder{schema: s, avro: out}
	if s != nil {
		c := compiler{options: o, plans: make(map[*data.Schema]*plan)}
		e.plan = c.compile(s)
		e.reshaped = c.reshaped
	}
	return e, nil
}

// Schema returns the Avro schema of the values.
func (e *Encoder) Schema() *Schema { return e.avro }

// Append appends a value. A value that does not fit is a *connect.DataError, worded as in
// the JVM and followed by the field; dst is returned as it was then.
func (e *Encoder) Append(dst []byte, v any) ([]byte, error) {
	if e.plan == nil {
		if v == nil {
			return dst, &connect.DataError{Msg: "null value for (non-nullable) Anything. A null without a schema has no form in Avro; filter such records out with a transform."}
		}
		out, f := appendAnything(dst, v)
		if f != nil {
			return out[:len(dst)], f.dataError()
		}
		return out, nil
	}
	out, f := e.append(dst, e.plan, v)
	if f != nil {
		e.depth = 0
		return out[:len(dst)], f.dataError()
	}
	return out, nil
}

// CanCopy reports whether a datum that was written with the given schema is what Append
// would append of its value, so that the bytes can be copied. Decimals and blocks of
// arrays may have longer forms in it that mean the same.
func (e *Encoder) CanCopy(writer *Schema) bool {
	if writer == nil || e.plan == nil || e.reshaped {
		return false
	}
	if e.writer != writer {
		e.writer, e.canCopy = writer, sameEncoding(writer, e.avro)
	}
	return e.canCopy
}

// fault is a value that does not fit, and where it is.
type fault struct {
	msg  string
	err  error
	path string
}

func newFault(msg string) *fault { return &fault{msg: msg} }

func faultf(format string, args ...any) *fault { return &fault{msg: fmt.Sprintf(format, args...)} }

func faultOf(err error) *fault { return &fault{msg: err.Error(), err: err} }

// in adds the name of the field that holds what is wrong.
func (f *fault) in(name string) *fault {
	if f.path == "" || f.path[0] == '[' {
		f.path = name + f.path
	} else {
		f.path = name + "." + f.path
	}
	return f
}

// at adds the position in a list or map.
func (f *fault) at(position string) *fault {
	if f.path != "" && f.path[0] != '[' {
		f.path = "." + f.path
	}
	f.path = "[" + position + "]" + f.path
	return f
}

func (f *fault) atIndex(i int) *fault { return f.at(strconv.Itoa(i)) }

// maxPath bounds what a message says of a path, which map keys are part of.
const maxPath = 300

func (f *fault) dataError() error {
	msg := f.msg
	if f.path != "" {
		path := f.path
		if len(path) > maxPath {
			path = path[:maxPath] + "..."
		}
		msg += fmt.Sprintf(" (field %q)", path)
	}
	return &connect.DataError{Msg: msg, Err: f.err}
}
