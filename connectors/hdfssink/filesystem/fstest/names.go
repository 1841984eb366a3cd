package fstest

import (
	"fmt"
	"path"
	"slices"

	"github.com/penstock-io/penstock/connectors/hdfssink/filesystem"
)

var nameCases = []testCase{
	{"rename moves a file", func(b *bench) {
		b.put(b.at("a/f"), "x")
		b.ok(b.fs.MkdirAll(b.ctx, b.at("b")))
		b.ok(b.fs.Rename(b.ctx, b.at("a/f"), b.at("b/g")))
		b.has(b.at("b/g"), "x")
		b.hasNot(b.at("a/f"))
	}},
	{"rename never overwrites", func(b *bench) {
		b.put(b.at("f"), "from")
		b.put(b.at("g"), "to")
		b.is(b.fs.Rename(b.ctx, b.at("f"), b.at("g")), filesystem.ErrExist)
		b.has(b.at("f"), "from")
		b.has(b.at("g"), "to")
	}},
	{"rename onto itself or onto a directory is refused", func(b *bench) {
		b.put(b.at("f"), "x")
		b.is(b.fs.Rename(b.ctx, b.at("f"), b.at("f")), filesystem.ErrExist)
		b.ok(b.fs.MkdirAll(b.ctx, b.at("d")))
		b.is(b.fs.Rename(b.ctx, b.at("f"), b.at("d")), filesystem.ErrExist)
		b.has(b.at("f"), "x")
	}},
	{"rename of a missing file", func(b *bench) {
		b.put(b.at("g"), "x")
		b.is(b.fs.Rename(b.ctx, b.at("f"), b.at("h")), filesystem.ErrNotExist)
	}},
	{"rename into a missing directory", func(b *bench) {
		b.put(b.at("f"), "x")
		b.is(b.fs.Rename(b.ctx, b.at("f"), b.at("no/dir/f")), filesystem.ErrNotExist)
		b.has(b.at("f"), "x")
	}},
	{"of two renames onto one name one wins", func(b *bench) {
		for i := range 4 {
			b.put(b.at(fmt.Sprintf("from-%d", i)), fmt.Sprint(i))
		}
		wins := race(4, func(i int) error { return b.fs.Rename(b.ctx, b.at(fmt.Sprintf("from-%d", i)), b.at("to")) },
			func(err error) { b.is(err, filesystem.ErrExist) })
		if len(wins) != 1 {
			b.Fatalf("%d renames succeeded", len(wins))
		}
		b.has(b.at("to"), fmt.Sprint(wins[0]))
	}},
	{"remove takes files and trees, and does not mind their absence", func(b *bench) {
		b.put(b.at("d/a/f"), "x")
		b.put(b.at("d/b"), "y")
		b.ok(b.fs.Remove(b.ctx, b.at("d/b")))
		b.hasNot(b.at("d/b"))
		b.has(b.at("d/a/f"), "x")
		b.ok(b.fs.Remove(b.ctx, b.at("d")))
		b.hasNot(b.at("d/a/f"))
		b.hasNot(b.at("d"))
		b.ok(b.fs.Remove(b.ctx, b.at("d")))
		b.ok(b.fs.Remove(b.ctx, b.at("d/b/c")))
	}},
	{"mkdir makes parents and accepts what exists", func(b *bench) {
		b.ok(b.fs.MkdirAll(b.ctx, b.at("a/b/c")))
		b.ok(b.fs.MkdirAll(b.ctx, b.at("a/b/c")))
		info, err := b.fs.Stat(b.ctx, b.at("a/b"))
		b.ok(err)
		if !info.Dir || info.Size != 0 {
			b.Fatalf("Stat of a directory: %+v", info)
		}
	}},
	{"mkdir over or below a file fails", func(b *bench) {
		b.put(b.at("f"), "x")
		b.is(b.fs.MkdirAll(b.ctx, b.at("f")), filesystem.ErrExist)
		b.fails(b.fs.MkdirAll(b.ctx, b.at("f/d")))
		b.has(b.at("f"), "x")
	}},
	{"stat of nothing", func(b *bench) {
		b.hasNot(b.at("f"))
		b.hasNot(b.at("no/dir/f"))
		b.put(b.at("f"), "x")
		b.hasNot(b.at("f/g"))
	}},
	{"list gives files and directories in name order", func(b *bench) {
		want := []string{"+tmp", "10", "9", "Z", "_x", "a", "a.b", "b=1", "é"}
		for i := len(want) - 1; i >= 0; i-- {
			if want[i] == "a" {
				b.ok(b.fs.MkdirAll(b.ctx, b.at("a")))
				continue
			}
			b.put(b.at(want[i]), want[i])
		}
		infos, err := b.fs.List(b.ctx, b.dir)
		b.ok(err)
		var got []string
		for _, i := range infos {
			name := path.Base(i.Path)
			got = append(got, name)
			size := int64(len(name))
			if i.Dir {
				size = 0
			}
			if i.Path != b.at(name) || i.Dir != (name == "a") || i.Size != size || i.Modified.IsZero() && !i.Dir {
				b.Errorf("entry %+v", i)
			}
		}
		if !slices.Equal(got, want) {
			b.Fatalf("List gives %q, want %q", got, want)
		}
	}},
	{"list of an empty directory, of none, and of a file", func(b *bench) {
		b.ok(b.fs.MkdirAll(b.ctx, b.at("d")))
		infos, err := b.fs.List(b.ctx, b.at("d"))
		b.ok(err)
		if len(infos) != 0 {
			b.Fatalf("entries in an empty directory: %+v", infos)
		}
		_, err = b.fs.List(b.ctx, b.at("no"))
		b.is(err, filesystem.ErrNotExist)
		b.put(b.at("f"), "x")
		_, err = b.fs.List(b.ctx, b.at("f"))
		b.fails(err)
		_, err = b.fs.List(b.ctx, b.at("f/g"))
		b.is(err, filesystem.ErrNotExist)
	}},
	{"paths are cleaned of double slashes, and special characters kept", func(b *bench) {
		b.put(b.dir+"//+tmp///p=a b%20c/f+0+1.avro", "x")
		b.has(b.at("+tmp/p=a b%20c/f+0+1.avro"), "x")
		b.ok(b.fs.Rename(b.ctx, b.dir+"//+tmp/p=a b%20c//f+0+1.avro", b.dir+"//ü"))
		b.has(b.at("ü"), "x")
	}},
}
