package worker

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
	"pgregory.net/rapid"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/config"
	"github.com/penstock-io/penstock/connect/data"
	"github.com/penstock-io/penstock/connect/tolerance"
	"github.com/penstock-io/penstock/connect/transform"
	"github.com/penstock-io/penstock/internal/kafka"
)

// What may be wrong with a record, by its value.
const (
	good            = "good"
	dropped         = "dropped" // by a transform
	badKey          = "bad key"
	badValue        = "bad value"
	badHeader       = "bad header"
	panicking       = "panic"
	badTransform    = "bad transform"
	panicTransform  = "panic transform"
	errant          = "errant" // reported by the task
	badPut          = "bad put"
	flakyConversion = "flaky"
	flakyTransform  = "flaky transform" // fails after it has changed the record
)

// stageOf tells where a kind of record ends, "" if it does not.
var stageOf = map[string]string{
	badKey: "KEY_CONVERTER key.Class", badValue: "VALUE_CONVERTER value.Class", panicking: "VALUE_CONVERTER value.Class", badHeader: "HEADER_CONVERTER header.Class",
	badTransform: "TRANSFORMATION poison.Transform", panicTransform: "TRANSFORMATION poison.Transform",
	errant: "TASK_PUT " + sinkTaskClass, badPut: "TASK_PUT " + sinkTaskClass,
}

// poisonConverter fails as its input says.
type poisonConverter struct {
	rawText
	is    string
	tries map[string]int
}

func (c *poisonConverter) ToConnect(_ string, raw []byte, out *data.Datum) error {
	kind, _, _ := strings.Cut(string(raw), "/")
	switch {
	case kind == c.is:
		return &data.Error{Msg: "this is a " + kind}
	case kind == panicking && c.is == badValue:
		panic("no idea")
	case kind == flakyConversion && c.tries != nil:
		if c.tries[string(raw)]++; c.tries[string(raw)] < 3 {
			return &connect.RetriableError{Err: errors.New("registry is away")}
		}
	}
	out.SetValue(nil, string(raw))
	return nil
}

func (*poisonConverter) ToConnectHeader(_, _ string, raw []byte) (*data.Schema, any, error) {
	if string(raw) == badHeader {
		return nil, nil, errors.New("this is a bad header")
	}
	return nil, string(raw), nil
}

// poisonTransform renames the topic, counts in the key and does what the value says.
type poisonTransform struct{ tried map[string]bool }

func (*poisonTransform) Configure(map[string]string) error { return nil }
func (*poisonTransform) ConfigDef() *config.Def            { return config.NewDef() }
func (*poisonTransform) Close() error                      { return nil }
func (p *poisonTransform) Apply(rec *connect.Record) (bool, error) {
	v, err := rec.Value.Value()
	if err != nil {
		return false, err
	}
	rec.Topic += "-renamed"
	k, _ := rec.Key.Value()
	rec.Key.SetValue(nil, k.(string)+"+")
	switch kind, _, _ := strings.Cut(v.(string), "/"); kind {
	case dropped:
		return false, nil
	case badTransform:
		return false, &connect.DataError{Msg: "no such field"}
	case panicTransform:
		panic("nil")
	case flakyTransform:
		if !p.tried[v.(string)] {
			p.tried[v.(string)] = true
			return false, &connect.RetriableError{Err: errors.New("look-up is away")}
		}
	}
	return true, nil
}

func poisonChain(t *testing.T) *transform.Chain {
	t.Helper()
	chain, err := transform.NewChain(map[string]string{"transforms": "p", "transforms.p.type": "poison.Transform"}, transform.Lookup{
		Transformation: func(class string) (transform.Transformation, bool) {
			return &poisonTransform{map[string]bool{}}, class == "poison.Transform"
		}})
	if err != nil {
		t.Fatal(err)
	}
	return chain
}

