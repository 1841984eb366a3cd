package kafka

import (
	"context"
	"errors"
	"maps"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/internal/kafkatest"
)

func TestGroupOffsets(t *testing.T) {
	c := kafkatest.New(t)
	c.Topic("t", 3)
	c.Topic("u", 1)
	client := newTestClient(t, c)
	is := func(want map[connect.TopicPartition]int64) {
		t.Helper()
		got, err := client.GroupOffsets(t.Context(), "g")
		if err != nil || !maps.Equal(got, want) {
			t.Errorf("offsets %v, %v; want %v", got, err, want)
		}
	}
	is(nil)
	must(t, client.AlterGroupOffsets(t.Context(), "g", map[connect.TopicPartition]int64{tp("t", 0): 5, tp("t", 2): 7, tp("u", 0): 0}))
	is(map[connect.TopicPartition]int64{tp("t", 0): 5, tp("t", 2): 7, tp("u", 0): 0})
	must(t, client.AlterGroupOffsets(t.Context(), "g", map[connect.TopicPartition]int64{tp("t", 0): 6}))
	must(t, client.DeleteGroupOffsets(t.Context(), "g", tps("t-1 t-2")))
	is(map[connect.TopicPartition]int64{tp("t", 0): 6, tp("u", 0): 0})
	must(t, client.AlterGroupOffsets(t.Context(), "g", nil), client.DeleteGroupOffsets(t.Context(), "g", nil))
	must(t, client.DeleteGroup(t.Context(), "g"))
	is(nil)
	if err := client.DeleteGroup(t.Context(), "g"); !errors.Is(err, ErrUnknownGroup) {
		t.Errorf("DeleteGroup returned %v", err)
	}
	if err := client.DeleteGroupOffsets(t.Context(), "g", tps("t-0")); !errors.Is(err, ErrUnknownGroup) {
		t.Errorf("DeleteGroupOffsets returned %v", err)
	}
}

func TestGroupOffsetsOfAGroupWithMembers(t *testing.T) {
	c := kafkatest.New(t)
	c.Topic("t", 1)
	p := startPump(t, groupProps(c), topicT, nil)
	eventually(t, "the member", func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return len(p.events) > 0
	})
	client := newTestClient(t, c)
	for name, call := range map[string]func() error{
		"AlterGroupOffsets":  func() error { return client.AlterGroupOffsets(t.Context(), "g", from(3, tps("t-0")...)) },
		"DeleteGroupOffsets": func() error { return client.DeleteGroupOffsets(t.Context(), "g", tps("t-0")) },
		"DeleteGroup":        func() error { return client.DeleteGroup(t.Context(), "g") },
	} {
		if err := call(); !errors.Is(err, ErrGroupNotEmpty) || errors.Is(err, ErrUnknownGroup) || Retriable(err) {
			t.Errorf("%s returned %v", name, err)
		}
	}
}

func TestGroupCallsUnderFaults(t *testing.T) {
	c := kafkatest.New(t)
	c.Topic("t", 1)
	client := newTestClient(t, c)
	calls := map[kmsg.Key]func(ctx context.Context) error{
		kmsg.OffsetFetch:  func(ctx context.Context) error { _, err := client.GroupOffsets(ctx, "g"); return err },
		kmsg.OffsetCommit: func(ctx context.Context) error { return client.AlterGroupOffsets(ctx, "g", from(3, tps("t-0")...)) },
		kmsg.OffsetDelete: func(ctx context.Context) error { return client.DeleteGroupOffsets(ctx, "g", tps("t-0")) },
		kmsg.DeleteGroups: func(ctx context.Context) error { return client.DeleteGroup(ctx, "g") },
	}
	for key, call := range calls {
		for _, at := range []kmsg.Key{key, kmsg.FindCoordinator} {
			must(t, client.AlterGroupOffsets(t.Context(), "g", from(3, tps("t-0")...)))
			fault := c.Fault(kfake.Fault{Keys: []kmsg.Key{at}, Err: kerr.CoordinatorNotAvailable, Count: 2})
			if err := call(t.Context()); err != nil || fault.Hits() != 2 {
				t.Errorf("%s, %s: %v after %d faults", key.Name(), at.Name(), err, fault.Hits())
			}
			c.Fault(kfake.Fault{Keys: []kmsg.Key{at}, Err: kerr.GroupAuthorizationFailed})
			if err := call(t.Context()); !errors.Is(err, ErrAuthorization) || !strings.Contains(err.Error(), "on Group g") {
				t.Errorf("%s, %s: %v", key.Name(), at.Name(), err)
			}
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(errTest)
		if err := call(ctx); !errors.Is(err, errTest) {
			t.Errorf("%s: %v", key.Name(), err)
		}
	}
}

func TestOffsetsOfAPartitionThatDoesNotExistAreRefusedAtOnce(t *testing.T) {
	c := kafkatest.New(t)
	c.Topic("t", 1)
	client := newTestClient(t, c)
	must(t, client.AlterGroupOffsets(t.Context(), "g", from(3, tps("t-0")...)))
	for key, call := range map[kmsg.Key]func() error{
		kmsg.OffsetCommit: func() error { return client.AlterGroupOffsets(t.Context(), "g", from(3, tps("zz-0")...)) },
		kmsg.OffsetDelete: func() error { return client.DeleteGroupOffsets(t.Context(), "g", tps("zz-0")) },
	} {
		c.Fault(kfake.Fault{Keys: []kmsg.Key{key}, Err: kerr.UnknownTopicOrPartition, Count: 1})
		if err := call(); !errors.Is(err, ErrUnknownTopic) || !strings.Contains(err.Error(), "of consumer group g: ") {
			t.Errorf("%s: %v", key.Name(), err)
		}
	}
}
