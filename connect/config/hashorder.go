package config

import (
	"slices"
	"unicode/utf16"
)

// HashOrder returns strings in the order in which a Java HashMap or HashSet lists them
// after they were inserted in the given order. The JVM shows some lists in this order;
// it is reproduced where a client may compare texts.
func HashOrder(keys []string) []string {
	buckets := 16
	for len(keys) > buckets*3/4 {
		buckets *= 2
	}
	type item struct {
		key    string
		bucket int
	}
	items := make([]item, len(keys))
	for i, key := range keys {
		items[i] = item{key, bucket(key, buckets)}
	}
	slices.SortStableFunc(items, func(a, b item) int { return a.bucket - b.bucket })
	ordered := make([]string, len(keys))
	for i := range items {
		ordered[i] = items[i].key
	}
	return ordered
}

func bucket(key string, buckets int) int {
	var h uint32
	for _, unit := range utf16.Encode([]rune(key)) {
		h = 31*h + uint32(unit)
	}
	h ^= h >> 16
	return int(h) & (buckets - 1)
}
