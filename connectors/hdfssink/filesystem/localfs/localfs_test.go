//go:build unix

package localfs_test

import (
	"testing"

	"github.com/penstock-io/penstock/connectors/hdfssink/filesystem"
	"github.com/penstock-io/penstock/connectors/hdfssink/filesystem/fstest"
	"github.com/penstock-io/penstock/connectors/hdfssink/filesystem/localfs"
)

func TestConformance(t *testing.T) {
	root := t.TempDir()
	fstest.Run(t, func(*testing.T) filesystem.FS { return localfs.New(root) })
}
