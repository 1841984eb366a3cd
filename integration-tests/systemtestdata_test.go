//go:build integration

package integration

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/penstock-io/penstock/rest/client"
)

// What connect_distributed_test asserts of data, of transforms and of log levels.

// checkSeqnos checks the numbers of each task of a Verifiable source: none is missing, and
// with once none comes twice.
func checkSeqnos(t *testing.T, all []*kgo.Record, once bool) {
	t.Helper()
	next := map[string]int{}
	for _, r := range all {
		var seqno int
		if err := json.Unmarshal(r.Value, &seqno); err != nil {
			t.Fatalf("value %q: %v", r.Value, err)
		}
		task := string(r.Key)
		switch {
		case seqno == next[task]:
			next[task]++
		case seqno > next[task]:
			t.Fatalf("task %s: %d came, %d is missing", task, seqno, next[task])
		case once:
			t.Fatalf("task %s: %d came twice", task, seqno)
		}
	}
}

// TestWorkersAreBounced restarts a worker, in order and by killing it, and looks at what
// Kafka's tests look at after a restart: numbers of several tasks, a connector that was
// paused, files that are copied, and log levels.
func TestWorkersAreBounced(t *testing.T) {
	onEach(t, everyProtocol, func(t *testing.T, m *member) {
		m.rest.setLogger("root", "ERROR", "")
		b := beginBounce(t, []*member{m}, m.unique("bounced"))
		b.each((*member).stop)
		checkSeqnos(t, b.numbers.more(time.Second), true)
		for name, level := range m.loggers {
			// Other loggers may have been made since.
			if again, ok := m.rest.loggers()[name]; ok && (again.Level != level.Level || again.LastModified != nil) {
				t.Errorf("after a restart the logger %s is %+v, at first it was %+v", name, again, level)
			}
		}
		b.each((*member).kill)
		b.end()
	})
}

// TestThreeWorkersAreBounced is the same, one worker after the other.
func TestThreeWorkersAreBounced(t *testing.T) {
	g := newMixedGroup(t, "bounced", quick("scheduled.rebalance.max.delay.ms", "500", "task.shutdown.graceful.timeout.ms", "30000"))
	for i := range 3 {
		g.addOurs(fmt.Sprint("worker ", i))
	}
	b := beginBounce(t, g.members, "bounced")
	b.each((*member).stop)
	checkSeqnos(t, b.numbers.more(time.Second), true)
	b.each((*member).kill)
	b.end()
}

// bounced are connectors that run while workers are restarted.
type bounced struct {
	t                          *testing.T
	members                    []*member
	source, sink, paused, file string // names, and topics
	numbers, whilePaused       *reading
	pausedAt                   int
	in, out                    string // files
	lines                      []string
}

func beginBounce(t *testing.T, members []*member, name string) *bounced {
	t.Helper()
	b := &bounced{t: t, members: members, source: name, sink: name + "-sink", paused: name + "-paused", file: name + "-file"}
	for topic, partitions := range map[string]int32{b.source: 3, b.paused: 1, b.file: 1} {
		createTopic(t, kafkaClient(t), topic, partitions)
	}
	w, dir := members[0].rest, t.TempDir()
	b.in, b.out = filepath.Join(dir, "in"), filepath.Join(dir, "out")
	b.numbers, b.whilePaused = readTopic(t, b.source, kgo.ReadUncommitted()), readTopic(t, b.paused, kgo.ReadUncommitted())
	appendText(t, b.in, "")
	w.put(b.source, verifiableSource(b.source, "tasks.max", "3"))
	w.put(b.sink, verifiableSink(b.source, "tasks.max", "3"))
	w.put(b.paused, verifiableSource(b.paused))
	w.put(b.file, jsonLines(fileSource(b.in, b.file)))
	w.put(b.file+"-sink", jsonLines(fileSink(b.file, b.out)))
	w.awaitRunning(b.paused, time.Minute)
	b.whilePaused.until(time.Minute, "records come", func(all []*kgo.Record) bool { return len(all) > 0 })
	w.request(http.MethodPut, "/connectors/"+b.paused+"/pause", nil)
	w.awaitState(b.paused, "PAUSED", "PAUSED")
	b.pausedAt = len(b.whilePaused.more(time.Second))
	return b
}

