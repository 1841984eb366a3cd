package topiclog

import (
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/penstock-io/penstock/connect"
)

// TestAReaderThatIsHeldUpByATransactionSaysSo: a worker that starts would else log nothing
// for minutes.
func TestAReaderThatIsHeldUpByATransactionSaysSo(t *testing.T) {
	core, logs := observer.New(zapcore.WarnLevel)
	behind, done := connect.TopicPartition{Topic: topic, Partition: 18}, connect.TopicPartition{Topic: topic}
	start := time.Now()
	w := &waiter{ends: map[connect.TopicPartition]int64{behind: 611, done: 5}, from: start}
	l := &Log{o: Options{Topic: topic, Log: zap.New(core)}, waiters: map[*waiter]struct{}{w: {}}}
	positions := map[connect.TopicPartition]int64{behind: 610, done: 5}
	for _, tc := range []struct{ after, lines int }{{0, 0}, {29, 0}, {30, 1}, {59, 1}, {60, 2}} {
		l.tellSlow(positions, start.Add(time.Duration(tc.after)*time.Second))
		if got := logs.Len(); got != tc.lines {
			t.Errorf("after %d s: %d lines, want %d", tc.after, got, tc.lines)
		}
	}
	positions[behind] = 611
	l.tellSlow(positions, start.Add(10*slowTime))
	all := logs.All()
	if len(all) != 2 {
		t.Fatalf("%d lines, want 2", len(all))
	}
	if got, ok := all[0].ContextMap()["behind"].([]any); !ok || len(got) != 1 || got[0] != behind.String()+" at 610 of 611" {
		t.Errorf("behind is %v", all[0].ContextMap()["behind"])
	}
}
