package worker

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/data"
	"github.com/penstock-io/penstock/internal/kafka"
)

// mapOf makes a map of pairs of key and value.
func mapOf(pairs ...any) *data.Map {
	m := data.NewMap(len(pairs) / 2)
	for i := 0; i < len(pairs); i += 2 {
		m.Put(pairs[i], pairs[i+1])
	}
	return m
}

func TestParseSinkOffsets(t *testing.T) {
	good := mapOf("kafka_topic", "t", "kafka_partition", int64(1))
	parsed, err := parseSinkOffsets([]connect.SourceOffset{
		{Partition: good, Offset: mapOf("kafka_offset", int64(7))},
		{Partition: mapOf("kafka_topic", "t", "kafka_partition", "2", "more", true), Offset: mapOf("kafka_offset", "-8", "x", nil)},
		{Partition: mapOf("kafka_topic", int64(5), "kafka_partition", int64(0))},
		{Partition: good, Offset: mapOf("kafka_offset", int64(9))}, // the last one counts
	})
	if err != nil {
		t.Fatal(err)
	}
	nine, minus8 := int64(9), int64(-8)
	want := map[connect.TopicPartition]*int64{{Topic: "t", Partition: 1}: &nine, {Topic: "t", Partition: 2}: &minus8, {Topic: "5"}: nil}
	if diff := cmp.Diff(want, parsed); diff != "" {
		t.Errorf("parsed (-want +got):\n%s", diff)
	}
	const badPartition = "Failed to parse the following Kafka partition value in the provided offsets: '%s'. Partition values for sink connectors need to be integers."
	const badOffset = "Failed to parse the following Kafka offset value in the provided offsets: '%s'. Offset values for sink connectors need to be integers."
	const badKeys = "The partition for a sink connector offset must contain the keys 'kafka_topic' and 'kafka_partition'"
	for _, tc := range []struct {
		partition, offset *data.Map
		want              string
	}{
		{nil, nil, "The partition for a sink connector offset cannot be null or missing"},
		{mapOf(), nil, badKeys},
		{mapOf("kafka_topic", "t"), nil, badKeys},
		{mapOf("kafka_partition", int64(1)), nil, badKeys},
		{mapOf("kafka_topic", nil, "kafka_partition", int64(1)), nil, "Kafka topic names must be valid strings and may not be null"},
		{mapOf("kafka_topic", "t", "kafka_partition", nil), nil, "Kafka partitions must be valid numbers and may not be null"},
		{mapOf("kafka_topic", "t", "kafka_partition", "x"), nil, fmt.Sprintf(badPartition, "x")},
		{mapOf("kafka_topic", "t", "kafka_partition", 1.0), nil, fmt.Sprintf(badPartition, "1.0")},
		{mapOf("kafka_topic", "t", "kafka_partition", true), nil, fmt.Sprintf(badPartition, "true")},
		{mapOf("kafka_topic", "t", "kafka_partition", int64(1)<<31), nil, fmt.Sprintf(badPartition, "2147483648")},
		{good, mapOf(), "The offset for a sink connector should either be null or contain the key 'kafka_offset'"},
		{good, mapOf("kafka_offset", nil), fmt.Sprintf(badOffset, "null")},
		{good, mapOf("kafka_offset", 1e3), fmt.Sprintf(badOffset, "1000.0")},
		{good, mapOf("kafka_offset", new(big.Int).Lsh(big.NewInt(1), 64)), fmt.Sprintf(badOffset, "18446744073709551616")},
	} {
		_, err := parseSinkOffsets([]connect.SourceOffset{{Partition: tc.partition, Offset: tc.offset}})
		var wrong *OffsetsError
		if !errors.As(err, &wrong) || wrong.Msg != tc.want {
			t.Errorf("%v, %v: got %v\nwant %s", tc.partition, tc.offset, err, tc.want)
		}
	}
}

// fakeGroups is one group whose calls fail as told.
type fakeGroups struct {
	*trace
	committed map[connect.TopicPartition]int64
	fail      map[string]error // by method
}

