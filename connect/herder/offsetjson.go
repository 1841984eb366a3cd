package herder

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"strconv"
	"strings"

	"github.com/penstock-io/penstock/connect/data"
)

// parseOffsetMap reads an object of a request as the JVM's REST layer does: whole numbers
// are int64, or *big.Int when they are larger, all others float64. null and nothing are
// nil. The order of the keys is kept, but the map is a HashMap in the JVM.
func parseOffsetMap(raw json.RawMessage) (*data.Map, error) {
	if len(raw) == 0 {
		return nil, nil //nolint:nilnil // null is a value
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	v, err := readValue(d, maxDepth)
	if err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is text behind the JSON object")
	}
	switch m := v.(type) {
	case nil:
		return nil, nil //nolint:nilnil // null is a value
	case *data.Map:
		return m, nil
	}
	return nil, fmt.Errorf("a JSON object or null is expected, not %s", raw)
}

// maxDepth bounds how deep values may be nested; what is nested at all is refused later.
const maxDepth = 100

func readValue(d *json.Decoder, depth int) (any, error) {
	t, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch t := t.(type) {
	case json.Number:
		return number(t.String())
	case json.Delim:
		if depth == 0 {
			return nil, errors.New("the JSON is nested too deep")
		}
		if t == '[' {
			return readList(d, depth)
		}
		return readObject(d, depth)
	default: // string, bool, nil
		return t, nil
	}
}

func readObject(d *json.Decoder, depth int) (*data.Map, error) {
	m := data.NewMap(0)
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, err
		}
		v, err := readValue(d, depth-1)
		if err != nil {
			return nil, err
		}
		m.Put(key, v)
	}
	_, err := d.Token()
	return m, err
}

func readList(d *json.Decoder, depth int) ([]any, error) {
	list := []any{}
	for d.More() {
		v, err := readValue(d, depth-1)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	_, err := d.Token()
	return list, err
}

func number(text string) (any, error) {
	if strings.ContainsAny(text, ".eE") {
		// Too large is infinite, as in the JVM.
		f, err := strconv.ParseFloat(text, 64)
		if err != nil && !errors.Is(err, strconv.ErrRange) {
			return nil, err
		}
		return f, nil
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n, nil
	}
	n, ok := new(big.Int).SetString(text, 10)
	if !ok {
		return nil, fmt.Errorf("%s is no number", text)
	}
	return n, nil
}
