package kafka

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/IBM/sarama"

	"github.com/penstock-io/penstock/connect"
)

// The calls on the offsets of consumer groups are those of Java's Admin. Each asks
// the group's coordinator, looked up for every attempt. Errors that callers tell
// apart: ErrGroupNotEmpty, ErrUnknownGroup, ErrAuthorization, ErrTimeout.

// GroupOffsets returns the committed offsets of a group; none when there is no such
// group (Java: Admin.listConsumerGroupOffsets).
func (c *Client) GroupOffsets(ctx context.Context, group string) (map[connect.TopicPartition]int64, error) {
	var out map[connect.TopicPartition]int64
	err := c.cluster.retry(ctx, "list offsets of consumer group "+group, func(ctx context.Context) error {
		resp, err := askGroup(ctx, c.cluster, group, func(b *sarama.Broker) (*sarama.OffsetFetchResponse, error) {
			return b.FetchOffset(sarama.NewOffsetFetchRequest(c.cluster.settings.sarama.Version, group, nil))
		})
		if err != nil {
			return err
		}
		blocks, code := resp.Blocks, resp.Err
		for _, g := range resp.Groups {
			blocks, code = g.Blocks, g.Err
		}
		if code == sarama.ErrGroupIDNotFound {
			blocks, code = nil, sarama.ErrNoError
		}
		if err := c.groupError(group, "Describe", code); err != nil {
			return err
		}
		var tps []connect.TopicPartition
		for topic, partitions := range blocks {
			for partition := range partitions {
				tps = append(tps, connect.TopicPartition{Topic: topic, Partition: partition})
			}
		}
		out, err = committedOffsets(c.cluster.settings, tps, blocks)
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// AlterGroupOffsets commits offsets of a group that has no members (Java:
// Admin.alterConsumerGroupOffsets). The group is created if need be. After an error
// some of the partitions may have their new offset. A partition that does not exist is
// ErrUnknownTopic.
func (c *Client) AlterGroupOffsets(ctx context.Context, group string, offsets map[connect.TopicPartition]int64) error {
	if len(offsets) == 0 {
		return nil
	}
	return c.changeOffsets(ctx, "alter offsets of consumer group "+group, func(ctx context.Context) error {
		resp, err := askGroup(ctx, c.cluster, group, func(b *sarama.Broker) (*sarama.OffsetCommitResponse, error) {
			req := &sarama.OffsetCommitRequest{Version: 8, ConsumerGroup: group, ConsumerGroupGeneration: noGeneration, RetentionTime: -1}
			for tp, offset := range offsets {
				req.AddBlockWithLeaderEpoch(tp.Topic, tp.Partition, offset, -1, 0, "")
			}
			return b.CommitOffset(req)
		})
		if err != nil {
			return err
		}
		return c.partitionErrors(group, "Read", resp.Errors)
	})
}

// DeleteGroupOffsets removes committed offsets of a group that does not subscribe to
// the topics (Java: Admin.deleteConsumerGroupOffsets). Partitions without an offset
// are no error, those that do not exist are ErrUnknownTopic.
func (c *Client) DeleteGroupOffsets(ctx context.Context, group string, tps []connect.TopicPartition) error {
	if len(tps) == 0 {
		return nil
	}
	return c.changeOffsets(ctx, "delete offsets of consumer group "+group, func(ctx context.Context) error {
		resp, err := askGroup(ctx, c.cluster, group, func(b *sarama.Broker) (*sarama.DeleteOffsetsResponse, error) {
			req := &sarama.DeleteOffsetsRequest{Group: group}
			for _, tp := range tps {
				req.AddPartition(tp.Topic, tp.Partition)
			}
			return b.DeleteOffsets(req)
		})
		if err != nil {
			return err
		}
		if err := c.groupError(group, "Delete", resp.ErrorCode); err != nil {
			return err
		}
		return c.partitionErrors(group, "Delete", resp.Errors)
	})
}

// changeOffsets is retry for partitions that somebody typed: one that does not exist is final
// here, as in Java, though elsewhere it may just have been created.
func (c *Client) changeOffsets(ctx context.Context, what string, fn func(ctx context.Context) error) error {
	var unknown error
	err := c.cluster.retry(ctx, what, func(ctx context.Context) error {
		unknown = nil
		err := fn(ctx)
		if errors.Is(err, ErrUnknownTopic) {
			unknown, err = err, nil
		}
		return err
	})
	if err == nil && unknown != nil {
		return fmt.Errorf("%s: %w", what, unknown)
	}
	return err
}

// DeleteGroup removes a group without members, and its offsets (Java:
// Admin.deleteConsumerGroups).
func (c *Client) DeleteGroup(ctx context.Context, group string) error {
	return c.cluster.retry(ctx, "delete consumer group "+group, func(ctx context.Context) error {
		resp, err := askGroup(ctx, c.cluster, group, func(b *sarama.Broker) (*sarama.DeleteGroupsResponse, error) {
			return b.DeleteGroups(&sarama.DeleteGroupsRequest{Version: 2, Groups: []string{group}})
		})
		if err != nil {
			return err
		}
		code, ok := resp.GroupErrorCodes[group]
		if !ok {
			return errors.New("the broker did not answer for this group")
		}
		return c.groupError(group, "Delete", code)
	})
}

// askGroup asks the coordinator of a group.
func askGroup[T any](ctx context.Context, c *cluster, group string, fn func(*sarama.Broker) (T, error)) (T, error) {
	n, err := c.coordinator(ctx, sarama.CoordinatorGroup, group)
	if err != nil {
		var zero T
		return zero, c.settings.denied(err, onGroup(group, "Describe"))
	}
	return ask(ctx, n, fn)
}

// groupError is the answer of a coordinator for a whole group. UNKNOWN_MEMBER_ID is
// how it says to somebody who is no member that there are some.
func (c *Client) groupError(group, right string, code sarama.KError) error {
	err := c.cluster.settings.denied(brokerError(code, ""), onGroup(group, right))
	if code == sarama.ErrUnknownMemberId {
		return &groupBusyError{err}
	}
	return err
}

// groupBusyError is UNKNOWN_MEMBER_ID in answer to an administrator.
type groupBusyError struct{ err error }

func (e *groupBusyError) Error() string { return "the consumer group has members: " + e.err.Error() }

// Unwrap returns the broker's answer.
func (e *groupBusyError) Unwrap() error { return e.err }

// Is makes it ErrGroupNotEmpty.
func (e *groupBusyError) Is(target error) bool { return target == ErrGroupNotEmpty }

// partitionErrors joins the codes of partitions in order. One that concerns the group
// comes alone.
func (c *Client) partitionErrors(group, right string, codes map[string]map[int32]sarama.KError) error {
	var errs []error
	for _, topic := range slices.Sorted(maps.Keys(codes)) {
		for _, partition := range slices.Sorted(maps.Keys(codes[topic])) {
			err := c.groupError(group, right, codes[topic][partition])
			err = c.cluster.settings.denied(err, onTopic(topic, "Read"))
			if err == nil {
				continue
			}
			tp := connect.TopicPartition{Topic: topic, Partition: partition}
			errs = append(errs, fmt.Errorf("%s: %w", tp, err))
		}
	}
	return joinRetriable(errs)
}
