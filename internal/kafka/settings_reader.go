package kafka

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/penstock-io/penstock/connect/config"
)

// propReader reads Java client properties: it fills in defaults and collects every
// wrong value, so that a user sees all mistakes at once. Its wording is that of
// Java's ConfigDef; the fix may follow in the same text.
type propReader struct {
	props map[string]string
	errs  []error
}

func newPropReader(props map[string]string) *propReader { return &propReader{props: props} }

// err returns all problems found so far (errors.Join of *config.Error), or nil.
func (r *propReader) err() error { return errors.Join(r.errs...) }

// fail records a problem with a value that may be shown.
func (r *propReader) fail(key, value, why string) {
	r.errs = append(r.errs, &config.Error{
		Key: key,
		Msg: fmt.Sprintf("Invalid value %s for configuration %s: %s", value, key, why),
	})
}

// failSecret records a problem with a value that must not be shown.
func (r *propReader) failSecret(key, why string) { r.fail(key, "[hidden]", why) }

// missing records that a required key has no value.
func (r *propReader) missing(key, fix string) {
	r.errs = append(r.errs, &config.Error{
		Key: key,
		Msg: fmt.Sprintf("Missing required configuration %q which has no default value.%s", key, fix),
	})
}

func (r *propReader) has(key string) bool {
	_, ok := r.props[key]
	return ok
}

// str returns the value, spaces trimmed as ConfigDef does.
func (r *propReader) str(key, def string) string {
	if v, ok := r.props[key]; ok {
		return strings.TrimSpace(v)
	}
	return def
}

func (r *propReader) integer(key string, def, lo, hi int64, typ string) int64 {
	v, ok := r.props[key]
	if !ok {
		return def
	}
	bits := 64
	switch typ {
	case "INT":
		bits = 32
	case "SHORT":
		bits = 16
	}
	n, err := strconv.ParseInt(strings.TrimSpace(v), 10, bits)
	switch {
	case err != nil:
		r.fail(key, v, "Not a number of type "+typ)
		return def
	case n < lo:
		r.fail(key, strings.TrimSpace(v), fmt.Sprintf("Value must be at least %d", lo))
		return def
	case n > hi:
		r.fail(key, strings.TrimSpace(v), fmt.Sprintf("Value must be no more than %d", hi))
		return def
	}
	return n
}

// int reads an INT of at least lo.
func (r *propReader) int(key string, def, lo int32) int32 {
	return int32(r.integer(key, int64(def), int64(lo), math.MaxInt32, "INT"))
}

// long reads a LONG of at least lo.
func (r *propReader) long(key string, def, lo int64) int64 {
	return r.integer(key, def, lo, math.MaxInt64, "LONG")
}

// maxMillis is the longest time in milliseconds that a time.Duration can hold. Java
// settings use Long.MAX_VALUE for "for ever"; so does this.
const maxMillis = math.MaxInt64 / int64(time.Millisecond)

func millis(n int64) time.Duration { return time.Duration(min(n, maxMillis)) * time.Millisecond }

// intMillis reads an INT number of milliseconds.
func (r *propReader) intMillis(key string, def, lo int32) time.Duration {
	return millis(int64(r.int(key, def, lo)))
}

// longMillis reads a LONG number of milliseconds.
func (r *propReader) longMillis(key string, def, lo int64) time.Duration {
	return millis(r.long(key, def, lo))
}

// double reads a DOUBLE between lo and hi.
func (r *propReader) double(key string, def, lo, hi float64) float64 {
	v, ok := r.props[key]
	if !ok {
		return def
	}
	n, err := strconv.ParseFloat(strings.TrimSpace(v), 64)
	switch {
	case err != nil || math.IsNaN(n):
		r.fail(key, v, "Not a number of type DOUBLE")
		return def
	case n < lo:
		r.fail(key, strings.TrimSpace(v), fmt.Sprintf("Value must be at least %v", lo))
		return def
	case n > hi:
		r.fail(key, strings.TrimSpace(v), fmt.Sprintf("Value must be no more than %v", hi))
		return def
	}
	return n
}

func (r *propReader) boolean(key string, def bool) bool {
	v, ok := r.props[key]
	if !ok {
		return def
	}
	switch strings.ToLower(strings.TrimSpace(v)) {
	case "true":
		return true
	case "false":
		return false
	}
	r.fail(key, v, "Expected value to be either true or false")
	return def
}

// oneOf reads a STRING out of a list.
func (r *propReader) oneOf(key, def string, valid ...string) string {
	v := r.str(key, def)
	if !slices.Contains(valid, v) {
		r.fail(key, v, "String must be one of: "+strings.Join(valid, ", "))
		return def
	}
	return v
}

// oneOfFold is oneOf without regard to case; it returns the spelling of the list.
func (r *propReader) oneOfFold(key, def string, valid ...string) string {
	v := r.str(key, def)
	for _, ok := range valid {
		if strings.EqualFold(ok, v) {
			return ok
		}
	}
	r.fail(key, v, "String must be one of (case insensitive): "+strings.Join(valid, ", "))
	return def
}

// list reads a comma separated LIST; empty entries are dropped.
func (r *propReader) list(key string) []string {
	var out []string
	for v := range strings.SplitSeq(r.props[key], ",") {
		if v = strings.TrimSpace(v); v != "" {
			out = append(out, v)
		}
	}
	return out
}