// poisonRig is a rig with those converters, transforms and an atomic sink that reports.
func poisonRig(t *testing.T, tol tolerance.Config, p *fakeLetters) (*rig, *atomicSink) {
	r := newRig(t, tol).withLetters(p)
	s := &atomicSink{fakeSink: r.sink, safe: true}
	r.task.sink = s
	r.task.convert = &sinkConverter{chain: poisonChain(t), converters: &converters{
		key: &poisonConverter{is: badKey}, value: &poisonConverter{is: badValue, tries: map[string]int{}}, header: &poisonConverter{},
		keyClass: "key.Class", valueClass: "value.Class", headerClass: "header.Class"}}
	return r, s
}

func letterText(l *kafka.ProducerRecord) string {
	h := map[string]string{}
	for _, x := range l.Headers {
		h[strings.TrimPrefix(x.Key, "__connect.errors.")] = string(x.Value)
	}
	return fmt.Sprintf("%s-%s@%s %s %s %s", h["topic"], h["partition"], h["offset"], h["stage"], h["class.name"], l.Value)
}

// Poison of any kind among good records: exactly the poison is in the dead letter queue,
// with its stage, all else reaches the task once and in order, and the offsets cover
// everything, but never a letter that is not written.
func TestPoisonEndsInTheDeadLetterQueue(t *testing.T) {
	kinds := []string{good, good, good, good, good, good, dropped, badKey, badValue, badHeader, panicking, badTransform, panicTransform, errant, badPut, flakyConversion, flakyTransform}
	rapid.Check(t, func(rt *rapid.T) {
		letters := &fakeLetters{hold: rapid.Bool().Draw(rt, "acks come late")}
		r, s := poisonRig(t, tolerance.Config{All: true, RetryTimeout: -1}, letters)
		r.task.operator = tolerance.New(r.task.id, tolerance.Config{All: true, RetryTimeout: -1}, zap.NewNop())
		r.task.dead.metrics = &r.task.operator.Metrics
		next := map[connect.TopicPartition]int64{}
		written, reported := map[connect.TopicPartition][]string{}, map[connect.TopicPartition][]string{}
		fillPoison(rt, r, kinds, next, written, reported, letters)

		delivered := map[connect.TopicPartition][]string{}
		retries := rapid.SliceOfN(rapid.IntRange(0, 5), 1, 4).Draw(rt, "retries")
		commits := rapid.SliceOfN(rapid.Bool(), 1, 8).Draw(rt, "commits")
		s.put = func(records []connect.SinkRecord) error {
			if commits[s.puts%len(commits)] {
				r.sink.tc.RequestCommit()
			}
			return s.take(r, records, retries, delivered)
		}
		last := ""
		got := r.run()
		for _, l := range got {
			if strings.HasPrefix(l, "unwritten") {
				rt.Fatalf("committed beyond a letter: %s", l)
			}
			last = l
		}
		if last != "status UNASSIGNED" {
			rt.Fatalf("the task ended with %s:\n%s", last, strings.Join(got, "\n"))
		}
		if diff := cmp.Diff(written, delivered); diff != "" {
			rt.Errorf("delivered (-want +got):\n%s", diff)
		}
		inQueue := map[connect.TopicPartition][]string{}
		for i := range letters.sent {
			text := letterText(&letters.sent[i])
			tp := tp0
			if strings.HasPrefix(text, "t-1@") {
				tp = tp1
			}
			inQueue[tp] = append(inQueue[tp], text)
		}
		for _, tp := range []connect.TopicPartition{tp0, tp1} {
			// Errors of converters are found before those of the task: sorted by offset.
			if diff := cmp.Diff(asSet(reported[tp]), asSet(inQueue[tp])); diff != "" || len(reported[tp]) != len(inQueue[tp]) {
				rt.Errorf("letters of %v (-want +got):\n%s", tp, diff)
			}
		}
		if want := fmt.Sprintf("map[t-0:%d t-1:%d]", next[tp0], next[tp1]); !strings.HasSuffix(committed(got), want) && next[tp0]+next[tp1] > 0 {
			rt.Errorf("the last commit is %q, want %s", committed(got), want)
		}
	})
}

func asSet(list []string) map[string]bool {
	m := map[string]bool{}
	for _, x := range list {
		m[x] = true
	}
	return m
}

