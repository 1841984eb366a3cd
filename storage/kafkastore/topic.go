package kafkastore

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/internal/kafka"
)

// Topic describes an internal topic as it is to be created.
type Topic struct {
	Name              string
	Property          string // worker property that names it, for messages
	Partitions        int32  // -1 = the broker's default
	ReplicationFactor int16  // -1 = the broker's default
	// Config holds topic settings; cleanup.policy is always compact.
	Config map[string]string
}

// Purpose tells what an internal topic keeps, in the words of messages.
type Purpose string

// The purposes.
const (
	ConnectorConfigs Purpose = "connector configurations"
	SourceOffsets    Purpose = "source connector offsets"
	Statuses         Purpose = "connector and task statuses"
)

const (
	cleanupPolicy = "cleanup.policy"
	compact       = "compact"
)

// Brokers that are just starting do not count as replicas yet: such a failure is repeated
// for as long as other admin calls are by default (default.api.timeout.ms).
const (
	replicasTime  = time.Minute
	replicasPause = time.Second
)

// EnsureTopic creates a topic or, when it exists already, checks that it is compacted
// (Java: TopicAdmin.createTopics, verifyTopicCleanupPolicyOnlyCompact). Where this worker
// may neither create nor describe topics, the topic is taken to be right; one that is not there
// and may not be created is an error. It repeats what
// may pass until the admin client's default.api.timeout.ms, one minute, or ctx is over.
func EnsureTopic(ctx context.Context, admin *kafka.Client, t Topic, purpose Purpose, log *zap.Logger) error {
	return ensure(ctx, admin, t, purpose, log, replicasTime)
}

// EnsureOffsetTopic is EnsureTopic for the offset topic of a worker (offset.storage.topic)
// and, with its settings, for that of a connector (offsets.storage.topic).
func EnsureOffsetTopic(ctx context.Context, admin *kafka.Client, t Topic, log *zap.Logger) error {
	return EnsureTopic(ctx, admin, t, SourceOffsets, log)
}

func ensure(ctx context.Context, admin *kafka.Client, t Topic, purpose Purpose, log *zap.Logger, limit time.Duration) error {
	if strings.TrimSpace(t.Name) == "" {
		return noName(t, purpose)
	}
	created, err := create(ctx, admin, t, log, limit)
	if errors.Is(err, kafka.ErrAuthorization) || errors.Is(err, kafka.ErrUnsupported) {
		err = takenToExist(ctx, admin, t, err, log)
	}
	if err != nil {
		return err
	}
	if created {
		log.Info("Created topic", zap.String("topic", t.Name), zap.Int32("partitions", t.Partitions), zap.Int16("replication.factor", t.ReplicationFactor))
		return nil
	}
	return checkPolicy(ctx, admin, t, purpose, log)
}

func noName(t Topic, purpose Purpose) error {
	msg := "Must specify topic for connector status."
	switch purpose {
	case ConnectorConfigs:
		msg = "Must specify topic for connector configuration."
	case SourceOffsets:
		msg = "Offset storage topic must be specified."
	case Statuses:
	}
	return configError("%s Set %s to the name of a topic of this Connect cluster alone", msg, t.Property)
}

func configError(format string, args ...any) error {
	return &connect.Error{Class: "org.apache.kafka.common.config.ConfigException", Msg: fmt.Sprintf(format, args...)}
}

func create(ctx context.Context, admin *kafka.Client, t Topic, log *zap.Logger, limit time.Duration) (created bool, err error) {
	config := maps.Clone(t.Config)
	if config == nil {
		config = map[string]string{}
	}
	config[cleanupPolicy] = compact
	spec := kafka.TopicSpec{Name: t.Name, Partitions: t.Partitions, ReplicationFactor: t.ReplicationFactor, Config: config}
	deadline := time.Now().Add(limit)
	for attempt := 0; ; attempt++ {
		created, err = admin.CreateTopic(ctx, spec)
		if err == nil || !errors.Is(err, kafka.ErrInvalidReplicationFactor) || !time.Now().Before(deadline) {
			break
		}
		log.Warn("Creating the topic failed, trying again: brokers may still be starting",
			zap.String("topic", t.Name), zap.Int16("replication.factor", t.ReplicationFactor), zap.Error(err))
		if err := pause(ctx, min(100*time.Millisecond<<min(attempt, 10), replicasPause), nil); err != nil {
			return false, fmt.Errorf("create topic %s: %w", t.Name, err)
		}
	}
	return created, creationError(t, err)
}

