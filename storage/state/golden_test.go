package state_test

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/storage"
	"github.com/penstock-io/penstock/storage/records"
	"github.com/penstock-io/penstock/storage/state"
)

// calls is a listener that notes its calls as the golden data have them.
type calls []string

func (c *calls) add(format string, args ...any)     { *c = append(*c, fmt.Sprintf(format, args...)) }
func (c *calls) ConnectorConfigUpdated(name string) { c.add("updated %s", name) }
func (c *calls) ConnectorConfigRemoved(name string) { c.add("removed %s", name) }
func (c *calls) TargetStateChanged(name string)     { c.add("target %s", name) }
func (c *calls) LoggerLevelUpdated(n, level string) { c.add("level %s %s", n, level) }

func (c *calls) TaskConfigsUpdated(tasks []connect.TaskID) {
	text := "tasks"
	for _, id := range tasks {
		text += " " + id.String()
	}
	c.add("%s", text)
}

func (c *calls) SessionKeyUpdated(k storage.SessionKey) {
	c.add("key %s %s %d", k.Algorithm, base64.StdEncoding.EncodeToString(k.Key), k.Created.UnixMilli())
}

func (c *calls) RestartRequested(r storage.RestartRequest) {
	c.add("restart %s %t %t", r.Connector, r.IncludeTasks, r.OnlyFailed)
}

func eachLine(t *testing.T, file string, do func(line []byte)) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	n := 0
	lines := bufio.NewScanner(f)
	for lines.Buffer(nil, 1<<20); lines.Scan(); n++ {
		do(lines.Bytes())
	}
	if n == 0 {
		t.Fatalf("%s is empty", file)
	}
}

// goldenConnector is a connector of a JVM worker's state.
type goldenConnector struct {
	Config, Applied       map[string]string
	Target                connect.TargetState
	Count                 *int
	Generation, Record    int
	Inconsistent, Pending bool
	Tasks                 map[int]map[string]string
}

func (g goldenConnector) state() *storage.ConnectorState {
	s := &storage.ConnectorState{Config: g.Config, Applied: g.Applied, Target: g.Target, TaskCount: -1, Tasks: g.Tasks,
		Inconsistent: g.Inconsistent, Generation: g.Generation, TaskCountRecord: g.Record, PendingFencing: g.Pending}
	if g.Count != nil {
		s.TaskCount = *g.Count
	}
	if len(s.Tasks) == 0 {
		s.Tasks = nil
	}
	return s
}

type goldenStep struct {
	At     int64
	Key    string
	Value  *string
	Events []string
	Offset int64
}

func (s goldenStep) value() []byte {
	if s.Value == nil {
		return nil
	}
	return []byte(*s.Value)
}

// step applies a record as a store does and returns what its listener was told.
func step(c *state.Config, at int64, key string, value []byte) []string {
	r, err := records.DecodeConfig([]byte(key), value)
	if err != nil {
		c.Discard(at, err)
	} else if e := c.Apply(at, r); e != nil {
		told := calls{}
		e(&told)
		return told
	}
	return []string{}
}

func TestConfigIsThatOfTheJVM(t *testing.T) {
	n := 0
	eachLine(t, "testdata/java/config.jsonl", func(line []byte) {
		n++
		var g struct {
			Steps []goldenStep
			State map[string]goldenConnector
			Key   *string
		}
		if err := json.Unmarshal(line, &g); err != nil {
			t.Fatal(err)
		}
		c := state.NewConfig()
		for i, s := range g.Steps {
			if diff := cmp.Diff(s.Events, step(c, s.At, s.Key, s.value())); diff != "" {
				t.Errorf("script %d step %d, %s %s: events (-want +got):\n%s", n, i, s.Key, s.value(), diff)
			}
			if i%3 == 0 { // snapshots must not change the outcome
				if got := c.Snapshot().Offset; got != s.Offset {
					t.Errorf("script %d step %d, %s: offset %d, want %d", n, i, s.Key, got, s.Offset)
				}
			}
		}
		want := map[string]*storage.ConnectorState{}
		for name, connector := range g.State {
			want[name] = connector.state()
		}
		got := c.Snapshot()
		if diff := cmp.Diff(want, got.ByName); diff != "" {
			t.Errorf("script %d: state (-want +got):\n%s", n, diff)
		}
		if (g.Key == nil) != (got.SessionKey == nil) || g.Key != nil && *g.Key != base64.StdEncoding.EncodeToString(got.SessionKey.Key) {
			t.Errorf("script %d: session key %v, want %v", n, got.SessionKey, g.Key)
		}
	})
}

func TestStatusesAreThoseOfTheJVM(t *testing.T) {
	n := 0
	eachLine(t, "testdata/java/status.jsonl", func(line []byte) {
		n++
		var g struct {
			Records [][2]*string
			State   map[string]any
		}
		if err := json.Unmarshal(line, &g); err != nil {
			t.Fatal(err)
		}
		s := state.NewStatuses()
		for _, kv := range g.Records {
			var value []byte
			if kv[1] != nil {
				value = []byte(*kv[1])
			}
			if r, err := records.DecodeStatus([]byte(*kv[0]), value); err == nil {
				s.Read(r)
			}
		}
		if diff := cmp.Diff(g.State, dump(s)); diff != "" {
			t.Errorf("script %d (-want +got):\n%s", n, diff)
		}
	})
}

// dump writes statuses in the form of the golden data.
func dump(s *state.Statuses) map[string]any {
	out := map[string]any{}
	orNull := func(text string) any {
		if text == "" {
			return nil
		}
		return text
	}
	one := func(st storage.Status) any {
		return []any{string(st.State), orNull(st.Trace), orNull(st.WorkerID), float64(st.Generation), orNull(st.Version)}
	}
	for _, name := range s.Connectors() {
		st, _ := s.Connector(name)
		out["status-connector-"+name] = one(st)
	}
	for _, name := range []string{"a", "a-b", "x", ""} {
		for id, st := range s.Tasks(name) {
			out["status-task-"+connect.TaskID{Connector: name, Task: id}.String()] = one(st)
		}
	}
	for _, name := range []string{"a", "a-b", "x", "a:b"} {
		for _, topic := range []string{"t", "t1", "t2"} {
			if st, ok := s.Topic(name, topic); ok {
				out["status-topic-"+topic+":connector-"+name] = []any{st.Topic, st.Connector, float64(st.Task), float64(st.Discovered)}
			}
		}
	}
	return out
}
