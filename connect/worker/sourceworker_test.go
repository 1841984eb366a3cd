package worker

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/config"
	"github.com/penstock-io/penstock/connect/plugin"
	"github.com/penstock-io/penstock/connect/settings"
	"github.com/penstock-io/penstock/internal/kafkatest"
	"github.com/penstock-io/penstock/storage/memstore"
)

// fakeSourceConnector makes tasks as it is told.
type fakeSourceConnector struct {
	cc    connect.ConnectorContext
	tasks []map[string]string
	task  *fakeSource
}

func (c *fakeSourceConnector) Version() string             { return "1.2" }
func (c *fakeSourceConnector) ConfigDef() *config.Def      { return config.NewDef() }
func (c *fakeSourceConnector) TaskClass() string           { return "io.example.SourceTask" }
func (c *fakeSourceConnector) NewTask() connect.SourceTask { return c.task }
func (c *fakeSourceConnector) Start(_ context.Context, cc connect.ConnectorContext, _ map[string]string) error {
	c.cc = cc
	return nil
}
func (c *fakeSourceConnector) TaskConfigs(int) ([]map[string]string, error) { return c.tasks, nil }
func (c *fakeSourceConnector) Stop(context.Context) error                   { return nil }

// sourceWorkerRig is a Worker with one source connector class.
type sourceWorkerRig struct {
	*Worker
	connector *fakeSourceConnector
	store     *memstore.StatusStore
	offsets   *memstore.OffsetStore
}

func newSourceWorker(t *testing.T, mode settings.Mode, pairs ...string) *sourceWorkerRig {
	t.Helper()
	r := &sourceWorkerRig{connector: &fakeSourceConnector{task: &fakeSource{trace: &trace{}}}, store: memstore.NewStatusStore(), offsets: memstore.NewOffsetStore()}
	if err := r.offsets.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	set := plugin.Builtin("4.3.1")
	set.Connectors = []plugin.Plugin[connect.Connector]{{Class: "io.example.TestSourceConnector", New: func() connect.Connector { return r.connector }}}
	plugins, err := plugin.New(set)
	if err != nil {
		t.Fatal(err)
	}
	props := map[string]string{"bootstrap.servers": "127.0.0.1:1", "key.converter": "StringConverter", "value.converter": "StringConverter"}
	if mode == settings.Standalone {
		props["offset.storage.file.filename"] = "f"
	} else {
		for k, v := range map[string]string{"group.id": "g", "config.storage.topic": "configs", "offset.storage.topic": "offsets", "status.storage.topic": "statuses"} {
			props[k] = v
		}
	}
	for i := 0; i < len(pairs); i += 2 {
		props[pairs[i]] = pairs[i+1]
	}
	s, err := settings.ParseWorker(props, mode)
	if err != nil {
		t.Fatal(err)
	}
	r.Worker = New(Options{
		Settings: s, Plugins: plugins, Log: zap.NewNop(), Offsets: r.offsets,
		Statuses: &Statuses{Store: r.store, WorkerID: "w:1", Generation: func() int { return 0 }},
		Resolve:  func(props map[string]string) (map[string]string, error) { return props, nil }, Reconfigure: func(string) {},
	})
	t.Cleanup(r.Close)
	return r
}

func testSourceConfig(pairs ...string) map[string]string {
	c := map[string]string{"name": "c", "connector.class": "TestSource", "topics": "no key of a source"}
	for i := 0; i < len(pairs); i += 2 {
		c[pairs[i]] = pairs[i+1]
	}
	return c
}

func TestSourceConnector(t *testing.T) {
	r := newSourceWorker(t, settings.Standalone)
	if err := r.offsets.Put(t.Context(), entry(t, "a", `{"n":3}`)); err != nil {
		t.Fatal(err)
	}
	if err := r.StartConnector(t.Context(), "c", testSourceConfig(), connect.TargetStarted); err != nil {
		t.Fatal(err)
	}
	r.connector.tasks = []map[string]string{{"n": "0"}}
	got, err := r.TaskConfigs(t.Context(), "c", testSourceConfig())
	if diff := cmp.Diff([]map[string]string{{"n": "0", "task.class": "io.example.SourceTask"}}, got); diff != "" || err != nil {
		t.Errorf("%v, task configs (-want +got):\n%s", err, diff)
	}
	offsets := r.connector.cc.(connect.SourceConnectorContext).Offsets()
	o, err := offsets.Offset(t.Context(), partition("a"))
	if err != nil {
		t.Fatal(err)
	}
	if n, _ := o.Get("n"); n != int64(3) {
		t.Errorf("offset %v", o)
	}
	r.StopConnector(t.Context(), "c")
	if _, err := offsets.Offset(t.Context(), partition("a")); err == nil {
		t.Error("a stopped connector reads offsets")
	}
}

