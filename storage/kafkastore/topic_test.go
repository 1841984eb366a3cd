package kafkastore

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/zap"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/internal/kafkatest"
)

var offsets = Topic{Name: "offsets", Property: "offset.storage.topic", Partitions: 25, ReplicationFactor: 2,
	Config: map[string]string{"segment.bytes": "104857600", "cleanup.policy": "delete"}}

func TestTopicsAreCreated(t *testing.T) {
	c := kafkatest.New(t)
	admin := newAdmin(t, c)
	must(t, EnsureOffsetTopic(t.Context(), admin, offsets, zap.NewNop()))
	info := c.TopicInfo("offsets")
	if info == nil {
		t.Fatal("there is no topic")
	}
	equal(t, 25, len(c.PartitionInfos("offsets")))
	for key, want := range map[string]string{"cleanup.policy": "compact", "segment.bytes": "104857600"} {
		got, err := admin.TopicConfig(t.Context(), "offsets", key)
		must(t, err)
		equal(t, want, got)
	}
	equal(t, "delete", offsets.Config["cleanup.policy"]) // the caller's map is left alone
	// A second worker, with other settings, finds it good.
	must(t, EnsureOffsetTopic(t.Context(), admin, Topic{Name: "offsets", Property: "offset.storage.topic", Partitions: 3, ReplicationFactor: 1}, zap.NewNop()))
	equal(t, 25, len(c.PartitionInfos("offsets")))
}

func TestBrokersDefaults(t *testing.T) {
	c := kafkatest.New(t, kfake.DefaultNumPartitions(4))
	must(t, EnsureOffsetTopic(t.Context(), newAdmin(t, c), Topic{Name: "o", Property: "offset.storage.topic", Partitions: -1, ReplicationFactor: -1}, zap.NewNop()))
	equal(t, 4, len(c.PartitionInfos("o")))
}

func TestExistingTopicsMustBeCompacted(t *testing.T) {
	tests := []struct {
		policy string
		found  string // "" = good
	}{
		{"compact", ""},
		{"delete", "delete"},
		{"compact,delete", "compact,delete"},
	}
	for _, tt := range tests {
		t.Run(tt.policy, func(t *testing.T) {
			c := kafkatest.New(t)
			c.Topic("offsets", 1, "cleanup.policy", tt.policy)
			err := EnsureOffsetTopic(t.Context(), newAdmin(t, c), offsets, zap.NewNop())
			if tt.found == "" {
				must(t, err)
				return
			}
			want := "Topic 'offsets' supplied via the 'offset.storage.topic' property is required to have 'cleanup.policy=compact' " +
				"to guarantee consistency and durability of source connector offsets, but found the topic currently has 'cleanup.policy=" + tt.found + "'. "
			if err == nil || !strings.HasPrefix(err.Error(), want) {
				t.Errorf("error %v\nwant %s", err, want)
			}
			equal(t, "org.apache.kafka.common.config.ConfigException", connect.JavaClass(err))
		})
	}
}

