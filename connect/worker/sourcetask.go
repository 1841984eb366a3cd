package worker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/tolerance"
	"github.com/penstock-io/penstock/internal/kafka"
	"github.com/penstock-io/penstock/storage"
)

// producer is what a source task needs of its kafka.Producer. SendAsync keeps the bytes of
// records, not the slice of them.
type producer interface {
	SendAsync(ctx context.Context, records []kafka.ProducerRecord, acked func([]kafka.Ack)) error
	Send(ctx context.Context, records ...kafka.ProducerRecord) error
	InitTransactions(ctx context.Context) error
	BeginTransaction() error
	CommitTransaction(ctx context.Context) error
	AbortTransaction(ctx context.Context) error
	Close() error
	CloseNow()
}

// sourceClients are what a source task talks to Kafka with.
type sourceClients struct {
	producer producer
	admin    topicAdmin                  // nil: not needed
	offsets  storage.OffsetStore         // where offsets are read and written
	topic    string                      // the primary topic of offsets, "" if it is the worker's
	start    func(context.Context) error // opens offsets; nil: it is the worker's
	// close closes all but the worker's store. now does not wait for what is under way.
	close func(now bool)
}

// sourceTask moves records from a connect.SourceTask to a producer (Java:
// AbstractWorkerSourceTask). One turn of its loop: poll, then convert and send what was
// polled, segment by segment. What is done about offsets is up to its delivery.
type sourceTask struct {
	*task
	source     connect.SourceTask
	props      map[string]string
	connect    func(ctx context.Context) (*sourceClients, error)
	convert    *sourceConverter
	operator   *tolerance.Operator
	topics     topicCreation
	tracker    topicTracker // nil: off
	delivery   delivery
	boundaries *transactionContext // nil: the task does not decide
	counters   sourceCounters

	flushInterval, flushTimeout time.Duration

	clients    *sourceClients
	closeOnce  sync.Once
	keepOpen   func() bool        // ends the watch for the end of the task's context
	running    context.Context    //nolint:containedctx // ends when the task is to stop
	sending    context.Context    //nolint:containedctx // ends some time later
	endSending context.CancelFunc //
	started    bool               // the plugin's Start was called
	looping    bool               // loop was entered
	failed     bool               // loop did not end as it should
	batch      sourceBatch

	pollMu  sync.Mutex
	polling context.Context //nolint:containedctx // ends when a Poll is to return
	endPoll context.CancelFunc
}

// sourceBatch is what is left to do of the records of one Poll.
type sourceBatch struct {
	records    []connect.SourceRecord // not converted yet
	boundaries []boundary             // of the records, counted from where the batch began
	begun      int                    // records of the batch that were converted
	segment    *segment               // converted, not all of it sent
	open       bool                   // the batch is not over
}

// delivery is the guarantee of a source task: at least once, or exactly once. The methods
// are called by the task's goroutine.
type delivery interface {
	// open is called before the plugin starts, and ends early when the task is to stop.
	open(ctx context.Context) error
	// begin is called before the loop.
	begin(ctx context.Context)
	// ready is called before a poll: an error ends the task. until bounds the poll, zero = not.
	ready() (until time.Time, err error)
	// submit is called once for a segment, before send.
	submit(ctx context.Context, seg *segment) error
	// send sends the next n records of the segment and returns how many were taken.
	send(ctx context.Context, seg *segment, n int) (taken int, err error)
	// segmentSent is called when all of a segment was sent; b is its end, nil if nothing
	// ends there.
	segmentSent(ctx context.Context, seg *segment, b *boundary) error
	// batchSent is called when all of a batch was sent, also an empty one.
	batchSent(ctx context.Context) error
	// pause and resume are called when the target state changes.
	pause(ctx context.Context) error
	resume()
	// end makes the final commit.
	end(ctx context.Context, failed bool) error
	// wrap words the error of a send.
	wrap(msg string, err error) error
}

// sendGrace is how long records that were polled before a stop may wait for the producer
// to take them: after it they count as never polled.
const sendGrace = 2 * time.Second

// sendBackoff is the pause after a send, or a Poll, that may succeed later (Java:
// SEND_FAILED_BACKOFF_MS; there is none after a Poll).
const sendBackoff = 100 * time.Millisecond

