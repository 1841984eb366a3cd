package testing

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/connecttest"
	"github.com/penstock-io/penstock/connect/data"
)

func wantRuntimeException(t *testing.T, err error) {
	t.Helper()
	if err == nil || connect.Trace(err) != "java.lang.RuntimeException\n" {
		t.Errorf("error %v", err)
	}
}

func TestAMockConnectorFailsInTime(t *testing.T) {
	for delay, props := range map[time.Duration]map[string]string{
		15 * time.Second: {"mock_mode": "connector-failure"},
		2 * time.Second:  {"mock_mode": "connector-failure", "delay_ms": "2000"},
	} {
		synctest.Test(t, func(t *testing.T) {
			run := connecttest.StartSource(t, NewMockSource("4.3.1"), props, connecttest.Options{MaxTasks: 5})
			if len(run.Tasks) != 1 {
				t.Errorf("%d tasks", len(run.Tasks))
			}
			time.Sleep(delay - time.Millisecond)
			if err := run.Context.Raised(); err != nil {
				t.Errorf("too early: %v", err)
			}
			time.Sleep(2 * time.Millisecond)
			synctest.Wait()
			var own *connect.Error
			if err := run.Context.Raised(); !errors.As(err, &own) || own != errMock {
				t.Errorf("%v", err)
			}
		})
	}
	synctest.Test(t, func(t *testing.T) { // not after a stop
		run := connecttest.StartSink(t, NewMockSink("4.3.1"), map[string]string{"mock_mode": "connector-failure"}, connecttest.Options{})
		if err := run.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if err := run.Context.Raised(); err != nil {
			t.Error(err)
		}
	})
}

func TestMockTasksFailInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		props := map[string]string{"mock_mode": "task-failure", "delay_ms": "1000"}
		source := connecttest.StartSource(t, NewMockSource("4.3.1"), props, connecttest.Options{}).Tasks[0]
		start := time.Now()
		_, err := source.Task.Poll(t.Context())
		wantRuntimeException(t, err)
		if waited := time.Since(start); waited != time.Second {
			t.Errorf("after %s", waited)
		}
		sink := connecttest.StartSink(t, NewMockSink("4.3.1"), props, connecttest.Options{}).Tasks[0]
		for range 4 {
			if ms := sink.Context.TakeTimeout(); ms != 250 {
				t.Errorf("comes back after %d ms", ms)
			}
			time.Sleep(250 * time.Millisecond)
			if err := sink.Put(t.Context()); err != nil {
				t.Error(err)
			}
		}
		time.Sleep(time.Millisecond)
		wantRuntimeException(t, sink.Put(t.Context()))
	})
}

func TestOtherModesDoNotFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		run := connecttest.StartSource(t, NewMockSource("4.3.1"), map[string]string{"delay_ms": "not looked at"}, connecttest.Options{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if records, err := run.Tasks[0].Task.Poll(ctx); len(records) > 0 || err != nil {
			t.Errorf("%d records, %v", len(records), err)
		}
		if err := run.Context.Raised(); err != nil {
			t.Error(err)
		}
	})
}

func TestWrongNumbersAreNamed(t *testing.T) {
	for _, test := range []struct {
		key, value, want string
	}{
		{"throughput", "fast", `Invalid VerifiableSourceTask configuration: throughput is "fast"; set it to a whole number`},
		{"throughput", connecttest.Missing, "Invalid VerifiableSourceTask configuration: throughput is missing; set it to a whole number"},
		{"topic", "", "Invalid VerifiableSourceTask configuration: topic is missing; set it to the topic that gets the records"},
	} {
		p := map[string]string{"name": "c", "topic": "t", "throughput": "1"}
		if p[test.key] = test.value; test.value == connecttest.Missing {
			delete(p, test.key)
		}
		_, err := connecttest.OpenSource(t.Context(), NewVerifiableSource("4.3.1", &output{}), p, connecttest.Options{})
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%v, want %s", err, test.want)
		}
	}
}

func TestAnOffsetWithoutNumberIsRefused(t *testing.T) {
	partition, offset := data.NewMap(1), data.NewMap(1)
	partition.Put("id", int32(0))
	offset.Put("seqno", "many")
	offsets := &connecttest.Offsets{}
	if err := offsets.Set(partition, offset); err != nil {
		t.Fatal(err)
	}
	p := map[string]string{"topic": "t", "throughput": "1"}
	_, err := connecttest.OpenSource(t.Context(), NewVerifiableSource("4.3.1", &output{}), p, connecttest.Options{Offsets: offsets})
	if err == nil || !strings.Contains(err.Error(), "{id=0} is {seqno=many}") {
		t.Errorf("%v", err)
	}
}

func TestSchemaRecords(t *testing.T) {
	for _, multiple := range []string{"false", "true"} {
		out := &output{}
		p := map[string]string{"name": "c", "topic": "t", "throughput": "-1", "num.messages": "3", "partition.count": "2", "multiple.schema": multiple}
		run := connecttest.StartSource(t, NewSchemaSource("4.3.1", out), p, connecttest.Options{MaxTasks: 2})
		records, err := run.Tasks[1].Poll(t.Context(), 3)
		if err != nil {
			t.Fatal(err)
		}
		wantLines(t, out.take(), `{"task": 1, "seqno": 0}`, `{"task": 1, "seqno": 1}`, `{"task": 1, "seqno": 2}`)
		want := []string{
			"Struct{boolean=true,int=12,long=12,float=12.2,double=12.2,partitioning=0,id=1,seqno=0}",
			"Struct{boolean=true,int=12,long=12,float=12.2,double=12.2,partitioning=1,id=1,seqno=1}",
			"Struct{boolean=true,int=12,long=12,float=12.2,double=12.2,partitioning=0,id=1,seqno=2}",
		}
		if multiple == "true" {
			want[1] = "Struct{boolean=true,int=12,long=12,float=12.2,double=12.2,partitioning=1,string=def,id=1,seqno=1}"
		}
		for i, r := range records {
			key, _ := r.Key.Value()
			v, _ := r.Value.Value()
			row := v.(*data.Struct)
			if err := row.Validate(); err != nil {
				t.Error(err)
			}
			if row.String() != want[i] || key != "key" || r.Key.Schema() != data.StringSchema || r.Partition != 1 || r.SourcePartition.String() != "{id=1}" {
				t.Errorf("%s, want %s; %+v", row, want[i], r)
			}
		}
		version, _ := records[1].Value.Schema().Version()
		if wantVersion := map[string]int{"false": 1, "true": 2}[multiple]; records[1].Value.Schema().Name() != "record" || version != wantVersion {
			t.Errorf("version %d", version)
		}
		// All were made: it waits, and makes as many again when it is started again.
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		if more, err := run.Tasks[1].Task.Poll(ctx); len(more) > 0 || err != nil {
			t.Errorf("%d more records, %v", len(more), err)
		}
		if err := run.Tasks[1].Ack(t.Context(), records...); err != nil {
			t.Fatal(err)
		}
		again := connecttest.StartSource(t, NewSchemaSource("4.3.1", out), p, connecttest.Options{MaxTasks: 2, Offsets: run.Offsets})
		if records, err = again.Tasks[1].Poll(t.Context(), 3); err != nil || records[0].SourceOffset.String() != "{seqno=3}" {
			t.Errorf("%v, %v", records, err)
		}
	}
}
