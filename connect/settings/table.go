package settings

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/penstock-io/penstock/connect/config"
)

// table makes keys of lines of six columns:
//
//	name | type | default | importance | rule | meaning
//
// A default of - means required, null is null. Rules: "0.." and "0..900" bound a number,
// "in a,b" and "any a,b" list the accepted texts (any: in any case), "non-empty", and
// "list", "list empty", "list null", "list empty null" are list rules. A line that is
// none panics: the tables are constants, and a test parses them all.
func table(text string) []config.Key {
	var keys []config.Key
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		c := strings.SplitN(line, "|", 6)
		if len(c) != 6 {
			panic("settings: not six columns: " + line)
		}
		for i := range c {
			c[i] = strings.TrimSpace(c[i])
		}
		k := config.Key{Name: c[0], Type: config.Type(c[1]), Importance: importance(c[3]), Doc: c[5], Order: -1}
		switch c[2] {
		case "-":
			k.Default = config.NoDefault
		case "null":
		default:
			v, err := config.NewDef().ParseValue(k.Name, c[2], k.Type)
			k.Default = must(v, err)
		}
		applyRule(&k, c[4])
		keys = append(keys, k)
	}
	return keys
}

func importance(letter string) config.Importance {
	for _, i := range []config.Importance{config.High, config.Medium, config.Low} {
		if strings.HasPrefix(string(i), letter) {
			return i
		}
	}
	panic("settings: importance " + letter)
}

func must(v any, err error) any {
	if err != nil {
		panic("settings: " + err.Error())
	}
	return v
}

func applyRule(k *config.Key, rule string) {
	kind, rest, _ := strings.Cut(rule, " ")
	switch {
	case rule == "":
	case kind == "in":
		k.Validator, k.Valid = config.OneOf(strings.Split(rest, ",")...), strings.ReplaceAll(rest, ",", ", ")
	case kind == "any":
		k.Validator, k.Valid = config.OneOfIgnoreCase(strings.Split(rest, ",")...), strings.ReplaceAll(rest, ",", ", ")+" (any case)"
	case kind == "non-empty":
		k.Validator, k.Valid = config.NonEmpty, "non-empty"
	case kind == "list":
		k.List = &config.ListRule{AllowEmpty: strings.Contains(rest, "empty"), AllowNull: strings.Contains(rest, "null")}
		k.Valid = "no duplicates"
		if !k.List.AllowEmpty {
			k.Valid = "non-empty, no duplicates"
		}
	default:
		k.Validator, k.Valid = bounds(k, rule)
	}
}

func bounds(k *config.Key, rule string) (config.Validator, string) {
	low, high, ok := strings.Cut(rule, "..")
	if !ok {
		panic(fmt.Sprintf("settings: rule %q of %s", rule, k.Name))
	}
	if k.Type == config.TypeDouble {
		return config.Range(number(low), number(high)), "from " + low + " to " + high
	}
	if high == "" {
		return config.AtLeast(int64(number(low))), "at least " + low
	}
	return config.Range(int64(number(low)), int64(number(high))), "from " + low + " to " + high
}

func number(text string) float64 {
	v, err := strconv.ParseFloat(text, 64)
	return must(v, err).(float64)
}

// amend changes keys of a table that need more than a line can say.
func amend(keys []config.Key, changes map[string]func(k *config.Key)) []config.Key {
	done := 0
	for i := range keys {
		if change := changes[keys[i].Name]; change != nil {
			change(&keys[i])
			done++
		}
	}
	if done != len(changes) {
		panic("settings: a change for a key that the table does not have")
	}
	return keys
}

func hint(text string) func(k *config.Key) { return func(k *config.Key) { k.Hint = text } }

func checked(v config.Validator, valid string) func(k *config.Key) {
	return func(k *config.Key) { k.Validator, k.Valid = v, valid }
}
