package records_test

import (
	"encoding/json"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-io/penstock/internal/javagolden"
	"github.com/penstock-io/penstock/storage/records"
)

// recorded is one line of the internal topics of a JVM group: see testdata/java/README.md.
type recorded struct {
	Topic, Key string
	Offset     int64
	Value      *string
}

func eachRecorded(t *testing.T, do func(t *testing.T, r recorded)) {
	t.Helper()
	files, err := filepath.Glob("testdata/java/*.jsonl.gz")
	if err != nil || len(files) == 0 {
		t.Fatal("no recorded topics", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".jsonl.gz"), func(t *testing.T) {
			for _, r := range javagolden.ReadLines[recorded](t, file) {
				do(t, r)
			}
		})
	}
}

func (r recorded) value() []byte {
	if r.Value == nil {
		return nil
	}
	return []byte(*r.Value)
}

// TestRecordedTopicsAreWrittenEqually reads every record that JVM workers wrote into
// their internal topics and writes it to the same bytes. Only the order of properties may
// differ, which no reader looks at: for a connector the JVM keeps that of the client's
// request, for a task that of a hash map, in which keys of one bucket stand as they came.
func TestRecordedTopicsAreWrittenEqually(t *testing.T) {
	seen := map[string]int{}
	reordered := map[string]int{}
	eachRecorded(t, func(t *testing.T, r recorded) {
		key, got, err := again(r)
		if err != nil {
			t.Fatalf("%s %d %s: %v", r.Topic, r.Offset, r.Key, err)
		}
		seen[kindOf(r)]++
		switch want := r.value(); {
		case key != r.Key:
			t.Errorf("%s %d: key %s became %s", r.Topic, r.Offset, r.Key, key)
		case (want == nil) != (got == nil):
			t.Errorf("%s %d %s: tombstone: %t, ours %t", r.Topic, r.Offset, r.Key, want == nil, got == nil)
		case string(want) == string(got):
		case sameProperties(want, got):
			reordered[kindOf(r)]++
		default:
			t.Errorf("%s %d %s (-JVM +ours):\n%s", r.Topic, r.Offset, r.Key, cmp.Diff(string(want), string(got)))
		}
	})
	t.Log(seen, "with properties in another order:", reordered)
	if reordered["task-"]*10 > seen["task-"] {
		t.Errorf("%d of %d task configs are written in another order", reordered["task-"], seen["task-"])
	}
	for _, kind := range []string{"connector-", "task-", "commit-", "target-state-", "tasks-fencing-", "session-key", "restart-connector-",
		"logger-cluster-", "connector- tombstone", "target-state- tombstone", "status-connector-", "status-task-", "status-topic-",
		"status-connector- tombstone", "status-task- tombstone", "status-topic- tombstone", "offset"} {
		if seen[kind] == 0 {
			t.Errorf("no record of the kind %q was recorded", kind)
		}
	}
}

// again decodes a record and encodes it.
func again(r recorded) (key string, value []byte, err error) {
	switch r.Topic {
	case "config":
		rec, err := records.DecodeConfig([]byte(r.Key), r.value())
		if err != nil {
			return "", nil, err
		}
		value, err = rec.Value()
		return rec.Key(), value, err
	case "status":
		rec, err := records.DecodeStatus([]byte(r.Key), r.value())
		if err != nil {
			return "", nil, err
		}
		value, err = rec.Value()
		return rec.Key(), value, err
	}
	connector, partition, err := records.DecodeOffsetKey([]byte(r.Key))
	if err != nil {
		return "", nil, err
	}
	k, err := records.OffsetKey(connector, partition)
	if err != nil {
		return "", nil, err
	}
	offset, err := records.DecodeOffsetValue(r.value())
	if err != nil {
		return "", nil, err
	}
	value, err = records.OffsetValue(offset)
	return string(k), value, err
}

func kindOf(r recorded) string {
	kind := r.Topic
	for _, prefix := range []string{"connector-", "task-", "commit-", "target-state-", "tasks-fencing-", "session-key", "restart-connector-",
		"logger-cluster-", "status-connector-", "status-task-", "status-topic-"} {
		if r.Topic != "offset" && strings.HasPrefix(r.Key, prefix) {
			kind = prefix
		}
	}
	if r.Value == nil {
		kind += " tombstone"
	}
	return kind
}

// sameProperties: {"properties":{…}} with the same fields, written in the same way, in
// another order.
func sameProperties(a, b []byte) bool {
	fields := func(v []byte) []string {
		var m struct{ Properties map[string]json.RawMessage }
		if json.Unmarshal(v, &m) != nil || m.Properties == nil {
			return nil
		}
		out := make([]string, 0, len(m.Properties))
		for _, name := range slices.Sorted(maps.Keys(m.Properties)) {
			out = append(out, name+":"+string(m.Properties[name]))
		}
		return out
	}
	x := fields(a)
	return x != nil && len(a) == len(b) && slices.Equal(x, fields(b))
}
