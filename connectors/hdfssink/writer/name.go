package writer

import (
	"fmt"
	"strconv"
	"strings"
)

// CommittedName is the meaning of a committed file's name,
// <topic>+<partition>+<start>+<end><extension>.
type CommittedName struct {
	Topic      string // letters, digits, '.', '_' and '-'
	Partition  int32
	Start, End int64  // offsets of the first and the last record, inclusive
	Extension  string // with its dot, of one part; empty for none
}

// Format returns the name; the offsets get leading zeros up to width digits.
func (n CommittedName) Format(width int) string {
	return fmt.Sprintf("%s+%d+%0*d+%0*d%s", n.Topic, n.Partition, width, n.Start, width, n.End, n.Extension)
}

// ParseCommittedName is the reverse of Format, for any width. ok is false for a name
// of something else (Java: HdfsSinkConnectorConstants.COMMITTED_FILENAME_PATTERN).
func ParseCommittedName(s string) (n CommittedName, ok bool) {
	parts := strings.Split(s, "+")
	if len(parts) != 4 || parts[0] == "" || strings.IndexFunc(parts[0], notInTopic) >= 0 {
		return n, false
	}
	end := parts[3]
	if i := strings.IndexByte(end, '.'); i >= 0 {
		end, n.Extension = end[:i], end[i:]
		if len(n.Extension) == 1 || strings.IndexFunc(n.Extension[1:], notInWord) >= 0 {
			return CommittedName{}, false
		}
	}
	partition, ok1 := number(parts[1], 31)
	start, ok2 := number(parts[2], 63)
	last, ok3 := number(end, 63)
	if !ok1 || !ok2 || !ok3 {
		return CommittedName{}, false
	}
	n.Topic, n.Partition, n.Start, n.End = parts[0], int32(partition), start, last
	return n, true
}

func number(s string, bits int) (int64, bool) {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' { // ParseUint takes no sign, but underscores never
			return 0, false
		}
	}
	v, err := strconv.ParseUint(s, 10, bits)
	return int64(v), err == nil
}

func notInTopic(r rune) bool { return notInWord(r) && r != '.' && r != '-' }

func notInWord(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_'
}
