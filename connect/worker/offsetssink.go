package worker

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strconv"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/data"
	"github.com/penstock-io/penstock/internal/kafka"
)

// Keys of a sink connector's offsets as REST shows them (Java: SinkUtils).
const (
	kafkaTopicKey     = "kafka_topic"
	kafkaPartitionKey = "kafka_partition"
	kafkaOffsetKey    = "kafka_offset"
)

// groupAdmin changes the offsets of consumer groups; *kafka.Client does.
type groupAdmin interface {
	GroupOffsets(ctx context.Context, group string) (map[connect.TopicPartition]int64, error)
	AlterGroupOffsets(ctx context.Context, group string, offsets map[connect.TopicPartition]int64) error
	DeleteGroupOffsets(ctx context.Context, group string, tps []connect.TopicPartition) error
	DeleteGroup(ctx context.Context, group string) error
}

// sinkGroup connects to Kafka and returns the consumer group of the connector's tasks.
func (m *offsetAccess) sinkGroup(ctx context.Context) (*kafka.Client, string, error) {
	consumer, err := m.w.Settings.SinkConsumer(connect.TaskID{Connector: m.name}, m.props)
	if err != nil {
		return nil, "", err
	}
	admin, err := m.w.workerAdmin(ctx, m.name, m.props)
	return admin, consumer["group.id"], err
}

func (m *offsetAccess) sinkOffsets(ctx context.Context) ([]connect.SourceOffset, error) {
	admin, group, err := m.sinkGroup(ctx)
	if err != nil {
		return nil, m.errorf(err, "Failed to retrieve consumer group offsets for sink connector %s", m.name)
	}
	defer m.w.closeClient(admin, m.name)
	return m.listSink(ctx, admin, group)
}

func (m *offsetAccess) listSink(ctx context.Context, admin groupAdmin, group string) ([]connect.SourceOffset, error) {
	committed, err := admin.GroupOffsets(ctx, group)
	if err != nil {
		return nil, m.errorf(err, "Failed to retrieve consumer group offsets for sink connector %s", m.name)
	}
	offsets := make([]connect.SourceOffset, 0, len(committed))
	for _, tp := range slices.SortedFunc(maps.Keys(committed), connect.TopicPartition.Compare) {
		partition, offset := data.NewMap(2), data.NewMap(1)
		partition.Put(kafkaTopicKey, tp.Topic)
		partition.Put(kafkaPartitionKey, tp.Partition)
		offset.Put(kafkaOffsetKey, committed[tp])
		offsets = append(offsets, connect.SourceOffset{Partition: partition, Offset: offset})
	}
	return offsets, nil
}

func (m *offsetAccess) alterSink(ctx context.Context, offsets []connect.SourceOffset) (told bool, err error) {
	changes, err := parseSinkOffsets(offsets)
	if err != nil {
		return false, err
	}
	admin, group, err := m.sinkGroup(ctx)
	if err != nil {
		return false, m.errorf(err, "Failed to modify offsets for sink connector %s", m.name)
	}
	defer m.w.closeClient(admin, m.name)
	return m.alterGroup(ctx, admin, group, changes)
}

// alterGroup sets and forgets offsets of a group that has no members.
func (m *offsetAccess) alterGroup(ctx context.Context, admin groupAdmin, group string, changes map[connect.TopicPartition]*int64) (told bool, err error) {
	// What is written is what the user asked for, whatever the connector does with its map.
	set, forget := map[connect.TopicPartition]int64{}, []connect.TopicPartition{}
	for tp, offset := range changes {
		if offset == nil {
			forget = append(forget, tp)
			continue
		}
		if *offset < 0 {
			return false, m.errorf(fmt.Errorf("invalid negative offset %d of %s", *offset, tp), "Failed to modify offsets for sink connector %s", m.name)
		}
		set[tp] = *offset
	}
	slices.SortFunc(forget, connect.TopicPartition.Compare)
	if told, err = m.tellSink(ctx, changes); err != nil {
		return told, err
	}
	if len(set) > 0 {
		err = admin.AlterGroupOffsets(ctx, group, set)
	}
	if err == nil && len(forget) > 0 {
		err = admin.DeleteGroupOffsets(ctx, group, forget)
	}
	switch {
	case errors.Is(err, kafka.ErrGroupNotEmpty):
		return told, m.busyGroup("alter", err)
	case err != nil:
		return told, m.errorf(err, "Failed to alter consumer group offsets for connector %s", m.name)
	}
	return told, nil
}

func (m *offsetAccess) resetSink(ctx context.Context) (told bool, err error) {
	admin, group, err := m.sinkGroup(ctx)
	if err != nil {
		return false, m.errorf(err, "Failed to modify offsets for sink connector %s", m.name)
	}
	defer m.w.closeClient(admin, m.name)
	return m.resetGroup(ctx, admin, group)
}

