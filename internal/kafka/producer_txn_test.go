package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/internal/kafkatest"
)

// readAll returns the values that a reader of an isolation level finds in partitions
// up to their end, which it must reach. Topics must have no open transactions.
func readAll(t testing.TB, c *kafkatest.Cluster, isolation string, tps ...connect.TopicPartition) map[connect.TopicPartition][]string {
	t.Helper()
	ends, err := newTestClient(t, c).StableOffsets(t.Context(), tps)
	if err != nil {
		t.Fatal(err)
	}
	consumer := newTestConsumer(t, c, "isolation.level", isolation)
	consumer.Add(from(0, tps...))
	got := map[connect.TopicPartition][]string{}
	eventually(t, "the ends of the partitions", func() bool {
		batches, err := consumer.Poll(t.Context(), 50*time.Millisecond)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range batches {
			for _, r := range b.Records {
				got[b.TopicPartition] = append(got[b.TopicPartition], string(r.Value))
			}
		}
		for tp, end := range ends {
			if at, err := consumer.Position(t.Context(), tp); err != nil || at < end {
				return false
			}
		}
		return true
	})
	return got
}

func want(t testing.TB, got map[connect.TopicPartition][]string, tp connect.TopicPartition, values ...string) {
	t.Helper()
	if !slices.Equal(got[tp], values) {
		t.Errorf("%s holds %q, want %q", tp, got[tp], values)
	}
}

func newTxnProducer(t testing.TB, c *kafkatest.Cluster, id string, pairs ...string) *Producer {
	t.Helper()
	p := newTestProducer(t, c, append(pairs, "transactional.id", id)...)
	if err := p.InitTransactions(t.Context()); err != nil {
		t.Fatal(err)
	}
	return p
}

func must(t testing.TB, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestTransactions(t *testing.T) {
	c := kafkatest.New(t)
	c.Topic("t", 3)
	p := newTxnProducer(t, c, "x", "linger.ms", "600000", "delivery.timeout.ms", "700000")
	log := newAckLog(t)
	must(t, p.BeginTransaction(),
		p.SendAsync(t.Context(), append(numbered("t", 0, 0, 2), numbered("t", 1, 2, 2)...), log.from(0)),
		p.Send(t.Context(), record("t", 0, "sync")),
		p.CommitTransaction(t.Context())) // sends what lingers
	log.noFailures()
	if log.count() != 4 {
		t.Errorf("%d acks at the commit", log.count())
	}
	must(t, p.BeginTransaction(), p.Send(t.Context(), record("t", 0, "aborted"), record("t", 2, "aborted")))
	must(t, p.SendAsync(t.Context(), numbered("t", 2, 4, 2), log.from(4)), p.AbortTransaction(t.Context()))
	if errs := log.failures(); len(errs) != 2 || !errors.Is(errs[4], errAborted) {
		t.Errorf("records not sent at the abort: %v", errs)
	}
	must(t, p.BeginTransaction(), p.CommitTransaction(t.Context()), // nothing in it
		p.BeginTransaction(), p.AbortTransaction(t.Context()),
		p.BeginTransaction(), p.Send(t.Context(), record("t", 0, "last"), record("t", 2, "last")), p.CommitTransaction(t.Context()))
	got := readAll(t, c, "read_committed", tps("t-0 t-1 t-2")...)
	want(t, got, tp("t", 0), "00000", "00001", "sync", "last")
	want(t, got, tp("t", 1), "00002", "00003")
	want(t, got, tp("t", 2), "last")
	got = readAll(t, c, "read_uncommitted", tps("t-0 t-1 t-2")...)
	want(t, got, tp("t", 0), "00000", "00001", "sync", "aborted", "last")
}

// TestStableOffsets: an open transaction bounds them, and they are its end when it is over.
func TestStableOffsets(t *testing.T) {
	c := kafkatest.New(t)
	c.Topic("t", 1)
	p := newTxnProducer(t, c, "x")
	client := newTestClient(t, c)
	offsets := func() [2]int64 {
		ends, err := client.EndOffsets(t.Context(), tps("t-0"))
		must(t, err)
		stable, err := client.StableOffsets(t.Context(), tps("t-0"))
		must(t, err)
		return [2]int64{stable[tp("t", 0)], ends[tp("t", 0)]}
	}
	must(t, newTestProducer(t, c).Send(t.Context(), record("t", 0, "plain")), p.BeginTransaction(), p.Send(t.Context(), record("t", 0, "open")))
	if got := offsets(); got != [2]int64{1, 2} {
		t.Errorf("offsets %v, want 1 and 2", got)
	}
	want(t, readAll(t, c, "read_committed", tp("t", 0)), tp("t", 0), "plain")
	must(t, p.CommitTransaction(t.Context()))
	eventually(t, "the marker", func() bool { return offsets() == [2]int64{3, 3} })
}

func TestTransactionsInTheWrongOrder(t *testing.T) {
	c := kafkatest.New(t)
	c.Topic("t", 1)
	says := func(err error, text string) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%v, want %q", err, text)
		}
	}
	plain := newTestProducer(t, c)
	says(plain.InitTransactions(t.Context()), "need a transactional.id")
	says(plain.BeginTransaction(), "need a transactional.id")
	p := newTestProducer(t, c, "transactional.id", "x")
	says(p.BeginTransaction(), "before completing a call to initTransactions")
	says(p.Send(t.Context(), record("t", 0, "v")), "before completing a call to initTransactions")
	says(p.CommitTransaction(t.Context()), "none is open")
	must(t, p.InitTransactions(t.Context()))
	says(p.InitTransactions(t.Context()), "initialised already")
	says(p.SendAsync(t.Context(), numbered("t", 0, 0, 1), nil), "outside of a transaction")
	says(p.AbortTransaction(t.Context()), "none is open")
	must(t, p.BeginTransaction())
	says(p.BeginTransaction(), "there is one already")
	must(t, p.Close())
	says(p.BeginTransaction(), ErrClosed.Error())
}

