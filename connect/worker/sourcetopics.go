package worker

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"go.uber.org/zap"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/settings"
	"github.com/penstock-io/penstock/internal/kafka"
)

// topicAdmin is what a source task needs of its kafka.Client.
type topicAdmin interface {
	Partitions(ctx context.Context, topic string) ([]int32, error)
	CreateTopic(ctx context.Context, spec kafka.TopicSpec) (created bool, err error)
}

// topicCreation makes the topics that a task writes to as its connector says (KIP-158;
// Java: TopicCreation). It belongs to the task's goroutine.
type topicCreation struct {
	groups []settings.TopicGroup // none: the broker decides
	admin  topicAdmin
	log    *zap.Logger

	known map[string]bool
	last  string // the topic that was asked for last, known
}

// ensure makes the topics of records that are not known yet. ready is the number of
// records, from the first, whose topics exist; err is about the one after them.
func (t *topicCreation) ensure(ctx context.Context, records []kafka.ProducerRecord) (ready int, err error) {
	if len(t.groups) == 0 {
		return len(records), nil
	}
	for i := range records {
		topic := records[i].Topic
		if topic == t.last && t.last != "" {
			continue
		}
		if !t.known[topic] {
			if err := t.make(ctx, topic); err != nil {
				return i, err
			}
			if t.known == nil {
				t.known = map[string]bool{}
			}
			t.known[topic] = true
		}
		t.last = topic
	}
	return len(records), nil
}

func (t *topicCreation) make(ctx context.Context, topic string) error {
	t.log.Info(fmt.Sprintf("The task will send records to topic '%s' for the first time. Checking whether topic exists", topic))
	partitions, err := t.admin.Partitions(ctx, topic)
	if err != nil && !errors.Is(err, kafka.ErrUnknownTopic) {
		return describeError(topic, err)
	}
	if len(partitions) > 0 {
		t.log.Info(fmt.Sprintf("Topic '%s' already exists.", topic))
		return nil
	}
	group := t.groupOf(topic)
	spec := kafka.TopicSpec{Name: topic, Partitions: group.Partitions, ReplicationFactor: group.ReplicationFactor, Config: group.Config}
	created, err := t.admin.CreateTopic(ctx, spec)
	switch {
	case err == nil && created:
		t.log.Info(fmt.Sprintf("Created topic '%s' using creation group %s", newTopicText(spec), group.Name))
		return nil
	case err == nil:
		t.log.Info(fmt.Sprintf("Found existing topic '%s'", topic))
		return nil
	case errors.Is(err, kafka.ErrAuthorization), errors.Is(err, kafka.ErrUnsupported):
		return &connect.Error{Msg: "Task failed to create new topic " + newTopicText(spec) + ". Ensure that the task is authorized to create topics " +
			"or that the topic exists and restart the task", Err: err}
	case errors.Is(err, kafka.ErrInvalidConfig), errors.Is(err, kafka.ErrInvalidReplicationFactor):
		return &connect.Error{Msg: fmt.Sprintf("Unable to create topic(s) '%s': %v. Check the topic.creation.%s.* keys of the connector", topic, err, group.Name), Err: err}
	case ctx.Err() != nil:
		return err
	case errors.Is(err, kafka.ErrTimeout):
		return &connect.Error{Msg: fmt.Sprintf("Timed out while checking for or creating topic(s) '%s'. This could indicate a connectivity issue, "+
			"unavailable topic partitions, or if this is your first use of the topic it may have taken too long to create.", topic), Err: err}
	}
	return &connect.Error{Msg: fmt.Sprintf("Error while attempting to create/find topic(s) '%s'", topic), Err: err}
}

func describeError(topic string, err error) error {
	switch {
	case errors.Is(err, kafka.ErrAuthorization):
		return &connect.Error{Msg: fmt.Sprintf("Not authorized to describe topic(s) '%s'", topic), Err: err}
	case kafka.Retriable(err):
		return &connect.RetriableError{Err: &connect.Error{Msg: fmt.Sprintf("Timed out while describing topics '%s'", topic), Err: err}}
	}
	return &connect.Error{Msg: fmt.Sprintf("Error while attempting to describe topics '%s'", topic), Err: err}
}

// groupOf returns the first group that matches; the default one matches everything.
func (t *topicCreation) groupOf(topic string) *settings.TopicGroup {
	for i := range t.groups {
		if t.groups[i].Matches(topic) {
			return &t.groups[i]
		}
	}
	return &t.groups[len(t.groups)-1]
}

// newTopicText is how the JVM's NewTopic looks.
func newTopicText(s kafka.TopicSpec) string {
	number := func(n int) string {
		if n < 0 {
			return "default"
		}
		return strconv.Itoa(n)
	}
	var config []string
	for _, k := range slices.Sorted(maps.Keys(s.Config)) {
		config = append(config, k+"="+s.Config[k])
	}
	return fmt.Sprintf("(name=%s, numPartitions=%s, replicationFactor=%s, replicasAssignments=null, configs={%s})",
		s.Name, number(int(s.Partitions)), number(int(s.ReplicationFactor)), strings.Join(config, ", "))
}
