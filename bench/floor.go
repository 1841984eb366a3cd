package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/zap"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/internal/kafka"
)

// produce writes the records of a path, evenly over the partitions.
func produce(ctx context.Context, bootstrap, topic string, o options, value func(i int) string) error {
	c, err := kgo.NewClient(kgo.SeedBrokers(bootstrap), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerBatchMaxBytes(512<<10), kgo.MaxBufferedRecords(200_000))
	if err != nil {
		return err
	}
	defer c.Close()
	req := kmsg.NewPtrCreateTopicsRequest()
	rt := kmsg.NewCreateTopicsRequestTopic()
	rt.Topic, rt.NumPartitions, rt.ReplicationFactor = topic, int32(o.partitions), 1
	req.Topics = append(req.Topics, rt)
	if _, err := req.RequestWith(ctx, c); err != nil {
		return err
	}
	failed := make(chan error, 1)
	for i := range o.records {
		c.Produce(ctx, &kgo.Record{Topic: topic, Partition: int32(i % o.partitions), Value: []byte(value(i))}, func(_ *kgo.Record, err error) {
			if err != nil {
				select {
				case failed <- err:
				default:
				}
			}
		})
	}
	if err := c.Flush(ctx); err != nil {
		return err
	}
	select {
	case err := <-failed:
		return err
	default:
		return nil
	}
}

// runFloor measures a bare consumer in processes of their own.
func runFloor(ctx context.Context, bootstrap, topic string, o options) ([]figures, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	var all []figures
	for i := range o.runs + 1 {
		cmd := exec.CommandContext(ctx, self, "consume", bootstrap, topic)
		cmd.Stderr = os.Stderr
		start := time.Now()
		if err := cmd.Run(); err != nil {
			return nil, fmt.Errorf("bare consumer: %w", err)
		}
		wall, st := time.Since(start), cmd.ProcessState
		if i > 0 {
			all = append(all, figures{
				perSecond: float64(o.records) / wall.Seconds(),
				cpuMicros: float64((st.UserTime() + st.SystemTime()).Microseconds()) / float64(o.records),
				rssMB:     maxRSS(st),
			})
		}
	}
	return all, nil
}

// consume reads a topic to its end and throws everything away.
func consume(ctx context.Context, bootstrap, topic string) error {
	props := map[string]string{"bootstrap.servers": bootstrap, "client.id": "bench-floor"}
	client, err := kafka.NewClient(ctx, props, zap.NewNop())
	if err != nil {
		return err
	}
	defer client.Close()
	partitions, err := client.Partitions(ctx, topic)
	if err != nil {
		return err
	}
	start := map[connect.TopicPartition]int64{}
	var tps []connect.TopicPartition
	for _, p := range partitions {
		tp := connect.TopicPartition{Topic: topic, Partition: p}
		tps = append(tps, tp)
		start[tp] = kafka.OffsetEarliest
	}
	ends, err := client.EndOffsets(ctx, tps)
	if err != nil {
		return err
	}
	c, err := kafka.NewConsumer(ctx, props, zap.NewNop())
	if err != nil {
		return err
	}
	defer c.Close()
	c.Add(start)
	var want, got int64
	for _, end := range ends {
		want += end
	}
	for got < want {
		batches, err := c.Poll(ctx, time.Second)
		if err != nil {
			return err
		}
		for i := range batches {
			got += int64(len(batches[i].Records))
		}
	}
	return nil
}
