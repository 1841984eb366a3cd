package provider

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/penstock-io/penstock/connect/config"
)

func TestHugeFileIsRefused(t *testing.T) {
	path := write(t, filepath.Join(t.TempDir(), "log"), "")
	if err := os.Truncate(path, maxFileBytes+1); err != nil {
		t.Fatal(err)
	}
	if _, err := (&File{}).Get(path, []string{"a"}); err == nil || !strings.Contains(err.Error(), "is larger than") {
		t.Errorf("%v", err)
	}
}

func TestPipesAndDevicesAreNotRead(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{pipe, "/dev/zero"} {
		done := make(chan error, 1)
		go func() {
			_, err := (&File{}).Get(path, []string{"k"})
			done <- err
		}()
		select {
		case err := <-done:
			want := "Could not read properties from file " + path + ": it is a pipe, a socket or a device; use a regular file"
			if err == nil || err.Error() != want {
				t.Errorf("got %v", err)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("%s blocks", path)
		}
	}
	if _, err := (&File{}).Get(filepath.Dir(pipe), []string{"k"}); err == nil || !strings.HasSuffix(err.Error(), ": is a directory") {
		t.Errorf("a directory: %v", err)
	}
}

func TestPlaceholdersStandForABoundedSize(t *testing.T) {
	large := strings.Repeat("v", 1<<20)
	f := &fake{paths: map[string]map[string]string{"": {"a": large}, "/p": {}}}
	keys := make([]string, 65)
	for i := range keys {
		keys[i] = "k" + strconv.Itoa(i)
		f.paths["/p"][keys[i]] = large
	}
	p := Providers{"f": f}
	within := map[string]string{"k": strings.Repeat("${f:a}", 64)}
	if r, err := p.Resolve(within); err != nil || len(r.Props["k"]) != 64<<20 {
		t.Errorf("64 MiB: %v", err)
	}
	for what, props := range map[string]map[string]string{
		"the key k.": {"k": strings.Repeat("${f:a}", 1000)}, "the key k2.": {"k1": within["k"], "k2": "${f:a}"},
		"${f:/p:k9}.": {"k": "${f:/p:" + strings.Join(keys, "}${f:/p:") + "}"},
	} {
		_, err := p.Resolve(props)
		var wrong *config.Error
		if want := "more than 64 MiB in all, up to and including " + what; !errors.As(err, &wrong) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", what, err)
		}
	}
}
