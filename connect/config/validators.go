package config

import (
	"errors"
	"slices"
	"strconv"
	"strings"
)

// AtLeast accepts numbers from min on; null is refused.
func AtLeast[N int | int16 | int64 | float64](lowest N) Validator {
	return func(_ string, v any) error { return inRange(v, float64(lowest), nil, Text(lowest), nil) }
}

// Range accepts numbers from min to max, both included; null is refused.
func Range[N int | int16 | int64 | float64](lowest, highest N) Validator {
	top := float64(highest)
	return func(_ string, v any) error { return inRange(v, float64(lowest), &top, Text(lowest), Text(highest)) }
}

// inRange compares as the JVM does, as doubles.
func inRange(v any, lowest float64, highest *float64, lowText, highText *string) error {
	var n float64
	switch v := v.(type) {
	case int:
		n = float64(v)
	case int16:
		n = float64(v)
	case int64:
		n = float64(v)
	case float64:
		n = v
	default:
		return errors.New("Value must be non-null")
	}
	if n < lowest {
		return errors.New("Value must be at least " + *lowText)
	}
	if highest != nil && n > *highest {
		return errors.New("Value must be no more than " + *highText)
	}
	return nil
}

// OneOf accepts exactly the given strings.
func OneOf(valid ...string) Validator {
	return func(_ string, v any) error {
		if s, ok := v.(string); ok && slices.Contains(valid, s) {
			return nil
		}
		return errors.New("String must be one of: " + strings.Join(valid, ", "))
	}
}

// OneOfIgnoreCase accepts the given strings in any case.
func OneOfIgnoreCase(valid ...string) Validator {
	upper := make([]string, len(valid))
	for i, s := range valid {
		upper[i] = strings.ToUpper(s)
	}
	upper = HashOrder(upper) // the JVM lists a HashSet
	return func(_ string, v any) error {
		if s, ok := v.(string); ok && slices.Contains(upper, strings.ToUpper(s)) {
			return nil
		}
		return errors.New("String must be one of (case insensitive): " + strings.Join(upper, ", "))
	}
}

// NonNull refuses null.
func NonNull(key string, v any) error {
	if v == nil {
		return Invalid(key, nil, "entry must be non null")
	}
	return nil
}

// NonEmpty refuses the empty string; null is accepted.
func NonEmpty(_ string, v any) error {
	if v == "" {
		return errors.New("String must be non-empty")
	}
	return nil
}

// NonEmptyWithoutControl is NonEmpty that also refuses ISO control characters
// (U+0000 to U+001F and U+007F to U+009F).
func NonEmptyWithoutControl(_ string, v any) error {
	s, ok := v.(string)
	if !ok {
		return nil
	}
	if s == "" {
		return errors.New("String may not be empty")
	}
	var found []string
	for _, r := range s {
		if r <= 0x1f || r >= 0x7f && r <= 0x9f {
			found = append(found, strconv.Itoa(int(r)))
		}
	}
	if found == nil {
		return nil
	}
	return errors.New("String may not contain control sequences but had the following ASCII chars: " + strings.Join(found, ", "))
}

// Unique refuses a LIST that is null or has an item twice.
func Unique(key string, v any) error {
	if err := NonNull(key, v); err != nil {
		return err
	}
	if list := v.([]string); len(Distinct(list)) < len(list) {
		return errors.New("Duplicate alias provided.")
	}
	return nil
}

// NullOr accepts null and what v accepts.
func NullOr(v Validator) Validator {
	return func(key string, value any) error {
		if value == nil {
			return nil
		}
		return v(key, value)
	}
}

// All runs validators in order and returns the first error.
func All(validators ...Validator) Validator {
	return func(key string, v any) error {
		for _, check := range validators {
			if err := check(key, v); err != nil {
				return err
			}
		}
		return nil
	}
}

// check returns texts of their own, without "Invalid value", as the JVM does since 4.2.
func (r *ListRule) check(key string, v any) error {
	list, _ := v.([]string)
	problem := ""
	switch {
	case list == nil && r.AllowNull:
		return nil
	case list == nil:
		problem = "values must not be null."
	case len(list) == 0 && !r.AllowEmpty:
		problem = "must not be empty. Valid values include: any non-empty value"
	case len(Distinct(list)) < len(list):
		problem = "values must not be duplicated."
	case slices.Contains(list, ""):
		problem = "values must not be empty."
	default:
		return nil
	}
	if r.name != "" {
		key = r.name
	}
	return &Error{Key: key, Msg: "Configuration '" + key + "' " + problem}
}

// Distinct returns the items of a list, each once, where it comes first.
func Distinct(list []string) []string {
	unique := make([]string, 0, len(list))
	seen := make(map[string]bool, len(list))
	for _, s := range list {
		if !seen[s] {
			seen[s] = true
			unique = append(unique, s)
		}
	}
	return unique
}
