package worker

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"go.uber.org/zap"
	"pgregory.net/rapid"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/internal/kafka"
	"github.com/penstock-io/penstock/storage/memstore"
)

// TestCommittedOffsetsNeverPassAnUnacknowledgedRecord sends segments with records that are
// left out, settles them in any order, some with failures, and flushes in between, which
// may fail. After each flush: an offset is that of the last record before the first one that
// is not acknowledged, and it never goes back.
func TestCommittedOffsetsNeverPassAnUnacknowledgedRecord(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		m := newSubmittedModel(rt)
		for range rapid.IntRange(1, 40).Draw(rt, "steps") {
			switch rapid.IntRange(0, 3).Draw(rt, "step") {
			case 0:
				m.submit()
			case 1, 2:
				m.settle()
			case 3:
				m.flush()
			}
		}
		m.flush()
	})
}

// submittedModel is what must come out.
type submittedModel struct {
	t       *rapid.T
	records *submittedRecords
	store   *fakeOffsets
	writer  *offsetWriter
	fail    bool
	reuse   bool // the task uses the same maps again

	sent   map[string][]*modelRecord // by source partition, in order
	onWay  []*modelRecord
	stored map[string]int64
	next   int64
	told   int
}

type modelRecord struct {
	seg   *segment
	out   int
	n     int64
	acked bool
}

func newSubmittedModel(t *rapid.T) *submittedModel {
	m := &submittedModel{t: t, sent: map[string][]*modelRecord{}, stored: map[string]int64{}, reuse: rapid.Bool().Draw(t, "reuse maps"),
		store: &fakeOffsets{OffsetStore: memstore.NewOffsetStore(), trace: &trace{}}}
	m.records = newSubmittedRecords("c", rapid.Bool().Draw(t, "tolerate"), rapid.Bool().Draw(t, "notify"), &sourceCounters{})
	m.writer = newOffsetWriter(m.store, "c", zap.NewNop())
	m.store.fails(func(context.Context) error {
		if m.fail {
			return errors.New("no")
		}
		return nil
	})
	if err := m.store.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	return m
}

func (m *submittedModel) submit() {
	n := rapid.IntRange(1, 5).Draw(m.t, "records")
	seg := &segment{done: n}
	var mine []*modelRecord
	var partitions []string
	maps := map[string]connect.SourceRecord{}
	for i := range n {
		m.next++
		p := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(m.t, "partition")
		r := rec(p, m.next, "")
		if first, ok := maps[p]; ok && m.reuse {
			r.SourcePartition = first.SourcePartition
		}
		maps[p] = r
		seg.records = append(seg.records, r)
		if rapid.IntRange(0, 4).Draw(m.t, "leave out") == 0 {
			seg.leaveOut(i)
			continue
		}
		if seg.index != nil {
			seg.index = append(seg.index, int32(i))
		}
		mine, partitions = append(mine, &modelRecord{seg: seg, out: len(seg.out), n: m.next}), append(partitions, p)
		seg.out = append(seg.out, kafka.ProducerRecord{Topic: "t"})
	}
	m.records.submit(seg)
	m.records.taken(len(seg.out))
	for i, r := range mine {
		m.sent[partitions[i]] = append(m.sent[partitions[i]], r)
	}
	m.onWay = append(m.onWay, mine...)
	m.tell()
}

// settle acknowledges a few records of one segment.
func (m *submittedModel) settle() {
	if len(m.onWay) == 0 {
		return
	}
	seg := m.onWay[rapid.IntRange(0, len(m.onWay)-1).Draw(m.t, "which")].seg
	var acks []kafka.Ack
	var left []*modelRecord
	for _, r := range m.onWay {
		if r.seg != seg || rapid.Bool().Draw(m.t, "not yet") {
			left = append(left, r)
			continue
		}
		a := kafka.Ack{Index: r.out}
		if rapid.IntRange(0, 9).Draw(m.t, "fail") == 0 {
			a.Err = errors.New("failed")
		}
		r.acked = a.Err == nil || m.records.tolerate
		acks = append(acks, a)
	}
	m.onWay = left
	if len(acks) > 0 {
		m.records.settle(seg, 0, acks)
	}
	m.tell()
}

