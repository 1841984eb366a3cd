package kafkatest

import (
	"context"
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Record is a record to be written.
type Record = kgo.Record

// Values makes records of a partition with the values prefix0, prefix1 ….
func Values(topic string, partition int32, prefix string, n int) []*Record {
	out := make([]*Record, n)
	for i := range out {
		out[i] = &Record{Topic: topic, Partition: partition, Value: fmt.Appendf(nil, "%s%d", prefix, i)}
	}
	return out
}

// Produce writes records to the partitions they name, as one batch per partition,
// and fills in their offsets. codec is none, gzip, snappy, lz4 or zstd.
func (c *Cluster) Produce(codec string, records ...*Record) {
	c.t.Helper()
	cl := c.producer(kgo.ProducerBatchCompression(compression(codec)))
	defer cl.Close()
	if err := cl.ProduceSync(context.Background(), records...).FirstErr(); err != nil {
		c.t.Fatalf("produce: %v", err)
	}
}

// Txn is an open transaction.
type Txn struct {
	c  *Cluster
	cl *kgo.Client
}

// Begin starts a transaction.
func (c *Cluster) Begin(transactionalID string) *Txn {
	c.t.Helper()
	cl := c.producer(kgo.TransactionalID(transactionalID))
	if err := cl.BeginTransaction(); err != nil {
		c.t.Fatalf("begin transaction: %v", err)
	}
	c.t.Cleanup(cl.Close) // of a transaction that is left open
	return &Txn{c, cl}
}

// Produce writes records within the transaction.
func (x *Txn) Produce(records ...*Record) {
	x.c.t.Helper()
	if err := x.cl.ProduceSync(context.Background(), records...).FirstErr(); err != nil {
		x.c.t.Fatalf("produce in transaction: %v", err)
	}
}

// End commits or aborts, and returns when the markers are written.
func (x *Txn) End(commit bool) {
	x.c.t.Helper()
	defer x.cl.Close()
	if err := x.cl.EndTransaction(context.Background(), kgo.TransactionEndTry(commit)); err != nil {
		x.c.t.Fatalf("end transaction: %v", err)
	}
}

func (c *Cluster) producer(opts ...kgo.Opt) *kgo.Client {
	c.t.Helper()
	cl, err := kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(strings.Split(c.Bootstrap(), ",")...),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerLinger(0),
	}, opts...)...)
	if err != nil {
		c.t.Fatalf("open producer: %v", err)
	}
	return cl
}

func compression(name string) kgo.CompressionCodec {
	switch name {
	case "gzip":
		return kgo.GzipCompression()
	case "snappy":
		return kgo.SnappyCompression()
	case "lz4":
		return kgo.Lz4Compression()
	case "zstd":
		return kgo.ZstdCompression()
	}
	return kgo.NoCompression()
}