// TestFencing: by a newer producer with the id, and by an administrator.
func TestFencing(t *testing.T) {
	for name, fence := range map[string]func(c *kafkatest.Cluster){
		"new producer": func(c *kafkatest.Cluster) { newTxnProducer(t, c, "x") },
		"admin": func(c *kafkatest.Cluster) {
			must(t, newTestClient(t, c).FenceProducers(t.Context(), []string{"never used", "x", "y"}))
		},
	} {
		for _, at := range []string{"send", "commit", "begin"} {
			t.Run(name+" before "+at, func(t *testing.T) {
				c := kafkatest.New(t)
				c.Topic("t", 1)
				zombie := newTxnProducer(t, c, "x")
				must(t, zombie.BeginTransaction())
				if at == "begin" {
					must(t, zombie.CommitTransaction(t.Context()))
				} else {
					must(t, zombie.Send(t.Context(), record("t", 0, "zombie")))
				}
				fence(c)
				var err error
				switch at {
				case "send":
					err = zombie.Send(t.Context(), record("t", 0, "late"))
				case "commit":
					err = zombie.CommitTransaction(t.Context())
				case "begin":
					must(t, zombie.BeginTransaction())
					err = zombie.Send(t.Context(), record("t", 0, "late"))
				}
				if codeOf(err) == brokerCode(kerr.InvalidTxnState) { // kfake's word for it, not Kafka's
					err = zombie.AbortTransaction(t.Context())
				}
				if !errors.Is(err, ErrFenced) {
					t.Errorf("the zombie gets %v", err)
				}
				for _, err := range []error{zombie.BeginTransaction(), zombie.CommitTransaction(t.Context()), zombie.AbortTransaction(t.Context()),
					zombie.Send(t.Context(), record("t", 0, "later")), zombie.InitTransactions(t.Context())} {
					if !errors.Is(err, ErrFenced) {
						t.Errorf("then it gets %v", err)
					}
				}
				next := newTxnProducer(t, c, "x")
				must(t, next.BeginTransaction(), next.Send(t.Context(), record("t", 0, "next")), next.CommitTransaction(t.Context()))
				want(t, readAll(t, c, "read_committed", tp("t", 0)), tp("t", 0), "next")
			})
		}
	}
}

