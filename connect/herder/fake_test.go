package herder

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"go.uber.org/zap"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/config"
	"github.com/penstock-io/penstock/connect/group"
	"github.com/penstock-io/penstock/connect/plugin"
	"github.com/penstock-io/penstock/connect/settings"
	"github.com/penstock-io/penstock/connect/validate"
	"github.com/penstock-io/penstock/rest/api"
	"github.com/penstock-io/penstock/storage"
	"github.com/penstock-io/penstock/storage/memstore"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// trace records what happens, in order.
type trace struct {
	mu    sync.Mutex
	lines []string
}

func (t *trace) add(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lines = append(t.lines, fmt.Sprintf(format, args...))
}

// take returns the lines since the last take.
func (t *trace) take() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	lines := t.lines
	t.lines = nil
	return lines
}

// fakeRuntime runs nothing, but writes down what it is told. Calls named in hang wait
// until the channel is closed or their context ends; those named in fail fail.
type fakeRuntime struct {
	*trace
	statuses storage.StatusStore
	tasks    func(config map[string]string) ([]map[string]string, error)

	mu   sync.Mutex
	hang map[string]chan struct{}
	fail map[string]error
	// offsets are what every connector has committed.
	offsets []connect.SourceOffset
}

func (r *fakeRuntime) call(ctx context.Context, format string, args ...any) error {
	name := fmt.Sprintf(format, args...)
	r.add("%s", name)
	r.mu.Lock()
	hang, err := r.hang[name], r.fail[name]
	r.mu.Unlock()
	if hang != nil {
		select {
		case <-hang:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return err
}

func (r *fakeRuntime) hold(name string) (release func()) {
	c := make(chan struct{})
	r.mu.Lock()
	defer r.mu.Unlock()
	r.hang[name] = c
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.hang, name)
		close(c)
	}
}

func (r *fakeRuntime) failing(name string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err == nil {
		delete(r.fail, name)
		return
	}
	r.fail[name] = err
}

func (r *fakeRuntime) status(s connect.State) storage.Status {
	return storage.Status{State: s, WorkerID: "w:1", Generation: 1, Version: "1"}
}

func (r *fakeRuntime) StartConnector(ctx context.Context, name string, config map[string]string, target connect.TargetState) error {
	err := r.call(ctx, "start connector %s %s", name, target)
	if err != nil {
		r.statuses.PutConnector(name, r.status(connect.StateFailed))
		return err
	}
	r.statuses.PutConnector(name, r.status(connect.StateRunning))
	return nil
}

func (r *fakeRuntime) StopConnector(ctx context.Context, name string) {
	_ = r.call(ctx, "stop connector %s", name)
	r.statuses.PutConnectorSafe(name, r.status(connect.StateUnassigned))
}

func (r *fakeRuntime) TaskConfigs(ctx context.Context, name string, config map[string]string) ([]map[string]string, error) {
	if err := r.call(ctx, "task configs %s", name); err != nil {
		return nil, err
	}
	return r.tasks(config)
}

func (r *fakeRuntime) StartTask(ctx context.Context, id connect.TaskID, _, taskConfig map[string]string, target connect.TargetState) error {
	if err := r.call(ctx, "start task %s %s", id, target); err != nil {
		r.statuses.PutTask(id, r.status(connect.StateFailed))
		return err
	}
	r.statuses.PutTask(id, r.status(connect.StateRunning))
	return nil
}

func (r *fakeRuntime) StopTask(ctx context.Context, id connect.TaskID) {
	_ = r.call(ctx, "stop task %s", id)
	r.statuses.PutTaskSafe(id, r.status(connect.StateUnassigned))
}

func (r *fakeRuntime) SetConnectorTarget(ctx context.Context, name string, target connect.TargetState) error {
	return r.call(ctx, "connector %s %s", name, target)
}

func (r *fakeRuntime) SetTaskTarget(id connect.TaskID, target connect.TargetState) {
	r.add("task %s %s", id, target)
}

// tracedConfigs is a config store whose refresh may fail and whose end is written down.
type tracedConfigs struct {
	*memstore.ConfigStore
	*trace
	mu         sync.Mutex
	refreshErr error
	claimErr   error
	writeErr   error // of the next privileged write
}

func (c *tracedConfigs) setRefreshErr(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refreshErr = err
}

func (c *tracedConfigs) Refresh(ctx context.Context) error {
	c.mu.Lock()
	err := c.refreshErr
	c.mu.Unlock()
	if err != nil {
		return err
	}
	return c.ConfigStore.Refresh(ctx)
}

