package worker

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/data"
	"github.com/penstock-io/penstock/connect/settings"
	"github.com/penstock-io/penstock/connect/tolerance"
	"github.com/penstock-io/penstock/internal/kafka"
	"github.com/penstock-io/penstock/storage/memstore"
)

// sameTrace compares all but the sends, and then the sends: they go on beside the rest.
func sameTrace(t *testing.T, got []string, want ...string) {
	t.Helper()
	isSend := func(l string) bool { return strings.HasPrefix(l, "send ") }
	apart := func(lines []string) []string {
		rest := slices.DeleteFunc(slices.Clone(lines), isSend)
		return append(rest, slices.DeleteFunc(slices.Clone(lines), func(l string) bool { return !isSend(l) })...)
	}
	if diff := cmp.Diff(apart(want), apart(got)); diff != "" {
		t.Errorf("what happened (-want +got):\n%s", diff)
	}
}

// statuses returns the states that were reported.
func (r *sourceRig) statuses() []string {
	var all []string
	for _, l := range r.all() {
		if s, ok := strings.CutPrefix(l, "status "); ok {
			all = append(all, s)
		}
	}
	return all
}

func TestSourceTaskSendsAndCommits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newSourceRig(t, nil, batch(rec("a", 1, "one"), rec("b", 1, "two")), batch(rec("a", 2, "three")))
		r.run()
		if got := r.committed("a"); got != "" {
			t.Errorf("committed %s before the interval is over", got)
		}
		time.Sleep(testFlushInterval) // while Poll waits
		synctest.Wait()
		sameTrace(t, r.all(), "start", "status RUNNING",
			"send one to t", "send two to t", "commitRecord one at 0", "commitRecord two at 1", "send three to t", "commitRecord three at 2",
			`flush ["c",{"p":"a"}]={"n":2}`, `flush ["c",{"p":"b"}]={"n":1}`, "commit")
		before := len(r.all())
		sameTrace(t, r.stop()[before:], "commit", "stop", "close", "status UNASSIGNED")
		c := &r.task.counters
		if c.SourceRecordPollTotal.Load() != 3 || c.SourceRecordWriteTotal.Load() != 3 || c.SourceRecordActiveCount.Load() != 0 || c.OffsetCommitSuccesses.Load() != 2 {
			t.Errorf("counters %d %d %d %d", c.SourceRecordPollTotal.Load(), c.SourceRecordWriteTotal.Load(), c.SourceRecordActiveCount.Load(), c.OffsetCommitSuccesses.Load())
		}
	})
}

func TestOnlyTheAcknowledgedPrefixIsCommitted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newSourceRig(t, nil, batch(rec("a", 1, "1"), rec("a", 2, "2"), rec("b", 7, "x"), rec("a", 3, "3")))
		r.producer.hold = true
		r.run()
		r.producer.ack(3, nil)
		r.producer.ack(0, nil)
		time.Sleep(testFlushInterval)
		synctest.Wait()
		if a, b := r.committed("a"), r.committed("b"); a != `{"n":1}` || b != "" {
			t.Errorf("committed %s and %s", a, b)
		}
		r.producer.ack(1, nil)
		r.producer.ack(2, nil)
		time.Sleep(testFlushInterval)
		synctest.Wait()
		if a, b := r.committed("a"), r.committed("b"); a != `{"n":3}` || b != `{"n":7}` {
			t.Errorf("committed %s and %s", a, b)
		}
		r.stop()
		// In the order of the source partition, although 3 was acknowledged before 2.
		var told []string
		for _, l := range r.all() {
			if strings.HasPrefix(l, "commitRecord") {
				told = append(told, l)
			}
		}
		sameTrace(t, told, "commitRecord 1 at 0", "commitRecord 2 at 1", "commitRecord 3 at 3", "commitRecord x at 2")
	})
}

func TestStopWaitsForRecordsInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newSourceRig(t, []sourceOption{quiet}, batch(rec("a", 1, "1"), rec("a", 2, "2")))
		r.producer.hold = true
		r.run()
		r.task.requestStop()
		synctest.Wait()
		time.Sleep(testFlushTimeout / 2)
		r.producer.ack(0, nil)
		r.producer.ack(1, nil)
		<-r.task.done
		if got := r.committed("a"); got != `{"n":2}` {
			t.Errorf("committed %s", got)
		}

		r = newSourceRig(t, []sourceOption{quiet}, batch(rec("a", 1, "1"), rec("a", 2, "2")))
		r.producer.hold = true
		r.run()
		r.producer.ack(0, nil)
		began := time.Now()
		r.stop()
		if got := r.committed("a"); got != `{"n":1}` || time.Since(began) != testFlushTimeout {
			t.Errorf("committed %s after %v", got, time.Since(began))
		}
	})
}

