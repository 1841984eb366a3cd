package kafka

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/IBM/sarama"

	"github.com/penstock-io/penstock/connect"
)

// listedOffset is an answer of ListOffsets.
type listedOffset struct {
	offset int64 // -1: no record is that young
	leader int32
	epoch  int32
}

// listOffsets is listOffsetsAt with fresh metadata.
func (c *cluster) listOffsets(ctx context.Context, want map[connect.TopicPartition]int64, isolation sarama.IsolationLevel) (map[connect.TopicPartition]listedOffset, error) {
	if len(want) == 0 {
		return nil, nil
	}
	topics := map[string]bool{}
	for tp := range want {
		topics[tp.Topic] = true
	}
	meta, err := c.metadata(ctx, slices.Sorted(maps.Keys(topics))...)
	if err != nil {
		return nil, err
	}
	return c.listOffsetsAt(ctx, meta, want, isolation)
}

// listOffsetsAt looks up offsets by time (milliseconds, or sarama.OffsetOldest or
// OffsetNewest). What was found is returned also when some partitions failed.
func (c *cluster) listOffsetsAt(ctx context.Context, meta map[string]topicMeta, want map[connect.TopicPartition]int64, isolation sarama.IsolationLevel) (map[connect.TopicPartition]listedOffset, error) {
	byLeader := map[int32][]connect.TopicPartition{}
	var errs []error
	for tp := range want {
		t := meta[tp.Topic]
		p, ok := t.partitions[tp.Partition]
		switch {
		case t.err != nil:
			errs = append(errs, fmt.Errorf("%s: %w", tp, t.err))
		case !ok:
			errs = append(errs, fmt.Errorf("%s: %w", tp, brokerError(sarama.ErrUnknownTopicOrPartition, "")))
		case p.leader < 0:
			errs = append(errs, fmt.Errorf("%s: %w", tp, brokerError(sarama.ErrLeaderNotAvailable, "")))
		default:
			byLeader[p.leader] = append(byLeader[p.leader], tp)
		}
	}
	var (
		mu  sync.Mutex
		wg  sync.WaitGroup
		out = make(map[connect.TopicPartition]listedOffset, len(want))
	)
	for id, tps := range byLeader {
		wg.Go(func() {
			found, err := c.listOffsetsOf(ctx, id, tps, want, isolation)
			mu.Lock()
			defer mu.Unlock()
			maps.Copy(out, found)
			if err != nil {
				errs = append(errs, err)
			}
		})
	}
	wg.Wait()
	return out, joinRetriable(errs)
}

// joinRetriable joins errors of several partitions. The first that is final comes
// alone, so that the whole is not taken for retriable or the other way round.
func joinRetriable(errs []error) error {
	for _, err := range errs {
		if final(err) {
			return err
		}
	}
	return errors.Join(errs...)
}

func (c *cluster) listOffsetsOf(ctx context.Context, id int32, tps []connect.TopicPartition, want map[connect.TopicPartition]int64, isolation sarama.IsolationLevel) (map[connect.TopicPartition]listedOffset, error) {
	n := c.node(id)
	if n == nil {
		return nil, fmt.Errorf("list offsets: broker %d is not known", id)
	}
	// A call that was given up goes on beside the caller, who may change want then.
	req := sarama.NewOffsetRequest(c.settings.sarama.Version)
	req.IsolationLevel = isolation
	for _, tp := range tps {
		req.AddBlock(tp.Topic, tp.Partition, want[tp], 1)
	}
	resp, err := ask(ctx, n, func(b *sarama.Broker) (*sarama.OffsetResponse, error) { return b.GetAvailableOffsets(req) })
	if err != nil {
		return nil, err
	}
	out := make(map[connect.TopicPartition]listedOffset, len(tps))
	var errs []error
	for _, tp := range tps {
		block := resp.GetBlock(tp.Topic, tp.Partition)
		switch {
		case block == nil:
			errs = append(errs, fmt.Errorf("%s: %s did not answer for it", tp, n))
		case block.Err != sarama.ErrNoError:
			errs = append(errs, fmt.Errorf("%s: %w", tp, c.settings.denied(brokerError(block.Err, ""), onTopic(tp.Topic, c.settings.topicRight))))
		default:
			out[tp] = listedOffset{offset: block.Offset, leader: id, epoch: block.LeaderEpoch}
		}
	}
	return out, joinRetriable(errs)
}