// TestFailedRecordPreventsTheCommit: also one that cannot be sent, as in Java.
func TestFailedRecordPreventsTheCommit(t *testing.T) {
	for _, name := range []string{"refused by the broker", "too large", "Send given up", "expired"} {
		t.Run(name, func(t *testing.T) {
			c := kafkatest.New(t)
			c.Topic("t", 2)
			pairs := []string{"max.request.size", "2000", "linger.ms", "0"}
			if name == "expired" {
				pairs = append(pairs, "delivery.timeout.ms", "1500", "request.timeout.ms", "1000")
			}
			p := newTxnProducer(t, c, "x", pairs...)
			must(t, p.BeginTransaction(), p.Send(t.Context(), record("t", 0, "a")))
			log := newAckLog(t)
			bad := record("t", 1, "bad")
			switch name {
			case "refused by the broker":
				c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: "t", Partitions: []int32{1}, Err: kerr.InvalidRecord})
				must(t, p.SendAsync(t.Context(), []ProducerRecord{bad}, log.from(0)))
				log.await(1)
			case "too large":
				bad.Value = make([]byte, 3000)
				must(t, p.SendAsync(t.Context(), []ProducerRecord{bad}, log.from(0)))
			case "Send given up":
				f := c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.NotEnoughReplicas, Count: -1})
				ctx, cancel := context.WithCancel(t.Context())
				defer context.AfterFunc(ctx, f.Remove)()
				go func() { c.Await(f, 1); cancel() }()
				if err := p.Send(ctx, bad); !errors.Is(err, context.Canceled) {
					t.Errorf("Send returned %v", err)
				}
			case "expired":
				f := c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.NotEnoughReplicasAfterAppend, Count: -1})
				must(t, p.SendAsync(t.Context(), []ProducerRecord{bad}, log.from(0)))
				log.await(1)
				f.Remove()
			}
			for range 2 {
				if err := p.CommitTransaction(t.Context()); err == nil || !strings.Contains(err.Error(), "records of it were not written; abort it") {
					t.Errorf("CommitTransaction returned %v", err)
				}
			}
			if err := p.SendAsync(t.Context(), numbered("t", 0, 0, 1), nil); err == nil || !strings.Contains(err.Error(), "abortable error state") {
				t.Errorf("SendAsync returned %v", err)
			}
			must(t, p.AbortTransaction(t.Context()), p.BeginTransaction(), p.Send(t.Context(), record("t", 0, "b"), record("t", 1, "b")), p.CommitTransaction(t.Context()))
			got := readAll(t, c, "read_committed", tps("t-0 t-1")...)
			want(t, got, tp("t", 0), "b")
			want(t, got, tp("t", 1), "b")
		})
	}
}

// TestTransactionsSurviveFaults: each request of a transaction fails in a way that passes.
func TestTransactionsSurviveFaults(t *testing.T) {
	for _, key := range []kmsg.Key{kmsg.FindCoordinator, kmsg.InitProducerID, kmsg.AddPartitionsToTxn, kmsg.EndTxn, kmsg.Produce} {
		for _, code := range []*kerr.Error{kerr.CoordinatorLoadInProgress, kerr.NotCoordinator, kerr.CoordinatorNotAvailable, kerr.ConcurrentTransactions} {
			t.Run(fmt.Sprint(key.Name(), code.Message), func(t *testing.T) {
				t.Parallel()
				c := kafkatest.New(t)
				c.Topic("t", 2)
				fault := c.Fault(kfake.Fault{Keys: []kmsg.Key{key}, Err: code, Count: 2})
				p := newTxnProducer(t, c, "x")
				must(t, p.BeginTransaction(), p.Send(t.Context(), record("t", 0, "a"), record("t", 1, "a")), p.CommitTransaction(t.Context()),
					p.BeginTransaction(), p.Send(t.Context(), record("t", 0, "gone")), p.AbortTransaction(t.Context()))
				if fault.Hits() != 2 {
					t.Errorf("the fault was met %d times", fault.Hits())
				}
				want(t, readAll(t, c, "read_committed", tp("t", 0)), tp("t", 0), "a")
			})
		}
	}
}