// resetGroup deletes a group that has no members.
func (m *offsetAccess) resetGroup(ctx context.Context, admin groupAdmin, group string) (told bool, err error) {
	committed, err := admin.GroupOffsets(ctx, group)
	if err != nil && !errors.Is(err, kafka.ErrUnknownGroup) {
		return false, m.errorf(err, "Failed to list offsets prior to resetting offsets for sink connector %s", m.name)
	}
	changes := make(map[connect.TopicPartition]*int64, len(committed))
	for tp := range committed {
		changes[tp] = nil
	}
	if told, err = m.tellSink(ctx, changes); err != nil {
		return told, err
	}
	switch err := admin.DeleteGroup(ctx, group); {
	case errors.Is(err, kafka.ErrUnknownGroup): // it was reset before, or never committed
	case errors.Is(err, kafka.ErrGroupNotEmpty):
		return told, m.busyGroup("reset", err)
	case err != nil:
		return told, m.errorf(err, "Failed to reset consumer group offsets for sink connector %s", m.name)
	}
	return told, nil
}

func (m *offsetAccess) tellSink(ctx context.Context, changes map[connect.TopicPartition]*int64) (told bool, err error) {
	alterer, ok := m.connector.(connect.SinkOffsetAlterer)
	if !ok {
		return false, nil
	}
	return true, m.tell(ctx, func() error { return alterer.AlterOffsets(maps.Clone(m.props), changes) })
}

// errorf is the JVM's sentence with the cause behind it.
func (m *offsetAccess) errorf(cause error, format string, args ...any) error {
	return fmt.Errorf(format+": %w", append(args, cause)...)
}

func (m *offsetAccess) busyGroup(verb string, cause error) error {
	return m.errorf(cause, "Failed to %s consumer group offsets for connector %s either because its tasks haven't stopped completely yet or the connector was "+
		"resumed before the request to %s its offsets could be successfully completed. If the connector is in a stopped state, this operation can be safely "+
		"retried. If it doesn't eventually succeed, the Connect cluster may need to be restarted to get rid of the zombie sink tasks.", verb, m.name, verb)
}

// parseSinkOffsets reads what a user sent; numbers may be given as text. Every error is an
// *OffsetsError.
func parseSinkOffsets(offsets []connect.SourceOffset) (map[connect.TopicPartition]*int64, error) {
	parsed := make(map[connect.TopicPartition]*int64, len(offsets))
	for _, o := range offsets {
		tp, err := parseSinkPartition(o.Partition)
		if err != nil {
			return nil, err
		}
		if o.Offset == nil {
			parsed[tp] = nil
			continue
		}
		v, ok := o.Offset.Get(kafkaOffsetKey)
		if !ok {
			return nil, offsetsErrorf("The offset for a sink connector should either be null or contain the key '%s'", kafkaOffsetKey)
		}
		offset, err := strconv.ParseInt(offsetText(v), 10, 64)
		if err != nil {
			return nil, offsetsErrorf("Failed to parse the following Kafka offset value in the provided offsets: '%s'. "+
				"Offset values for sink connectors need to be integers.", offsetText(v))
		}
		parsed[tp] = &offset
	}
	return parsed, nil
}

func parseSinkPartition(m *data.Map) (tp connect.TopicPartition, err error) {
	if m == nil {
		return tp, offsetsErrorf("The partition for a sink connector offset cannot be null or missing")
	}
	topic, hasTopic := m.Get(kafkaTopicKey)
	partition, hasPartition := m.Get(kafkaPartitionKey)
	switch {
	case !hasTopic || !hasPartition:
		return tp, offsetsErrorf("The partition for a sink connector offset must contain the keys '%s' and '%s'", kafkaTopicKey, kafkaPartitionKey)
	case topic == nil:
		return tp, offsetsErrorf("Kafka topic names must be valid strings and may not be null")
	case partition == nil:
		return tp, offsetsErrorf("Kafka partitions must be valid numbers and may not be null")
	}
	n, err := strconv.ParseInt(offsetText(partition), 10, 32)
	if err != nil {
		return tp, offsetsErrorf("Failed to parse the following Kafka partition value in the provided offsets: '%s'. "+
			"Partition values for sink connectors need to be integers.", offsetText(partition))
	}
	return connect.TopicPartition{Topic: offsetText(topic), Partition: int32(n)}, nil
}

// offsetText is Java's String.valueOf.
func offsetText(v any) string {
	if n, ok := v.(*big.Int); ok {
		return n.String()
	}
	return data.JavaString(v)
}
