package worker

import (
	"context"
	"fmt"
	"maps"
	"strconv"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/settings"
	"github.com/penstock-io/penstock/connect/tolerance"
	"github.com/penstock-io/penstock/internal/kafka"
)

// asyncProducer is what the dead letter queue needs of its kafka.Producer.
type asyncProducer interface {
	SendAsync(ctx context.Context, records []kafka.ProducerRecord, acked func([]kafka.Ack)) error
	CloseNow()
}

// deadLetterQueue writes the records of a sink task that failed to a topic (Java:
// DeadLetterQueueReporter, WorkerErrantRecordReporter). Writing does not block, except for
// room in the producer's buffer.memory. It belongs to the task's goroutine; only settle
// is called by the producer's.
//
// No offset is committed beyond a record whose copy is not in the topic yet: a crash
// leads to the record being read and reported again. A record that the task itself has
// reported is not given up when its copy cannot be written: the task fails (as in the
// JVM). That of a converter or transform is: it is logged and counted.
type deadLetterQueue struct {
	id       connect.TaskID
	settings settings.DeadLetterQueue
	metrics  *tolerance.Metrics
	log      *zap.Logger
	// hide takes secrets out of the texts of errors; nil leaves them.
	hide func(text string) string
	// connect makes the topic, if need be, and the producer.
	connect  func(ctx context.Context) (asyncProducer, error)
	producer asyncProducer
	settled  chan struct{} // a letter was settled, capacity 1

	mu      sync.Mutex
	open    map[connect.TopicPartition]map[*deadLetter]struct{} // not in the topic (yet)
	failing bool                                                // the last write failed
}

// deadLetter is one record on its way to the topic.
type deadLetter struct {
	tp     connect.TopicPartition // where it was read
	offset int64
	errant bool  // reported by the task
	unsent bool  // the task was stopped before
	err    error // it could not be written
}

func newDeadLetterQueue(id connect.TaskID, s settings.DeadLetterQueue, m *tolerance.Metrics, log *zap.Logger) *deadLetterQueue {
	return &deadLetterQueue{id: id, settings: s, metrics: m, log: log, settled: make(chan struct{}, 1),
		open: map[connect.TopicPartition]map[*deadLetter]struct{}{}}
}

// start must have succeeded before report.
func (q *deadLetterQueue) start(ctx context.Context) (err error) {
	q.producer, err = q.connect(ctx)
	if err != nil {
		return &connect.Error{Err: err, Msg: fmt.Sprintf("Could not initialize dead letter queue with topic=%s. The topic is created with one partition "+
			"and %d replicas (errors.deadletterqueue.topic.replication.factor) if it does not exist: check that there are as many brokers, and that "+
			"the admin client (admin.*, admin.override.*) may create it.", q.settings.Topic, q.settings.ReplicationFactor)}
	}
	return nil
}

// report is a tolerance.Reporter.
func (q *deadLetterQueue) report(ctx context.Context, f tolerance.Failure) error {
	q.metrics.DeadLetterRequests.Add(1)
	if f.Record == nil || f.Raw == nil {
		q.failed(nil, fmt.Errorf("the failure at stage %s is about no record", f.Stage))
		return nil
	}
	l := &deadLetter{tp: f.Record.Original, offset: f.Record.Offset, errant: f.Stage == tolerance.TaskPut}
	q.mu.Lock()
	if q.open[l.tp] == nil {
		q.open[l.tp] = map[*deadLetter]struct{}{}
	}
	q.open[l.tp][l] = struct{}{}
	q.mu.Unlock()
	record := q.record(&f)
	err := q.producer.SendAsync(ctx, []kafka.ProducerRecord{record}, func(acks []kafka.Ack) {
		for _, a := range acks {
			q.settle(l, a.Err)
		}
	})
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil: // stays open: its offset is not committed
		q.mu.Lock()
		l.unsent = true
		q.mu.Unlock()
		return tolerance.ErrStopped
	}
	q.settle(l, err)
	return nil
}

