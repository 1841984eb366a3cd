package worker

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/data"
	"github.com/penstock-io/penstock/connect/settings"
	"github.com/penstock-io/penstock/connect/tolerance"
	"github.com/penstock-io/penstock/internal/kafka"
	"github.com/penstock-io/penstock/internal/kafkatest"
)

// fakeLetters is a producer whose acknowledgements the test decides about.
type fakeLetters struct {
	mu      sync.Mutex
	sent    []kafka.ProducerRecord
	waiting []func(error)
	hold    bool  // acknowledge when release is called
	err     error // of every acknowledgement
	sendErr error // of SendAsync
	full    chan struct{}
	closed  bool
}

func (p *fakeLetters) SendAsync(ctx context.Context, records []kafka.ProducerRecord, acked func([]kafka.Ack)) error {
	if p.full != nil {
		close(p.full)
		<-ctx.Done()
		return &kafka.SendError{Err: ctx.Err()}
	}
	if p.sendErr != nil {
		return &kafka.SendError{Err: p.sendErr}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sent = append(p.sent, records...)
	ack := func(err error) { acked([]kafka.Ack{{Err: err}}) }
	if p.hold {
		p.waiting = append(p.waiting, ack)
		return nil
	}
	ack(p.err)
	return nil
}

func (p *fakeLetters) release(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, ack := range p.waiting {
		ack(err)
	}
	p.waiting = nil
}

func (p *fakeLetters) CloseNow() {
	p.release(kafka.ErrClosed)
	p.closed = true
}

// withLetters gives the rig a dead letter queue.
func (r *rig) withLetters(p *fakeLetters) *rig {
	q := newDeadLetterQueue(r.task.id, settings.DeadLetterQueue{Topic: "dlq", ReplicationFactor: 3, ContextHeaders: true}, &r.task.operator.Metrics, zap.NewNop())
	q.connect = func(context.Context) (asyncProducer, error) { return p, nil }
	r.task.dead = q
	return r
}

var tolerateAll = tolerance.Config{All: true}

func TestDeadLetter(t *testing.T) {
	rec := &connect.SinkRecord{Record: connect.Record{Topic: "renamed", Offset: 9}, Original: connect.TopicPartition{Topic: "t", Partition: 2}}
	raw := &kafka.Record{Offset: 9, Timestamp: 77, Value: []byte("value"), Headers: []kafka.Header{{Key: "own", Value: []byte("x")}, {Key: "null"}}}
	header := func(name, text string) kafka.Header {
		return kafka.Header{Key: "__connect.errors." + name, Value: []byte(text)}
	}
	cause := &data.Error{Msg: "no such field", Err: &connect.Error{Class: "java.io.IOException", Msg: "eof"}}
	for _, tc := range []struct {
		name    string
		context bool
		err     error
		time    int64
		want    []kafka.Header
	}{
		{name: "plain", err: cause, time: 77},
		{name: "without a time", err: cause, time: -1},
		{name: "with an impossible time", err: cause, time: -5},
		{name: "with context", context: true, err: cause, time: 77, want: []kafka.Header{
			header("topic", "t"), header("partition", "2"), header("offset", "9"), header("connector.name", "c"), header("task.id", "4"),
			header("stage", "TRANSFORMATION"), header("class.name", "org.example.T"),
			header("exception.class.name", "org.apache.kafka.connect.errors.DataException"), header("exception.message", "no such field"),
			header("exception.stacktrace", "org.apache.kafka.connect.errors.DataException: no such field\nCaused by: java.io.IOException: eof\n"),
		}},
		{name: "without a message", context: true, err: &connect.DataError{}, time: 77, want: []kafka.Header{
			header("topic", "t"), header("partition", "2"), header("offset", "9"), header("connector.name", "c"), header("task.id", "4"),
			header("stage", "TRANSFORMATION"), header("class.name", "org.example.T"),
			header("exception.class.name", "org.apache.kafka.connect.errors.DataException"), {Key: "__connect.errors.exception.message"},
			header("exception.stacktrace", "org.apache.kafka.connect.errors.DataException\n"),
		}},
		{name: "without secrets", context: true, err: &connect.DataError{Msg: "no login as hunter2"}, time: 77, want: []kafka.Header{
			header("topic", "t"), header("partition", "2"), header("offset", "9"), header("connector.name", "c"), header("task.id", "4"),
			header("stage", "TRANSFORMATION"), header("class.name", "org.example.T"),
			header("exception.class.name", "org.apache.kafka.connect.errors.DataException"), header("exception.message", "no login as [hidden]"),
			header("exception.stacktrace", "org.apache.kafka.connect.errors.DataException: no login as [hidden]\n"),
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := &fakeLetters{}
			q := newDeadLetterQueue(connect.TaskID{Connector: "c", Task: 4}, settings.DeadLetterQueue{Topic: "dlq", ContextHeaders: tc.context}, &tolerance.Metrics{}, zap.NewNop())
			q.producer, q.hide = p, strings.NewReplacer("hunter2", "[hidden]").Replace
			fetched := *raw
			fetched.Value, fetched.Headers, fetched.Timestamp = []byte("value"), slices.Clone(raw.Headers), tc.time
			if err := q.report(t.Context(), tolerance.Failure{Stage: tolerance.Transformation, Class: "org.example.T", Record: rec, Raw: &fetched, Err: tc.err}); err != nil {
				t.Fatal(err)
			}
			copy(fetched.Value, "XXXXX") // the batch is let go of
			clear(fetched.Headers)
			want := []kafka.ProducerRecord{{Topic: "dlq", Partition: -1, Timestamp: max(tc.time, -1), Value: []byte("value"),
				Headers: append(slices.Clone(raw.Headers), tc.want...)}}
			if diff := cmp.Diff(want, p.sent); diff != "" {
				t.Errorf("sent (-want +got):\n%s", diff)
			}
			if q.metrics.DeadLetterRequests.Load() != 1 || q.metrics.DeadLetterFailures.Load() != 0 || q.underWay(nil) {
				t.Errorf("state %+v", q)
			}
		})
	}
}

// reporting makes the task report records with that value.
func (r *rig) reporting(value string) {
	r.sink.put = func(records []connect.SinkRecord) error {
		for i := range records {
			if v, _ := records[i].Value.Value(); v == value {
				if err := r.sink.tc.ReportErrant(&records[i], errors.New("not for me")); err != nil {
					return err
				}
			}
		}
		return nil
	}
}

// committed returns the last commit of the trace.
func committed(lines []string) string {
	last := ""
	for _, l := range lines {
		if strings.HasPrefix(l, "commit") {
			last = l
		}
	}
	return last
}

func TestNoCommitBeyondALetterUnderWay(t *testing.T) {
	for _, value := range []string{"bad", "errant"} { // not converted, not written
		p := &fakeLetters{hold: true}
		var r *rig
		request := func(*fakeConsumer) []kafka.Batch { r.sink.tc.RequestCommit(); return nil }
		release := func(*fakeConsumer) []kafka.Batch { p.release(nil); r.sink.tc.RequestCommit(); return nil }
		r = newRig(t, tolerateAll, assign(tp0, tp1), fetch(tp0, 5, "a", value, "b", "c"), fetch(tp1, 0, "d"), request, nothing, release, nothing, nothing).withLetters(p)
		r.reporting("errant")
		got := r.run()
		want := []string{"commit map[t-0:6 t-1:1]", "commit map[t-0:9 t-1:1]"}
		var commits []string
		for _, l := range got {
			if strings.HasPrefix(l, "commit map") {
				commits = append(commits, l)
			}
		}
		if diff := cmp.Diff(want, commits); diff != "" {
			t.Errorf("%s: commits (-want +got):\n%s\n%s", value, diff, strings.Join(got, "\n"))
		}
		if len(p.sent) != 1 || string(p.sent[0].Value) != value || !p.closed {
			t.Errorf("%s: sent %v", value, p.sent)
		}
	}
}

// A commit that was held back does not wait for the next interval.
func TestAHeldBackCommitIsMadeUpFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &fakeLetters{hold: true}
		r := newRig(t, tolerateAll, assign(tp0), fetch(tp0, 0, "a", "bad"), func(c *fakeConsumer) []kafka.Batch { return nil }).withLetters(p)
		r.sink.put = func([]connect.SinkRecord) error { return nil }
		start, last := time.Now(), time.Duration(0)
		r.consumer.onCommit = func(offsets map[connect.TopicPartition]int64) {
			if last = time.Since(start); offsets[tp0] == 2 {
				r.task.requestStop()
			}
		}
		time.AfterFunc(r.task.flushInterval+1500*time.Millisecond, func() { p.release(nil) })
		go r.task.run(t.Context(), r.task)
		<-r.task.done
		if want := r.task.flushInterval + 2*heldBackInterval; last != want {
			t.Errorf("committed after %v, want %v\n%s", last, want, strings.Join(r.all(), "\n"))
		}
	})
}

