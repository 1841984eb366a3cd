package worker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/penstock-io/penstock/connect/settings"
	"github.com/penstock-io/penstock/internal/kafka"
)

// fakeTopics is a Kafka with topics.
type fakeTopics struct {
	*trace
	topics      map[string]bool
	describe    []error // of the first calls
	create      error
	createRaced bool // somebody else is faster
}

func (a *fakeTopics) Partitions(_ context.Context, topic string) ([]int32, error) {
	a.add("describe %s", topic)
	if len(a.describe) > 0 {
		err := a.describe[0]
		a.describe = a.describe[1:]
		return nil, err
	}
	if a.topics[topic] {
		return []int32{0}, nil
	}
	return nil, nil
}

func (a *fakeTopics) CreateTopic(_ context.Context, s kafka.TopicSpec) (bool, error) {
	a.add("create %s %d %d %v", s.Name, s.Partitions, s.ReplicationFactor, s.Config)
	return !a.createRaced && a.create == nil, a.create
}

// topicGroups parses topic.creation.* keys.
func topicGroups(t *testing.T, pairs ...string) []settings.TopicGroup {
	t.Helper()
	w, err := settings.ParseWorker(map[string]string{"bootstrap.servers": "k:1", "key.converter": "StringConverter", "value.converter": "StringConverter",
		"offset.storage.file.filename": "f"}, settings.Standalone)
	if err != nil {
		t.Fatal(err)
	}
	props := map[string]string{"name": "c", "connector.class": "X"}
	for i := 0; i < len(pairs); i += 2 {
		props["topic.creation."+pairs[i]] = pairs[i+1]
	}
	s, err := settings.ParseSource(w, props, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s.TopicGroups
}

func defaultGroup(t *testing.T) []settings.TopicGroup {
	return topicGroups(t, "groups", "logs", "default.partitions", "3", "default.replication.factor", "-1",
		"logs.include", "log.*", "logs.partitions", "1", "logs.cleanup.policy", "compact")
}

func TestTopicsAreCreatedBeforeTheirFirstRecord(t *testing.T) {
	a := &fakeTopics{trace: &trace{}, topics: map[string]bool{"old": true}}
	c := &topicCreation{groups: defaultGroup(t), admin: a, log: zap.NewNop()}
	var out []kafka.ProducerRecord
	for _, topic := range []string{"old", "old", "new", "log1", "new", "old", "log1"} {
		out = append(out, kafka.ProducerRecord{Topic: topic})
	}
	for range 2 {
		if n, err := c.ensure(t.Context(), out); n != len(out) || err != nil {
			t.Errorf("%d, %v", n, err)
		}
	}
	want := []string{"describe old", "describe new", "create new 3 -1 map[]", "describe log1", "create log1 1 -1 map[cleanup.policy:compact]"}
	if !slices.Equal(a.all(), want) {
		t.Errorf("%v", a.all())
	}
	// Without groups nothing is asked.
	if n, err := (&topicCreation{}).ensure(t.Context(), out); n != len(out) || err != nil {
		t.Errorf("%d, %v", n, err)
	}
}

func TestTopicsThatCannotBeCreated(t *testing.T) {
	for name, tc := range map[string]struct {
		admin fakeTopics
		want  string // "": no error
	}{
		"somebody was faster": {admin: fakeTopics{createRaced: true}},
		"not allowed": {fakeTopics{create: kafka.ErrAuthorization},
			"Task failed to create new topic (name=log1, numPartitions=1, replicationFactor=default, replicasAssignments=null, configs={cleanup.policy=compact}). " +
				"Ensure that the task is authorized to create topics or that the topic exists and restart the task"},
		"wrong settings":          {fakeTopics{create: fmt.Errorf("x: %w", kafka.ErrInvalidConfig)}, "Unable to create topic(s) 'log1': "},
		"too few brokers":         {fakeTopics{create: kafka.ErrInvalidReplicationFactor}, "Unable to create topic(s) 'log1': "},
		"time-out":                {fakeTopics{create: kafka.ErrTimeout}, "Timed out while checking for or creating topic(s) 'log1'. This could indicate a connectivity issue"},
		"something else":          {fakeTopics{create: errors.New("x")}, "Error while attempting to create/find topic(s) 'log1'"},
		"not allowed to describe": {fakeTopics{describe: []error{kafka.ErrAuthorization}}, "Not authorized to describe topic(s) 'log1'"},
		"describe fails":          {fakeTopics{describe: []error{errors.New("x")}}, "Error while attempting to describe topics 'log1'"},
		"describe times out":      {fakeTopics{describe: []error{kafka.ErrTimeout}}, "Timed out while describing topics 'log1'"},
	} {
		t.Run(name, func(t *testing.T) {
			tc.admin.trace, tc.admin.topics = &trace{}, map[string]bool{"old": true}
			c := &topicCreation{groups: defaultGroup(t), admin: &tc.admin, log: zap.NewNop(), known: map[string]bool{"old": true}}
			n, err := c.ensure(t.Context(), []kafka.ProducerRecord{{Topic: "old"}, {Topic: "log1"}, {Topic: "log1"}})
			if tc.want == "" {
				if n != 3 || err != nil {
					t.Errorf("%d, %v", n, err)
				}
				return
			}
			if n != 1 || err == nil || !strings.HasPrefix(err.Error(), tc.want) {
				t.Errorf("%d, %v", n, err)
			}
			if isRetriable(err) != (name == "describe times out") {
				t.Errorf("retriable: %v", isRetriable(err))
			}
		})
	}
}

// Records before the one whose topic cannot be made are sent, and after a time-out the
// task goes on where it stopped.
func TestTopicCreationWithinABatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first, second := rec("a", 1, "1"), rec("a", 2, "2")
		second.Topic = "log1"
		r := newSourceRig(t, []sourceOption{quiet}, batch(first, second))
		a := &fakeTopics{trace: r.trace, topics: map[string]bool{"t": true}, describe: []error{nil, kafka.ErrTimeout}}
		a.topics["t"] = true
		r.task.topics.groups = defaultGroup(t)
		connectTask := r.task.connect
		r.task.connect = func(ctx context.Context) (*sourceClients, error) {
			c, err := connectTask(ctx)
			c.admin = a
			return c, err
		}
		r.run()
		time.Sleep(2 * sendBackoff)
		sameTrace(t, r.stop(), "start", "status RUNNING", "describe t", "create t 3 -1 map[]", "send 1 to t", "describe log1",
			"describe log1", "create log1 1 -1 map[cleanup.policy:compact]", "send 2 to log1",
			`flush ["c",{"p":"a"}]={"n":2}`, "stop", "close", "status UNASSIGNED")
	})
}
