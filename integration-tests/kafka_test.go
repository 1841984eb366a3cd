//go:build integration

package integration

import (
	"context"
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/penstock-io/penstock/connect"
)

// kafkaClient is another client than the one under test.
func kafkaClient(t *testing.T) *kgo.Client {
	t.Helper()
	c, err := kgo.NewClient(kgo.SeedBrokers(kafkaCluster.Bootstrap), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerBatchMaxBytes(512<<10))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func createTopic(t *testing.T, c *kgo.Client, topic string, partitions int32) {
	t.Helper()
	req := kmsg.NewPtrCreateTopicsRequest()
	rt := kmsg.NewCreateTopicsRequestTopic()
	rt.Topic, rt.NumPartitions, rt.ReplicationFactor = topic, partitions, 1
	req.Topics = append(req.Topics, rt)
	resp, err := req.RequestWith(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if code := resp.Topics[0].ErrorCode; code != 0 {
		t.Fatalf("create topic %s: error code %d", topic, code)
	}
}

// produce writes n records to each partition; value makes the text of record i of a
// partition.
func produce(t *testing.T, c *kgo.Client, topic string, partitions int32, from, n int, value func(partition int32, i int) string) {
	t.Helper()
	failed := make(chan error, 1)
	for i := from; i < from+n; i++ {
		for p := range partitions {
			c.Produce(t.Context(), &kgo.Record{Topic: topic, Partition: p, Value: []byte(value(p, i))}, func(_ *kgo.Record, err error) {
				if err != nil {
					select {
					case failed <- err:
					default:
					}
				}
			})
		}
	}
	if err := c.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-failed:
		t.Fatal(err)
	default:
	}
}

// produceRaw writes one record as it is.
func produceRaw(t *testing.T, c *kgo.Client, r *kgo.Record) {
	t.Helper()
	if err := c.ProduceSync(t.Context(), r).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

// committed returns the committed offsets of a consumer group.
func committed(ctx context.Context, c *kgo.Client, group string) (map[connect.TopicPartition]int64, error) {
	req := kmsg.NewPtrOffsetFetchRequest()
	req.Group = group
	g := kmsg.NewOffsetFetchRequestGroup()
	g.Group = group
	req.Groups = append(req.Groups, g)
	resp, err := req.RequestWith(ctx, c)
	if err != nil {
		return nil, err
	}
	offsets := map[connect.TopicPartition]int64{}
	for _, g := range resp.Groups {
		if g.ErrorCode != 0 {
			return nil, fmt.Errorf("offsets of group %s: error code %d", group, g.ErrorCode)
		}
		for _, topic := range g.Topics {
			for _, p := range topic.Partitions {
				offsets[connect.TopicPartition{Topic: topic.Topic, Partition: p.Partition}] = p.Offset
			}
		}
	}
	return offsets, nil
}
