package worker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/settings"
	"github.com/penstock-io/penstock/internal/kafka"
)

// numbers returns first to last as text, without those that skip names.
func numbers(first, last int64, skip func(n int64) bool) []string {
	var all []string
	for n := first; n <= last; n++ {
		if skip == nil || !skip(n) {
			all = append(all, fmt.Sprint(n))
		}
	}
	return all
}

// commitsEvery4 and aborts of 9 to 10: what the task asks for in the tests of faults.
func asksByRecord(tx connect.TransactionContext, i int, n int64) {
	switch {
	case n == 10:
		tx.AbortTransactionAt(i)
	case n%4 == 0:
		tx.CommitTransactionAt(i)
	}
}

// TestExactlyOnceOverFaults lets each step of the broker fail once, before or after it took
// effect, and starts the task anew until all is done. Each record must be there once.
func TestExactlyOnceOverFaults(t *testing.T) {
	for _, tc := range []struct {
		name     string
		boundary settings.Boundary
		asks     func(tx connect.TransactionContext, i int, n int64)
		options  []sourceOption
		drop     bool
		want     []string
	}{
		{name: "poll", boundary: settings.BoundaryPoll, want: numbers(1, 16, nil)},
		{name: "poll with dropped records", boundary: settings.BoundaryPoll, options: []sourceOption{filtered}, drop: true,
			want: []string{"1!", "2!", "4!", "5!", "7!", "8!", "10!", "11!", "13!", "14!", "16!"}},
		{name: "interval", boundary: settings.BoundaryInterval, want: numbers(1, 16, nil)},
		{name: "connector by record", boundary: settings.BoundaryConnector, asks: asksByRecord,
			want: numbers(1, 16, func(n int64) bool { return n == 9 || n == 10 })},
		{name: "connector by batch", boundary: settings.BoundaryConnector, asks: func(tx connect.TransactionContext, i int, n int64) {
			if i == 0 && n == 7 {
				tx.AbortTransaction()
			} else if i == 0 {
				tx.CommitTransaction()
			}
		}, want: numbers(1, 16, func(n int64) bool { return n >= 7 && n <= 9 })},
	} {
		t.Run(tc.name, func(t *testing.T) {
			steps := map[string]bool{}
			for failAt := 1; ; failAt++ {
				hit := false
				for _, late := range []bool{false, true} {
					synctest.Test(t, func(t *testing.T) {
						b := newBroker(&trace{})
						b.failAt, b.late = failAt, late
						for range 4 {
							source := &countingSource{fakeSource: &fakeSource{trace: b.trace}, last: 16, size: 3, asks: tc.asks, drop: tc.drop}
							settle(t, newExactlyOnceTask(t, b, source, tc.boundary, tc.options...))
						}
						if hit = hit || b.failed != ""; b.failed != "" {
							steps[b.failed] = true
						}
						if diff := cmp.Diff(tc.want, b.log); diff != "" || b.position(t) != 16 {
							t.Errorf("step %d (%s, late %v): offset %d, records (-want +got):\n%s\n%v", failAt, b.failed, late, b.position(t), diff, b.all())
						}
					})
				}
				if !hit {
					break
				}
			}
			for _, step := range []string{"init", "begin", "send", "offsets", "commit"} {
				if !steps[step] {
					t.Errorf("%s never failed", step)
				}
			}
		})
	}
}

func TestExactlyOnceOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker(&trace{})
		source := &fakeSource{trace: b.trace}
		source.script = append(source.script, batch(rec("a", 1, "1"), rec("a", 2, "drop")), batch())
		s := newExactlyOnceTask(t, b, committingSource{source}, settings.BoundaryPoll, filtered)
		settle(t, s)
		want := []string{"fence", "init", "verify", "start", "status RUNNING",
			"begin", "send", "offsets", "commit", "commitRecord 1 at 0", "commitRecord drop: left out", "commit",
			"commit", // the empty batch
			"commit", // the end of the Poll that waits
			"commit", // the final one
			"stop", "status UNASSIGNED"}
		if diff := cmp.Diff(want, b.all()); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
		if c := &s.counters; c.Transactions.Load() != 1 || c.TransactionSizeMax.Load() != 1 || c.OffsetCommitSuccesses.Load() != 4 {
			t.Errorf("%d transactions", c.Transactions.Load())
		}
	})
}

