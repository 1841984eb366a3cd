package kafka

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/IBM/sarama"
	"go.uber.org/zap"

	"github.com/penstock-io/penstock/connect"
)

// producerID is what a broker knows an idempotent producer by. A higher epoch fences
// lower ones.
type producerID struct {
	id    int64
	epoch int16
}

var noProducerID = producerID{-1, -1}

// Sequence numbers (KIP-98): each batch has the number of its first record within
// (producer id, partition). The broker takes only the next one; one that it has is
// answered as written. With one request per partition under way, the number of the
// next batch is known when the last was acknowledged, and a retry repeats number and
// records. When the fate of a batch stays unknown, the next number is unknown, too:
// the producer goes on under a new id, which starts at 0 everywhere.

// nextSequence wraps around as Java's DefaultRecordBatch.incrementSequence.
func nextSequence(sequence int32, records int) int32 {
	return int32((int64(sequence) + int64(records)) % (math.MaxInt32 + 1))
}

// identifiedLocked tells whether a queue may send, as far as its producer id and
// transaction are concerned; if not it says what must be done.
func (p *Producer) identifiedLocked(w *work, q *sendQueue) bool {
	switch {
	case !p.settings.idempotent || q.batches[0].sequenced:
		return true
	case p.txn != nil:
		return p.joinedLocked(w, q)
	case p.id == noProducerID:
		if !p.idAsking {
			p.idAsking, w.askID = true, true
		}
		return false
	}
	return true
}

// numberLocked gives a batch its sequence, at its first attempt.
func (p *Producer) numberLocked(q *sendQueue, b *batch) {
	if !p.settings.idempotent || b.sequenced {
		return
	}
	if q.id != p.id {
		q.id, q.sequence = p.id, 0
	}
	b.id, b.sequence, b.sequenced = q.id, q.sequence, true
}

// sequenceLostLocked is called when a batch was given up that may have been written.
func (p *Producer) sequenceLostLocked() {
	switch {
	case !p.settings.idempotent:
	case p.txn != nil:
		p.txn.bump = true
	default:
		p.id = noProducerID
	}
}

// renumberLocked tells whether a batch that was refused for its sequence may be sent
// again under a new producer id: the broker forgot the producer, and the batch was
// never written for certain. Within a transaction it may not.
func (p *Producer) renumberLocked(b *batch, err error) bool {
	if codeOf(err) != sarama.ErrUnknownProducerID || p.txn != nil || b.uncertain {
		return false
	}
	if b.id == p.id {
		p.id = noProducerID
	}
	b.unsequence()
	return true
}

// sendFailedLocked takes in a failure of a request that concerns more than its batch.
func (p *Producer) sendFailedLocked(err error) {
	switch code := codeOf(err); {
	case !p.settings.idempotent:
	case p.txn != nil && fatalForTransactions(code) && code != sarama.ErrInvalidTxnState: // that can be aborted, says Java
		p.failLocked(p.explain("send records in transaction", err))
	case code == sarama.ErrOutOfOrderSequenceNumber && p.txn != nil:
		p.failLocked(fmt.Errorf("records of transactional id %s may be lost or doubled: %w. Restart the task; the open transaction is aborted", p.txn.id, err))
	case code == sarama.ErrUnknownProducerID && p.txn != nil:
		p.txn.bump = true
	case code == sarama.ErrOutOfOrderSequenceNumber, code == sarama.ErrUnknownProducerID, code == sarama.ErrInvalidProducerEpoch:
		p.id = noProducerID
	}
}

// sequenceText says what a code of idempotence or transactions means, "" for others.
func sequenceText(code sarama.KError) string {
	switch code { //nolint:exhaustive // the others have texts of their own
	case sarama.ErrProducerFenced:
		return "There is a newer producer with the same transactionalId which fences the current one."
	case sarama.ErrInvalidProducerEpoch:
		return "Producer attempted to produce with an old epoch."
	case sarama.ErrOutOfOrderSequenceNumber:
		return "The broker received an out of order sequence number: records sent before were lost, or came twice."
	case sarama.ErrUnknownProducerID:
		return "The broker does not know this producer any more: its records were deleted (retention), or producer.id.expiration.ms is over."
	case sarama.ErrInvalidTxnState:
		return "The producer attempted a transactional operation in an invalid state. The transaction may have lasted longer than transaction.timeout.ms."
	}
	return ""
}

// obtainID asks for a producer id until there is one.
func (p *Producer) obtainID() {
	for attempt := 0; ; attempt++ {
		id, err := p.askID()
		if p.ctx.Err() != nil {
			return
		}
		if err == nil {
			p.log.Debug("producer id", zap.Int64("id", id.id), zap.Int16("epoch", id.epoch))
		} else if attempt == 0 {
			p.log.Warn("the brokers give no producer id", zap.Error(err))
		}
		p.mu.Lock()
		p.idErr = err
		if err == nil {
			p.id = id
		}
		if err == nil || final(err) {
			p.idAsking = false
			if err != nil {
				p.failLocked(idError(err))
			}
			p.mu.Unlock()
			signal(p.wake)
			return
		}
		p.mu.Unlock()
		signal(p.wake)
		if sleep(p.ctx, backoff(p.settings.retryBackoff, p.settings.retryBackoffMax, attempt)) != nil {
			return
		}
	}
}

// askID asks any broker for a new producer id.
func (p *Producer) askID() (producerID, error) {
	resp, err := askAny(p.ctx, p.cluster, func(b *sarama.Broker) (*sarama.InitProducerIDResponse, error) {
		resp, err := b.InitProducerID(&sarama.InitProducerIDRequest{
			Version: 4, TransactionTimeout: math.MaxInt32 * millisecond, ProducerID: -1, ProducerEpoch: -1,
		})
		if err == nil && resp.Err != sarama.ErrNoError {
			err = resp.Err
		}
		return resp, err
	})
	if err != nil {
		return noProducerID, p.settings.denied(err, onCluster())
	}
	return producerID{resp.ProducerID, resp.ProducerEpoch}, nil
}

// idError says what the producer id was for.
func idError(err error) error {
	return fmt.Errorf("obtain a producer id for enable.idempotence=true: %w", err)
}

// logPartition are the fields of a failure of a partition.
func logPartition(tp connect.TopicPartition, attempt int, err error) []zap.Field {
	return []zap.Field{zap.String("topic", tp.Topic), zap.Int32("partition", tp.Partition), zap.Int("attempt", attempt), zap.Error(err)}
}

// ended tells whether an error is the end of a context or of the client.
func ended(ctx context.Context, err error) bool {
	return ctx.Err() != nil || errors.Is(err, ErrClosed)
}
