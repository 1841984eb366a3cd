package testing

import (
	"context"
	"maps"
	"math"
	"sync"
	"time"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/config"
)

const (
	connectorFailure = "connector-failure"
	taskFailure      = "task-failure"
	// failureDelay is when a failure comes if delay_ms does not say it.
	failureDelay = 15 * time.Second
	// putInterval keeps Put of a Mock sink being called without records.
	putInterval = 250 * time.Millisecond
)

// mock is what both Mock connectors do: one task, and in the mode connector-failure an
// error of the connector after delay_ms.
type mock struct {
	version, taskClass string
	props              map[string]string
	stop               context.CancelFunc
	failing            sync.WaitGroup
}

// Version implements connect.Connector.
func (m *mock) Version() string { return m.version }

// ConfigDef implements connect.Connector; it lists no keys.
func (m *mock) ConfigDef() *config.Def { return noKeys }

// TaskClass implements connect.Connector.
func (m *mock) TaskClass() string { return m.taskClass }

// Start implements connect.Connector.
func (m *mock) Start(_ context.Context, cc connect.ConnectorContext, props map[string]string) error {
	delay, err := delayOf(props, connectorFailure, "MockConnector")
	if err != nil {
		return err
	}
	m.props = make(map[string]string, len(props))
	maps.Copy(m.props, props)
	if delay < 0 {
		return nil
	}
	life, stop := context.WithCancel(context.Background())
	m.stop = stop
	m.failing.Go(func() {
		if sleep(life, delay) {
			cc.RaiseError(errMock)
		}
	})
	return nil
}

// TaskConfigs implements connect.Connector: one task with the connector's config.
func (m *mock) TaskConfigs(int) ([]map[string]string, error) {
	if m.props == nil {
		return nil, errNotStarted
	}
	return []map[string]string{maps.Clone(m.props)}, nil
}

// Stop implements connect.Connector; no error is raised after it.
func (m *mock) Stop(context.Context) error {
	if m.stop != nil {
		m.stop()
		m.failing.Wait()
	}
	return nil
}

// errMock is the failure, a bare RuntimeException in the JVM.
var errMock = &connect.Error{Class: "java.lang.RuntimeException"}

// delayOf returns when the failure of a mode comes, -1 if the mode is another one.
func delayOf(props map[string]string, mode, task string) (time.Duration, error) {
	if props[mockModeKey] != mode {
		return -1, nil
	}
	p := &taskProps{props: props, task: task}
	otherwise := failureDelay.Milliseconds()
	ms := p.integer(delayKey, math.MinInt64, math.MaxInt64, &otherwise)
	return time.Duration(min(max(ms, 0), math.MaxInt64/int64(time.Millisecond))) * time.Millisecond, p.err
}

// MockSource is a source without records that fails when it is told to. Its keys are
// mock_mode (connector-failure, task-failure; anything else: no failure) and delay_ms,
// the milliseconds from start to failure (15000).
type MockSource struct{ mock }

// NewMockSource returns a connector that was not started; version is what it and its task
// call themselves: the version of Kafka that is imitated.
func NewMockSource(version string) *MockSource {
	return &MockSource{mock{version: version, taskClass: javaPackage + "MockSourceTask"}}
}

// NewTask implements connect.SourceConnector.
func (c *MockSource) NewTask() connect.SourceTask { return &mockSourceTask{version: c.version} }

// MockSink is a sink that drops its records and fails when it is told to, see MockSource.
type MockSink struct{ mock }

// NewMockSink returns a connector that was not started; version is as for NewMockSource.
func NewMockSink(version string) *MockSink {
	return &MockSink{mock{version: version, taskClass: javaPackage + "MockSinkTask"}}
}

// NewTask implements connect.SinkConnector.
func (c *MockSink) NewTask() connect.SinkTask { return &mockSinkTask{version: c.version} }

var (
	_ connect.SourceConnector = (*MockSource)(nil)
	_ connect.SinkConnector   = (*MockSink)(nil)
)

// bomb fails once its delay has passed; the zero value never does.
type bomb struct {
	armed bool
	since time.Time
	delay time.Duration
}

func newBomb(props map[string]string, task string) (bomb, error) {
	delay, err := delayOf(props, taskFailure, task)
	if err != nil || delay < 0 {
		return bomb{}, err
	}
	return bomb{true, time.Now(), delay}, nil
}

// left returns how long it takes to the failure, which comes when that is negative.
func (b *bomb) left() time.Duration { return b.delay - time.Since(b.since) }

type mockSourceTask struct {
	version string
	bomb    bomb
}

func (t *mockSourceTask) Version() string { return t.version }

func (t *mockSourceTask) Start(_ context.Context, _ connect.SourceTaskContext, props map[string]string) (err error) {
	t.bomb, err = newBomb(props, "MockSourceTask")
	return err
}

// Poll waits for the failure. The JVM's returns at once and is called without end.
func (t *mockSourceTask) Poll(ctx context.Context) ([]connect.SourceRecord, error) {
	if !t.bomb.armed {
		<-ctx.Done()
		return nil, nil
	}
	if sleep(ctx, t.bomb.left()) {
		return nil, errMock
	}
	return nil, nil
}

func (t *mockSourceTask) Stop(context.Context) error { return nil }

type mockSinkTask struct {
	version string
	context connect.SinkTaskContext
	bomb    bomb
}

func (t *mockSinkTask) Version() string { return t.version }

func (t *mockSinkTask) Start(_ context.Context, tc connect.SinkTaskContext, props map[string]string) (err error) {
	t.context = tc
	if t.bomb, err = newBomb(props, "MockSinkTask"); err != nil || !t.bomb.armed {
		return err
	}
	t.comeBack()
	return nil
}

// comeBack makes Put be called soon, also without records.
func (t *mockSinkTask) comeBack() {
	t.context.Timeout(min(t.bomb.delay, putInterval).Milliseconds())
}

func (t *mockSinkTask) Open(context.Context, []connect.TopicPartition) error { return nil }

func (t *mockSinkTask) Put(context.Context, []connect.SinkRecord) error {
	if !t.bomb.armed {
		return nil
	}
	if t.bomb.left() < 0 {
		return errMock
	}
	t.comeBack()
	return nil
}

func (t *mockSinkTask) PreCommit(_ context.Context, offsets map[connect.TopicPartition]int64) (map[connect.TopicPartition]int64, error) {
	return offsets, nil
}

func (t *mockSinkTask) Close(context.Context, []connect.TopicPartition) error { return nil }

func (t *mockSinkTask) Stop(context.Context) error { return nil }
