package tolerance

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/penstock-io/penstock/connect"
)

// Config has a connector's errors.* settings.
type Config struct {
	All           bool          // errors.tolerance=all
	RetryTimeout  time.Duration // errors.retry.timeout; 0 = no retry, negative = for ever
	RetryDelayMax time.Duration // errors.retry.delay.max.ms
	Log           bool          // errors.log.enable
	LogMessages   bool          // errors.log.include.messages
}

// Metrics are the JVM's task-error-metrics. They are written by the task and may be read
// from any goroutine.
type Metrics struct {
	RecordFailures atomic.Int64 // total-record-failures: attempts that failed
	RecordErrors   atomic.Int64 // total-record-errors: operations that failed for good
	RecordsSkipped atomic.Int64 // total-records-skipped: of these, tolerated
	Retries        atomic.Int64 // total-retries
	ErrorsLogged   atomic.Int64 // total-errors-logged
	LastError      atomic.Int64 // last-error-timestamp: ms since the epoch, 0 = none

	DeadLetterRequests atomic.Int64 // deadletterqueue-produce-requests
	DeadLetterFailures atomic.Int64 // deadletterqueue-produce-failures
}

// Reporter keeps a record that failed, beside the log (Java: ErrorReporter). An error
// means that it could not be handed over because ctx ended; other problems are the
// reporter's own.
type Reporter func(ctx context.Context, f Failure) error

// ErrStopped tells that the task was stopped before a failure was dealt with. The record
// is neither done nor reported: it must be read again.
var ErrStopped = errors.New("the task was stopped while it dealt with a record that failed")

// Operator decides about failures of one task. Handle belongs to one goroutine; Report
// and the metrics may be used from any.
type Operator struct {
	Metrics
	id     connect.TaskID
	cfg    Config
	log    *zap.Logger
	report Reporter // nil: the log is all
	wait   func(ctx context.Context, d time.Duration) error
}

// New returns an operator for a task.
func New(id connect.TaskID, cfg Config, log *zap.Logger) *Operator {
	return &Operator{id: id, cfg: cfg, log: log, wait: sleep}
}

// ReportTo makes the operator tell of failures to r too. It is called before the task
// starts.
func (o *Operator) ReportTo(r Reporter) { o.report = r }

// TolerateAll reports whether errors.tolerance is all.
func (o *Operator) TolerateAll() bool { return o.cfg.All }

const firstRetryDelay = 300 * time.Millisecond

// Handle deals with a failure: a *connect.RetriableError is retried by calling retry
// (nil: not possible) until errors.retry.timeout has passed. retry may return a *Failure
// to tell that another stage has failed now. skip means that the record is to be left out;
// a non-nil error fails the task. Neither: a retry succeeded.
//
// ctx ends when the task is to stop. Then the error is ErrStopped, whatever the tolerance
// is: the JVM skips such a record, which would be lost with errors.tolerance=none.
func (o *Operator) Handle(ctx context.Context, f Failure, retry func() error) (skip bool, err error) {
	if retry == nil {
		o.RecordFailures.Add(1)
	} else if err := o.retry(ctx, &f, retry); err != nil {
		return false, err
	} else if f.Err == nil {
		return false, nil
	}
	o.LastError.Store(time.Now().UnixMilli())
	o.RecordErrors.Add(1)
	if err := o.tell(ctx, f); err != nil {
		return false, err
	}
	if !f.Stage.toleratesAll() && !retriable(f.Err) {
		return false, unhandled(f)
	}
	if !o.cfg.All {
		return false, exceeded(f)
	}
	o.RecordsSkipped.Add(1)
	return true, nil
}

// Report only tells of a failure and counts it: the record was given up already, e.g.
// by the producer (Java: RetryWithToleranceOperator.executeFailed with errors.tolerance=all).
func (o *Operator) Report(ctx context.Context, f Failure) {
	_ = o.reported(ctx, f) // no ErrStopped matters to what is over
}

// GiveUp is Report for a record that is given up on the condition that it may be: an
// error means that it may not, and the task is to fail with it, or that it stops.
func (o *Operator) GiveUp(ctx context.Context, f Failure) error {
	if err := o.reported(ctx, f); err != nil {
		return err
	}
	if !o.cfg.All {
		o.RecordErrors.Add(1)
		return exceeded(f)
	}
	return nil
}

func (o *Operator) reported(ctx context.Context, f Failure) error {
	o.LastError.Store(time.Now().UnixMilli())
	o.RecordFailures.Add(1)
	return o.tell(ctx, f)
}

func (o *Operator) tell(ctx context.Context, f Failure) error {
	o.logFailure(f)
	if o.report == nil {
		return nil
	}
	return o.report(ctx, f)
}

// retry calls op again, with growing delays, as long as it fails retriably, and leaves
// in f how the last try failed: f.Err is nil after a success. The one that is given up is
// counted twice, as in the JVM since 4.1: once as retriable, once as final.
func (o *Operator) retry(ctx context.Context, f *Failure, op func() error) error {
	deadline := time.Now().Add(o.cfg.RetryTimeout)
	for attempt := 0; f.Err != nil; attempt++ {
		o.RecordFailures.Add(1)
		if !retriable(f.Err) {
			return nil
		}
		left := time.Until(deadline)
		if o.cfg.RetryTimeout >= 0 && left <= 0 {
			o.RecordFailures.Add(1)
			return nil
		}
		delay := o.delay(attempt)
		if o.cfg.RetryTimeout >= 0 {
			delay = min(delay, left)
		}
		if o.wait(ctx, delay) != nil {
			return ErrStopped
		}
		o.Retries.Add(1)
		f.atFrom(op())
	}
	return nil
}

func retriable(err error) bool {
	var r *connect.RetriableError
	return errors.As(err, &r)
}

// delay is 300 ms doubled per attempt; beyond the maximum it is random below it.
func (o *Operator) delay(attempt int) time.Duration {
	d := firstRetryDelay << min(attempt, 30)
	if limit := o.cfg.RetryDelayMax; d > limit {
		return time.Duration(rand.Int64N(max(int64(limit), 1)))
	}
	return d
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return ctx.Err() // a stop counts even if the time is over as well
	}
}