// tell takes what the task is told of: records of a source partition must be in order.
func (m *submittedModel) tell() {
	ready, _ := m.records.take()
	last := map[*sourcePartition]int64{}
	for _, sub := range ready {
		v, _ := sub.record.SourceOffset.Get("n")
		if n := v.(int64); n <= last[sub.partition] {
			m.t.Fatalf("told of %d after %d", n, last[sub.partition])
		} else {
			last[sub.partition] = n
		}
	}
	m.told += len(ready)
	m.records.told(len(ready))
}

func (m *submittedModel) flush() {
	m.fail = rapid.IntRange(0, 3).Draw(m.t, "flush fails") == 0
	m.records.drainTo(m.writer)
	var err error
	if !m.writer.empty() {
		err = m.writer.flush(context.Background())
	}
	if m.fail {
		if len(m.writer.pending) > 0 && err == nil {
			m.t.Fatal("the failure was not told")
		}
		return
	}
	if err != nil {
		m.t.Fatal(err)
	}
	held := 0
	for p, sent := range m.sent {
		want := m.stored[p]
		i := 0
		for ; i < len(sent) && sent[i].acked; i++ {
			want = sent[i].n
		}
		held += len(sent) - i
		m.stored[p] = want
		got := ""
		if want > 0 {
			got = fmt.Sprintf(`{"n":%d}`, want)
		}
		if stored := storedOffset(m.t, m.store, p); stored != got {
			m.t.Fatalf("partition %s: stored %s, want %s", p, stored, got)
		}
	}
	if m.records.held < held || !m.records.notify && m.records.held != held {
		m.t.Fatalf("%d records are held, want %d", m.records.held, held)
	}
	if m.records.inFlight != len(m.onWay) {
		m.t.Fatalf("%d records in flight, want %d", m.records.inFlight, len(m.onWay))
	}
}

// A partition is forgotten when it has nothing on its way, however many there were.
func TestPartitionsAreForgotten(t *testing.T) {
	s := newSubmittedRecords("c", false, false, &sourceCounters{})
	w := newOffsetWriter(memstore.NewOffsetStore(), "c", zap.NewNop())
	for i := range 3 * maxKnownMaps {
		seg := &segment{records: []connect.SourceRecord{rec(fmt.Sprint(i), 1, "")}, out: make([]kafka.ProducerRecord, 1), done: 1}
		s.submit(seg)
		s.taken(1)
		s.settle(seg, 0, []kafka.Ack{{}})
		if len(s.partitions.byMap) > maxKnownMaps {
			t.Fatalf("%d maps are known", len(s.partitions.byMap))
		}
	}
	s.drainTo(w)
	if n := len(s.partitions.byID) + len(s.partitions.byMap) + len(s.partitions.listed) + s.held; n != 0 {
		t.Errorf("%d things are kept", n)
	}
}

func TestRoomIsBounded(t *testing.T) {
	s := newSubmittedRecords("c", false, false, &sourceCounters{})
	seg := &segment{records: make([]connect.SourceRecord, maxSubmitted), out: make([]kafka.ProducerRecord, maxSubmitted), done: maxSubmitted}
	for i := range seg.records {
		seg.records[i].SourceOffset = offset(int64(i))
	}
	s.submit(seg)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.awaitRoom(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("there is room: %v", err)
	}
	s.settle(seg, 0, []kafka.Ack{{Index: 1}})
	if err := s.awaitRoom(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("a record that was overtaken made room: %v", err)
	}
	s.settle(seg, 0, []kafka.Ack{{Index: 0}})
	if err := s.awaitRoom(t.Context()); err != nil {
		t.Error(err)
	}
}
