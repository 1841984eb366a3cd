package validate

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// numbered returns n different names.
func numbered(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprint("n", i)
	}
	return names
}

// TestLargeConfigsAreCheckedInTime has a limit far above what a slow machine takes, and far
// below what comparing each name with each other does.
func TestLargeConfigsAreCheckedInTime(t *testing.T) {
	list := strings.Join(numbered(200_000), ",")
	started := time.Now()
	v := newValidator(t, "All")
	for _, tc := range []struct {
		key, class string
		wrong      []string
	}{
		{"transforms", "FileStreamSink", []string{"Configuration 'transforms' has 200000 names, but must not have more than 1000."}},
		{"predicates", "FileStreamSink", []string{"Configuration 'predicates' has 200000 names, but must not have more than 1000."}},
		{"topic.creation.groups", "FileStreamSource", []string{"Configuration 'topic.creation.groups' has 200000 names, but must not have more than 1000."}},
		{"topics", "FileStreamSink", []string{}},
	} {
		props := valid(tc.key, list, "connector.class", tc.class, "topic", "t", "errors.deadletterqueue.topic.name", "d")
		infos, err := v.Validate(t.Context(), props)
		if got := errorsOf(infos, tc.key); err != nil || !slices.Equal(got, tc.wrong) || infos.ErrorCount != len(got) {
			t.Errorf("%s: %d errors, %.200q, %v", tc.key, infos.ErrorCount, got, err)
		}
		if text, err := json.Marshal(infos); err != nil || len(text) > len(list)+100_000 {
			t.Errorf("%s: an answer of %d bytes, %v", tc.key, len(text), err)
		}
	}
	if d := time.Since(started); d > 10*time.Second {
		t.Errorf("that took %v", d)
	}
}

func TestAsManyTransformsAsAllowedAreDescribed(t *testing.T) {
	started := time.Now()
	names := numbered(1000)
	props := valid("transforms", strings.Join(names, ","), "predicates", strings.Join(names, ","))
	for _, n := range names {
		props["transforms."+n+".type"], props["predicates."+n+".type"] = "org.apache.kafka.connect.transforms.InsertField$Value", "RecordIsTombstone"
	}
	infos, err := newValidator(t, "All").Validate(t.Context(), props)
	if err != nil || infos.ErrorCount != 0 {
		t.Errorf("%d errors, %v, %.200v", infos.ErrorCount, err, infos.Err())
	}
	if !slices.Contains(infos.Groups, "Predicates: n999") {
		t.Errorf("%d groups", len(infos.Groups))
	}
	if d := time.Since(started); d > 10*time.Second {
		t.Errorf("that took %v", d)
	}
}
