package tolerance

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/data"
	"github.com/penstock-io/penstock/internal/kafka"
)

var record = &connect.SinkRecord{Record: connect.Record{Offset: 7, Timestamp: 5}, Original: connect.TopicPartition{Topic: "t", Partition: 3}}

var later = &connect.RetriableError{Err: errors.New("later")}

func TestWithoutToleranceTheErrorNamesRecordKeyAndFix(t *testing.T) {
	o := New(connect.TaskID{Connector: "c"}, Config{}, zap.NewNop())
	skip, err := o.Handle(t.Context(), Failure{Stage: ValueConverter, Class: "org.example.Conv", Record: record, Err: errors.New("bad byte")}, nil)
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

func TestASourceRecordIsNamedByItsPlaceAndNotByItsData(t *testing.T) {
	source, offset := data.NewMap(1), data.NewMap(1)
	source.Put("file", "a.txt")
	offset.Put("pos", int64(4))
	r := connect.NewSourceRecord(source, offset, "t", nil, "secret")
	o := New(connect.TaskID{Connector: "c"}, Config{}, zap.NewNop())
	_, err := o.Handle(t.Context(), Failure{Stage: KeyConverter, Class: "K", Source: &r, Err: errors.New("x")}, nil)
	if err == nil || !strings.Contains(err.Error(), "topic t of source partition {file=a.txt}, source offset {pos=4}") || strings.Contains(err.Error(), "secret") {
		t.Errorf("error %v", err)
	}
}

// counts are the counters that the JVM shows.
type counts struct{ Failures, Errors, Skipped, Retries, Logged int64 }

func countsOf(o *Operator) counts {
	return counts{o.RecordFailures.Load(), o.RecordErrors.Load(), o.RecordsSkipped.Load(), o.Retries.Load(), o.ErrorsLogged.Load()}
}

func TestOutcomesAndCounters(t *testing.T) {
	plain := errors.New("x")
	for _, tc := range []struct {
		name     string
		cfg      Config
		stage    Stage
		err      error
		failures int // of the retries, before one succeeds
		skip     bool
		wantErr  string
		want     counts
	}{
		{name: "tolerated", cfg: Config{All: true, Log: true}, stage: KeyConverter, err: plain, skip: true, want: counts{1, 1, 1, 0, 1}},
		{name: "not tolerated", stage: KeyConverter, err: plain, wantErr: "Tolerance exceeded in error handler", want: counts{1, 1, 0, 0, 0}},
		{name: "logged although it is not tolerated", cfg: Config{Log: true}, stage: Transformation, err: plain, wantErr: "Tolerance exceeded", want: counts{1, 1, 0, 0, 1}},
		{name: "a retriable error without retries fails the task", stage: ValueConverter, err: later, failures: 9, wantErr: "Tolerance exceeded", want: counts{2, 1, 0, 0, 0}},
		{name: "the last of the retries counts twice", cfg: Config{All: true, RetryTimeout: 500 * time.Millisecond, RetryDelayMax: time.Minute},
			stage: ValueConverter, err: later, failures: 9, skip: true, want: counts{4, 1, 1, 2, 0}},
		{name: "a retry succeeds", cfg: Config{RetryTimeout: time.Second, RetryDelayMax: time.Minute}, stage: ValueConverter, err: later, failures: 1, want: counts{2, 0, 0, 2, 0}},
		{name: "for ever means until it works", cfg: Config{RetryTimeout: -1, RetryDelayMax: time.Minute}, stage: ValueConverter, err: later, failures: 12, want: counts{13, 0, 0, 13, 0}},
		{name: "a poll may fail for now", cfg: Config{All: true}, stage: TaskPoll, err: later, failures: 9, skip: true, want: counts{2, 1, 1, 0, 0}},
		{name: "a poll that fails for good is not tolerated", cfg: Config{All: true}, stage: TaskPoll, err: plain, wantErr: "Unhandled exception in error handler", want: counts{1, 1, 0, 0, 0}},
		{name: "nor is a consumer", cfg: Config{All: true}, stage: KafkaConsume, err: plain, wantErr: "Unhandled exception in error handler", want: counts{1, 1, 0, 0, 0}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := New(connect.TaskID{}, tc.cfg, zap.NewNop())
				var reported []error
				o.ReportTo(func(_ context.Context, f Failure) error { reported = append(reported, f.Err); return nil })
				left := tc.failures
				skip, err := o.Handle(t.Context(), Failure{Stage: tc.stage, Class: "C", Record: record, Err: tc.err}, func() error {
					if left--; left >= 0 {
						return tc.err
					}
					return nil
				})
				if skip != tc.skip || (err == nil) != (tc.wantErr == "") || err != nil && !strings.HasPrefix(err.Error(), tc.wantErr) {
					t.Errorf("skip %v, error %v", skip, err)
				}
				if diff := cmp.Diff(tc.want, countsOf(o)); diff != "" {
					t.Errorf("counters (-want +got):\n%s", diff)
				}
				final := tc.want.Errors == 1
				if (len(reported) == 1) != final || (o.LastError.Load() == time.Now().UnixMilli()) != final {
					t.Errorf("reported %v, last error %d", reported, o.LastError.Load())
				}
			})
		})
	}
}

func TestARetryMayFailElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := New(connect.TaskID{}, Config{All: true, RetryTimeout: time.Minute, RetryDelayMax: time.Minute}, zap.NewNop())
		var got Failure
		o.ReportTo(func(_ context.Context, f Failure) error { got = f; return nil })
		skip, err := o.Handle(t.Context(), Failure{Stage: KeyConverter, Class: "K", Record: record, Err: later}, func() error {
			return &Failure{Stage: Transformation, Class: "T", Err: errors.New("no field")}
		})
		if !skip || err != nil || got.Stage != Transformation || got.Class != "T" || got.Err.Error() != "no field" || got.Record != record {
			t.Errorf("skip %v, error %v, reported %+v", skip, err, got)
		}
	})
}

// A record that was waiting for its retry is neither reported nor skipped: it is read again.
func TestAStopEndsTheRetries(t *testing.T) {
	for _, all := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			o := New(connect.TaskID{}, Config{All: all, RetryTimeout: -1, RetryDelayMax: time.Hour}, zap.NewNop())
			o.ReportTo(func(context.Context, Failure) error { t.Error("reported"); return nil })
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(time.Second, cancel)
			start, tries := time.Now(), 0
			skip, err := o.Handle(ctx, Failure{Stage: ValueConverter, Class: "C", Record: record, Err: later}, func() error { tries++; return later })
			if skip || !errors.Is(err, ErrStopped) || tries != 2 || time.Since(start) != time.Second {
				t.Errorf("skip %v, error %v, %d tries, after %v", skip, err, tries, time.Since(start))
			}
		})
	}
}

func TestAStopWhileItReports(t *testing.T) {
	o := New(connect.TaskID{}, Config{All: true}, zap.NewNop())
	o.ReportTo(func(context.Context, Failure) error { return ErrStopped })
	f := Failure{Stage: TaskPut, Class: "C", Record: record, Err: errors.New("x")}
	if skip, err := o.Handle(t.Context(), f, nil); skip || !errors.Is(err, ErrStopped) {
		t.Errorf("skip %v, error %v", skip, err)
	}
	if err := o.GiveUp(t.Context(), f); !errors.Is(err, ErrStopped) {
		t.Errorf("error %v", err)
	}
}

func TestReportsOfOthers(t *testing.T) {
	f := Failure{Stage: TaskPut, Class: "C", Record: record, Err: errors.New("x")}
	o := New(connect.TaskID{}, Config{All: true, Log: true}, zap.NewNop())
	if err := o.GiveUp(t.Context(), f); err != nil || countsOf(o) != (counts{1, 0, 0, 0, 1}) {
		t.Errorf("tolerated: %v, %+v", err, countsOf(o))
	}
	o = New(connect.TaskID{}, Config{}, zap.NewNop())
	if err := o.GiveUp(t.Context(), f); err == nil || countsOf(o) != (counts{1, 1, 0, 0, 0}) {
		t.Errorf("not tolerated: %v, %+v", err, countsOf(o))
	}
	o = New(connect.TaskID{}, Config{}, zap.NewNop())
	if o.Report(t.Context(), f); countsOf(o) != (counts{1, 0, 0, 0, 0}) {
		t.Errorf("reported: %+v", countsOf(o))
	}
}

