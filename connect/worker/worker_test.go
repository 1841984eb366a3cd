package worker

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/config"
	"github.com/penstock-io/penstock/connect/plugin"
	"github.com/penstock-io/penstock/connect/settings"
	"github.com/penstock-io/penstock/storage"
	"github.com/penstock-io/penstock/storage/memstore"
)

// fakeConnector makes tasks as it is told.
type fakeConnector struct {
	*trace
	cc       connect.ConnectorContext
	tasks    []map[string]string
	startErr error
	hang     chan struct{} // Start waits for it and for nothing else
	panicIn  string        // a method
}

func (c *fakeConnector) panics(method string) {
	if c.panicIn == method {
		panic(method + " is broken")
	}
}

func (c *fakeConnector) Version() string        { c.panics("Version"); return "1.2" }
func (c *fakeConnector) ConfigDef() *config.Def { return config.NewDef() }
func (c *fakeConnector) TaskClass() string      { c.panics("TaskClass"); return "io.example.Task" }
func (c *fakeConnector) NewTask() connect.SinkTask {
	c.panics("NewTask")
	return &fakeSink{trace: c.trace}
}
func (c *fakeConnector) Start(_ context.Context, cc connect.ConnectorContext, props map[string]string) error {
	c.add("start with %s", props["secret"])
	c.cc = cc
	if c.hang != nil {
		<-c.hang
	}
	return c.startErr
}
func (c *fakeConnector) TaskConfigs(int) ([]map[string]string, error) { return c.tasks, nil }
func (c *fakeConnector) Stop(context.Context) error                   { c.add("stop"); return nil }

// workerRig is a Worker with one connector class.
type workerRig struct {
	*Worker
	*trace
	connector    *fakeConnector
	store        *memstore.StatusStore
	reconfigured int
}

func newWorkerRig(t *testing.T, pairs ...string) *workerRig {
	t.Helper()
	tr := &trace{}
	r := &workerRig{trace: tr, connector: &fakeConnector{trace: tr}, store: memstore.NewStatusStore()}
	set := plugin.Builtin("4.3.1")
	set.Connectors = []plugin.Plugin[connect.Connector]{{Class: "io.example.TestSinkConnector",
		New: func() connect.Connector { return r.connector }}}
	plugins, err := plugin.New(set)
	if err != nil {
		t.Fatal(err)
	}
	props := map[string]string{"bootstrap.servers": "k:1", "key.converter": "StringConverter", "value.converter": "JsonConverter",
		"offset.storage.file.filename": "f"}
	for i := 0; i < len(pairs); i += 2 {
		props[pairs[i]] = pairs[i+1]
	}
	s, err := settings.ParseWorker(props, settings.Standalone)
	if err != nil {
		t.Fatal(err)
	}
	r.Worker = New(Options{
		Settings: s, Plugins: plugins, Log: zap.NewNop(),
		Statuses: &Statuses{Store: r.store, WorkerID: "w:1", Generation: func() int { return 0 }},
		Resolve: func(props map[string]string) (map[string]string, error) {
			out := map[string]string{}
			for k, v := range props {
				out[k] = strings.ReplaceAll(v, "${env:SECRET}", "hush")
			}
			return out, nil
		},
		Reconfigure: func(string) { r.reconfigured++ },
	})
	return r
}

func sinkConfig(pairs ...string) map[string]string {
	c := map[string]string{"name": "c", "connector.class": "TestSink", "topics": "t"}
	for i := 0; i < len(pairs); i += 2 {
		c[pairs[i]] = pairs[i+1]
	}
	return c
}

func (r *workerRig) state(t *testing.T, want connect.State) string {
	t.Helper()
	st, _ := r.store.Connector("c")
	if st.State != want {
		t.Errorf("status %+v, want %s", st, want)
	}
	return st.Trace
}

// Each is called before the plugin has a goroutine of its own.
func TestAPluginThatPanicsWhileItIsMadeDoesNotEndTheWorker(t *testing.T) {
	r := newWorkerRig(t)
	defer r.Close()
	failed := func(method string, st storage.Status, err error) {
		t.Helper()
		if err == nil || st.State != connect.StateFailed || !strings.Contains(st.Trace, method+" is broken") {
			t.Errorf("%s: %v, status %+v", method, err, st)
		}
	}
	r.connector.panicIn = "Version"
	err := r.StartConnector(t.Context(), "c", sinkConfig(), connect.TargetStarted)
	st, _ := r.store.Connector("c")
	failed("Version", st, err)
	id := connect.TaskID{Connector: "c"}
	r.connector.panicIn = "NewTask"
	err = r.StartTask(t.Context(), id, sinkConfig(), map[string]string{"task.class": "io.example.Task"}, connect.TargetStarted)
	st, _ = r.store.Task(id)
	failed("NewTask", st, err)
	r.connector.panicIn = ""
	if err := r.StartConnector(t.Context(), "c", sinkConfig(), connect.TargetStarted); err != nil {
		t.Fatal(err)
	}
	defer r.StopConnector(t.Context(), "c")
	r.connector.panicIn, r.connector.tasks = "TaskClass", []map[string]string{{}}
	if _, err := r.TaskConfigs(t.Context(), "c", sinkConfig()); err == nil || !strings.Contains(err.Error(), "TaskClass is broken") {
		t.Error(err)
	}
}

