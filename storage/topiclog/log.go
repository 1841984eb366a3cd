package topiclog

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/internal/kafka"
)

// Record is what Append writes.
type Record struct {
	Key   string
	Value []byte // nil = tombstone
}

// Options are what a Log is made of; all but Producer are required.
type Options struct {
	Topic string
	// Producer and Consumer are properties of Java clients. acks=all, earliest and order
	// are the caller's affair, as are the client ids. Without Producer, nil, the log can
	// only be read: Append fails.
	Producer, Consumer map[string]string
	Admin              *kafka.Client // stays the caller's
	// Stable lets Open read only what no open transaction holds back: a worker that starts
	// after all have crashed need not wait until the broker has ended their transactions.
	// For topics that nobody looks at without ReadToEnd.
	Stable bool
	// Read takes the records of one partition in order. It is called by one goroutine at
	// a time and must not block; the batch is valid until it returns, but the bytes of
	// keys and values may be kept.
	Read func(kafka.Batch)
	Log  *zap.Logger
}

// Log is one topic. Append, ReadToEnd and Partitions are safe for concurrent use.
type Log struct {
	o        Options
	producer *kafka.Producer // nil: others write
	consumer *kafka.Consumer
	parts    []connect.TopicPartition

	ctx    context.Context //nolint:containedctx // the life of the reader
	cancel context.CancelFunc
	reader sync.WaitGroup

	// Of the goroutine that reads.
	failure  string    // the last poll error that was logged
	failures int       // in a row
	told     time.Time // when the log last said for what somebody waits

	mu      sync.Mutex
	closed  bool
	waiters map[*waiter]struct{}
	asking  *question // for the end of the topic, under way; nil: none
	next    *question // begins after it; nil: nobody waits for it
}

// waiter waits until the positions have reached some offsets.
type waiter struct {
	ends map[connect.TopicPartition]int64
	from time.Time     // when the waiting began
	done chan struct{} // closed when reached or failed
	err  error         // read after done
}

// Limits and pauses, as in the JVM where it has them.
const (
	partitionsTime = 30 * time.Second
	startTime      = 15 * time.Minute
	pollTime       = time.Second
	positionTime   = 200 * time.Millisecond
	firstPause     = 100 * time.Millisecond
	lastPause      = time.Second
	slowTime       = 30 * time.Second
)

var (
	errReadOnly   = errors.New("the log was opened without a producer")
	errPartitions = errors.New("the topic has no partitions")
	errStartTime  = fmt.Errorf("the topic could not be read to its end within %s", startTime)
)

// Open finds the partitions of the topic, which must exist, and reads it to its end as it
// is now. It goes on through outages for 15 minutes at most, or until ctx ends.
func Open(ctx context.Context, o Options) (*Log, error) { return open(ctx, o, partitionsTime) }

func open(ctx context.Context, o Options, partitionsTime time.Duration) (*Log, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, startTime, errStartTime)
	defer cancel()
	l := &Log{o: o, waiters: map[*waiter]struct{}{}}
	if err := l.findPartitions(ctx, partitionsTime); err != nil {
		return nil, err
	}
	var err error
	// As in the JVM the producer comes first: what is wrong with it shows at once.
	if o.Producer != nil {
		if l.producer, err = kafka.NewProducer(ctx, o.Producer, o.Log); err != nil {
			return nil, fmt.Errorf("producer of topic %s: %w", o.Topic, err)
		}
	}
	if l.consumer, err = kafka.NewConsumer(ctx, o.Consumer, o.Log); err != nil {
		return nil, errors.Join(fmt.Errorf("consumer of topic %s: %w", o.Topic, err), l.closeProducer())
	}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	starts := make(map[connect.TopicPartition]int64, len(l.parts))
	for _, tp := range l.parts {
		starts[tp] = kafka.OffsetEarliest
	}
	l.consumer.Add(starts)
	if err := l.readAll(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("read topic %s to its end: %w", o.Topic, err), l.Close())
	}
	return l, nil
}

// findPartitions waits for the topic: it may be just being created.
func (l *Log) findPartitions(ctx context.Context, limit time.Duration) error {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, errPartitions)
	defer cancel()
	var last error
	for attempt := 0; ; attempt++ {
		ids, err := l.o.Admin.Partitions(ctx, l.o.Topic)
		switch {
		case err == nil && len(ids) > 0:
			for _, id := range ids {
				l.parts = append(l.parts, connect.TopicPartition{Topic: l.o.Topic, Partition: id})
			}
			return nil
		case err != nil && ctx.Err() == nil && !kafka.Retriable(err):
			return fmt.Errorf("look up the partitions of topic %s: %w", l.o.Topic, err)
		case err != nil && ctx.Err() == nil:
			last = err
		}
		if pause(ctx, attempt) == nil {
			continue
		}
		if !errors.Is(context.Cause(ctx), errPartitions) {
			return fmt.Errorf("look up the partitions of topic %s: %w", l.o.Topic, context.Cause(ctx))
		}
		return &connect.Error{
			Msg: fmt.Sprintf("Could not look up partition metadata for topic '%s' in the allotted period. "+
				"This could indicate a connectivity issue, unavailable topic partitions, or if this is your first use of the topic "+
				"it may have taken too long to create. Check that the topic exists and that this worker may describe it.", l.o.Topic),
			Err: last,
		}
	}
}

