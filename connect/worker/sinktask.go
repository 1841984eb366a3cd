package worker

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/tolerance"
	"github.com/penstock-io/penstock/internal/kafka"
)

// consumer is what a sink task needs of its kafka.GroupConsumer.
type consumer interface {
	Poll(ctx context.Context, timeout time.Duration) ([]kafka.Batch, error)
	Assignment() []connect.TopicPartition
	Position(ctx context.Context, tp connect.TopicPartition) (int64, error)
	Seek(tp connect.TopicPartition, offset int64)
	Pause(tps ...connect.TopicPartition)
	Resume(tps ...connect.TopicPartition)
	CommitAsync(offsets map[connect.TopicPartition]int64, done func(error))
	CommitSync(ctx context.Context, offsets map[connect.TopicPartition]int64) error
	Wake()
	Close(ctx context.Context) error
}

// topicTracker remembers which topics a connector uses (KIP-558).
type topicTracker interface {
	track(topic string)
}

// sinkTask moves records from a consumer to a connect.SinkTask, all in the task's
// goroutine (Java: WorkerSinkTask). One turn of its loop: commit when due, rewind
// where the task asked, poll, convert, put.
type sinkTask struct {
	*task
	sink        connect.SinkTask
	props       map[string]string
	newConsumer func(ctx context.Context, l kafka.RebalanceListener) (consumer, error)
	convert     *sinkConverter
	operator    *tolerance.Operator
	topics      topicTracker // nil: off
	taskClass   string
	dead        *deadLetterQueue // nil: none
	keepsErrors bool             // errors.log.enable

	flushInterval, flushTimeout time.Duration
	now                         func() time.Time

	// work ends when the task is to stop, for what may take long; its end is no failure.
	work      context.Context //nolint:containedctx // used by calls from the plugin
	interrupt context.CancelFunc
	consumer  consumer
	context   *sinkContext
	commits   commitState
	records   []connect.SinkRecord             // the batch that is (re)delivered
	batches   pendingBatches                   // what they were made of
	consumed  map[connect.TopicPartition]int64 // next offsets of that batch
	// putFailure is a record that the task has reported and that is not tolerated.
	putFailure   error
	warnedOfLoss bool
	badInRow     int  // records that were given up by bisect since a put succeeded
	paused       bool // target state PAUSED is in force
	// redelivering: the last put asked for a retry; all partitions are paused until it succeeds.
	redelivering bool
	closed       bool
}

// start subscribes and starts the plugin.
func (s *sinkTask) start(ctx context.Context) error {
	s.commits.init(s.now().Add(s.flushInterval))
	s.consumed = map[connect.TopicPartition]int64{}
	s.context = newSinkContext(s)
	s.work, s.interrupt = context.WithCancel(ctx)
	s.wakeWith(func() {})
	if s.dead != nil {
		if err := s.dead.start(s.work); err != nil {
			return err
		}
		s.operator.ReportTo(s.dead.report)
	}
	c, err := s.newConsumer(ctx, (*rebalances)(s))
	if err != nil {
		return err
	}
	s.consumer = c
	s.wakeWith(c.Wake)
	return s.sink.Start(ctx, s.context, s.props)
}

// wakeWith sets what a change of the target state interrupts.
func (s *sinkTask) wakeWith(wake func()) {
	interrupt := func() {
		if s.stopping() {
			s.interrupt()
		}
		wake()
	}
	s.setWake(interrupt)
	interrupt() // the change may have come before
}

// loop runs until the task is to stop.
func (s *sinkTask) loop(ctx context.Context) error {
	for !s.stopping() {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		switch err := s.iterate(ctx); {
		case errors.Is(err, tolerance.ErrStopped) && s.stopping():
			return nil // what was under way is read again
		case err != nil:
			return err
		}
	}
	return nil
}

func (s *sinkTask) iterate(ctx context.Context) error {
	if err := s.commitIfDue(ctx); err != nil {
		return err
	}
	timeout := max(s.commits.next.Sub(s.now()), 0)
	if t := s.context.takeTimeout(); t >= 0 {
		timeout = min(timeout, t)
	}
	s.rewind()
	batches, err := s.consumer.Poll(ctx, timeout)
	if err != nil {
		return err
	}
	s.followTarget()
	if err := s.convertAll(batches); err != nil {
		return err
	}
	return s.deliver(ctx)
}

// convertAll appends the records of the batches to the pending batch.
func (s *sinkTask) convertAll(batches []kafka.Batch) error {
	for i := range batches {
		b := &batches[i]
		if len(b.Records) == 0 {
			continue
		}
		var (
			converted bool
			err       error
		)
		s.records, converted, err = s.convert.batch(s.work, s.records, b, s.operator)
		if converted && s.topics != nil {
			s.topics.track(b.Topic) // whatever transforms make of it
		}
		if err != nil {
			return err
		}
		s.batches.add(*b)
		// Dropped records count as consumed too.
		s.consumed[b.TopicPartition] = b.Records[len(b.Records)-1].Offset + 1
	}
	return nil
}

