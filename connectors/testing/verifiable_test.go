package testing

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/config"
	"github.com/penstock-io/penstock/connect/connecttest"
	"github.com/penstock-io/penstock/connect/data"
)

// output is a standard output that can be read while it is written.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

// take returns the lines since the last call.
func (o *output) take() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	text := strings.TrimSuffix(o.b.String(), "\n")
	o.b.Reset()
	if text == "" {
		return nil
	}
	return strings.Split(text, "\n")
}

func wantLines(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Fatalf("lines\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func startVerifiable(t *testing.T, out io.Writer, offsets *connecttest.Offsets, more ...string) *connecttest.SourceTask {
	t.Helper()
	p := props(append([]string{"name", "c", "topic", "t", "throughput", "1000"}, more...)...)(t)
	return connecttest.StartSource(t, NewVerifiableSource("4.3.1", out), p, connecttest.Options{Offsets: offsets}).Tasks[0]
}

func TestASourcePrintsALinePerRecordAndCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out, offsets := &output{}, &connecttest.Offsets{}
		task := startVerifiable(t, out, offsets, "throughput", "1")
		records, err := task.Poll(t.Context(), 2)
		if err != nil {
			t.Fatal(err)
		}
		wantLines(t, out.take(),
			`{"task":0,"seqno":0,"time_ms":946684800000,"name":"c","topic":"t"}`,
			`{"task":0,"seqno":1,"time_ms":946684801000,"name":"c","topic":"t"}`)
		r := records[1]
		key, _ := r.Key.Value()
		value, _ := r.Value.Value()
		if key != int32(0) || r.Key.Schema() != data.Int32Schema || value != int64(1) || r.Value.Schema() != data.Int64Schema ||
			r.SourcePartition.String() != "{id=0}" || r.SourceOffset.String() != "{seqno=1}" || r.Topic != "t" ||
			r.Partition != connect.AnyPartition || r.Timestamp != connect.NoTimestamp {
			t.Errorf("%+v", r)
		}
		if id, _ := r.SourcePartition.Get("id"); id != int32(0) {
			t.Errorf("id is a %T", id)
		}
		if err := task.Ack(t.Context(), records[0]); err != nil {
			t.Fatal(err)
		}
		wantLines(t, out.take(), `{"committed":true,"task":0,"seqno":0,"time_ms":946684801000,"name":"c","topic":"t"}`)
		// The next run goes on after the committed number.
		task = startVerifiable(t, out, offsets)
		if records, err = task.Poll(t.Context(), 1); err != nil || records[0].SourceOffset.String() != "{seqno=1}" {
			t.Errorf("%v, %v", records, err)
		}
	})
}

func TestCommitsArePrintedAtOnceWhileTheTaskWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := &output{}
		task := startVerifiable(t, out, nil, "throughput", "1")
		records, err := task.Poll(t.Context(), 1)
		if err != nil {
			t.Fatal(err)
		}
		out.take()
		committer := task.Task.(connect.RecordCommitter)
		if err := committer.CommitRecord(t.Context(), &records[0], nil); err != nil {
			t.Fatal(err)
		}
		wantLines(t, out.take()) // gathered until the next Poll
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			task.Task.Poll(ctx)
		}()
		synctest.Wait()
		if n := len(out.take()); n != 1 {
			t.Errorf("%d lines after the next Poll began, want 1", n)
		}
		if err := committer.CommitRecord(t.Context(), &records[0], nil); err != nil {
			t.Fatal(err)
		}
		if n := len(out.take()); n != 1 {
			t.Errorf("%d lines while Poll waits, want 1", n)
		}
		cancel()
		<-done
		if err := committer.CommitRecord(t.Context(), &records[0], nil); err != nil {
			t.Fatal(err)
		}
		if err := task.Task.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := len(out.take()); n != 1 {
			t.Errorf("%d lines after Stop, want 1", n)
		}
	})
}

func TestCompleteRecordsHaveTheWholeLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := &output{}
		task := startVerifiable(t, out, nil, "complete.record.data", "TRUE", "name", "a \"b\"\n")
		records, err := task.Poll(t.Context(), 1)
		if err != nil {
			t.Fatal(err)
		}
		v, _ := records[0].Value.Value()
		row := v.(*data.Struct)
		if err := row.Validate(); err != nil {
			t.Error(err)
		}
		if got := row.String(); got != "Struct{name=a \"b\"\n,task=0,topic=t,time_ms=946684800000,seqno=0}" {
			t.Errorf("%s", got)
		}
		if err := task.Ack(t.Context(), records...); err != nil {
			t.Fatal(err)
		}
		wantLines(t, out.take(), `{"task":0,"seqno":0,"time_ms":946684800000,"name":"a \"b\"\n","topic":"t"}`,
			`{"committed":true,"task":0,"seqno":0,"time_ms":946684800000,"name":"a \"b\"\n","topic":"t"}`)
	})
}

func TestThroughputIsKept(t *testing.T) {
	for perSecond, most := range map[int64]int{1: 1, 7: 1, 100: 2, 20_000: 1000} {
		synctest.Test(t, func(t *testing.T) {
			task := startVerifiable(t, io.Discard, nil, "throughput", fmt.Sprint(perSecond))
			start, n := time.Now(), 0
			for time.Since(start) < 10*time.Second {
				records, err := task.Task.Poll(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if len(records) > most {
					t.Fatalf("%d records at once at %d a second", len(records), perSecond)
				}
				n += len(records)
			}
			if want := int(perSecond) * 10; n < want || n > want+int(perSecond)/10+1 {
				t.Errorf("%d records in 10 s at %d a second", n, perSecond)
			}
		})
	}
	synctest.Test(t, func(t *testing.T) {
		task := startVerifiable(t, io.Discard, nil, "throughput", "0")
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if records, err := task.Task.Poll(ctx); len(records) > 0 || err != nil {
			t.Errorf("%d records, %v at 0 a second", len(records), err)
		}
	})
}

func TestASinkPrintsALinePerRecordAndCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := &output{}
		task := connecttest.StartSink(t, NewVerifiableSink("4.3.1", out), props("name", "c")(t), connecttest.Options{}).Tasks[0]
		a, b := connect.TopicPartition{Topic: "t"}, connect.TopicPartition{Topic: "t", Partition: 1}
		if err := task.Open(t.Context(), a, b); err != nil {
			t.Fatal(err)
		}
		record := func(tp connect.TopicPartition, offset int64, key, value any) connect.SinkRecord {
			r := connecttest.NewRecord(tp, offset, nil, value)
			r.Key.SetValue(nil, key)
			return r
		}
		row := data.NewStruct(completeSchema)
		if err := task.Put(t.Context(), record(a, 5, int32(0), int64(17)), record(b, 6, nil, "x\t"), record(a, 6, int32(1), row)); err != nil {
			t.Fatal(err)
		}
		bad := `Bad data can't be written as json: No serializer found for class org.apache.kafka.connect.data.Struct and no properties ` +
			`discovered to create BeanSerializer (to avoid exception, disable SerializationFeature.FAIL_ON_EMPTY_BEANS) (through reference chain: java.util.HashMap["seqno"])`
		wantLines(t, out.take(),
			`{"task":0,"seqno":17,"offset":5,"time_ms":946684800000,"name":"c","topic":"t","sinkTask":0}`, bad,
			`{"task":null,"seqno":"x\t","offset":6,"time_ms":946684800000,"name":"c","topic":"t","sinkTask":0}`)
		time.Sleep(time.Second)
		offsets, err := task.Close(t.Context(), a)
		if err != nil || offsets[a] != 7 {
			t.Fatalf("%v, %v", offsets, err)
		}
		wantLines(t, out.take(),
			`{"task":0,"seqno":17,"offset":5,"time_ms":946684801000,"name":"c","topic":"t","sinkTask":0,"flushed":true}`, bad)
		if _, err := task.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
		wantLines(t, out.take(),
			`{"task":null,"seqno":"x\t","offset":6,"time_ms":946684801000,"name":"c","topic":"t","sinkTask":0,"flushed":true}`)
		if _, err := task.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
		wantLines(t, out.take()) // once
	})
}

