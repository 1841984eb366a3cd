package livefile

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

func TestAFileIsReadAgainWhenItHasChanged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	write(t, path, "a")
	reads := 0
	read := func(path string) (string, error) {
		reads++
		text, err := os.ReadFile(path)
		if string(text) == "bad" {
			err = errors.New("it is bad")
		}
		return string(text), err
	}
	core, logs := observer.New(zap.InfoLevel)
	f, err := Open(path, "The file", read, zap.New(core))
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if got := f.Content(); got != "a" || reads != 1 {
			t.Errorf("%q after %d reads", got, reads)
		}
	}
	write(t, path, "b")
	if got := f.Content(); got != "b" || logs.FilterMessageSnippet("read again").Len() != 1 {
		t.Errorf("%q, %v", got, logs.All())
	}
	write(t, path, "bad")
	for range 3 {
		if got := f.Content(); got != "b" {
			t.Errorf("%q", got)
		}
	}
	if logs.FilterMessageSnippet("cannot be used").Len() != 1 || reads != 3 {
		t.Errorf("%d reads, %v", reads, logs.All())
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if got := f.Content(); got != "b" {
		t.Errorf("%q without the file", got)
	}
	write(t, path, "c")
	if got := f.Content(); got != "c" {
		t.Errorf("%q", got)
	}
}

func TestTheFirstReadingMustSucceed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	fail := func(string) (int, error) { return 0, errors.New("it is bad") }
	if _, err := Open(path, "The file", fail, zap.NewNop()); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	write(t, path, "x")
	if _, err := Open(path, "The file", fail, zap.NewNop()); err == nil || err.Error() != "it is bad" {
		t.Error(err)
	}
}