// What Poll returns after the stop is sent, and the stop ends a Poll.
func TestStopEndsPollAndSendsItsRecords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newSourceRig(t, nil, func(ctx context.Context) ([]connect.SourceRecord, error) {
			<-ctx.Done()
			return []connect.SourceRecord{rec("a", 1, "last")}, nil
		})
		r.run()
		r.stop()
		sameTrace(t, r.all(), "start", "status RUNNING", "send last to t", "commitRecord last at 0",
			`flush ["c",{"p":"a"}]={"n":1}`, "commit", "stop", "close", "status UNASSIGNED")
	})
}

// A pause ends a Poll as well; what it returns beside the error of its context is sent.
func TestRecordsBesideTheEndOfAPollAreSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newSourceRig(t, []sourceOption{quiet}, func(ctx context.Context) ([]connect.SourceRecord, error) {
			<-ctx.Done()
			return []connect.SourceRecord{rec("a", 1, "1")}, ctx.Err()
		}, batch(rec("a", 2, "2")))
		r.run()
		r.task.setTarget(connect.TargetPaused)
		synctest.Wait()
		r.task.setTarget(connect.TargetStarted)
		synctest.Wait()
		sameTrace(t, r.stop(), "start", "status RUNNING", "send 1 to t", "status PAUSED", "status RUNNING", "send 2 to t",
			`flush ["c",{"p":"a"}]={"n":2}`, "stop", "close", "status UNASSIGNED")
	})
}

func TestSendThatBlocksDoesNotHoldUpTheStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newSourceRig(t, nil, batch(rec("a", 1, "1"), rec("a", 2, "2")))
		r.producer.refuse = func(ctx context.Context, _ []kafka.ProducerRecord) (int, error) {
			<-ctx.Done() // buffer.memory is full after the first record
			return 1, ctx.Err()
		}
		r.run()
		began := time.Now()
		r.stop()
		if time.Since(began) != sendGrace || r.committed("a") != `{"n":1}` {
			t.Errorf("committed %s after %v", r.committed("a"), time.Since(began))
		}
		if s := r.statuses(); s[len(s)-1] != "UNASSIGNED" {
			t.Errorf("statuses %v", s)
		}
	})
}

func TestSourceTaskPausesAndResumes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newSourceRig(t, []sourceOption{paused}, batch(rec("a", 1, "1")), func(ctx context.Context) ([]connect.SourceRecord, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}, batch(rec("a", 2, "2")))
		r.run()
		sameTrace(t, r.all(), "status PAUSED")
		r.task.setTarget(connect.TargetStarted)
		synctest.Wait()
		r.task.setTarget(connect.TargetPaused) // ends the Poll
		synctest.Wait()
		time.Sleep(testFlushInterval)
		synctest.Wait()
		sameTrace(t, r.all(), "status PAUSED", "start", "status RUNNING", "send 1 to t", "commitRecord 1 at 0", "status PAUSED",
			`flush ["c",{"p":"a"}]={"n":1}`, "commit")
		r.task.setTarget(connect.TargetStarted)
		synctest.Wait()
		if s := r.statuses(); !slices.Equal(s, []string{"PAUSED", "RUNNING", "PAUSED", "RUNNING"}) {
			t.Errorf("statuses %v", s)
		}
		r.task.setTarget(connect.TargetStopped)
		<-r.task.done
		if got := r.committed("a"); got != `{"n":2}` {
			t.Errorf("committed %s", got)
		}
	})
}

// A task that is abandoned commits nothing from then on, whatever comes back.
func TestAbandonedTaskCommitsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		back := make(chan struct{})
		r := newSourceRig(t, nil, batch(rec("a", 1, "1")), func(context.Context) ([]connect.SourceRecord, error) {
			<-back // deaf
			return []connect.SourceRecord{rec("a", 2, "2")}, nil
		})
		r.producer.refuse = func(ctx context.Context, rs []kafka.ProducerRecord) (int, error) {
			if ctx.Err() != nil {
				return 0, ctx.Err()
			}
			return len(rs), nil
		}
		r.run()
		r.task.requestStop()
		if r.task.await(time.After(5 * time.Second)) {
			t.Fatal("it stopped in time")
		}
		synctest.Wait()
		if _, err := r.source.tc.Offsets().Offset(context.Background(), partition("a")); err == nil {
			t.Error("a zombie reads offsets")
		}
		close(back)
		<-r.task.done
		sameTrace(t, r.all(), "start", "status RUNNING", "send 1 to t", "commitRecord 1 at 0", "close now", "stop")
	})
}