func TestSourceConnectorsThatCannotStart(t *testing.T) {
	for want, pairs := range map[string][]string{
		"Invalid value -3 for configuration": {"topic.creation.default.partitions", "-3", "topic.creation.default.replication.factor", "1"},
		"transaction.boundary":               {"transaction.boundary", "never"},
	} {
		r := newSourceWorker(t, settings.Standalone)
		err := r.StartConnector(t.Context(), "c", testSourceConfig(pairs...), connect.TargetStarted)
		if st, _ := r.store.Connector("c"); err == nil || !strings.Contains(err.Error(), want) || st.State != connect.StateFailed {
			t.Errorf("%v: %v, status %+v", pairs, err, st)
		}
	}
}

// A task works with the real clients, writes where it should and goes on where it was.
func TestSourceTaskOverKafka(t *testing.T) {
	for name, tc := range map[string]struct {
		mode              settings.Mode
		worker, connector []string
		offsets           string // the topic of offsets, "": the worker's store
	}{
		"worker's offsets": {mode: settings.Standalone, connector: []string{"topic.creation.default.partitions", "2", "topic.creation.default.replication.factor", "1"}},
		"offsets of its own": {mode: settings.Distributed, connector: []string{"offsets.storage.topic", "mine",
			"topic.creation.default.partitions", "1", "topic.creation.default.replication.factor", "1"}, offsets: "mine"},
		"exactly once": {mode: settings.Distributed, worker: []string{"exactly.once.source.support", "enabled"}, offsets: "offsets",
			connector: []string{"topic.creation.default.partitions", "1", "topic.creation.default.replication.factor", "1"}},
	} {
		t.Run(name, func(t *testing.T) {
			cluster := kafkatest.New(t)
			worker := append([]string{"bootstrap.servers", cluster.Bootstrap(), "offset.storage.replication.factor", "1", "offset.storage.partitions", "1"}, tc.worker...)
			if tc.mode == settings.Standalone {
				worker = worker[:2]
			}
			r := newSourceWorker(t, tc.mode, worker...)
			r.Fence = func(context.Context, string) error { return nil }
			r.VerifyTask = func(context.Context, connect.TaskID, int) error { return nil }
			r.TaskGeneration = func(string) int { return 1 }
			var got []string
			for _, values := range [][]string{{"1", "2", "3"}, {"4", "5"}} {
				r.runTask(t, testSourceConfig(tc.connector...), values)
				got = append(got, values...)
			}
			if diff := cmp.Diff(got, consume(t, cluster, "t", len(got))); diff != "" {
				t.Errorf("records (-want +got):\n%s", diff)
			}
			if tc.offsets == "" {
				if o := storedOffset(t, r.offsets, "a"); o != `{"n":5}` {
					t.Errorf("offset %s", o)
				}
			} else if last := consume(t, cluster, tc.offsets, 2); last[1] != `{"n":5}` {
				t.Errorf("offsets %v", last)
			}
		})
	}
}

// runTask runs a task until it has sent the values, the first after the committed offset.
func (r *sourceWorkerRig) runTask(t *testing.T, config map[string]string, values []string) {
	t.Helper()
	id := connect.TaskID{Connector: "c"}
	polled := make(chan struct{})
	source := &fakeSource{trace: &trace{}}
	var next int64 = 1
	source.start = func(ctx context.Context) error {
		o, err := source.tc.Offsets().Offset(ctx, partition("a"))
		if o != nil {
			n, _ := o.Get("n")
			next = n.(int64) + 1
		}
		return err
	}
	source.script = append(source.script, func(context.Context) ([]connect.SourceRecord, error) {
		var out []connect.SourceRecord
		for i, v := range values {
			r := rec("a", next+int64(i), v)
			r.Partition = 0
			out = append(out, r)
		}
		return out, nil
	}, func(context.Context) ([]connect.SourceRecord, error) { close(polled); return nil, nil })
	r.connector.task = source
	if err := r.StartTask(t.Context(), id, config, map[string]string{"task.class": "io.example.SourceTask"}, connect.TargetStarted); err != nil {
		t.Fatal(err)
	}
	select {
	case <-polled:
	case <-time.After(20 * time.Second):
		st, _ := r.store.Task(id)
		t.Fatalf("the task hangs: %+v", st)
	}
	r.StopTask(t.Context(), id)
	if st, _ := r.store.Task(id); st.State != connect.StateUnassigned || st.Version != "1" {
		t.Errorf("status %+v", st)
	}
	if tc := source.tc; tc.TaskID() != id || tc.Configs()["task.class"] != "io.example.SourceTask" || tc.Transaction() != nil || tc.Logger() == nil {
		t.Errorf("context of %v, %v", tc.TaskID(), tc.Configs())
	}
}

// consume returns the values of the first n committed records of a topic.
func consume(t *testing.T, c *kafkatest.Cluster, topic string, n int) []string {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(c.ListenAddrs()...), kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var values []string
	for len(values) < n && ctx.Err() == nil {
		client.PollFetches(ctx).EachRecord(func(r *kgo.Record) { values = append(values, string(r.Value)) })
	}
	return values
}