func TestAClosingCommitWaitsForLettersButNotForEver(t *testing.T) {
	for _, tc := range []struct {
		name    string
		release time.Duration
		want    string
		took    time.Duration
	}{
		{"written in time", 3 * time.Second, "commit at close map[t-0:3]", 3 * time.Second},
		{"too late", time.Hour, "commit at close map[t-0:1]", 5 * time.Second},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := &fakeLetters{hold: true}
				r := newRig(t, tolerateAll, assign(tp0), fetch(tp0, 0, "a", "bad", "b")).withLetters(p)
				r.task.flushTimeout = 5 * time.Second
				time.AfterFunc(tc.release, func() { p.release(nil) })
				start := time.Now()
				got := r.run()
				if committed(got) != tc.want || time.Since(start) != tc.took || got[len(got)-1] != "status UNASSIGNED" {
					t.Errorf("after %v\n%s", time.Since(start), strings.Join(got, "\n"))
				}
			})
		})
	}
}

func TestRevokedPartitionsWaitForTheirLetters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &fakeLetters{hold: true}
		revoke := func(c *fakeConsumer) []kafka.Batch {
			time.AfterFunc(time.Second, func() { p.release(nil) })
			if err := c.listener.Revoked(t.Context(), []connect.TopicPartition{tp0}); err != nil {
				t.Error(err)
			}
			c.assigned = nil
			return nil
		}
		r := newRig(t, tolerateAll, assign(tp0), fetch(tp0, 0, "a", "bad"), revoke).withLetters(p)
		if got := r.run(); committed(got) != "commit at close map[t-0:2]" {
			t.Error(strings.Join(got, "\n"))
		}
	})
}

