package kafka

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/IBM/sarama"
	"go.uber.org/zap"
)

// transaction is the state of a transactional producer. Guarded by Producer.mu.
//
//	uninitialized -> ready -> open -> committing -> ready
//	                          open -> aborting   -> ready
//
// A record that failed leaves it open with err set: it can only be aborted. What
// cannot be mended is Producer.fatal.
type transaction struct {
	id     string
	state  txnState
	err    error  // why it cannot be committed
	number uint64 // counts transactions
	bump   bool   // sequences are uncertain: the next transaction needs a new epoch

	joining bool // AddPartitionsToTxn is under way
	joined  bool // the coordinator may know of the transaction: it must be ended

	turn  chan struct{} // held by the call under way
	coord int32         // the coordinator's broker id, -1: to be looked up
}

type txnState int

const (
	txnUninitialized txnState = iota
	txnReady
	txnOpen
	txnCommitting
	txnAborting
)

func newTransaction(id string) *transaction {
	return &transaction{id: id, turn: make(chan struct{}, 1), coord: unknown}
}

// sendable tells why records cannot be taken, if so.
func (t *transaction) sendable() error {
	switch {
	case t.state == txnUninitialized:
		return fmt.Errorf("Cannot add records to a transaction of %s before completing a call to initTransactions", t.id) //nolint:staticcheck // Java's wording
	case t.state == txnReady:
		return fmt.Errorf("Cannot add records of transactional id %s outside of a transaction: begin one first", t.id) //nolint:staticcheck // Java's wording
	case t.state != txnOpen:
		return fmt.Errorf("Cannot add records to the transaction of %s: it is being completed. Repeat the commit or abort that failed", t.id) //nolint:staticcheck // Java's wording
	case t.err != nil:
		return fmt.Errorf("Cannot add records: the transaction of %s is in an abortable error state: %w", t.id, t.err) //nolint:staticcheck // Java's wording
	}
	return nil
}

// errAborted is what becomes of records whose transaction is aborted (Java:
// TransactionAbortedException).
var errAborted = errors.New("Failing batch since transaction was aborted") //nolint:staticcheck // Java's wording

// stopped tells why queued records are not sent any more, if so.
func (t *transaction) stopped() error {
	switch {
	case t.state != txnOpen && t.state != txnCommitting && t.state != txnAborting:
	case t.err != nil:
		return fmt.Errorf("%w: %w", errAborted, t.err)
	case t.state == txnAborting:
		return errAborted
	}
	return nil
}

// recordFailed makes the open transaction one that can only be aborted.
func (t *transaction) recordFailed(err error) {
	if t.err == nil && (t.state == txnOpen || t.state == txnCommitting) {
		t.err = err
	}
}