func TestFlushThatFailsIsRepeatedWithNewerOffsets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		more := make(chan struct{})
		r := newSourceRig(t, []sourceOption{quiet}, batch(rec("a", 1, "1"), rec("b", 5, "2")), func(context.Context) ([]connect.SourceRecord, error) {
			<-more
			return []connect.SourceRecord{rec("a", 2, "3")}, nil
		})
		fail := errors.New("no quorum")
		r.offsets.fails(func(context.Context) error { return fail })
		r.run()
		time.Sleep(testFlushInterval)
		synctest.Wait()
		if r.task.counters.OffsetCommitFailures.Load() != 1 || slices.Contains(r.all(), "commit") {
			t.Errorf("after the first flush: %v", r.all())
		}
		r.offsets.fails(func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
		close(more)
		began := time.Now()
		time.Sleep(testFlushInterval + testFlushTimeout)
		synctest.Wait()
		if r.task.counters.OffsetCommitFailures.Load() != 2 || time.Since(began) != testFlushInterval+testFlushTimeout {
			t.Errorf("after the second flush: %v", r.all())
		}
		r.offsets.fails(nil)
		time.Sleep(testFlushInterval)
		synctest.Wait()
		if a, b := r.committed("a"), r.committed("b"); a != `{"n":2}` || b != `{"n":5}` {
			t.Errorf("committed %s and %s", a, b)
		}
		r.stop()
	})
}

func TestSendFailureFailsTheTask(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newSourceRig(t, nil, batch(rec("a", 1, "1"), rec("a", 2, "2"), rec("a", 3, "3")))
		r.producer.hold = true
		r.run()
		r.producer.ack(0, nil)
		r.producer.ack(2, nil)
		r.producer.ack(1, errors.New("too large")) // ends the Poll that waits
		<-r.task.done
		if s := r.statuses(); s[len(s)-1] != "FAILED" {
			t.Errorf("statuses %v", s)
		}
		if got := r.committed("a"); got != `{"n":1}` {
			t.Errorf("committed %s", got)
		}
	})
}

func TestSendFailureIsToleratedAndReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newSourceRig(t, []sourceOption{tolerant}, batch(rec("a", 1, "1"), rec("a", 2, "2")))
		r.producer.hold = true
		r.run()
		r.producer.ack(0, errors.New("too large"))
		r.producer.ack(1, nil)
		synctest.Wait()
		r.stop()
		sameTrace(t, r.all(), "start", "status RUNNING", "send 1 to t", "send 2 to t", "commitRecord 1: left out", "commitRecord 2 at 1",
			`flush ["c",{"p":"a"}]={"n":2}`, "commit", "stop", "close", "status UNASSIGNED")
		if n := r.task.operator.RecordFailures.Load(); n != 1 {
			t.Errorf("%d failures", n)
		}
	})
}

func TestConversionTolerance(t *testing.T) {
	script := batch(rec("a", 1, "1"), rec("a", 2, "bad"), rec("a", 3, "broken"), rec("a", 4, "drop"), rec("a", 5, "5"))
	t.Run("all", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := newSourceRig(t, []sourceOption{tolerant, filtered}, script)
			r.run()
			r.stop()
			// "bad" becomes "bad!", which is fine; the task is told of what it made.
			sameTrace(t, r.all(), "start", "status RUNNING", "send 1! to t", "send bad! to t", "send 5! to t",
				"commitRecord 1 at 0", "commitRecord bad at 1", "commitRecord broken: left out", "commitRecord drop: left out", "commitRecord 5 at 2",
				`flush ["c",{"p":"a"}]={"n":5}`, "commit", "stop", "close", "status UNASSIGNED")
		})
	})
	t.Run("none", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := newSourceRig(t, nil, script)
			r.run()
			<-r.task.done
			sameTrace(t, r.all(), "start", "status RUNNING", "send 1 to t", "commitRecord 1 at 0",
				`flush ["c",{"p":"a"}]={"n":1}`, "commit", "stop", "close", "status FAILED")
		})
	})
	t.Run("the offset of a record that is left out is not committed", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := newSourceRig(t, []sourceOption{filtered, quiet}, batch(rec("a", 1, "1"), rec("a", 2, "drop"), rec("b", 1, "drop")))
			r.run()
			r.stop()
			if a, b := r.committed("a"), r.committed("b"); a != `{"n":1}` || b != "" {
				t.Errorf("committed %s and %s", a, b)
			}
		})
	})
	t.Run("retry", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := newSourceRig(t, []sourceOption{quiet, func(o *sourceOptions) {
				o.tolerance = tolerance.Config{RetryTimeout: time.Minute, RetryDelayMax: time.Minute}
			}}, batch(rec("a", 1, "later")))
			r.run()
			time.Sleep(time.Second)
			r.stop()
			if !slices.Contains(r.all(), "send later to t") || r.committed("a") != `{"n":1}` {
				t.Errorf("%v", r.all())
			}
		})
	})
	t.Run("a stop ends the retries, and the record is read again", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := newSourceRig(t, []sourceOption{quiet, func(o *sourceOptions) {
				o.tolerance = tolerance.Config{RetryTimeout: -1, RetryDelayMax: time.Minute, All: true}
			}}, batch(rec("a", 1, "1"), rec("a", 2, "later")))
			r.run()
			r.stop()
			if s := r.statuses(); r.committed("a") != `{"n":1}` || s[len(s)-1] != "UNASSIGNED" {
				t.Errorf("%v", r.all())
			}
		})
	})
}

func TestSendIsRetriedWhereItStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newSourceRig(t, []sourceOption{filtered}, batch(rec("a", 1, "1"), rec("a", 2, "drop"), rec("a", 3, "3"), rec("a", 4, "4")))
		calls := 0
		r.producer.refuse = func(_ context.Context, rs []kafka.ProducerRecord) (int, error) {
			if calls++; calls < 3 {
				return 1, &connect.RetriableError{Err: errors.New("no memory")}
			}
			return len(rs), nil
		}
		r.run()
		time.Sleep(3 * sendBackoff)
		r.stop()
		sameTrace(t, r.all(), "start", "status RUNNING", "send 1! to t", "commitRecord 1 at 0", "commitRecord drop: left out",
			"send 3! to t", "commitRecord 3 at 1", "send 4! to t", "commitRecord 4 at 2",
			`flush ["c",{"p":"a"}]={"n":4}`, "commit", "stop", "close", "status UNASSIGNED")
		if calls != 3 {
			t.Errorf("%d sends", calls)
		}
	})
}

func TestSourceTaskErrors(t *testing.T) {
	for name, tc := range map[string]struct {
		script []func(context.Context) ([]connect.SourceRecord, error)
		refuse error
		start  error
		want   string // "": the task goes on
	}{
		"start":              {start: errors.New("no such file"), want: "ConnectException: no such file"},
		"poll":               {script: []func(context.Context) ([]connect.SourceRecord, error){pollFails(errors.New("gone"))}, want: "ConnectException: gone"},
		"poll, retriable":    {script: []func(context.Context) ([]connect.SourceRecord, error){pollFails(&connect.RetriableError{Err: errors.New("later")})}},
		"poll panics":        {script: []func(context.Context) ([]connect.SourceRecord, error){func(context.Context) ([]connect.SourceRecord, error) { panic("oh") }}, want: "RuntimeException: panic: oh"},
		"send":               {script: []func(context.Context) ([]connect.SourceRecord, error){batch(rec("a", 1, "1"))}, refuse: errors.New("closed"), want: "ConnectException: Unrecoverable exception trying to send\nCaused by: org.apache.kafka.connect.errors.ConnectException: closed"},
		"send, Connect's":    {script: []func(context.Context) ([]connect.SourceRecord, error){batch(rec("a", 1, "1"))}, refuse: &connect.Error{Msg: "mine"}, want: "ConnectException: mine"},
		"negative timestamp": {script: []func(context.Context) ([]connect.SourceRecord, error){batch(connect.SourceRecord{Record: connect.Record{Topic: "t", Timestamp: -2}})}, want: "InvalidRecordException: Invalid record timestamp -2"},
		"no topic":           {script: []func(context.Context) ([]connect.SourceRecord, error){batch(connect.SourceRecord{})}, want: "IllegalArgumentException: Topic cannot be null."},
		"bad partition":      {script: []func(context.Context) ([]connect.SourceRecord, error){batch(connect.SourceRecord{Record: connect.Record{Topic: "t", Partition: -2}})}, want: "IllegalArgumentException: Invalid partition: -2. Partition number should always be non-negative or null."},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newSourceRig(t, nil, tc.script...)
				r.source.start = func(context.Context) error { return tc.start }
				if tc.refuse != nil {
					r.producer.refuse = func(context.Context, []kafka.ProducerRecord) (int, error) { return 0, tc.refuse }
				}
				store := &traceStatuses{fakeStatuses: fakeStatuses{trace: r.trace}}
				r.task.statuses.Store = store
				r.run()
				r.task.requestStop()
				<-r.task.done
				if tc.want == "" && store.trace != "" || !strings.Contains(store.trace, tc.want) {
					t.Errorf("trace %q, want %q", store.trace, tc.want)
				}
				if all := r.all(); !slices.Contains(all, "stop") || !slices.Contains(all, "close") {
					t.Errorf("not cleaned up: %v", all)
				}
			})
		})
	}
}