func TestConnectorLife(t *testing.T) {
	r := newWorkerRig(t)
	defer r.Close()
	raw := sinkConfig("secret", "${env:SECRET}", "tasks.max", "1")
	if err := r.StartConnector(t.Context(), "c", raw, connect.TargetStarted); err != nil {
		t.Fatal(err)
	}
	r.state(t, connect.StateRunning)
	if err := r.StartConnector(t.Context(), "c", raw, connect.TargetStarted); err == nil || err.Error() != "Connector with name c already exists" {
		t.Errorf("the second start: %v", err)
	}

	// Task configs are complete, and no secret is in them.
	r.connector.tasks = []map[string]string{{"secret": "hush", "n": "0"}}
	got, err := r.TaskConfigs(t.Context(), "c", raw)
	want := []map[string]string{{"secret": "${env:SECRET}", "n": "0", "task.class": "io.example.Task", "topics": "t"}}
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("task configs (-want +got):\n%s", diff)
	}
	r.connector.cc.RequestTaskReconfiguration()
	if r.reconfigured != 1 {
		t.Errorf("asked %d times", r.reconfigured)
	}

	for _, s := range []struct {
		target connect.TargetState
		state  connect.State
	}{{connect.TargetPaused, connect.StatePaused}, {connect.TargetStarted, connect.StateRunning}, {connect.TargetStopped, connect.StateStopped}} {
		if err := r.SetConnectorTarget(t.Context(), "c", s.target); err != nil {
			t.Fatal(err)
		}
		r.state(t, s.state)
	}
	if _, err := r.TaskConfigs(t.Context(), "c", raw); !errors.Is(err, ErrNotRunning) {
		t.Errorf("task configs of a stopped connector: %v", err)
	}
	r.StopConnector(t.Context(), "c")
	r.state(t, connect.StateUnassigned)
	if diff := cmp.Diff([]string{"start with hush", "stop", "start with hush", "stop"}, r.all()); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
	if _, err := r.TaskConfigs(t.Context(), "c", raw); !errors.Is(err, ErrNotRunning) {
		t.Errorf("task configs of nothing: %v", err)
	}
}

func TestTooManyTasks(t *testing.T) {
	r := newWorkerRig(t)
	defer r.Close()
	r.connector.tasks = []map[string]string{{}, {}}
	if err := r.StartConnector(t.Context(), "c", sinkConfig("tasks.max.enforce", "false"), connect.TargetStarted); err != nil {
		t.Fatal(err)
	}
	if got, err := r.TaskConfigs(t.Context(), "c", sinkConfig()); err != nil || len(got) != 2 {
		t.Errorf("not enforced: %v, %v", got, err)
	}
	r.StopConnector(t.Context(), "c")
	if err := r.StartConnector(t.Context(), "c", sinkConfig(), connect.TargetStarted); err != nil {
		t.Fatal(err)
	}
	var tooMany *TooManyTasksError
	if _, err := r.TaskConfigs(t.Context(), "c", sinkConfig()); !errors.As(err, &tooMany) || tooMany.Tasks != 2 || tooMany.TasksMax != 1 {
		t.Errorf("enforced: %v", err)
	}
	if err := r.SetConnectorTarget(t.Context(), "c", connect.TargetPaused); err == nil {
		t.Error("a failed connector was paused")
	}
	if trace := r.state(t, connect.StateFailed); !strings.Contains(trace, "has generated 2 tasks") {
		t.Errorf("trace: %s", trace)
	}
	r.StopConnector(t.Context(), "c")
}

func TestConnectorsThatCannotStart(t *testing.T) {
	for _, tc := range []struct {
		name, key, value, trace string
	}{
		{"an unknown class", "connector.class", "Nothing", "Failed to find any class that implements Connector"},
		{"another version", "connector.plugin.version", "[9,)", "available versions: [1.2]"},
		{"a failing start", "fail", "x", "no disk"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := newWorkerRig(t)
			defer r.Close()
			if tc.key == "fail" {
				r.connector.startErr = errors.New("no disk")
			}
			if err := r.StartConnector(t.Context(), "c", sinkConfig(tc.key, tc.value), connect.TargetStarted); err == nil {
				t.Error("no error")
			}
			if trace := r.state(t, connect.StateFailed); !strings.Contains(trace, tc.trace) {
				t.Errorf("trace: %s", trace)
			}
			r.StopConnector(t.Context(), "c")
		})
	}
}

