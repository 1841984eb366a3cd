package wal

import (
	"crypto/rand"
	"encoding/binary"
)

// The layout, all integers big-endian:
//
//	header  "WAL" 0x00, then the 16 bytes of the marker
//	record  int32 key length + value length, int32 key length, key, value;
//	        key and value are Hadoop Text: VInt length and UTF-8
//	sync    int32 -1, marker
//
// BEGIN and END are records whose key is that word and whose value is empty.
const (
	headerSize = 20
	syncSize   = 20
	// syncInterval: a record that starts so far behind the last sync mark gets one
	// before it (Java: SYNC_INTERVAL).
	syncInterval = 100 * syncSize
	syncEscape   = 0xffffffff
	// maxRecord bounds what a damaged length makes us allocate; HDFS paths have at most
	// 8000 characters.
	maxRecord = 1 << 16

	beginKey = "BEGIN"
	endKey   = "END"
)

// Marker is the random text by which a log's sync marks are known.
type Marker [16]byte

// Entry is one file of a block, by the names that stand in the log: full URLs.
type Entry struct {
	Temp  string // the file as it was written, closed before the block was appended
	Final string // what it is renamed to
}

func newMarker() Marker {
	var m Marker
	rand.Read(m[:]) //nolint:errcheck // never returns an error
	return m
}

// encoder appends to a log and knows where the last sync mark is.
type encoder struct {
	marker   Marker
	pos      int64 // length of the log
	lastSync int64 // position behind the last mark, 0 for none
}

func (e *encoder) header(b []byte) []byte {
	b = append(b, 'W', 'A', 'L', 0)
	b = append(b, e.marker[:]...)
	e.pos += headerSize
	return b
}

func (e *encoder) sync(b []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, syncEscape)
	b = append(b, e.marker[:]...)
	e.pos += syncSize
	e.lastSync = e.pos
	return b
}

// block appends BEGIN, the entries and END. A log opened for append gets a sync mark
// first; two marks in a row would end the log for the JVM's reader.
func (e *encoder) block(b []byte, reopened bool, entries []Entry) []byte {
	if reopened {
		b = e.sync(b)
	}
	b = e.record(b, beginKey, "")
	for _, entry := range entries {
		b = e.record(b, entry.Temp, entry.Final)
	}
	return e.record(b, endKey, "")
}

func (e *encoder) record(b []byte, key, value string) []byte {
	if e.pos >= e.lastSync+syncInterval {
		b = e.sync(b)
	}
	start := len(b)
	keyLen := textSize(key)
	b = binary.BigEndian.AppendUint32(b, uint32(keyLen+textSize(value)))
	b = binary.BigEndian.AppendUint32(b, uint32(keyLen))
	b = appendText(appendText(b, key), value)
	e.pos += int64(len(b) - start)
	return b
}

func textSize(s string) int {
	switch n := len(s); {
	case n <= 0x7f:
		return 1 + n
	case n <= 0xff:
		return 2 + n
	case n <= 0xffff:
		return 3 + n
	case n <= 0xffffff:
		return 4 + n
	default:
		return 5 + n
	}
}

// appendText writes a Hadoop VInt (Java: WritableUtils.writeVInt) and the bytes.
func appendText(b []byte, s string) []byte {
	n := uint32(len(s))
	size := textSize(s) - len(s) - 1
	if size == 0 {
		return append(append(b, byte(n)), s...)
	}
	b = append(b, byte(0x90-size))
	for shift := 8 * (size - 1); shift >= 0; shift -= 8 {
		b = append(b, byte(n>>shift))
	}
	return append(b, s...)
}

// readText takes a Text that fills b; ok is false when it does not.
func readText(b []byte) (s string, ok bool) {
	if len(b) == 0 {
		return "", false
	}
	n, b := uint32(b[0]), b[1:]
	if n > 0x7f {
		size := int(0x90 - n)
		if size < 1 || size > 4 || len(b) < size { // negative lengths included
			return "", false
		}
		n = 0
		for _, c := range b[:size] {
			n = n<<8 | uint32(c)
		}
		b = b[size:]
	}
	if uint64(n) != uint64(len(b)) {
		return "", false
	}
	return string(b), true
}
