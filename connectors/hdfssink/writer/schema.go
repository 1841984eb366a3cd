package writer

import (
	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/data"
)

// change is what a record's schema means for the open files.
type change uint8

const (
	same    change = iota // written as it is
	project               // projected to the current schema
	rotate                // becomes the current schema; the open files end
)

const projectorException = "org.apache.kafka.connect.errors.SchemaProjectorException"

// compare applies schema.compatibility to a record's schema and the current one
// (Java: StorageSchemaCompatibility.shouldChangeSchema). Its errors are the record's.
func (c Compatibility) compare(record, current *data.Schema) (change, error) {
	switch {
	case record == current:
		return same, nil
	case record == nil || current == nil:
		return same, &connect.Error{Class: projectorException,
			Msg: "Switch between schema-based and schema-less data is not supported"}
	case record.Equal(current):
		return same, nil
	case c == None:
		return rotate, nil
	}
	r, ok1 := record.Version()
	v, ok2 := current.Version()
	switch {
	case !ok1 || !ok2:
		return same, &connect.Error{Class: projectorException,
			Msg: "Schema version required for " + c.String() + " compatibility"}
	case c == Forward && r < v, c != Forward && r > v:
		return rotate, nil
	case !projectable(record, current, 0):
		return rotate, nil
	}
	return project, nil
}

// maxDepth ends the comparison of recursive schemas, which cannot be projected anyway.
const maxDepth = 100

// projectable reports whether every value of one schema can be projected to another,
// nested schemas included: what cannot be projected begins a new file in place of
// failing (storage-common 12).
func projectable(from, to *data.Schema, depth int) bool {
	promoted := from.Type() <= to.Type() && to.Type() <= data.Float64
	switch {
	case depth > maxDepth:
		return false
	case from.Type() != to.Type() && !promoted, from.Name() != to.Name(), !equalParameters(from, to):
		return false
	case from.Optional() && !to.Optional() && to.Default() == nil:
		return false
	}
	switch to.Type() {
	case data.StructType:
		fields := to.Fields()
		for i := range fields {
			f := from.Field(fields[i].Name)
			if f == nil {
				if s := fields[i].Schema; !s.Optional() && s.Default() == nil {
					return false
				}
				continue
			}
			if !projectable(f.Schema, fields[i].Schema, depth+1) {
				return false
			}
		}
	case data.Array:
		return projectable(from.ValueSchema(), to.ValueSchema(), depth+1)
	case data.MapType:
		return projectable(from.KeySchema(), to.KeySchema(), depth+1) &&
			projectable(from.ValueSchema(), to.ValueSchema(), depth+1)
	default:
	}
	return true
}

func equalParameters(a, b *data.Schema) bool {
	if len(a.Parameters()) != len(b.Parameters()) {
		return false
	}
	for _, p := range a.Parameters() {
		if v, ok := b.Parameter(p.Key); !ok || v != p.Value {
			return false
		}
	}
	return true
}