// An instance that hangs in Start is given up after five seconds; what it says later is
// not heard.
func TestAConnectorIsAbandoned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newWorkerRig(t)
		r.connector.hang = make(chan struct{})
		ctx, cancel := context.WithCancel(t.Context())
		started := make(chan error, 1)
		go func() { started <- r.StartConnector(ctx, "c", sinkConfig(), connect.TargetStarted) }()
		synctest.Wait()
		cancel()
		if err := <-started; !errors.Is(err, context.Canceled) {
			t.Errorf("start: %v", err)
		}
		before := time.Now()
		r.StopConnector(t.Context(), "c")
		if d := time.Since(before); d != connectorStopTimeout {
			t.Errorf("the stop took %v", d)
		}
		r.state(t, connect.StateUnassigned)
		close(r.connector.hang)
		synctest.Wait()
		r.state(t, connect.StateUnassigned)
		r.Close()
	})
}

func TestSinkTaskIsMadeOfTheConfigs(t *testing.T) {
	r := newWorkerRig(t)
	defer r.Close()
	id := connect.TaskID{Connector: "c", Task: 1}
	s, err := r.sinkTask(id, sinkConfig("value.converter", "LongConverter", "errors.tolerance", "all"), map[string]string{"secret": "${env:SECRET}"}, connect.TargetStarted)
	if err != nil {
		t.Fatal(err)
	}
	if s.convert.keyClass != "org.apache.kafka.connect.storage.StringConverter" || s.convert.valueClass != "org.apache.kafka.connect.converters.LongConverter" ||
		s.convert.headerClass != "org.apache.kafka.connect.storage.SimpleHeaderConverter" || s.taskClass != "io.example.Task" ||
		s.props["secret"] != "hush" || s.topics == nil {
		t.Errorf("made %+v", s)
	}
	if err := s.convert.close(); err != nil {
		t.Error(err)
	}
	if s, err = newWorkerRig(t, "topic.tracking.enable", "false").sinkTask(id, sinkConfig(), nil, connect.TargetStarted); err != nil || s.topics != nil {
		t.Errorf("topics are tracked, %v", err)
	}
}

func TestTasksThatCannotBeMade(t *testing.T) {
	for _, tc := range []struct{ key, value, trace string }{
		{"connector.class", "Nothing", "Failed to find any class that implements Connector"},
		{"connector.plugin.version", "9", "available versions: [1.2]"},
		{"key.converter", "Nothing", "could not set up key.converter with class Nothing"},
		{"value.converter", "SimpleHeaderConverter", "does not implement the Converter interface"},
		{"header.converter", "Nothing", "could not set up header.converter"},
		{"errors.deadletterqueue.topic.name", "t", "The DLQ topic 't' may not be included"},
		{"transforms", "x", "transforms.x.type"},
		{"topics", "", "Must configure one of topics or topics.regex"},
		{"consumer.override.group.id", "x", "The 'None' policy does not allow 'group.id' to be overridden"},
	} {
		r := newWorkerRig(t, "connector.client.config.override.policy", "None")
		id := connect.TaskID{Connector: "c"}
		if err := r.StartTask(t.Context(), id, sinkConfig(tc.key, tc.value), map[string]string{}, connect.TargetStarted); err == nil {
			t.Errorf("%s=%s: no error", tc.key, tc.value)
		}
		if st, _ := r.store.Task(id); st.State != connect.StateFailed || !strings.Contains(st.Trace, tc.trace) {
			t.Errorf("%s=%s: %+v", tc.key, tc.value, st)
		}
		r.Close()
	}
}

func TestUsedTopicsAreRecorded(t *testing.T) {
	now := time.UnixMilli(1000)
	store := memstore.NewStatusStore()
	u := &usedTopics{store: store, id: connect.TaskID{Connector: "c", Task: 2}, now: func() time.Time { return now }}
	u.track("t")
	if got, ok := store.Topic("c", "t"); !ok || got.Task != 2 || got.Discovered != 1000 {
		t.Errorf("%+v, %v", got, ok)
	}
	store.DeleteTopic("c", "t") // a user resets the list
	u.track("t")
	if _, ok := store.Topic("c", "t"); ok {
		t.Error("the store is asked for every batch")
	}
	now = now.Add(usedTopicsRecheck)
	u.track("t")
	if got, ok := store.Topic("c", "t"); !ok || got.Discovered != 2000 {
		t.Errorf("%+v, %v", got, ok)
	}
}
