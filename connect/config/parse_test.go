package config

import (
	"bufio"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func eachLine(t *testing.T, file string, each func(line []byte)) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	n := 0
	sc := bufio.NewScanner(f)
	for ; sc.Scan(); n++ {
		each(sc.Bytes())
	}
	if sc.Err() != nil || n == 0 {
		t.Fatalf("%s: %d lines, %v", file, n, sc.Err())
	}
}

// javaKeys are the keys of which testdata/java/configdef.jsonl tells.
func javaKeys() *Def {
	d := NewDef(
		Key{Name: "int.atleast", Type: TypeInt, Default: 5, Validator: AtLeast(1)},
		Key{Name: "int.atleast.null", Type: TypeInt, Default: NoDefault, Validator: AtLeast(1)},
		Key{Name: "int.range", Type: TypeInt, Default: 5, Validator: Range(0, 10)},
		Key{Name: "long.atleast", Type: TypeLong, Default: int64(5), Validator: AtLeast(int64(-1))},
		Key{Name: "short.range", Type: TypeShort, Default: int16(5), Validator: Range(int16(0), int16(900))},
		Key{Name: "double.range", Type: TypeDouble, Default: 0.5, Validator: Range(0.5, 1.0)},
		Key{Name: "string.in", Type: TypeString, Default: "a", Validator: OneOf("a", "b c", "D")},
		Key{Name: "string.any", Type: TypeString, Default: "sessioned", Validator: OneOfIgnoreCase("eager", "compatible", "sessioned", "None")},
		Key{Name: "string.nonempty", Type: TypeString, Validator: NonEmpty},
		Key{Name: "string.name", Type: TypeString, Default: NoDefault, Validator: NonEmptyWithoutControl},
		Key{Name: "string.nonnull", Type: TypeString, Default: NoDefault, Validator: NonNull},
		Key{Name: "string.both", Type: TypeString, Default: "x", Validator: All(NonNull, NonEmpty)},
		Key{Name: "list.unique", Type: TypeList, Default: []string{}, List: &ListRule{AllowEmpty: true}},
		Key{Name: "list.nonempty", Type: TypeList, Default: []string{"x"}, List: &ListRule{}},
		Key{Name: "list.nullable", Type: TypeList, List: &ListRule{AllowNull: true}},
		Key{Name: "list.notnull", Type: TypeList, Default: NoDefault, List: &ListRule{AllowEmpty: true}},
	)
	for _, typ := range []Type{TypeBoolean, TypeString, TypeInt, TypeShort, TypeLong, TypeDouble, TypeList, TypePassword} {
		name := strings.ToLower(string(typ))
		d.Add(Key{Name: name, Type: typ, Default: NoDefault}, Key{Name: name + ".null", Type: typ})
	}
	return d
}

func TestParsingAgreesWithTheJVM(t *testing.T) {
	keys := javaKeys()
	seen := map[string]bool{}
	eachLine(t, "testdata/java/configdef.jsonl", func(line []byte) {
		var want struct {
			Key    string
			Text   *string
			List   []string
			Value  *string
			Error  *string
			Errors []string
			Shown  *string
		}
		if err := json.Unmarshal(line, &want); err != nil {
			t.Fatal(err)
		}
		seen[want.Key] = true
		d := NewDef(*keys.Key(want.Key))
		props := map[string]string{}
		if want.Text != nil {
			props[want.Key] = *want.Text
		}
		values, err := d.Parse(props)
		got := want
		got.List, got.Value, got.Error = nil, nil, nil
		switch v := values[want.Key].(type) {
		case []string:
			got.List = append([]string{}, v...)
			if v == nil {
				got.List = nil
			}
		case Password:
			text := string(v)
			got.Value = &text
		default:
			got.Value = Text(v)
		}
		if err != nil {
			text := err.Error()
			got.Error = &text
		}
		shown := d.Validate(props)[0]
		got.Errors, got.Shown = append([]string{}, shown.Errors...), Text(shown.Value)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-JVM +ours):\n%s", line, diff)
		}
	})
	for _, k := range keys.Keys() {
		if !seen[k.Name] {
			t.Errorf("the golden data has nothing of %s", k.Name)
		}
	}
}

// offers is a recommender whose answers depend on key a.
type offers struct {
	values func(parsed Values) []any
}

func (o offers) ValidValues(_ string, parsed Values) []any { return o.values(parsed) }
func (o offers) Visible(_ string, parsed Values) bool      { return parsed["a"] != "hide" }

