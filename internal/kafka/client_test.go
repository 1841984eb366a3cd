package kafka

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/internal/kafkatest"
)

func newTestClient(t testing.TB, c *kafkatest.Cluster, pairs ...string) *Client {
	t.Helper()
	client, err := NewClient(t.Context(), c.Props(pairs...), testLog(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := client.Close(); err != nil {
			t.Error(err)
		}
	})
	return client
}

func TestClientCalls(t *testing.T) {
	c := kafkatest.New(t, kfake.ClusterID("cluster-1"))
	client := newTestClient(t, c)
	ctx := t.Context()
	if id, err := client.ClusterID(ctx); id != "cluster-1" || err != nil {
		t.Errorf("cluster id %q, %v", id, err)
	}
	spec := TopicSpec{Name: "t", Partitions: 3, ReplicationFactor: 1, Config: map[string]string{"cleanup.policy": "compact", "retention.ms": "5"}}
	for i, want := range []bool{true, false} {
		if created, err := client.CreateTopic(ctx, spec); created != want || err != nil {
			t.Errorf("try %d: created %v, %v", i, created, err)
		}
	}
	for key, want := range map[string]string{"cleanup.policy": "compact", "retention.ms": "5", "no.such.key": ""} {
		if got, err := client.TopicConfig(ctx, "t", key); got != want || err != nil {
			t.Errorf("%s: %q, %v", key, got, err)
		}
	}
	if got, err := client.TopicConfig(ctx, "missing", "cleanup.policy"); got != "" || err != nil {
		t.Errorf("config of a topic that is not there: %q, %v", got, err)
	}
	if got, err := client.Partitions(ctx, "t"); !slices.Equal(got, []int32{0, 1, 2}) || err != nil {
		t.Errorf("partitions %v, %v", got, err)
	}
	if got, err := client.Partitions(ctx, "missing"); len(got) > 0 || err != nil {
		t.Errorf("partitions of a topic that is not there: %v, %v", got, err)
	}
	c.Produce("none", kafkatest.Values("t", 1, "v", 4)...)
	ends, err := client.EndOffsets(ctx, tps("t-0 t-1"))
	if err != nil || ends[tp("t", 0)] != 0 || ends[tp("t", 1)] != 4 || len(ends) != 2 {
		t.Errorf("end offsets %v, %v", ends, err)
	}
	if ends, err := client.EndOffsets(ctx, nil); err != nil || len(ends) != 0 {
		t.Errorf("end offsets of nothing: %v, %v", ends, err)
	}
}