// each ends each worker and starts it again; all goes on before, between and after.
func (b *bounced) each(end func(*member)) {
	b.t.Helper()
	for _, m := range b.members {
		b.goesOn(m.rest)
		end(m)
		m.start()
	}
	b.goesOn(b.members[0].rest)
}

func (b *bounced) goesOn(w *workerProcess) {
	b.t.Helper()
	for _, name := range []string{b.source, b.sink, b.file, b.file + "-sink"} {
		w.awaitRunning(name, time.Minute)
	}
	w.awaitState(b.paused, "PAUSED", "PAUSED")
	before := len(b.numbers.more(100 * time.Millisecond))
	b.numbers.until(time.Minute, "numbers come", func(all []*kgo.Record) bool { return len(all) > before+100 })
	if got := len(b.whilePaused.more(100 * time.Millisecond)); got != b.pausedAt {
		b.t.Errorf("%d records came from a paused source", got-b.pausedAt)
	}
	text := fmt.Sprint("line ", len(b.lines))
	appendText(b.t, b.in, text+"\n")
	b.lines = append(b.lines, text)
	eventually(b.t, time.Minute, text+" is copied", func() error {
		if got := fileLines(b.t, b.out); got[len(got)-1] != text {
			return fmt.Errorf("the last line is %q", got[len(got)-1])
		}
		return nil
	})
}

// copied checks that each line was copied, in order. Some may come again, where a worker was
// killed or the sink's last commit met a rebalance.
func (b *bounced) copied() {
	b.t.Helper()
	seen := map[string]bool{}
	got := slices.DeleteFunc(fileLines(b.t, b.out), func(text string) bool {
		again := seen[text]
		seen[text] = true
		return again
	})
	if diff := cmp.Diff(b.lines, got); diff != "" {
		b.t.Errorf("copied lines (want, got):\n%s", diff)
	}
}

// end checks that nothing is missing.
func (b *bounced) end() {
	b.t.Helper()
	w := b.members[0].rest
	w.request(http.MethodPut, "/connectors/"+b.paused+"/resume", nil)
	w.request(http.MethodDelete, "/connectors/"+b.source, nil)
	b.whilePaused.until(time.Minute, "records come again", func(all []*kgo.Record) bool { return len(all) > b.pausedAt })
	all := b.numbers.more(2 * time.Second)
	checkSeqnos(b.t, all, false)
	w.eventually(time.Minute, "the sink has whatever is in the topic", func() error { return sinkHas(b.members, b.sink, all) })
	b.copied()
}

// sinkHas looks for each record in what a Verifiable sink printed.
func sinkHas(members []*member, sink string, all []*kgo.Record) error {
	sunk := map[string]bool{}
	for _, m := range members {
		for text := range strings.SplitSeq(m.rest.log(), "\n") {
			var out struct {
				Name        string
				Task, Seqno *int
				SinkTask    *int `json:"sinkTask"`
			}
			if strings.HasPrefix(text, "{") && json.Unmarshal([]byte(text), &out) == nil && out.Name == sink && out.SinkTask != nil && out.Seqno != nil {
				sunk[fmt.Sprintf("%d:%d", *out.Task, *out.Seqno)] = true
			}
		}
	}
	for _, rec := range all {
		if id := string(rec.Key) + ":" + string(rec.Value); !sunk[id] {
			return fmt.Errorf("%s is missing", id)
		}
	}
	return nil
}

// TestAnExactlyOnceSourceIsBounced is the same with exactly-once support: no number comes
// twice for a reader of committed records.
func TestAnExactlyOnceSourceIsBounced(t *testing.T) {
	const topic = "bounced-once"
	createTopic(t, kafkaClient(t), topic, 1)
	props := exactlyOnce("scheduled.rebalance.max.delay.ms", "500", "session.timeout.ms", "6000", "heartbeat.interval.ms", "1000")
	var workers []*workerProcess
	for range 2 {
		w := newWorker(t, topic, props)
		w.start()
		workers = append(workers, w)
	}
	workers[0].create("numbers", verifiableSource(topic, "tasks.max", "2"))
	r := readTopic(t, topic, kgo.ReadCommitted())
	for round := range 4 {
		w, other := workers[round%2], workers[1-round%2]
		before := len(r.more(300 * time.Millisecond))
		if round < 2 {
			w.stop()
		} else {
			w.kill()
		}
		r.until(time.Minute, "the other worker goes on", func(all []*kgo.Record) bool { return len(all) > before+50 })
		w.start()
		other.awaitRunning("numbers", time.Minute)
	}
	workers[0].delete("numbers")
	checkSeqnos(t, r.more(2*time.Second), true)
}

