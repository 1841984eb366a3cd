//go:build integration

package integration

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Kafka 4.3.1 loses the marker of a transaction if the partition has no leader at the moment
// when a coordinator that has just loaded its state sends it, such as after the crash of the
// only broker: the transaction is complete for the coordinator and open in the partition, and
// readers of committed records wait there for ever. That is not what this test is about, so
// it writes such markers in the coordinator's place, with the coordinator's own decision.

// openTxn is a transaction that is open in a partition.
type openTxn struct {
	topic     string
	partition int32
	producer  int64
	start     int64
}

const markerInterval = 5 * time.Second

// writeLostMarkers watches the topics of the exactly-once group until the test ends.
func (c *chaos) writeLostMarkers() {
	k := c.newClient()
	admin := kadm.NewClient(k)
	suspects := map[openTxn]bool{}
	for c.t.Context().Err() == nil {
		found := map[openTxn]bool{}
		for txn, p := range c.openWithoutCoordinator(admin) {
			found[txn] = true
			if suspects[txn] { // a second time: it was not just about to end
				c.writeMarker(admin, p)
			}
		}
		suspects = found
		select {
		case <-c.t.Context().Done():
		case <-time.After(markerInterval):
		}
	}
}

// openWithoutCoordinator returns what is open in partitions and not for the coordinator.
// A broker that does not answer has nothing open.
func (c *chaos) openWithoutCoordinator(admin *kadm.Client) map[openTxn]kadm.DescribedProducer {
	ctx, cancel := context.WithTimeout(c.t.Context(), markerInterval)
	defer cancel()
	topics, err := admin.ListTopics(ctx, chaosOnceGroup+"-configs", chaosOnceGroup+"-offsets", chaosOnceTopic)
	if err != nil {
		return nil
	}
	producers, err := admin.DescribeProducers(ctx, topics.TopicsSet())
	if err != nil {
		return nil
	}
	txns, err := admin.DescribeTransactions(ctx) // after the partitions: what began meanwhile is not among the suspects
	if err != nil {
		return nil
	}
	open := map[openTxn]kadm.DescribedProducer{}
	producers.EachProducer(func(p kadm.DescribedProducer) {
		if p.CurrentTxnStartOffset < 0 {
			return
		}
		for _, txn := range txns {
			if txn.ProducerID == p.ProducerID && (txn.Err != nil || txn.Topics.Lookup(p.Topic, p.Partition)) {
				return
			}
		}
		open[openTxn{p.Topic, p.Partition, p.ProducerID, p.CurrentTxnStartOffset}] = p
	})
	return open
}

// writeMarker ends a transaction in a partition as its coordinator has decided.
func (c *chaos) writeMarker(admin *kadm.Client, p kadm.DescribedProducer) {
	commit, known := c.decision(admin, p)
	if !known {
		c.log("Kafka: nothing was decided about the transaction of producer %d in %s-%d", p.ProducerID, p.Topic, p.Partition)
		return
	}
	topics := kadm.TopicsSet{}
	topics.Add(p.Topic, p.Partition)
	ctx, cancel := context.WithTimeout(c.t.Context(), markerInterval)
	defer cancel()
	_, err := admin.WriteTxnMarkers(ctx, kadm.TxnMarkers{ProducerID: p.ProducerID, ProducerEpoch: p.ProducerEpoch, Commit: commit,
		CoordinatorEpoch: max(p.CoordinatorEpoch, 0), Topics: topics})
	c.log("Kafka: the lost marker of producer %d (epoch %d) in %s-%d is written: commit %v, %v",
		p.ProducerID, p.ProducerEpoch, p.Topic, p.Partition, commit, err)
}

// decision reads in the coordinators' own topic how the last transaction with a partition
// was to end.
func (c *chaos) decision(admin *kadm.Client, p kadm.DescribedProducer) (commit, known bool) {
	const topic = "__transaction_state"
	ctx, cancel := context.WithTimeout(c.t.Context(), time.Minute)
	defer cancel()
	ends, err := admin.ListEndOffsets(ctx, topic)
	if err != nil {
		return false, false
	}
	starts := map[int32]kgo.Offset{}
	left := map[int32]int64{}
	ends.Each(func(o kadm.ListedOffset) {
		if o.Offset > 0 {
			starts[o.Partition], left[o.Partition] = kgo.NewOffset().AtStart(), o.Offset
		}
	})
	k := c.newClient(kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: starts}))
	for len(left) > 0 && ctx.Err() == nil {
		k.PollFetches(ctx).EachRecord(func(r *kgo.Record) {
			if r.Offset+1 >= left[r.Partition] {
				delete(left, r.Partition)
			}
			v := kmsg.NewTxnMetadataValue()
			if r.Value == nil || v.ReadFrom(r.Value) != nil || v.ProducerID != p.ProducerID || v.ProducerEpoch != p.ProducerEpoch {
				return
			}
			if v.State != kmsg.TransactionStatePrepareCommit && v.State != kmsg.TransactionStatePrepareAbort {
				return
			}
			for _, t := range v.Topics {
				for _, n := range t.Partitions {
					if t.Topic == p.Topic && n == p.Partition {
						commit, known = v.State == kmsg.TransactionStatePrepareCommit, true
					}
				}
			}
		})
	}
	return commit, known && ctx.Err() == nil
}
