package filestream

import (
	"bytes"
	"cmp"
	"fmt"
	"strings"
	"unicode/utf8"
)

const (
	// bufferSize is how much is read at once.
	bufferSize = 64 << 10
	// longestLine bounds the memory that a file without line ends takes. Kafka's own
	// limits on a record are far below it.
	longestLine = 256 << 20
)

// span is a line within a lineBuffer: its text, and where the next one begins.
type span struct{ from, to, after int }

// lineBuffer splits what is read into lines that end with \n, \r or \r\n. Where the next
// \n and the next \r are is remembered, so that every byte is looked at once for each,
// however the lines of the file end and however long they are.
type lineBuffer struct {
	buf        []byte
	start, end int // what was read and not handed out
	lf, cr     int // the next one of each at or after start; end if there is none yet
	longest    int // in bytes; 0 = longestLine
}

// room returns where to read to: at least half of the buffer. The error is that of a line
// which does not end.
func (b *lineBuffer) room() ([]byte, error) {
	if b.start > 0 {
		copy(b.buf, b.buf[b.start:b.end])
		b.lf, b.cr, b.end = max(b.lf-b.start, 0), max(b.cr-b.start, 0), b.end-b.start
		b.start = 0
	}
	switch longest := cmp.Or(b.longest, longestLine); {
	case b.end >= longest:
		return nil, fmt.Errorf("a line is longer than %d bytes", longest)
	case len(b.buf) == 0, b.end == 0 && len(b.buf) > bufferSize:
		b.buf = make([]byte, bufferSize) // also after a long line
	case 2*b.end > len(b.buf):
		grown := make([]byte, 2*len(b.buf))
		copy(grown, b.buf[:b.end])
		b.buf = grown
	}
	return b.buf[b.end:], nil
}

// added tells that n bytes were read into room.
func (b *lineBuffer) added(n int) {
	old := b.end
	b.end += n
	if b.lf == old {
		b.lf = b.find('\n', old)
	}
	if b.cr == old {
		b.cr = b.find('\r', old)
	}
}

// next takes a line. A \r at the end of what was read may be half of a line end: it waits
// for what follows.
func (b *lineBuffer) next() (span, bool) {
	to := min(b.lf, b.cr)
	if to == b.end {
		return span{}, false
	}
	after := to + 1
	if to == b.cr {
		if after == b.end {
			return span{}, false
		}
		if b.buf[after] == '\n' {
			after++
		}
	}
	s := span{b.start, to, after}
	b.start = after
	if b.lf < after {
		b.lf = b.find('\n', after)
	}
	if b.cr < after {
		b.cr = b.find('\r', after)
	}
	return s, true
}

func (b *lineBuffer) find(c byte, from int) int {
	if i := bytes.IndexByte(b.buf[from:b.end], c); i >= 0 {
		return from + i
	}
	return b.end
}

// decode reads text as a JVM does: each piece that is no UTF-8 becomes one U+FFFD.
func decode(text string) string {
	if utf8.ValidString(text) {
		return text
	}
	var out strings.Builder
	out.Grow(len(text) + utf8.UTFMax)
	for len(text) > 0 {
		r, n := utf8.DecodeRuneInString(text)
		if r == utf8.RuneError && n == 1 {
			n = malformed(text)
		}
		out.WriteRune(r)
		text = text[n:]
	}
	return out.String()
}

// malformed returns how many bytes the JVM takes as one error: the longest beginning of a
// character, or an encoded surrogate.
func malformed(text string) int {
	n := 1
	if strings.HasPrefix(text, "\xED") && len(text) > 1 && text[1] >= 0xA0 && text[1] <= 0xBF {
		n = 2
		if len(text) > 2 && text[2]&0xC0 == 0x80 {
			n = 3
		}
		return n
	}
	for n < len(text) && n < utf8.UTFMax-1 && !utf8.FullRuneInString(text[:n+1]) {
		n++
	}
	return n
}