// enterTxn starts a call that concerns transactions: one at a time.
func (p *Producer) enterTxn(ctx context.Context, what string) error {
	if p.txn == nil {
		return fmt.Errorf("Cannot %s: transactional methods need a transactional.id", what) //nolint:staticcheck // Java's wording
	}
	select {
	case p.txn.turn <- struct{}{}:
	case <-p.ctx.Done():
		return ErrClosed
	case <-ctx.Done():
		if p.ctx.Err() != nil {
			return ErrClosed
		}
		return fmt.Errorf("%s of %s: %w", what, p.txn.id, context.Cause(ctx))
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	err := p.fatal
	if err == nil && p.ctx.Err() != nil {
		err = ErrClosed
	}
	if err != nil {
		<-p.txn.turn
	}
	return err
}

func (p *Producer) leaveTxn() { <-p.txn.turn }

// InitTransactions registers the transactional.id: older producers with it are fenced
// and what they left open is aborted. It must be called once, before all else, and
// blocks up to max.block.ms (ErrTimeout: it may be called again). Other errors:
// ErrAuthorization, ErrFenced (a newer producer was faster).
func (p *Producer) InitTransactions(ctx context.Context) error {
	if err := p.enterTxn(ctx, "initialise transactions"); err != nil {
		return err
	}
	defer p.leaveTxn()
	p.mu.Lock()
	state := p.txn.state
	p.mu.Unlock()
	if state != txnUninitialized {
		return fmt.Errorf("transactional id %s is initialised already: begin a transaction, or open another producer", p.txn.id)
	}
	id, err := p.initID(ctx, noProducerID)
	if err != nil {
		return err
	}
	p.log.Debug("transactions initialised", zap.String("transactional.id", p.txn.id), zap.Int64("producer", id.id), zap.Int16("epoch", id.epoch))
	p.mu.Lock()
	defer p.mu.Unlock()
	p.id, p.txn.state = id, txnReady
	return nil
}

// initID asks the coordinator for a producer id, or for the next epoch of one.
func (p *Producer) initID(ctx context.Context, old producerID) (producerID, error) {
	var id atomic.Pointer[producerID] // a request that nobody waits for may still be answered
	err := p.coordinate(ctx, "InitProducerId", func(b *sarama.Broker) (sarama.KError, error) {
		resp, err := b.InitProducerID(&sarama.InitProducerIDRequest{
			Version: 4, TransactionalID: &p.txn.id, TransactionTimeout: p.settings.txnTimeout,
			ProducerID: old.id, ProducerEpoch: old.epoch,
		})
		if err != nil {
			return 0, err
		}
		id.Store(&producerID{resp.ProducerID, resp.ProducerEpoch})
		return resp.Err, nil
	})
	if err != nil {
		return producerID{}, err
	}
	return *id.Load(), nil
}

// BeginTransaction opens a transaction; it does not talk to Kafka.
func (p *Producer) BeginTransaction() error {
	if err := p.enterTxn(p.ctx, "begin a transaction"); err != nil {
		return err
	}
	defer p.leaveTxn()
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.txn
	switch {
	case p.closed:
		return ErrClosed
	case t.state == txnUninitialized:
		return fmt.Errorf("Cannot begin a transaction of %s before completing a call to initTransactions", t.id) //nolint:staticcheck // Java's wording
	case t.state != txnReady:
		return fmt.Errorf("Cannot begin a transaction of %s: there is one already. Commit or abort it first", t.id) //nolint:staticcheck // Java's wording
	}
	t.state, t.err, t.joined = txnOpen, nil, false
	t.number++
	return nil
}

// CommitTransaction sends what is queued, waits for all acks and commits. It fails,
// and the transaction must be aborted, when a record of it failed. ErrTimeout (after
// max.block.ms) and the end of ctx leave open whether it is committed: it may be
// called again, then it goes on where it was. Other errors: ErrFenced,
// ErrInvalidProducerEpoch, ErrAuthorization.
func (p *Producer) CommitTransaction(ctx context.Context) error {
	if err := p.enterTxn(ctx, "commit a transaction"); err != nil {
		return err
	}
	defer p.leaveTxn()
	t := p.txn
	p.mu.Lock()
	defer p.mu.Unlock()
	switch t.state { //nolint:exhaustive // the rest has one answer
	case txnOpen, txnCommitting:
	default:
		return fmt.Errorf("Cannot commit a transaction of %s: none is open", t.id) //nolint:staticcheck // Java's wording
	}
	t.state = txnCommitting
	if err := p.flushLocked(ctx); err != nil {
		t.state = txnOpen
		return fmt.Errorf("commit the transaction of %s: waiting for its records: %w", t.id, err)
	}
	if p.fatal != nil {
		return p.fatal
	}
	if t.err != nil {
		t.state = txnOpen
		return fmt.Errorf("Cannot commit the transaction of %s: records of it were not written; abort it: %w", t.id, t.err) //nolint:staticcheck // Java's wording
	}
	return p.endLocked(ctx, true)
}

// AbortTransaction drops what is queued (its records are acked with an error), waits
// for requests under way and aborts. After ErrTimeout, or the end of ctx, it may be
// called again.
func (p *Producer) AbortTransaction(ctx context.Context) error {
	if err := p.enterTxn(ctx, "abort a transaction"); err != nil {
		return err
	}
	defer p.leaveTxn()
	t := p.txn
	p.mu.Lock()
	defer p.mu.Unlock()
	switch t.state { //nolint:exhaustive // the rest has one answer
	case txnOpen, txnAborting:
	case txnCommitting:
		return fmt.Errorf("Cannot abort the transaction of %s: the previous call to commitTransaction timed out and must be retried", t.id) //nolint:staticcheck // Java's wording
	default:
		return fmt.Errorf("Cannot abort a transaction of %s: none is open", t.id) //nolint:staticcheck // Java's wording
	}
	t.state = txnAborting
	signal(p.wake)
	if err := p.flushLocked(ctx); err != nil {
		return fmt.Errorf("abort the transaction of %s: waiting for requests under way: %w", t.id, err)
	}
	if p.fatal != nil {
		return p.fatal
	}
	return p.endLocked(ctx, false)
}

// flushLocked waits until nothing is outstanding. It has no limit of its own:
// delivery.timeout.ms bounds every record.
func (p *Producer) flushLocked(ctx context.Context) error {
	p.flushes++
	signal(p.wake)
	err := p.awaitLocked(ctx, func() bool { return p.open == 0 && !p.txn.joining })
	p.flushes--
	return err
}

// endLocked ends the transaction at its coordinator. mu is not held meanwhile.
func (p *Producer) endLocked(ctx context.Context, commit bool) error {
	t := p.txn
	id, joined, bump := p.id, t.joined, t.bump
	p.mu.Unlock()
	var err error
	if joined {
		err = p.endTxn(ctx, id, commit)
	}
	if err == nil && bump {
		id, err = p.initID(ctx, id)
	}
	p.mu.Lock()
	var refused *BrokerError
	switch {
	case err == nil:
		p.id = id
		t.state, t.err, t.bump, t.joined = txnReady, nil, false, false
	case commit && p.fatal == nil && errors.As(err, &refused) && !refused.Retriable():
		t.state, t.err = txnOpen, err // Java: an abortable error
	}
	return err
}

func (p *Producer) endTxn(ctx context.Context, id producerID, commit bool) error {
	what := "EndTxn(false)"
	if commit {
		what = "EndTxn(true)"
	}
	return p.coordinate(ctx, what, func(b *sarama.Broker) (sarama.KError, error) {
		resp, err := b.EndTxn(&sarama.EndTxnRequest{
			Version: 3, TransactionalID: p.txn.id, ProducerID: id.id, ProducerEpoch: id.epoch, TransactionResult: commit,
		})
		if err != nil {
			return 0, err
		}
		return resp.Err, nil
	})
}

// joinedLocked tells whether a partition is part of the transaction; if not it is
// asked for, with the others of its kind.
func (p *Producer) joinedLocked(w *work, q *sendQueue) bool {
	t := p.txn
	if q.txn == t.number {
		return true
	}
	switch {
	case t.joining && len(w.join) == 0: // asked for others; next time
	default:
		t.joining, t.joined = true, true
		w.join = append(w.join, q)
	}
	return false
}

// addPartitions adds partitions to the open transaction.
func (p *Producer) addPartitions(queues []*sendQueue) {
	p.mu.Lock()
	id, number := p.id, p.txn.number
	p.mu.Unlock()
	topics := map[string][]int32{}
	for _, q := range queues {
		topics[q.tp.Topic] = append(topics[q.tp.Topic], q.tp.Partition)
	}
	var refused atomic.Pointer[string] // a request that nobody waits for may still be answered
	err := p.coordinateUntil(p.ctx, "AddPartitionsToTxn", p.joinStopped, func(b *sarama.Broker) (sarama.KError, error) {
		resp, err := b.AddPartitionsToTxn(&sarama.AddPartitionsToTxnRequest{
			Version: 3, TransactionalID: p.txn.id, ProducerID: id.id, ProducerEpoch: id.epoch, TopicPartitions: topics,
		})
		if err != nil {
			return 0, err
		}
		code, topic := joinCode(resp)
		refused.Store(&topic)
		return code, nil
	})
	if topic := refused.Load(); topic != nil {
		err = p.settings.denied(err, onTopic(*topic, "Write"))
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.txn.joining = false
	for _, q := range queues {
		switch {
		case err == nil:
			q.txn = number
		case !ended(p.ctx, err) && !errors.Is(err, errAborted):
			q.lastErr = err
			p.txn.recordFailed(fmt.Errorf("add %s to the transaction of %s: %w", q.tp, p.txn.id, err))
		}
	}
	p.notifyLocked()
	signal(p.wake)
}

// joinStopped tells why partitions need not be added any more, if so.
func (p *Producer) joinStopped() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.open == 0 {
		return errAborted // nobody waits: the records expired
	}
	return p.stoppedLocked()
}

// joinCode is the code that matters, and its topic: OPERATION_NOT_ATTEMPTED only says that
// another partition failed.
func joinCode(resp *sarama.AddPartitionsToTxnResponse) (code sarama.KError, topic string) {
	code = sarama.ErrNoError
	for name, partitions := range resp.Errors {
		for _, e := range partitions {
			switch {
			case e.Err == sarama.ErrNoError:
			case code == sarama.ErrNoError, code == sarama.ErrOperationNotAttempted, retriableCode(code) && !retriableCode(e.Err) && e.Err != sarama.ErrOperationNotAttempted:
				code, topic = e.Err, name
			}
		}
	}
	return code, topic
}

// abortOnClose aborts what is open; the broker does it otherwise, but later.
func (p *Producer) abortOnClose(ctx context.Context) {
	p.mu.Lock()
	open := p.fatal == nil && (p.txn.state == txnOpen || p.txn.state == txnAborting)
	p.mu.Unlock()
	if !open {
		return
	}
	p.log.Info("Aborting incomplete transaction due to shutdown", zap.String("transactional.id", p.txn.id))
	if err := p.AbortTransaction(ctx); err != nil {
		p.log.Warn("the open transaction could not be aborted; the broker does it when transaction.timeout.ms is over",
			zap.String("transactional.id", p.txn.id), zap.Duration("transaction.timeout.ms", p.settings.txnTimeout), zap.Error(err))
	}
}

// concurrentPause is how long the coordinator may need to finish the transaction
// before (Java: ADD_PARTITIONS_RETRY_BACKOFF_MS).
const concurrentPause = 20 * time.Millisecond