// An open transaction is committed when its time has come although Poll waits, and when
// the task is paused.
func TestIntervalAndPauseEndATransaction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker(&trace{})
		source := &countingSource{fakeSource: &fakeSource{trace: b.trace}, last: 2, size: 2}
		s := newExactlyOnceTask(t, b, source, settings.BoundaryInterval)
		go s.run(t.Context(), s)
		time.Sleep(testFlushInterval - 1)
		synctest.Wait()
		if len(b.committed()) != 0 {
			t.Errorf("committed %v too early", b.committed())
		}
		time.Sleep(2 * time.Nanosecond)
		synctest.Wait()
		if !slices.Equal(b.committed(), numbers(1, 2, nil)) || b.position(t) != 2 {
			t.Errorf("committed %v, offset %d", b.committed(), b.position(t))
		}
		s.setTarget(connect.TargetPaused)
		synctest.Wait()
		source.more(4)
		s.setTarget(connect.TargetStarted)
		synctest.Wait()
		s.setTarget(connect.TargetPaused)
		synctest.Wait()
		if !slices.Equal(b.committed(), numbers(1, 4, nil)) {
			t.Errorf("committed %v", b.committed())
		}
		s.requestStop()
		<-s.done
	})
}

// The final commit is of what the producer took.
func TestStopWithinABatchCommitsWhatWasSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker(&trace{})
		source := &countingSource{fakeSource: &fakeSource{trace: b.trace}, last: 3, size: 3}
		taken := 1
		b.refuse = func() (int, error) {
			defer func() { taken = 0 }()
			return taken, &connect.RetriableError{Err: errors.New("no memory")}
		}
		settle(t, newExactlyOnceTask(t, b, source, settings.BoundaryPoll))
		if !slices.Equal(b.log, []string{"1"}) || b.position(t) != 1 {
			t.Errorf("committed %v, offset %d", b.log, b.position(t))
		}
		b.refuse = nil
		source = &countingSource{fakeSource: &fakeSource{trace: b.trace}, last: 3, size: 3}
		settle(t, newExactlyOnceTask(t, b, source, settings.BoundaryPoll))
		if !slices.Equal(b.log, numbers(1, 3, nil)) {
			t.Errorf("committed %v", b.log)
		}
	})
}

// A batch that is to be aborted as a whole is, although it is sent in two portions with a
// pause in between.
func TestPauseWithinABatchLeavesItsEndToTheTask(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker(&trace{})
		source := &countingSource{fakeSource: &fakeSource{trace: b.trace}, last: 2, size: 2,
			asks: func(tx connect.TransactionContext, _ int, _ int64) { tx.AbortTransaction() }}
		s := newExactlyOnceTask(t, b, source, settings.BoundaryConnector)
		first := true
		b.refuse = func() (int, error) {
			if first {
				first = false
				s.setTarget(connect.TargetPaused)
				return 1, &connect.RetriableError{Err: errors.New("no memory")}
			}
			return -1, nil
		}
		go s.run(t.Context(), s)
		time.Sleep(time.Second)
		synctest.Wait()
		s.setTarget(connect.TargetStarted)
		synctest.Wait()
		s.requestStop()
		<-s.done
		if len(b.log) != 0 || b.position(t) != 2 {
			t.Errorf("committed %v, offset %d", b.log, b.position(t))
		}
	})
}

// What the task has not said the end of is neither committed nor left open.
func TestConnectorBoundaryIsTheTasks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker(&trace{})
		source := &countingSource{fakeSource: &fakeSource{trace: b.trace}, last: 6, size: 4, asks: asksByRecord}
		settle(t, newExactlyOnceTask(t, b, source, settings.BoundaryConnector))
		if !slices.Equal(b.log, numbers(1, 4, nil)) || b.position(t) != 4 || b.open != nil {
			t.Errorf("committed %v, offset %d, open %v", b.log, b.position(t), b.open)
		}
	})
	for name, ask := range map[string]func(tx connect.TransactionContext, i int, n int64){
		"Connector requested both commit and abort of same record against topic/partition t/null": func(tx connect.TransactionContext, i int, _ int64) {
			tx.CommitTransactionAt(i)
			tx.AbortTransactionAt(i)
		},
		"Connector requested both commit and abort of same transaction": func(tx connect.TransactionContext, _ int, _ int64) {
			tx.CommitTransaction()
			tx.AbortTransaction()
		},
		"the task asked for a transaction to end at record 7 of a batch of 2": func(tx connect.TransactionContext, _ int, _ int64) { tx.CommitTransactionAt(7) },
	} {
		synctest.Test(t, func(t *testing.T) {
			b := newBroker(&trace{})
			source := &countingSource{fakeSource: &fakeSource{trace: b.trace}, last: 2, size: 2, asks: ask}
			got := failure(t, b, newExactlyOnceTask(t, b, source, settings.BoundaryConnector))
			if !strings.HasPrefix(got, "java.lang.IllegalStateException: "+name) || len(b.log) != 0 {
				t.Errorf("trace %q, committed %v", got, b.log)
			}
		})
	}
}

