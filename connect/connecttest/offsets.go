package connecttest

import (
	"context"
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/data"
)

// Offsets keeps source offsets as the runtime does and is the connect.OffsetReader of
// tasks. They come back as from Kafka, where they are JSON: whole numbers as int64, others
// as float64, bytes as base64 text. The zero value has none. It is safe for concurrent
// use.
type Offsets struct {
	mu      sync.Mutex
	entries map[string]connect.SourceOffset
}

var _ connect.OffsetReader = (*Offsets)(nil)

// Offset implements connect.OffsetReader.
func (o *Offsets) Offset(ctx context.Context, partition *data.Map) (*data.Map, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	stored, err := storedForm(partition)
	if err != nil {
		return nil, fmt.Errorf("read the offset of a source partition: %w", err)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if e, ok := o.entries[keyOf(stored)]; ok {
		return e.Offset.Clone(), nil
	}
	return nil, nil
}

// Offsets implements connect.OffsetReader.
func (o *Offsets) Offsets(ctx context.Context, partitions []*data.Map) ([]*data.Map, error) {
	offsets := make([]*data.Map, len(partitions))
	for i, p := range partitions {
		var err error
		if offsets[i], err = o.Offset(ctx, p); err != nil {
			return nil, err
		}
	}
	return offsets, nil
}

// Set commits an offset; nil forgets the partition. The error is about a map that has
// other keys than strings or other values than primitive ones.
func (o *Offsets) Set(partition, offset *data.Map) error {
	p, err := storedForm(partition)
	if err != nil {
		return fmt.Errorf("source partition: %w", err)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if offset == nil {
		delete(o.entries, keyOf(p))
		return nil
	}
	stored, err := storedForm(offset)
	if err != nil {
		return fmt.Errorf("offset of source partition %s: %w", p, err)
	}
	if o.entries == nil {
		o.entries = map[string]connect.SourceOffset{}
	}
	o.entries[keyOf(p)] = connect.SourceOffset{Partition: p, Offset: stored}
	return nil
}

// All returns what is committed, in an order that depends on the partitions only.
func (o *Offsets) All() []connect.SourceOffset {
	o.mu.Lock()
	defer o.mu.Unlock()
	all := make([]connect.SourceOffset, 0, len(o.entries))
	for _, key := range slices.Sorted(maps.Keys(o.entries)) {
		all = append(all, o.entries[key])
	}
	return all
}

// storedForm is what a map becomes on its way through the offsets topic (Java:
// OffsetUtils.validateFormat, JsonConverter).
func storedForm(m *data.Map) (*data.Map, error) {
	if m == nil {
		return nil, nil
	}
	stored := data.NewMap(m.Len())
	for _, e := range m.Entries() {
		name, ok := e.Key.(string)
		if !ok {
			return nil, fmt.Errorf("keys have to be strings, and %v is a %T", e.Key, e.Key)
		}
		v, err := storedValue(e.Value)
		if err != nil {
			return nil, fmt.Errorf("field %s: %w", name, err)
		}
		stored.Put(name, v)
	}
	return stored, nil
}

func storedValue(v any) (any, error) {
	switch x := v.(type) {
	case nil, bool, string, int64, float64:
		return v, nil
	case int8:
		return int64(x), nil
	case int16:
		return int64(x), nil
	case int32:
		return int64(x), nil
	case float32:
		return float64(x), nil
	case []byte:
		return base64.StdEncoding.EncodeToString(x), nil
	}
	return nil, fmt.Errorf("values have to be numbers, booleans, strings or bytes of package data, and %v is a %T", v, v)
}

// keyOf is a text that equal partitions share.
func keyOf(stored *data.Map) string {
	if stored == nil {
		return ""
	}
	fields := make([]string, 0, stored.Len())
	for _, e := range stored.Entries() {
		fields = append(fields, fmt.Sprintf("%q:%T:%q", e.Key, e.Value, fmt.Sprint(e.Value)))
	}
	slices.Sort(fields)
	return strings.Join(fields, ",")
}
