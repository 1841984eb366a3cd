package kafka

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/IBM/sarama"
	"go.uber.org/zap"
)

const millisecond = time.Millisecond

// coordinate asks the transaction coordinator, until it answers for good or
// max.block.ms or ctx is over. Errors that end the producer do so.
func (p *Producer) coordinate(ctx context.Context, what string, fn func(*sarama.Broker) (sarama.KError, error)) error {
	limited, cancel := p.blocking(ctx)
	defer cancel()
	err := p.coordinateUntil(limited, what, func() error { return nil }, fn)
	if err == nil || ctx.Err() != nil || limited.Err() == nil || !errors.Is(context.Cause(limited), errMaxBlock) {
		return err
	}
	return fmt.Errorf("Timeout expired after %dms while awaiting %s (max.block.ms, transactional id %s): %w", //nolint:staticcheck // Java's wording
		p.settings.maxBlock.Milliseconds(), what, p.txn.id, err)
}

// coordinateUntil is coordinate without a limit but ctx and stop.
func (p *Producer) coordinateUntil(ctx context.Context, what string, stop func() error, fn func(*sarama.Broker) (sarama.KError, error)) error {
	var last error
	for attempt := 0; ; attempt++ {
		if err := stop(); err != nil {
			return err
		}
		err := p.coordinateOnce(ctx, fn)
		switch {
		case err == nil:
			return nil
		case p.ctx.Err() != nil, errors.Is(err, ErrClosed):
			return ErrClosed
		case ctx.Err() != nil:
			return timeoutError(ctx, what+" of transactional id "+p.txn.id, p.settings.maxBlock, last)
		case final(err):
			return p.turnedDown(what, err)
		}
		if last == nil || last.Error() != err.Error() {
			p.log.Debug("the transaction coordinator is asked again", zap.String("request", what),
				zap.String("transactional.id", p.txn.id), zap.Int("attempt", attempt+1), zap.Error(err))
		}
		last = err
		pause := backoff(p.settings.retryBackoff, p.settings.retryBackoffMax, attempt)
		if codeOf(err) == sarama.ErrConcurrentTransactions {
			pause = min(pause, concurrentPause)
		}
		if sleep(ctx, pause) != nil {
			return timeoutError(ctx, what+" of transactional id "+p.txn.id, p.settings.maxBlock, last)
		}
	}
}

// coordinateOnce makes one attempt, at the coordinator that is known or looked up. It
// is looked up again when it is another, or does not answer.
func (p *Producer) coordinateOnce(ctx context.Context, fn func(*sarama.Broker) (sarama.KError, error)) error {
	n, err := p.txnCoordinator(ctx)
	if err != nil {
		return err
	}
	code, err := ask(ctx, n, fn)
	if err == nil {
		err = brokerError(code, "")
	}
	var broker *BrokerError
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &broker), code == sarama.ErrNotCoordinatorForConsumer, code == sarama.ErrConsumerCoordinatorNotAvailable:
		p.mu.Lock()
		if p.txn.coord == n.id {
			p.txn.coord = unknown
		}
		p.mu.Unlock()
	}
	return err
}

func (p *Producer) txnCoordinator(ctx context.Context) (*node, error) {
	p.mu.Lock()
	id := p.txn.coord
	p.mu.Unlock()
	if n := p.cluster.node(id); n != nil {
		return n, nil
	}
	n, err := p.cluster.coordinator(ctx, sarama.CoordinatorTransaction, p.txn.id)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.txn.coord = n.id
	return n, nil
}

// turnedDown takes in a final answer of the coordinator.
func (p *Producer) turnedDown(what string, err error) error {
	err = p.explain(what, err)
	code := codeOf(err)
	if !fatalForTransactions(code) && !errors.Is(err, ErrAuthentication) && !errors.Is(err, ErrUnsupported) {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.failLocked(err)
	return err
}

// fatalForTransactions tells which answers a transactional producer does not
// survive (Java: TransactionManager's handlers).
func fatalForTransactions(code sarama.KError) bool {
	switch code { //nolint:exhaustive // the rest can be aborted
	case sarama.ErrProducerFenced, sarama.ErrInvalidProducerEpoch, sarama.ErrInvalidTxnState, sarama.ErrInvalidProducerIDMapping,
		sarama.ErrTransactionalIDAuthorizationFailed, sarama.ErrClusterAuthorizationFailed, sarama.ErrInvalidTransactionTimeout,
		sarama.ErrUnsupportedForMessageFormat, sarama.ErrUnsupportedVersion:
		return true
	}
	return false
}

// explain says what was refused, and what to do about it.
func (p *Producer) explain(what string, err error) error {
	return fmt.Errorf("%s of transactional id %s: %w", what, p.txn.id, p.settings.transactionalHint(p.txn.id, err))
}

// transactionalHint adds the right or setting that is missing.
func (s *clientSettings) transactionalHint(id string, err error) error {
	if codeOf(err) == sarama.ErrInvalidTransactionTimeout {
		return fmt.Errorf("%w. Set transaction.timeout.ms to at most the brokers' transaction.max.timeout.ms", err)
	}
	return s.denied(err, onTransactionalID(id), need{resource: "Cluster", right: "IdempotentWrite"})
}

// coordinator finds who coordinates a group or a transactional id.
func (c *cluster) coordinator(ctx context.Context, kind sarama.CoordinatorType, key string) (*node, error) {
	id, addr, err := c.findCoordinatorOf(ctx, kind, key)
	if err != nil {
		return nil, err
	}
	return c.adopt(id, addr), nil
}

// adopt returns the node with an id, made known if need be.
func (c *cluster) adopt(id int32, addr string) *node {
	c.mu.Lock()
	defer c.mu.Unlock()
	known := c.nodes[id]
	if known != nil && known.addr == addr {
		return known
	}
	if known != nil {
		known.retire()
	}
	n := newNode(id, addr, c.settings, c.calls)
	c.nodes[id] = n
	return n
}
