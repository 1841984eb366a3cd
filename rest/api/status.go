package api

import (
	"bytes"
	"encoding/json"
)

// UndefinedVersion is the version of a plugin that has none; REST leaves it out.
const UndefinedVersion = "undefined"

// MarshalJSON writes state, worker_id, version and trace in the JVM's order.
func (s InstanceStatus) MarshalJSON() ([]byte, error) { return s.marshal(nil) }

// MarshalJSON writes the id and then the fields of InstanceStatus.
func (s TaskStatus) MarshalJSON() ([]byte, error) { return s.marshal(&s.ID) }

func (s InstanceStatus) marshal(id *int) ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	field := func(name string, v any) error {
		if b.Len() > 1 {
			b.WriteByte(',')
		}
		text, err := Marshal(v)
		b.WriteString(`"` + name + `":`)
		b.Write(text)
		return err
	}
	if id != nil {
		_ = field("id", *id) // an int always has a text
	}
	_ = field("state", s.State)
	_ = field("worker_id", s.WorkerID)
	if s.Version == nil || *s.Version != UndefinedVersion {
		_ = field("version", s.Version)
	}
	if s.Trace != "" {
		_ = field("trace", s.Trace)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// UnmarshalJSON reads what another worker wrote, unknown fields ignored.
func (s *InstanceStatus) UnmarshalJSON(text []byte) error {
	var v struct {
		State    string  `json:"state"`
		WorkerID string  `json:"worker_id"`
		Version  *string `json:"version"`
		Trace    string  `json:"trace"`
	}
	err := json.Unmarshal(text, &v)
	*s = InstanceStatus(v)
	return err
}

// UnmarshalJSON reads what another worker wrote, unknown fields ignored.
func (s *TaskStatus) UnmarshalJSON(text []byte) error {
	var v struct {
		ID int `json:"id"`
	}
	if err := json.Unmarshal(text, &v); err != nil {
		return err
	}
	s.ID = v.ID
	return s.InstanceStatus.UnmarshalJSON(text)
}

// Marshal writes JSON as the JVM does: compact, without escaping <, > and &.
func Marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
