//go:build unix

package localfs

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"

	"github.com/penstock-io/penstock/connectors/hdfssink/filesystem"
)

// lock takes the exclusive lock of an open file without waiting. It belongs to this
// open, so a second open in the same process is refused as well, and ends with it.
func lock(f *os.File) error {
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EWOULDBLOCK):
			return filesystem.ErrLeased
		default:
			return os.NewSyscallError("flock", err)
		}
	}
}

// linkRename renames where the kernel has no rename that refuses to overwrite. A crash
// between its steps leaves both names on one file; the next try finishes the work.
func linkRename(from, to string) error {
	src, err := os.Lstat(from)
	if err != nil {
		return err
	}
	if err := os.Link(from, to); err != nil {
		dst, statErr := os.Lstat(to)
		if statErr != nil || from == to || !os.SameFile(src, dst) {
			return err
		}
	}
	return os.Remove(from)
}
