package filestream

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// split is the slow way to do it: one byte after the other, all text at hand.
func split(text string) (lines []string, sizes []int) {
	from := 0
	for i := 0; i < len(text); i++ {
		to := i
		switch {
		case text[i] == '\n':
		case text[i] == '\r' && i+1 == len(text):
			return lines, sizes
		case text[i] == '\r' && text[i+1] == '\n':
			i++
		case text[i] == '\r':
		default:
			continue
		}
		lines, sizes = append(lines, text[from:to]), append(sizes, i+1-from)
		from = i + 1
	}
	return lines, sizes
}

// feed gives text in pieces to a lineBuffer and takes out what it has after each.
func feed(t interface{ Fatal(...any) }, b *lineBuffer, text string, pieces func() int) (lines []string, sizes []int) {
	for len(text) > 0 {
		room, err := b.room()
		if err != nil {
			t.Fatal(err)
		}
		n := copy(room, text[:min(pieces(), len(text))])
		b.added(n)
		text = text[n:]
		for s, ok := b.next(); ok; s, ok = b.next() {
			lines, sizes = append(lines, string(b.buf[s.from:s.to])), append(sizes, s.after-s.from)
		}
	}
	return lines, sizes
}

func TestLinesAreThoseOfTheWholeText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringOf(rapid.SampledFrom([]rune("ab\n\r\n\rü"))).Draw(t, "text")
		b := &lineBuffer{buf: make([]byte, rapid.IntRange(1, 8).Draw(t, "buffer"))}
		lines, sizes := feed(t, b, text, func() int { return rapid.IntRange(1, 5).Draw(t, "piece") })
		want, wantSizes := split(text)
		if !slices.Equal(lines, want) || !slices.Equal(sizes, wantSizes) {
			t.Fatalf("%q: %q of sizes %d, want %q of sizes %d", text, lines, sizes, want, wantSizes)
		}
	})
}

func TestABufferGrowsForALineAndShrinksAgain(t *testing.T) {
	b := &lineBuffer{longest: 10 << 20}
	long := strings.Repeat("x", 9<<20)
	lines, _ := feed(t, b, long+"\nshort\n", func() int { return bufferSize })
	if len(lines) != 2 || lines[0] != long || lines[1] != "short" {
		t.Fatalf("%d lines", len(lines))
	}
	if _, err := b.room(); err != nil || len(b.buf) != bufferSize {
		t.Errorf("%v, the buffer has %d bytes", err, len(b.buf))
	}
}

func TestALineWithoutEndFails(t *testing.T) {
	b := &lineBuffer{longest: 1 << 20}
	for {
		room, err := b.room()
		if err != nil {
			if err.Error() != "a line is longer than 1048576 bytes" || len(b.buf) > 4<<20 {
				t.Errorf("%v with a buffer of %d bytes", err, len(b.buf))
			}
			return
		}
		b.added(copy(room, bytes.Repeat([]byte{'x'}, len(room))))
	}
}

// The expected texts are those of new String(bytes, UTF_8) in JDK 17.
func TestTextIsDecodedAsInAJVM(t *testing.T) {
	for in, want := range map[string]string{
		"":                         "",
		"grün € 😀":                 "grün € 😀",
		"a\xffb":                   "a\uFFFDb",
		"\x80\x80":                 "\uFFFD\uFFFD",
		"\xc0\xaf":                 "\uFFFD\uFFFD",
		"\xe2\x82":                 "\uFFFD",             // the beginning of a character
		"\xe2\x82x":                "\uFFFDx",            //
		"\xe2x":                    "\uFFFDx",            //
		"\xf0\x9f\x98":             "\uFFFD",             //
		"\xf0\x9f\x98\x80\xf0\x9f": "😀\uFFFD",            //
		"\xe0\x80\x80":             "\uFFFD\uFFFD\uFFFD", // overlong
		"\xed\xa0\x80":             "\uFFFD",             // a surrogate
		"\xed\xa0x":                "\uFFFDx",            //
		"\xf5\x80":                 "\uFFFD\uFFFD",       //
		"\xf4\x90\x80\x80":         "\uFFFD\uFFFD\uFFFD\uFFFD",
	} {
		if got := decode(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func FuzzLines(f *testing.F) {
	f.Add("a\nb\r\nc\rd", uint8(3))
	f.Fuzz(func(t *testing.T, text string, piece uint8) {
		lines, sizes := feed(t, &lineBuffer{buf: make([]byte, 4)}, text, func() int { return int(piece)%7 + 1 })
		want, wantSizes := split(text)
		if !slices.Equal(lines, want) || !slices.Equal(sizes, wantSizes) {
			t.Fatalf("%q, want %q", lines, want)
		}
		for _, line := range lines {
			decode(line)
		}
	})
}
