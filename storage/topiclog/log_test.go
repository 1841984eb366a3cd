package topiclog

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/goleak"
	"go.uber.org/zap"

	"github.com/penstock-io/penstock/internal/kafka"
	"github.com/penstock-io/penstock/internal/kafkatest"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("github.com/rcrowley/go-metrics.(*meterArbiter).tick"))
}

const (
	topic    = "compacted"
	patience = 20 * time.Second
)

// table is what a user of a log keeps.
type table struct {
	mu      sync.Mutex
	values  map[string]string
	changed chan struct{}
}

func newTable() *table { return &table{values: map[string]string{}, changed: make(chan struct{})} }

func (x *table) read(b kafka.Batch) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, r := range b.Records {
		if r.Value == nil {
			delete(x.values, string(r.Key))
		} else {
			x.values[string(r.Key)] = string(r.Value)
		}
	}
	close(x.changed)
	x.changed = make(chan struct{})
}

func (x *table) get(key string) string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.values[key]
}

func (x *table) all() map[string]string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return maps.Clone(x.values)
}

// await waits until a key has a value.
func (x *table) await(t *testing.T, key, value string) {
	t.Helper()
	limit := time.NewTimer(patience)
	defer limit.Stop()
	for {
		x.mu.Lock()
		got, changed := x.values[key], x.changed
		x.mu.Unlock()
		if got == value {
			return
		}
		select {
		case <-changed:
		case <-limit.C:
			t.Fatalf("%s is %q, want %q", key, got, value)
		}
	}
}

func options(t *testing.T, c *kafkatest.Cluster, x *table, consumer ...string) Options {
	t.Helper()
	// The short time lets a test see what happens when it is over.
	admin, err := kafka.NewClient(t.Context(), c.Props("default.api.timeout.ms", "2000"), zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = admin.Close() })
	return Options{Topic: topic, Producer: c.Props("enable.idempotence", "false"), Consumer: c.Props(consumer...), Admin: admin, Read: x.read, Log: zap.NewNop()}
}

