package avro

import (
	"bytes"
	"compress/bzip2"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func checkBzip2(t interface {
	Helper()
	Fatalf(string, ...any)
}, c *bzip2Codec, plain []byte) {
	t.Helper()
	packed, err := c.append([]byte("before"), plain)
	if err != nil {
		t.Fatalf("%v", err)
	}
	got, err := io.ReadAll(bzip2.NewReader(bytes.NewReader(packed[len("before"):])))
	if err != nil || !bytes.Equal(got, plain) {
		t.Fatalf("%d bytes come back as %d: %v", len(plain), len(got), err)
	}
}

func TestBzip2(t *testing.T) {
	random := make([]byte, 100_000)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range random {
		random[i] = byte(r.Uint32())
	}
	skewed := make([]byte, 100_000) // frequencies that make long codes
	for i := range skewed {
		for skewed[i] < 40 && r.IntN(2) == 0 {
			skewed[i]++
		}
	}
	c := &bzip2Codec{}
	for name, plain := range map[string][]byte{
		"nothing": nil, "one byte": {7}, "runs": bytes.Repeat([]byte("aaaabbbbb"), 1000), "one long run": make([]byte, 70_000),
		"periodic": bytes.Repeat([]byte("ab"), 5000), "text": []byte(strings.Repeat("some text, and more of it; ", 3000)),
		"random": random, "skewed": skewed, "more than one block": bytes.Repeat(random, 9),
	} {
		t.Run(name, func(t *testing.T) { checkBzip2(t, c, plain) })
	}
}

func TestBzip2OfAnything(t *testing.T) {
	c := &bzip2Codec{}
	rapid.Check(t, func(t *rapid.T) {
		letters := rapid.SliceOfN(rapid.Byte(), 1, 5).Draw(t, "letters")
		checkBzip2(t, c, rapid.SliceOfN(rapid.SampledFrom(letters), 0, 600).Draw(t, "plain"))
	})
}

func TestBzip2IsSmall(t *testing.T) {
	plain := []byte(strings.Repeat("some text, and more of it; ", 3000))
	packed, err := (&bzip2Codec{}).append(nil, plain)
	if err != nil || len(packed) > len(plain)/50 {
		t.Errorf("%d bytes become %d: %v", len(plain), len(packed), err)
	}
}