func TestSourceTasksThatCannotBeMade(t *testing.T) {
	for want, tc := range map[string]struct {
		worker, connector []string
		tasks             int
	}{
		"the connector c has generated 3 tasks, which is greater than 2": {connector: []string{"tasks.max", "2"}, tasks: 3},
		"not allow":      {worker: []string{"connector.client.config.override.policy", "None"}, connector: []string{"producer.override.acks", "1"}},
		"does_not_exist": {connector: []string{"transforms", "x", "transforms.x.type", "does_not_exist"}},
	} {
		r := newSourceWorker(t, settings.Standalone, tc.worker...)
		r.TaskCount = func(string) int { return tc.tasks }
		id := connect.TaskID{Connector: "c"}
		err := r.StartTask(t.Context(), id, testSourceConfig(tc.connector...), map[string]string{}, connect.TargetStarted)
		if st, _ := r.store.Task(id); err == nil || !strings.Contains(strings.ToLower(err.Error()), strings.ToLower(want)) || st.State != connect.StateFailed {
			t.Errorf("%s: %v, status %+v", want, err, st)
		}
	}
}

// TestSourceSettings is the table of stores (internal topics).
func TestSourceSettings(t *testing.T) {
	for name, tc := range map[string]struct {
		mode              settings.Mode
		worker, connector []string
		topic             string
		shared, own       bool // own: offsets have a producer of their own
		admin             bool
	}{
		"nothing set":                {mode: settings.Distributed},
		"a topic of its own":         {mode: settings.Distributed, connector: []string{"offsets.storage.topic", "mine"}, topic: "mine", own: true, admin: true},
		"the worker's topic":         {mode: settings.Distributed, connector: []string{"offsets.storage.topic", "offsets"}, topic: "offsets", shared: true, own: true, admin: true},
		"the same name elsewhere":    {mode: settings.Distributed, connector: []string{"offsets.storage.topic", "offsets", "producer.override.bootstrap.servers", "x:1"}, topic: "offsets", own: true, admin: true},
		"exactly-once":               {mode: settings.Distributed, worker: []string{"exactly.once.source.support", "enabled"}, topic: "offsets", shared: true, admin: true},
		"exactly-once, its own":      {mode: settings.Distributed, worker: []string{"exactly.once.source.support", "enabled"}, connector: []string{"offsets.storage.topic", "mine"}, topic: "mine", admin: true},
		"standalone":                 {mode: settings.Standalone, connector: []string{"offsets.storage.topic", "mine"}},
		"standalone, topics created": {mode: settings.Standalone, connector: []string{"topic.creation.default.partitions", "1", "topic.creation.default.replication.factor", "1"}, admin: true},
	} {
		r := newSourceWorker(t, tc.mode, tc.worker...)
		props := testSourceConfig(tc.connector...)
		s, err := settings.ParseSource(r.Settings, props, nil)
		if err != nil {
			t.Fatal(err)
		}
		c, err := r.sourceSettings(connect.TaskID{Connector: "c", Task: 1}, s, props, zap.NewNop())
		if err != nil {
			t.Fatal(err)
		}
		if c.topic != tc.topic || c.shared != tc.shared || (c.offsetProducer != nil) != tc.own || (c.admin != nil) != tc.admin || (c.offsetConsumer != nil) != (tc.topic != "") {
			t.Errorf("%s: %+v", name, c)
		}
		if id := c.producer["transactional.id"]; (id == "g-c-1") != r.exactlyOnce() {
			t.Errorf("%s: transactional.id %q", name, id)
		}
	}
}

// An exactly-once task begins with the fencing, and remembers the generation it is of.
func TestExactlyOnceTaskOfAWorker(t *testing.T) {
	r := newSourceWorker(t, settings.Distributed, "exactly.once.source.support", "enabled", "bootstrap.servers", kafkatest.New(t).Bootstrap())
	id := connect.TaskID{Connector: "c"}
	errNoLeader := errors.New("no leader")
	fenced := make(chan string, 1)
	r.Fence = func(_ context.Context, connector string) error { fenced <- connector; return errNoLeader }
	r.VerifyTask = func(context.Context, connect.TaskID, int) error { return nil }
	generations := 0
	r.TaskGeneration = func(string) int { generations++; return 7 }
	if err := r.StartTask(t.Context(), id, testSourceConfig("transaction.boundary", "connector"), map[string]string{}, connect.TargetStarted); err != nil {
		t.Fatal(err)
	}
	if name := <-fenced; name != "c" || generations != 1 {
		t.Errorf("fenced %q, asked for the generation %d times", name, generations)
	}
	r.mu.Lock()
	task := r.tasks[id]
	r.mu.Unlock()
	<-task.done
	if st, _ := r.store.Task(id); st.State != connect.StateFailed || !strings.Contains(st.Trace, "no leader") {
		t.Errorf("status %+v", st)
	}
	r.StopTask(t.Context(), id)

	r = newSourceWorker(t, settings.Distributed, "exactly.once.source.support", "enabled")
	s, err := r.sourceTask(id, testSourceConfig(), map[string]string{}, connect.TargetStarted)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.delivery.(*exactlyOnce).fence(t.Context()); !errors.Is(err, errNoFencing) {
		t.Errorf("without fencing: %v", err)
	}
}
