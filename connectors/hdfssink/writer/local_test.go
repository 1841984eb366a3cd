package writer_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/penstock-io/penstock/connectors/hdfssink/filesystem/localfs"
)

// The protocol holds on the local disk too, in real time.
func TestOnTheLocalDisk(t *testing.T) {
	root := filepath.ToSlash(t.TempDir())
	group := int64(0)
	for end := int64(8); end <= 24; end += 8 {
		fs := localfs.New(root)
		w := newWorker(t, fs, group)
		w.cfg.CallTimeout = 10 * time.Second
		w.open()
		must(t, w.run(end))
		must(t, w.step(2, end+2)) // not committed
		group = w.group
		if end < 24 {
			w.close()
		} // else it dies with its files open
		must(t, fs.Close())
	}
	fs := localfs.New(root)
	defer fs.Close()
	w := newWorker(t, fs, group).open()
	must(t, w.run(32))
	w.close()
	checkOnce(t, fs, 32)
}