func TestErrorLog(t *testing.T) {
	partition, offset := data.NewMap(1), data.NewMap(1)
	partition.Put("file", "a")
	offset.Put("pos", int64(4))
	source := connect.NewSourceRecord(partition, offset, "t", data.StringSchema, "v")
	bare := connect.SourceRecord{Record: connect.Record{Topic: "t", Partition: 2, Timestamp: 9,
		Headers: []connect.Header{{Key: "h", Schema: data.Int32Schema, Value: int32(1)}, {Key: "i", Value: nil}}}}
	noTime := &connect.SinkRecord{Original: record.Original, TimestampType: connect.NoTimestampType}
	for _, tc := range []struct {
		name string
		cfg  Config
		f    Failure
		want []string
	}{
		{"off", Config{LogMessages: true}, Failure{Record: record}, nil},
		{"without the record", Config{Log: true}, Failure{Record: record}, []string{"Error encountered in task c-1. Executing stage 'TASK_PUT' with class 'C'."}},
		{"a consumed record", Config{Log: true, LogMessages: true}, Failure{Record: record},
			[]string{"Error encountered in task c-1. Executing stage 'TASK_PUT' with class 'C', where consumed record is {topic='t', partition=3, offset=7, timestamp=5, timestampType=CreateTime}."}},
		{"as it was before transforms", Config{Log: true, LogMessages: true}, Failure{Record: record, Raw: &kafka.Record{Timestamp: 4, TimestampType: connect.LogAppendTime}},
			[]string{"Error encountered in task c-1. Executing stage 'TASK_PUT' with class 'C', where consumed record is {topic='t', partition=3, offset=7, timestamp=4, timestampType=LogAppendTime}."}},
		{"without a time", Config{Log: true, LogMessages: true}, Failure{Record: noTime},
			[]string{"Error encountered in task c-1. Executing stage 'TASK_PUT' with class 'C', where consumed record is {topic='t', partition=3, offset=0}."}},
		{"a source record", Config{Log: true, LogMessages: true}, Failure{Source: &source},
			[]string{"Error encountered in task c-1. Executing stage 'TASK_PUT' with class 'C', where source record is = SourceRecord{sourcePartition={file=a}, sourceOffset={pos=4}} " +
				"ConnectRecord{topic='t', kafkaPartition=null, key=null, keySchema=null, value=v, valueSchema=Schema{STRING}, timestamp=null, headers=ConnectHeaders(headers=)}."}},
		{"a source record with headers", Config{Log: true, LogMessages: true}, Failure{Source: &bare},
			[]string{"Error encountered in task c-1. Executing stage 'TASK_PUT' with class 'C', where source record is = SourceRecord{sourcePartition=null, sourceOffset=null} " +
				"ConnectRecord{topic='t', kafkaPartition=2, key=null, keySchema=null, value=null, valueSchema=null, timestamp=9, headers=ConnectHeaders(headers=" +
				"[ConnectHeader(key=h, value=1, schema=Schema{INT32}), ConnectHeader(key=i, value=null, schema=null)])}."}},
	} {
		core, logged := observer.New(zap.ErrorLevel)
		o := New(connect.TaskID{Connector: "c", Task: 1}, tc.cfg, zap.New(core))
		tc.f.Stage, tc.f.Class, tc.f.Err = TaskPut, "C", errors.New("x")
		o.Report(t.Context(), tc.f)
		var got []string
		for _, e := range logged.All() {
			got = append(got, e.Message)
		}
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tc.name, diff)
		}
	}
}