func TestLettersThatCannotBeWritten(t *testing.T) {
	failed := errors.New("no leader")
	for _, tc := range []struct {
		name     string
		value    string
		letters  *fakeLetters
		commit   string
		status   string
		failures int64
	}{
		// As in the JVM: logged, counted, and gone.
		{"of a converter", "bad", &fakeLetters{err: failed}, "commit at close map[t-0:3]", "status UNASSIGNED", 1},
		{"of a converter, not even queued", "bad", &fakeLetters{sendErr: failed}, "commit at close map[t-0:3]", "status UNASSIGNED", 1},
		// The task was promised that the record is kept.
		{"of the task", "errant", &fakeLetters{err: failed}, "commit at close map[t-0:1]", "status FAILED", 1},
		{"of the task, not even queued", "errant", &fakeLetters{sendErr: failed}, "commit at close map[t-0:1]", "status FAILED", 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var r *rig
			request := func(*fakeConsumer) []kafka.Batch { r.sink.tc.RequestCommit(); return nil }
			r = newRig(t, tolerateAll, assign(tp0), fetch(tp0, 0, "a", tc.value, "b"), request, nothing).withLetters(tc.letters)
			if strings.HasSuffix(tc.commit, ":3]") {
				r.consumer.script = r.consumer.script[:2] // no commit but the last
			}
			r.reporting("errant")
			got := r.run()
			if committed(got) != tc.commit || got[len(got)-1] != tc.status || r.task.operator.DeadLetterFailures.Load() != tc.failures {
				t.Errorf("%d failures\n%s", r.task.operator.DeadLetterFailures.Load(), strings.Join(got, "\n"))
			}
		})
	}
}

