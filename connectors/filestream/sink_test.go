package filestream

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/connecttest"
	"github.com/penstock-io/penstock/connect/data"
)

var events = connect.TopicPartition{Topic: "events"}

func startSink(t testing.TB, path string) *connecttest.SinkTask {
	t.Helper()
	task := connecttest.StartSink(t, NewSink("4.3.1"), map[string]string{"file": path}, connecttest.Options{}).Tasks[0]
	if err := task.Open(t.Context(), events); err != nil {
		t.Fatal(err)
	}
	return task
}

func TestValuesAreWrittenAsJavaPrintsThem(t *testing.T) {
	schema := data.NewStructSchema().Field("a", data.Int32Schema).Field("b", data.OptionalString).MustBuild()
	row := data.NewStruct(schema)
	if err := row.Put("a", int32(1)); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "out")
	task := startSink(t, path)
	records := []connect.SinkRecord{
		connecttest.NewText(events, 0),
		connecttest.NewRecord(events, 1, nil, nil),
		connecttest.NewRecord(events, 2, schema, row),
		connecttest.NewRecord(events, 3, nil, mapOf("k", []any{int64(1), 2.5, true})),
		connecttest.NewRecord(events, 4, data.StringSchema, "zwölf"),
	}
	if err := task.Put(t.Context(), records...); err != nil {
		t.Fatal(err)
	}
	// The lines are there before a commit, as the JVM's are.
	want := []string{"events-0 at 0", "null", "Struct{a=1}", "{k=[1, 2.5, true]}", "zwölf"}
	if got := readLines(t, path); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	offsets, err := task.Commit(t.Context())
	if err != nil || offsets[events] != 5 {
		t.Errorf("%v, %v", offsets, err)
	}
}

func TestLinesAreAppended(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out")
	for text, want := range map[string][]string{
		"":             {"events-0 at 0"},
		"old\n":        {"old", "events-0 at 0"},
		"old\nevents-": {"old", "events-", "events-0 at 0"}, // torn by a crash
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := startSink(t, path).Put(t.Context(), connecttest.NewText(events, 0)); err != nil {
			t.Fatal(err)
		}
		if got := readLines(t, path); !slices.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestTasksOfOneFileKeepLinesWhole(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out")
	run := connecttest.StartSink(t, NewSink("4.3.1"), map[string]string{"file": path}, connecttest.Options{MaxTasks: 4})
	line := strings.Repeat("x", 10_000)
	done := make(chan error)
	for i, task := range run.Tasks {
		tp := connect.TopicPartition{Topic: "events", Partition: int32(i)}
		if err := task.Open(t.Context(), tp); err != nil {
			t.Fatal(err)
		}
		go func() {
			var errs []error
			for n := range int64(50) {
				var batch []connect.SinkRecord
				for m := range int64(30) {
					batch = append(batch, connecttest.NewRecord(tp, n*30+m, nil, line))
				}
				errs = append(errs, task.Put(t.Context(), batch...))
			}
			done <- errors.Join(errs...)
		}()
	}
	for range run.Tasks {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	lines := readLines(t, path)
	if len(lines) != 4*50*30 || slices.ContainsFunc(lines, func(l string) bool { return l != line }) {
		t.Errorf("%d lines, or some are not whole", len(lines))
	}
}

func TestAFullDiskFailsTheTask(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip(err)
	}
	err := startSink(t, "/dev/full").Put(t.Context(), connecttest.NewText(events, 0))
	var own *connect.Error
	if !errors.As(err, &own) || !strings.HasPrefix(own.Msg, "Couldn't write to file '/dev/full' for FileStreamSinkTask: ") {
		t.Errorf("%v", err)
	}
}

func TestAFileThatCannotBeMadeIsNamed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "no", "out")
	_, err := connecttest.OpenSink(t.Context(), NewSink("4.3.1"), map[string]string{"file": path}, connecttest.Options{})
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "Couldn't find or create file '"+path+"' for FileStreamSinkTask") {
		t.Errorf("%v", err)
	}
}