func (c *tracedConfigs) Stop(ctx context.Context) error {
	c.add("stop the config store")
	return c.ConfigStore.Stop(ctx)
}

type tracedStatuses struct {
	*memstore.StatusStore
	*trace
}

func (s *tracedStatuses) Stop(ctx context.Context) error {
	s.add("stop the status store")
	return s.StatusStore.Stop(ctx)
}

func (s *tracedStatuses) PutConnector(name string, st storage.Status) {
	if st.State == connect.StateRestarting {
		s.add("status connector %s %s", name, st.State)
	}
	s.StatusStore.PutConnector(name, st)
}

func (s *tracedStatuses) PutTask(id connect.TaskID, st storage.Status) {
	if st.State == connect.StateRestarting {
		s.add("status task %s %s", id, st.State)
	}
	s.StatusStore.PutTask(id, st)
}

// fakeMember is a member whose rebalances the test makes.
type fakeMember struct {
	*trace
	listener group.Listener
	work     chan func(ctx context.Context)
	owner    string
	fail     chan error
	holders  *group.Holders // nil: not known here
	cutOff   atomic.Bool    // the coordinator has not answered for a session
}

func (m *fakeMember) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			m.add("leave the group")
			return nil
		case err := <-m.fail:
			return err
		case f := <-m.work:
			f(ctx)
		}
	}
}

func (m *fakeMember) Rejoin(reason string) { m.add("rejoin: %s", reason) }
func (m *fakeMember) LeaveFor(reason string, pause time.Duration) {
	m.add("leave for %v: %s", pause, reason)
}
func (m *fakeMember) Leads(string) bool              { return !m.cutOff.Load() }
func (m *fakeMember) OwnerURL(connect.TaskID) string { return m.owner }
func (m *fakeMember) Holders(_, _ string) (group.Holders, bool) {
	if m.holders == nil {
		return group.Holders{}, false
	}
	return *m.holders, true
}

// AwaitHolders learns after holdersLate what a member has that had not told.
func (m *fakeMember) AwaitHolders(ctx context.Context, class, version string) (group.Holders, bool) {
	if h, known := m.Holders(class, version); !known || len(h.Have) > 0 || len(h.Unknown) == 0 {
		return h, known
	}
	select {
	case <-time.After(holdersLate):
		return group.Holders{Have: m.holders.Unknown, Lack: m.holders.Lack}, true
	case <-ctx.Done():
		return *m.holders, true
	}
}

const holdersLate = holdersTime - time.Second

func (m *fakeMember) assigned(a group.Assignment) {
	m.work <- func(ctx context.Context) { m.listener.Assigned(ctx, a) }
}

// fakeLeader is the other worker that leads.
type fakeLeader struct {
	*trace
	mu      sync.Mutex
	err     error
	answers []error // before err
}

func (l *fakeLeader) PutTaskConfigs(_ context.Context, url, connector string, configs []map[string]string, key *storage.SessionKey) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.add("forward %d task configs of %s to %s, signed %v", len(configs), connector, url, key != nil)
	return l.err
}

// fakeSink is a connector class that has the key "file".
type fakeSink struct{ connect.SinkConnector }

func (fakeSink) Version() string { return "1.2" }
func (fakeSink) ConfigDef() *config.Def {
	return config.NewDef(config.Key{Name: "file", Type: config.TypeString, Default: "f", Order: -1})
}

// fakeSource is the same as a source.
type fakeSource struct{ connect.SourceConnector }

func (fakeSource) Version() string        { return "1.2" }
func (fakeSource) ConfigDef() *config.Def { return fakeSink{}.ConfigDef() }

// rig is a herder over fakes, in a synctest bubble.
type rig struct {
	*trace
	t       *testing.T
	h       *Herder
	runtime *fakeRuntime
	configs *tracedConfigs
	status  *tracedStatuses
	member  *fakeMember // nil: solo
	leader  *fakeLeader
	stop    context.CancelFunc
	done    chan error
	ignore  string // what may happen or not
}