// A closing commit finds out too: the task has no other chance.
func TestALetterThatFailsAtTheEndFailsTheTask(t *testing.T) {
	r := newRig(t, tolerateAll, assign(tp0), fetch(tp0, 0, "a", "errant")).withLetters(&fakeLetters{err: errors.New("no leader")})
	r.reporting("errant")
	revoke := func(c *fakeConsumer) []kafka.Batch {
		err := c.listener.Revoked(t.Context(), []connect.TopicPartition{tp0})
		if err == nil || !strings.Contains(err.Error(), "topic t, partition 0, offset 1") || errors.Unwrap(err).Error() != "no leader" {
			t.Errorf("error %v", err)
		}
		c.assigned = nil
		return nil
	}
	r.consumer.script = append(r.consumer.script, revoke)
	if got := r.run(); committed(got) != "commit at close map[t-0:1]" {
		t.Error(strings.Join(got, "\n"))
	}
}

// What cannot be queued before the stop is read again.
func TestAStopWhileTheQueueIsFull(t *testing.T) {
	for _, value := range []string{"bad", "errant"} {
		p := &fakeLetters{full: make(chan struct{})}
		r := newRig(t, tolerateAll, assign(tp0), fetch(tp0, 0, "a"), fetch(tp0, 1, "b", value)).withLetters(p)
		r.reporting("errant")
		core, logged := observer.New(zap.WarnLevel)
		r.task.log = zap.New(core)
		go func() {
			<-p.full
			r.task.requestStop()
		}()
		got := r.run()
		if committed(got) != "commit at close map[t-0:1]" || got[len(got)-1] != "status UNASSIGNED" ||
			logged.FilterMessageSnippet("failed").Len() > 0 {
			t.Errorf("%s: %v\n%s", value, logged.All(), strings.Join(got, "\n"))
		}
	}
}