func (g *fakeGroups) GroupOffsets(context.Context, string) (map[connect.TopicPartition]int64, error) {
	return g.committed, g.fail["list"]
}

func (g *fakeGroups) AlterGroupOffsets(_ context.Context, group string, offsets map[connect.TopicPartition]int64) error {
	g.add("alter %s %v", group, offsets)
	return g.fail["alter"]
}

func (g *fakeGroups) DeleteGroupOffsets(_ context.Context, group string, tps []connect.TopicPartition) error {
	g.add("forget %s %v", group, tps)
	return g.fail["forget"]
}

func (g *fakeGroups) DeleteGroup(_ context.Context, group string) error {
	g.add("delete %s", group)
	return g.fail["delete"]
}

// altererSink is a sink connector that is told of changes of its offsets.
type altererSink struct {
	fakeConnector
	alter func(props map[string]string, offsets map[connect.TopicPartition]*int64) error
}

func (a *altererSink) AlterOffsets(props map[string]string, offsets map[connect.TopicPartition]*int64) error {
	return a.alter(props, offsets)
}

func sinkAccess(tr *trace, c connect.Connector) *offsetAccess {
	return &offsetAccess{w: &Worker{Options: Options{Log: zap.NewNop()}}, name: "c", kind: "sink", connector: c, props: map[string]string{"k": "v"}}
}

const (
	busyAlter = "Failed to alter consumer group offsets for connector c either because its tasks haven't stopped completely yet or the connector was resumed " +
		"before the request to alter its offsets could be successfully completed. If the connector is in a stopped state, this operation can be safely retried. " +
		"If it doesn't eventually succeed, the Connect cluster may need to be restarted to get rid of the zombie sink tasks."
)

func TestErrorsOfAGroup(t *testing.T) {
	busyReset := strings.ReplaceAll(busyAlter, "alter", "reset")
	authorization := fmt.Errorf("no right: %w", kafka.ErrAuthorization)
	for _, tc := range []struct {
		method string
		err    error
		reset  bool
		want   string // "" = success
	}{
		{"alter", kafka.ErrGroupNotEmpty, false, busyAlter + ": "},
		{"forget", kafka.ErrGroupNotEmpty, false, busyAlter + ": "},
		{"alter", authorization, false, "Failed to alter consumer group offsets for connector c: no right"},
		{"forget", kafka.ErrUnknownGroup, false, "Failed to alter consumer group offsets for connector c: "},
		{"delete", kafka.ErrGroupNotEmpty, true, busyReset + ": "},
		{"delete", authorization, true, "Failed to reset consumer group offsets for sink connector c: no right"},
		{"delete", kafka.ErrUnknownGroup, true, ""},
		{"list", authorization, true, "Failed to list offsets prior to resetting offsets for sink connector c: no right"},
		{"list", kafka.ErrUnknownGroup, true, ""},
	} {
		tr := &trace{}
		groups := &fakeGroups{trace: tr, fail: map[string]error{tc.method: tc.err}}
		one := int64(1)
		m := sinkAccess(tr, &fakeConnector{trace: tr})
		var err error
		if tc.reset {
			_, err = m.resetGroup(t.Context(), groups, "g")
		} else {
			_, err = m.alterGroup(t.Context(), groups, "g", map[connect.TopicPartition]*int64{tp0: &one, tp1: nil})
		}
		if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.HasPrefix(err.Error(), tc.want) || !errors.Is(err, tc.err)) {
			t.Errorf("%s fails with %v: got %v\nwant %s", tc.method, tc.err, err, tc.want)
		}
	}
	groups := &fakeGroups{fail: map[string]error{"list": authorization}}
	if _, err := sinkAccess(&trace{}, nil).listSink(t.Context(), groups, "g"); err == nil ||
		!strings.HasPrefix(err.Error(), "Failed to retrieve consumer group offsets for sink connector c: no right") {
		t.Errorf("list: %v", err)
	}
}