func TestKeysAreInTheOrderOfAHashMap(t *testing.T) {
	for _, test := range []struct{ put, want string }{
		{"name task topic time_ms seqno", "task seqno time_ms name topic"},
		{"name task topic time_ms seqno committed", "committed task seqno time_ms name topic"},
		{"name task sinkTask topic time_ms seqno offset flushed", "task seqno offset time_ms name topic sinkTask flushed"},
	} {
		if got := strings.Join(config.HashOrder(strings.Fields(test.put)), " "); got != test.want {
			t.Errorf("%s, want %s", got, test.want)
		}
	}
}

func TestASinkAsksForACommitBeforeItKeepsTooMuch(t *testing.T) {
	task := connecttest.StartSink(t, NewVerifiableSink("4.3.1", io.Discard), props("name", "c")(t), connecttest.Options{}).Tasks[0]
	tp := connect.TopicPartition{Topic: "t"}
	if err := task.Open(t.Context(), tp); err != nil {
		t.Fatal(err)
	}
	big := strings.Repeat("x", 1<<20)
	for offset := range int64(17) {
		if task.Context.CommitRequests() > 0 && offset < 16 {
			t.Fatalf("asked for a commit after %d MiB", offset)
		}
		if err := task.Put(t.Context(), connecttest.NewRecord(tp, offset, nil, big)); err != nil {
			t.Fatal(err)
		}
	}
	if task.Context.CommitRequests() == 0 {
		t.Error("17 MiB are kept and no commit was asked for")
	}
	if _, err := task.Commit(t.Context()); err != nil || task.Task.(*verifiableSinkTask).kept != 0 {
		t.Errorf("%v, still kept: %d", err, task.Task.(*verifiableSinkTask).kept)
	}
}

func TestValuesAreWrittenAsJacksonDoes(t *testing.T) {
	m := data.NewMap(2)
	m.Put("b", []any{int8(1), int16(2), float32(0.5), 1e10})
	m.Put("a", true)
	dec, err := data.ParseDecimal("1.50")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		v    any
		want string
	}{
		{nil, "null"}, {"\"\\\b\f\n\r\t\x01\x1fü", `"\"\\\b\f\n\r\t\u0001\u001Fü"`}, {m, `{"a":true,"b":[1,2,0.5,1.0E10]}`},
		{[]byte{1, 2, 255}, `"AQL/"`}, {dec, "1.50"}, {time.UnixMilli(1500).UTC(), "1500"}, {-1.0 / zero, `"-Infinity"`},
	} {
		if got, ok := appendValue(nil, test.v); !ok || string(got) != test.want {
			t.Errorf("%v: %s, want %s", test.v, got, test.want)
		}
	}
	for _, v := range []any{data.NewStruct(completeSchema), []any{data.NewStruct(completeSchema)}, func() any {
		m := data.NewMap(1)
		m.Put("a", data.NewStruct(completeSchema))
		return m
	}()} {
		if got, ok := appendValue(nil, v); ok {
			t.Errorf("%v: %s", v, got)
		}
	}
}

var zero float64

func BenchmarkVerifiableSource(b *testing.B) {
	p := props("name", "c", "topic", "t", "throughput", "-1")(b)
	task := connecttest.StartSource(b, NewVerifiableSource("4.3.1", io.Discard), p, connecttest.Options{}).Tasks[0].Task
	committer := task.(connect.RecordCommitter)
	meta := &connect.RecordMetadata{}
	b.ReportAllocs()
	for n := 0; n < b.N; {
		records, err := task.Poll(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		for i := range records {
			if err := committer.CommitRecord(b.Context(), &records[i], meta); err != nil {
				b.Fatal(err)
			}
		}
		n += len(records)
	}
}

func BenchmarkVerifiableSink(b *testing.B) {
	task := connecttest.StartSink(b, NewVerifiableSink("4.3.1", io.Discard), props("name", "c")(b), connecttest.Options{}).Tasks[0]
	tp := connect.TopicPartition{Topic: "t"}
	batch := make([]connect.SinkRecord, 500)
	for i := range batch {
		batch[i] = connecttest.NewRecord(tp, int64(i), nil, int64(i))
		batch[i].Key.SetValue(nil, int32(0))
	}
	b.ReportAllocs()
	for n := 0; n < b.N; n += len(batch) {
		if err := task.Task.Put(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
		if n%50_000 == 0 {
			if _, err := task.Task.PreCommit(b.Context(), map[connect.TopicPartition]int64{tp: 0}); err != nil {
				b.Fatal(err)
			}
		}
	}
}