// pause waits before the next attempt: 100 ms, doubling up to 1 s.
func pause(ctx context.Context, attempt int) error {
	t := time.NewTimer(min(firstPause<<min(attempt, 10), lastPause))
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// readAll reads to the end in the caller's goroutine.
func (l *Log) readAll(ctx context.Context) error {
	look := l.o.Admin.EndOffsets
	if l.o.Stable {
		look = l.o.Admin.StableOffsets
	}
	ends, err := l.lookUp(ctx, look)
	if err != nil {
		return err
	}
	w := &waiter{ends: ends, from: time.Now(), done: make(chan struct{})}
	l.waiters[w] = struct{}{}
	for {
		l.settle(ctx)
		select {
		case <-w.done:
			return w.err
		default:
		}
		if err := l.poll(ctx); err != nil {
			return err
		}
	}
}

// offsetLookup asks the brokers for an offset of each partition.
type offsetLookup func(ctx context.Context, parts []connect.TopicPartition) (map[connect.TopicPartition]int64, error)

func (l *Log) endOffsets(ctx context.Context) (map[connect.TopicPartition]int64, error) {
	return l.lookUp(ctx, l.o.Admin.EndOffsets)
}

// lookUp asks until it gets an answer, a final error, or ctx ends.
func (l *Log) lookUp(ctx context.Context, look offsetLookup) (map[connect.TopicPartition]int64, error) {
	for attempt := 0; ; attempt++ {
		ends, err := look(ctx, l.parts)
		if err == nil {
			return ends, nil
		}
		if ctx.Err() != nil || !kafka.Retriable(err) {
			return nil, err
		}
		l.o.Log.Warn("Looking up the end of the topic failed, trying again", zap.String("topic", l.o.Topic), zap.Error(err))
		if err := pause(ctx, attempt); err != nil {
			return nil, err
		}
	}
}

// Follow starts to read what comes; call it once, after Open.
func (l *Log) Follow() {
	l.reader.Go(func() {
		for l.poll(l.ctx) == nil {
			l.settle(l.ctx)
		}
	})
}

// Partitions returns the number of partitions at the time of Open.
func (l *Log) Partitions() int { return len(l.parts) }

// Append writes records and returns when Kafka has all of them, or with the first error.
// Records of one partition are written in the order given. When ctx ends, records may
// still be written.
func (l *Log) Append(ctx context.Context, recs ...Record) error {
	ctx, cancel := l.bounded(ctx)
	defer cancel()
	_, err := l.append(ctx, recs)
	return err
}

// AppendAndRead is Append, and returns when Read has seen the records. It spares the
// question of ReadToEnd for the end of the topic: what was written tells where to read to.
func (l *Log) AppendAndRead(ctx context.Context, recs ...Record) error {
	ctx, cancel := l.bounded(ctx)
	defer cancel()
	acks, err := l.append(ctx, recs)
	if err != nil {
		return err
	}
	ends := map[connect.TopicPartition]int64{}
	for i := range acks {
		meta := &acks[i].Meta
		if meta.Offset < 0 { // written twice, or without acks: the broker did not say where
			return l.readToEnd(ctx)
		}
		ends[meta.TopicPartition] = max(ends[meta.TopicPartition], meta.Offset+1)
	}
	return l.await(ctx, ends)
}

func (l *Log) append(ctx context.Context, recs []Record) ([]kafka.Ack, error) {
	if l.producer == nil {
		return nil, fmt.Errorf("write to topic %s: %w", l.o.Topic, errReadOnly)
	}
	out := make([]kafka.ProducerRecord, len(recs))
	for i, r := range recs {
		out[i] = kafka.ProducerRecord{
			Topic: l.o.Topic, Partition: -1, Timestamp: connect.NoTimestamp, Key: []byte(r.Key), Value: r.Value,
		}
	}
	return l.producer.SendAcked(ctx, out...)
}

// ReadToEnd returns when Read has seen everything that was in the topic when it was
// called; what Append wrote before is there then. It is for use after Follow.
//
// The end is that of the log whatever the consumer's isolation.level is. The last stable
// offset would not do: what was committed behind the first record of somebody else's open
// transaction would be missed. So a reader with read_committed waits for transactions that
// are open; the broker aborts those of dead producers after their transaction.timeout.ms.
func (l *Log) ReadToEnd(ctx context.Context) error {
	ctx, cancel := l.bounded(ctx)
	defer cancel()
	return l.readToEnd(ctx)
}

func (l *Log) readToEnd(ctx context.Context) error {
	ends, err := l.sharedEnds(ctx)
	if err != nil {
		return err
	}
	return l.await(ctx, ends)
}

// await waits until the positions have reached ends, which nobody changes any more.
func (l *Log) await(ctx context.Context, ends map[connect.TopicPartition]int64) error {
	w := &waiter{ends: ends, from: time.Now(), done: make(chan struct{})}
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return kafka.ErrClosed
	}
	l.waiters[w] = struct{}{}
	l.mu.Unlock()
	l.consumer.Wake()
	select {
	case <-w.done:
		return w.err
	case <-ctx.Done():
		l.mu.Lock()
		delete(l.waiters, w)
		l.mu.Unlock()
		return fmt.Errorf("read topic %s to its end: %w", l.o.Topic, context.Cause(ctx))
	}
}

