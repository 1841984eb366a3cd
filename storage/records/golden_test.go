package records_test

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/data"
	"github.com/penstock-io/penstock/storage"
	"github.com/penstock-io/penstock/storage/records"
)

// golden is one line of testdata/java/encoded.jsonl.
type golden struct {
	Kind, Connector, State, Worker, Algorithm, Namespace, Level, Topic, Bytes, Key, Value string

	Config                  map[string]string
	Task, Tasks, Generation int
	Created, Discovered     int64
	Trace, Version          *string
	IncludeTasks            bool                 `json:"tasks?"`
	OnlyFailed              bool                 `json:"failed?"`
	Entries                 [][3]json.RawMessage // name, Java class, value
	record                  record
	decode                  func(key, value []byte) (record, error)
}

type record interface {
	Key() string
	Value() ([]byte, error)
}

func decodeConfig(key, value []byte) (record, error) { return records.DecodeConfig(key, value) }
func decodeStatus(key, value []byte) (record, error) { return records.DecodeStatus(key, value) }

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func (g *golden) fill(t *testing.T) {
	id := connect.TaskID{Connector: g.Connector, Task: g.Task}
	st := &storage.Status{State: connect.State(g.State), Trace: text(g.Trace), WorkerID: g.Worker, Generation: g.Generation, Version: text(g.Version)}
	g.decode = decodeConfig
	switch g.Kind {
	case "connector":
		g.record = records.ConnectorConfig{Connector: g.Connector, Config: g.Config}
	case "task":
		g.record = records.TaskConfig{Task: id, Config: g.Config}
	case "commit":
		g.record = records.TasksCommit{Connector: g.Connector, Tasks: g.Tasks}
	case "fencing":
		g.record = records.TaskCount{Connector: g.Connector, Tasks: g.Tasks}
	case "target":
		g.record = records.TargetState{Connector: g.Connector, State: connect.TargetState(g.State)}
	case "session-key":
		key, err := base64.StdEncoding.DecodeString(g.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		g.record = records.SessionKey{SessionKey: storage.SessionKey{Key: key, Algorithm: g.Algorithm, Created: time.UnixMilli(g.Created)}}
	case "restart":
		g.record = records.Restart{RestartRequest: storage.RestartRequest{Connector: g.Connector, IncludeTasks: g.IncludeTasks, OnlyFailed: g.OnlyFailed}}
	case "logger":
		g.record = records.LoggerLevel{Namespace: g.Namespace, Level: g.Level}
	case "connector-status":
		g.record, g.decode = records.ConnectorStatus{Connector: g.Connector, Status: st}, decodeStatus
	case "task-status":
		g.record, g.decode = records.TaskStatus{Task: id, Status: st}, decodeStatus
	case "topic-status":
		g.record, g.decode = records.TopicStatus{Connector: g.Connector, Topic: g.Topic, Status: &storage.TopicStatus{
			Topic: g.Topic, Connector: g.Connector, Task: g.Task, Discovered: g.Discovered,
		}}, decodeStatus
	default:
		t.Fatalf("unknown kind %q", g.Kind)
	}
}

func readGolden(t *testing.T) []golden {
	t.Helper()
	f, err := os.Open("testdata/java/encoded.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out []golden
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var g golden
		if err := json.Unmarshal(lines.Bytes(), &g); err != nil {
			t.Fatal(err)
		}
		out = append(out, g)
	}
	if len(out) == 0 {
		t.Fatal("no golden records")
	}
	return out
}

func TestRecordsAreThoseOfTheJVM(t *testing.T) {
	for _, g := range readGolden(t) {
		if g.Kind == "offset" {
			continue
		}
		t.Run(g.Kind, func(t *testing.T) {
			g.fill(t)
			if diff := cmp.Diff(g.Key, g.record.Key()); diff != "" {
				t.Errorf("key (-want +got):\n%s", diff)
			}
			value, err := g.record.Value()
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(g.Value, string(value)); diff != "" {
				t.Errorf("value (-want +got):\n%s", diff)
			}
			got, err := g.decode([]byte(g.Key), []byte(g.Value))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(g.record, got); diff != "" {
				t.Errorf("decoded (-want +got):\n%s", diff)
			}
		})
	}
}

func TestOffsetsAreThoseOfTheJVM(t *testing.T) {
	n := 0
	for _, g := range readGolden(t) {
		if g.Kind != "offset" {
			continue
		}
		n++
		m := data.NewMap(len(g.Entries))
		for _, e := range g.Entries {
			m.Put(*unmarshal[string](t, e[0]), javaValue(t, *unmarshal[string](t, e[1]), e[2]))
		}
		key, err := records.OffsetKey(g.Connector, m)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(g.Key, string(key)); diff != "" {
			t.Errorf("key (-want +got):\n%s", diff)
		}
		value, err := records.OffsetValue(m)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(g.Value, string(value)); diff != "" {
			t.Errorf("value (-want +got):\n%s", diff)
		}
		connector, partition, err := records.DecodeOffsetKey(key)
		if err != nil || connector != g.Connector {
			t.Fatalf("decoded %q, %v", connector, err)
		}
		again, err := records.OffsetKey(connector, partition)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(g.Key, string(again)); diff != "" {
			t.Errorf("key of the decoded partition (-want +got):\n%s", diff)
		}
	}
	if n == 0 {
		t.Fatal("no golden offsets")
	}
}

func unmarshal[T any](t *testing.T, b []byte) *T {
	t.Helper()
	var v T
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	return &v
}

func javaValue(t *testing.T, class string, b []byte) any {
	t.Helper()
	switch class {
	case "String":
		return *unmarshal[string](t, b)
	case "Boolean":
		return *unmarshal[bool](t, b)
	case "Integer":
		return *unmarshal[int32](t, b)
	case "Long":
		return *unmarshal[int64](t, b)
	case "Float":
		return *unmarshal[float32](t, b)
	case "Double":
		return *unmarshal[float64](t, b)
	}
	t.Fatalf("unknown class %s", class)
	return nil
}
