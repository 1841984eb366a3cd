package hdfssink

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"go.uber.org/zap"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connectors/hdfssink/filesystem"
	"github.com/penstock-io/penstock/connectors/hdfssink/filesystem/faultfs"
	"github.com/penstock-io/penstock/connectors/hdfssink/filesystem/memfs"
	"github.com/penstock-io/penstock/connectors/hdfssink/format"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newTestTask returns a task on a given store and clock.
func newTestTask(fs filesystem.FS, now func() int64) *task {
	t := newTask().(*task)
	t.openFS = func(context.Context, *Config, *zap.Logger) (filesystem.FS, error) { return fs, nil }
	t.now = now
	return t
}

// recordingContext is the runtime as a task sees it.
type recordingContext struct {
	connect.SinkTaskContext
	calls   []string // offset(...)
	seek    map[connect.TopicPartition]int64
	paused  map[connect.TopicPartition]bool
	timeout int64
}

func newRecordingContext() *recordingContext {
	return &recordingContext{seek: map[connect.TopicPartition]int64{}, paused: map[connect.TopicPartition]bool{}, timeout: -1}
}

func (c *recordingContext) Offset(tp connect.TopicPartition, o int64) {
	c.calls = append(c.calls, fmt.Sprintf("offset(%s,%d)", tp, o))
	c.seek[tp] = o
}

func (c *recordingContext) Pause(tps ...connect.TopicPartition) {
	for _, tp := range tps {
		c.paused[tp] = true
	}
}

func (c *recordingContext) Resume(tps ...connect.TopicPartition) {
	for _, tp := range tps {
		delete(c.paused, tp)
	}
}

func (c *recordingContext) Timeout(ms int64) { c.timeout = ms }

func (c *recordingContext) Logger() *zap.Logger { return zap.NewNop() }

func (c *recordingContext) ReportErrant(_ *connect.SinkRecord, err error) error { return err }

// layoutDifferences are scenarios that end otherwise than in the JVM.
var layoutDifferences = map[string]*difference{
	"pad-0": {why: "the JVM's task fails at the first commit", end: []string{"12345-12346", "8-9"}},
	// storage-common 12 begins a new file where 11 fails in the projection.
	"compat-BACKWARD-required-added": {why: "a required field is new", end: []string{"0-0"}},
	"compat-FULL-required-added":     {why: "a required field is new", end: []string{"0-0"}},
	"compat-BACKWARD-nested-type":    {why: "a nested type changes", end: []string{"0-0", "1-1"}},
	"compat-FULL-nested-type":        {why: "a nested type changes", end: []string{"0-0", "1-1"}},
	"compat-FORWARD-nested-type":     {why: "a nested type changes", end: []string{"0-0", "1-1"}},
	"compat-FORWARD-v2v1v3":          {why: "optional fields become required", end: []string{"0-0", "1-1", "2-2"}},
	"compat-FORWARD-v3v2v1":          {why: "optional fields become required", end: []string{"0-0", "1-1", "2-2"}},
}

func TestJavaLayoutScenarios(t *testing.T) {
	for _, c := range readGolden(t, "layout-scenarios.jsonl") {
		t.Run(c.Name, func(t *testing.T) {
			p := newPlayer(t, c)
			p.ours = layoutDifferences[c.Name]
			p.play(c.Steps)
			p.compareEnd()
		})
	}
}

