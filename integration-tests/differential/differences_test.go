package differential

import (
	"flag"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write docs/reference/rest-differences.md")

func TestThePageOfDifferencesIsTheList(t *testing.T) {
	const file = "../../docs/reference/rest-differences.md"
	if *update {
		if err := os.WriteFile(file, []byte(page()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(page(), string(text)); diff != "" {
		t.Errorf("run go test ./integration-tests/differential -update (-list +file):\n%s", diff)
	}
}

func TestADifferenceMatchesWhatItSays(t *testing.T) {
	d := difference{jvm: `400 {"message":"…"}`, ours: `400 {"message":"«1» Do …"}`}
	for _, tc := range []struct {
		jvm, ours string
		want      bool
	}{
		{`400 {"message":"It is (wrong)."}`, `400 {"message":"It is (wrong). Do that."}`, true},
		{`400 {"message":"It is (wrong)."}`, `400 {"message":"It is wrong. Do that."}`, false},
		{`500 {"message":"It is (wrong)."}`, `400 {"message":"It is (wrong). Do that."}`, false},
	} {
		if err := d.matches(tc.jvm, tc.ours); (err == nil) != tc.want {
			t.Errorf("%s and %s: %v, want match %t", tc.jvm, tc.ours, err, tc.want)
		}
	}
}
