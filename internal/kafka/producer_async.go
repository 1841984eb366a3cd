package kafka

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/penstock-io/penstock/connect"
)

// Ack tells what became of one record of a SendAsync.
type Ack struct {
	Index int // in the records given
	// Meta tells where the record stands. Offset is connect.NoOffset with acks=0, after
	// an error, and when a retry found the record written already.
	Meta connect.RecordMetadata
	Err  error // nil: written
}

// SendError is the error of SendAsync: the records from Index on were not taken.
type SendError struct {
	Index int
	Err   error
}

func (e *SendError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *SendError) Unwrap() error { return e.Err }

// SendAsync queues records and returns as soon as they are. It blocks while
// buffer.memory is full or a topic is not known, up to max.block.ms each time, or
// until ctx ends. The slice of records may be reused then; keys, values and header
// values must stay as they are until they are acknowledged.
//
// acked is called for every record that was taken exactly once, many records at a
// time, in order per partition, never twice at a time, from the producer's
// goroutines (Close tells what is left); it must not block and not call the
// producer. A record that cannot be sent at all (too large, no such partition or
// topic) is acked with its Err, the others are sent.
//
// An error is a *SendError: none of the records from its Index on was taken.
// Errors that callers tell apart: ErrTimeout (no memory within max.block.ms: the same
// records may be sent again), ErrClosed, ErrFenced, ErrInvalidProducerEpoch,
// ErrAuthorization.
func (p *Producer) SendAsync(ctx context.Context, records []ProducerRecord, acked func([]Ack)) error {
	if len(records) == 0 {
		return nil
	}
	if !p.enter() {
		return &SendError{0, ErrClosed}
	}
	defer p.leave()
	routes := takeRoutes(len(records))
	defer routes.release()
	if err := p.route(ctx, records, routes.list); err != nil {
		return &SendError{0, err}
	}
	if n, err := p.enqueue(ctx, records, routes.list, &sendCall{acked: acked}); err != nil {
		return &SendError{n, err}
	}
	return nil
}

// route is where a record goes.
type route struct {
	topic     *producerTopic
	partition int32 // -1: any
	size      int
	err       error // it cannot be sent
}

type routeList struct{ list []route }

var routeLists = sync.Pool{New: func() any { return new(routeList) }}

func takeRoutes(n int) *routeList {
	l := routeLists.Get().(*routeList) //nolint:errcheck,forcetypeassert // nothing else is in the pool
	if cap(l.list) < n {
		l.list = make([]route, n)
	}
	l.list = l.list[:n]
	return l
}

func (l *routeList) release() {
	clear(l.list)
	routeLists.Put(l)
}

// route checks records and finds their topics and partitions. An error concerns all:
// ctx ended, or the producer did.
func (p *Producer) route(ctx context.Context, records []ProducerRecord, out []route) error {
	var (
		topic  *producerTopic
		n      int32
		failed map[string]error // a topic is waited for once per call
	)
	for i := range records {
		r, to := &records[i], &out[i]
		to.partition = r.Partition
		if to.err = p.check(r, to); to.err != nil {
			continue
		}
		if topic == nil || topic.name != r.Topic {
			if to.err = failed[r.Topic]; to.err != nil {
				continue
			}
			found, count, err := p.topic(ctx, r.Topic)
			switch {
			case err != nil && (ctx.Err() != nil || errors.Is(err, ErrClosed)):
				return err
			case err != nil:
				if failed == nil {
					failed = map[string]error{}
				}
				failed[r.Topic], to.err = err, err
				continue
			}
			topic, n = found, count
		}
		to.topic = topic
		switch {
		case r.Partition >= n:
			to.err = fmt.Errorf("Invalid partition given with record: %d is not in the range [0...%d) of topic %s", r.Partition, n, r.Topic) //nolint:staticcheck // Java's wording
		case r.Partition < 0 && r.Key != nil && !p.settings.ignoreKeys:
			to.partition = partitionForKey(r.Key, n)
		}
	}
	return nil
}

