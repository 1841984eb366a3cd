package main

import (
	"context"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestTheQuickStart(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "quick")
	var out strings.Builder
	if err := runQuickstart(context.Background(), []string{"-seconds", "1", "-dir", dir}, &out); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	if !regexp.MustCompile(`all 4000 events are in \d+ committed files, each once`).MatchString(out.String()) {
		t.Errorf("the output does not tell of committed files:\n%s", out.String())
	}
	shown := regexp.MustCompile(`page-views\+\d\+\d+\+\d+\.avro  \d+ records`).FindString(out.String())
	name, _, _ := strings.Cut(shown, " ")
	files, err := filepath.Glob(filepath.Join(dir, "topics", quickTopic, "dt=*", "hour=*", name))
	if name == "" || err != nil || len(files) != 1 {
		t.Errorf("the file %q is found %d times (%v):\n%s", name, len(files), err, out.String())
	}
	// The folder of an earlier quick start is used again.
	q := quickstart{dir: dir}
	if err := q.prepareDir(); err != nil {
		t.Error(err)
	}
}

func TestTheQuickStartEmptiesNoFolderOfOthers(t *testing.T) {
	file := writeText(t, "precious", "x")
	err := runQuickstart(context.Background(), []string{"-dir", filepath.Dir(file)}, &strings.Builder{})
	if exitCode(err) != exitConfig || !strings.Contains(err.Error(), "-dir") {
		t.Errorf("exit code %d: %v", exitCode(err), err)
	}
}

func TestTheQuickStartEndsWhenToldTo(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	out := &stopAt{text: "3. Connector", stop: cancel}
	err := runQuickstart(ctx, []string{"-seconds", "60", "-dir", filepath.Join(t.TempDir(), "quick")}, out)
	if err != nil {
		t.Errorf("told to stop, the quick start returned %v", err)
	}
}

// stopAt calls stop when a text is written.
type stopAt struct {
	text string
	stop func()
}

func (s *stopAt) Write(p []byte) (int, error) {
	if strings.Contains(string(p), s.text) {
		s.stop()
	}
	return len(p), nil
}
