package main

import (
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	code := m.Run()
	// The connections of the clients with the default transport are kept for reuse.
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	if code == 0 {
		if err := goleak.Find(goleak.IgnoreTopFunction("github.com/rcrowley/go-metrics.(*meterArbiter).tick")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// TestTheReferenceIsUpToDate keeps docs/reference/config equal to the definitions of
// worker and plugins.
func TestTheReferenceIsUpToDate(t *testing.T) {
	dir := t.TempDir()
	if err := program().Run([]string{"plugins", "-docs", dir}, io.Discard); err != nil {
		t.Fatal(err)
	}
	want, got := pages(t, dir), pages(t, "../../docs/reference/config")
	delete(got, "README.md")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("run 'make docs' (-want +got):\n%s", diff)
	}
}

func pages(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		text, err := os.ReadFile(path)
		all[name] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
