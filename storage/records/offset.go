package records

import (
	"errors"
	"fmt"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/convert/json"
	"github.com/penstock-io/penstock/connect/data"
)

// OffsetKey returns the key of a source partition in the offset topic:
// ["<connector>",{…}]. The partition's entries stand in the order in which the JVM's map
// iterates (data.Map.JavaOrder); with another order, or 1.0 for 1, it is another key.
// The error is a *connect.DataError for what a partition cannot hold.
func OffsetKey(connector string, partition *data.Map) ([]byte, error) {
	if err := checkOffsetMap(partition); err != nil {
		return nil, err
	}
	b, err := appendString([]byte{'['}, connector)
	if err != nil {
		return nil, err
	}
	b, err = appendOffsetMap(append(b, ','), partition)
	return append(b, ']'), err
}

// OffsetValue returns the value of an offset, nil (a tombstone) for nil.
func OffsetValue(offset *data.Map) ([]byte, error) {
	if offset == nil {
		return nil, nil
	}
	if err := checkOffsetMap(offset); err != nil {
		return nil, err
	}
	return appendOffsetMap(nil, offset)
}

func appendOffsetMap(dst []byte, m *data.Map) ([]byte, error) {
	if m == nil {
		return append(dst, "null"...), nil
	}
	var e json.Encoder
	return e.Append(dst, nil, m)
}

// checkOffsetMap is OffsetUtils.validateFormat: string keys, primitive values or null.
func checkOffsetMap(m *data.Map) error {
	if m == nil {
		return nil
	}
	for _, e := range m.Entries() {
		name, ok := e.Key.(string)
		if !ok {
			return &connect.DataError{Msg: "Offsets may only use String keys"}
		}
		if e.Value == nil {
			continue
		}
		t, ok := data.TypeOf(e.Value)
		if !ok {
			return &connect.DataError{Msg: fmt.Sprintf("Offsets may only contain primitive types as values, but field %s contains class %s", name, data.JavaClass(e.Value))}
		}
		if !t.Primitive() {
			return &connect.DataError{Msg: fmt.Sprintf("Offsets may only contain primitive types as values, but field %s contains %s", name, t)}
		}
	}
	return nil
}

// DecodeOffsetKey reads a key of the offset topic. The partition is nil when its place
// holds null. Integers come as int64, other numbers as float64.
func DecodeOffsetKey(key []byte) (connector string, partition *data.Map, err error) {
	if key == nil {
		return "", nil, errors.New("offset record without a key")
	}
	v, err := parse(key)
	if err != nil {
		return "", nil, fmt.Errorf("offset key: %w", err)
	}
	list, ok := v.([]any)
	if !ok {
		return "", nil, fmt.Errorf("offset key: should be an array but is %s", kind(v))
	}
	if len(list) != 2 {
		return "", nil, fmt.Errorf("offset key: should hold a connector's name and a source partition but has %d elements", len(list))
	}
	if connector, ok = list[0].(string); !ok {
		return "", nil, fmt.Errorf("offset key: the first element should be a string but is %s", kind(list[0]))
	}
	if list[1] == nil {
		return connector, nil, nil
	}
	if partition, ok = list[1].(*data.Map); !ok {
		return "", nil, fmt.Errorf("offset key of connector %s: the second element should be an object but is %s", connector, kind(list[1]))
	}
	return connector, partition, nil
}

// DecodeOffsetValue reads a value of the offset topic, nil for a tombstone and for null.
func DecodeOffsetValue(value []byte) (*data.Map, error) {
	v, err := parse(value)
	if err != nil || v == nil {
		return nil, err
	}
	m, ok := v.(*data.Map)
	if !ok {
		return nil, &connect.DataError{Msg: "Offsets must be specified as a Map, but the value is " + kind(v)}
	}
	return m, nil
}
