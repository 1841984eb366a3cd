package memfs_test

import (
	"testing"

	"github.com/penstock-io/penstock/connectors/hdfssink/filesystem"
	"github.com/penstock-io/penstock/connectors/hdfssink/filesystem/fstest"
	"github.com/penstock-io/penstock/connectors/hdfssink/filesystem/memfs"
)

func TestConformance(t *testing.T) {
	store := memfs.NewStore()
	fstest.Run(t, func(*testing.T) filesystem.FS { return store.Client() })
}
