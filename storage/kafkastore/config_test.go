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
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/internal/kafka"
	"github.com/penstock-io/penstock/internal/kafkatest"
	"github.com/penstock-io/penstock/storage"
	"github.com/penstock-io/penstock/storage/storetest"
	"github.com/penstock-io/penstock/storage/topiclog"
)

// dump reads a topic of one partition as text.
func dump(t *testing.T, c *kafkatest.Cluster, topic string) []string {
	t.Helper()
	var lines []string
	l, err := topiclog.Open(t.Context(), topiclog.Options{
		Topic: topic, Producer: c.Props(), Consumer: c.Props(), Admin: newAdmin(t, c), Log: zap.NewNop(),
		Read: func(b kafka.Batch) {
			for _, r := range b.Records {
				value := string(r.Value)
				if r.Value == nil {
					value = "-"
				}
				lines = append(lines, string(r.Key)+" "+value)
				if len(r.Headers) > 0 || r.Timestamp <= 0 {
					t.Errorf("%s: headers %v, timestamp %d", r.Key, r.Headers, r.Timestamp)
				}
			}
		},
	})
	must(t, err)
	must(t, l.Close())
	return lines
}

func TestRecordsOfEachOperation(t *testing.T) {
	c := kafkatest.New(t)
	s, _ := startConfigs(t, c)
	ctx := t.Context()
	must(t, s.PutConnector(ctx, "a", map[string]string{"k": "v"}, connect.TargetStopped))
	must(t, s.PutTaskConfigs(ctx, "a", []map[string]string{{"t": "0"}, {"t": "1"}}))
	must(t, s.PutTargetState(ctx, "a", connect.TargetPaused))
	must(t, s.PutTaskConfigs(ctx, "a", nil))
	must(t, s.PutTaskCountRecord(ctx, "a", 2))
	must(t, s.PutSessionKey(ctx, storage.SessionKey{Key: []byte{1}, Algorithm: "HmacSHA256", Created: time.UnixMilli(5)}))
	must(t, s.PutRestartRequest(ctx, storage.RestartRequest{Connector: "a", OnlyFailed: true}))
	must(t, s.PutLoggerLevel(ctx, "org.x", "DEBUG"))
	must(t, s.RemoveConnector(ctx, "a"))
	equal(t, []string{
		`target-state-a {"state":"PAUSED","state.v2":"STOPPED"}`, `connector-a {"properties":{"k":"v"}}`,
		`task-a-0 {"properties":{"t":"0"}}`, `task-a-1 {"properties":{"t":"1"}}`, `commit-a {"tasks":2}`,
		`target-state-a {"state":"PAUSED","state.v2":"PAUSED"}`,
		`commit-a {"tasks":0}`,
		`tasks-fencing-a {"task-count":2}`,
		`session-key {"key":"AQ==","algorithm":"HmacSHA256","creation-timestamp":5}`,
		`restart-connector-a {"include-tasks":false,"only-failed":true}`,
		`logger-cluster-org.x {"level":"DEBUG"}`,
		`connector-a -`, `target-state-a -`,
	}, dump(t, c, "configs"))
	equal(t, 1, len(c.PartitionInfos("configs")))
	equal(t, int64(13), s.Snapshot().Offset)
}

func TestASecondWorkerSeesTheSame(t *testing.T) {
	c := kafkatest.New(t)
	first, _ := startConfigs(t, c)
	ctx := t.Context()
	must(t, first.PutConnector(ctx, "a", map[string]string{"v": "1"}, ""))
	must(t, first.PutTaskConfigs(ctx, "a", []map[string]string{{}}))
	must(t, first.PutRestartRequest(ctx, storage.RestartRequest{Connector: "a"}))
	must(t, first.PutLoggerLevel(ctx, "x", "DEBUG"))
	must(t, first.Refresh(ctx))
	second, told := startConfigs(t, c)
	equal(t, first.Snapshot(), second.Snapshot())
	equal(t, 0, len(told.Lines())) // old restarts are not for it
	must(t, first.PutConnector(ctx, "b", map[string]string{}, ""))
	equal(t, []string{"updated b"}, told.Await(t, "updated b"))
	must(t, second.Refresh(ctx))
	equal(t, first.Snapshot(), second.Snapshot())
}

// produce writes raw records; a value "-" is a tombstone.
func produce(c *kafkatest.Cluster, topic string, kvs ...string) {
	var recs []*kafkatest.Record
	for i := 0; i < len(kvs); i += 2 {
		r := &kafkatest.Record{Topic: topic, Key: []byte(kvs[i]), Value: []byte(kvs[i+1])}
		if kvs[i+1] == "-" {
			r.Value = nil
		}
		recs = append(recs, r)
	}
	c.Produce("none", recs...)
}

