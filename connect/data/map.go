package data

import (
	"math/bits"
	"time"
)

// mapIndexFrom is the number of entries above which a Map keeps an index.
const mapIndexFrom = 32

// NewMap returns an empty map with room for n entries.
func NewMap(n int) *Map {
	if n == 0 {
		return &Map{}
	}
	return &Map{entries: make([]MapEntry, 0, n)}
}

// NewLinkedMap is NewMap for a map that is a LinkedHashMap in the JVM: JavaOrder is the
// order in which keys were first put.
func NewLinkedMap(n int) *Map {
	m := NewMap(n)
	m.linked = true
	return m
}

// NewHashMap is NewMap for a map that the JVM makes with new HashMap<>(n): it begins with
// as many buckets as that, which shows in JavaOrder.
func NewHashMap(n int) *Map {
	m := NewMap(n)
	m.buckets = powerOfTwo(n)
	return m
}

// HashCopy returns a copy with room for more entries, as new HashMap<>(m) makes it: not
// linked, with the buckets that JDK 17 gives to as many entries.
func (m *Map) HashCopy(more int) *Map {
	c := &Map{buckets: powerOfTwo(int(float32(len(m.entries))/0.75 + 1))}
	if len(m.entries) == 0 {
		c.buckets = 0
	}
	entries := m.orderFor(c.buckets)
	c.entries = append(make([]MapEntry, 0, len(entries)+more), entries...)
	if len(c.entries) > mapIndexFrom {
		c.reindex()
	}
	return c
}

// AsHashCopy is HashCopy for a copy that nobody changes: it may be m itself.
func (m *Map) AsHashCopy() *Map {
	n := len(m.entries)
	if n > 0 && !m.linked && tableSize(powerOfTwo(int(float32(n)/0.75+1)), n) == tableSize(m.buckets, n) {
		return m
	}
	return m.HashCopy(0)
}

// AsLinked returns a linked map with the entries in JavaOrder, which nobody may change: it
// may be m itself.
func (m *Map) AsLinked() *Map {
	if m.linked {
		return m
	}
	c := &Map{entries: m.JavaOrder(), linked: true}
	if len(c.entries) > mapIndexFrom {
		c.reindex()
	}
	return c
}

// InOrderFor returns the entries in an order in which they, or some of them, can be put into
// a NewHashMap of n: it matters only for keys that share a bucket there, and did not before.
func (m *Map) InOrderFor(n int) []MapEntry { return m.orderFor(powerOfTwo(n)) }

func (m *Map) orderFor(buckets int32) []MapEntry {
	n := len(m.entries)
	if n < 2 || m.linked || buckets >= tableSize(m.buckets, n) {
		return m.entries
	}
	return m.JavaOrder()
}

func powerOfTwo(n int) int32 {
	if n <= 1 {
		return 1
	}
	return 1 << bits.Len32(uint32(n-1))
}

// Len returns the number of entries.
func (m *Map) Len() int { return len(m.entries) }

// Entries returns the entries in the order of their first put; the caller must not
// change them.
func (m *Map) Entries() []MapEntry { return m.entries }

// Get returns the value of key and whether there is one.
func (m *Map) Get(key any) (any, bool) {
	if i := m.find(key); i >= 0 {
		return m.entries[i].Value, true
	}
	return nil, false
}

// Put sets the value of key. A key that exists keeps its place.
func (m *Map) Put(key, value any) {
	if i := m.find(key); i >= 0 {
		m.entries[i].Value = value
		return
	}
	m.entries = append(m.entries, MapEntry{key, value})
	if m.index != nil {
		if k, ok := indexKey(key); ok {
			m.index[k] = len(m.entries) - 1
		}
	} else if len(m.entries) > mapIndexFrom {
		m.reindex()
	}
}

func (m *Map) reindex() {
	m.index = make(map[any]int, 2*len(m.entries))
	for i := range m.entries {
		if k, ok := indexKey(m.entries[i].Key); ok {
			m.index[k] = i
		}
	}
}

// Delete removes key, if it exists.
func (m *Map) Delete(key any) {
	i := m.find(key)
	if i < 0 {
		return
	}
	m.entries = append(m.entries[:i:i], m.entries[i+1:]...)
	m.index = nil
	if len(m.entries) > mapIndexFrom {
		m.reindex()
	}
}

// Clone returns a copy that shares keys and values and has the same JavaOrder.
func (m *Map) Clone() *Map {
	c := &Map{linked: m.linked, buckets: m.buckets}
	c.entries = append(make([]MapEntry, 0, len(m.entries)), m.entries...)
	if len(c.entries) > mapIndexFrom {
		c.reindex()
	}
	return c
}

// Equal reports whether both maps have equal entries, in any order.
func (m *Map) Equal(o *Map) bool { return Equal(m, o) }

// String returns Java's text, e.g. {a=1, b=2}.
func (m *Map) String() string { return JavaString(m) }

// JavaOrder returns the entries in the order in which the JVM's map iterates: that of a
// java.util.HashMap, or of insertion for a linked map. The caller must not change them.
func (m *Map) JavaOrder() []MapEntry {
	if m.linked || len(m.entries) < 2 {
		return m.entries
	}
	return hashOrder(m.entries, m.buckets)
}

func (m *Map) find(key any) int {
	if m.index != nil {
		if k, ok := indexKey(key); ok {
			if i, ok := m.index[k]; ok {
				return i
			}
			return -1
		}
	}
	if s, ok := key.(string); ok {
		for i := range m.entries {
			if k, ok := m.entries[i].Key.(string); ok && k == s {
				return i
			}
		}
		return -1
	}
	for i := range m.entries {
		if Equal(m.entries[i].Key, key) {
			return i
		}
	}
	return -1
}

// indexKey returns a form of key that Go's == compares as Java's equals does; keys
// without one are found by walking.
func indexKey(key any) (any, bool) {
	switch k := key.(type) {
	case nil, string, int8, int16, int32, int64, bool:
		return k, true
	case float32:
		return float32Bits(k), true
	case float64:
		return float64Bits(k), true
	case time.Time:
		return [1]int64{k.UnixMilli()}, true
	default:
		return nil, false
	}
}