func TestWhatOffsetsMayBe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		none := rec("a", 1, "none")
		none.SourcePartition, none.SourceOffset = nil, nil
		nullPartition := rec("a", 2, "null partition")
		nullPartition.SourcePartition = nil
		nullOffset := rec("a", 3, "null offset")
		nullOffset.SourceOffset = nil
		r := newSourceRig(t, []sourceOption{quiet}, batch(none, nullPartition, rec("a", 1, "x"), nullOffset))
		r.run()
		sameTrace(t, r.stop(), "start", "status RUNNING", "send none to t", "send null partition to t", "send x to t", "send null offset to t",
			`flush ["c",null]={"n":2}`, `flush ["c",{"p":"a"}]=`, "stop", "close", "status UNASSIGNED")
	})
	// What cannot be stored holds up the commits, and not the task, until it is overwritten.
	synctest.Test(t, func(t *testing.T) {
		bad := rec("a", 1, "1")
		bad.SourceOffset.Put("list", []any{1})
		more := make(chan struct{})
		r := newSourceRig(t, []sourceOption{quiet}, batch(bad, rec("b", 1, "2")), func(context.Context) ([]connect.SourceRecord, error) {
			<-more
			return []connect.SourceRecord{rec("a", 2, "3")}, nil
		})
		r.run()
		time.Sleep(testFlushInterval)
		synctest.Wait()
		if r.committed("b") != "" || r.task.counters.OffsetCommitFailures.Load() != 1 {
			t.Errorf("committed %s", r.committed("b"))
		}
		close(more)
		synctest.Wait()
		r.stop()
		if a, b := r.committed("a"), r.committed("b"); a != `{"n":2}` || b != `{"n":1}` {
			t.Errorf("committed %s and %s", a, b)
		}
	})
}

// A topic counts as used when a record was written to it, with either guarantee.
func TestSourceTaskTracksTopics(t *testing.T) {
	second := rec("a", 2, "2")
	second.Topic = "failed"
	script := []func(context.Context) ([]connect.SourceRecord, error){batch(rec("a", 1, "1"), second)}
	synctest.Test(t, func(t *testing.T) {
		store := memstore.NewStatusStore()
		r := newSourceRig(t, []sourceOption{quiet, tolerant}, script...)
		r.task.tracker = &usedTopics{store: store, id: r.task.id, now: time.Now}
		r.task.delivery = newAtLeastOnce(r.task, true)
		r.producer.hold = true
		r.run()
		r.producer.ack(0, nil)
		r.producer.ack(1, errors.New("too large"))
		r.stop()
		if topics := store.Topics("c"); len(topics) != 1 || topics[0].Topic != "t" {
			t.Errorf("topics %v", topics)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		store := memstore.NewStatusStore()
		b := newBroker(&trace{})
		s := newExactlyOnceTask(t, b, &fakeSource{trace: b.trace, script: script[:1]}, settings.BoundaryPoll)
		s.tracker = &usedTopics{store: store, id: s.id, now: time.Now}
		settle(t, s)
		if topics := store.Topics("c"); len(topics) != 2 {
			t.Errorf("topics %v", topics)
		}
	})
}

func TestOffsetReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newSourceRig(t, nil, batch(rec("a", 41, "1")))
		r.run()
		r.stop()
		reader := &offsetReader{life: t.Context(), store: r.offsets, connector: "c"}
		got, err := reader.Offsets(t.Context(), []*data.Map{partition("b"), partition("a"), nil})
		if err != nil || len(got) != 3 || got[0] != nil || got[2] != nil {
			t.Fatalf("%v, %v", got, err)
		}
		if n, _ := got[1].Get("n"); n != int64(41) {
			t.Errorf("offset %v", got[1])
		}
		bad := partition("a")
		bad.Put("x", []any{1})
		if _, err := reader.Offset(t.Context(), bad); err == nil || !strings.Contains(err.Error(), "Offsets may only contain primitive types as values, but field x contains ARRAY") {
			t.Errorf("a bad partition: %v", err)
		}
		if err := r.offsets.Put(t.Context(), entry(t, "a", "[1]")); err != nil {
			t.Fatal(err)
		}
		if _, err := reader.Offset(t.Context(), partition("a")); err == nil || !strings.Contains(err.Error(), "Offsets must be specified as a Map") {
			t.Errorf("a bad offset: %v", err)
		}
	})
}