func TestStrangeRecordsAreLoggedAndSkipped(t *testing.T) {
	c := kafkatest.New(t)
	c.Topic("configs", 1, "cleanup.policy", "compact")
	produce(c, "configs", "connector-a", `{"properties":{}}`, "connector-a", `{oops`, "what", "1", "commit-a", "-", "task-a", "{}", "session-key", `{"key":"secret!"}`)
	core, logs := observer.New(zap.ErrorLevel)
	o := configOptions(t, c)
	o.Log = zap.New(core)
	s := NewConfigStore(o)
	must(t, s.Start(t.Context(), &storetest.Listener{}))
	defer s.Stop(context.Background())
	equal(t, []string{"a"}, s.Snapshot().Connectors())
	equal(t, int64(6), s.Snapshot().Offset)
	equal(t, 5, logs.Len())
	for _, e := range logs.All() {
		if strings.Contains(fmt.Sprint(e.Message, e.ContextMap()), "secret") {
			t.Errorf("the log shows the session key: %v", e)
		}
	}
	// What is no JSON does not count, as in the JVM.
	produce(c, "configs", "connector-b", "{")
	must(t, s.Refresh(t.Context()))
	equal(t, int64(6), s.Snapshot().Offset)
	must(t, s.PutConnector(t.Context(), "c", nil, ""))
	equal(t, int64(8), s.Snapshot().Offset)
}

func TestTheConfigTopicHasOnePartition(t *testing.T) {
	c := kafkatest.New(t)
	c.Topic("configs", 3, "cleanup.policy", "compact")
	err := NewConfigStore(configOptions(t, c)).Start(t.Context(), &storetest.Listener{})
	want := "Topic 'configs' supplied via the 'config.storage.topic' property is required to have a single partition " +
		"in order to guarantee consistency of connector configurations, but found 3 partitions."
	if err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("error %v\nwant %s", err, want)
	}
}

func TestAWrongTopicStopsTheStart(t *testing.T) {
	c := kafkatest.New(t)
	c.Topic("configs", 1, "cleanup.policy", "delete")
	err := NewConfigStore(configOptions(t, c)).Start(t.Context(), &storetest.Listener{})
	if err == nil || !strings.Contains(err.Error(), "consistency and durability of connector configurations") {
		t.Errorf("error %v", err)
	}
	c.Topic("statuses", 1, "cleanup.policy", "delete")
	err = NewStatusStore(statusOptions(t, c)).Start(t.Context())
	if err == nil || !strings.Contains(err.Error(), "consistency and durability of connector and task statuses") {
		t.Errorf("error %v", err)
	}
}

// operations are all writes of a config store with the JVM's words for their failures.
var operations = map[string]func(ctx context.Context, s *ConfigStore) error{
	"Error writing connector configuration to Kafka: ": func(ctx context.Context, s *ConfigStore) error {
		return s.PutConnector(ctx, "a", map[string]string{}, connect.TargetPaused)
	},
	"Error removing connector configuration from Kafka: ": func(ctx context.Context, s *ConfigStore) error {
		return s.RemoveConnector(ctx, "a")
	},
	"Error writing task configurations to Kafka: ": func(ctx context.Context, s *ConfigStore) error {
		return s.PutTaskConfigs(ctx, "a", []map[string]string{{}})
	},
	"Error writing root configuration to Kafka: ": func(ctx context.Context, s *ConfigStore) error {
		return s.PutTaskConfigs(ctx, "a", nil)
	},
	"Error writing target state to Kafka: ": func(ctx context.Context, s *ConfigStore) error {
		return s.PutTargetState(ctx, "a", connect.TargetPaused)
	},
	"Error writing task count record to Kafka: ": func(ctx context.Context, s *ConfigStore) error {
		return s.PutTaskCountRecord(ctx, "a", 1)
	},
	"Error writing session key to Kafka: ": func(ctx context.Context, s *ConfigStore) error {
		return s.PutSessionKey(ctx, storage.SessionKey{})
	},
	"Error writing restart request for {connectorName='a', onlyFailed=false, includeTasks=true} to Kafka: ": func(ctx context.Context, s *ConfigStore) error {
		return s.PutRestartRequest(ctx, storage.RestartRequest{Connector: "a", IncludeTasks: true})
	},
	"Error writing logger level to Kafka: ": func(ctx context.Context, s *ConfigStore) error {
		return s.PutLoggerLevel(ctx, "a", "INFO")
	},
}

func TestAFailedWriteIsTheCallersError(t *testing.T) {
	c := kafkatest.New(t)
	s, _ := startConfigs(t, c)
	must(t, s.PutConnector(t.Context(), "b", map[string]string{}, ""))
	for want, op := range operations {
		during(c, kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.TopicAuthorizationFailed}, func(*kfake.FaultHandle) {
			err := op(t.Context(), s)
			if err == nil || !strings.HasPrefix(err.Error(), want) || !errors.Is(err, kafka.ErrAuthorization) {
				t.Errorf("error %v, want %s", err, want)
			}
		})
	}
	equal(t, []string{"b"}, s.Snapshot().Connectors())
	for want, op := range operations { // and then all is well again
		if err := op(t.Context(), s); err != nil {
			t.Errorf("%s after the failure: %v", want, err)
		}
	}
}

