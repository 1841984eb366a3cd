package avro

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"strconv"
	"unicode/utf8"

	"github.com/penstock-io/penstock/connect/data"
)

// jsonKind tells what a jsonValue is; the zero value is a null.
type jsonKind uint8

const (
	jsonNull jsonKind = iota
	jsonBool
	jsonNumber
	jsonString
	jsonArray
	jsonObject
)

// jsonValue is a JSON value that keeps the order of members and the text of numbers.
type jsonValue struct {
	kind  jsonKind
	text  string // of a string, or the literal of a number or boolean
	list  []jsonValue
	names []string // of an object, parallel to list
}

func stringValue(s string) jsonValue { return jsonValue{kind: jsonString, text: s} }

func intValue(n int64) jsonValue {
	return jsonValue{kind: jsonNumber, text: strconv.FormatInt(n, 10)}
}

func (v *jsonValue) add(name string, member jsonValue) {
	v.kind = jsonObject
	v.names = append(v.names, name)
	v.list = append(v.list, member)
}

// member returns the value of a member of an object, nil if there is none.
func (v *jsonValue) member(name string) *jsonValue {
	for i := range v.names {
		if v.names[i] == name {
			return &v.list[i]
		}
	}
	return nil
}

// isInteger reports whether a number has neither point nor exponent.
func (v *jsonValue) isInteger() bool {
	return v.kind == jsonNumber && !bytes.ContainsAny([]byte(v.text), ".eE")
}

// int returns an integer that fits into the given bits.
func (v *jsonValue) int(bits int) (int64, bool) {
	if !v.isInteger() {
		return 0, false
	}
	n, err := strconv.ParseInt(v.text, 10, bits)
	return n, err == nil
}

// javaInt is Number.intValue: the low bits of an integer, the floor of anything else.
func (v *jsonValue) javaInt() int {
	if n, ok := new(big.Int).SetString(v.text, 10); ok {
		return int(int32(new(big.Int).And(n, big.NewInt(1<<32-1)).Uint64()))
	}
	f, _ := strconv.ParseFloat(v.text, 64) // out of range gives an infinity
	return int(int32(f))
}

// append appends the text as Jackson writes it to a String.
func (v *jsonValue) append(dst []byte) []byte {
	switch v.kind {
	case jsonBool, jsonNumber:
		return append(dst, v.text...)
	case jsonString:
		return data.AppendJSONString(dst, v.text)
	case jsonArray:
		dst = append(dst, '[')
		for i := range v.list {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = v.list[i].append(dst)
		}
		return append(dst, ']')
	case jsonObject:
		dst = append(dst, '{')
		for i := range v.list {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(data.AppendJSONString(dst, v.names[i]), ':')
			dst = v.list[i].append(dst)
		}
		return append(dst, '}')
	default:
		return append(dst, "null"...)
	}
}

// maxJSONDepth bounds the nesting of schema texts, as Jackson does.
const maxJSONDepth = 1000

func parseJSON(text string) (jsonValue, error) {
	if !utf8.ValidString(text) {
		return jsonValue{}, errors.New("the text is not UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader([]byte(text)))
	d.UseNumber()
	v, err := parseValue(d, 0)
	if err != nil {
		return jsonValue{}, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return jsonValue{}, errors.New("there is more behind the schema's end")
	}
	return v, nil
}

func parseValue(d *json.Decoder, depth int) (jsonValue, error) {
	if depth > maxJSONDepth {
		return jsonValue{}, fmt.Errorf("nested deeper than %d levels", maxJSONDepth)
	}
	t, err := d.Token()
	if err != nil {
		return jsonValue{}, err
	}
	switch t := t.(type) {
	case nil:
		return jsonValue{}, nil
	case bool:
		return jsonValue{kind: jsonBool, text: strconv.FormatBool(t)}, nil
	case json.Number:
		return jsonValue{kind: jsonNumber, text: string(t)}, nil
	case string:
		return stringValue(t), nil
	case json.Delim:
		return parseContainer(d, t, depth)
	}
	return jsonValue{}, fmt.Errorf("unexpected %v", t)
}

func parseContainer(d *json.Decoder, open json.Delim, depth int) (jsonValue, error) {
	v := jsonValue{kind: jsonArray}
	if open == '{' {
		v.kind = jsonObject
	}
	for d.More() {
		if v.kind == jsonObject {
			t, err := d.Token()
			if err != nil {
				return v, err
			}
			name, _ := t.(string)
			v.names = append(v.names, name)
		}
		e, err := parseValue(d, depth+1)
		if err != nil {
			return v, err
		}
		v.list = append(v.list, e)
	}
	_, err := d.Token()
	return v, err
}