// start opens and follows a log that is closed with the test.
func start(t *testing.T, c *kafkatest.Cluster, x *table, consumer ...string) *Log {
	t.Helper()
	l, err := Open(t.Context(), options(t, c, x, consumer...))
	if err != nil {
		t.Fatal(err)
	}
	l.Follow()
	t.Cleanup(func() { must(t, l.Close()) })
	return l
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestOpenReadsEverything(t *testing.T) {
	c := kafkatest.New(t)
	c.Topic(topic, 3, "cleanup.policy", "compact")
	first := start(t, c, newTable())
	want := map[string]string{}
	var recs []Record
	for i := range 2000 { // more than one poll returns
		k, v := fmt.Sprintf("k%d", i), fmt.Sprintf("v%d", i)
		recs = append(recs, Record{k, []byte(v)})
		want[k] = v
	}
	recs = append(recs, Record{"k7", nil}, Record{"k8", []byte("new")})
	delete(want, "k7")
	want["k8"] = "new"
	must(t, first.Append(t.Context(), recs...))
	x := newTable()
	l, err := Open(t.Context(), options(t, c, x))
	must(t, err)
	defer l.Close()
	if diff := cmp.Diff(want, x.all()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if l.Partitions() != 3 {
		t.Errorf("%d partitions", l.Partitions())
	}
}

func TestWhatWasWrittenIsRead(t *testing.T) {
	c := kafkatest.New(t)
	c.Topic(topic, 2)
	x, other := newTable(), newTable()
	l := start(t, c, x)
	start(t, c, other)
	for i := range 20 {
		v := fmt.Sprint(i)
		must(t, l.Append(t.Context(), Record{"a", []byte(v)}, Record{"b", []byte(v)}))
		must(t, l.ReadToEnd(t.Context()))
		if x.get("a") != v || x.get("b") != v {
			t.Fatalf("after %s: %v", v, x.all())
		}
	}
	other.await(t, "b", "19") // another reader follows
}

func TestManyWait(t *testing.T) {
	c := kafkatest.New(t)
	c.Topic(topic, 4)
	x := newTable()
	l := start(t, c, x)
	var wg sync.WaitGroup
	for i := range 20 {
		key := fmt.Sprint(i)
		wg.Go(func() {
			if err := errors.Join(l.Append(t.Context(), Record{key, []byte("v")}), l.ReadToEnd(t.Context())); err != nil {
				t.Error(err)
			}
			if x.get(key) != "v" {
				t.Errorf("%s is not there", key)
			}
		})
	}
	wg.Wait()
}

func TestTheEndMayLieBehindMarkersAndGaps(t *testing.T) {
	c := kafkatest.New(t)
	c.Topic(topic, 1, "cleanup.policy", "compact", "min.cleanable.dirty.ratio", "0", "segment.ms", "1")
	record := func(key, value string) *kafkatest.Record {
		return &kafkatest.Record{Topic: topic, Key: []byte(key), Value: []byte(value)}
	}
	c.Produce("none", record("a", "1"), record("a", "2"))
	c.Compact()
	txn := c.Begin("t")
	txn.Produce(record("b", "committed"))
	txn.End(true)
	txn = c.Begin("t")
	txn.Produce(record("c", "aborted"))
	txn.End(false)
	x := newTable()
	l := start(t, c, x, "isolation.level", "read_committed")
	if diff := cmp.Diff(map[string]string{"a": "2", "b": "committed"}, x.all()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	// An open transaction at the end is waited for: its writer may be the leader.
	txn = c.Begin("t")
	txn.Produce(record("d", "slow"))
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if err := l.ReadToEnd(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("reading to the end of an open transaction: %v", err)
	}
	txn.End(true)
	must(t, l.ReadToEnd(t.Context()))
	if x.get("d") != "slow" {
		t.Error("the transaction was not read")
	}
}

// TestAWorkerStartsBesideTheTransactionsOfADeadOne opens the topic while a transaction is
// open that nobody will end for long.
func TestAWorkerStartsBesideTheTransactionsOfADeadOne(t *testing.T) {
	c := kafkatest.New(t)
	c.Topic(topic, 1, "cleanup.policy", "compact")
	c.Produce("none", &kafkatest.Record{Topic: topic, Key: []byte("a"), Value: []byte("1")})
	txn := c.Begin("dead")
	txn.Produce(&kafkatest.Record{Topic: topic, Key: []byte("b"), Value: []byte("2")})
	x := newTable()
	o := options(t, c, x, "isolation.level", "read_committed")
	o.Stable = true
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	l, err := Open(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { must(t, l.Close()) }()
	l.Follow()
	if x.get("a") != "1" {
		t.Error("what was committed is not there")
	}
	short, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if err := l.ReadToEnd(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("reading to the end of an open transaction: %v", err)
	}
	txn.End(true)
	must(t, l.ReadToEnd(t.Context()))
	if x.get("b") != "2" {
		t.Error("the transaction was not read")
	}
}

func down(c *kafkatest.Cluster) {
	for id := range int32(3) {
		c.Down(id)
	}
}

func up(c *kafkatest.Cluster) {
	for id := range int32(3) {
		c.Up(id)
	}
}

func TestOutage(t *testing.T) {
	c := kafkatest.New(t)
	c.Topic(topic, 3)
	x := newTable()
	l := start(t, c, x)
	must(t, l.Append(t.Context(), Record{"a", []byte("before")}))
	x.await(t, "a", "before")
	down(c)
	short, cancel := context.WithTimeoutCause(t.Context(), 500*time.Millisecond, errors.New("the caller's time is over"))
	defer cancel()
	if err := l.Append(short, Record{"b", []byte("lost")}); err == nil || !strings.Contains(err.Error(), "the caller's time is over") {
		t.Errorf("append during the outage: %v", err)
	}
	if err := l.ReadToEnd(short); err == nil || !strings.Contains(err.Error(), "the caller's time is over") {
		t.Errorf("read during the outage: %v", err)
	}
	done := make(chan error, 1)
	go func() {
		done <- errors.Join(l.Append(t.Context(), Record{"c", []byte("patient")}), l.ReadToEnd(t.Context()))
	}()
	up(c)
	select {
	case err := <-done:
		must(t, err)
	case <-time.After(patience):
		t.Fatal("nothing goes on after the outage")
	}
	if x.get("c") != "patient" {
		t.Error("the record is not there")
	}
}

func TestOpenDuringAnOutage(t *testing.T) {
	c := kafkatest.New(t)
	c.Topic(topic, 1)
	o := options(t, c, newTable())
	down(c)
	ctx, cancel := context.WithTimeoutCause(t.Context(), 200*time.Millisecond, errors.New("stopped"))
	defer cancel()
	if _, err := Open(ctx, o); err == nil || !strings.Contains(err.Error(), "stopped") {
		t.Errorf("error %v", err)
	}
	done := make(chan error, 1)
	go func() {
		l, err := Open(t.Context(), o)
		if err == nil {
			err = l.Close()
		}
		done <- err
	}()
	up(c)
	select {
	case err := <-done:
		must(t, err)
	case <-time.After(patience):
		t.Fatal("the log is not opened after the outage")
	}
}

func TestTheTopicMayComeLater(t *testing.T) {
	c := kafkatest.New(t)
	asked := c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Metadata}, Observe: true, Count: -1})
	defer asked.Remove()
	o := options(t, c, newTable())
	done := make(chan error, 1)
	go func() {
		l, err := Open(t.Context(), o)
		if err == nil {
			err = l.Close()
		}
		done <- err
	}()
	c.Await(asked, 2)
	c.Topic(topic, 1)
	select {
	case err := <-done:
		must(t, err)
	case <-time.After(patience):
		t.Fatal("the topic was not found")
	}
}

func TestAMissingTopic(t *testing.T) {
	c := kafkatest.New(t)
	_, err := open(t.Context(), options(t, c, newTable()), 300*time.Millisecond)
	want := "Could not look up partition metadata for topic 'compacted' in the allotted period."
	if err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("error %v, want %s", err, want)
	}
}

