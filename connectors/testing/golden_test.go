package testing

import (
	"bytes"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/connecttest"
	"github.com/penstock-io/penstock/connect/data"
)

var timeOfLine = regexp.MustCompile(`"time_ms":\d+`)

// linesOf returns lines without their times, sorted.
func linesOf(text string) []string {
	lines := strings.Split(strings.TrimSuffix(timeOfLine.ReplaceAllString(text, `"time_ms":T`), "\n"), "\n")
	slices.Sort(lines)
	return lines
}

// The lines of the JVM's connectors come out of the same records.
func TestLinesAreThoseOfTheJVM(t *testing.T) {
	golden, err := os.ReadFile("testdata/java/stdout.txt")
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) { compareLines(t, string(golden)) })
}

func compareLines(t *testing.T, golden string) {
	out := &bytes.Buffer{}
	source := func(c connect.SourceConnector, n int, p map[string]string) {
		t.Helper()
		task := connecttest.StartSource(t, c, p, connecttest.Options{}).Tasks[0]
		records, err := task.Poll(t.Context(), n)
		if err != nil {
			t.Fatal(err)
		}
		if p["complete.record.data"] == "" { // or else the JVM's prints an error
			if err := task.Ack(t.Context(), records...); err != nil {
				t.Fatal(err)
			}
		}
	}
	source(NewVerifiableSource("4.3.1", out), 4, props("name", "src", "topic", "t1", "throughput", "20")(t))
	source(NewVerifiableSource("4.3.1", out), 2, props("name", "complete", "topic", "t2", "throughput", "20", "complete.record.data", "true")(t))
	source(NewSchemaSource("4.3.1", out), 3, props("topic", "t3", "throughput", "-1", "num.messages", "3", "multiple.schema", "true")(t))
	sink(t, out)
	if got, want := linesOf(out.String()), linesOf(golden); !slices.Equal(got, want) {
		t.Errorf("lines\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func sink(t *testing.T, out io.Writer) {
	t.Helper()
	task := connecttest.StartSink(t, NewVerifiableSink("4.3.1", out), props("name", "sink")(t), connecttest.Options{}).Tasks[0]
	t1, t2 := connect.TopicPartition{Topic: "t1"}, connect.TopicPartition{Topic: "t2"}
	if err := task.Open(t.Context(), t1, t2); err != nil {
		t.Fatal(err)
	}
	var batch []connect.SinkRecord
	for offset := range int64(4) {
		r := connecttest.NewRecord(t1, offset, data.Int64Schema, offset)
		r.Key.SetValue(data.Int32Schema, int32(0))
		batch = append(batch, r)
	}
	batch = append(batch, connecttest.NewRecord(t2, 0, completeSchema, data.NewStruct(completeSchema)))
	if err := task.Put(t.Context(), batch...); err != nil {
		t.Fatal(err)
	}
	if _, err := task.Task.PreCommit(t.Context(), map[connect.TopicPartition]int64{t1: 4}); err != nil {
		t.Fatal(err)
	}
}