// start connects, makes sure that no older task of the same id can write any more where
// that matters, and starts the plugin.
func (s *sourceTask) start(ctx context.Context) error {
	running, stopRunning := context.WithCancel(ctx)
	s.running = running
	s.sending, s.endSending = context.WithCancel(ctx)
	s.setWake(func() { s.follow(stopRunning) })
	s.follow(stopRunning) // what was asked before
	clients, err := s.connect(s.running)
	if err != nil {
		return err
	}
	s.clients = clients
	s.topics.admin = clients.admin
	// A zombie may be deaf: its producer is closed as soon as it is abandoned.
	s.keepOpen = context.AfterFunc(ctx, func() { s.closeClients(true) })
	if err := s.delivery.open(s.running); err != nil {
		return err
	}
	if clients.start != nil {
		if err := clients.start(s.running); err != nil {
			return err
		}
	}
	if s.stopping() {
		return errors.New("the task was stopped before it had started")
	}
	s.started = true
	tc := &sourceContext{s: s, reader: &offsetReader{life: ctx, store: clients.offsets, connector: s.id.Connector}, transactions: s.boundaries}
	return s.source.Start(ctx, tc, s.props)
}

// follow ends what is to end early after a change of the target state or a stop.
func (s *sourceTask) follow(stopRunning context.CancelFunc) {
	switch {
	case s.stopping():
		if s.running.Err() == nil {
			stopRunning()
			time.AfterFunc(sendGrace, s.endSending)
		}
		s.interruptPoll()
	case s.targetState() == connect.TargetPaused:
		s.interruptPoll()
	}
}

func (s *sourceTask) interruptPoll() {
	s.pollMu.Lock()
	defer s.pollMu.Unlock()
	if s.endPoll != nil {
		s.endPoll()
	}
}

// renewPoll returns the context of the next Poll. What may end it is to be looked at
// after that, or else it is missed.
func (s *sourceTask) renewPoll(ctx context.Context) context.Context {
	s.pollMu.Lock()
	defer s.pollMu.Unlock()
	if s.polling == nil || s.polling.Err() != nil {
		s.polling, s.endPoll = context.WithCancel(ctx)
	}
	return s.polling
}

// loop runs until the task is to stop.
func (s *sourceTask) loop(ctx context.Context) error {
	s.looping, s.failed = true, true // until it has ended well: it may panic
	s.delivery.begin(ctx)
	for {
		polling := s.renewPoll(ctx)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if s.stopping() {
			s.failed = false
			return nil
		}
		if s.targetState() == connect.TargetPaused {
			if err := s.awaitResumed(ctx); err != nil {
				return err
			}
			continue
		}
		if err := s.iterate(ctx, polling); err != nil {
			return err
		}
	}
}

// awaitResumed is PAUSED until the target is another one.
func (s *sourceTask) awaitResumed(ctx context.Context) error {
	if err := s.delivery.pause(ctx); err != nil {
		return err
	}
	s.report(connect.StatePaused, nil)
	for s.targetState() == connect.TargetPaused && !s.stopping() {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-s.stopped:
		case <-s.changed:
		}
	}
	if !s.stopping() {
		s.delivery.resume()
		s.report(connect.StateRunning, nil)
	}
	return nil
}

func (s *sourceTask) iterate(ctx, polling context.Context) error {
	if !s.batch.open {
		until, err := s.delivery.ready()
		if err != nil {
			return err
		}
		if err := s.poll(polling, until); err != nil {
			return err
		}
	}
	err := s.deliver(ctx)
	switch {
	case err == nil:
		return nil
	case ctx.Err() == nil && s.stopping() && (s.sending.Err() != nil || errors.Is(err, tolerance.ErrStopped)):
		s.log.Info("stopping with records that the producer did not take any more; they are read again", zap.Error(err))
		return nil //nolint:nilerr // the end that was asked for
	case isRetriable(err):
		s.log.Warn("Failed to send records. Backing off before retrying", zap.Error(err))
		pause(s.running, sendBackoff)
		return nil //nolint:nilerr // the next turn of the loop tries again
	}
	return err
}

// isRetriable tells whether the same call may succeed later: Connect's or Kafka's
// RetriableException. What Connect has wrapped is final, whatever the cause.
func isRetriable(err error) bool {
	var retriable *connect.RetriableError
	var own *connect.Error
	return errors.As(err, &retriable) || !errors.As(err, &own) && kafka.Retriable(err)
}

// poll asks the plugin for records. It opens a batch, which may be empty.
func (s *sourceTask) poll(ctx context.Context, until time.Time) error {
	if !until.IsZero() {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, until)
		defer cancel()
	}
	began := time.Now()
	records, err := s.source.Poll(ctx)
	s.batch = sourceBatch{open: true}
	switch {
	case err == nil:
	case ctx.Err() != nil && (errors.Is(err, ctx.Err()) || errors.Is(err, context.Cause(ctx))):
		// A Poll that was told to return. The task believes that what it returns was taken.
	case isRetriable(err):
		s.log.Warn("failed to poll records from SourceTask. Will retry operation.", zap.Error(err))
		records = nil
		pause(ctx, sendBackoff)
	default:
		return err
	}
	if s.boundaries != nil {
		if len(records) == 0 {
			s.boundaries.discardRecords()
		} else if s.batch.boundaries, err = s.boundaries.takeRecords(records); err != nil {
			return err
		}
	}
	if len(records) > 0 {
		s.counters.polled(len(records), time.Since(began))
	}
	s.batch.records = records
	return nil
}

