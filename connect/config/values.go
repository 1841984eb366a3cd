package config

import (
	"maps"
	"time"
)

// The getters return the zero value for null and for keys that were not parsed, and
// panic when the key's type is another one: that is a programming error.

// Bool returns a BOOLEAN.
func (v Values) Bool(key string) bool { return get[bool](v, key) }

// String returns a STRING or CLASS.
func (v Values) String(key string) string { return get[string](v, key) }

// Int returns an INT.
func (v Values) Int(key string) int { return get[int](v, key) }

// Short returns a SHORT.
func (v Values) Short(key string) int16 { return get[int16](v, key) }

// Long returns a LONG.
func (v Values) Long(key string) int64 { return get[int64](v, key) }

// Double returns a DOUBLE.
func (v Values) Double(key string) float64 { return get[float64](v, key) }

// List returns a LIST; the caller must not change it.
func (v Values) List(key string) []string { return get[[]string](v, key) }

// Password returns a PASSWORD.
func (v Values) Password(key string) Password { return get[Password](v, key) }

// Null reports whether the value is null.
func (v Values) Null(key string) bool { return v[key] == nil }

// Millis returns an INT or LONG of milliseconds. A value too large for a Duration
// (292 years) becomes the largest.
func (v Values) Millis(key string) time.Duration {
	ms, isLong := v[key].(int64)
	if !isLong {
		ms = int64(v.Int(key))
	}
	const largest = int64(1<<63-1) / int64(time.Millisecond)
	return time.Duration(min(max(ms, -largest), largest)) * time.Millisecond
}

func get[T any](v Values, key string) (zero T) {
	if v[key] == nil {
		return zero
	}
	return v[key].(T)
}

// Clone returns a shallow copy.
func (v Values) Clone() Values { return maps.Clone(v) }
