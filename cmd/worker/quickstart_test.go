package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/penstock-io/penstock/connect/cli"
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
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "precious"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	var wrong cli.UsageError
	err := runQuickstart(context.Background(), []string{"-dir", dir}, &strings.Builder{})
	if !errors.As(err, &wrong) || !strings.Contains(err.Error(), "-dir") {
		t.Errorf("got %v", err)
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

func TestTheQuickStartTakesNoFiles(t *testing.T) {
	var wrong cli.UsageError
	if err := program().Run([]string{"quickstart", "x"}, &strings.Builder{}); !errors.As(err, &wrong) {
		t.Errorf("got %v", err)
	}
}
