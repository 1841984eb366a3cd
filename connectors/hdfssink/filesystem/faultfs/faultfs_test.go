package faultfs_test

import (
	"testing"

	"github.com/penstock-io/penstock/connectors/hdfssink/filesystem"
	"github.com/penstock-io/penstock/connectors/hdfssink/filesystem/faultfs"
	"github.com/penstock-io/penstock/connectors/hdfssink/filesystem/fstest"
	"github.com/penstock-io/penstock/connectors/hdfssink/filesystem/memfs"
)

func TestConformanceWithoutFaults(t *testing.T) {
	store := memfs.NewStore()
	fstest.Run(t, func(*testing.T) filesystem.FS { return faultfs.New(store.Client()) })
}
