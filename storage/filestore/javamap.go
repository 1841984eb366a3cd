package filestore

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/penstock-io/penstock/storage"
)

// What may occur in a Java object stream (Java Object Serialization Specification, 6.4)
// of a HashMap<byte[],byte[]>.
const (
	tcNull         = 0x70
	tcReference    = 0x71
	tcClassDesc    = 0x72
	tcObject       = 0x73
	tcArray        = 0x75
	tcBlockData    = 0x77
	tcEndBlockData = 0x78

	firstHandle = 0x7e0000
)

// javaStart is magic and version of an object stream.
const javaStart = "\xac\xed\x00\x05"

// javaHashMap is the class description of java.util.HashMap with its two fields, without
// annotations and superclass, and the end of its own.
const javaHashMap = "\x00\x11java.util.HashMap" + "\x05\x07\xda\xc1\xc3\x16\x60\xd1" + "\x03" +
	"\x00\x02" + "F\x00\x0aloadFactor" + "I\x00\x09threshold" + "\x78\x70"

// javaBytes is the class description of byte[].
const javaBytes = "\x00\x02[B" + "\xac\xf3\x17\xf8\x06\x08\x54\xe0" + "\x02" + "\x00\x00" + "\x78\x70"

// isJavaStream tells whether the content begins as an object stream, of whatever.
func isJavaStream(content []byte) bool {
	return len(content) >= 2 && string(content[:2]) == javaStart[:2]
}

// javaStream reads what FileOffsetBackingStore writes, and nothing else. Every byte is
// read once, so memory and time are bounded by the file.
type javaStream struct {
	rest []byte
	size int

	next    uint32            // the next handle
	bytes   uint32            // handle of the description of byte[], 0 before it came
	objects map[uint32][]byte // arrays by handle
}

// decodeJavaMap returns the entries of the map. A null value, which the JVM worker writes
// for an offset that was removed, is a tombstone.
func decodeJavaMap(content []byte) ([]storage.OffsetEntry, error) {
	s := &javaStream{rest: content, size: len(content), next: firstHandle, objects: map[uint32][]byte{}}
	entries, err := s.hashMap()
	if err == nil && len(s.rest) > 0 {
		err = errors.New("something follows the map")
	}
	if err != nil {
		return nil, fmt.Errorf("it begins as the Java-serialised file of a JVM worker, but does not hold a HashMap<byte[],byte[]>: at byte %d: %w",
			s.size-len(s.rest), err)
	}
	return entries, nil
}

func (s *javaStream) hashMap() ([]storage.OffsetEntry, error) {
	if err := s.expect("the start of a stream of version 5", javaStart); err != nil {
		return nil, err
	}
	if err := s.expect("an object of class java.util.HashMap", string([]byte{tcObject, tcClassDesc})+javaHashMap); err != nil {
		return nil, err
	}
	s.next += 2                          // the class description and the map
	if _, err := s.take(8); err != nil { // load factor and threshold: how the JVM built its table
		return nil, err
	}
	if err := s.expect("the head of the map", string([]byte{tcBlockData, 8})); err != nil {
		return nil, err
	}
	head, err := s.take(8)
	if err != nil {
		return nil, err
	}
	n := int32(binary.BigEndian.Uint32(head[4:])) // head begins with the number of buckets
	if n < 0 {
		return nil, fmt.Errorf("the map has %d entries", n)
	}
	var entries []storage.OffsetEntry // n is not to be trusted
	for i := range n {
		e, err := s.entry()
		if err != nil {
			return nil, fmt.Errorf("entry %d of %d: %w", i+1, n, err)
		}
		entries = append(entries, e)
	}
	return entries, s.expect("the end of the map", string([]byte{tcEndBlockData}))
}

func (s *javaStream) entry() (storage.OffsetEntry, error) {
	key, err := s.array()
	if err == nil && key == nil {
		err = errors.New("the key is null")
	}
	if err != nil {
		return storage.OffsetEntry{}, err
	}
	value, err := s.array()
	return storage.OffsetEntry{Key: key, Value: value}, err
}

// array reads a byte[], a reference to an earlier one, or null.
func (s *javaStream) array() ([]byte, error) {
	tag, err := s.take(1)
	if err != nil {
		return nil, err
	}
	switch tag[0] {
	case tcNull:
		return nil, nil
	case tcReference:
		handle, err := s.number()
		if err != nil {
			return nil, err
		}
		b, ok := s.objects[handle]
		if !ok {
			return nil, fmt.Errorf("reference 0x%x is not that of a byte array", handle)
		}
		return b, nil
	case tcArray:
		return s.newArray()
	}
	return nil, fmt.Errorf("type code 0x%02x where a byte array should be", tag[0])
}

func (s *javaStream) newArray() ([]byte, error) {
	if err := s.bytesClass(); err != nil {
		return nil, err
	}
	handle := s.next
	s.next++
	n, err := s.number()
	if err != nil {
		return nil, err
	}
	b, err := s.take(int(int32(n)))
	if err != nil {
		return nil, err
	}
	s.objects[handle] = b
	return b, nil
}

// bytesClass reads the description of byte[], which comes in full the first time.
func (s *javaStream) bytesClass() error {
	if s.bytes == 0 {
		s.bytes = s.next
		s.next++
		return s.expect("the class of byte arrays", string([]byte{tcClassDesc})+javaBytes)
	}
	return s.expect("the class of byte arrays", string(binary.BigEndian.AppendUint32([]byte{tcReference}, s.bytes)))
}

func (s *javaStream) number() (uint32, error) {
	b, err := s.take(4)
	if err != nil {
		return 0, err
	}
	return binary.BigEndian.Uint32(b), nil
}

func (s *javaStream) take(n int) ([]byte, error) {
	if n < 0 || n > len(s.rest) {
		return nil, fmt.Errorf("%d bytes should follow, but the file has %d more", n, len(s.rest))
	}
	b := s.rest[:n:n]
	s.rest = s.rest[n:]
	return b, nil
}

func (s *javaStream) expect(what, want string) error {
	n := min(len(want), len(s.rest))
	if string(s.rest[:n]) == want {
		s.rest = s.rest[n:]
		return nil
	}
	if want[:n] == string(s.rest[:n]) {
		return fmt.Errorf("the file ends where %s should be", what)
	}
	return fmt.Errorf("%s is missing", what)
}
