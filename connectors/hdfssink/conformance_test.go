package hdfssink

import (
	"bufio"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/connecttest"
)

// The connector on a folder of the machine, which is closed into files of ten lines.
func TestConnectorConforms(t *testing.T) {
	for name, c := range map[string]func() *Connector{"hdfs": NewConnector, "hdfs3": NewConnector3} {
		t.Run(name, func(t *testing.T) {
			connecttest.RunSink(t, connecttest.Sink{
				New: func() connect.SinkConnector { return c() },
				Props: func(tb testing.TB) map[string]string {
					return map[string]string{
						"store.url": "file://" + tb.TempDir(), "flush.size": "10", "topics": "connecttest",
						"format.class": "io.confluent.connect.hdfs.string.StringFormat",
					}
				},
				Bad: []map[string]string{
					{"store.url": connecttest.Missing}, {"flush.size": "0"}, {"flush.size": connecttest.Missing},
					{"format.class": "io.confluent.connect.hdfs.NoFormat"},
				},
				Holds: holdsText,
			})
		})
	}
}

// holdsText looks for the records in all files, each exactly once.
func holdsText(tb testing.TB, props map[string]string, tp connect.TopicPartition, next int64) {
	tb.Helper()
	seen := map[string]int{}
	root := filepath.Join(strings.TrimPrefix(props["store.url"], "file://"), "topics", tp.Topic)
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		lines := bufio.NewScanner(f)
		for lines.Scan() {
			seen[lines.Text()]++
		}
		return lines.Err()
	})
	if err != nil {
		tb.Fatal(err)
	}
	for offset := range next {
		if n := seen[connecttest.TextOf(tp, offset)]; n != 1 {
			tb.Fatalf("%s, offset %d is in the files %d times", tp, offset, n)
		}
	}
}