func TestADeadLetterQueueThatCannotBeMade(t *testing.T) {
	r := newRig(t, tolerateAll).withLetters(nil)
	r.task.dead.connect = func(context.Context) (asyncProducer, error) { return nil, kafka.ErrAuthorization }
	err := r.task.start(t.Context())
	if err == nil || !strings.HasPrefix(err.Error(), "Could not initialize dead letter queue with topic=dlq") || !errors.Is(err, kafka.ErrAuthorization) {
		t.Errorf("error %v", err)
	}
	if err := r.task.finish(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestWithoutToleranceTheLetterIsWrittenAndTheTaskFails(t *testing.T) {
	for _, value := range []string{"bad", "errant"} {
		p := &fakeLetters{}
		r := newRig(t, tolerance.Config{}, assign(tp0), fetch(tp0, 0, "a", value)).withLetters(p)
		r.reporting("errant")
		got := r.run()
		if len(p.sent) != 1 || committed(got) != "" || got[len(got)-1] != "status FAILED" {
			t.Errorf("%s: sent %v\n%s", value, p.sent, strings.Join(got, "\n"))
		}
	}
}

func TestATaskThatIgnoresARefusedReportFails(t *testing.T) {
	for _, result := range []error{nil, &connect.RetriableError{Err: errors.New("later")}} {
		r := newRig(t, tolerance.Config{}, assign(tp0), fetch(tp0, 0, "a"))
		r.sink.put = func(records []connect.SinkRecord) error {
			if len(records) > 0 {
				_ = r.sink.tc.ReportErrant(&records[0], errors.New("x"))
			}
			return result
		}
		if got := r.run(); committed(got) != "" || got[len(got)-1] != "status FAILED" {
			t.Errorf("%v:\n%s", result, strings.Join(got, "\n"))
		}
	}
}

// What is reported later than at the first put has its raw bytes all the same, although the
// consumer has reused its records; a record of the task's own is made anew.
func TestRawBytesOfReportedRecords(t *testing.T) {
	p := &fakeLetters{}
	var polled []kafka.Record
	first := func(*fakeConsumer) []kafka.Batch {
		polled = []kafka.Record{{Offset: 3, Timestamp: 1, Key: []byte("k"), Value: []byte("v"), Headers: []kafka.Header{{Key: "h", Value: []byte("x")}}}, {Offset: 5, Timestamp: 2}}
		return []kafka.Batch{{TopicPartition: tp0, Records: polled}}
	}
	reuse := func(*fakeConsumer) []kafka.Batch { clear(polled[0].Headers); clear(polled); return nil }
	r := newRig(t, tolerateAll, assign(tp0), first, reuse).withLetters(p)
	r.task.dead.settings.ContextHeaders = false
	puts := 0
	r.sink.put = func(records []connect.SinkRecord) error {
		if len(records) == 0 {
			return nil
		}
		if puts++; puts == 1 {
			return &connect.RetriableError{Err: errors.New("later")}
		}
		changed := records[0]
		changed.Topic, changed.Headers = "other", nil
		changed.Value.SetValue(nil, "changed")
		own := connect.SinkRecord{Record: connect.Record{Topic: "mine", Partition: 7, Offset: 1, Timestamp: 4, Headers: []connect.Header{{Key: "n", Value: "y"}}}}
		own.Value.SetValue(nil, "made")
		for _, rec := range []*connect.SinkRecord{&changed, &own, &records[1]} {
			if err := r.sink.tc.ReportErrant(rec, errors.New("x")); err != nil {
				t.Error(err)
			}
		}
		return nil
	}
	r.task.convert.converters = &converters{key: rawText{}, value: rawText{}, header: rawText{}}
	got := r.run()
	want := []kafka.ProducerRecord{
		{Topic: "dlq", Partition: -1, Timestamp: 1, Key: []byte("k"), Value: []byte("v"), Headers: []kafka.Header{{Key: "h", Value: []byte("x")}}},
		{Topic: "dlq", Partition: -1, Timestamp: 4, Value: []byte("made"), Headers: []kafka.Header{{Key: "n", Value: []byte("y")}}},
		{Topic: "dlq", Partition: -1, Timestamp: 2, Headers: []kafka.Header{}},
	}
	if diff := cmp.Diff(want, p.sent); diff != "" {
		t.Errorf("sent (-want +got):\n%s\n%s", diff, strings.Join(got, "\n"))
	}
}

// rawText is a textConverter that converts back as well.
type rawText struct{ textConverter }

func (rawText) ToConnect(_ string, raw []byte, out *data.Datum) error {
	if raw == nil {
		out.SetValue(nil, nil)
		return nil
	}
	return textConverter{}.ToConnect("", raw, out)
}

func (rawText) FromConnect(_ string, _ *data.Schema, v any) ([]byte, error) {
	if v == nil {
		return nil, nil
	}
	return []byte(v.(string)), nil
}

func (rawText) FromConnectHeader(_, _ string, _ *data.Schema, v any) ([]byte, error) {
	return []byte(v.(string)), nil
}

func TestDeadLettersOnKafka(t *testing.T) {
	cluster := kafkatest.New(t)
	cluster.Topic("there", 4)
	partitions := map[string]int{"new": 1, "there": 4}
	for topic, want := range partitions {
		m := &tolerance.Metrics{}
		q := newDeadLetterQueue(connect.TaskID{Connector: "c"}, settings.DeadLetterQueue{Topic: topic, ReplicationFactor: 3}, m, zap.NewNop())
		q.connect = connectDeadLetters(q.settings, cluster.Props(), cluster.Props(), zap.NewNop())
		if err := q.start(t.Context()); err != nil {
			t.Fatal(err)
		}
		for offset := range int64(3) {
			rec := &connect.SinkRecord{Record: connect.Record{Offset: offset}, Original: tp0}
			raw := &kafka.Record{Offset: offset, Timestamp: 5, Key: []byte("k"), Value: []byte("v")}
			if err := q.report(t.Context(), tolerance.Failure{Stage: tolerance.TaskPut, Record: rec, Raw: raw}); err != nil {
				t.Fatal(err)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		q.close(ctx)
		cancel()
		if q.underWay(nil) || m.DeadLetterFailures.Load() != 0 {
			t.Errorf("%s: %+v", topic, q)
		}
		if cluster.PartitionInfo(topic, int32(want-1)) == nil || cluster.PartitionInfo(topic, int32(want)) != nil {
			t.Errorf("%s does not have %d partitions", topic, want)
		}
		client, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.ConsumeTopics(topic))
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for n < 3 && t.Context().Err() == nil {
			client.PollFetches(t.Context()).EachRecord(func(r *kgo.Record) {
				n++
				if string(r.Key) != "k" || r.Timestamp.UnixMilli() != 5 {
					t.Errorf("%s: record %v", topic, r)
				}
			})
		}
		client.Close()
	}
}
