package worker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/tolerance"
	"github.com/penstock-io/penstock/internal/kafka"
)

// atLeastOnce sends records, and commits the offsets of those that Kafka has, from time to
// time (Java: WorkerSourceTask). What happens twice after a failure: records that were
// written after the last commit.
//
//	task's goroutine       poll -> convert -> submit -> SendAsync
//	producer's goroutines                                  '-> settle: how far is each source partition?
//	tell                                                          '-> CommitRecord, reports, flush each interval
//
// The goroutine tell belongs to the task, which waits for it. It alone talks to the plugin
// besides Poll, and flushes, so that a Poll that waits holds up no commit.
type atLeastOnce struct {
	s         *sourceTask
	submitted *submittedRecords
	writer    *offsetWriter
	committer connect.RecordCommitter // nil: the task does not want to know

	quit, done chan struct{}
}

func newAtLeastOnce(s *sourceTask, tolerateAll bool) *atLeastOnce {
	d := &atLeastOnce{s: s, quit: make(chan struct{}), done: make(chan struct{})}
	d.committer, _ = s.source.(connect.RecordCommitter)
	d.submitted = newSubmittedRecords(s.id.Connector, tolerateAll, d.committer != nil, &s.counters)
	d.submitted.topics = s.tracker
	d.submitted.failed = s.interruptPoll
	return d
}

func (d *atLeastOnce) open(context.Context) error {
	d.writer = newOffsetWriter(d.s.clients.offsets, d.s.id.Connector, d.s.log)
	return nil
}

func (d *atLeastOnce) begin(ctx context.Context) { go d.tell(ctx) }

func (d *atLeastOnce) ready() (time.Time, error) { return time.Time{}, d.sendFailure() }

func (d *atLeastOnce) sendFailure() error {
	if err := d.submitted.failure(); err != nil {
		return &connect.Error{Msg: "Unrecoverable exception from producer send callback", Err: err}
	}
	return nil
}

func (d *atLeastOnce) submit(ctx context.Context, seg *segment) error {
	if err := d.submitted.awaitRoom(ctx); err != nil {
		return err
	}
	d.submitted.submit(seg)
	return nil
}

func (d *atLeastOnce) send(ctx context.Context, seg *segment, n int) (int, error) {
	if err := d.sendFailure(); err != nil {
		return 0, err
	}
	from := seg.sent
	d.submitted.taken(n)
	err := d.s.clients.producer.SendAsync(ctx, seg.out[from:from+n], func(acks []kafka.Ack) { d.submitted.settle(seg, from, acks) })
	taken := takenOf(n, err)
	d.submitted.taken(taken - n)
	return taken, err
}

// takenOf returns how many of n records the producer took.
func takenOf(n int, err error) int {
	var send *kafka.SendError
	switch {
	case err == nil:
		return n
	case errors.As(err, &send):
		return send.Index
	}
	return 0
}

func (d *atLeastOnce) segmentSent(context.Context, *segment, *boundary) error { return nil }
func (d *atLeastOnce) batchSent(context.Context) error                        { return nil }
func (d *atLeastOnce) pause(context.Context) error                            { return nil }
func (d *atLeastOnce) resume()                                                {}

func (d *atLeastOnce) wrap(msg string, err error) error { return &connect.Error{Msg: msg, Err: err} }

// end waits for the records in flight, at most offset.flush.timeout.ms, and commits what
// was acknowledged, also of a task that failed. An abandoned task commits nothing:
// another one may have the partitions by now.
func (d *atLeastOnce) end(ctx context.Context, _ bool) error {
	wait, cancel := context.WithTimeout(ctx, d.s.flushTimeout)
	defer cancel()
	if err := d.submitted.awaitAll(wait); err != nil && ctx.Err() == nil {
		d.s.log.Warn("some records were not acknowledged within offset.flush.timeout.ms; they are read again", zap.Error(err))
	}
	close(d.quit)
	select {
	case <-d.done:
	case <-ctx.Done(): // the plugin does not come back from CommitRecord or Commit
	}
	if ctx.Err() == nil {
		d.commit(ctx)
	}
	return nil
}

// tell tells the plugin of its records, reports failures that are tolerated, and commits.
func (d *atLeastOnce) tell(ctx context.Context) {
	defer close(d.done)
	timer := time.NewTimer(d.s.flushInterval)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-d.quit:
			d.tellAll(ctx)
			return
		case <-d.submitted.work:
			d.tellAll(ctx)
		case <-timer.C:
			d.commit(ctx)
			timer.Reset(d.s.flushInterval)
		}
	}
}

func (d *atLeastOnce) tellAll(ctx context.Context) {
	ready, failures := d.submitted.take()
	for _, f := range failures {
		d.s.operator.Report(ctx, tolerance.Failure{
			Stage: tolerance.KafkaProduce, Class: "org.apache.kafka.connect.runtime.WorkerSourceTask", Source: f.record, Err: f.err})
	}
	for _, sub := range ready {
		if ctx.Err() != nil {
			return
		}
		d.s.tellRecord(ctx, d.committer, sub.record, sub.meta)
	}
	if len(ready) > 0 {
		d.submitted.told(len(ready))
	}
}

// commit flushes what may be committed. What could not be stored is tried again with the
// next one.
func (d *atLeastOnce) commit(ctx context.Context) {
	d.tellAll(ctx)
	began := time.Now()
	d.submitted.drainTo(d.writer)
	var err error
	if !d.writer.empty() {
		flush, cancel := context.WithTimeout(ctx, d.s.flushTimeout)
		defer cancel()
		err = d.writer.flush(flush)
		if err != nil && errors.Is(flush.Err(), context.DeadlineExceeded) {
			d.s.log.Error(fmt.Sprintf("%s Timed out waiting to flush offsets to storage; will try again on next flush interval with latest offsets", d.s.id), zap.Error(err))
		} else if err != nil {
			d.s.log.Error(fmt.Sprintf("%s Flush of offsets threw an unexpected exception: ", d.s.id), zap.Error(err))
		}
	}
	if ctx.Err() != nil {
		return
	}
	d.s.counters.committed(time.Since(began), err)
	if err != nil {
		d.s.log.Error(fmt.Sprintf("%s Failed to commit offsets", d.s.id))
		return
	}
	d.s.tellCommitted(ctx)
}
