package settings

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/penstock-io/penstock/connect/config"
)

func sourceProps(pairs ...string) map[string]string {
	props := map[string]string{"name": "c", "connector.class": "FileStreamSource"}
	for i := 0; i < len(pairs); i += 2 {
		props[pairs[i]] = pairs[i+1]
	}
	return props
}

var unexported = cmpopts.IgnoreUnexported(Connector{}, TopicGroup{})

func TestParseSource(t *testing.T) {
	w := testWorker(t, "offset.flush.interval.ms", "7000")
	for _, test := range []struct {
		props []string
		want  Source
	}{
		{nil, Source{Boundary: BoundaryPoll, BoundaryInterval: 7 * time.Second}},
		{
			[]string{"exactly.once.support", "REQUIRED", "transaction.boundary", "Interval", "transaction.boundary.interval.ms", "0", "offsets.storage.topic", " mine "},
			Source{RequireExactlyOnce: true, Boundary: BoundaryInterval, OffsetsTopic: "mine"},
		},
		{
			[]string{"exactly.once.support", "Requested", "transaction.boundary", "connector", "transaction.boundary.interval.ms", "5"},
			Source{Boundary: BoundaryConnector, BoundaryInterval: 5 * time.Millisecond},
		},
	} {
		got, err := ParseSource(w, sourceProps(test.props...), nil)
		if err != nil {
			t.Errorf("%v: %v", test.props, err)
			continue
		}
		test.want.Connector = Connector{Name: "c", Class: "FileStreamSource", TasksMax: 1, EnforceTasksMax: true,
			Errors: Errors{RetryDelayMax: time.Minute}}
		if diff := cmp.Diff(&test.want, got, unexported); diff != "" {
			t.Errorf("%v (-want +got):\n%s", test.props, diff)
		}
	}
}

func TestStandaloneWorkersHaveNoOffsetsTopics(t *testing.T) {
	props := minimal("offset.storage.file.filename", "f")
	w := worker(t, Standalone, props)
	var warned string
	s, err := ParseSource(w, sourceProps("offsets.storage.topic", "mine"), func(key, _ string) { warned = key })
	if err != nil || s.OffsetsTopic != "" || warned != "offsets.storage.topic" {
		t.Errorf("%+v, %v, warned of %q", s, err, warned)
	}
}

func TestParseSourceRefuses(t *testing.T) {
	for _, test := range []struct{ key, value, msg string }{
		{"exactly.once.support", "maybe", "Invalid value maybe for configuration exactly.once.support: String must be one of (case insensitive): REQUIRED, REQUESTED"},
		{"transaction.boundary.interval.ms", "-1", "Invalid value -1 for configuration transaction.boundary.interval.ms: Value must be at least 0"},
		{"offsets.storage.topic", "", "Invalid value  for configuration offsets.storage.topic: String must be non-empty"},
		{"topic.creation.groups", "a,a", "Invalid value [a, a] for configuration topic.creation.groups: Duplicate alias provided."},
	} {
		_, err := ParseSource(testWorker(t, "topic.creation.enable", "false"), sourceProps(test.key, test.value), nil)
		var e *config.Error
		if !errors.As(err, &e) || e.Key != test.key || e.Msg != test.msg {
			t.Errorf("%s=%s: %v", test.key, test.value, err)
		}
	}
}

