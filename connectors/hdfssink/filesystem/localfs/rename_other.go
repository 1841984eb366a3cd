//go:build unix && !linux

package localfs

// renameNew renames and fails when the target exists.
func renameNew(from, to string) error { return linkRename(from, to) }
