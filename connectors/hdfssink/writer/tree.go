package writer

import (
	"context"
	"errors"
	"fmt"
	"path"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/penstock-io/penstock/connectors/hdfssink/filesystem"
)

// Tree lists the files of topics, each topic once for all partitions that recover with
// it. Make a new one for each Open of a task. It is safe for concurrent use.
type Tree struct {
	fs      filesystem.FS
	timeout time.Duration

	mu     sync.Mutex
	topics map[treeKey]*topicFiles
}

// NewTree returns a Tree; timeout bounds each listing of a directory.
func NewTree(fs filesystem.FS, timeout time.Duration) *Tree {
	return &Tree{fs: fs, timeout: timeout, topics: map[treeKey]*topicFiles{}}
}

type treeKey struct {
	topic string
	dirs  Dirs
}

type tempKey struct {
	partition int32
	owner     uint32
}

// newest is the committed file of a partition with the largest offset.
type newest struct {
	end  int64
	path string
}

// topicFiles is what a topic's directories have.
type topicFiles struct {
	done   chan struct{} // closed when the rest is there
	err    error
	newest map[int32]newest
	temps  map[tempKey][]string
}

// files lists a topic, or waits for who does. A failure is everybody's; they come again
// with another Tree.
func (t *Tree) files(ctx context.Context, topic string, d Dirs) (*topicFiles, error) {
	key := treeKey{topic, d}
	t.mu.Lock()
	f := t.topics[key]
	first := f == nil
	if first {
		f = &topicFiles{done: make(chan struct{}), newest: map[int32]newest{}, temps: map[tempKey][]string{}}
		t.topics[key] = f
	}
	t.mu.Unlock()
	if first {
		f.err = t.survey(ctx, f, topic, d)
		close(f.done)
	}
	select {
	case <-f.done:
		return f, f.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func (t *Tree) survey(ctx context.Context, f *topicFiles, topic string, d Dirs) error {
	err := t.walk(ctx, d.committedRoot(topic), func(p string) {
		n, ok := ParseCommittedName(path.Base(p))
		if !ok || n.Topic != topic {
			return
		}
		if best, ok := f.newest[n.Partition]; !ok || n.End > best.end {
			f.newest[n.Partition] = newest{n.End, p}
		}
	})
	if err != nil {
		return err
	}
	return t.walk(ctx, d.tempRoot(topic), func(p string) {
		if partition, own, ok := parseTempName(path.Base(p)); ok {
			key := tempKey{partition, own}
			f.temps[key] = append(f.temps[key], p)
		}
	})
}

// parallelLists is how many directories of one topic are listed at a time.
const parallelLists = 8

// walk calls visit, one at a time, for each file below root; nothing there is no error.
func (t *Tree) walk(ctx context.Context, root string, visit func(p string)) error {
	for level := []string{root}; len(level) > 0; {
		var mu sync.Mutex
		var next []string
		g, gctx := errgroup.WithContext(ctx)
		g.SetLimit(parallelLists)
		for _, dir := range level {
			g.Go(func() error {
				infos, err := t.list(gctx, dir)
				if err != nil {
					return err
				}
				mu.Lock()
				defer mu.Unlock()
				for _, info := range infos {
					if info.Dir {
						next = append(next, info.Path)
					} else {
						visit(info.Path)
					}
				}
				return nil
			})
		}
		if err := g.Wait(); err != nil {
			return err
		}
		level = next
	}
	return nil
}

func (t *Tree) list(ctx context.Context, dir string) ([]filesystem.Info, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, t.timeout, fmt.Errorf("not done within %s", t.timeout))
	defer cancel()
	infos, err := t.fs.List(ctx, dir)
	if errors.Is(err, filesystem.ErrNotExist) {
		return nil, nil
	}
	return infos, err
}