// pause waits until ctx ends at the latest.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// deliver converts and sends what is left of the batch.
func (s *sourceTask) deliver(ctx context.Context) error {
	b := &s.batch
	for {
		if b.segment == nil {
			if len(b.records) == 0 {
				break
			}
			if err := s.nextSegment(); err != nil {
				return err
			}
		}
		if err := s.sendSegment(ctx, b.segment); err != nil {
			return err
		}
		seg := b.segment
		if seg.err != nil {
			return seg.err
		}
		var end *boundary
		if len(b.boundaries) > 0 && b.boundaries[0].after == b.begun {
			end = &b.boundaries[0]
			b.boundaries = b.boundaries[1:]
		}
		b.segment = nil
		if err := s.delivery.segmentSent(ctx, seg, end); err != nil {
			return err
		}
		s.convert.reuse(seg)
	}
	b.open = false
	return s.delivery.batchSent(ctx)
}

// nextSegment converts the records up to the next boundary.
func (s *sourceTask) nextSegment() error {
	b := &s.batch
	n := len(b.records)
	if len(b.boundaries) > 0 {
		n = b.boundaries[0].after - b.begun
	}
	seg := s.convert.run(s.running, b.records[:n:n])
	b.records = b.records[n:]
	b.begun += n
	s.counters.SourceRecordActiveCount.Add(-int64(seg.done - len(seg.out)))
	if err := s.delivery.submit(s.sending, seg); err != nil {
		return err
	}
	b.segment = seg
	return nil
}

// sendSegment sends what the producer has not taken yet.
func (s *sourceTask) sendSegment(ctx context.Context, seg *segment) error {
	for seg.sent < len(seg.out) {
		n, topicErr := s.topics.ensure(s.sending, seg.out[seg.sent:])
		if n > 0 {
			taken, err := s.delivery.send(s.sending, seg, n)
			seg.sent += taken
			if err != nil {
				return s.sendError(ctx, err)
			}
		}
		if topicErr != nil {
			return s.sendError(ctx, topicErr)
		}
	}
	return nil
}

// sendError words the failure of a send like the JVM: what Connect itself says stays as it is.
func (s *sourceTask) sendError(ctx context.Context, err error) error {
	var own *connect.Error
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case s.sending.Err() != nil, isRetriable(err), errors.As(err, &own):
		return err
	}
	if send := (*kafka.SendError)(nil); errors.As(err, &send) {
		err = send.Err // the same text twice helps nobody
	}
	return s.delivery.wrap("Unrecoverable exception trying to send", err)
}

// finish makes the final commit, stops the plugin and closes the clients. What fails here
// besides the commit is only logged, as in the JVM.
func (s *sourceTask) finish(ctx context.Context) error {
	var err error
	if s.looping {
		err = s.finalCommit(ctx)
	}
	s.setWake(nil)
	if s.started {
		s.quietly("stop the task", func() error { return s.source.Stop(ctx) })
	}
	if s.clients != nil {
		s.keepOpen()
		s.closeClients(ctx.Err() != nil)
	}
	s.quietly("close the converters and transforms", s.convert.close)
	if s.endSending != nil {
		s.endSending()
	}
	s.interruptPoll()
	return err
}

func (s *sourceTask) finalCommit(ctx context.Context) (err error) {
	defer recoverPlugin(&err)
	return s.delivery.end(ctx, s.failed)
}

func (s *sourceTask) closeClients(now bool) {
	s.closeOnce.Do(func() { s.clients.close(now) })
}

// quietly runs what must not keep the rest from being cleaned up.
func (s *sourceTask) quietly(what string, f func() error) {
	if err := callPlugin(f); err != nil {
		s.log.Warn("could not "+what, zap.Error(err))
	}
}

// tellRecord calls the plugin's CommitRecord.
func (s *sourceTask) tellRecord(ctx context.Context, c connect.RecordCommitter, r *connect.SourceRecord, meta *connect.RecordMetadata) {
	if err := callPlugin(func() error { return c.CommitRecord(ctx, r, meta) }); err != nil {
		s.log.Error(fmt.Sprintf("%s Exception thrown while calling task.commitRecord()", s.id), zap.Error(err))
	}
}

// tellCommitted calls the plugin's Commit.
func (s *sourceTask) tellCommitted(ctx context.Context) {
	c, ok := s.source.(connect.OffsetCommitter)
	if !ok {
		return
	}
	if err := callPlugin(func() error { return c.Commit(ctx) }); err != nil {
		s.log.Error(fmt.Sprintf("%s Exception thrown while calling task.commit()", s.id), zap.Error(err))
	}
}
