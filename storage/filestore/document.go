package filestore

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/penstock-io/penstock/storage"
	"github.com/penstock-io/penstock/storage/state"
)

// What the file says of itself.
const (
	formatName    = "penstock-offsets"
	formatVersion = 1
)

// document is the file. An offset has key or keyBase64, and value or valueBase64: base64
// is for bytes that would not be the same after a way through JSON.
type document struct {
	Format  string     `json:"format"`
	Version int        `json:"version"`
	Offsets *[]element `json:"offsets"`
}

type element struct {
	Key         json.RawMessage `json:"key"`
	KeyBase64   *string         `json:"keyBase64"`
	Value       json.RawMessage `json:"value"`
	ValueBase64 *string         `json:"valueBase64"`
}

// encodeDocument writes one line per offset, in the order of the keys, so that two
// versions of a file can be compared.
func encodeDocument(offsets *state.Offsets) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "{\"format\":%q,\"version\":%d,\"offsets\":[", formatName, formatVersion)
	first := true
	for k, v := range offsets.All() {
		if !first {
			b.WriteByte(',')
		}
		first = false
		b.WriteString("\n{")
		writeField(&b, "key", []byte(k))
		b.WriteByte(',')
		writeField(&b, "value", v)
		b.WriteByte('}')
	}
	b.WriteString("\n]}\n")
	return b.Bytes()
}

func writeField(b *bytes.Buffer, name string, content []byte) {
	if plain(content) {
		fmt.Fprintf(b, "%q:%s", name, content)
		return
	}
	fmt.Fprintf(b, "%q:%q", name+"Base64", base64.StdEncoding.EncodeToString(content))
}

// plain tells whether content is JSON that survives when somebody formats the file.
func plain(content []byte) bool {
	var compact bytes.Buffer
	return utf8.Valid(content) && json.Compact(&compact, content) == nil && bytes.Equal(content, compact.Bytes()) &&
		!bytes.Equal(content, []byte("null"))
}

func decodeDocument(content []byte) ([]storage.OffsetEntry, error) {
	if !utf8.Valid(content) {
		return nil, errors.New("it is neither JSON in UTF-8 nor a file of a JVM worker")
	}
	d := json.NewDecoder(bytes.NewReader(content))
	d.DisallowUnknownFields()
	var doc document
	if err := d.Decode(&doc); err != nil {
		return nil, jsonError(err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("something follows the end of the JSON document at byte %d", d.InputOffset())
	}
	switch {
	case doc.Format != formatName:
		return nil, fmt.Errorf("its field \"format\" should be %q but is %q", formatName, doc.Format)
	case doc.Version != formatVersion:
		return nil, fmt.Errorf("its field \"version\" is %d, and this worker knows version %d only", doc.Version, formatVersion)
	case doc.Offsets == nil:
		return nil, errors.New("it has no field \"offsets\"")
	}
	entries := make([]storage.OffsetEntry, len(*doc.Offsets))
	seen := make(map[string]bool, len(entries))
	for i, e := range *doc.Offsets {
		key, err := field(e.Key, e.KeyBase64)
		if err != nil {
			return nil, fmt.Errorf("key of offset %d: %w", i+1, err)
		}
		value, err := field(e.Value, e.ValueBase64)
		if err != nil {
			return nil, fmt.Errorf("value of offset %d, key %.200q: %w", i+1, key, err)
		}
		if seen[string(key)] {
			return nil, fmt.Errorf("offset %d has the same key as an earlier one: %.200q", i+1, key)
		}
		seen[string(key)] = true
		entries[i] = storage.OffsetEntry{Key: key, Value: value}
	}
	return entries, nil
}

// field returns the bytes of one of two forms. White space that somebody's editor put in
// is not part of them.
func field(raw json.RawMessage, encoded *string) ([]byte, error) {
	present := len(raw) > 0 && !bytes.Equal(raw, []byte("null"))
	switch {
	case present && encoded != nil:
		return nil, errors.New("it is there twice, as JSON and in base64")
	case present:
		var b bytes.Buffer
		if err := json.Compact(&b, raw); err != nil {
			return nil, err
		}
		return b.Bytes(), nil
	case encoded != nil:
		b, err := base64.StdEncoding.DecodeString(*encoded)
		if err != nil {
			return nil, fmt.Errorf("not base64: %w", err)
		}
		return b, nil
	}
	return nil, errors.New("it is missing. To forget an offset, remove the whole line")
}

func jsonError(err error) error {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		return fmt.Errorf("not JSON at byte %d: %w", syntax.Offset, err)
	case errors.As(err, &kind):
		return fmt.Errorf("at byte %d: %w", kind.Offset, err)
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return errors.New("the JSON document ends before it is complete")
	}
	return fmt.Errorf("not an offset file: %w", err)
}
