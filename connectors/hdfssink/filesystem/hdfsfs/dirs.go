package hdfsfs

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/penstock-io/penstock/connectors/hdfssink/filesystem"
	"github.com/penstock-io/penstock/connectors/hdfssink/filesystem/hdfsfs/namenode"
)

// CheckDirectory returns ErrUnsupported when new files below dir would be
// erasure-coded or encrypted: HDFS would accept our writes and keep garbage. A
// directory that does not exist passes; it is checked when files are made in it.
func (f *FS) CheckDirectory(ctx context.Context, dir string) error {
	ctx, cancel := f.bound(ctx)
	defer cancel()
	dir = Clean(dir)
	st, err := f.stat(ctx, dir)
	if errors.Is(err, filesystem.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = checkStatus(st)
	}
	return wrap("check", dir, err)
}

func checkStatus(st *namenode.FileStatus) error {
	switch {
	case st.ErasureCoded:
		return fmt.Errorf("%w: it has an erasure coding policy; use a directory with replication (hdfs ec -unsetPolicy, or -setPolicy -replicate)", ErrUnsupported)
	case st.Encrypted:
		return fmt.Errorf("%w: it is in an encryption zone, which needs a key server; use a directory outside", ErrUnsupported)
	}
	return nil
}

// ensureDir makes the directory and checks it, once.
func (f *FS) ensureDir(ctx context.Context, dir string) error {
	if f.dirs.has(dir) {
		return nil
	}
	st, err := f.stat(ctx, dir)
	if errors.Is(err, filesystem.ErrNotExist) {
		if err = f.nn.Mkdirs(ctx, dir, f.dirPerm); err == nil {
			st, err = f.stat(ctx, dir) // what it inherited
		}
	}
	if err != nil {
		return err
	}
	if !st.Dir {
		return fmt.Errorf("%s is not a directory", dir)
	}
	if err := checkStatus(st); err != nil {
		return fmt.Errorf("directory %s: %w", dir, err)
	}
	f.dirs.add(dir)
	return nil
}

// dirCache remembers directories that exist and were checked. It forgets everything
// when full: time partitions come and go.
type dirCache struct {
	mu   sync.Mutex
	seen map[string]struct{}
}

const maxCachedDirs = 4096

func (c *dirCache) has(dir string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, ok := c.seen[dir]
	return ok
}

func (c *dirCache) add(dir string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.seen == nil || len(c.seen) >= maxCachedDirs {
		c.seen = map[string]struct{}{}
	}
	c.seen[dir] = struct{}{}
}

func (c *dirCache) forget(dir string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.seen, dir)
}
