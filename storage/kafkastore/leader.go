package kafkastore

import (
	"context"
	"fmt"
	"sync"

	"go.uber.org/zap"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/internal/kafka"
	"github.com/penstock-io/penstock/storage"
	"github.com/penstock-io/penstock/storage/topiclog"
)

// leader writes the config topic in transactions of an id that all workers share: whoever
// claims it fences off everybody else. Its calls come one at a time.
//
//	no producer --claim--> producer --write fails, whatever the reason--> no producer
//
// After a failure nobody knows whether the transaction is open, done or lost, nor whether
// another leader caused it. Only a new claim settles that: it ends what is open.
type leader struct {
	topic string
	props map[string]string
	log   *zap.Logger

	producer *kafka.Producer
	closing  sync.WaitGroup // producers that are given up
}

// notClaimedError is Java's IllegalStateException of a write without privileges.
type notClaimedError struct{}

func (notClaimedError) Error() string {
	return "Cannot produce to config topic without claiming write privileges first"
}

// Is makes the remedy the same as for privileges that were lost.
func (notClaimedError) Is(target error) bool { return target == storage.ErrPrivilegeLost }

// ClaimWritePrivileges fences off the writes of earlier leaders, and ends a transaction
// that one of them left open. It takes as long as max.block.ms of the leader's producer,
// or until ctx ends. After a failure there are no privileges.
//
// A claim that is repeated fences again, with a new producer: that another worker led
// meanwhile does not show in the old one until it fails.
func (s *ConfigStore) ClaimWritePrivileges(ctx context.Context) error {
	if s.leader == nil {
		return context.Cause(ctx)
	}
	select {
	case s.writing <- struct{}{}:
		defer func() { <-s.writing }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if s.log.Load() == nil {
		return errNotStarted
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(s.life, func() { cancel(context.Cause(s.life)) })()
	if err := s.leader.claim(ctx); err != nil {
		return fmt.Errorf("Failed to create and initialize secure producer for config topic: topic %s: %w", s.o.Topic.Name, err)
	}
	return nil
}

func (l *leader) claim(ctx context.Context) error {
	l.relinquish()
	p, err := kafka.NewProducer(ctx, l.props, l.log)
	if err != nil {
		return err
	}
	l.producer = p
	if err := p.InitTransactions(ctx); err != nil {
		l.relinquish()
		return err
	}
	return nil
}

// write writes all records or, as far as anybody who reads with read_committed can see,
// none. Without privileges nothing happens.
func (l *leader) write(ctx context.Context, recs []topiclog.Record) error {
	if l.producer == nil {
		return notClaimedError{}
	}
	if err := transact(ctx, l.producer, l.topic, recs); err != nil {
		l.log.Warn("A fenced write to the config topic failed; the write privileges are given up",
			zap.String("topic", l.topic), zap.Error(err))
		l.relinquish()
		return fmt.Errorf("%w: %w", storage.ErrPrivilegeLost, err)
	}
	return nil
}

func transact(ctx context.Context, p *kafka.Producer, topic string, recs []topiclog.Record) error {
	out := make([]kafka.ProducerRecord, len(recs))
	for i, r := range recs {
		out[i] = kafka.ProducerRecord{
			Topic: topic, Partition: -1, Timestamp: connect.NoTimestamp, Key: []byte(r.Key), Value: r.Value,
		}
	}
	if err := p.BeginTransaction(); err != nil {
		return fmt.Errorf("begin transaction: %w", err)
	}
	if err := p.Send(ctx, out...); err != nil {
		return err
	}
	if err := p.CommitTransaction(ctx); err != nil {
		return fmt.Errorf("commit transaction: %w", err)
	}
	return nil
}

// relinquish closes the producer, if any. That may take as long as a request that hangs;
// nobody waits for it before close.
func (l *leader) relinquish() {
	p := l.producer
	if p == nil {
		return
	}
	l.producer = nil
	l.closing.Go(func() {
		if err := p.Close(); err != nil {
			l.log.Debug("Closing the leader's producer failed", zap.String("topic", l.topic), zap.Error(err))
		}
	})
}

func (l *leader) close() {
	l.relinquish()
	l.closing.Wait()
}