// fillPoison writes the script of polls and notes what must come of it.
func fillPoison(rt *rapid.T, r *rig, kinds []string, next map[connect.TopicPartition]int64, written, reported map[connect.TopicPartition][]string, letters *fakeLetters) {
	next[tp0], next[tp1] = 0, 0
	r.consumer.script = append(r.consumer.script, assign(tp0, tp1))
	r.consumer.onCommit = func(offsets map[connect.TopicPartition]int64) {
		for tp, offset := range offsets {
			for l := range r.task.dead.open[tp] {
				if l.offset < offset {
					r.add("unwritten %v %d, committed %d", tp, l.offset, offset)
				}
			}
		}
	}
	badPuts := 0
	var last []kafka.Record
	for poll := range rapid.IntRange(1, 6).Draw(rt, "polls") {
		var batches []kafka.Batch
		for _, tp := range []connect.TopicPartition{tp0, tp1} {
			b := kafka.Batch{TopicPartition: tp}
			for _, kind := range rapid.SliceOfN(rapid.SampledFrom(kinds), 0, 12).Draw(rt, fmt.Sprintf("%v of poll %d", tp, poll)) {
				if kind == badPut {
					if badPuts++; badPuts > maxSuspects {
						kind = good // more in a row would be an outage
					}
				}
				offset := next[tp]
				next[tp] = offset + 1 + rapid.Int64Range(0, 1).Draw(rt, "gap")
				value := fmt.Sprintf("%s/%d", kind, offset)
				rec := kafka.Record{Offset: offset, Timestamp: 1, Key: []byte("k"), Value: []byte(value)}
				switch kind {
				case badKey:
					rec.Key = []byte(badKey)
				case badHeader:
					rec.Headers = []kafka.Header{{Key: "h", Value: []byte(badHeader)}}
				}
				b.Records = append(b.Records, rec)
				if stage := stageOf[kind]; stage != "" {
					reported[tp] = append(reported[tp], fmt.Sprintf("t-%d@%d %s %s", tp.Partition, offset, stage, value))
				} else if kind != dropped {
					written[tp] = append(written[tp], "t-renamed k+ "+value)
				}
			}
			if n := len(b.Records); n > 0 {
				next[tp] = b.Records[n-1].Offset + 1
				batches = append(batches, b)
			}
		}
		ack := rapid.Bool().Draw(rt, "ack")
		r.consumer.script = append(r.consumer.script, func(*fakeConsumer) []kafka.Batch {
			clear(last) // the consumer reuses its records
			last = nil
			if ack {
				letters.release(nil)
			}
			if r.task.redelivering {
				return nil // tried again below
			}
			for i := range batches {
				last = append(last, batches[i].Records...)
			}
			from := 0
			for i := range batches {
				n := len(batches[i].Records)
				batches[i].Records = last[from : from+n : from+n]
				from += n
			}
			return batches
		})
		// All are paused while a batch is put again.
		fetchStep := r.consumer.script[len(r.consumer.script)-1]
		r.consumer.script[len(r.consumer.script)-1] = repeatWhilePaused(r, fetchStep)
	}
	r.consumer.script = append(r.consumer.script, repeatWhilePaused(r, func(*fakeConsumer) []kafka.Batch {
		clear(last)
		letters.release(nil)
		letters.mu.Lock()
		letters.hold = false
		letters.mu.Unlock()
		return nil
	}))
}

// repeatWhilePaused polls nothing as long as the last batch is put again.
func repeatWhilePaused(r *rig, step func(*fakeConsumer) []kafka.Batch) func(*fakeConsumer) []kafka.Batch {
	var again func(c *fakeConsumer) []kafka.Batch
	again = func(c *fakeConsumer) []kafka.Batch {
		if !r.task.redelivering {
			return step(c)
		}
		c.script = append([]func(*fakeConsumer) []kafka.Batch{again}, c.script...)
		return nil
	}
	return again
}

