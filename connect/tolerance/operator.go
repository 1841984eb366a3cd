package tolerance

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/penstock-io/penstock/connect"
)

// Stage is a step of a record's way; the names stand in logs and DLQ headers.
type Stage string

// The stages of a sink.
const (
	Transformation  Stage = "TRANSFORMATION"
	KeyConverter    Stage = "KEY_CONVERTER"
	ValueConverter  Stage = "VALUE_CONVERTER"
	HeaderConverter Stage = "HEADER_CONVERTER"
	TaskPut         Stage = "TASK_PUT"
)

// configKey is what a user changes to mend a failure of the stage.
func (s Stage) configKey() string {
	switch s {
	case KeyConverter:
		return "key.converter"
	case ValueConverter:
		return "value.converter"
	case HeaderConverter:
		return "header.converter"
	case Transformation:
		return "transforms"
	default:
	}
	return ""
}

// Config has a connector's errors.* settings.
type Config struct {
	All           bool          // errors.tolerance=all
	RetryTimeout  time.Duration // errors.retry.timeout; 0 = no retry, negative = for ever
	RetryDelayMax time.Duration // errors.retry.delay.max.ms
	Log           bool          // errors.log.enable
	LogMessages   bool          // errors.log.include.messages
}

// Failure describes one failed operation.
type Failure struct {
	Stage  Stage
	Class  string // Java name of the converter, transform or task
	Record *connect.SinkRecord
	Err    error
}

// Operator decides about failures of one task. It belongs to the task's goroutine;
// the counters can be read from any.
type Operator struct {
	id   connect.TaskID
	cfg  Config
	log  *zap.Logger
	wait func(ctx context.Context, d time.Duration) error

	// Counters with the names of the JVM's task-error-metrics.
	RecordFailures, RecordErrors, RecordsSkipped, Retries, ErrorsLogged atomic.Int64
}

// New returns an operator for a task.
func New(id connect.TaskID, cfg Config, log *zap.Logger) *Operator {
	return &Operator{id: id, cfg: cfg, log: log, wait: sleep}
}

const firstRetryDelay = 300 * time.Millisecond

// Handle deals with a failure: a *connect.RetriableError is retried by calling retry
// (nil: not possible) until errors.retry.timeout has passed. skip means that the
// record is to be left out; a non-nil error fails the task. Neither: a retry succeeded.
func (o *Operator) Handle(ctx context.Context, f Failure, retry func() error) (skip bool, err error) {
	o.RecordFailures.Add(1)
	if retry != nil && f.Err != nil {
		f.Err = o.retry(ctx, f.Err, retry)
		if f.Err == nil {
			return false, nil
		}
	}
	o.RecordErrors.Add(1)
	if !o.cfg.All {
		o.logFailure(f, true)
		return false, o.exceeded(f)
	}
	o.RecordsSkipped.Add(1)
	o.logFailure(f, o.cfg.Log)
	return true, nil
}

// retry calls op again, with growing delays, as long as it fails retriably.
func (o *Operator) retry(ctx context.Context, err error, op func() error) error {
	var retriable *connect.RetriableError
	deadline := time.Now().Add(o.cfg.RetryTimeout)
	for attempt := 0; errors.As(err, &retriable); attempt++ {
		left := time.Until(deadline)
		if o.cfg.RetryTimeout >= 0 && left <= 0 {
			return err
		}
		delay := o.delay(attempt)
		if o.cfg.RetryTimeout >= 0 {
			delay = min(delay, left)
		}
		if o.wait(ctx, delay) != nil {
			return err
		}
		o.Retries.Add(1)
		if err = op(); err != nil {
			o.RecordFailures.Add(1)
		}
	}
	return err
}

// delay is 300 ms doubled per attempt; beyond the maximum it is random below it.
func (o *Operator) delay(attempt int) time.Duration {
	d := firstRetryDelay << min(attempt, 30)
	if limit := o.cfg.RetryDelayMax; d > limit {
		return time.Duration(rand.Int64N(max(int64(limit), 1)))
	}
	return d
}

func (o *Operator) logFailure(f Failure, enabled bool) {
	if !enabled {
		return
	}
	o.ErrorsLogged.Add(1)
	msg := fmt.Sprintf("Error encountered in task %s. Executing stage '%s' with class '%s'", o.id, f.Stage, f.Class)
	fields := []zap.Field{zap.Error(f.Err)}
	if r := f.Record; r != nil && (o.cfg.LogMessages || !o.cfg.All) {
		msg += fmt.Sprintf(", where consumed record is {topic='%s', partition=%d, offset=%d, timestamp=%d, timestampType=%s}",
			r.Original.Topic, r.Original.Partition, r.Offset, r.Timestamp, r.TimestampType)
	}
	o.log.Error(msg+".", fields...)
}

// exceeded is the error that fails a task; the JVM's sentence comes first.
func (o *Operator) exceeded(f Failure) error {
	msg := "Tolerance exceeded in error handler"
	if r := f.Record; r != nil {
		msg += fmt.Sprintf(": the record of topic %s, partition %d, offset %d failed at stage %s with class %s",
			r.Original.Topic, r.Original.Partition, r.Offset, f.Stage, f.Class)
	}
	msg += ". "
	if key := f.Stage.configKey(); key != "" {
		msg += "Set " + key + " to what the topic holds, or s"
	} else {
		msg += "S"
	}
	return &connect.Error{Msg: msg + "et errors.tolerance=all to skip such records.", Err: f.Err}
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
