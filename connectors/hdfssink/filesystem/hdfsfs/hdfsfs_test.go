package hdfsfs_test

import (
	"context"
	"os"
	"testing"

	"go.uber.org/zap/zaptest"

	"github.com/penstock-io/penstock/connectors/hdfssink/filesystem"
	"github.com/penstock-io/penstock/connectors/hdfssink/filesystem/fstest"
	"github.com/penstock-io/penstock/connectors/hdfssink/filesystem/hdfsfs"
)

// realHDFS is the URL of a cluster to test with; the test is skipped without one.
func realHDFS(t testing.TB) string {
	t.Helper()
	url := os.Getenv("PENSTOCK_HDFS")
	if url == "" {
		t.Skip("PENSTOCK_HDFS is not set: give the URL of a scratch HDFS, such as hdfs://127.0.0.1:8020 (integration-tests/stack starts one)")
	}
	return url
}

func open(t testing.TB, o hdfsfs.Options) *hdfsfs.FS {
	t.Helper()
	o.URL = realHDFS(t)
	if tt, ok := t.(*testing.T); ok && o.Logger == nil {
		o.Logger = zaptest.NewLogger(tt)
	}
	fs, err := hdfsfs.New(context.WithoutCancel(t.Context()), o) // the suite cleans up after the test's context
	if err != nil {
		t.Fatal(err)
	}
	return fs
}

func TestConformance(t *testing.T) {
	realHDFS(t)
	fstest.Run(t, func(t *testing.T) filesystem.FS { return open(t, hdfsfs.Options{}) })
}
