package state

import (
	"bytes"
	"errors"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/penstock-io/penstock/connect/data"
	"github.com/penstock-io/penstock/storage/records"
)

// Offsets is the state of the offset topic: the last value of each key, byte for byte,
// and the source partitions of each connector as their keys tell them. It belongs to one
// goroutine, or to one mutex (Java: KafkaOffsetBackingStore, OffsetUtils).
type Offsets struct {
	values map[string][]byte
	// sources holds the partitions by connector and key.
	sources map[string]map[string]*data.Map
}

// NewOffsets returns the state before any record.
func NewOffsets() *Offsets {
	return &Offsets{values: map[string][]byte{}, sources: map[string]map[string]*data.Map{}}
}

var errNoKey = errors.New("an offset without a key cannot be kept")

// Apply takes a record, of which it keeps copies. A key that does not name a connector
// and a source partition is an error for the log: the value is kept, and found under that
// key, but belongs to no connector. Without a key the record is not kept at all.
func (o *Offsets) Apply(key, value []byte) error {
	if key == nil {
		return errNoKey
	}
	k := string(key)
	_, known := o.values[k]
	if value == nil {
		delete(o.values, k)
		if !known {
			return nil
		}
	} else {
		o.values[k] = bytes.Clone(value)
		if known {
			return nil
		}
	}
	connector, partition, err := records.DecodeOffsetKey(key)
	if err != nil || partition == nil {
		return err
	}
	if value == nil {
		remove(o.sources, connector, k)
	} else {
		put(o.sources, connector, k, partition)
	}
	return nil
}

// Len returns the number of keys that have a value.
func (o *Offsets) Len() int { return len(o.values) }

// Get returns copies of the values of those keys that have one.
func (o *Offsets) Get(keys ...[]byte) map[string][]byte {
	out := make(map[string][]byte, len(keys))
	for _, key := range keys {
		if v, ok := o.values[string(key)]; ok {
			out[string(key)] = bytes.Clone(v)
		}
	}
	return out
}

// All returns keys and values in the order of the keys' bytes. The values must not be
// changed.
func (o *Offsets) All() iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		for _, k := range slices.Sorted(maps.Keys(o.values)) {
			if !yield(k, o.values[k]) {
				return
			}
		}
	}
}

// Clone returns a copy that changes by itself.
func (o *Offsets) Clone() *Offsets {
	c := &Offsets{values: maps.Clone(o.values), sources: make(map[string]map[string]*data.Map, len(o.sources))}
	for name, m := range o.sources {
		c.sources[name] = maps.Clone(m)
	}
	return c
}

// Partitions returns copies of the source partitions of a connector that have an offset,
// in no particular order. Keys whose bytes differ but which mean the same partition (their
// fields come in another order) give one.
func (o *Offsets) Partitions(connector string) []*data.Map {
	sources := o.sources[connector]
	out := make([]*data.Map, 0, len(sources))
	for _, p := range sources {
		out = append(out, p.Clone())
	}
	return DistinctPartitions(out)
}

// DistinctPartitions removes source partitions that equal an earlier one. It may reuse
// the list.
func DistinctPartitions(partitions []*data.Map) []*data.Map {
	seen := make(map[string]bool, len(partitions))
	return slices.DeleteFunc(partitions, func(p *data.Map) bool {
		// What was decoded from JSON can be encoded again; what cannot is kept.
		id, err := records.OffsetKey("", sorted(p))
		if err != nil {
			return false
		}
		again := seen[string(id)]
		seen[string(id)] = true
		return again
	})
}

// sorted returns the entries of a partition in the order of their names.
func sorted(m *data.Map) *data.Map {
	entries := slices.SortedFunc(slices.Values(m.Entries()), func(a, b data.MapEntry) int {
		x, _ := a.Key.(string)
		y, _ := b.Key.(string)
		return strings.Compare(x, y)
	})
	out := data.NewLinkedMap(len(entries))
	for _, e := range entries {
		out.Put(e.Key, e.Value)
	}
	return out
}
