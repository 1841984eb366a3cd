package logging

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

func TestALevelHoldsForANameAndAllBelowIt(t *testing.T) {
	var b bytes.Buffer
	log, levels := New(&b)
	herder, member := log.Named("connect").Named("herder"), log.Named("connect").Named("member")
	herder.Debug("one")
	member.Debug("two")
	if got := levels.Set("connect.herder", "debug"); !slices.Equal(got, []string{"connect.herder"}) {
		t.Errorf("changed %v", got)
	}
	herder.Debug("three")
	member.Debug("four")
	if got := levels.Set("connect", "ERROR"); !slices.Equal(got, []string{"connect", "connect.herder", "connect.member"}) {
		t.Errorf("changed %v", got)
	}
	herder.Info("five")
	herder.Error("six")
	var logged []string
	for _, line := range strings.Split(strings.TrimSpace(b.String()), "\n") {
		f := strings.Fields(line)
		logged = append(logged, f[len(f)-1])
	}
	if want := []string{"three", "six"}; !slices.Equal(logged, want) {
		t.Errorf("logged %v, want %v in\n%s", logged, want, b.String())
	}
}

func TestSettingTheSameLevelChangesNothing(t *testing.T) {
	_, levels := New(&bytes.Buffer{})
	if got := levels.Set("root", "info"); len(got) != 0 {
		t.Errorf("changed %v", got)
	}
	if !levels.All()[Root].Modified.IsZero() {
		t.Error("the level counts as modified")
	}
}

func TestANewLoggerWithTheLevelThatItInheritsIsNoChange(t *testing.T) {
	_, levels := New(&bytes.Buffer{})
	if got := levels.Set("a.b", "INFO"); len(got) != 0 {
		t.Errorf("changed %v", got)
	}
	if got, known := levels.All()["a.b"]; !known || got != (Level{Name: "INFO"}) {
		t.Errorf("a.b is %+v, %t", got, known)
	}
	levels.Set("a", "WARN")
	if got := levels.All()["a.b"]; got.Name != "WARN" || got.Modified.IsZero() {
		t.Errorf("a.b is %+v", got)
	}
}