func TestTopicsWithoutAName(t *testing.T) {
	c := kafkatest.New(t)
	admin := newAdmin(t, c)
	for purpose, want := range map[Purpose]string{
		ConnectorConfigs: "Must specify topic for connector configuration.",
		SourceOffsets:    "Offset storage topic must be specified",
		Statuses:         "Must specify topic for connector status.",
	} {
		err := EnsureTopic(t.Context(), admin, Topic{Name: " ", Property: "x.storage.topic"}, purpose, zap.NewNop())
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}

// Where an ACL forbids something, the JVM worker goes on.
func TestForbiddenCalls(t *testing.T) {
	forbidden := func(key kmsg.Key, code *kerr.Error) kfake.Fault {
		return kfake.Fault{Keys: []kmsg.Key{key}, Err: code, Count: -1}
	}
	tests := []struct {
		name   string
		topic  string // its policy; "" = there is none
		faults []kfake.Fault
		want   string
	}{
		{"no right to create topics", "compact", []kfake.Fault{forbidden(kmsg.CreateTopics, kerr.TopicAuthorizationFailed)}, ""},
		{"no right in the cluster", "compact", []kfake.Fault{forbidden(kmsg.CreateTopics, kerr.ClusterAuthorizationFailed)}, ""},
		{"no right to create, wrong topic", "delete", []kfake.Fault{forbidden(kmsg.CreateTopics, kerr.TopicAuthorizationFailed)}, "found the topic currently has"},
		{"an old broker", "compact", []kfake.Fault{forbidden(kmsg.CreateTopics, kerr.UnsupportedVersion)}, ""},
		{"no right to describe", "delete", []kfake.Fault{forbidden(kmsg.DescribeConfigs, kerr.TopicAuthorizationFailed)}, ""},
		{"no right to create or describe", "delete", []kfake.Fault{
			forbidden(kmsg.CreateTopics, kerr.TopicAuthorizationFailed), forbidden(kmsg.DescribeConfigs, kerr.TopicAuthorizationFailed),
		}, ""},
		{"no right to create, no topic", "", []kfake.Fault{forbidden(kmsg.CreateTopics, kerr.TopicAuthorizationFailed)}, "Grant Create on Topic offsets to User:ANONYMOUS"},
		{"the broker refuses a setting", "", []kfake.Fault{forbidden(kmsg.CreateTopics, kerr.InvalidConfig)}, "Unable to create topic(s) 'offsets': "},
		{"the broker refuses", "", []kfake.Fault{forbidden(kmsg.CreateTopics, kerr.PolicyViolation)}, "Error while attempting to create/find topic(s) 'offsets': "},
		{"the broker does not answer in time", "", []kfake.Fault{forbidden(kmsg.CreateTopics, kerr.RequestTimedOut)}, "Timed out while checking for or creating topic(s) 'offsets'. "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := kafkatest.New(t)
			if tt.topic != "" {
				c.Topic("offsets", 1, "cleanup.policy", tt.topic)
			}
			admin := newAdmin(t, c)
			c.Fault(tt.faults...)
			err := EnsureOffsetTopic(t.Context(), admin, offsets, zap.NewNop())
			switch {
			case tt.want == "":
				must(t, err)
			case err == nil || !strings.Contains(err.Error(), tt.want):
				t.Errorf("error %v, want %s", err, tt.want)
			}
		})
	}
}

func TestBrokersThatAreStarting(t *testing.T) {
	c := kafkatest.New(t)
	admin := newAdmin(t, c)
	c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.CreateTopics}, Err: kerr.InvalidReplicationFactor, Count: 2})
	must(t, EnsureOffsetTopic(t.Context(), admin, offsets, zap.NewNop()))
	if c.TopicInfo("offsets") == nil {
		t.Error("there is no topic")
	}
}

func TestTooFewBrokers(t *testing.T) {
	c := kafkatest.New(t)
	admin := newAdmin(t, c)
	fault := c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.CreateTopics}, Err: kerr.InvalidReplicationFactor, Count: -1})
	err := ensure(t.Context(), admin, offsets, SourceOffsets, zap.NewNop(), 150*time.Millisecond)
	want := "Error while attempting to create/find topic(s) 'offsets': "
	if err == nil || !strings.HasPrefix(err.Error(), want) || !strings.Contains(err.Error(), "lower offset.storage.replication.factor") {
		t.Errorf("error %v", err)
	}
	if fault.Hits() < 2 {
		t.Errorf("tried %d times", fault.Hits())
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	stopped := errors.New("stopped")
	go func() {
		c.Await(fault, fault.Hits()+1)
		cancel(stopped)
	}()
	if err := EnsureOffsetTopic(ctx, admin, offsets, zap.NewNop()); !errors.Is(err, stopped) {
		t.Errorf("error %v", err)
	}
}