// failure runs a task that fails and returns its trace.
func failure(t *testing.T, b *txBroker, s *sourceTask) string {
	store := &traceStatuses{fakeStatuses: fakeStatuses{trace: b.trace}}
	s.statuses.Store = store
	go s.run(t.Context(), s)
	synctest.Wait()
	s.requestStop()
	<-s.done
	return store.trace
}

func TestExactlyOnceErrors(t *testing.T) {
	class := "org.apache.kafka.connect.errors.ConnectException: "
	for name, tc := range map[string]struct {
		prepare func(s *sourceTask, b *txBroker)
		topic   string
		want    string
	}{
		"own offsets topic": {topic: "offsets", want: class + "Source tasks may not produce to their own offsets topics when exactly-once support is enabled\n"},
		"fencing fails": {prepare: func(s *sourceTask, _ *txBroker) {
			s.delivery.(*exactlyOnce).fence = func(context.Context) error { return errors.New("no leader") }
		}, want: class + "no leader\n"},
		"another generation": {prepare: func(s *sourceTask, _ *txBroker) {
			s.delivery.(*exactlyOnce).verify = func(context.Context) error { return errors.New("not yours") }
		}, want: class + "not yours\n"},
		"commit": {prepare: func(_ *sourceTask, b *txBroker) { b.failAt = 5 },
			want: class + "Failed to flush offsets and/or records for task c-0\nCaused by: " + class + "the broker is gone\n"},
		"send": {prepare: func(_ *sourceTask, b *txBroker) { b.failAt = 3 },
			want: class + "Unrecoverable exception trying to send\nCaused by: " + class + "the broker is gone\n"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBroker(&trace{})
				source := &fakeSource{trace: b.trace}
				r := rec("a", 1, "1")
				if tc.topic != "" {
					r.Topic = tc.topic
				}
				source.script = append(source.script, batch(r))
				s := newExactlyOnceTask(t, b, source, settings.BoundaryPoll)
				if tc.prepare != nil {
					tc.prepare(s, b)
				}
				if got := failure(t, b, s); got != tc.want || len(b.log) != 0 {
					t.Errorf("trace %q, want %q; committed %v", got, tc.want, b.log)
				}
			})
		})
	}
	x := newExactlyOnce(&sourceTask{task: &task{id: connect.TaskID{Connector: "c"}}, source: &fakeSource{}}, settings.BoundaryPoll, 0, nil, nil)
	if err := x.flushError(fmt.Errorf("send: %w", kafka.ErrInvalidProducerEpoch)); !strings.HasPrefix(err.Error(),
		"The task c-0 was unable to finish writing records to Kafka before its producer transaction expired. It may be necessary to reconfigure this connector") {
		t.Errorf("%v", err)
	}
}

// A task that hangs while another one takes its place can do nothing when it comes back.
func TestZombieIsFenced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker(&trace{})
		back := make(chan struct{})
		deaf := &fakeSource{trace: b.trace}
		deaf.script = append(deaf.script, batch(rec("a", 1, "zombie's")), func(context.Context) ([]connect.SourceRecord, error) {
			<-back
			return []connect.SourceRecord{rec("a", 2, "too late")}, nil
		})
		zombie := newExactlyOnceTask(t, b, deaf, settings.BoundaryInterval)
		go zombie.run(t.Context(), zombie)
		synctest.Wait()
		settle(t, newExactlyOnceTask(t, b, &countingSource{fakeSource: &fakeSource{trace: b.trace}, last: 2, size: 2}, settings.BoundaryPoll))
		close(back)
		<-zombie.done
		if !slices.Equal(b.log, numbers(1, 2, nil)) {
			t.Errorf("committed %v", b.log)
		}
	})
}