// check tells whether a record can be sent at all.
func (p *Producer) check(r *ProducerRecord, to *route) error {
	to.size = recordSize(r)
	alone := to.size + batchOverhead
	switch {
	case r.Timestamp < 0 && r.Timestamp != connect.NoTimestamp:
		return fmt.Errorf("Invalid timestamp: %d. Timestamp should always be non-negative or null.", r.Timestamp) //nolint:staticcheck // Java's wording
	case alone > p.settings.maxRequestSize:
		return tooLarge(r.Topic, alone, p.settings.maxRequestSize, "max.request.size", "Raise it, and max.message.bytes of the topic, or send smaller records.")
	case int64(alone) > p.settings.bufferMemory:
		return fmt.Errorf("The message is %d bytes when serialized which is larger than the total memory buffer you have configured with the buffer.memory configuration. (topic %s)", alone, r.Topic) //nolint:staticcheck // Java's wording
	}
	return nil
}

// enqueue puts records into their queues and returns how many it took: all, unless
// there is an error.
func (p *Producer) enqueue(ctx context.Context, records []ProducerRecord, routes []route, call *sendCall) (n int, err error) {
	now := time.Now()
	milli := now.UnixMilli()
	urge := call.urgent
	p.mu.Lock()
	defer func() {
		p.mu.Unlock()
		if urge || err != nil {
			signal(p.wake)
		}
	}()
	if err := p.usableLocked(); err != nil {
		return 0, err
	}
	for i := range records {
		r, to := &records[i], &routes[i]
		if to.err != nil {
			p.refuseLocked(call, i, r, to.err)
			urge = true
			continue
		}
		if p.used+int64(to.size+batchOverhead) > p.settings.bufferMemory && p.used > 0 {
			if err := p.awaitMemoryLocked(ctx, to.size+batchOverhead); err != nil {
				return i, err
			}
			now = time.Now()
		}
		partition := to.partition
		if partition < 0 {
			partition = to.topic.stick(to.size, p.settings.batchSize)
		}
		q := to.topic.queues[partition]
		o := origin{call, i, r.Timestamp}
		if o.time == connect.NoTimestamp {
			o.time = milli
		}
		if q.append(r, o, to.size, now, p.settings) {
			urge = true
		}
		if !q.active {
			q.active = true
			p.active = append(p.active, q)
		}
		p.open++
		p.used += int64(to.size)
	}
	return len(records), nil
}

// awaitMemoryLocked waits until there is room for size bytes.
func (p *Producer) awaitMemoryLocked(ctx context.Context, size int) error {
	p.hungry++
	signal(p.wake)
	limited, cancel := p.blocking(ctx)
	defer cancel()
	err := p.awaitLocked(limited, func() bool {
		return p.used+int64(size) <= p.settings.bufferMemory || p.used == 0 || p.usableLocked() != nil
	})
	p.hungry--
	switch {
	case err == nil:
		return p.usableLocked()
	case errors.Is(err, errMaxBlock) && ctx.Err() == nil:
		return fmt.Errorf("Failed to allocate %d bytes within the configured max blocking time %d ms. Total memory: %d bytes. Available memory: %d bytes. Raise buffer.memory or max.block.ms, or look why the brokers are slow: %w", //nolint:staticcheck // Java's wording
			size, p.settings.maxBlock.Milliseconds(), p.settings.bufferMemory, p.settings.bufferMemory-p.used, ErrTimeout)
	}
	return err
}

// abandon takes back the records of a Send that nobody waits for. A numbered batch
// that may have been written goes on, for the next one must follow on it.
// In a transaction it must not be committed without them.
func (p *Producer) abandon(call *sendCall, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	call.over = true
	if p.txn != nil {
		p.txn.recordFailed(err)
	}
	for _, q := range p.active {
		kept := q.batches[:0]
		for i, b := range q.batches {
			if (i > 0 || !q.inFlight) && b.changeable() {
				n, bytes := b.dropOver()
				p.open -= n
				p.used -= int64(bytes)
			}
			if len(b.records) > 0 {
				kept = append(kept, b)
			}
		}
		clear(q.batches[len(kept):])
		q.batches = kept
	}
	p.notifyLocked()
}