// logDifferences are logs from which the JVM recovers wrongly or not at all.
func logDifferences() map[string]*difference {
	short := func(why string) *difference {
		return &difference{why: why, offset: 10, files: []string{"0-9"}, end: []string{"0-9", "40-41"}}
	}
	return map[string]*difference{
		"first-commit-end-no-dir":  {why: "the JVM's renames fail silently without the directory", offset: 6, files: []string{"0-3", "1-4", "2-5"}},
		"first-commit-end-one-dir": {why: "as first-commit-end-no-dir", offset: 6, files: []string{"0-3", "1-4", "2-5"}},
		"old-log1": {why: "the JVM believes an old log.1 and writes 6 to 17 twice", start: 2, offset: 18,
			files: []string{"0-3", "1-4", "12-15", "13-16", "14-17", "2-5", "6-9", "7-10", "8-11"}},
		"m-empty-log1-good": {why: "the JVM needs a second attempt", offset: 20, end: []string{"40-41"}},
		"m-4bytes":          {why: "the JVM fails for ever", end: []string{"40-41"}},
		"m-10bytes":         {why: "the JVM fails for ever", end: []string{"40-41"}},
		"m-cut-in-end":      short("the JVM fails for ever at a short tail"),
		"m-cut-in-path":     short("the JVM fails for ever at a short tail"),
		"m-cut-in-length":   short("the JVM fails for ever at a short tail"),
		"m-garbage-length":  short("the JVM runs out of memory"),
		"m-neg-length":      short("the JVM's task fails"),
		"m-zero-hole":       short("the JVM fails for ever"),
		"m-garbage-path":    {why: "the JVM's task fails", offset: 20, files: []string{"10-19"}, end: []string{"10-19", "40-41"}},
		"m-two-syncs":       {why: "the JVM takes two marks for the end", offset: 20, files: []string{"0-9", "10-19"}, end: []string{"0-9", "10-19", "40-41"}},
		"m-version-1":       {why: "the JVM tries for ever", failure: "WAL version 1"},
		"m-bad-magic":       {why: "the JVM tries for ever", failure: "not a WALFile"},
		"m-wrong-fs":        {why: "the JVM's task fails; only the path counts", offset: 10, files: []string{"0-9"}, end: []string{"0-9", "40-41"}},
		"m-missing-temp":    {why: "the JVM goes on behind files that are nowhere", end: []string{"40-41"}},
		"m-path-no-host":    {why: "the JVM takes the first directory for a host", offset: 10, files: []string{"0-9"}, end: []string{"0-9", "40-41"}},
		"m-cut-with-files":  {why: "the JVM fails for ever at a short tail", offset: 20, files: []string{"0-9", "10-19"}, end: []string{"0-9", "10-19", "40-41"}},
	}
}

func TestJavaLogCases(t *testing.T) {
	different := logDifferences()
	for _, c := range readGolden(t, "wal-cases.jsonl") {
		t.Run(c.Name, func(t *testing.T) {
			p := newPlayer(t, c)
			p.ours = different[c.Name]
			if c.KilledRun == nil {
				p.play(c.Steps)
				p.compareEnd()
				return
			}
			var listing []string
			p.must(json.Unmarshal(c.KilledRun[len(c.KilledRun)-1].Result.Listing, &listing))
			p.restore(listing)
			p.play(c.Restart)
			p.ours = nil
			if d := different[c.Name]; d == nil {
				p.play(c.NextRun)
			}
		})
	}
}

// textTask is a task with the payload format, one directory per partition and two
// records a file.
func textTask(t *testing.T, fs filesystem.FS, more map[string]string) (*task, *recordingContext, *int64) {
	t.Helper()
	now := int64(1_700_000_000_000)
	tk, tc := newTestTask(fs, func() int64 { return now }), newRecordingContext()
	tk.newFormat = func(*Config) (format.Format, error) {
		return &payloads{extension: ".txt", texts: map[string]string{}}, nil
	}
	props := map[string]string{"name": "n", "topics": "t", "store.url": "hdfs://nn", "flush.size": "2", "retry.backoff.ms": "100",
		"format.class": "io.confluent.connect.hdfs.string.StringFormat"}
	maps.Copy(props, more)
	if err := tk.Start(t.Context(), tc, props); err != nil {
		t.Fatal(err)
	}
	return tk, tc, &now
}

func part(n int32) connect.TopicPartition { return connect.TopicPartition{Topic: "t", Partition: n} }

func rec(partition int32, offset int64) connect.SinkRecord {
	r := connect.SinkRecord{Record: connect.Record{Topic: "t", Partition: partition, Offset: offset}, Original: part(partition)}
	r.Value.SetValue(nil, "x")
	return r
}

