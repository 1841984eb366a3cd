package herder

import (
	"context"
	"slices"
	"testing/synctest"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/storage"
	"github.com/penstock-io/penstock/storage/memstore"
)

// What the fakes do of exactly-once and of offsets.

func (r *fakeRuntime) FenceZombies(ctx context.Context, connector string, tasks int, _ map[string]string) error {
	return r.call(ctx, "fence %d tasks of %s", tasks, connector)
}

func (r *fakeRuntime) ConnectorOffsets(ctx context.Context, name string, _ map[string]string) ([]connect.SourceOffset, error) {
	return r.offsets, r.call(ctx, "offsets %s", name)
}

func (r *fakeRuntime) AlterConnectorOffsets(ctx context.Context, name string, config map[string]string, offsets []connect.SourceOffset) (bool, error) {
	err := r.call(ctx, "alter %d offsets of %s", len(offsets), name)
	for _, o := range offsets {
		r.add("%v = %v", o.Partition, o.Offset)
	}
	return config["file"] == "told", err
}

func (r *fakeRuntime) ResetConnectorOffsets(ctx context.Context, name string, config map[string]string) (bool, error) {
	return config["file"] == "told", r.call(ctx, "reset offsets of %s", name)
}

func (l *fakeLeader) FenceZombies(_ context.Context, url, connector string, key *storage.SessionKey) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.add("ask %s to fence %s, signed %v", url, connector, key != nil)
	if len(l.answers) > 0 {
		err := l.answers[0]
		l.answers = l.answers[1:]
		return err
	}
	return l.err
}

func (c *tracedConfigs) ClaimWritePrivileges(context.Context) error {
	c.add("claim write privileges")
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.claimErr
}

func (c *tracedConfigs) setClaimErr(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.claimErr = err
}

// failNextWrite makes the next write of the leader fail.
func (c *tracedConfigs) failNextWrite(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.writeErr = err
}

func (c *tracedConfigs) takeWriteErr() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	err := c.writeErr
	c.writeErr = nil
	return err
}

func (c *tracedConfigs) PutTaskCountRecord(ctx context.Context, name string, count int) error {
	c.add("record %d tasks of %s", count, name)
	if err := c.takeWriteErr(); err != nil {
		return err
	}
	return c.ConfigStore.PutTaskCountRecord(ctx, name, count)
}

func (c *tracedConfigs) PutConnector(ctx context.Context, name string, config map[string]string, initial connect.TargetState) error {
	if err := c.takeWriteErr(); err != nil {
		return err
	}
	return c.ConfigStore.PutConnector(ctx, name, config, initial)
}

func (c *tracedConfigs) RemoveConnector(ctx context.Context, name string) error {
	if err := c.takeWriteErr(); err != nil {
		return err
	}
	return c.ConfigStore.RemoveConnector(ctx, name)
}

func (c *tracedConfigs) PutTaskConfigs(ctx context.Context, name string, configs []map[string]string) error {
	if err := c.takeWriteErr(); err != nil {
		return err
	}
	return c.ConfigStore.PutTaskConfigs(ctx, name, configs)
}

func (c *tracedConfigs) PutRestartRequest(ctx context.Context, r storage.RestartRequest) error {
	if err := c.takeWriteErr(); err != nil {
		return err
	}
	return c.ConfigStore.PutRestartRequest(ctx, r)
}

// tracedOffsets is an offset store whose start and end are written down.
type tracedOffsets struct {
	storage.OffsetStore
	*trace
	startErr error
}

func newTracedOffsets(tr *trace) *tracedOffsets {
	return &tracedOffsets{OffsetStore: memstore.NewOffsetStore(), trace: tr}
}

func (o *tracedOffsets) Start(context.Context) error {
	o.add("start the offset store")
	return o.startErr
}

func (o *tracedOffsets) Stop(context.Context) error {
	o.add("stop the offset store")
	return nil
}

// source stores a source connector as another worker would: with tasks task configs, and
// before these, unless record is negative, a record of so many tasks.
func (r *rig) source(name string, record, tasks int, pairs ...string) {
	r.t.Helper()
	ctx := r.t.Context()
	steps := []error{r.configs.ConfigStore.PutConnector(ctx, name, sourceConfig(name, pairs...), "")}
	if record >= 0 {
		steps = append(steps, r.configs.ConfigStore.PutTaskCountRecord(ctx, name, record))
	}
	steps = append(steps, r.commit(name, tasks))
	if i := slices.IndexFunc(steps, func(err error) bool { return err != nil }); i >= 0 {
		r.t.Fatal(steps[i])
	}
	synctest.Wait()
	r.take()
}

// commit writes a new set of task configs.
func (r *rig) commit(name string, tasks int) error {
	configs := make([]map[string]string, tasks)
	for i := range configs {
		configs[i] = map[string]string{"file": "f"}
	}
	return r.configs.ConfigStore.PutTaskConfigs(r.t.Context(), name, configs)
}

func sourceConfig(name string, pairs ...string) map[string]string {
	c := sinkConfig(name, pairs...)
	c["connector.class"] = "TestSource"
	delete(c, "topics")
	return c
}
