package worker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/settings"
	"github.com/penstock-io/penstock/internal/kafka"
	"github.com/penstock-io/penstock/storage"
)

// txBroker is a Kafka with transactions, for one transactional id. The step failAt fails:
// before it took effect, or, with late set, after that.
type txBroker struct {
	*trace
	mu      sync.Mutex
	epoch   int
	open    *openTx
	log     []string          // committed records
	offsets map[string][]byte // committed offsets

	step, failAt int
	late         bool
	failed       string // the step that failed

	refuse func() (taken int, err error) // of a send; -1: all
}

type openTx struct {
	records []string
	offsets []kafka.ProducerRecord
	bad     bool // a record of it failed
}

var errBroker = errors.New("the broker is gone")

// do is one step of the producer with an epoch.
func (b *txBroker) do(what string, epoch int, effect func() error) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if epoch != b.epoch {
		return kafka.ErrFenced
	}
	b.step++
	b.add("%s", what)
	if b.step != b.failAt {
		return effect()
	}
	b.failed = what
	if b.late {
		_ = effect()
	}
	return errBroker
}

// txProducer is a transactional producer.
type txProducer struct {
	b     *txBroker
	epoch int
	wg    sync.WaitGroup
}

func (p *txProducer) InitTransactions(context.Context) error {
	p.b.mu.Lock()
	p.b.epoch++
	p.epoch, p.b.open = p.b.epoch, nil // what was open is aborted
	p.b.mu.Unlock()
	return p.b.do("init", p.epoch, func() error { return nil })
}

func (p *txProducer) BeginTransaction() error {
	return p.b.do("begin", p.epoch, func() error {
		if p.b.open != nil {
			return errors.New("there is one already")
		}
		p.b.open = &openTx{}
		return nil
	})
}

// SendAsync fails in the middle of the records, or acknowledges the last with an error.
func (p *txProducer) SendAsync(_ context.Context, records []kafka.ProducerRecord, acked func([]kafka.Ack)) error {
	n := len(records)
	err := p.b.do("send", p.epoch, func() error { return nil })
	if err != nil && !p.b.late {
		n /= 2
	}
	if p.b.refuse != nil {
		if taken, e := p.b.refuse(); taken >= 0 {
			n, err = taken, e
		}
	}
	p.b.mu.Lock()
	tx := p.b.open
	p.b.mu.Unlock()
	acks := make([]kafka.Ack, n)
	for i := range acks {
		acks[i] = kafka.Ack{Index: i, Meta: connect.RecordMetadata{TopicPartition: connect.TopicPartition{Topic: records[i].Topic}, Offset: int64(i)}}
		tx.records = append(tx.records, string(records[i].Value))
	}
	if err != nil && p.b.late {
		tx.bad = true
		acks[n-1].Err = err
		err = nil
	}
	p.wg.Go(func() { acked(acks) })
	if err != nil {
		return &kafka.SendError{Index: n, Err: err}
	}
	return nil
}

func (p *txProducer) Send(_ context.Context, records ...kafka.ProducerRecord) error {
	return p.b.do("offsets", p.epoch, func() error {
		p.b.open.offsets = append(p.b.open.offsets, records...)
		return nil
	})
}

func (p *txProducer) CommitTransaction(context.Context) error {
	p.wg.Wait()
	return p.b.do("commit", p.epoch, func() error {
		tx := p.b.open
		if tx.bad {
			return errors.New("a record failed")
		}
		p.b.open = nil
		p.b.log = append(p.b.log, tx.records...)
		for _, r := range tx.offsets {
			p.b.offsets[string(r.Key)] = r.Value
		}
		return nil
	})
}

func (p *txProducer) AbortTransaction(context.Context) error {
	p.wg.Wait()
	return p.b.do("abort", p.epoch, func() error { p.b.open = nil; return nil })
}

func (p *txProducer) Close() error { p.wg.Wait(); return nil }
func (p *txProducer) CloseNow()    { p.wg.Wait() }