func TestPreCommitAndCloseAreForTheGivenPartitions(t *testing.T) {
	fs := memfs.New()
	tk, tc, _ := textTask(t, fs, nil)
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	check(tk.Open(t.Context(), []connect.TopicPartition{part(0), part(1), part(2)}))
	if len(tc.paused) > 0 {
		t.Errorf("paused after open: %v", tc.paused)
	}
	check(tk.Put(t.Context(), []connect.SinkRecord{rec(0, 5), rec(0, 6), rec(0, 7), rec(1, 0)}))
	got, err := tk.PreCommit(t.Context(), map[connect.TopicPartition]int64{part(0): 8, part(1): 1, part(2): 0, part(9): 4})
	check(err)
	// Of partition 1 nothing is committed, so it is read from its first record again.
	if diff := cmp.Diff(map[connect.TopicPartition]int64{part(0): 7, part(1): 0}, got); diff != "" {
		t.Error(diff)
	}
	if got, _ := tk.PreCommit(t.Context(), map[connect.TopicPartition]int64{part(0): 6}); len(got) > 0 {
		t.Errorf("beyond what was consumed: %v", got)
	}
	check(tk.Close(t.Context(), []connect.TopicPartition{part(0)}))
	check(tk.Put(t.Context(), []connect.SinkRecord{rec(1, 1)}))
	if _, err := fs.Stat(t.Context(), "/topics/t/partition=1/t+1+0000000000+0000000001.txt"); err != nil {
		t.Error("the partition that was kept did not go on:", err)
	}
	if err := tk.Put(t.Context(), []connect.SinkRecord{rec(0, 7)}); err == nil || !strings.Contains(err.Error(), "t-0 at offset 7, which is not assigned") {
		t.Errorf("a record of a partition that was closed: %v", err)
	}
	check(tk.Stop(t.Context()))
	check(tk.Stop(t.Context()))
}

func TestOnePartitionThatFailsDoesNotStopOthers(t *testing.T) {
	synctest.Test(t, onePartitionFails)
}

func onePartitionFails(t *testing.T) {
	store := memfs.NewStore()
	fs := faultfs.New(store.Client(), faultfs.On(faultfs.Any).Path("/logs/t/0/**").Times(0).Hang())
	tk, tc, now := textTask(t, fs, nil)
	if err := tk.Open(t.Context(), []connect.TopicPartition{part(0), part(1)}); err != nil {
		t.Fatal(err)
	}
	if !tc.paused[part(0)] || tc.paused[part(1)] {
		t.Errorf("paused: %v", tc.paused)
	}
	for o := range int64(4) {
		*now += 60
		if err := tk.Put(t.Context(), []connect.SinkRecord{rec(1, o)}); err != nil {
			t.Fatal(err)
		}
	}
	if got, _ := tk.PreCommit(t.Context(), map[connect.TopicPartition]int64{part(0): 0, part(1): 4}); got[part(1)] != 4 {
		t.Errorf("to commit: %v", got)
	}
	if tc.timeout <= 0 || tc.timeout > 100 {
		t.Errorf("asks to be called in %d ms", tc.timeout)
	}
	if err := tk.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestTimeoutIsAskedForWhileFilesAreOpen(t *testing.T) {
	tk, tc, now := textTask(t, memfs.New(), map[string]string{"flush.interval.ms": "500"})
	defer tk.Stop(t.Context())
	if err := tk.Open(t.Context(), []connect.TopicPartition{part(0)}); err != nil {
		t.Fatal(err)
	}
	if tc.timeout >= 0 {
		t.Errorf("timeout %d without open files", tc.timeout)
	}
	if err := tk.Put(t.Context(), []connect.SinkRecord{rec(0, 0)}); err != nil || tc.timeout != 500 {
		t.Errorf("%v, timeout %d, want 500", err, tc.timeout)
	}
	*now += 500
	if err := tk.Put(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if got, _ := tk.PreCommit(t.Context(), map[connect.TopicPartition]int64{part(0): 1}); got[part(0)] != 1 {
		t.Errorf("not committed by time: %v", got)
	}
}

func TestStartFails(t *testing.T) {
	tk := newTestTask(memfs.New(), nil)
	err := tk.Start(t.Context(), newRecordingContext(), map[string]string{"store.url": "hdfs://nn"})
	if err == nil || err.Error() != "Couldn't start HdfsSinkConnector due to configuration error." {
		t.Errorf("bad config: %v", err)
	}
	if err := tk.Stop(t.Context()); err != nil {
		t.Errorf("stop after a failed start: %v", err)
	}
	tk = newTestTask(nil, nil)
	tk.newFormat = func(*Config) (format.Format, error) { return &payloads{}, nil }
	tk.openFS = func(context.Context, *Config, *zap.Logger) (filesystem.FS, error) {
		return nil, errors.New("no route to host")
	}
	err = tk.Start(t.Context(), newRecordingContext(), map[string]string{"store.url": "hdfs://nn", "flush.size": "2", "topics": "t",
		"format.class": "io.confluent.connect.hdfs.string.StringFormat"})
	if err == nil || !strings.Contains(err.Error(), "Couldn't connect to hdfs://nn: no route to host") {
		t.Errorf("no HDFS: %v", err)
	}
}