func newRig(t *testing.T, solo bool, change ...func(o *Options)) *rig {
	t.Helper()
	tr := &trace{}
	statuses := &tracedStatuses{memstore.NewStatusStore(), tr}
	r := &rig{trace: tr, t: t, status: statuses, leader: &fakeLeader{trace: tr}, done: make(chan error, 1),
		configs: &tracedConfigs{ConfigStore: memstore.NewConfigStore(), trace: tr},
		runtime: &fakeRuntime{trace: tr, statuses: statuses, hang: map[string]chan struct{}{}, fail: map[string]error{}}}
	r.runtime.tasks = func(config map[string]string) ([]map[string]string, error) {
		n, err := strconv.Atoi(config["tasks.max"])
		configs := make([]map[string]string, n)
		for i := range configs {
			configs[i] = map[string]string{"file": config["file"], "n": strconv.Itoa(i)}
		}
		return configs, err
	}
	set := plugin.Builtin("4.3.1")
	set.Connectors = []plugin.Plugin[connect.Connector]{
		{Class: "io.example.TestSinkConnector", New: func() connect.Connector { return fakeSink{} }},
		{Class: "io.example.TestSourceConnector", New: func() connect.Connector { return fakeSource{} }}}
	plugins, err := plugin.New(set)
	if err != nil {
		t.Fatal(err)
	}
	worker, err := settings.ParseWorker(map[string]string{
		"bootstrap.servers": "k:1", "key.converter": "String", "value.converter": "JsonConverter", "offset.storage.file.filename": "f"}, settings.Standalone)
	if err != nil {
		t.Fatal(err)
	}
	o := Options{
		WorkerID: "w:1", URL: "http://w:1/", Configs: r.configs, StatusDB: statuses, Runtime: r.runtime, Plugins: plugins,
		Validator: validate.New(validate.Options{Plugins: plugins, Worker: worker}), Leader: r.leader,
		NewMember: func(l group.Listener) (Member, error) {
			if solo {
				return NewSolo("http://w:1/", l), nil
			}
			r.member = &fakeMember{trace: tr, listener: l, work: make(chan func(context.Context)), owner: "http://other/", fail: make(chan error)}
			return r.member, nil
		},
		SyncTimeout: 3 * time.Second, MaxDelay: 5 * time.Minute, UnsyncBackoff: 5 * time.Minute,
		Signing: Signing{KeyAlgorithm: "HmacSHA256", KeyTTL: time.Hour, Algorithm: "HmacSHA256", Accepted: []string{"HmacSHA256"}},
		Log:     zap.NewNop(),
	}
	for _, f := range change {
		f(&o)
	}
	if r.h, err = New(o); err != nil {
		t.Fatal(err)
	}
	return r
}

// run starts the herder; it stops with the test.
func (r *rig) run() *rig {
	var ctx context.Context
	ctx, r.stop = context.WithCancel(r.t.Context())
	go func() { r.done <- r.h.Run(ctx) }()
	synctest.Wait()
	return r
}

// end stops the herder and returns what Run returned.
func (r *rig) end() error {
	r.stop()
	return <-r.done
}

// sinkConfig is a valid config with pairs of key and value on top; it makes tasks.max tasks.
func sinkConfig(name string, pairs ...string) map[string]string {
	c := map[string]string{"name": name, "connector.class": "TestSink", "topics": "t", "tasks.max": "1"}
	for i := 0; i < len(pairs); i += 2 {
		c[pairs[i]] = pairs[i+1]
	}
	return c
}

func (r *rig) put(name string, pairs ...string) {
	r.t.Helper()
	if _, _, err := r.h.PutConnector(r.t.Context(), name, sinkConfig(name, pairs...), "", true); err != nil {
		r.t.Fatalf("put connector %s: %v", name, err)
	}
	synctest.Wait()
}

// want compares what happened since the last call.
func (r *rig) want(lines ...string) {
	r.t.Helper()
	synctest.Wait()
	if diff := cmp.Diff(lines, r.take()); diff != "" {
		r.t.Errorf("what happened (-want +got):\n%s", diff)
	}
}

func (r *rig) wantAnyOrder(lines ...string) {
	r.t.Helper()
	synctest.Wait()
	got := slices.DeleteFunc(r.take(), func(line string) bool { return line == r.ignore })
	slices.Sort(lines)
	slices.Sort(got)
	if diff := cmp.Diff(lines, got); diff != "" {
		r.t.Errorf("what happened, sorted (-want +got):\n%s", diff)
	}
}

func wantError(t *testing.T, err error, status int, text string) {
	t.Helper()
	var e *api.Error
	if !errors.As(err, &e) || e.Status != status || !strings.Contains(e.Message, text) {
		t.Errorf("want status %d with %q, got %#v", status, text, err)
	}
}

func wantForward(t *testing.T, err error, url string) {
	t.Helper()
	var f *api.ForwardError
	if !errors.As(err, &f) || f.URL != url {
		t.Errorf("want a forward to %q, got %#v", url, err)
	}
}
