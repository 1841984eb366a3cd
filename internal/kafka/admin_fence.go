package kafka

import (
	"context"
	"sync"
	"time"

	"github.com/IBM/sarama"
)

// fencers bounds how many transactional ids are fenced at the same time.
const fencers = 8

// fenceTimeout is the transaction time-out that fencing registers. It only counts
// until the next producer with the id is initialised; brokers refuse more than
// transaction.max.timeout.ms (15 min by default).
const fenceTimeout = time.Minute

// FenceProducers fences the producers with these transactional ids: whatever they
// send afterwards is refused, and what they left open is aborted when this returns
// (Java: Admin.fenceProducers). Ids that nobody used are no error. After an error
// some of the ids may be fenced; the error names one that is not. Callers tell apart
// ErrAuthorization (the message names the right) and ErrTimeout.
func (c *Client) FenceProducers(ctx context.Context, transactionalIDs []string) error {
	var (
		wg    sync.WaitGroup
		mu    sync.Mutex
		errs  []error
		slots = make(chan struct{}, fencers)
	)
	for _, id := range transactionalIDs {
		slots <- struct{}{} // freed within default.api.timeout.ms, or when ctx ends
		wg.Go(func() {
			defer func() { <-slots }()
			if err := c.fence(ctx, id); err != nil {
				mu.Lock()
				defer mu.Unlock()
				errs = append(errs, err)
			}
		})
	}
	wg.Wait()
	return joinRetriable(errs)
}

// fence takes the id over with a new producer, as an InitTransactions would. The
// coordinator answers CONCURRENT_TRANSACTIONS until the open transaction is aborted.
func (c *Client) fence(ctx context.Context, id string) error {
	return c.cluster.retry(ctx, "fence the producers of transactional id "+id, func(ctx context.Context) error {
		s := c.cluster.settings
		n, err := c.cluster.coordinator(ctx, sarama.CoordinatorTransaction, id)
		if err != nil {
			return s.transactionalHint(id, err)
		}
		resp, err := ask(ctx, n, func(b *sarama.Broker) (*sarama.InitProducerIDResponse, error) {
			return b.InitProducerID(&sarama.InitProducerIDRequest{
				Version: 4, TransactionalID: &id, TransactionTimeout: min(max(s.requestTimeout, time.Second), fenceTimeout),
				ProducerID: -1, ProducerEpoch: -1,
			})
		})
		if err != nil {
			return err
		}
		return s.transactionalHint(id, brokerError(resp.Err, ""))
	})
}
