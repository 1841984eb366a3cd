package fstest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/penstock-io/penstock/connectors/hdfssink/filesystem"
)

var leaseCases = []testCase{
	{"a file that is written cannot be created", func(b *bench) {
		w := b.create(b.fs, b.at("f"))
		for _, fs := range []filesystem.FS{b.fs, b.client()} {
			_, err := fs.Create(b.ctx, b.at("f"))
			b.is(err, filesystem.ErrExist)
		}
		b.ok(w.Close())
	}},
	{"a file that is written cannot be appended to", func(b *bench) {
		b.put(b.at("f"), "a")
		other := b.client()
		w := b.append(b.fs, b.at("f"))
		b.write(w, "b")
		for _, fs := range []filesystem.FS{b.fs, other} {
			_, err := fs.Append(b.ctx, b.at("f"))
			b.is(err, filesystem.ErrLeased)
		}
		b.ok(w.Close())
		w = b.append(other, b.at("f"))
		b.write(w, "c")
		b.ok(w.Close())
		b.has(b.at("f"), "abc")
	}},
	{"of several creators one wins", func(b *bench) {
		clients := []filesystem.FS{b.fs, b.client(), b.client()}
		wins := race(6, func(i int) error {
			w, err := clients[i%3].Create(b.ctx, b.at("f"))
			if err != nil {
				return err
			}
			if _, err := fmt.Fprint(w, i); err != nil {
				return err
			}
			return w.Close()
		}, func(err error) {
			if !errors.Is(err, filesystem.ErrExist) && !errors.Is(err, filesystem.ErrLeased) {
				b.Errorf("loser got %v", err)
			}
		})
		if len(wins) != 1 {
			b.Fatalf("%d creators succeeded", len(wins))
		}
		b.has(b.at("f"), fmt.Sprint(wins[0]))
	}},
	{"recovering a closed file changes nothing", func(b *bench) {
		b.put(b.at("f"), "abc")
		b.ok(b.fs.RecoverLease(b.ctx, b.at("f")))
		b.has(b.at("f"), "abc")
	}},
	{"recovering a missing file", func(b *bench) {
		b.is(b.fs.RecoverLease(b.ctx, b.at("f")), filesystem.ErrNotExist)
	}},
	{"recovering takes the file from its writer, or waits for him in vain", func(b *bench) {
		b.put(b.at("f"), "abc")
		other := b.client()
		w := b.append(other, b.at("f"))
		b.write(w, "def")
		b.ok(w.Sync())
		ctx, cancel := context.WithTimeout(b.ctx, 10*time.Second)
		if !takes(b) {
			cancel()
			ctx, cancel = context.WithTimeout(b.ctx, 200*time.Millisecond)
		}
		defer cancel()
		if err := b.fs.RecoverLease(ctx, b.at("f")); err != nil {
			// The backend cannot fence a living writer: he must be able to go on.
			b.is(err, filesystem.ErrLeased)
			b.write(w, "ghi")
			b.ok(w.Close())
			b.ok(b.fs.RecoverLease(b.ctx, b.at("f")))
			b.has(b.at("f"), "abcdefghi")
			return
		}
		kept := b.read(b.at("f"))
		if kept != "abcdef"[:max(3, min(len(kept), 6))] {
			b.Fatalf("the file holds %q", kept)
		}
		// The new owner writes, the former one must not get in between.
		mine := b.append(b.fs, b.at("f"))
		b.write(mine, "new")
		w.Write([]byte("zombie")) //nolint:errcheck // may be gathered only
		b.is(w.Close(), filesystem.ErrFenced)
		b.ok(mine.Close())
		b.has(b.at("f"), kept+"new")
	}},
	{"a fenced writer fails when nobody else has the file, too", func(b *bench) {
		if !takes(b) {
			b.Skip("the backend does not take files from living writers")
		}
		w := b.create(b.client(), b.at("f"))
		b.write(w, "abc")
		b.ok(w.Sync())
		b.ok(b.fs.RecoverLease(b.ctx, b.at("f")))
		kept := b.read(b.at("f"))
		w.Write([]byte("zombie")) //nolint:errcheck // may be gathered only
		b.is(w.Close(), filesystem.ErrFenced)
		b.has(b.at("f"), kept)
	}},
}