func TestASinkIsToldOfAChange(t *testing.T) {
	tr := &trace{}
	var refuse error
	connector := &altererSink{fakeConnector: fakeConnector{trace: tr}, alter: func(props map[string]string, offsets map[connect.TopicPartition]*int64) error {
		tr.add("told of %d offsets with %v", len(offsets), props)
		clear(offsets) // what it does with the map is its own affair
		clear(props)
		return refuse
	}}
	groups := &fakeGroups{trace: tr, committed: map[connect.TopicPartition]int64{tp0: 5, tp1: 6}}
	m := sinkAccess(tr, connector)
	one := int64(1)
	changes := func() map[connect.TopicPartition]*int64 {
		return map[connect.TopicPartition]*int64{tp0: &one, tp1: nil}
	}
	if told, err := m.alterGroup(t.Context(), groups, "g", changes()); err != nil || !told {
		t.Errorf("alter: %v, %v", told, err)
	}
	if told, err := m.resetGroup(t.Context(), groups, "g"); err != nil || !told {
		t.Errorf("reset: %v, %v", told, err)
	}
	refuse = errors.New("not there")
	if _, err := m.alterGroup(t.Context(), groups, "g", changes()); !errors.Is(err, refuse) {
		t.Errorf("refused: %v", err)
	}
	refuse = errors.ErrUnsupported
	if _, err := m.resetGroup(t.Context(), groups, "g"); err == nil ||
		!strings.HasPrefix(err.Error(), "Failed to modify offsets for connector c because it doesn't support external modification of offsets") {
		t.Errorf("unsupported: %v", err)
	}
	const call = "told of 2 offsets with map[k:v]"
	want := []string{call, "alter g map[t-0:1]", "forget g [t-1]", call, "delete g", call, call}
	if diff := cmp.Diff(want, tr.all()); diff != "" {
		t.Errorf("what happened (-want +got):\n%s", diff)
	}
}

func TestAConnectorThatMisbehavesWhenItIsTold(t *testing.T) {
	tr := &trace{}
	groups := &fakeGroups{trace: tr}
	m := sinkAccess(tr, &altererSink{alter: func(map[string]string, map[connect.TopicPartition]*int64) error { panic("oh") }})
	if _, err := m.resetGroup(t.Context(), groups, "g"); err == nil || !strings.Contains(err.Error(), "panic: oh") {
		t.Errorf("panic: %v", err)
	}
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		m := sinkAccess(tr, &altererSink{alter: func(map[string]string, map[connect.TopicPartition]*int64) error { <-release; return nil }})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() {
			_, err := m.resetGroup(ctx, groups, "g")
			ended <- err
		}()
		synctest.Wait()
		cancel()
		if err := <-ended; err == nil || !strings.HasPrefix(err.Error(), "Timed out while calling the 'alterOffsets' method for sink connector c") {
			t.Errorf("hang: %v", err)
		}
		close(release)
		synctest.Wait()
	})
	if got := tr.all(); len(slices.DeleteFunc(got, func(s string) bool { return !strings.HasPrefix(s, "delete") })) > 0 {
		t.Errorf("offsets were changed all the same: %v", got)
	}
}

func TestANegativeOffsetIsRefusedBeforeAnythingIsDone(t *testing.T) {
	tr, minus := &trace{}, int64(-1)
	connector := &altererSink{fakeConnector{trace: tr}, func(map[string]string, map[connect.TopicPartition]*int64) error {
		tr.add("told")
		return nil
	}}
	_, err := sinkAccess(tr, connector).alterGroup(t.Context(), &fakeGroups{trace: tr}, "g", map[connect.TopicPartition]*int64{{Topic: "t"}: &minus})
	if err == nil || !strings.HasPrefix(err.Error(), "Failed to modify offsets for sink connector c: ") {
		t.Errorf("got %v", err)
	}
	if got := tr.all(); len(got) > 0 {
		t.Errorf("calls: %v", got)
	}
}
