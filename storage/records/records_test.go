package records_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/data"
	"github.com/penstock-io/penstock/storage"
	"github.com/penstock-io/penstock/storage/records"
)

func TestDecodingIsTolerant(t *testing.T) {
	tests := []struct {
		name, key, value string
		want             record
	}{
		{"unknown fields are ignored", "commit-a", `{"x":[1,{"y":2}],"tasks":2}`, records.TasksCommit{Connector: "a", Tasks: 2}},
		{"a null in a config is left out", "connector-a", `{"properties":{"k":null,"l":"v"}}`,
			records.ConnectorConfig{Connector: "a", Config: map[string]string{"l": "v"}}},
		{"a config value that is no string is kept as text", "connector-a", `{"properties":{"k":1,"l":true}}`,
			records.ConnectorConfig{Connector: "a", Config: map[string]string{"k": "1", "l": "true"}}},
		{"the text null deletes a connector", "connector-a", `null`, records.ConnectorConfig{Connector: "a"}},
		{"connector names may have dashes", "task-a-b-c-7", `{"properties":{}}`,
			records.TaskConfig{Task: connect.TaskID{Connector: "a-b-c", Task: 7}, Config: map[string]string{}}},
		{"dashes at the end of a task key do not count", "task-a-7--", `{"properties":{}}`,
			records.TaskConfig{Task: connect.TaskID{Connector: "a", Task: 7}, Config: map[string]string{}}},
		{"a target state of an old worker", "target-state-a", `{"state":"PAUSED"}`, records.TargetState{Connector: "a", State: connect.TargetPaused}},
		{"a newer target state of a wrong type", "target-state-a", `{"state":"PAUSED","state.v2":1}`, records.TargetState{Connector: "a", State: connect.TargetPaused}},
		{"the newer target state wins", "target-state-a", `{"state":"PAUSED","state.v2":"STOPPED"}`, records.TargetState{Connector: "a", State: connect.TargetStopped}},
		{"missing fields of a restart are false", "restart-connector-a", `{"only-failed":1}`, records.Restart{RestartRequest: storage.RestartRequest{Connector: "a"}}},
		{"a key that looks like two kinds is of the first", "connector-task-a-1", `{"properties":{}}`,
			records.ConnectorConfig{Connector: "task-a-1", Config: map[string]string{}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := records.DecodeConfig([]byte(tt.key), []byte(tt.value))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, record(got)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestStatusesOfOldWorkersHaveNoVersion(t *testing.T) {
	got, err := records.DecodeStatus([]byte("status-task-a-b-0"), []byte(`{"state":"FAILED","trace":"t","worker_id":"w:1","generation":3}`))
	if err != nil {
		t.Fatal(err)
	}
	want := records.TaskStatus{Task: connect.TaskID{Connector: "a-b"}, Status: &storage.Status{State: connect.StateFailed, Trace: "t", WorkerID: "w:1", Generation: 3}}
	if diff := cmp.Diff(records.StatusRecord(want), got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestConnectorNamesMayHaveColons(t *testing.T) {
	r := records.TopicStatus{Connector: "a:connector-b", Topic: "t"}
	got, err := records.DecodeStatus([]byte(r.Key()), nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(records.StatusRecord(r), got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestInvalidRecordsTellWhatIsWrong(t *testing.T) {
	tests := []struct {
		key, value string // value "-" = tombstone
		want       string
		notJSON    bool
	}{
		{"nonsense", `{}`, `config record "nonsense": no kind of record has such a key`, false},
		{"nonsense", `-`, `no kind of record has such a key`, false},
		{"connector-a", `{oops`, `config record "connector-a": the value is not valid JSON`, true},
		{"connector-a", `[]`, `the value should be a JSON object but is an array`, false},
		{"connector-a", `{}`, `field "properties" should be an object but is null`, false},
		{"task-a-1", `-`, `the value is unexpectedly null`, false},
		{"task-a", `{"properties":{}}`, `couldn't be parsed as a task config key`, false},
		{"commit-a", `{"tasks":"2"}`, `field "tasks" should be an integer but is a string`, false},
		{"commit-a", `{"tasks":2.0}`, `field "tasks" should be an integer but is a number`, false},
		{"target-state-a", `{"state":"FLYING"}`, `target state "FLYING" is unknown`, false},
		{"session-key", `{"key":"secret!","algorithm":"x","creation-timestamp":1}`, `field "key" is not valid base64`, false},
		{"logger-cluster-x", `{"level":null}`, `field "level" should be a string but is null`, false},
	}
	for _, tt := range tests {
		value := []byte(tt.value)
		if tt.value == "-" {
			value = nil
		}
		_, err := records.DecodeConfig([]byte(tt.key), value)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s %s: error %v, want %q", tt.key, tt.value, err, tt.want)
			continue
		}
		if errors.Is(err, records.ErrNotJSON) != tt.notJSON {
			t.Errorf("%s %s: ErrNotJSON should be %t", tt.key, tt.value, tt.notJSON)
		}
		if strings.Contains(err.Error(), "secret") {
			t.Errorf("the error shows the key: %v", err)
		}
	}
}

func TestUnknownTargetStatesAreNotWritten(t *testing.T) {
	_, err := records.TargetState{Connector: "a", State: "FLYING"}.Value()
	if err == nil || !strings.Contains(err.Error(), `target state "FLYING" of connector a is unknown`) {
		t.Errorf("error %v", err)
	}
}

func TestDestroyedIsATombstone(t *testing.T) {
	value, err := records.ConnectorStatus{Connector: "a", Status: &storage.Status{State: connect.StateDestroyed}}.Value()
	if value != nil || err != nil {
		t.Errorf("value %s, error %v", value, err)
	}
}

func TestOffsetsHoldPrimitivesOnly(t *testing.T) {
	nested := data.NewMap(1)
	nested.Put("f", []any{})
	numbered := data.NewMap(1)
	numbered.Put(int32(1), "x")
	for m, want := range map[*data.Map]string{
		nested:   "Offsets may only contain primitive types as values, but field f contains ARRAY",
		numbered: "Offsets may only use String keys",
	} {
		_, err := records.OffsetValue(m)
		var wrong *connect.DataError
		if !errors.As(err, &wrong) || wrong.Msg != want {
			t.Errorf("error %v, want %s", err, want)
		}
		if _, err := records.OffsetKey("c", m); err == nil {
			t.Error("the key was encoded")
		}
	}
}

func TestMalformedOffsetKeys(t *testing.T) {
	for key, want := range map[string]string{
		`{`: "not valid JSON", `{}`: "should be an array", `["a"]`: "1 elements", `[1,{}]`: "should be a string", `["a",1]`: "should be an object",
	} {
		if _, _, err := records.DecodeOffsetKey([]byte(key)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", key, err, want)
		}
	}
	if c, m, err := records.DecodeOffsetKey([]byte(`["a",null]`)); c != "a" || m != nil || err != nil {
		t.Errorf("got %q %v %v", c, m, err)
	}
	if _, err := records.DecodeOffsetValue([]byte(`[]`)); err == nil || !strings.Contains(err.Error(), "Offsets must be specified as a Map") {
		t.Errorf("error %v", err)
	}
}

// fuzz checks that what was decoded is written and read again as the same.
func fuzz(t *testing.T, key, value []byte, decode func(key, value []byte) (record, error)) {
	r, err := decode(key, value)
	if err != nil {
		if r != nil {
			t.Fatalf("both %v and an error", r)
		}
		return
	}
	encoded, err := r.Value()
	if err != nil {
		t.Fatalf("%#v cannot be encoded: %v", r, err)
	}
	again, err := decode([]byte(r.Key()), encoded)
	if err != nil {
		t.Fatalf("%#v became %s %s: %v", r, r.Key(), encoded, err)
	}
	if s, ok := r.(records.ConnectorStatus); ok && s.Status != nil && s.Status.State == connect.StateDestroyed {
		return
	}
	if s, ok := r.(records.TaskStatus); ok && s.Status != nil && s.Status.State == connect.StateDestroyed {
		return
	}
	if diff := cmp.Diff(r, again); diff != "" {
		t.Fatalf("(-first +again):\n%s", diff)
	}
}

func seeds(f *testing.F, keys ...string) {
	values := []string{
		"", "null", "{", `{"properties":{"a":"b","c":null}}`, `{"tasks":3}`, `{"task-count":1}`, `{"state":"STARTED","state.v2":"STOPPED"}`,
		`{"key":"AQI=","algorithm":"HmacSHA256","creation-timestamp":12}`, `{"include-tasks":true,"only-failed":false}`, `{"level":"WARN"}`,
		`{"state":"RUNNING","trace":null,"worker_id":"w","generation":1,"version":"2"}`,
		`{"topic":{"name":"t","connector":"c","task":1,"discoverTimestamp":2}}`, `["c",{"a":1}]`, "{\"a\":\"\\ud83d\"}",
	}
	for _, k := range keys {
		for _, v := range values {
			f.Add([]byte(k), []byte(v))
		}
	}
}

func FuzzConfigRecord(f *testing.F) {
	seeds(f, "connector-a", "task-a-0", "task-a-b-1-", "commit-a", "target-state-a", "session-key", "restart-connector-a", "tasks-fencing-a", "logger-cluster-a", "x")
	f.Fuzz(func(t *testing.T, key, value []byte) {
		fuzz(t, key, value, func(k, v []byte) (record, error) {
			r, err := records.DecodeConfig(k, v)
			if r == nil {
				return nil, err
			}
			return r, err
		})
	})
}

func FuzzStatusRecord(f *testing.F) {
	seeds(f, "status-connector-a", "status-task-a-0", "status-topic-t:connector-a:b", "x")
	f.Fuzz(func(t *testing.T, key, value []byte) {
		fuzz(t, key, value, func(k, v []byte) (record, error) {
			r, err := records.DecodeStatus(k, v)
			if r == nil {
				return nil, err
			}
			return r, err
		})
	})
}

func FuzzOffsetKey(f *testing.F) {
	seeds(f, `["c",{"a":1,"b":"x"}]`, `["c",null]`)
	f.Fuzz(func(t *testing.T, key, _ []byte) {
		connector, partition, err := records.DecodeOffsetKey(key)
		if err != nil {
			return
		}
		encoded, err := records.OffsetKey(connector, partition)
		if err != nil {
			return // a nested partition: read, never written
		}
		c, p, err := records.DecodeOffsetKey(encoded)
		if err != nil || c != connector {
			t.Fatalf("%s became %s: %q, %v", key, encoded, c, err)
		}
		again, err := records.OffsetKey(c, p)
		if err != nil || string(again) != string(encoded) {
			t.Fatalf("%s became %s, then %s (%v)", key, encoded, again, err)
		}
	})
}