func TestAWriteThatCannotBeReadBack(t *testing.T) {
	c := kafkatest.New(t)
	s, l := startConfigs(t, c)
	during(c, kfake.Fault{Keys: []kmsg.Key{kmsg.ListOffsets}, Err: kerr.TopicAuthorizationFailed}, func(*kfake.FaultHandle) {
		if err := s.Refresh(t.Context()); !errors.Is(err, kafka.ErrAuthorization) {
			t.Errorf("refresh: %v", err)
		}
		must(t, s.PutConnector(t.Context(), "b", map[string]string{}, "")) // need not ask for the end
	})
	during(c, kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Err: kerr.TopicAuthorizationFailed}, func(*kfake.FaultHandle) {
		err := s.PutConnector(t.Context(), "a", map[string]string{}, "")
		if err == nil || !strings.HasPrefix(err.Error(), "Error writing connector configuration to Kafka: ") {
			t.Errorf("error %v", err)
		}
		if err := s.PutTaskConfigs(t.Context(), "a", nil); err == nil || !strings.HasPrefix(err.Error(), "Error writing root configuration to Kafka: ") {
			t.Errorf("error %v", err)
		}
	})
	equal(t, []string{"updated b", "updated a", "tasks"}, l.Await(t, "tasks")) // it was written all the same
}

func TestErrorsThatPass(t *testing.T) {
	for _, key := range []kmsg.Key{kmsg.Produce, kmsg.ListOffsets, kmsg.Fetch, kmsg.Metadata} {
		t.Run(key.Name(), func(t *testing.T) {
			c := kafkatest.New(t)
			s, _ := startConfigs(t, c)
			h := c.Fault(kfake.Fault{Keys: []kmsg.Key{key}, Err: kerr.LeaderNotAvailable, Count: 2})
			defer h.Remove()
			must(t, s.PutConnector(t.Context(), "a", map[string]string{}, ""))
			must(t, s.PutTaskConfigs(t.Context(), "a", []map[string]string{{}}))
			equal(t, 1, len(s.Snapshot().Tasks("a")))
		})
	}
}

func TestAWriteTakesLimitedTime(t *testing.T) {
	c := kafkatest.New(t)
	s, _ := startConfigs(t, c)
	s.writeTime = 200 * time.Millisecond
	during(c, kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.NotEnoughReplicas}, func(*kfake.FaultHandle) {
		for want, op := range operations {
			err := op(t.Context(), s)
			if err == nil || !strings.HasPrefix(err.Error(), want) || !errors.Is(err, kafka.ErrTimeout) ||
				!strings.Contains(err.Error(), "the write took more than 200ms in all") {
				t.Errorf("error %v, want %s", err, want)
			}
		}
	})
	s.writeTime = writeTime
	must(t, s.PutConnector(t.Context(), "a", map[string]string{}, ""))
}

func TestConfigsOverAnOutage(t *testing.T) {
	c := kafkatest.New(t)
	s, l := startConfigs(t, c)
	other, _ := startConfigs(t, c)
	must(t, s.PutConnector(t.Context(), "a", map[string]string{}, ""))
	down(c)
	ctx, cancel := context.WithTimeoutCause(t.Context(), 300*time.Millisecond, errors.New("the request's time is over"))
	defer cancel()
	if err := s.PutConnector(ctx, "b", map[string]string{}, ""); err == nil || !strings.Contains(err.Error(), "the request's time is over") {
		t.Errorf("error %v", err)
	}
	equal(t, true, s.Snapshot().Contains("a")) // the last state is still shown
	up(c)
	must(t, other.PutConnector(t.Context(), "c", map[string]string{}, ""))
	l.Await(t, "updated c")
}

func TestStopEndsWrites(t *testing.T) {
	c := kafkatest.New(t)
	s, _ := startConfigs(t, c)
	during(c, kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.NotEnoughReplicas}, func(h *kfake.FaultHandle) {
		errs := make(chan error, 2)
		for range 2 {
			go func() { errs <- s.PutConnector(t.Context(), "a", map[string]string{}, "") }()
		}
		c.Await(h, 2)
		must(t, s.Stop(t.Context()))
		for range 2 {
			if err := <-errs; !errors.Is(err, kafka.ErrClosed) && !errors.Is(err, errNotStarted) {
				t.Errorf("error %v", err)
			}
		}
	})
}

func TestStartCanBeCancelled(t *testing.T) {
	c := kafkatest.New(t)
	o, so := configOptions(t, c), statusOptions(t, c)
	down(c)
	ctx, cancel := context.WithTimeoutCause(t.Context(), 100*time.Millisecond, errors.New("stopped by a signal"))
	defer cancel()
	if err := NewConfigStore(o).Start(ctx, &storetest.Listener{}); err == nil || !strings.Contains(err.Error(), "stopped by a signal") {
		t.Errorf("error %v", err)
	}
	if err := NewStatusStore(so).Start(ctx); err == nil || !strings.Contains(err.Error(), "stopped by a signal") {
		t.Errorf("error %v", err)
	}
}