// takes finds out whether RecoverLease takes a file from a living writer.
func takes(b *bench) bool {
	w := b.create(b.client(), b.at("probe"))
	ctx, cancel := context.WithTimeout(b.ctx, 2*time.Second)
	defer cancel()
	err := b.fs.RecoverLease(ctx, b.at("probe"))
	w.Close() //nolint:errcheck // fenced or not
	return err == nil
}

var clientCases = []testCase{
	{"a closed client leaves no lease behind and refuses calls", func(b *bench) {
		b.put(b.at("f"), "abc")
		other := b.client()
		w := b.append(other, b.at("f"))
		b.write(w, "def")
		b.ok(other.Close())
		b.ok(other.Close())
		w.Write([]byte("x")) //nolint:errcheck // must not matter
		w.Close()            //nolint:errcheck // as above
		mine := b.append(b.fs, b.at("f"))
		b.write(mine, "g")
		b.ok(mine.Close())
		b.has(b.at("f"), "abcdefg")
		_, err := other.Stat(b.ctx, b.at("f"))
		b.fails(err)
		_, err = other.Create(b.ctx, b.at("g"))
		b.fails(err)
		_, err = other.Append(b.ctx, b.at("f"))
		b.fails(err)
	}},
	{"an ended context ends every call", func(b *bench) {
		b.put(b.at("f"), "x")
		ctx, cancel := context.WithCancel(b.ctx)
		cancel()
		calls := map[string]func() error{
			"create":  func() error { _, err := b.fs.Create(ctx, b.at("g")); return err },
			"append":  func() error { _, err := b.fs.Append(ctx, b.at("f")); return err },
			"open":    func() error { _, err := b.fs.Open(ctx, b.at("f")); return err },
			"rename":  func() error { return b.fs.Rename(ctx, b.at("f"), b.at("g")) },
			"remove":  func() error { return b.fs.Remove(ctx, b.at("f")) },
			"mkdir":   func() error { return b.fs.MkdirAll(ctx, b.at("d")) },
			"stat":    func() error { _, err := b.fs.Stat(ctx, b.at("f")); return err },
			"list":    func() error { _, err := b.fs.List(ctx, b.dir); return err },
			"recover": func() error { return b.fs.RecoverLease(ctx, b.at("f")) },
		}
		for name, call := range calls {
			if err := call(); !errors.Is(err, context.Canceled) {
				b.Errorf("%s returns %v", name, err)
			}
		}
		b.has(b.at("f"), "x")
	}},
	{"files are written side by side", func(b *bench) {
		const n = 8
		wins := race(n, func(i int) error {
			p := b.at(fmt.Sprintf("d%d/f", i))
			w, err := b.fs.Create(b.ctx, p+".tmp")
			if err != nil {
				return err
			}
			for range 100 {
				if _, err := fmt.Fprintf(w, "%0999d\n", i); err != nil {
					return err
				}
			}
			if err := w.Close(); err != nil {
				return err
			}
			return b.fs.Rename(b.ctx, p+".tmp", p)
		}, func(err error) { b.Error(err) })
		if len(wins) != n {
			b.Fatalf("%d of %d succeeded", len(wins), n)
		}
		for i := range n {
			var want string
			for range 100 {
				want += fmt.Sprintf("%0999d\n", i)
			}
			b.has(b.at(fmt.Sprintf("d%d/f", i)), want)
		}
	}},
}

// race runs n calls at the same time and returns who succeeded; lost gets each error,
// one at a time, on the caller's goroutine.
func race(n int, call func(int) error, lost func(error)) (wins []int) {
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { errs[i] = call(i) })
	}
	wg.Wait()
	for i, err := range errs {
		if err == nil {
			wins = append(wins, i)
		} else {
			lost(err)
		}
	}
	return wins
}
