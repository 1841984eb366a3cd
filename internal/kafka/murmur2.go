package kafka

import "encoding/binary"

// partitionForKey is where the Java producer puts a record with this key
// (BuiltInPartitioner.partitionForKey). Records of compacted topics must land where
// Java workers put them, or compaction keeps both versions.
func partitionForKey(key []byte, partitions int32) int32 {
	return int32(murmur2(key)&0x7fffffff) % partitions
}

// murmur2 is Austin Appleby's 32 bit MurmurHash2 with the seed of Kafka.
func murmur2(data []byte) uint32 {
	const (
		seed  uint32 = 0x9747b28c
		mul   uint32 = 0x5bd1e995
		shift        = 24
	)
	h := seed ^ uint32(len(data))
	for ; len(data) >= 4; data = data[4:] {
		k := binary.LittleEndian.Uint32(data) * mul
		h = h*mul ^ (k^k>>shift)*mul
	}
	if len(data) > 0 {
		for i := len(data) - 1; i >= 0; i-- {
			h ^= uint32(data[i]) << (8 * i)
		}
		h *= mul
	}
	h = (h ^ h>>13) * mul
	return h ^ h>>15
}