func TestWithoutAProducer(t *testing.T) {
	c := kafkatest.New(t)
	c.Topic(topic, 1)
	x := newTable()
	o := options(t, c, x)
	o.Producer = nil
	l, err := Open(t.Context(), o)
	must(t, err)
	l.Follow()
	if err := l.Append(t.Context(), Record{"a", []byte("1")}); !errors.Is(err, errReadOnly) {
		t.Errorf("error %v", err)
	}
	c.Produce("none", &kafkatest.Record{Topic: topic, Key: []byte("a"), Value: []byte("2")})
	must(t, l.ReadToEnd(t.Context()))
	if x.get("a") != "2" {
		t.Error("what another producer wrote is not there")
	}
	must(t, l.Close())
}

func TestWrongClientSettings(t *testing.T) {
	c := kafkatest.New(t)
	c.Topic(topic, 1)
	o := options(t, c, newTable())
	o.Consumer["fetch.min.bytes"] = "-1"
	if _, err := Open(t.Context(), o); err == nil || !strings.Contains(err.Error(), "consumer of topic compacted") {
		t.Errorf("error %v", err)
	}
	o.Producer["acks"] = "7"
	if _, err := Open(t.Context(), o); err == nil || !strings.Contains(err.Error(), "producer of topic compacted") {
		t.Errorf("error %v", err)
	}
}

