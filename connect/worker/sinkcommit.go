package worker

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/penstock-io/penstock/connect"
)

// commitState is where a sink task stands with its offsets. All offsets are the next
// ones to be consumed.
type commitState struct {
	current   map[connect.TopicPartition]int64 // after the last put that succeeded
	committed map[connect.TopicPartition]int64 // in the group
	next      time.Time                        // when the next commit is due
	inFlight  bool
	started   time.Time // of the commit in flight
	seq       int       // of the last commit; answers to older ones are ignored
	failures  int       // in a row
}

func (c *commitState) init(next time.Time) {
	c.current, c.committed = map[connect.TopicPartition]int64{}, map[connect.TopicPartition]int64{}
	c.next = next
}

func (c *commitState) partitions() []connect.TopicPartition {
	return slices.SortedFunc(maps.Keys(c.current), connect.TopicPartition.Compare)
}

func (c *commitState) forget(tp connect.TopicPartition) {
	delete(c.current, tp)
	delete(c.committed, tp)
}

// commitIfDue starts a commit of the whole assignment when its time has come or the
// task asked for one, and gives up a commit that takes too long.
func (s *sinkTask) commitIfDue(ctx context.Context) error {
	c, now := &s.commits, s.now()
	if !c.inFlight && (s.context.commitRequested.Swap(false) || !now.Before(c.next)) {
		c.next = now.Add(s.flushInterval)
		if err := s.commitAsync(ctx); err != nil {
			return err
		}
	}
	if c.inFlight && now.Sub(c.started) >= s.flushTimeout {
		s.log.Warn("Commit of offsets timed out", zap.Duration("after", now.Sub(c.started)))
		c.failures++
		c.inFlight = false // a late answer carries an old sequence number
		c.seq++
	}
	return nil
}

// heldBackInterval is when a commit is tried again that had to stop short of records
// which are on their way to the dead letter queue.
const heldBackInterval = time.Second

// commitAsync commits without waiting. An error fails the task: a record that it has
// reported could not be kept.
func (s *sinkTask) commitAsync(ctx context.Context) error {
	c := &s.commits
	tps := c.partitions()
	if len(tps) == 0 {
		return nil
	}
	if s.dead != nil {
		if err := s.dead.failure(tps); err != nil {
			return err
		}
	}
	offsets, err := s.preCommit(ctx, tps)
	if err != nil {
		s.log.Error(fmt.Sprintf("%s Offset commit failed, rewinding to last committed offsets", s.id), zap.Error(err))
		for tp, offset := range c.committed {
			s.consumer.Seek(tp, offset)
			c.current[tp] = offset
		}
		clear(s.consumed)
		s.dropPending()
		c.failures++
		return nil
	}
	if s.dead != nil && s.dead.limit(offsets, c.committed) {
		c.next = s.now().Add(min(s.flushInterval, heldBackInterval))
	}
	if maps.Equal(offsets, c.committed) {
		return nil
	}
	c.seq++
	seq := c.seq
	c.inFlight, c.started = true, s.now()
	s.consumer.CommitAsync(offsets, func(err error) { s.committed(seq, offsets, err) })
	return nil
}

// committed takes the answer to an asynchronous commit, in the task's goroutine.
func (s *sinkTask) committed(seq int, offsets map[connect.TopicPartition]int64, err error) {
	c := &s.commits
	if seq != c.seq {
		return
	}
	c.inFlight = false
	if err != nil {
		c.failures++
		s.log.Error(fmt.Sprintf("%s Commit of offsets threw an unexpected exception for sequence number %d", s.id, seq), zap.Error(err))
		return
	}
	c.failures = 0
	for tp, offset := range offsets {
		if _, ok := c.committed[tp]; ok {
			c.committed[tp] = offset
		}
	}
}

// preCommit asks the task what may be committed of the partitions and checks it: never
// beyond what was consumed, never a partition that is not assigned.
func (s *sinkTask) preCommit(ctx context.Context, tps []connect.TopicPartition) (map[connect.TopicPartition]int64, error) {
	c := &s.commits
	asked, offsets := map[connect.TopicPartition]int64{}, map[connect.TopicPartition]int64{}
	for _, tp := range tps {
		asked[tp], offsets[tp] = c.current[tp], c.committed[tp]
	}
	told, err := s.sink.PreCommit(ctx, maps.Clone(asked))
	if err != nil {
		return nil, err
	}
	for tp, offset := range told {
		current, ok := asked[tp]
		switch {
		case !ok:
			s.log.Debug("ignoring the offset of a partition that was not asked for", zap.Stringer("partition", tp))
		case offset > current:
			s.log.Warn("ignoring an offset that was not yet consumed", zap.Stringer("partition", tp),
				zap.Int64("offset", offset), zap.Int64("consumed", current))
		default:
			offsets[tp] = offset
		}
	}
	return offsets, nil
}

// commitClosing commits partitions that are given up: preCommit, close, wait for the
// dead letter queue, commit. Its error fails the task: the plugin's Close failed, or a
// record that it has reported could not be kept. A commit that fails only means that
// records are read again.
func (s *sinkTask) commitClosing(ctx context.Context, tps []connect.TopicPartition) error {
	offsets, err := s.preCommit(ctx, tps)
	if err != nil {
		s.log.Warn("Offset commit failed during close", zap.Error(err))
	}
	closeErr := s.sink.Close(ctx, tps)
	committed := map[connect.TopicPartition]int64{}
	for _, tp := range tps {
		committed[tp] = s.commits.committed[tp]
	}
	if e := s.settleLetters(ctx, tps, offsets, committed); closeErr == nil {
		closeErr = e
	}
	if err == nil && !maps.Equal(offsets, committed) {
		s.commits.seq++
		s.commits.inFlight = false
		if err := s.consumer.CommitSync(ctx, offsets); err != nil && !errors.Is(err, context.Canceled) {
			s.log.Warn("could not commit offsets while closing; the records are read again", zap.Error(err))
		}
	}
	for _, tp := range tps {
		s.commits.forget(tp)
	}
	if s.dead != nil {
		s.dead.forget(tps...)
	}
	return closeErr
}

// settleLetters waits, for offset.flush.timeout.ms at most, until the records of the
// partitions that failed are in the dead letter queue, and takes back offsets beyond
// those that are not.
func (s *sinkTask) settleLetters(ctx context.Context, tps []connect.TopicPartition, offsets, committed map[connect.TopicPartition]int64) error {
	if s.dead == nil {
		return nil
	}
	limited, cancel := context.WithTimeout(ctx, s.flushTimeout)
	defer cancel()
	_ = s.dead.await(limited, tps) // limit deals with what is left
	if s.dead.limit(offsets, committed) {
		s.log.Warn("records are not in the dead letter queue yet: their offsets are not committed, they are read and reported again",
			zap.String("topic", s.dead.settings.Topic), zap.Duration("waited", s.flushTimeout))
	}
	return s.dead.failure(tps)
}