// settle takes note of what became of a letter. It is called by any goroutine.
func (q *deadLetterQueue) settle(l *deadLetter, err error) {
	if err != nil {
		q.failed(l, err)
	}
	q.mu.Lock()
	if err == nil {
		q.failing = false
	}
	if l.err = err; err == nil || !l.errant {
		q.removeLocked(l)
	}
	q.mu.Unlock()
	select {
	case q.settled <- struct{}{}:
	default:
	}
}

func (q *deadLetterQueue) removeLocked(l *deadLetter) {
	letters := q.open[l.tp]
	if delete(letters, l); len(letters) == 0 {
		delete(q.open, l.tp)
	}
}

// failed counts a record that could not be written, and logs the first of a run of them.
func (q *deadLetterQueue) failed(l *deadLetter, err error) {
	q.metrics.DeadLetterFailures.Add(1)
	q.mu.Lock()
	again := q.failing
	q.failing = true
	q.mu.Unlock()
	fields := []zap.Field{zap.Error(err)}
	if l != nil {
		fields = append(fields, zap.Stringer("partition", l.tp), zap.Int64("offset", l.offset))
	}
	msg := "Could not produce message to dead letter queue. topic=" + q.settings.Topic
	if again {
		q.log.Debug(msg, fields...)
		return
	}
	q.log.Error(msg+". Further ones are only counted until one succeeds.", fields...)
}

// limit lowers offsets that are to be committed to the first record of each partition
// that is not in the topic, but not below what was committed. lowered tells that it had to.
func (q *deadLetterQueue) limit(offsets, committed map[connect.TopicPartition]int64) (lowered bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for tp, letters := range q.open {
		offset, ok := offsets[tp]
		if !ok {
			continue
		}
		for l := range letters {
			offset = min(offset, l.offset)
		}
		if offset = max(offset, min(committed[tp], offsets[tp])); offset < offsets[tp] {
			offsets[tp], lowered = offset, true
		}
	}
	return lowered
}

// failure returns why a record that the task reported could not be written, if so.
func (q *deadLetterQueue) failure(tps []connect.TopicPartition) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, tp := range tps {
		for l := range q.open[tp] {
			if l.err != nil {
				return &connect.Error{Err: l.err, Msg: fmt.Sprintf("Could not write the record of topic %s, partition %d, offset %d, which the task had reported, to the "+
					"dead letter queue %s; its offset is not committed, so that it is not lost", tp.Topic, tp.Partition, l.offset, q.settings.Topic)}
			}
		}
	}
	return nil
}

