package kafka

import (
	"context"
	"fmt"
	"sync"

	"go.uber.org/zap"
)

// Producer writes records with acks=all (unless acks says otherwise), in order per
// partition. It is safe for concurrent use; the calls that concern transactions
// belong to one goroutine at a time.
//
// A record waits in a batch of its partition. A partition has one request under
// way at a time, a broker too, so order holds over retries; batches grow meanwhile
// up to batch.size, or to 256 KB when that is not set, and those of several
// partitions go out together. Without idempotence delivery is at least once: a
// request whose answer was lost is sent again.
type Producer struct {
	settings *producerSettings
	log      *zap.Logger
	cluster  *cluster

	ctx    context.Context //nolint:containedctx // the life of the background goroutines
	cancel context.CancelFunc
	wg     sync.WaitGroup
	wake   chan struct{} // the sender has something to do

	looking chan struct{} // held by who asks for metadata
	closing sync.Once

	ackMu sync.Mutex // held while acks are told; never together with mu

	mu      sync.Mutex
	closed  bool
	fatal   error         // nothing is taken or sent any more
	calls   int           // Sends and SendAsyncs under way
	open    int           // records taken and not told of yet
	used    int64         // bytes of buffer.memory
	hungry  int           // calls that wait for memory: batches need not linger
	flushes int           // calls that wait for everything: the same
	waiters int           // goroutines in await
	changed chan struct{} // closed and replaced when something they wait for may have happened
	topics  map[string]*producerTopic
	active  []*sendQueue // with batches
	turn    int          // which of active comes first in the next request
	busy    map[int32]bool
	unfit   []refusal // records that cannot be sent, to be told

	id       producerID // with idempotence
	idAsking bool       // it is being asked for
	idErr    error      // why it is not there yet
	txn      *transaction
}

// NewProducer returns a producer with Java producer properties. It does not
// connect: Send, SendAsync and InitTransactions do. Problems with the properties come
// all at once as *config.Error.
func NewProducer(ctx context.Context, props map[string]string, log *zap.Logger) (*Producer, error) {
	r := newPropReader(props)
	s := readProducerSettings(r)
	if err := r.err(); err != nil {
		return nil, err
	}
	cl, err := newCluster(ctx, s.clientSettings, log)
	if err != nil {
		return nil, err
	}
	p := &Producer{
		settings: s, log: log, cluster: cl, id: noProducerID,
		wake: make(chan struct{}, 1), looking: make(chan struct{}, 1), changed: make(chan struct{}),
		topics: map[string]*producerTopic{}, busy: map[int32]bool{},
	}
	if s.transactionalID != "" {
		p.txn = newTransaction(s.transactionalID)
	}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	p.wg.Go(p.run)
	return p, nil
}

// Send writes the records and returns when all are acknowledged, or with the first
// error. It does not wait for linger.ms. Records of one partition are written in the
// order given, and after those of earlier calls. Nothing is written when a record
// cannot be sent at all. When ctx ends, what was not sent yet is dropped; what was
// sent may still succeed; the records' bytes must not be changed then.
func (p *Producer) Send(ctx context.Context, records ...ProducerRecord) error {
	_, err := p.SendAcked(ctx, records...)
	return err
}

// SendAcked is Send and returns where the records are, in their order. An offset is
// connect.NoOffset when the broker did not tell it.
func (p *Producer) SendAcked(ctx context.Context, records ...ProducerRecord) ([]Ack, error) {
	if len(records) == 0 {
		return nil, nil
	}
	acks := make([]Ack, len(records))
	if err := p.sendAll(ctx, records, acks); err != nil {
		return nil, err
	}
	return acks, nil
}

// sendAll fills in all when it succeeds; after an error that goes on.
func (p *Producer) sendAll(ctx context.Context, records []ProducerRecord, all []Ack) error {
	if !p.enter() {
		return ErrClosed
	}
	defer p.leave()
	routes := takeRoutes(len(records))
	defer routes.release()
	if err := p.route(ctx, records, routes.list); err != nil {
		return err
	}
	for i := range routes.list {
		if err := routes.list[i].err; err != nil {
			return err
		}
	}
	done := make(chan error, 1)
	left := len(records)
	call := &sendCall{urgent: true, acked: func(acks []Ack) {
		left -= len(acks)
		for i := range acks {
			all[acks[i].Index] = acks[i]
			if acks[i].Err != nil {
				offer(done, acks[i].Err)
			}
		}
		if left == 0 {
			offer(done, nil)
		}
	}}
	n, err := p.enqueue(ctx, records, routes.list, call)
	switch {
	case n == 0:
		return err
	case err == nil:
		select {
		case err = <-done:
		case <-ctx.Done():
			err = fmt.Errorf("send to topic %s: %w", records[0].Topic, context.Cause(ctx))
		case <-p.ctx.Done():
			err = ErrClosed
		}
	}
	if err != nil {
		p.abandon(call, err)
	}
	return err
}