// take is an atomic put that reports errant records and asks for some retries.
func (s *atomicSink) take(r *rig, records []connect.SinkRecord, retries []int, delivered map[connect.TopicPartition][]string) error {
	if len(records) == 0 {
		return nil
	}
	s.puts++
	if at := s.puts % len(retries); retries[at] > 0 {
		retries[at]--
		return &connect.RetriableError{Err: errors.New("later")}
	}
	kind := func(i int) (string, string) {
		v, _ := records[i].Value.Value()
		k, _, _ := strings.Cut(v.(string), "/")
		return k, v.(string)
	}
	for i := range records {
		if k, _ := kind(i); k == badPut {
			return errors.New("cannot write this")
		}
	}
	for i := range records {
		k, v := kind(i)
		if k == errant {
			if err := r.sink.tc.ReportErrant(&records[i], errors.New("not for me")); err != nil {
				return err
			}
			continue
		}
		key, _ := records[i].Key.Value()
		tp := records[i].Original
		delivered[tp] = append(delivered[tp], fmt.Sprintf("%s %v %s", records[i].Topic, key, v))
	}
	return nil
}

// topicList tracks topics for a test.
type topicList []string

func (l *topicList) track(topic string) { *l = append(*l, topic) }

func TestTopicsAreTrackedByTheirOriginalNameOnceConverted(t *testing.T) {
	var topics topicList
	r, s := poisonRig(t, tolerateAll, &fakeLetters{})
	s.fail = func(string) error { return nil }
	s.put = s.all
	r.task.topics = &topics
	r.consumer.script = append(r.consumer.script, assign(tp0), fetch(tp0, 0, badValue+"/0"))
	r.run()
	if len(topics) > 0 {
		t.Errorf("tracked %v, but nothing could be converted", topics)
	}
	r, s = poisonRig(t, tolerateAll, &fakeLetters{})
	s.fail = func(string) error { return nil }
	s.put = s.all
	r.task.topics = &topics
	poisoned := func(*fakeConsumer) []kafka.Batch {
		return []kafka.Batch{{TopicPartition: tp0, Records: []kafka.Record{{Key: []byte("k"), Value: []byte(badTransform)}}}}
	}
	r.consumer.script = append(r.consumer.script, assign(tp0), poisoned)
	r.run()
	if diff := cmp.Diff(topicList{"t"}, topics); diff != "" {
		t.Errorf("tracked (-want +got):\n%s", diff)
	}
}

// Without a dead letter queue and an error log, the first record that is lost is told.
func TestSkippingWithoutATraceIsSaidOnce(t *testing.T) {
	core, logged := observer.New(zap.WarnLevel)
	r := newRig(t, tolerateAll, assign(tp0), fetch(tp0, 0, "errant", "a", "errant"))
	r.task.log = zap.New(core)
	r.reporting("errant")
	if got := r.run(); committed(got) != "commit at close map[t-0:3]" {
		t.Error(strings.Join(got, "\n"))
	}
	if n := logged.FilterMessageSnippet("errors.deadletterqueue.topic.name").Len(); n != 1 {
		t.Errorf("said %d times", n)
	}
}

func TestAFailingTransformIsNamed(t *testing.T) {
	r, _ := poisonRig(t, tolerance.Config{}, &fakeLetters{})
	b := kafka.Batch{TopicPartition: tp0, Records: []kafka.Record{{Key: []byte("k"), Value: []byte(badTransform)}}}
	_, _, err := r.task.convert.batch(context.Background(), nil, &b, r.task.operator)
	if err == nil || !strings.Contains(err.Error(), "failed at stage TRANSFORMATION with class poison.Transform. Set transforms") {
		t.Errorf("error %v", err)
	}
}

func BenchmarkSinkConvertWithoutTransforms(b *testing.B) {
	c := &sinkConverter{chain: &transform.Chain{}, converters: &converters{key: passConverter{}, value: passConverter{}, header: passConverter{}}}
	batch := kafka.Batch{TopicPartition: tp0, Records: make([]kafka.Record, 500)}
	op := tolerance.New(connect.TaskID{}, tolerance.Config{}, zap.NewNop())
	var dst []connect.SinkRecord
	b.ReportAllocs()
	for b.Loop() {
		dst, _, _ = c.batch(b.Context(), dst[:0], &batch, op)
	}
}

// passConverter costs nothing.
type passConverter struct{ textConverter }

func (passConverter) ToConnect(string, []byte, *data.Datum) error { return nil }
