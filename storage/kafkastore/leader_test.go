package kafkastore

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/internal/kafka"
	"github.com/penstock-io/penstock/internal/kafkatest"
	"github.com/penstock-io/penstock/storage"
	"github.com/penstock-io/penstock/storage/storetest"
)

func fencedOptions(t *testing.T, c *kafkatest.Cluster) Options {
	o := configOptions(t, c)
	o.Consumer = c.Props("isolation.level", "read_committed")
	o.Leader = c.Props("transactional.id", "connect-cluster-g", "delivery.timeout.ms", "2147483647")
	return o
}

func startFenced(t *testing.T, o Options) (*ConfigStore, *storetest.Listener) {
	t.Helper()
	s, l := NewConfigStore(o), &storetest.Listener{}
	must(t, s.Start(t.Context(), l))
	t.Cleanup(func() { must(t, s.Stop(context.Background())) })
	return s, l
}

func TestFencedConfigStore(t *testing.T) {
	storetest.RunConfig(t, func(t *testing.T) storage.ConfigStore { return NewConfigStore(fencedOptions(t, kafkatest.New(t))) })
}

// unprivileged are the writes that any worker makes.
var unprivileged = []string{"Error writing target state to Kafka: ", "Error writing logger level to Kafka: "}

func privilegedOperations() map[string]func(ctx context.Context, s *ConfigStore) error {
	out := map[string]func(ctx context.Context, s *ConfigStore) error{}
	for what, op := range operations {
		if what != unprivileged[0] && what != unprivileged[1] {
			out[what] = op
		}
	}
	return out
}

func TestLeadersWritesNeedPrivileges(t *testing.T) {
	c := kafkatest.New(t)
	s, _ := startFenced(t, fencedOptions(t, c))
	for what, op := range privilegedOperations() {
		err := op(t.Context(), s)
		if err == nil || !errors.Is(err, storage.ErrPrivilegeLost) || !strings.HasPrefix(err.Error(), what) ||
			!strings.Contains(err.Error(), "Cannot produce to config topic without claiming write privileges first") {
			t.Errorf("error %v, want %s", err, what)
		}
	}
	for _, what := range unprivileged {
		must(t, operations[what](t.Context(), s))
	}
	must(t, s.Refresh(t.Context()))
	equal(t, int64(2), s.Snapshot().Offset)
	must(t, s.ClaimWritePrivileges(t.Context()))
	for what, op := range operations {
		if err := op(t.Context(), s); err != nil {
			t.Errorf("%s with privileges: %v", what, err)
		}
	}
}

// The offset counts data records; markers lie between them.
func TestOffsetsOfTransactions(t *testing.T) {
	c := kafkatest.New(t)
	s, _ := startFenced(t, fencedOptions(t, c))
	other, _ := startFenced(t, fencedOptions(t, c))
	ctx := t.Context()
	must(t, s.ClaimWritePrivileges(ctx))
	at := func(want int64) {
		t.Helper()
		must(t, s.Refresh(ctx))
		must(t, other.Refresh(ctx))
		equal(t, want, s.Snapshot().Offset)
		equal(t, s.Snapshot(), other.Snapshot())
	}
	must(t, s.PutConnector(ctx, "a", map[string]string{}, connect.TargetPaused)) // 0, 1, marker 2
	at(2)
	must(t, s.PutTaskConfigs(ctx, "a", []map[string]string{{}, {}})) // 3, 4, marker 5, 6, marker 7
	at(7)
	must(t, s.PutTargetState(ctx, "a", connect.TargetStarted)) // 8
	at(9)
	must(t, s.RemoveConnector(ctx, "a")) // 9, 10, marker 11
	at(11)
	late, _ := startFenced(t, fencedOptions(t, c))
	equal(t, s.Snapshot(), late.Snapshot())
}