func TestDependentsAndRecommendersAgreeWithTheJVM(t *testing.T) {
	d := NewDef(
		Key{Name: "a", Type: TypeString, Default: "d", Group: "g", Order: 1, Dependents: []string{"b", "c"}},
		Key{Name: "b", Type: TypeInt, Default: 1, Group: "g", Order: 2, Dependents: []string{"c", "nowhere"}},
		Key{Name: "c", Type: TypeString, Default: NoDefault, Group: "g", Order: 3,
			Recommender: offers{func(v Values) []any { return []any{"x", "y", v["a"]} }}},
		Key{Name: "e", Type: TypeString, Default: "q", Recommender: alwaysYZ{}},
	)
	type value struct {
		Name        string
		Value       *string
		Recommended []any
		Errors      []string
		Visible     bool
	}
	eachLine(t, "testdata/java/dependents.jsonl", func(line []byte) {
		var want struct {
			Props  map[string]string
			Values []value
		}
		if err := json.Unmarshal(line, &want); err != nil {
			t.Fatal(err)
		}
		var got []value
		for _, v := range d.Validate(want.Props) {
			got = append(got, value{v.Name, Text(v.Value), append([]any{}, v.Recommended...), append([]string{}, v.Errors...), v.Visible})
		}
		slices.SortFunc(got, func(a, b value) int { return strings.Compare(a.Name, b.Name) })
		if diff := cmp.Diff(want.Values, got); diff != "" {
			t.Errorf("%v (-JVM +ours):\n%s", want.Props, diff)
		}
	})
}

type alwaysYZ struct{}

func (alwaysYZ) ValidValues(string, Values) []any { return []any{"y", "z"} }
func (alwaysYZ) Visible(string, Values) bool      { return true }

func TestCircleOfDependentsEnds(t *testing.T) {
	d := NewDef(
		Key{Name: "root", Type: TypeString, Default: "", Dependents: []string{"a"}},
		Key{Name: "a", Type: TypeString, Default: "", Dependents: []string{"b"}},
		Key{Name: "b", Type: TypeString, Default: "", Dependents: []string{"a"}, Recommender: alwaysYZ{}},
	)
	if got := d.Validate(nil); len(got) != 3 || len(got[2].Recommended) != 2 {
		t.Errorf("%+v", got)
	}
}

func TestParseReportsEveryProblemInOrder(t *testing.T) {
	d := NewDef(
		Key{Name: "host", Type: TypeString, Default: NoDefault, Hint: "Set it to the server, e.g. db-1."},
		Key{Name: "size", Type: TypeInt, Default: 3, Validator: AtLeast(1), Hint: "Set it to 1000."},
		Key{Name: "mode", Type: TypeString, Default: "x", Validator: OneOf("x", "y")},
		Key{Name: "good", Type: TypeString, Default: "z"},
	)
	values, err := d.Parse(map[string]string{"size": "0", "mode": "q", "unknown": "kept"})
	want := `Missing required configuration "host" which has no default value. Set it to the server, e.g. db-1.
Invalid value 0 for configuration size: Value must be at least 1. Set it to 1000.
Invalid value q for configuration mode: String must be one of: x, y`
	if err == nil || err.Error() != want {
		t.Errorf("got %v\nwant %s", err, want)
	}
	if diff := cmp.Diff(Values{"good": "z"}, values); diff != "" {
		t.Errorf("values of the keys that are right:\n%s", diff)
	}
	var first *Error
	if !errors.As(err, &first) || first.Key != "host" {
		t.Errorf("first error is about %+v", first)
	}
}

func TestSingleProblemIsTheErrorItself(t *testing.T) {
	_, err := NewDef(Key{Name: "size", Type: TypeInt, Default: NoDefault}).Parse(nil)
	if _, ok := err.(*Error); !ok {
		t.Errorf("%T: the runtime shows the Java class of the error, which a list does not have", err)
	}
}

func TestValidateKeepsTheJVMsTextsWithoutAdvice(t *testing.T) {
	d := NewDef(Key{Name: "size", Type: TypeInt, Default: NoDefault, Hint: "Set it to 1000."})
	if got := d.Validate(nil)[0].Errors; len(got) != 1 || got[0] != `Missing required configuration "size" which has no default value.` {
		t.Errorf("%q", got)
	}
}

func TestDuplicatesAreDroppedAtStartAndRefusedInForms(t *testing.T) {
	d := NewDef(Key{Name: "topics", Type: TypeList, Default: []string{}, List: &ListRule{AllowEmpty: true}})
	var warnings []string
	v, err := d.ParseWarn(map[string]string{"topics": "b,a,b"}, func(key, msg string) { warnings = append(warnings, key+": "+msg) })
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"b", "a"}, v.List("topics")); diff != "" {
		t.Error(diff)
	}
	want := []string{"topics: Configuration 'topics' has duplicate values [b, a, b]; they were removed, which leaves [b, a]."}
	if diff := cmp.Diff(want, warnings); diff != "" {
		t.Error(diff)
	}
	if got := d.Validate(map[string]string{"topics": "b,a,b"})[0].Errors; !slices.Equal(got, []string{"Configuration 'topics' values must not be duplicated."}) {
		t.Errorf("%q", got)
	}
}