// takenToExist returns nil when this worker cannot create topics, and the topic is there or
// cannot be seen. One that is not there would be waited for in vain.
func takenToExist(ctx context.Context, admin *kafka.Client, t Topic, refused error, log *zap.Logger) error {
	partitions, err := admin.Partitions(ctx, t.Name)
	if err == nil && len(partitions) == 0 && errors.Is(refused, kafka.ErrAuthorization) {
		return fmt.Errorf("Topic '%s' supplied via the '%s' property does not exist, and this worker may not create it: %w. Or create it, with cleanup.policy=compact", //nolint:staticcheck // as the other sentences of the kind
			t.Name, t.Property, refused)
	}
	log.Info("This worker cannot create topics; the topic is assumed to exist", zap.String("topic", t.Name), zap.Error(refused))
	return nil
}

// creationError words a failure as the JVM does. Refusals come as they are.
func creationError(t Topic, err error) error {
	switch {
	case err == nil, errors.Is(err, kafka.ErrAuthorization), errors.Is(err, kafka.ErrUnsupported):
		return err
	case errors.Is(err, kafka.ErrInvalidConfig):
		return fmt.Errorf("Unable to create topic(s) '%s': %w. Check the worker properties that begin as %s does", t.Name, err, t.Property)
	case errors.Is(err, kafka.ErrInvalidReplicationFactor):
		return fmt.Errorf("Error while attempting to create/find topic(s) '%s': %w. "+
			"The cluster has not enough brokers for %d replicas: start them, or lower %s.replication.factor",
			t.Name, err, t.ReplicationFactor, strings.TrimSuffix(t.Property, ".topic"))
	case errors.Is(err, kafka.ErrTimeout):
		return fmt.Errorf("Timed out while checking for or creating topic(s) '%s'. "+
			"This could indicate a connectivity issue, unavailable topic partitions, or if this is your first use of the topic "+
			"it may have taken too long to create: %w", t.Name, err)
	}
	return fmt.Errorf("Error while attempting to create/find topic(s) '%s': %w", t.Name, err)
}

func checkPolicy(ctx context.Context, admin *kafka.Client, t Topic, purpose Purpose, log *zap.Logger) error {
	text, err := admin.TopicConfig(ctx, t.Name, cleanupPolicy)
	if err != nil {
		return fmt.Errorf("check the clean-up policy of topic %s (%s): %w", t.Name, t.Property, err)
	}
	var found []string
	for p := range strings.SplitSeq(text, ",") {
		if p = strings.ToLower(strings.TrimSpace(p)); p != "" && !slices.Contains(found, p) {
			found = append(found, p)
		}
	}
	switch {
	case len(found) == 0:
		log.Info("Unable to validate the cleanup.policy of the topic: it is not visible to this worker. It must be compact",
			zap.String("topic", t.Name))
		return nil
	case len(found) == 1 && found[0] == compact:
		return nil
	}
	return configError("Topic '%s' supplied via the '%s' property is required to have 'cleanup.policy=compact' "+
		"to guarantee consistency and durability of %s, but found the topic currently has 'cleanup.policy=%s'. "+
		"With that, Kafka would sooner or later delete some of them. Set the topic's cleanup.policy to compact, or name another topic in '%s' and restart the worker",
		t.Name, t.Property, purpose, strings.Join(found, ","), t.Property)
}

// pause waits for d, for ctx, whose cause it returns, or until early is signalled.
func pause(ctx context.Context, d time.Duration, early <-chan struct{}) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-early:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return nil
}