func TestClientRetries(t *testing.T) {
	c := kafkatest.New(t)
	c.Topic("t", 2)
	client := newTestClient(t, c)
	for name, call := range map[string]struct {
		key  kmsg.Key
		code *kerr.Error
		do   func(ctx context.Context) error
	}{
		"create": {kmsg.CreateTopics, kerr.NotController, func(ctx context.Context) error {
			_, err := client.CreateTopic(ctx, TopicSpec{Name: "new", Partitions: 1, ReplicationFactor: 1})
			return err
		}},
		"end offsets": {kmsg.ListOffsets, kerr.NotLeaderForPartition, func(ctx context.Context) error {
			ends, err := client.EndOffsets(ctx, tps("t-0 t-1"))
			if len(ends) != 2 {
				t.Errorf("end offsets %v", ends)
			}
			return err
		}},
		"partitions": {kmsg.Metadata, kerr.LeaderNotAvailable, func(ctx context.Context) error {
			_, err := client.Partitions(ctx, "t")
			return err
		}},
	} {
		fault := c.FailOnce(call.key, call.code)
		if err := call.do(t.Context()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if fault.Hits() != 1 {
			t.Errorf("%s: the fault was met %d times", name, fault.Hits())
		}
		for id := range int32(3) {
			c.Cut(id)
		}
		if err := call.do(t.Context()); err != nil {
			t.Errorf("%s, over lost connections: %v", name, err)
		}
	}
}

func TestClientErrorKinds(t *testing.T) {
	c := kafkatest.New(t)
	client := newTestClient(t, c)
	for code, kind := range map[*kerr.Error]error{
		kerr.TopicAuthorizationFailed: ErrAuthorization, kerr.ClusterAuthorizationFailed: ErrAuthorization,
		kerr.InvalidConfig: ErrInvalidConfig, kerr.InvalidReplicationFactor: ErrInvalidReplicationFactor, kerr.UnsupportedVersion: ErrUnsupported,
	} {
		c.FailOnce(kmsg.CreateTopics, code)
		created, err := client.CreateTopic(t.Context(), TopicSpec{Name: "x", Partitions: 1, ReplicationFactor: 1})
		if created || !errors.Is(err, kind) || !strings.Contains(err.Error(), "create topic x") || Retriable(err) {
			t.Errorf("%s: created %v, %v", code.Message, created, err)
		}
	}
	c.FailOnce(kmsg.DescribeConfigs, kerr.TopicAuthorizationFailed)
	if got, err := client.TopicConfig(t.Context(), "x", "cleanup.policy"); got != "" || err != nil {
		t.Errorf("config that may not be seen: %q, %v", got, err)
	}
}

func TestClientTimeouts(t *testing.T) {
	c := kafkatest.New(t)
	c.Topic("t", 1)
	client := newTestClient(t, c, "default.api.timeout.ms", "150")
	c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.ListOffsets}, Err: kerr.LeaderNotAvailable, Count: -1})
	_, err := client.EndOffsets(t.Context(), tps("t-0"))
	if !errors.Is(err, ErrTimeout) || codeOf(err) != brokerCode(kerr.LeaderNotAvailable) || !strings.Contains(err.Error(), "default.api.timeout.ms") {
		t.Errorf("EndOffsets returned %v", err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(20*time.Millisecond, func() { cancel(errTest) })
	if _, err := newTestClient(t, c).EndOffsets(ctx, []connect.TopicPartition{tp("t", 0)}); !errors.Is(err, errTest) {
		t.Errorf("EndOffsets returned %v", err)
	}
}

func TestClientWithoutBrokers(t *testing.T) {
	c := kafkatest.New(t)
	for id := range int32(3) {
		c.Down(id)
	}
	_, err := NewClient(t.Context(), c.Props("default.api.timeout.ms", "1000"), testLog(t))
	if !errors.Is(err, ErrTimeout) || !strings.Contains(err.Error(), "bootstrap.servers") {
		t.Errorf("NewClient returned %v", err)
	}
	c.Up(0)
	c.Up(1)
	c.Up(2)
	client := newTestClient(t, c)
	if err := client.Close(); err != nil {
		t.Error(err)
	}
	if _, err := client.ClusterID(t.Context()); !errors.Is(err, ErrClosed) {
		t.Errorf("a call after Close: %v", err)
	}
	eventually(t, "the connections to be closed", func() bool { return c.Connections() == 0 })
}

// TestClientClosesHungCalls: Close ends calls that wait for an answer.
func TestClientClosesHungCalls(t *testing.T) {
	c := kafkatest.New(t)
	c.Topic("t", 1)
	client := newTestClient(t, c, "request.timeout.ms", "60000")
	hung := make(chan struct{}, 1)
	c.ControlKey(int16(kmsg.ListOffsets), func(kmsg.Request) (kmsg.Response, error, bool) {
		hung <- struct{}{}
		return nil, nil, true
	})
	done := make(chan error, 1)
	go func() {
		_, err := client.EndOffsets(t.Context(), tps("t-0"))
		done <- err
	}()
	receive(t, "the request", hung)
	if err := client.Close(); err != nil {
		t.Error(err)
	}
	if err := receive(t, "the end of the call", done); !errors.Is(err, ErrClosed) {
		t.Errorf("the call returned %v", err)
	}
}