func TestUniqueAcceptsOnlyListsWithoutDuplicates(t *testing.T) {
	d := NewDef(Key{Name: "transforms", Type: TypeList, Default: []string{}, Validator: Unique})
	_, err := d.Parse(map[string]string{"transforms": "a,b,a"})
	if err == nil || err.Error() != "Invalid value [a, b, a] for configuration transforms: Duplicate alias provided." {
		t.Errorf("%v", err)
	}
	if _, err := d.Parse(map[string]string{"transforms": "a,b"}); err != nil {
		t.Error(err)
	}
}

func TestClassesAreResolved(t *testing.T) {
	d := NewDef(Key{Name: "value.converter", Type: TypeClass, Default: NoDefault}).WithClasses(func(name string) (string, bool) {
		return "org.example." + name, name != "Nope"
	})
	v, err := d.Parse(map[string]string{"value.converter": " Json "})
	if err != nil || v.String("value.converter") != "org.example.Json" {
		t.Errorf("%v, %v", v, err)
	}
	_, err = d.Parse(map[string]string{"value.converter": "Nope"})
	if err == nil || err.Error() != "Invalid value Nope for configuration value.converter: Class Nope could not be found." {
		t.Errorf("%v", err)
	}
}

func TestValidatorMayGiveTheFullError(t *testing.T) {
	d := NewDef(Key{Name: "listeners", Type: TypeList, Default: []string{}, Validator: func(key string, _ any) error {
		return &Error{Key: key, Msg: "Empty URL found."}
	}})
	if _, err := d.Parse(nil); err == nil || err.Error() != "Empty URL found." {
		t.Errorf("%v", err)
	}
}

func TestNullOrAcceptsNull(t *testing.T) {
	d := NewDef(Key{Name: "n", Type: TypeInt, Validator: NullOr(AtLeast(1))})
	if _, err := d.Parse(nil); err != nil {
		t.Error(err)
	}
	if _, err := d.Parse(map[string]string{"n": "0"}); err == nil {
		t.Error("0 is accepted")
	}
}

func TestTextsParseBack(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		item := rapid.StringMatching(`[a-z][a-z .]{0,5}[a-z]`)
		values := map[Type]any{
			TypeBoolean: rapid.Bool().Draw(rt, "bool"), TypeInt: int(rapid.Int32().Draw(rt, "int")), TypeShort: rapid.Int16().Draw(rt, "short"),
			TypeLong: rapid.Int64().Draw(rt, "long"), TypeDouble: rapid.Float64().Draw(rt, "double"),
			TypeString: item.Draw(rt, "string"), TypeList: rapid.SliceOf(item).Draw(rt, "list"),
		}
		for typ, v := range values {
			got, err := NewDef().ParseValue("k", *Text(v), typ)
			if err != nil {
				rt.Fatal(err)
			}
			if diff := cmp.Diff(v, got); diff != "" {
				rt.Errorf("%s %v: %s", typ, v, diff)
			}
		}
	})
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"", "1", "true", "a,,b", "1e5", "NaN", "\x00", "\xff", " x "} {
		f.Add(s)
	}
	d := javaKeys()
	f.Fuzz(func(t *testing.T, text string) {
		props := map[string]string{}
		for _, k := range d.Keys() {
			props[k.Name] = text
		}
		values, err := d.Parse(props)
		if err == nil {
			t.Fatal("no text is right for all keys")
		}
		for _, v := range d.Validate(props) {
			parsed, ok := values[v.Name]
			// What starts is what the form shows; but a form refuses duplicates.
			if ok && len(v.Errors) > 0 && d.Key(v.Name).List == nil {
				t.Errorf("%s=%q parses to %v, but the form says %q", v.Name, text, parsed, v.Errors)
			}
			if !ok && len(v.Errors) == 0 {
				t.Errorf("%s=%q does not parse, but the form shows no error", v.Name, text)
			}
		}
	})
}

func TestValidateNulls(t *testing.T) {
	d := NewDef(
		Key{Name: "required", Type: TypeString, Default: NoDefault, Validator: NonEmpty},
		Key{Name: "number", Type: TypeInt, Default: 1, Validator: AtLeast(1)},
		Key{Name: "plain", Type: TypeBoolean, Default: true},
	)
	for _, v := range d.Validate(map[string]string{}, "required", "number", "plain", "unknown") {
		want := ""
		if v.Name == "number" {
			want = "Invalid value null for configuration number: Value must be non-null"
		}
		if v.Value != nil || strings.Join(v.Errors, "|") != want {
			t.Errorf("%s: %v %q", v.Name, v.Value, v.Errors)
		}
	}
}