func TestTopicGroups(t *testing.T) {
	var warned []string
	s, err := ParseSource(testWorker(t), sourceProps(
		"topic.creation.groups", "logs, default, changes",
		"topic.creation.default.partitions", "4", "topic.creation.default.replication.factor", "-1",
		"topic.creation.default.include", "(", "topic.creation.default.exclude", "x", // neither is read
		"topic.creation.default.compression.type", "lz4",
		"topic.creation.logs.include", "app-.*, sys", "topic.creation.logs.exclude", "app-secret.*",
		"topic.creation.logs.partitions", "1", "topic.creation.logs.retention.ms", "1000", "topic.creation.logs.cleanup.policy", "delete",
		"topic.creation.changes.include", "(?i)APP-.*|db", "topic.creation.changes.replication.factor", "2",
		"topic.creation.unlisted.partitions", "x", // of no group
	), func(_, msg string) { warned = append(warned, msg) })
	if err != nil {
		t.Fatal(err)
	}
	want := []TopicGroup{
		{Name: "logs", Partitions: 1, ReplicationFactor: -1, Config: map[string]string{"retention.ms": "1000", "cleanup.policy": "delete"}},
		{Name: "changes", Partitions: 4, ReplicationFactor: 2, Config: map[string]string{}},
		{Name: "default", Partitions: 4, ReplicationFactor: -1, Config: map[string]string{"compression.type": "lz4"}},
	}
	if diff := cmp.Diff(want, s.TopicGroups, unexported); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if len(warned) != 1 || !strings.HasPrefix(warned[0], "'default' topic creation group always exists") {
		t.Errorf("warned of %q", warned)
	}
	for topic, group := range map[string]string{
		"app-1": "logs", "sys": "logs", "sys-1": "default", "app-secret-1": "changes", "App-1": "changes", "db": "changes", "db1": "default", "x": "default", "": "default",
	} {
		if got := s.TopicGroupOf(topic); got == nil || got.Name != group {
			t.Errorf("%q is of %+v, want %s", topic, got, group)
		}
	}
	if last := &s.TopicGroups[2]; !last.Matches("anything") || s.TopicGroups[0].Matches("xapp-1") {
		t.Error("Matches is wrong")
	}
}

func TestTopicsAreLeftToTheBroker(t *testing.T) {
	bad := sourceProps("topic.creation.default.partitions", "x")
	if s, err := ParseSource(testWorker(t, "topic.creation.enable", "false"), bad, nil); err != nil || s.TopicGroups != nil {
		t.Errorf("the worker does not create topics: %v", err)
	}
	s, err := ParseSource(testWorker(t), sourceProps("topic.creation", "x"), nil)
	if err != nil || s.TopicGroups != nil || s.TopicGroupOf("t") != nil {
		t.Errorf("nothing is said about topics: %v", err)
	}
	if UsesTopicCreation(sourceProps()) || !UsesTopicCreation(bad) {
		t.Error("UsesTopicCreation is wrong")
	}
	// A group without include is for no topic.
	s, err = ParseSource(testWorker(t), sourceProps("topic.creation.groups", "g",
		"topic.creation.default.partitions", "1", "topic.creation.default.replication.factor", "1"), nil)
	if err != nil || s.TopicGroupOf("t").Name != "default" {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestBadTopicGroupsAreExplained(t *testing.T) {
	right := []string{"topic.creation.groups", "g", "topic.creation.default.partitions", "1", "topic.creation.default.replication.factor", "1"}
	for _, test := range []struct{ key, value, at, msg string }{
		{"topic.creation.default.partitions", "-3", "", "Invalid value -3 for configuration partitions: Number of partitions must be positive, " +
			"or -1 to use the broker's default. The key is topic.creation.default.partitions."},
		{"topic.creation.default.partitions", "", "", "Invalid value  for configuration topic.creation.default.partitions: Not a number of type INT"},
		{"topic.creation.g.replication.factor", "0", "", "Invalid value 0 for configuration replication.factor: Replication factor must be positive " +
			"and not larger than the number of brokers in the Kafka cluster, or -1 to use the broker's default. The key is topic.creation.g.replication.factor."},
		{"topic.creation.g.include", "a,[", "", "Invalid value [a, [] for configuration include: Syntax error in regular expression: "},
		{"topic.creation.g.exclude", "(,)", "", "Invalid value [(, )] for configuration exclude: Syntax error in regular expression: "},
	} {
		_, err := ParseSource(testWorker(t), sourceProps(append(right, test.key, test.value)...), nil)
		var e *config.Error
		if !errors.As(err, &e) || e.Key != test.key || !strings.HasPrefix(e.Msg, test.msg) {
			t.Errorf("%s=%s: %v", test.key, test.value, err)
		}
	}
	_, err := ParseSource(testWorker(t), sourceProps("topic.creation.groups", "g"), nil)
	const want = "Missing required configuration \"topic.creation.default.partitions\" which has no default value.\n" +
		"Missing required configuration \"topic.creation.default.replication.factor\" which has no default value."
	if err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
}
