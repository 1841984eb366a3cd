package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/IBM/sarama"

	"github.com/penstock-io/penstock/connect"
)

// isFatalForConnecting tells apart "this broker will never talk to us" from "this
// call is not for us".
func isFatalForConnecting(err error) bool {
	return errors.Is(err, ErrAuthentication) || errors.Is(err, ErrClosed)
}

// TopicSpec describes a topic to be created.
type TopicSpec struct {
	Name              string
	Partitions        int32 // -1: the broker's default
	ReplicationFactor int16 // -1: the broker's default
	Config            map[string]string
}

// ClusterID returns Kafka's cluster id.
func (c *Client) ClusterID(ctx context.Context) (string, error) {
	var id string
	err := c.cluster.retry(ctx, "describe the Kafka cluster", func(ctx context.Context) error {
		info, err := c.cluster.describe(ctx)
		id = info.id
		return err
	})
	return id, err
}

// CreateTopic creates a topic; created is false when it existed already. Errors
// that callers tell apart: ErrAuthorization, ErrUnsupported, ErrInvalidConfig,
// ErrInvalidReplicationFactor and ErrTimeout (which may have created it).
func (c *Client) CreateTopic(ctx context.Context, spec TopicSpec) (created bool, err error) {
	entries := make(map[string]*string, len(spec.Config))
	for k, v := range spec.Config {
		entries[k] = &v
	}
	detail := map[string]*sarama.TopicDetail{spec.Name: {
		NumPartitions: spec.Partitions, ReplicationFactor: spec.ReplicationFactor, ConfigEntries: entries,
	}}
	err = c.cluster.retry(ctx, fmt.Sprintf("create topic %s", spec.Name), func(ctx context.Context) error {
		s := c.cluster.settings
		resp, err := c.askController(ctx, func(b *sarama.Broker) (*sarama.CreateTopicsResponse, error) {
			return b.CreateTopics(sarama.NewCreateTopicsRequest(s.sarama.Version, detail, s.requestTimeout, false))
		})
		if err != nil {
			return err
		}
		result := resp.TopicErrors[spec.Name]
		switch {
		case result == nil:
			return errors.New("the broker did not answer for this topic")
		case result.Err == sarama.ErrTopicAlreadyExists:
			return nil
		case result.Err != sarama.ErrNoError:
			var text string
			if result.ErrMsg != nil {
				text = *result.ErrMsg
			}
			return s.denied(brokerError(result.Err, text), onTopic(spec.Name, "Create"), need{resource: "Cluster", right: "Create"})
		}
		created = true
		return nil
	})
	return created, err
}

func (c *Client) askController(ctx context.Context, fn func(*sarama.Broker) (*sarama.CreateTopicsResponse, error)) (*sarama.CreateTopicsResponse, error) {
	info, err := c.cluster.describe(ctx)
	if errors.Is(err, ErrUnsupported) {
		return askAny(ctx, c.cluster, fn)
	}
	if err != nil {
		return nil, err
	}
	n := c.cluster.node(info.controller)
	if n == nil {
		return nil, fmt.Errorf("the cluster has no controller now (broker %d is not known)", info.controller)
	}
	return ask(ctx, n, fn)
}

// TopicConfig returns the value of one topic setting, "" when the broker does not
// tell: the topic does not exist, the caller may not see it, or there is no such key.
func (c *Client) TopicConfig(ctx context.Context, topic, key string) (string, error) {
	var value string
	err := c.cluster.retry(ctx, fmt.Sprintf("describe configuration of topic %s", topic), func(ctx context.Context) error {
		resp, err := askAny(ctx, c.cluster, func(b *sarama.Broker) (*sarama.DescribeConfigsResponse, error) {
			return b.DescribeConfigs(&sarama.DescribeConfigsRequest{
				Version:   4,
				Resources: []*sarama.ConfigResource{{Type: sarama.TopicResource, Name: topic, ConfigNames: []string{key}}},
			})
		})
		if err != nil {
			return err
		}
		for _, r := range resp.Resources {
			if err := brokerError(sarama.KError(r.ErrorCode), r.ErrorMsg); err != nil && !errors.Is(err, ErrUnknownTopic) {
				return c.cluster.settings.denied(err, onTopic(topic, "DescribeConfigs"))
			}
			for _, e := range r.Configs {
				if e.Name == key {
					value = e.Value
				}
			}
		}
		return nil
	})
	if errors.Is(err, ErrAuthorization) || errors.Is(err, ErrUnsupported) {
		return "", nil
	}
	return value, err
}

// Partitions returns the partitions of a topic in order, none when it does not exist.
func (c *Client) Partitions(ctx context.Context, topic string) ([]int32, error) {
	var out []int32
	err := c.cluster.retry(ctx, fmt.Sprintf("look up partitions of topic %s", topic), func(ctx context.Context) error {
		m, err := c.cluster.metadata(ctx, topic)
		if err != nil {
			return err
		}
		t := m[topic]
		if errors.Is(t.err, ErrUnknownTopic) {
			return nil
		}
		for p := range t.partitions {
			out = append(out, p)
		}
		return t.err
	})
	slices.Sort(out)
	return out, err
}

// EndOffsets returns the log end offsets (read_uncommitted), asked at the same
// time of every leader. All partitions must exist. A read_committed consumer reaches
// them when the transactions that are open at the end are committed or aborted, which
// the broker sees to within their transaction.timeout.ms; see StableOffsets.
func (c *Client) EndOffsets(ctx context.Context, tps []connect.TopicPartition) (map[connect.TopicPartition]int64, error) {
	return c.endOffsets(ctx, tps, sarama.ReadUncommitted)
}

// StableOffsets returns the last stable offsets, asked at the same time of every
// leader: what a consumer with isolation.level=read_committed can read up to now. It
// is EndOffsets but for transactions that are open at the end.
func (c *Client) StableOffsets(ctx context.Context, tps []connect.TopicPartition) (map[connect.TopicPartition]int64, error) {
	return c.endOffsets(ctx, tps, sarama.ReadCommitted)
}

func (c *Client) endOffsets(ctx context.Context, tps []connect.TopicPartition, isolation sarama.IsolationLevel) (map[connect.TopicPartition]int64, error) {
	out := make(map[connect.TopicPartition]int64, len(tps))
	want := make(map[connect.TopicPartition]int64, len(tps))
	for _, tp := range tps {
		want[tp] = sarama.OffsetNewest
	}
	err := c.cluster.retry(ctx, "list end offsets", func(ctx context.Context) error {
		found, err := c.cluster.listOffsets(ctx, want, isolation)
		for tp, off := range found {
			out[tp] = off.offset
			delete(want, tp)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}