// deliver puts the pending batch, also an empty one.
func (s *sinkTask) deliver(ctx context.Context) error {
	err := s.sink.Put(ctx, s.records)
	var retriable *connect.RetriableError
	bisected := err != nil && !errors.As(err, &retriable) && s.bisects()
	if bisected {
		err = s.bisect(ctx, err)
	}
	if s.putFailure != nil && (err == nil || errors.As(err, &retriable)) {
		return s.putFailure // the task has ignored it
	}
	switch {
	case err == nil:
		if len(s.records) > 0 && !bisected {
			s.badInRow = 0
		}
		for tp, next := range s.consumed {
			s.commits.current[tp] = next
		}
		clear(s.consumed)
		s.dropPending()
		if s.redelivering {
			s.redelivering = false
			s.applyPauses(s.consumer.Assignment())
		}
		return nil
	case errors.As(err, &retriable):
		if !s.redelivering {
			s.log.Warn("RetriableException from SinkTask: the same batch is put again", zap.Error(err))
			s.redelivering = true
			s.batches.own()
			s.consumer.Pause(s.consumer.Assignment()...)
		}
		return nil
	}
	return &connect.Error{Msg: "Exiting WorkerSinkTask due to unrecoverable exception.", Err: err}
}

func (s *sinkTask) dropPending() {
	clear(s.records) // lets go of the fetched bytes
	s.records = s.records[:0]
	s.batches.clear()
}

// followTarget applies a change between STARTED and PAUSED.
func (s *sinkTask) followTarget() {
	paused := s.targetState() == connect.TargetPaused
	if paused == s.paused {
		return
	}
	s.paused = paused
	s.applyPauses(s.consumer.Assignment())
	if paused {
		s.report(connect.StatePaused, nil)
		s.context.RequestCommit()
		return
	}
	s.report(connect.StateRunning, nil)
}

// applyPauses pauses or resumes partitions as the three reasons to pause demand.
func (s *sinkTask) applyPauses(tps []connect.TopicPartition) {
	for _, tp := range tps {
		if s.paused || s.redelivering || s.context.paused[tp] {
			s.consumer.Pause(tp)
		} else {
			s.consumer.Resume(tp)
		}
	}
}

// rewind goes on at the offsets the task asked for.
func (s *sinkTask) rewind() {
	for tp, offset := range s.context.offsets {
		if _, ok := s.commits.current[tp]; !ok {
			s.log.Warn("the task asked for an offset of a partition it does not have", zap.Stringer("partition", tp))
			continue
		}
		s.consumer.Seek(tp, offset)
		s.commits.committed[tp], s.commits.current[tp] = offset, offset
	}
	clear(s.context.offsets)
}

// finish makes the closing commit, stops the plugin and leaves the group, whatever the plugin
// does meanwhile.
func (s *sinkTask) finish(ctx context.Context) error {
	var errs []error
	last, done := context.WithTimeout(ctx, s.flushTimeout)
	defer done()
	if s.consumer != nil {
		if tps := s.commits.partitions(); len(tps) > 0 {
			errs = append(errs, callPlugin(func() error { return s.commitClosing(ctx, tps) }))
		}
	}
	s.closed = true
	errs = append(errs, callPlugin(func() error { return s.sink.Stop(ctx) }))
	if s.dead != nil {
		s.dead.close(last)
	}
	s.setWake(nil)
	if s.interrupt != nil {
		s.interrupt()
	}
	if s.consumer != nil {
		// The group must be left even if the task was cancelled.
		leave, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaveTimeout)
		defer cancel()
		errs = append(errs, s.consumer.Close(leave))
	}
	return errors.Join(append(errs, callPlugin(s.convert.close))...)
}

const leaveTimeout = 5 * time.Second

// rebalances is the sinkTask as kafka.RebalanceListener; called from within Poll.
type rebalances sinkTask

// Assigned opens partitions that were gained.
func (r *rebalances) Assigned(ctx context.Context, tps []connect.TopicPartition) error {
	s := (*sinkTask)(r)
	for _, tp := range tps {
		pos, err := s.consumer.Position(ctx, tp)
		if err != nil {
			return err
		}
		s.commits.committed[tp], s.commits.current[tp] = pos, pos
	}
	s.applyPauses(tps)
	if len(tps) == 0 {
		return nil
	}
	if err := s.sink.Open(ctx, tps); err != nil {
		return err
	}
	s.rewind()
	return nil
}

// Revoked commits and closes partitions that must be given up.
func (r *rebalances) Revoked(ctx context.Context, tps []connect.TopicPartition) error {
	s := (*sinkTask)(r)
	if s.closed || len(tps) == 0 {
		return nil
	}
	err := s.commitClosing(ctx, tps)
	s.forget(tps)
	return err
}

// Lost closes partitions that are gone already.
func (r *rebalances) Lost(ctx context.Context, tps []connect.TopicPartition) error {
	s := (*sinkTask)(r)
	if s.closed || len(tps) == 0 {
		return nil
	}
	err := s.sink.Close(ctx, tps)
	s.forget(tps)
	return err
}

// forget drops all that is kept of partitions, pending records included.
func (s *sinkTask) forget(tps []connect.TopicPartition) {
	gone := make(map[connect.TopicPartition]bool, len(tps))
	for _, tp := range tps {
		gone[tp] = true
		s.commits.forget(tp)
		delete(s.consumed, tp)
		delete(s.context.paused, tp)
		delete(s.context.offsets, tp)
	}
	kept := s.records[:0]
	for i := range s.records {
		if !gone[s.records[i].Original] {
			kept = append(kept, s.records[i])
		}
	}
	clear(s.records[len(kept):])
	s.records = kept
	s.batches.forget(gone)
	if s.dead != nil {
		s.dead.forget(tps...)
	}
}
