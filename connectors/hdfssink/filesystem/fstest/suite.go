package fstest

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io"
	"path"
	"testing"
	"time"

	"github.com/penstock-io/penstock/connectors/hdfssink/filesystem"
)

// Run runs the suite. newFS returns a new client; all clients of one Run are clients
// of the same store. The suite closes them and keeps to new directories of its own.
func Run(t *testing.T, newFS func(t *testing.T) filesystem.FS) {
	groups := []struct {
		name  string
		cases []testCase
	}{
		{"files", fileCases},
		{"names", nameCases},
		{"leases", leaseCases},
		{"clients", clientCases},
	}
	for _, g := range groups {
		t.Run(g.name, func(t *testing.T) {
			for _, c := range g.cases {
				t.Run(c.name, func(t *testing.T) { c.run(newBench(t, newFS)) })
			}
		})
	}
}

type testCase struct {
	name string
	run  func(*bench)
}

// bench is one test's workplace: a client, an own directory, and short forms of the
// calls that end the test when they fail.
type bench struct {
	*testing.T
	fs    filesystem.FS
	dir   string
	newFS func(t *testing.T) filesystem.FS
	ctx   context.Context
}

func newBench(t *testing.T, newFS func(t *testing.T) filesystem.FS) *bench {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	var id [6]byte
	if _, err := rand.Read(id[:]); err != nil {
		t.Fatal(err)
	}
	b := &bench{T: t, newFS: newFS, ctx: ctx, dir: "/fstest-" + hex.EncodeToString(id[:])}
	b.fs = b.client()
	t.Cleanup(func() {
		fs := newFS(t)
		defer fs.Close()
		if err := fs.Remove(context.WithoutCancel(ctx), b.dir); err != nil {
			t.Errorf("remove the test's directory: %v", err)
		}
	})
	return b
}

// client returns another client of the store, closed at the end of the test.
func (b *bench) client() filesystem.FS {
	b.Helper()
	fs := b.newFS(b.T)
	b.Cleanup(func() {
		if err := fs.Close(); err != nil {
			b.Errorf("close the client: %v", err)
		}
	})
	return fs
}

// at is a path in the test's directory.
func (b *bench) at(p string) string { return path.Join(b.dir, p) }

func (b *bench) ok(err error) {
	b.Helper()
	if err != nil {
		b.Fatalf("unexpected error: %v", err)
	}
}

func (b *bench) is(err, want error) {
	b.Helper()
	if !errors.Is(err, want) {
		b.Fatalf("error is %v, want %v", err, want)
	}
}

func (b *bench) fails(err error) {
	b.Helper()
	if err == nil {
		b.Fatal("no error")
	}
}

func (b *bench) create(fs filesystem.FS, p string) filesystem.File {
	b.Helper()
	w, err := fs.Create(b.ctx, p)
	b.ok(err)
	return w
}

func (b *bench) append(fs filesystem.FS, p string) filesystem.File {
	b.Helper()
	w, err := fs.Append(b.ctx, p)
	b.ok(err)
	return w
}

func (b *bench) write(w filesystem.File, s string) {
	b.Helper()
	n, err := w.Write([]byte(s))
	b.ok(err)
	if n != len(s) {
		b.Fatalf("wrote %d bytes of %d without an error", n, len(s))
	}
}

// put creates a closed file.
func (b *bench) put(p, content string) {
	b.Helper()
	w := b.create(b.fs, p)
	b.write(w, content)
	b.ok(w.Close())
}

func (b *bench) read(p string) string {
	b.Helper()
	r, err := b.fs.Open(b.ctx, p)
	b.ok(err)
	content, err := io.ReadAll(r)
	b.ok(err)
	b.ok(r.Close())
	return string(content)
}

func (b *bench) has(p, want string) {
	b.Helper()
	if got := b.read(p); got != want {
		b.Fatalf("%s holds %s, want %s", p, short(got), short(want))
	}
	info, err := b.fs.Stat(b.ctx, p)
	b.ok(err)
	if info.Size != int64(len(want)) || info.Dir || info.Path != p {
		b.Fatalf("Stat says %+v of %s with %d bytes", info, p, len(want))
	}
}

func (b *bench) hasNot(p string) {
	b.Helper()
	_, err := b.fs.Stat(b.ctx, p)
	b.is(err, filesystem.ErrNotExist)
}

func short(s string) string {
	if len(s) > 60 {
		return s[:60] + "…"
	}
	return "\"" + s + "\""
}
