package kafkastore

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kfake"
	"go.uber.org/goleak"
	"go.uber.org/zap"

	"github.com/penstock-io/penstock/internal/kafka"
	"github.com/penstock-io/penstock/internal/kafkatest"
	"github.com/penstock-io/penstock/storage"
	"github.com/penstock-io/penstock/storage/storetest"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("github.com/rcrowley/go-metrics.(*meterArbiter).tick"))
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func equal(t testing.TB, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func newAdmin(t *testing.T, c *kafkatest.Cluster) *kafka.Client {
	t.Helper()
	// The short time lets a test see what happens when it is over.
	admin, err := kafka.NewClient(t.Context(), c.Props("default.api.timeout.ms", "3000"), zap.NewNop())
	must(t, err)
	t.Cleanup(func() { _ = admin.Close() })
	return admin
}

func configOptions(t *testing.T, c *kafkatest.Cluster) Options {
	return Options{
		Topic:    Topic{Name: "configs", Property: "config.storage.topic", Partitions: 7, ReplicationFactor: 1},
		Producer: c.Props("acks", "all", "enable.idempotence", "false", "delivery.timeout.ms", "2147483647"), Consumer: c.Props(),
		Admin: newAdmin(t, c), Log: zap.NewNop(),
	}
}

func statusOptions(t *testing.T, c *kafkatest.Cluster) Options {
	return Options{
		Topic:    Topic{Name: "statuses", Property: "status.storage.topic", Partitions: 5, ReplicationFactor: 1},
		Producer: c.Props("acks", "all", "enable.idempotence", "false", "retries", "0"), Consumer: c.Props(),
		Admin: newAdmin(t, c), Log: zap.NewNop(),
	}
}

func startConfigs(t *testing.T, c *kafkatest.Cluster) (*ConfigStore, *storetest.Listener) {
	t.Helper()
	s, l := NewConfigStore(configOptions(t, c)), &storetest.Listener{}
	must(t, s.Start(t.Context(), l))
	t.Cleanup(func() { must(t, s.Stop(context.Background())) })
	return s, l
}

func startStatuses(t *testing.T, c *kafkatest.Cluster) *StatusStore {
	t.Helper()
	s := NewStatusStore(statusOptions(t, c))
	must(t, s.Start(t.Context()))
	t.Cleanup(func() { _ = s.Stop(context.Background()) })
	return s
}

func TestConfigStore(t *testing.T) {
	storetest.RunConfig(t, func(t *testing.T) storage.ConfigStore { return NewConfigStore(configOptions(t, kafkatest.New(t))) })
}

func TestStatusStore(t *testing.T) {
	storetest.RunStatus(t, func(t *testing.T) storage.StatusStore { return NewStatusStore(statusOptions(t, kafkatest.New(t))) })
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

// during installs a fault for as long as fn runs.
func during(c *kafkatest.Cluster, f kfake.Fault, fn func(h *kfake.FaultHandle)) {
	f.Count = -1
	h := c.Fault(f)
	defer h.Remove()
	fn(h)
}