func TestNothingIsCommittedThatIsNotDurable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out")
	task := startSink(t, path)
	if err := task.Put(t.Context(), connecttest.NewText(events, 0)); err != nil {
		t.Fatal(err)
	}
	task.Task.(*sinkTask).file.Close() // stands for a disk that fails
	if offsets, err := task.Commit(t.Context()); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("%v, %v", offsets, err)
	}
	task.Task.(*sinkTask).file = nil
}

// badText is a value that cannot be decoded.
type badText struct{}

func (badText) DecodeRaw([]byte) (any, error) { return nil, errors.New("bad") }

func TestAValueThatCannotBeDecodedIsReported(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out")
	for _, tolerate := range []bool{false, true} {
		task := connecttest.StartSink(t, NewSink("4.3.1"), map[string]string{"file": path}, connecttest.Options{Tolerate: tolerate}).Tasks[0]
		if err := task.Open(t.Context(), events); err != nil {
			t.Fatal(err)
		}
		bad := connecttest.NewRecord(events, 0, nil, nil)
		bad.Value.SetRaw(nil, []byte("{"), data.JSON, badText{}, nil)
		err := task.Put(t.Context(), bad, connecttest.NewText(events, 1))
		if (err == nil) != tolerate || len(task.Context.Errant()) != 1 || task.Context.Errant()[0].Offset != 0 {
			t.Errorf("%v, reported %v", err, task.Context.Errant())
		}
	}
	if got := readLines(t, path); !slices.Equal(got, []string{"events-0 at 1"}) {
		t.Errorf("%q", got)
	}
}

func TestWithoutAFileLinesGoToTheStandardOutput(t *testing.T) {
	var out bytes.Buffer
	task := newSinkTask("4.3.1")
	task.stdout = &out
	tc := startSink(t, filepath.Join(t.TempDir(), "x")).Context
	if err := task.Start(t.Context(), tc, nil); err != nil {
		t.Fatal(err)
	}
	if err := task.Put(t.Context(), []connect.SinkRecord{connecttest.NewText(events, 7)}); err != nil || out.String() != "events-0 at 7\n" {
		t.Errorf("%v, %q", err, out.String())
	}
	if _, err := task.PreCommit(t.Context(), nil); err != nil {
		t.Error(err)
	}
	if err := task.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestConnectorsDescribeThemselvesAsTheJVMs(t *testing.T) {
	source, sink := NewSource("4.3.1"), NewSink("4.3.1")
	if source.Version() != "4.3.1" || source.NewTask().Version() != "4.3.1" || sink.Version() != "4.3.1" || sink.NewTask().Version() != "4.3.1" ||
		source.TaskClass() != "org.apache.kafka.connect.file.FileStreamSourceTask" || sink.TaskClass() != "org.apache.kafka.connect.file.FileStreamSinkTask" {
		t.Error("wrong names")
	}
	for _, k := range source.ConfigDef().Keys() {
		if k.Group != "" || k.Order != -1 {
			t.Errorf("%+v", k)
		}
	}
	if configs, err := sink.TaskConfigs(1); err == nil {
		t.Errorf("task configs %v of a connector that was not started", configs)
	}
}

func BenchmarkSink(b *testing.B) {
	task := startSink(b, filepath.Join(b.TempDir(), "out"))
	batch := make([]connect.SinkRecord, 500)
	line := []byte(strings.Repeat("x", 99))
	for i := range batch {
		batch[i] = connecttest.NewRecord(events, int64(i), nil, nil)
		batch[i].Value.SetRaw(data.OptionalString, line, data.UTF8, badText{}, nil)
	}
	b.ReportAllocs()
	b.SetBytes(100)
	for n := 0; n < b.N; n += len(batch) {
		if err := task.Task.Put(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
	}
}