// txOffsets reads committed offsets and writes with the task's producer.
type txOffsets struct {
	storage.OffsetStore
	p *txProducer
}

func (o *txOffsets) Get(_ context.Context, keys ...[]byte) (map[string][]byte, error) {
	o.p.b.mu.Lock()
	defer o.p.b.mu.Unlock()
	found := map[string][]byte{}
	for _, k := range keys {
		if v, ok := o.p.b.offsets[string(k)]; ok {
			found[string(k)] = v
		}
	}
	return found, nil
}

func (o *txOffsets) Put(ctx context.Context, entries ...storage.OffsetEntry) error {
	var out []kafka.ProducerRecord
	for _, e := range entries {
		out = append(out, kafka.ProducerRecord{Topic: "offsets", Key: e.Key, Value: e.Value})
	}
	return o.p.Send(ctx, out...)
}

// countingSource goes on after its committed offset, up to last.
type countingSource struct {
	*fakeSource
	mu         sync.Mutex
	next, last int64
	size       int64
	asks       func(tx connect.TransactionContext, i int, n int64) // what to do at the record n, the i-th of its batch
	drop       bool                                                // every third record is to be dropped
}

func (s *countingSource) Start(ctx context.Context, tc connect.SourceTaskContext, _ map[string]string) error {
	s.tc = tc
	o, err := tc.Offsets().Offset(ctx, partition("a"))
	if err != nil {
		return err
	}
	s.next = 1
	if o != nil {
		n, _ := o.Get("n")
		s.next = n.(int64) + 1
	}
	return nil
}

// more lets it go on up to another number.
func (s *countingSource) more(last int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = last
}

func (s *countingSource) Poll(ctx context.Context) ([]connect.SourceRecord, error) {
	var out []connect.SourceRecord
	s.mu.Lock()
	for ; int64(len(out)) < s.size && s.next <= s.last; s.next++ {
		value := fmt.Sprint(s.next)
		if s.drop && s.next%3 == 0 {
			value = "drop"
		}
		out = append(out, rec("a", s.next, value))
		if s.asks != nil {
			s.asks(s.tc.Transaction(), len(out)-1, s.next)
		}
	}
	s.mu.Unlock()
	if len(out) == 0 {
		<-ctx.Done()
	}
	return out, nil
}

func newBroker(tr *trace) *txBroker {
	return &txBroker{trace: tr, offsets: map[string][]byte{}}
}

// newExactlyOnceTask returns a task over the broker, with a producer of its own.
func newExactlyOnceTask(t *testing.T, b *txBroker, source connect.SourceTask, boundary settings.Boundary, options ...sourceOption) *sourceTask {
	o := sourceOptions{target: connect.TargetStarted}
	for _, f := range options {
		f(&o)
	}
	s := newTestSource(t, b.trace, o, &fakeSource{trace: b.trace})
	s.source = source
	if boundary == settings.BoundaryConnector {
		s.boundaries = &transactionContext{}
	}
	s.connect = func(context.Context) (*sourceClients, error) {
		p := &txProducer{b: b}
		return &sourceClients{producer: p, offsets: &txOffsets{p: p}, topic: "offsets", close: func(bool) { _ = p.Close() }}, nil
	}
	s.delivery = newExactlyOnce(s, boundary, testFlushInterval,
		func(context.Context) error { b.add("fence"); return nil }, func(context.Context) error { b.add("verify"); return nil })
	return s
}

// settle runs the task until it fails or nothing happens any more, and stops it.
func settle(t *testing.T, s *sourceTask) {
	go s.run(t.Context(), s)
	synctest.Wait()
	s.requestStop()
	<-s.done
}

func (b *txBroker) committed() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.log)
}

// position is the committed offset, 0 for none.
func (b *txBroker) position(t *testing.T) int64 {
	text := storedOffset(t, &txOffsets{p: &txProducer{b: b}}, "a")
	var n int64
	if text != "" {
		if _, err := fmt.Sscanf(text, `{"n":%d}`, &n); err != nil {
			t.Fatal(err)
		}
	}
	return n
}
