package tolerance

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/penstock-io/penstock/connect"
)

var record = &connect.SinkRecord{Record: connect.Record{Offset: 7}, Original: connect.TopicPartition{Topic: "t", Partition: 3}}

func TestWithoutToleranceTheErrorNamesRecordKeyAndFix(t *testing.T) {
	o := New(connect.TaskID{Connector: "c"}, Config{}, zap.NewNop())
	skip, err := o.Handle(t.Context(), Failure{ValueConverter, "org.example.Conv", record, errors.New("bad byte")}, nil)
	if skip || err == nil {
		t.Fatalf("skip %v, error %v", skip, err)
	}
	for _, want := range []string{"Tolerance exceeded in error handler", "topic t, partition 3, offset 7", "value.converter", "errors.tolerance=all"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in %q", want, err)
		}
	}
	if cause := errors.Unwrap(err); cause == nil || cause.Error() != "bad byte" {
		t.Errorf("cause is %v", cause)
	}
}

func TestToleranceAllSkips(t *testing.T) {
	o := New(connect.TaskID{Connector: "c"}, Config{All: true}, zap.NewNop())
	skip, err := o.Handle(t.Context(), Failure{KeyConverter, "C", record, errors.New("x")}, nil)
	if !skip || err != nil || o.RecordsSkipped.Load() != 1 {
		t.Fatalf("skip %v, error %v, skipped %d", skip, err, o.RecordsSkipped.Load())
	}
}

func TestRetriableErrorsAreRetriedUntilTheTimeout(t *testing.T) {
	retriable := &connect.RetriableError{Err: errors.New("later")}
	for _, tc := range []struct {
		name      string
		timeout   time.Duration
		failures  int // after the first
		wantSkip  bool
		wantTries int
	}{
		{"no retry without a time-out", 0, 100, true, 0},
		{"success on the second retry", 10 * time.Second, 1, false, 2},
		{"given up when the time is over", 2 * time.Second, 100, true, 3},
		{"for ever means until it works", -1, 12, false, 13},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := New(connect.TaskID{}, Config{All: true, RetryTimeout: tc.timeout, RetryDelayMax: time.Minute}, zap.NewNop())
				tries := 0
				skip, err := o.Handle(t.Context(), Failure{ValueConverter, "C", record, retriable}, func() error {
					if tries++; tries <= tc.failures {
						return retriable
					}
					return nil
				})
				if err != nil || skip != tc.wantSkip || tries != tc.wantTries {
					t.Errorf("skip %v, tries %d, error %v; want %v, %d", skip, tries, err, tc.wantSkip, tc.wantTries)
				}
			})
		})
	}
}

func TestAStopEndsTheRetries(t *testing.T) {
	o := New(connect.TaskID{}, Config{RetryTimeout: -1, RetryDelayMax: time.Hour}, zap.NewNop())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := o.Handle(ctx, Failure{ValueConverter, "C", record, &connect.RetriableError{Err: errors.New("later")}}, func() error {
		t.Error("retried after the stop")
		return nil
	})
	if err == nil {
		t.Error("no error with tolerance none")
	}
}
