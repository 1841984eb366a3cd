package javagolden

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"os"
	"testing"
)

// ReadLines returns the lines of a compressed file of JSON lines of at most 1 MiB each.
func ReadLines[T any](tb testing.TB, file string) (out []T) {
	tb.Helper()
	f, err := os.Open(file)
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		tb.Fatal(err)
	}
	lines := bufio.NewScanner(z)
	for lines.Buffer(nil, 1<<20); lines.Scan(); {
		var line T
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			tb.Fatal(err)
		}
		out = append(out, line)
	}
	if err := lines.Err(); err != nil {
		tb.Fatal(err)
	}
	return out
}