func TestAnotherLeaderFencesOff(t *testing.T) {
	c := kafkatest.New(t)
	ctx := t.Context()
	for what, op := range privilegedOperations() {
		t.Run(strings.TrimSuffix(what, ": "), func(t *testing.T) {
			old, _ := startFenced(t, fencedOptions(t, c))
			next, _ := startFenced(t, fencedOptions(t, c))
			must(t, old.ClaimWritePrivileges(ctx))
			must(t, old.PutConnector(ctx, "z", map[string]string{}, ""))
			must(t, next.ClaimWritePrivileges(ctx))
			must(t, next.Refresh(ctx))
			before := next.Snapshot()
			err := op(ctx, old)
			if !errors.Is(err, storage.ErrPrivilegeLost) || !strings.HasPrefix(err.Error(), what) ||
				!(errors.Is(err, kafka.ErrFenced) || errors.Is(err, kafka.ErrInvalidProducerEpoch)) {
				t.Errorf("error %v", err)
			}
			must(t, next.Refresh(ctx))
			equal(t, before.Offset, next.Snapshot().Offset) // nothing of it is seen
			if err := op(ctx, old); !errors.Is(err, storage.ErrPrivilegeLost) || !strings.Contains(err.Error(), "without claiming") {
				t.Errorf("again: error %v", err)
			}
			must(t, op(ctx, next))
			must(t, old.ClaimWritePrivileges(ctx)) // back again
			must(t, op(ctx, old))
		})
	}
}

// Whoever led in between, a claim that is repeated is good.
func TestClaimAfterAnotherLeader(t *testing.T) {
	c := kafkatest.New(t)
	first, _ := startFenced(t, fencedOptions(t, c))
	second, _ := startFenced(t, fencedOptions(t, c))
	for i := range 3 {
		for _, s := range []*ConfigStore{first, second} {
			must(t, s.ClaimWritePrivileges(t.Context()))
			must(t, s.PutConnector(t.Context(), "a", map[string]string{"v": fmt.Sprint(i)}, ""))
		}
	}
}

// A leader that died within a transaction left it open; its successor's claim ends it.
func TestAClaimEndsTheTransactionOfADeadLeader(t *testing.T) {
	c := kafkatest.New(t)
	s, _ := startFenced(t, fencedOptions(t, c))
	must(t, s.ClaimWritePrivileges(t.Context()))
	must(t, s.PutConnector(t.Context(), "a", map[string]string{}, ""))
	dead, err := kgo.NewClient(kgo.SeedBrokers(c.ListenAddrs()...), kgo.TransactionalID("connect-cluster-g"),
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(0))
	must(t, err)
	defer dead.Close() // which ends nothing
	must(t, dead.BeginTransaction())
	zombie := &kafkatest.Record{Topic: "configs", Key: []byte("connector-zombie"), Value: []byte(`{"properties":{}}`)}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	must(t, dead.ProduceSync(ctx, zombie).FirstErr())
	must(t, s.ClaimWritePrivileges(t.Context()))
	next, _ := startFenced(t, fencedOptions(t, c))
	must(t, s.PutConnector(t.Context(), "b", map[string]string{}, ""))
	must(t, next.Refresh(t.Context()))
	equal(t, []string{"a", "b"}, next.Snapshot().Connectors())
}

func TestAFailedWriteCostsThePrivileges(t *testing.T) {
	for _, key := range []kmsg.Key{kmsg.Produce, kmsg.AddPartitionsToTxn, kmsg.EndTxn} {
		t.Run(key.Name(), func(t *testing.T) {
			c := kafkatest.New(t)
			s, l := startFenced(t, fencedOptions(t, c))
			ctx := t.Context()
			must(t, s.ClaimWritePrivileges(ctx))
			during(c, kfake.Fault{Keys: []kmsg.Key{key}, Err: kerr.TransactionalIDAuthorizationFailed}, func(*kfake.FaultHandle) {
				err := s.PutConnector(ctx, "a", map[string]string{}, connect.TargetPaused)
				if !errors.Is(err, storage.ErrPrivilegeLost) || !errors.Is(err, kafka.ErrAuthorization) {
					t.Errorf("error %v", err)
				}
			})
			if err := s.PutConnector(ctx, "a", map[string]string{}, ""); !errors.Is(err, storage.ErrPrivilegeLost) {
				t.Errorf("error %v", err)
			}
			must(t, s.ClaimWritePrivileges(ctx))
			must(t, s.PutConnector(ctx, "b", map[string]string{}, ""))
			equal(t, []string{"b"}, s.Snapshot().Connectors())
			equal(t, []string{"updated b"}, l.Await(t, "updated b"))
		})
	}
}