// offer gives the first of several results.
func offer(ch chan<- error, err error) {
	select {
	case ch <- err:
	default:
	}
}

// enter registers a call; false when the producer is closed.
func (p *Producer) enter() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false
	}
	p.calls++
	return true
}

func (p *Producer) leave() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls--
	p.notifyLocked()
}

// notifyLocked wakes those who wait for a condition.
func (p *Producer) notifyLocked() {
	if p.waiters > 0 {
		close(p.changed)
		p.changed = make(chan struct{})
	}
}

// awaitLocked waits until ok, which is asked under mu; ErrClosed when the producer
// is stopped meanwhile. mu is held before and after, but not while waiting.
func (p *Producer) awaitLocked(ctx context.Context, ok func() bool) error {
	for !ok() {
		changed := p.changed
		p.waiters++
		p.mu.Unlock()
		var err error
		select {
		case <-changed:
		case <-ctx.Done():
			err = context.Cause(ctx)
		case <-p.ctx.Done():
			err = ErrClosed
		}
		p.mu.Lock()
		p.waiters--
		if err != nil {
			return err
		}
	}
	return nil
}

// Close waits for the records under way, for request.timeout.ms at most, and releases
// the connections. An open transaction is aborted within the same time, without
// waiting for its records; if that fails the broker aborts it after
// transaction.timeout.ms. All acks are told before Close returns.
func (p *Producer) Close() error {
	p.mu.Lock()
	if p.txn != nil && p.txn.state == txnOpen {
		p.txn.state = txnAborting // before closed lets the sender send what lingers
	}
	p.mu.Unlock()
	p.shutdown()
	ctx, cancel := context.WithTimeout(p.ctx, p.settings.requestTimeout)
	defer cancel()
	if p.txn != nil {
		p.abortOnClose(ctx)
	}
	p.mu.Lock()
	p.flushes++
	signal(p.wake)
	_ = p.awaitLocked(ctx, func() bool { return p.calls == 0 && p.open == 0 })
	p.flushes--
	p.mu.Unlock()
	p.CloseNow()
	return nil
}

// CloseNow ends the producer at once: records under way are told ErrClosed although
// a request that was sent may still succeed, and an open transaction is left to the
// broker, which aborts it after transaction.timeout.ms or when the next producer with
// the same transactional.id is initialised. All acks are told before CloseNow returns.
// It may be called beside Close, which then ends, too.
func (p *Producer) CloseNow() {
	p.shutdown()
	p.closing.Do(func() {
		p.cancel()
		p.cluster.close()
	})
	p.wg.Wait()
	p.mu.Lock()
	var told []settlement
	for _, q := range p.active {
		for len(q.batches) > 0 {
			told = append(told, q.settleLocked(ErrClosed))
		}
	}
	p.active = nil
	p.mu.Unlock()
	p.tell(told)
	p.tellRefused()
}

func (p *Producer) shutdown() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	p.notifyLocked()
}

// failLocked makes every later call fail, and all records that are not in a request.
func (p *Producer) failLocked(err error) {
	if p.fatal != nil {
		return
	}
	p.fatal = err
	p.log.Error("the producer cannot go on", zap.String("transactional.id", p.settings.transactionalID), zap.Error(err))
	p.notifyLocked()
	signal(p.wake)
}

// usableLocked tells why records cannot be taken now, if so.
func (p *Producer) usableLocked() error {
	switch {
	case p.fatal != nil:
		return p.fatal
	case p.ctx.Err() != nil:
		return ErrClosed
	case p.txn != nil:
		return p.txn.sendable()
	}
	return nil
}

// errMaxBlock is why a call that waits is given up.
var errMaxBlock = fmt.Errorf("max.block.ms is over: %w", ErrTimeout)

// blocking bounds a call by max.block.ms.
func (p *Producer) blocking(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, p.settings.maxBlock, errMaxBlock)
}
