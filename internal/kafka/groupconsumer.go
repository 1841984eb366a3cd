package kafka

import (
	"context"
	"time"

	"go.uber.org/zap"

	"github.com/penstock-io/penstock/connect"
)

// Subscription tells which topics a GroupConsumer wants: a list, or a full match.
type Subscription struct {
	Topics []string
	Match  func(topic string) bool // used when Topics is empty; re-checked every metadata.max.age.ms
}

// RebalanceListener is called from within Poll and Close, in the caller's goroutine.
type RebalanceListener interface {
	// Assigned: partitions gained; their positions are known.
	Assigned(ctx context.Context, tps []connect.TopicPartition) error
	// Revoked: partitions to be given up; offsets can still be committed.
	Revoked(ctx context.Context, tps []connect.TopicPartition) error
	// Lost: partitions already taken away; nothing can be committed.
	Lost(ctx context.Context, tps []connect.TopicPartition) error
}

// GroupConsumer is a member of a consumer group (Java: KafkaConsumer with
// subscribe). It takes group.id, client.id, session.timeout.ms,
// heartbeat.interval.ms, max.poll.interval.ms, partition.assignment.strategy and
// all of Consumer from the properties. One goroutine uses it; Wake is for any.
type GroupConsumer struct{}

// NewGroupConsumer returns a consumer that joins at the first Poll.
func NewGroupConsumer(ctx context.Context, props map[string]string, sub Subscription, l RebalanceListener, log *zap.Logger) (*GroupConsumer, error) {
	panic("not written yet")
}

// Poll runs pending rebalance callbacks and returns what was fetched, see Consumer.Poll.
func (g *GroupConsumer) Poll(ctx context.Context, timeout time.Duration) ([]Batch, error) {
	panic("not written yet")
}

// Assignment returns the current partitions, sorted.
func (g *GroupConsumer) Assignment() []connect.TopicPartition { panic("not written yet") }

// Position is Consumer.Position.
func (g *GroupConsumer) Position(ctx context.Context, tp connect.TopicPartition) (int64, error) {
	panic("not written yet")
}

// Seek is Consumer.Seek.
func (g *GroupConsumer) Seek(tp connect.TopicPartition, offset int64) { panic("not written yet") }

// Pause is Consumer.Pause.
func (g *GroupConsumer) Pause(tps ...connect.TopicPartition) { panic("not written yet") }

// Resume is Consumer.Resume.
func (g *GroupConsumer) Resume(tps ...connect.TopicPartition) { panic("not written yet") }

// CommitAsync commits next offsets; done is called from a later Poll or Close.
func (g *GroupConsumer) CommitAsync(offsets map[connect.TopicPartition]int64, done func(error)) {
	panic("not written yet")
}

// CommitSync commits next offsets and waits.
func (g *GroupConsumer) CommitSync(ctx context.Context, offsets map[connect.TopicPartition]int64) error {
	panic("not written yet")
}

// Wake makes a Poll that waits return early; without one, the next Poll.
func (g *GroupConsumer) Wake() { panic("not written yet") }

// Close revokes (calling the listener), leaves the group and releases everything.
func (g *GroupConsumer) Close(ctx context.Context) error { panic("not written yet") }
