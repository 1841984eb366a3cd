package filestream

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/connecttest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestSourceConforms(t *testing.T) {
	var text strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&text, "line %d%s", i, []string{"\n", "\r\n", "\r"}[i%3])
	}
	connecttest.RunSource(t, connecttest.Source{
		New: func() connect.SourceConnector { return NewSource("4.3.1") },
		Props: func(tb testing.TB) map[string]string {
			path := filepath.Join(tb.TempDir(), "in.txt")
			if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
				tb.Fatal(err)
			}
			return map[string]string{"file": path, "topic": "lines", "batch.size": "100"}
		},
		Bad: []map[string]string{
			{"topic": connecttest.Missing}, {"topic": ""}, {"batch.size": "many"},
		},
		Records:  4500,
		MaxTasks: 3,
		Same: func(a, b *connect.SourceRecord) bool {
			x, _ := a.Value.Value()
			y, _ := b.Value.Value()
			return x == y && a.Topic == b.Topic && a.SourceOffset.Equal(b.SourceOffset)
		},
	})
}

func TestSinkConforms(t *testing.T) {
	connecttest.RunSink(t, connecttest.Sink{
		New: func() connect.SinkConnector { return NewSink("4.3.1") },
		Props: func(tb testing.TB) map[string]string {
			return map[string]string{"file": filepath.Join(tb.TempDir(), "out.txt")}
		},
		Bad: []map[string]string{{"file": filepath.Join(t.TempDir(), "no", "folder")}},
		Holds: func(tb testing.TB, props map[string]string, tp connect.TopicPartition, next int64) {
			lines := readLines(tb, props["file"])
			for offset := range next {
				if !slices.Contains(lines, connecttest.TextOf(tp, offset)) {
					tb.Fatalf("%s, offset %d is not in the file", tp, offset)
				}
			}
		},
	})
}

func readLines(tb testing.TB, path string) []string {
	tb.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	if len(b) > 0 && b[len(b)-1] != '\n' {
		tb.Errorf("%s ends within a line", path)
	}
	return strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
}
