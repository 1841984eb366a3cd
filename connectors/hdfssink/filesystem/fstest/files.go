package fstest

import (
	"bytes"
	"io"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/penstock-io/penstock/connectors/hdfssink/filesystem"
)

var fileCases = []testCase{
	{"a closed file is read back and has its size", func(b *bench) {
		before := time.Now().Add(-time.Minute)
		w := b.create(b.fs, b.at("f"))
		b.write(w, "hello, ")
		b.write(w, "world")
		b.ok(w.Close())
		b.has(b.at("f"), "hello, world")
		info, err := b.fs.Stat(b.ctx, b.at("f"))
		b.ok(err)
		if info.Modified.Before(before) || info.Modified.After(time.Now().Add(time.Minute)) {
			b.Fatalf("modified at %s", info.Modified)
		}
	}},
	{"an empty file is a file", func(b *bench) {
		b.put(b.at("f"), "")
		b.has(b.at("f"), "")
	}},
	{"create makes the parent directories", func(b *bench) {
		b.put(b.at("a/b/c/f"), "x")
		b.has(b.at("a/b/c/f"), "x")
	}},
	{"create makes a parent that was removed since the last create there", func(b *bench) {
		b.put(b.at("a/b/f"), "x")
		b.ok(b.fs.Remove(b.ctx, b.at("a")))
		b.put(b.at("a/b/f"), "y")
		b.has(b.at("a/b/f"), "y")
	}},
	{"create refuses an existing file and leaves it alone", func(b *bench) {
		b.put(b.at("f"), "first")
		_, err := b.fs.Create(b.ctx, b.at("f"))
		b.is(err, filesystem.ErrExist)
		b.has(b.at("f"), "first")
	}},
	{"create refuses the name of a directory", func(b *bench) {
		b.ok(b.fs.MkdirAll(b.ctx, b.at("d")))
		_, err := b.fs.Create(b.ctx, b.at("d"))
		b.is(err, filesystem.ErrExist)
	}},
	{"create below a file fails", func(b *bench) {
		b.put(b.at("f"), "x")
		_, err := b.fs.Create(b.ctx, b.at("f/g"))
		b.fails(err)
		b.has(b.at("f"), "x")
	}},
	{"append goes on at the end, time after time", func(b *bench) {
		b.put(b.at("f"), "0")
		want := "0"
		for i := range 5 {
			more := strings.Repeat(string(rune('a'+i)), 300)
			w := b.append(b.fs, b.at("f"))
			b.write(w, more)
			b.ok(w.Close())
			want += more
			b.has(b.at("f"), want)
		}
	}},
	{"append to an empty file", func(b *bench) {
		b.put(b.at("f"), "")
		w := b.append(b.fs, b.at("f"))
		b.write(w, "x")
		b.ok(w.Close())
		b.has(b.at("f"), "x")
	}},
	{"append without a write changes nothing and gives the file back", func(b *bench) {
		b.put(b.at("f"), "abc")
		b.ok(b.append(b.fs, b.at("f")).Close())
		b.has(b.at("f"), "abc")
		w := b.append(b.fs, b.at("f"))
		b.write(w, "d")
		b.ok(w.Close())
		b.has(b.at("f"), "abcd")
	}},
	{"append wants a file that exists", func(b *bench) {
		_, err := b.fs.Append(b.ctx, b.at("f"))
		b.is(err, filesystem.ErrNotExist)
		_, err = b.fs.Append(b.ctx, b.at("no/dir/f"))
		b.is(err, filesystem.ErrNotExist)
		b.ok(b.fs.MkdirAll(b.ctx, b.at("d")))
		_, err = b.fs.Append(b.ctx, b.at("d"))
		b.fails(err)
	}},
	{"large writes of odd sizes are kept in order", func(b *bench) {
		rng := rand.New(rand.NewPCG(1, 2))
		content := make([]byte, 3<<20+17)
		for i := range content {
			content[i] = byte(rng.Uint32())
		}
		w := b.create(b.fs, b.at("f"))
		for rest := content; len(rest) > 0; {
			n := min(1+rng.IntN(200_000), len(rest))
			b.write(w, string(rest[:n]))
			rest = rest[n:]
		}
		b.ok(w.Close())
		b.has(b.at("f"), string(content))
	}},
	{"sync between writes changes nothing", func(b *bench) {
		w := b.create(b.fs, b.at("f"))
		b.ok(w.Sync())
		for range 3 {
			b.write(w, "line\n")
			b.ok(w.Sync())
		}
		b.ok(w.Close())
		b.has(b.at("f"), "line\nline\nline\n")
	}},
	{"a closed File refuses everything", func(b *bench) {
		w := b.create(b.fs, b.at("f"))
		b.write(w, "x")
		b.ok(w.Close())
		_, err := w.Write([]byte("y"))
		b.fails(err)
		b.fails(w.Sync())
		b.fails(w.Close())
		b.has(b.at("f"), "x")
	}},
	{"a removed file cannot be closed with success", func(b *bench) {
		w := b.create(b.fs, b.at("f"))
		b.write(w, "x")
		b.ok(b.client().Remove(b.ctx, b.at("f")))
		b.fails(w.Close())
		b.hasNot(b.at("f"))
	}},
	{"open wants a file", func(b *bench) {
		_, err := b.fs.Open(b.ctx, b.at("f"))
		b.is(err, filesystem.ErrNotExist)
		b.ok(b.fs.MkdirAll(b.ctx, b.at("d")))
		_, err = b.fs.Open(b.ctx, b.at("d"))
		b.fails(err)
		b.put(b.at("f"), "x")
		_, err = b.fs.Open(b.ctx, b.at("f/g"))
		b.is(err, filesystem.ErrNotExist)
	}},
	{"small reads see the file from the start", func(b *bench) {
		b.put(b.at("f"), "abcdefg")
		r, err := b.fs.Open(b.ctx, b.at("f"))
		b.ok(err)
		defer r.Close()
		var got bytes.Buffer
		_, err = io.CopyBuffer(&got, struct{ io.Reader }{r}, make([]byte, 2))
		b.ok(err)
		if got.String() != "abcdefg" {
			b.Fatalf("read %q", got.String())
		}
	}},
}
