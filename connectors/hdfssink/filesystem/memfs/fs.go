package memfs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	iofs "io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/penstock-io/penstock/connectors/hdfssink/filesystem"
)

// FS is one client of a Store.
type FS struct {
	store *Store
	// Guarded by store.mu.
	dead error // set: every call returns it
}

var _ filesystem.FS = (*FS)(nil)

// New returns the only client of a new store.
func New() *FS { return NewStore().Client() }

// Store returns the disk behind the client.
func (f *FS) Store() *Store { return f.store }

// do runs a call under the store's lock and wraps its error.
func (f *FS) do(ctx context.Context, op, p string, call func(p string) error) error {
	p = clean(p)
	err := context.Cause(ctx)
	if err == nil {
		f.store.mu.Lock()
		defer f.store.mu.Unlock()
		if err = f.dead; err == nil {
			err = call(p)
		}
	}
	return wrap(op, p, err)
}

func wrap(op, p string, err error) error {
	if err != nil {
		return fmt.Errorf("memfs: %s %s: %w", op, p, err)
	}
	return nil
}

// Create implements filesystem.FS.
func (f *FS) Create(ctx context.Context, p string) (filesystem.File, error) {
	var w *file
	err := f.do(ctx, "create", p, func(p string) error {
		if _, err := f.store.find(p); err == nil {
			return filesystem.ErrExist
		}
		parent, err := f.store.dir(path.Dir(p), true)
		if err != nil {
			return err
		}
		n := &node{lease: &lease{holder: f}}
		parent.children[path.Base(p)] = n
		w = &file{fs: f, path: p, node: n, lease: n.lease}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return w, nil
}

// Append implements filesystem.FS.
func (f *FS) Append(ctx context.Context, p string) (filesystem.File, error) {
	var w *file
	err := f.do(ctx, "append to", p, func(p string) error {
		n, err := f.store.find(p)
		switch {
		case err != nil:
			return err
		case n.children != nil:
			return errors.New("is a directory")
		case n.lease != nil:
			return filesystem.ErrLeased
		}
		n.lease = &lease{holder: f}
		w = &file{fs: f, path: p, node: n, lease: n.lease}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return w, nil
}

// Open implements filesystem.FS. Of a file open for writing it reads what was there
// when that began.
func (f *FS) Open(ctx context.Context, p string) (io.ReadCloser, error) {
	var data []byte
	err := f.do(ctx, "open", p, func(p string) error {
		n, err := f.store.find(p)
		if err == nil && n.children != nil {
			err = errors.New("is a directory")
		}
		if err == nil {
			data = n.data
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return io.NopCloser(bytes.NewReader(data)), nil
}

// Rename implements filesystem.FS.
func (f *FS) Rename(ctx context.Context, from, to string) error {
	from = clean(from)
	return f.do(ctx, "rename "+from+" to", to, func(to string) error {
		n, err := f.store.find(from)
		if err != nil {
			return err
		}
		if _, err := f.store.find(to); err == nil {
			return filesystem.ErrExist
		}
		if from == "/" || strings.HasPrefix(to, from+"/") {
			return errors.New("cannot move a directory into itself")
		}
		target, err := f.store.dir(path.Dir(to), false)
		if err != nil {
			return err
		}
		source, err := f.store.dir(path.Dir(from), false)
		if err != nil {
			return err
		}
		delete(source.children, path.Base(from))
		target.children[path.Base(to)] = n
		return nil
	})
}

// Remove implements filesystem.FS. A file that is open goes too; its writer gets
// ErrNotExist.
func (f *FS) Remove(ctx context.Context, p string) error {
	return f.do(ctx, "remove", p, func(p string) error {
		n, err := f.store.find(p)
		if err != nil {
			return nil //nolint:nilerr // missing is success
		}
		if p == "/" {
			return errors.New("cannot remove the root directory")
		}
		parent, err := f.store.dir(path.Dir(p), false)
		if err != nil {
			return err
		}
		delete(parent.children, path.Base(p))
		n.remove()
		return nil
	})
}

// MkdirAll implements filesystem.FS.
func (f *FS) MkdirAll(ctx context.Context, dir string) error {
	return f.do(ctx, "mkdir", dir, func(p string) error {
		if n, err := f.store.find(p); err == nil && n.children == nil {
			return filesystem.ErrExist
		}
		_, err := f.store.dir(p, true)
		return err
	})
}

// Stat implements filesystem.FS.
func (f *FS) Stat(ctx context.Context, p string) (filesystem.Info, error) {
	var i filesystem.Info
	err := f.do(ctx, "stat", p, func(p string) error {
		n, err := f.store.find(p)
		if err == nil {
			i = n.info(p)
		}
		return err
	})
	return i, err
}

func (n *node) info(p string) filesystem.Info {
	return filesystem.Info{Path: p, Size: int64(len(n.data)), Dir: n.children != nil, Modified: n.modified}
}

func (n *node) names() []string { return slices.Sorted(maps.Keys(n.children)) }

// List implements filesystem.FS.
func (f *FS) List(ctx context.Context, dir string) ([]filesystem.Info, error) {
	var infos []filesystem.Info
	err := f.do(ctx, "list", dir, func(p string) error {
		n, err := f.store.find(p)
		if err == nil && n.children == nil {
			err = errors.New("not a directory")
		}
		if err != nil {
			return err
		}
		for _, name := range n.names() {
			infos = append(infos, n.children[name].info(path.Join(p, name)))
		}
		return nil
	})
	return infos, err
}

// RecoverLease implements filesystem.FS; it succeeds at once.
func (f *FS) RecoverLease(ctx context.Context, p string) error {
	return f.do(ctx, "recover the lease of", p, func(p string) error {
		n, err := f.store.find(p)
		if err == nil && n.children != nil {
			err = errors.New("is a directory")
		}
		if err != nil || n.lease == nil {
			return err
		}
		keep := len(n.lease.buf)
		if f.store.torn != nil && n.lease.holder != nil {
			keep = f.store.torn.IntN(keep + 1)
		}
		n.lease.taken = true
		n.close(keep)
		return nil
	})
}

// Close implements filesystem.FS. Files still open are closed with what was written.
func (f *FS) Close() error {
	f.store.mu.Lock()
	defer f.store.mu.Unlock()
	if f.dead != nil {
		return nil
	}
	f.dead = fmt.Errorf("file system client: %w", iofs.ErrClosed)
	delete(f.store.clients, f)
	f.store.root.release(f)
	return nil
}

func (n *node) release(holder *FS) {
	if n.lease != nil && n.lease.holder == holder {
		n.close(len(n.lease.buf))
	}
	for _, child := range n.children {
		child.release(holder)
	}
}