// jsonLines lets a file connector use the worker's JSON converters with schemas.
func jsonLines(config map[string]string) map[string]string {
	delete(config, "key.converter")
	delete(config, "value.converter")
	return config
}

// awaitLines waits until a file has these lines and no others; a rebalance of a sink may
// repeat some.
func awaitLines(t *testing.T, path string, want ...string) {
	t.Helper()
	slices.Sort(want)
	eventually(t, time.Minute, path+" has all lines", func() error {
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		got := strings.Split(strings.TrimSpace(string(b)), "\n")
		slices.Sort(got)
		if diff := cmp.Diff(want, slices.Compact(got)); diff != "" {
			return errors.New(diff)
		}
		return nil
	})
}

// TestTransformsOfASource puts a line into a struct with the time of its record.
func TestTransformsOfASource(t *testing.T) {
	onEach(t, bothWorkers, func(t *testing.T, m *member) {
		w, topic, in := m.rest, m.unique("transformed"), filepath.Join(t.TempDir(), "in")
		(&lineWriter{t: t, path: in}).append(100)
		createTopic(t, kafkaClient(t), topic, 1)
		w.create(topic, jsonLines(fileSource(in, topic,
			"transforms", "hoistToStruct,insertTimestampField,onlyEven",
			"transforms.hoistToStruct.type", "org.apache.kafka.connect.transforms.HoistField$Value", "transforms.hoistToStruct.field", "content",
			"transforms.insertTimestampField.type", "org.apache.kafka.connect.transforms.InsertField$Value", "transforms.insertTimestampField.timestamp.field", "ts",
			"transforms.onlyEven.type", "org.apache.kafka.connect.transforms.Filter", "transforms.onlyEven.predicate", "other",
			"predicates", "other", "predicates.other.type", "org.apache.kafka.connect.transforms.predicates.TopicNameMatches", "predicates.other.pattern", "an-other-.*")))
		schema := map[string]any{"type": "struct", "optional": false, "fields": []any{
			map[string]any{"field": "content", "type": "string", "optional": false},
			map[string]any{"field": "ts", "name": "org.apache.kafka.connect.data.Timestamp", "type": "int64", "version": 1.0, "optional": true},
		}}
		r := readTopic(t, topic, kgo.ReadUncommitted())
		for i, rec := range r.until(time.Minute, "all lines come", func(all []*kgo.Record) bool { return len(all) >= 100 }) {
			var v struct {
				Schema  map[string]any
				Payload struct {
					Content string
					TS      *int64
				}
			}
			if err := json.Unmarshal(rec.Value, &v); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(schema, v.Schema); diff != "" {
				t.Fatalf("record %d: schema\n%s", i, diff)
			}
			if v.Payload.Content != line(i) || v.Payload.TS == nil || *v.Payload.TS != rec.Timestamp.UnixMilli() {
				t.Fatalf("record %d of %v is %s", i, rec.Timestamp, rec.Value)
			}
		}
		if st := w.awaitState(topic, "RUNNING", "RUNNING"); st.Type != "source" {
			t.Errorf("its type is %q", st.Type)
		}
		var topics map[string]struct{ Topics []string }
		if err := w.client.JSON(t.Context(), http.MethodGet, client.ConnectorURL(w.base, topic, "topics"), nil, &topics); err != nil || len(topics[topic].Topics) != 1 {
			t.Errorf("active topics %v, %v", topics, err)
		}
	})
}

// loggerLevel is an entry of /admin/loggers.
type loggerLevel struct {
	Level        string `json:"level"`
	LastModified *int64 `json:"last_modified"`
}

