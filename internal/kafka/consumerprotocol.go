package kafka

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/penstock-io/penstock/connect"
)

// The embedded protocol of consumers (Java: ConsumerProtocol): what members put
// into JoinGroup and leaders into SyncGroup. Both are written with version 3, as
// the Java client 4 does; later versions are read as far as they are known.
const consumerProtocolVersion = 3

// subscription is what a member tells the leader.
type subscription struct {
	topics     []string
	userData   []byte // nil = null
	owned      []connect.TopicPartition
	generation int32  // of owned; -1: none, or a member too old to tell (below version 2)
	rack       string // "" = null
}

// errShort is the end of a message before its time.
var errShort = errors.New("it ends too early")

// encode writes topics and owned partitions sorted, as Java does.
func (s *subscription) encode() []byte {
	b := binary.BigEndian.AppendUint16(nil, consumerProtocolVersion)
	topics := slices.Sorted(slices.Values(s.topics))
	b = binary.BigEndian.AppendUint32(b, uint32(len(topics)))
	for _, t := range topics {
		b = appendString(b, t)
	}
	b = appendBytes(b, s.userData)
	b = appendPartitions(b, slices.SortedFunc(slices.Values(s.owned), connect.TopicPartition.Compare))
	b = binary.BigEndian.AppendUint32(b, uint32(s.generation))
	if s.rack == "" {
		return append(b, 0xff, 0xff)
	}
	return appendString(b, s.rack)
}

func decodeSubscription(data []byte) (*subscription, error) {
	r := wireReader{data: data}
	version := r.int16()
	s := &subscription{generation: noGeneration}
	for range r.length(2) {
		s.topics = append(s.topics, r.string())
	}
	s.userData = r.bytes()
	if version >= 1 {
		s.owned = r.partitions()
	}
	if version >= 2 {
		s.generation = r.int32()
	}
	if version >= 3 {
		s.rack = r.string()
	}
	if err := r.check(version); err != nil {
		return nil, fmt.Errorf("subscription of a consumer: %w", err)
	}
	return s, nil
}

// encodeAssignment groups the partitions by topic, in the order given.
func encodeAssignment(tps []connect.TopicPartition, userData []byte) []byte {
	b := binary.BigEndian.AppendUint16(nil, consumerProtocolVersion)
	return appendBytes(appendPartitions(b, tps), userData)
}

func decodeAssignment(data []byte) ([]connect.TopicPartition, error) {
	r := wireReader{data: data}
	version := r.int16()
	tps := r.partitions()
	r.bytes() // no assignor of ours has any
	if err := r.check(version); err != nil {
		return nil, fmt.Errorf("assignment of a consumer: %w", err)
	}
	return tps, nil
}

func appendString(b []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint16(b, uint16(len(s))), s...)
}

func appendBytes(b, v []byte) []byte {
	if v == nil {
		return binary.BigEndian.AppendUint32(b, ^uint32(0))
	}
	return append(binary.BigEndian.AppendUint32(b, uint32(len(v))), v...)
}

// appendPartitions writes an array of topics with arrays of partitions.
func appendPartitions(b []byte, tps []connect.TopicPartition) []byte {
	var topics []string
	byTopic := map[string][]int32{}
	for _, tp := range tps {
		if byTopic[tp.Topic] == nil {
			topics = append(topics, tp.Topic)
		}
		byTopic[tp.Topic] = append(byTopic[tp.Topic], tp.Partition)
	}
	b = binary.BigEndian.AppendUint32(b, uint32(len(topics)))
	for _, t := range topics {
		b = appendString(b, t)
		b = binary.BigEndian.AppendUint32(b, uint32(len(byTopic[t])))
		for _, p := range byTopic[t] {
			b = binary.BigEndian.AppendUint32(b, uint32(p))
		}
	}
	return b
}

// wireReader reads Kafka's classic types. After the first failure it returns zero
// values; err tells.
type wireReader struct {
	data []byte
	err  error
}

// check returns the failure, if any.
func (r *wireReader) check(version int16) error {
	if r.err != nil {
		return r.err
	}
	if version < 0 {
		return fmt.Errorf("Unsupported subscription version: %d", version)
	}
	return nil
}

func (r *wireReader) take(n int) []byte {
	if r.err != nil || n < 0 || n > len(r.data) {
		if r.err == nil {
			r.err = errShort
		}
		return nil
	}
	out := r.data[:n:n]
	r.data = r.data[n:]
	return out
}

func (r *wireReader) int16() int16 {
	if b := r.take(2); b != nil {
		return int16(binary.BigEndian.Uint16(b))
	}
	return 0
}

func (r *wireReader) int32() int32 {
	if b := r.take(4); b != nil {
		return int32(binary.BigEndian.Uint32(b))
	}
	return 0
}

// string reads a nullable string; null is "".
func (r *wireReader) string() string {
	n := r.int16()
	if n < 0 {
		return ""
	}
	return string(r.take(int(n)))
}

// bytes reads nullable bytes.
func (r *wireReader) bytes() []byte {
	n := r.int32()
	if n < 0 {
		return nil
	}
	return r.take(int(n))
}

// length reads the length of an array whose elements have at least size bytes.
func (r *wireReader) length(size int) int {
	n := int(r.int32())
	if n < 0 {
		return 0
	}
	if n > len(r.data)/size {
		r.err = errShort
		return 0
	}
	return n
}

func (r *wireReader) partitions() []connect.TopicPartition {
	var out []connect.TopicPartition
	for range r.length(6) {
		topic := r.string()
		for range r.length(4) {
			out = append(out, connect.TopicPartition{Topic: topic, Partition: r.int32()})
		}
	}
	if r.err != nil {
		return nil
	}
	return out
}
