//go:build integration

package integration

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/colinmarc/hdfs/v2"
)

// hdfsClient reads HDFS with the bare client library, not with the code under test.
func hdfsClient(t *testing.T) *hdfs.Client {
	t.Helper()
	c, err := hdfs.NewClient(hdfs.ClientOptions{Addresses: []string{strings.TrimPrefix(hdfsCluster.URL, "hdfs://")}, User: "tester"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// files lists all files below a folder; a folder that does not exist has none.
func files(t *testing.T, c *hdfs.Client, dir string) []string {
	t.Helper()
	infos, err := c.ReadDir(dir)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, info := range infos {
		p := path.Join(dir, info.Name())
		if info.IsDir() {
			all = append(all, files(t, c, p)...)
		} else {
			all = append(all, p)
		}
	}
	return all
}

// dataFiles lists the committed files of a topic; tempFiles what lies in +tmp.
func dataFiles(t *testing.T, c *hdfs.Client, topicsDir, topic string) []string {
	return files(t, c, path.Join(topicsDir, topic))
}

func tempFiles(t *testing.T, c *hdfs.Client, topicsDir string) []string {
	return files(t, c, path.Join(topicsDir, "+tmp"))
}

// fileName is the meaning of a committed file's name.
type fileName struct {
	topic      string
	partition  int
	start, end int64
}

var namePattern = regexp.MustCompile(`^([a-zA-Z0-9._-]+)\+(\d+)\+(\d+)\+(\d+)\.\w+$`)

func parseName(t *testing.T, p string) fileName {
	t.Helper()
	m := namePattern.FindStringSubmatch(path.Base(p))
	if m == nil {
		t.Fatalf("%s is no committed file name", p)
	}
	n := fileName{topic: m[1]}
	n.partition, _ = strconv.Atoi(m[2])
	n.start, _ = strconv.ParseInt(m[3], 10, 64)
	n.end, _ = strconv.ParseInt(m[4], 10, 64)
	return n
}

// download copies HDFS files to a local folder.
func download(t *testing.T, c *hdfs.Client, paths []string) string {
	t.Helper()
	dir := t.TempDir()
	for _, p := range paths {
		if err := c.CopyToLocal(p, filepath.Join(dir, path.Base(p))); err != nil {
			t.Fatalf("download %s: %v", p, err)
		}
	}
	return dir
}

// tally is what the independent reader found in Avro files whose records have the
// fields p (partition) and i (number).
type tally struct {
	Records    int            `json:"records"`
	Duplicates int            `json:"duplicates"`
	PerPart    map[string]int `json:"per_partition"`
	Max        map[string]int `json:"max"`
	Misplaced  int            `json:"misplaced"` // record number outside its file's offsets
}

const countScript = `
import sys, os, json, fastavro
seen, dup, misplaced, largest = {}, 0, 0, {}
for name in sorted(os.listdir(sys.argv[1])):
    part, start, end = name.split('.')[0].rsplit('+', 3)[1:]
    with open(os.path.join(sys.argv[1], name), 'rb') as f:
        for r in fastavro.reader(f):
            p, i = r['p'], r['i']
            s = seen.setdefault(p, set())
            if i in s: dup += 1
            s.add(i)
            largest[p] = max(largest.get(p, -1), i)
            if str(p) != part or not int(start) <= i <= int(end): misplaced += 1
print(json.dumps({'records': sum(map(len, seen.values())), 'duplicates': dup, 'misplaced': misplaced,
                  'per_partition': {str(p): len(s) for p, s in seen.items()}, 'max': {str(p): m for p, m in largest.items()}}))
`

// countAvro reads Avro files with fastavro.
func countAvro(t *testing.T, dir string) tally {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), python, "-c", countScript, dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("read the files with fastavro: %v", err)
	}
	var c tally
	if err := json.Unmarshal(out, &c); err != nil {
		t.Fatal(err)
	}
	return c
}

// checkExactlyOnce fails unless the Avro files hold records 0..n-1 of every partition
// once, in files whose offset ranges follow each other without a gap.
func checkExactlyOnce(t *testing.T, c *hdfs.Client, topicsDir, topic string, partitions, n int) {
	t.Helper()
	paths := dataFiles(t, c, topicsDir, topic)
	next := make([]int64, partitions)
	byPartition := map[int][]fileName{}
	for _, p := range paths {
		f := parseName(t, p)
		byPartition[f.partition] = append(byPartition[f.partition], f)
	}
	for p := range partitions {
		// HDFS lists in name order and offsets are padded, so ranges come in order.
		for _, f := range byPartition[p] {
			if f.start != next[p] {
				t.Errorf("partition %d: a file starts at offset %d, the last ended before %d", p, f.start, next[p])
			}
			next[p] = f.end + 1
		}
	}
	got := countAvro(t, download(t, c, paths))
	want := partitions * n
	if got.Records != want || got.Duplicates != 0 || got.Misplaced != 0 {
		t.Errorf("%d files hold %d different records (want %d), %d twice, %d in the wrong file; per partition %v",
			len(paths), got.Records, want, got.Duplicates, got.Misplaced, got.PerPart)
	}
}

// committedUpTo returns the next offset of each partition as the file names tell it.
func committedUpTo(t *testing.T, c *hdfs.Client, topicsDir, topic string) map[int]int64 {
	t.Helper()
	next := map[int]int64{}
	for _, p := range dataFiles(t, c, topicsDir, topic) {
		f := parseName(t, p)
		next[f.partition] = max(next[f.partition], f.end+1)
	}
	return next
}

// reachedOffset returns an error until all partitions are committed up to n.
func reachedOffset(t *testing.T, c *hdfs.Client, topicsDir, topic string, partitions int, n int64) error {
	next := committedUpTo(t, c, topicsDir, topic)
	for p := range partitions {
		if next[p] < n {
			return fmt.Errorf("committed so far: %v, wanted %d each", next, n)
		}
	}
	return nil
}