// TestTransactionsSurviveLostConnections: answers to produce are lost, and all
// connections are cut now and then.
func TestTransactionsSurviveLostConnections(t *testing.T) {
	c := kafkatest.New(t)
	c.Topic("t", 3)
	p := newTxnProducer(t, c, "x")
	var values []string
	for i := range 12 {
		must(t, p.BeginTransaction())
		if i%3 == 0 {
			loseAnswer(c, "t", 0)
		}
		v := fmt.Sprint(i)
		must(t, p.Send(t.Context(), record("t", 0, v), record("t", 1, v), record("t", 0, v)))
		if i%3 == 1 {
			for node := range int32(3) {
				c.Cut(node)
			}
		}
		if i%4 == 3 {
			must(t, p.AbortTransaction(t.Context()))
			continue
		}
		must(t, p.CommitTransaction(t.Context()))
		values = append(values, v, v)
	}
	want(t, readAll(t, c, "read_committed", tp("t", 0)), tp("t", 0), values...)
}

func TestCommitThatTimedOutIsRepeated(t *testing.T) {
	c := kafkatest.New(t)
	c.Topic("t", 1)
	p := newTxnProducer(t, c, "x", "max.block.ms", "150")
	must(t, p.BeginTransaction(), p.Send(t.Context(), record("t", 0, "a")))
	fault := c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.EndTxn}, Err: kerr.CoordinatorLoadInProgress, Count: -1})
	err := p.CommitTransaction(t.Context())
	if !errors.Is(err, ErrTimeout) || !strings.HasPrefix(err.Error(), "Timeout expired after 150ms while awaiting EndTxn(true)") {
		t.Errorf("CommitTransaction returned %v", err)
	}
	if err := p.AbortTransaction(t.Context()); err == nil || !strings.Contains(err.Error(), "the previous call to commitTransaction timed out and must be retried") {
		t.Errorf("AbortTransaction returned %v", err)
	}
	if err := p.Send(t.Context(), record("t", 0, "b")); err == nil || !strings.Contains(err.Error(), "being completed") {
		t.Errorf("Send returned %v", err)
	}
	fault.Remove()
	must(t, p.CommitTransaction(t.Context()))
	want(t, readAll(t, c, "read_committed", tp("t", 0)), tp("t", 0), "a")

	hold := c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.InitProducerID}, Err: kerr.ConcurrentTransactions, Count: -1})
	q := newTestProducer(t, c, "transactional.id", "y", "max.block.ms", "150")
	if err := q.InitTransactions(t.Context()); !errors.Is(err, ErrTimeout) || !strings.HasPrefix(err.Error(), "Timeout expired after 150ms while awaiting InitProducerId") {
		t.Errorf("InitTransactions returned %v", err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(20*time.Millisecond, func() { cancel(errTest) })
	if err := q.InitTransactions(ctx); !errors.Is(err, errTest) {
		t.Errorf("InitTransactions returned %v", err)
	}
	hold.Remove()
	must(t, q.InitTransactions(t.Context()))
}

func TestTransactionsThatAreNotAllowed(t *testing.T) {
	c := kafkatest.New(t)
	c.Topic("t", 1)
	for _, key := range []kmsg.Key{kmsg.FindCoordinator, kmsg.InitProducerID, kmsg.AddPartitionsToTxn, kmsg.EndTxn} {
		c.Fault(kfake.Fault{Keys: []kmsg.Key{key}, Err: kerr.TransactionalIDAuthorizationFailed})
		p := newTestProducer(t, c, "transactional.id", "my-id")
		err := p.InitTransactions(t.Context())
		if err == nil {
			must(t, p.BeginTransaction())
			err = p.Send(t.Context(), record("t", 0, "v"))
		}
		if err == nil {
			err = p.CommitTransaction(t.Context())
		}
		if !errors.Is(err, ErrAuthorization) || !strings.Contains(err.Error(), "Write on TransactionalId my-id") {
			t.Errorf("%s: %v", key.Name(), err)
		}
	}
	c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.InitProducerID}, TxnID: "bad", Err: kerr.TransactionalIDAuthorizationFailed})
	err := newTestClient(t, c).FenceProducers(t.Context(), []string{"good", "bad"})
	if !errors.Is(err, ErrAuthorization) || !strings.Contains(err.Error(), "Write on TransactionalId bad") {
		t.Errorf("FenceProducers returned %v", err)
	}
	// A topic that may not be written spoils the transaction, not the producer.
	p := newTxnProducer(t, c, "z")
	c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.AddPartitionsToTxn}, Err: kerr.TopicAuthorizationFailed})
	must(t, p.BeginTransaction())
	if err := p.Send(t.Context(), record("t", 0, "v")); !errors.Is(err, ErrAuthorization) || !strings.Contains(err.Error(), "t-0") {
		t.Errorf("Send returned %v", err)
	}
	must(t, p.AbortTransaction(t.Context()), p.BeginTransaction(), p.Send(t.Context(), record("t", 0, "v")), p.CommitTransaction(t.Context()))
}