// bounded returns a context that ends with Close, too.
func (l *Log) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(l.ctx, func() { cancel(kafka.ErrClosed) })
	return ctx, func() {
		stop()
		cancel(nil)
	}
}

// Close ends the reader, waits for it and closes the clients; calls under way fail. A
// request that Kafka does not answer holds it up for request.timeout.ms at most.
func (l *Log) Close() error {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	l.cancel()
	l.reader.Wait()
	return errors.Join(l.consumer.Close(), l.closeProducer())
}

func (l *Log) closeProducer() error {
	if l.producer == nil {
		return nil
	}
	return l.producer.Close()
}

// poll hands what was fetched to Read. Its error is that of ctx or of a closed client;
// other errors are logged, and the next call tries again.
func (l *Log) poll(ctx context.Context) error {
	batches, err := l.consumer.Poll(ctx, pollTime)
	for _, b := range batches {
		l.o.Read(b)
	}
	switch {
	case err == nil:
		if len(batches) > 0 {
			l.recovered()
		}
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, kafka.ErrClosed):
		return err
	}
	l.failed(err)
	return pause(ctx, l.failures-1) // an error that stays comes back at once
}

// failed logs an error when it changed. Waiters hear of errors that do not go away by
// themselves: nobody should wait for a topic that this worker may not read.
func (l *Log) failed(err error) {
	l.failures++
	if text := err.Error(); text != l.failure {
		l.failure = text
		l.o.Log.Error("Error polling the topic; it is tried again", zap.String("topic", l.o.Topic), zap.Error(err))
	}
	if errors.Is(err, kafka.ErrAuthorization) || errors.Is(err, kafka.ErrAuthentication) {
		l.finish(func(*waiter) (bool, error) { return true, err })
	}
}

func (l *Log) recovered() {
	if l.failures > 0 {
		l.o.Log.Info("Reading the topic goes on", zap.String("topic", l.o.Topic), zap.Int("attempt", l.failures))
	}
	l.failure, l.failures = "", 0
}

// settle tells those who wait that their end was reached.
func (l *Log) settle(ctx context.Context) {
	l.mu.Lock()
	waiting := len(l.waiters) > 0
	l.mu.Unlock()
	if !waiting {
		return
	}
	// One limit for all: a partition whose start is not found yet is no reason not to
	// read the others.
	ctx, cancel := context.WithTimeout(ctx, positionTime)
	defer cancel()
	positions := make(map[connect.TopicPartition]int64, len(l.parts))
	for _, tp := range l.parts {
		positions[tp] = l.position(ctx, tp)
	}
	l.finish(func(w *waiter) (bool, error) {
		for tp, end := range w.ends {
			if positions[tp] < end {
				return false, nil
			}
		}
		return true, nil
	})
	l.tellSlow(positions, time.Now())
}

// tellSlow logs what those wait for who have waited long. A worker that starts would else
// look as if it did nothing.
func (l *Log) tellSlow(positions map[connect.TopicPartition]int64, now time.Time) {
	if now.Sub(l.told) < slowTime {
		return
	}
	l.mu.Lock()
	var behind []string
	for w := range l.waiters {
		for tp, end := range w.ends {
			if now.Sub(w.from) >= slowTime && positions[tp] < end {
				behind = append(behind, fmt.Sprintf("%s at %d of %d", tp, positions[tp], end))
			}
		}
	}
	l.mu.Unlock()
	if len(behind) == 0 {
		return
	}
	l.told = now
	slices.Sort(behind)
	behind = slices.Compact(behind)
	l.o.Log.Warn("Still reading the topic to its end. A reader of committed records waits for open transactions; "+
		"the broker ends those of dead producers after transaction.timeout.ms, and kafka-transactions.sh finds others",
		zap.String("topic", l.o.Topic), zap.Strings("behind", behind[:min(len(behind), 3)]))
}

// position returns -1 for a partition whose start is not known yet.
func (l *Log) position(ctx context.Context, tp connect.TopicPartition) int64 {
	n, err := l.consumer.Position(ctx, tp)
	if err == nil {
		return n
	}
	if ctx.Err() == nil && !errors.Is(err, kafka.ErrClosed) {
		l.failed(err)
	}
	return -1
}

func (l *Log) finish(over func(*waiter) (bool, error)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for w := range l.waiters {
		if done, err := over(w); done {
			w.err = err
			close(w.done)
			delete(l.waiters, w)
		}
	}
}
