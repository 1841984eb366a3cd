package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/linkedin/goavro/v2"

	"github.com/penstock-io/penstock/connectors/hdfssink/filesystem"
)

// showFiles waits until all events are in committed files, then shows the tree and the
// first records, read back with another Avro library than the one that wrote them.
func (q *quickstart) showFiles(ctx context.Context, produced int) error {
	fs, root, err := q.openStore(ctx)
	if err != nil {
		return err
	}
	defer fs.Close() //nolint:errcheck // it only reads
	top := path.Join("/", root, "topics", quickTopic)
	start := time.Now()
	var found []avroFile
	err = q.await(ctx, "all events are in committed files", func() error {
		if found, err = readTree(ctx, fs, top); err != nil {
			return err
		}
		if n := records(found); n != produced {
			return fmt.Errorf("%d of %d", n, produced)
		}
		return nil
	})
	if err != nil {
		return err
	}
	q.say("5. Files      all %d events are in %d committed files, each once (%.1f s after the last event)\n",
		produced, len(found), time.Since(start).Seconds())
	q.printTree(top, found)
	return q.printRecords(ctx, fs, found)
}

// avroFile is a committed file and how many records it holds.
type avroFile struct {
	path    string
	size    int64
	records int
}

func records(files []avroFile) (n int) {
	for _, f := range files {
		n += f.records
	}
	return n
}

func readTree(ctx context.Context, fs filesystem.FS, dir string) ([]avroFile, error) {
	entries, err := fs.List(ctx, dir)
	if errors.Is(err, filesystem.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var all []avroFile
	for _, e := range entries {
		if e.Dir {
			below, err := readTree(ctx, fs, e.Path)
			if err != nil {
				return nil, err
			}
			all = append(all, below...)
			continue
		}
		n, _, err := readAvro(ctx, fs, e.Path, 0)
		if err != nil {
			return nil, err
		}
		all = append(all, avroFile{e.Path, e.Size, n})
	}
	return all, nil
}

// readAvro counts the records of a file and returns the first few.
func readAvro(ctx context.Context, fs filesystem.FS, p string, few int) (n int, first []any, err error) {
	f, err := fs.Open(ctx, p)
	if err != nil {
		return 0, nil, err
	}
	defer f.Close()
	r, err := goavro.NewOCFReader(io.Reader(f))
	if err != nil {
		return 0, nil, fmt.Errorf("read %s: %w", p, err)
	}
	for r.Scan() {
		v, err := r.Read()
		if err != nil {
			return n, first, fmt.Errorf("read record %d of %s: %w", n, p, err)
		}
		if n++; len(first) < few {
			first = append(first, v)
		}
	}
	return n, first, r.Err()
}

const shownPerDirectory = 3

func (q *quickstart) printTree(top string, files []avroFile) {
	byDir := map[string][]avroFile{}
	for _, f := range files {
		byDir[path.Dir(f.path)] = append(byDir[path.Dir(f.path)], f)
	}
	dirs := make([]string, 0, len(byDir))
	for d := range byDir {
		dirs = append(dirs, d)
	}
	slices.Sort(dirs)
	q.say("%s", top)
	for _, d := range dirs {
		q.say("  %s/", strings.TrimPrefix(strings.TrimPrefix(d, top), "/"))
		for i, f := range byDir[d] {
			if i == shownPerDirectory {
				q.say("    … %d more", len(byDir[d])-i)
				break
			}
			q.say("    %s  %d records, %d bytes", path.Base(f.path), f.records, f.size)
		}
	}
}

func (q *quickstart) printRecords(ctx context.Context, fs filesystem.FS, files []avroFile) error {
	_, first, err := readAvro(ctx, fs, files[0].path, 3)
	if err != nil {
		return err
	}
	q.say("\nThe first records of %s:", path.Base(files[0].path))
	for _, v := range first {
		if m, ok := v.(map[string]any); ok {
			q.say("  %s", recordText(m))
		}
	}
	return nil
}

// recordText prints a record as goavro sees it: unions are maps of one entry.
func recordText(m map[string]any) string {
	var parts []string
	for _, field := range []string{"time", "user", "page", "country", "millis", "price"} {
		v := m[field]
		if u, ok := v.(map[string]any); ok {
			for _, inner := range u {
				v = inner
			}
		}
		if t, ok := v.(time.Time); ok {
			v = t.UTC().Format(time.RFC3339)
		}
		parts = append(parts, fmt.Sprintf("%s=%v", field, v))
	}
	return strings.Join(parts, " ")
}
