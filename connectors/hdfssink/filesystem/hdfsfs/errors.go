package hdfsfs

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"github.com/penstock-io/penstock/connectors/hdfssink/filesystem"
	"github.com/penstock-io/penstock/connectors/hdfssink/filesystem/hdfsfs/namenode"
)

// ErrUnsupported: the directory is erasure-coded or encrypted. We cannot write there
// without harm.
var ErrUnsupported = errors.New("unsupported HDFS directory")

// wrap says what failed on which path, and adds the contract's error for it. The
// remote exception stays reachable: errors.As to *namenode.RemoteError.
func wrap(op, path string, err error) error {
	if err == nil {
		return nil
	}
	err = remote(err)
	if s := sentinel(err); s != nil && !errors.Is(err, s) {
		return fmt.Errorf("hdfs: %s %s: %w: %w", op, path, s, err)
	}
	return fmt.Errorf("hdfs: %s %s: %w", op, path, err)
}

// remote takes a remote exception out of colinmarc/hdfs's errors, whose texts have
// only the class and not the message.
func remote(err error) error {
	var own *namenode.RemoteError
	if errors.As(err, &own) {
		return err
	}
	var other interface {
		Method() string
		Exception() string
		Message() string
	}
	if errors.As(err, &other) && other.Exception() != "" {
		return &namenode.RemoteError{Call: other.Method(), Class: other.Exception(), Text: other.Message()}
	}
	var path *fs.PathError
	if errors.As(err, &path) && path.Err != nil {
		return path.Err // wrap says operation and path
	}
	return err
}

// sentinel is the contract's error for err, nil when it has none.
func sentinel(err error) error {
	switch namenode.Exception(err) {
	case namenode.ExceptionFileNotFound:
		return filesystem.ErrNotExist
	case namenode.ExceptionFileAlreadyExists:
		return filesystem.ErrExist
	case namenode.ExceptionAlreadyBeingCreated, namenode.ExceptionRecoveryInProgress:
		return filesystem.ErrLeased
	case namenode.ExceptionLeaseExpired:
		return filesystem.ErrFenced
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return filesystem.ErrNotExist
	case errors.Is(err, fs.ErrExist), errors.Is(err, syscall.ENOTEMPTY):
		return filesystem.ErrExist
	}
	return nil
}

// isRemote: a NameNode answered, with an exception.
func isRemote(err error) bool {
	return namenode.Exception(err) != "" || errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrExist) ||
		errors.Is(err, fs.ErrPermission) || errors.Is(err, fs.ErrInvalid)
}
