package api

import (
	"bytes"
	"encoding/json"
	"unicode/utf16"
	"unicode/utf8"
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

// Marshal writes JSON as the JVM does: compact, without escaping <, > and &, and with
// characters as Jackson escapes them.
func Marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return likeJackson(bytes.TrimSuffix(b.Bytes(), []byte("\n"))), nil
}

// likeJackson rewrites the escapes of a JSON text: U+2028 and U+2029 stand for themselves,
// what lies beyond the basic plane is a pair of surrogates, and hex digits are capitals.
func likeJackson(text []byte) []byte {
	const hex = "0123456789ABCDEF"
	if !bytes.ContainsFunc(text, func(r rune) bool { return r == '\\' || r > 0xFFFF }) {
		return text
	}
	out := make([]byte, 0, len(text)+16)
	escape := func(unit rune) {
		out = append(out, '\\', 'u', hex[unit>>12&15], hex[unit>>8&15], hex[unit>>4&15], hex[unit&15])
	}
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRune(text[i:])
		switch {
		case r > 0xFFFF:
			high, low := utf16.EncodeRune(r)
			escape(high)
			escape(low)
		case r == '\\' && text[i+1] == 'u':
			size = 6
			switch code := bytes.ToUpper(text[i+2 : i+6]); string(code) {
			case "2028":
				out = append(out, "\u2028"...)
			case "2029":
				out = append(out, "\u2029"...)
			default:
				out = append(append(out, `\u`...), code...)
			}
		case r == '\\':
			size = 2
			out = append(out, text[i:i+2]...)
		default:
			out = append(out, text[i:i+size]...)
		}
		i += size
	}
	return out
}