func (w *workerProcess) loggers() (all map[string]loggerLevel) {
	w.t.Helper()
	w.request(http.MethodGet, "/admin/loggers", &all)
	return all
}

// setLogger changes a level and returns the time of the request in ms.
func (w *workerProcess) setLogger(namespace, level, scope string) int64 {
	w.t.Helper()
	asked, path := time.Now().UnixMilli(), w.base+"/admin/loggers/"+namespace
	if scope != "" {
		path += "?scope=" + scope
	}
	var affected []string
	if err := w.client.JSON(w.t.Context(), http.MethodPut, path, map[string]string{"level": level}, &affected); err != nil {
		w.t.Fatal(err)
	}
	if (scope == "cluster") != (affected == nil) {
		w.t.Errorf("affected loggers of a change of %s with scope %q: %v", namespace, scope, affected)
	}
	for _, name := range affected {
		if !strings.HasPrefix(name, namespace) && namespace != "root" {
			w.t.Errorf("a change of %s affects %s", namespace, name)
		}
	}
	return asked
}

// checkLoggers wants a level of a namespace since a time, or never changed if that is 0.
func checkLoggers(all map[string]loggerLevel, namespace, level string, since int64) error {
	found := 0
	for name, l := range all {
		if !strings.HasPrefix(name, namespace) {
			continue
		}
		found++
		if l.Level != level || (l.LastModified == nil) != (since == 0) || l.LastModified != nil && *l.LastModified < since {
			return fmt.Errorf("%s: %s, changed at %v, want %s since %d", name, l.Level, l.LastModified, level, since)
		}
	}
	if found == 0 {
		return fmt.Errorf("no logger %s", namespace)
	}
	return nil
}

func otherLevel(level string) string {
	if level == "INFO" {
		return "WARN"
	}
	return "INFO"
}

// TestLogLevelsAreChanged is Kafka's test of dynamic log levels; what only several workers
// show is tested with ours.
func TestLogLevelsAreChanged(t *testing.T) {
	onEach(t, bothWorkers, func(t *testing.T, m *member) { changeLevels(t, m, nil) })
}

func TestLogLevelsOfAClusterAreChanged(t *testing.T) {
	g := newMixedGroup(t, "levels", quick())
	first, second := g.addOurs("first"), g.addOurs("second")
	first.loggers = first.rest.loggers()
	changeLevels(t, first, second)
}

// changeLevels changes levels of a worker, and of the cluster that it and the other are.
func changeLevels(t *testing.T, m, other *member) {
	t.Helper()
	w := m.rest
	initial := m.loggers
	if _, ok := initial["root"]; !ok || len(initial) < 2 {
		t.Fatalf("the loggers are %v", initial)
	}
	names := slices.DeleteFunc(slices.Sorted(maps.Keys(initial)), func(name string) bool { return name == "root" })
	for name, l := range initial {
		if l.LastModified != nil {
			t.Errorf("%s was changed", name)
		}
	}
	namespace := names[0]
	level := otherLevel(w.loggers()[namespace].Level)
	asked := w.setLogger(namespace, level, "")
	if err := checkLoggers(w.loggers(), namespace, level, asked); err != nil {
		t.Error(err)
	}
	all := []*member{m}
	if other != nil {
		all = append(all, other)
		if err := checkLoggers(other.rest.loggers(), namespace, initial[namespace].Level, 0); err != nil {
			t.Errorf("on the other worker: %v", err)
		}
	}
	set := func(namespace, level string) {
		t.Helper()
		asked := w.setLogger(namespace, level, "cluster")
		for _, m := range all {
			w.eventually(20*time.Second, "the level is changed everywhere", func() error {
				return checkLoggers(m.rest.loggers(), namespace, level, asked)
			})
		}
	}
	w.setLogger("root", "DEBUG", "cluster")
	set("root", "INFO")
	set(namespace, "DEBUG")
	before := w.loggers()[namespace]
	w.setLogger(namespace, "DEBUG", "cluster") // changes nothing
	if last := names[len(names)-1]; !strings.HasPrefix(last, namespace) {
		set(last, "WARN") // comes after it
	}
	if diff := cmp.Diff(before, w.loggers()[namespace]); diff != "" {
		t.Errorf("the same level again changes the logger:\n%s", diff)
	}
}