func TestAFailedClaim(t *testing.T) {
	c := kafkatest.New(t)
	s, _ := startFenced(t, fencedOptions(t, c))
	must(t, s.ClaimWritePrivileges(t.Context()))
	during(c, kfake.Fault{Keys: []kmsg.Key{kmsg.InitProducerID}, Err: kerr.TransactionalIDAuthorizationFailed}, func(*kfake.FaultHandle) {
		err := s.ClaimWritePrivileges(t.Context())
		if !errors.Is(err, kafka.ErrAuthorization) || !strings.HasPrefix(err.Error(), "Failed to create and initialize secure producer for config topic: ") {
			t.Errorf("error %v", err)
		}
	})
	if err := s.PutConnector(t.Context(), "a", nil, ""); !errors.Is(err, storage.ErrPrivilegeLost) {
		t.Errorf("error %v", err)
	}
	must(t, s.ClaimWritePrivileges(t.Context()))
	must(t, s.PutConnector(t.Context(), "a", nil, ""))
}

// That the caller went away costs no privileges, and the write is whole.
func TestACallerWhoGoesAwayCostsNothing(t *testing.T) {
	c := kafkatest.New(t)
	s, l := startFenced(t, fencedOptions(t, c))
	must(t, s.ClaimWritePrivileges(t.Context()))
	ctx, cancel := context.WithCancelCause(t.Context())
	gone := errors.New("the user went away")
	during(c, kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.NotEnoughReplicas}, func(h *kfake.FaultHandle) {
		done := make(chan error, 1)
		go func() { done <- s.PutConnector(ctx, "a", map[string]string{}, "") }()
		c.Await(h, 1)
		cancel(gone)
		h.Remove()
		if err := <-done; err != nil && !errors.Is(err, gone) {
			t.Errorf("error %v", err)
		}
	})
	l.Await(t, "updated a")
	must(t, s.PutConnector(t.Context(), "b", map[string]string{}, ""))
	equal(t, []string{"a", "b"}, s.Snapshot().Connectors())
}

func TestALeadersWriteTakesLimitedTime(t *testing.T) {
	c := kafkatest.New(t)
	s, _ := startFenced(t, fencedOptions(t, c))
	must(t, s.ClaimWritePrivileges(t.Context()))
	s.writeTime = 200 * time.Millisecond
	during(c, kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.NotEnoughReplicas}, func(*kfake.FaultHandle) {
		err := s.PutConnector(t.Context(), "a", map[string]string{}, "")
		if !errors.Is(err, storage.ErrPrivilegeLost) || !errors.Is(err, kafka.ErrTimeout) {
			t.Errorf("error %v", err)
		}
	})
	s.writeTime = writeTime
	must(t, s.ClaimWritePrivileges(t.Context()))
	must(t, s.PutConnector(t.Context(), "b", map[string]string{}, ""))
	equal(t, []string{"b"}, s.Snapshot().Connectors())
}

func TestStopEndsALeadersWrites(t *testing.T) {
	c := kafkatest.New(t)
	s, _ := startFenced(t, fencedOptions(t, c))
	must(t, s.ClaimWritePrivileges(t.Context()))
	during(c, kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.NotEnoughReplicas}, func(h *kfake.FaultHandle) {
		done := make(chan error, 1)
		go func() { done <- s.PutConnector(t.Context(), "a", map[string]string{}, "") }()
		c.Await(h, 1)
		must(t, s.Stop(t.Context()))
		if err := <-done; !errors.Is(err, kafka.ErrClosed) {
			t.Errorf("error %v", err)
		}
	})
	if err := s.ClaimWritePrivileges(t.Context()); err == nil {
		t.Error("privileges were claimed after the stop")
	}
	during(c, kfake.Fault{Keys: []kmsg.Key{kmsg.InitProducerID}, Err: kerr.CoordinatorLoadInProgress}, func(h *kfake.FaultHandle) {
		next, _ := startFenced(t, fencedOptions(t, c))
		done := make(chan error, 1)
		go func() { done <- next.ClaimWritePrivileges(t.Context()) }()
		c.Await(h, 1)
		must(t, next.Stop(t.Context()))
		if err := <-done; !errors.Is(err, kafka.ErrClosed) {
			t.Errorf("a claim under way: %v", err)
		}
	})
}