// await waits until no record of the partitions (nil: all) is on its way, or ctx ends.
func (q *deadLetterQueue) await(ctx context.Context, tps []connect.TopicPartition) error {
	for q.underWay(tps) {
		select {
		case <-q.settled:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

func (q *deadLetterQueue) underWay(tps []connect.TopicPartition) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if tps == nil {
		for tp := range maps.Keys(q.open) {
			tps = append(tps, tp)
		}
	}
	for _, tp := range tps {
		for l := range q.open[tp] {
			if l.err == nil && !l.unsent {
				return true
			}
		}
	}
	return false
}

// forget stops holding back the offsets of partitions that are gone.
func (q *deadLetterQueue) forget(tps ...connect.TopicPartition) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, tp := range tps {
		delete(q.open, tp)
	}
}

// close waits until ctx ends for what is under way and drops the rest.
func (q *deadLetterQueue) close(ctx context.Context) {
	if q.producer == nil {
		return
	}
	if err := q.await(ctx, nil); err != nil {
		q.log.Warn("records are not in the dead letter queue yet; they are read and reported again", zap.String("topic", q.settings.Topic), zap.Error(err))
	}
	q.producer.CloseNow()
}

// record makes the copy of a record: the bytes as they were read, which are copied too,
// since a fetched batch must not be kept for one record of it.
func (q *deadLetterQueue) record(f *tolerance.Failure) kafka.ProducerRecord {
	raw := f.Raw
	size := len(raw.Key) + len(raw.Value)
	for i := range raw.Headers {
		size += len(raw.Headers[i].Value)
	}
	arena := make([]byte, 0, size)
	copied := func(b []byte) []byte {
		if b == nil {
			return nil
		}
		from := len(arena)
		arena = append(arena, b...)
		return arena[from:len(arena):len(arena)]
	}
	r := kafka.ProducerRecord{Topic: q.settings.Topic, Partition: connect.AnyPartition, Timestamp: raw.Timestamp,
		Key: copied(raw.Key), Value: copied(raw.Value), Headers: make([]kafka.Header, 0, len(raw.Headers)+10)}
	if raw.Timestamp < 0 { // -1: none; others are refused, and may be what is wrong with the record
		r.Timestamp = connect.NoTimestamp
	}
	for _, h := range raw.Headers {
		r.Headers = append(r.Headers, kafka.Header{Key: h.Key, Value: copied(h.Value)})
	}
	if q.settings.ContextHeaders {
		r.Headers = q.contextHeaders(r.Headers, f)
	}
	return r
}

// contextHeaders appends what tells about the failure, in the JVM's order.
func (q *deadLetterQueue) contextHeaders(headers []kafka.Header, f *tolerance.Failure) []kafka.Header {
	add := func(name, text string) {
		headers = append(headers, kafka.Header{Key: "__connect.errors." + name, Value: []byte(text)})
	}
	at := f.Record
	add("topic", at.Original.Topic)
	add("partition", strconv.Itoa(int(at.Original.Partition)))
	add("offset", strconv.FormatInt(at.Offset, 10))
	add("connector.name", q.id.Connector)
	add("task.id", strconv.Itoa(q.id.Task))
	add("stage", string(f.Stage))
	add("class.name", f.Class)
	if f.Err == nil {
		return headers
	}
	add("exception.class.name", connect.JavaClass(f.Err))
	message, trace := f.Err.Error(), connect.Trace(f.Err)
	if q.hide != nil {
		message, trace = q.hide(message), q.hide(trace)
	}
	add("exception.message", message)
	if message == "" { // what Java has as null
		headers[len(headers)-1].Value = nil
	}
	add("exception.stacktrace", trace)
	return headers
}

// connectDeadLetters returns what makes the topic, with one partition, and the producer.
func connectDeadLetters(s settings.DeadLetterQueue, admin, producer map[string]string, log *zap.Logger) func(ctx context.Context) (asyncProducer, error) {
	return func(ctx context.Context) (asyncProducer, error) {
		if err := createDeadLetterTopic(ctx, s, admin, log); err != nil {
			return nil, err
		}
		p, err := kafka.NewProducer(ctx, producer, log.Named("dead-letters"))
		if err != nil {
			return nil, err // not a nil *Producer in an interface
		}
		return p, nil
	}
}

func createDeadLetterTopic(ctx context.Context, s settings.DeadLetterQueue, admin map[string]string, log *zap.Logger) error {
	c, err := kafka.NewClient(ctx, admin, log)
	if err != nil {
		return err
	}
	defer func() {
		if err := c.Close(); err != nil {
			log.Debug("could not close the admin client", zap.Error(err))
		}
	}()
	// Looked up first: a user who may write but not create topics can make it beforehand.
	if found, err := c.Partitions(ctx, s.Topic); err != nil || len(found) > 0 {
		return err
	}
	start := time.Now()
	created, err := c.CreateTopic(ctx, kafka.TopicSpec{Name: s.Topic, Partitions: 1, ReplicationFactor: s.ReplicationFactor})
	if created {
		log.Info("created the dead letter queue", zap.String("topic", s.Topic), zap.Int16("replicas", s.ReplicationFactor), zap.Duration("took", time.Since(start)))
	}
	return err
}