// TestCloseAbortsTheOpenTransaction: so that readers need not wait for its time-out.
func TestCloseAbortsTheOpenTransaction(t *testing.T) {
	c := kafkatest.New(t)
	c.Topic("t", 1)
	p := newTxnProducer(t, c, "x", "linger.ms", "600000", "delivery.timeout.ms", "700000")
	log := newAckLog(t)
	must(t, p.BeginTransaction(), p.Send(t.Context(), record("t", 0, "open")), p.SendAsync(t.Context(), numbered("t", 0, 0, 3), log.from(0)), p.Close())
	if log.count() != 3 || !errors.Is(log.failures()[0], errAborted) {
		t.Errorf("failures: %v", log.failures())
	}
	client := newTestClient(t, c)
	ends, err := client.EndOffsets(t.Context(), tps("t-0"))
	must(t, err)
	eventually(t, "the marker", func() bool {
		stable, err := client.StableOffsets(t.Context(), tps("t-0"))
		must(t, err)
		return stable[tp("t", 0)] == ends[tp("t", 0)] && ends[tp("t", 0)] == 2
	})
	if got := readAll(t, c, "read_committed", tp("t", 0)); len(got) != 0 {
		t.Errorf("read %v", got)
	}
	// CloseNow leaves it to the broker.
	q := newTxnProducer(t, c, "y")
	must(t, q.BeginTransaction(), q.Send(t.Context(), record("t", 0, "left")))
	q.CloseNow()
	stable, err := newTestClient(t, c).StableOffsets(t.Context(), tps("t-0"))
	if must(t, err); stable[tp("t", 0)] != 2 {
		t.Errorf("stable offset %d", stable[tp("t", 0)])
	}
}

func TestTransactionalProperties(t *testing.T) {
	for text, pairs := range map[string][]string{
		"Must set retries to non-zero when using the idempotent producer.":               {"enable.idempotence", "true", "retries", "0"},
		"Must set acks to all in order to use the idempotent producer.":                  {"transactional.id", "x", "acks", "1"},
		"Must set max.in.flight.requests.per.connection to at most 5":                    {"enable.idempotence", "true", "max.in.flight.requests.per.connection", "6"},
		"Cannot set a transactional.id without also enabling idempotence.":               {"transactional.id", "x", "enable.idempotence", "false"},
		"transactional.id: String must be non-empty":                                     {"transactional.id", " "},
		"transaction.timeout.ms: Value must be at least 0":                               {"transactional.id", "x", "transaction.timeout.ms", "-1"},
		"Expected value to be either true or false":                                      {"enable.idempotence", "yes"},
		"Invalid value x for configuration buffer.memory: Not a number of type LONG":     {"buffer.memory", "x"},
		"Invalid value -2 for configuration linger.ms: Value must be at least 0":         {"linger.ms", "-2"},
		"Invalid value perhaps for configuration partitioner.ignore.keys":                {"partitioner.ignore.keys", "perhaps"},
		"Invalid value 0 for configuration max.in.flight.requests.per.connection: Value": {"max.in.flight.requests.per.connection", "0"},
	} {
		props := map[string]string{"bootstrap.servers": "h:1"}
		for i := 0; i < len(pairs); i += 2 {
			props[pairs[i]] = pairs[i+1]
		}
		if _, err := NewProducer(t.Context(), props, testLog(t)); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%v: %v, want %q", pairs, err, text)
		}
	}
	for _, pairs := range [][]string{{"acks", "1"}, {"retries", "0"}, {"max.in.flight.requests.per.connection", "9"}} { // not asked for: off
		s := readProducerSettings(newPropReader(map[string]string{"bootstrap.servers": "h:1", pairs[0]: pairs[1]}))
		if s.idempotent {
			t.Errorf("%v: idempotence is on", pairs)
		}
	}
}