func TestErrorsOfBrokers(t *testing.T) {
	tests := []struct {
		name  string
		key   kmsg.Key
		code  *kerr.Error
		count int
		want  error // nil: it passes
	}{
		{"the leader moved while writing", kmsg.Produce, kerr.NotLeaderForPartition, 2, nil},
		{"too few replicas", kmsg.Produce, kerr.NotEnoughReplicas, 2, nil},
		{"writing is forbidden", kmsg.Produce, kerr.TopicAuthorizationFailed, 1, kafka.ErrAuthorization},
		{"the leader moved while looking for the end", kmsg.ListOffsets, kerr.NotLeaderForPartition, 2, nil},
		{"a broker gave up looking for the end", kmsg.ListOffsets, kerr.RequestTimedOut, 2, nil},
		{"looking for the end is forbidden", kmsg.ListOffsets, kerr.TopicAuthorizationFailed, 1, kafka.ErrAuthorization},
		{"the leader moved while reading", kmsg.Fetch, kerr.NotLeaderForPartition, 2, nil},
		{"a broker's disk fails while reading", kmsg.Fetch, kerr.KafkaStorageError, 2, nil},
		{"a broker is confused while reading", kmsg.Fetch, kerr.UnknownServerError, 2, nil},
		{"the position is out of range", kmsg.Fetch, kerr.OffsetOutOfRange, 1, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := kafkatest.New(t)
			c.Topic(topic, 1)
			x := newTable()
			l := start(t, c, x)
			fault := c.Fault(kfake.Fault{Keys: []kmsg.Key{tt.key}, Err: tt.code, Count: tt.count})
			err := l.Append(t.Context(), Record{"a", []byte("1")})
			if err == nil {
				err = l.ReadToEnd(t.Context())
			}
			if !errors.Is(err, tt.want) {
				t.Fatalf("error %v, want %v", err, tt.want)
			}
			c.Await(fault, tt.count)
			// Whatever happened, the log goes on.
			must(t, l.Append(t.Context(), Record{"b", []byte("2")}))
			must(t, l.ReadToEnd(t.Context()))
			if x.get("b") != "2" {
				t.Error("the log does not go on")
			}
		})
	}
}

func TestReadingIsForbidden(t *testing.T) {
	c := kafkatest.New(t)
	c.Topic(topic, 1)
	fault := c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Err: kerr.TopicAuthorizationFailed, Count: -1})
	x := newTable()
	o := options(t, c, x)
	// An empty topic needs no fetch; one with records does.
	c.Produce("none", &kafkatest.Record{Topic: topic, Key: []byte("a"), Value: []byte("1")})
	if _, err := Open(t.Context(), o); !errors.Is(err, kafka.ErrAuthorization) {
		t.Errorf("error %v", err)
	}
	fault.Remove()
	l, err := Open(t.Context(), o)
	must(t, err)
	l.Follow()
	defer l.Close()
	fault = c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Err: kerr.TopicAuthorizationFailed, Count: -1})
	must(t, l.Append(t.Context(), Record{"a", []byte("2")}))
	c.Await(fault, 1)
	if err := l.ReadToEnd(t.Context()); !errors.Is(err, kafka.ErrAuthorization) {
		t.Errorf("error %v", err)
	}
	fault.Remove()
	x.await(t, "a", "2") // the reader did not give up
}

func TestATopicThatIsMadeAnew(t *testing.T) {
	c := kafkatest.New(t)
	c.Topic(topic, 1)
	x := newTable()
	l := start(t, c, x)
	for range 3 {
		must(t, l.Append(t.Context(), Record{"a", []byte("old")}))
	}
	must(t, l.ReadToEnd(t.Context()))
	must(t, c.DeleteTopic(topic))
	c.Topic(topic, 1)
	must(t, l.Append(t.Context(), Record{"a", []byte("new")}))
	x.await(t, "a", "new")
}

func TestClose(t *testing.T) {
	c := kafkatest.New(t)
	c.Topic(topic, 1)
	l, err := Open(t.Context(), options(t, c, newTable()))
	must(t, err)
	l.Follow()
	stuck := c.Fault(
		kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.NotEnoughReplicas, Count: -1},
		kfake.Fault{Keys: []kmsg.Key{kmsg.ListOffsets}, Err: kerr.LeaderNotAvailable, Count: -1})
	errs := make(chan error, 2)
	go func() { errs <- l.Append(t.Context(), Record{"a", []byte("1")}) }()
	go func() { errs <- l.ReadToEnd(t.Context()) }()
	c.Await(stuck, 4)
	must(t, l.Close())
	for range 2 {
		if err := <-errs; !errors.Is(err, kafka.ErrClosed) {
			t.Errorf("a call under way: %v", err)
		}
	}
	if err := l.ReadToEnd(t.Context()); !errors.Is(err, kafka.ErrClosed) {
		t.Errorf("read after close: %v", err)
	}
	if err := l.Append(t.Context(), Record{"a", nil}); !errors.Is(err, kafka.ErrClosed) {
		t.Errorf("append after close: %v", err)
	}
	must(t, l.Close())
}
