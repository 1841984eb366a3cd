package worker

import (
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/penstock-io/penstock/connect"
)

// sinkContext implements connect.SinkTaskContext.
type sinkContext struct {
	s               *sinkTask
	offsets         map[connect.TopicPartition]int64
	paused          map[connect.TopicPartition]bool // by the task itself
	timeout         time.Duration                   // -1: none
	commitRequested atomic.Bool
}

func newSinkContext(s *sinkTask) *sinkContext {
	return &sinkContext{s: s, timeout: -1,
		offsets: map[connect.TopicPartition]int64{}, paused: map[connect.TopicPartition]bool{}}
}

func (c *sinkContext) Configs() map[string]string { return c.s.props }

func (c *sinkContext) TaskID() connect.TaskID { return c.s.id }

func (c *sinkContext) Logger() *zap.Logger { return c.s.log }

func (c *sinkContext) Offset(tp connect.TopicPartition, offset int64) { c.offsets[tp] = offset }

func (c *sinkContext) Timeout(ms int64) { c.timeout = time.Duration(ms) * time.Millisecond }

// takeTimeout returns the time-out the task asked for since the last poll, -1 for none.
func (c *sinkContext) takeTimeout() time.Duration {
	t := c.timeout
	c.timeout = -1
	return t
}

func (c *sinkContext) Assignment() []connect.TopicPartition {
	return c.s.commits.partitions()
}

func (c *sinkContext) Pause(tps ...connect.TopicPartition) {
	for _, tp := range tps {
		c.paused[tp] = true
	}
	c.s.consumer.Pause(tps...)
}

func (c *sinkContext) Resume(tps ...connect.TopicPartition) {
	for _, tp := range tps {
		delete(c.paused, tp)
	}
	c.s.applyPauses(tps)
}

func (c *sinkContext) RequestCommit() {
	c.commitRequested.Store(true)
}

func (c *sinkContext) ReportErrant(record *connect.SinkRecord, err error) error {
	return c.s.giveUp(record, err)
}
