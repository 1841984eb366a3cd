package hdfsfs

import (
	"errors"
	"fmt"
	iofs "io/fs"
	"strings"
	"testing"

	"github.com/penstock-io/penstock/connectors/hdfssink/filesystem"
	"github.com/penstock-io/penstock/connectors/hdfssink/filesystem/hdfsfs/namenode"
)

// hdfsError looks like the exceptions of colinmarc/hdfs.
type hdfsError struct{ class string }

func (e hdfsError) Error() string     { return "call failed with " + e.class }
func (e hdfsError) Method() string    { return "append" }
func (e hdfsError) Exception() string { return e.class }
func (e hdfsError) Message() string   { return "the message\n\tat stack" }

// TestWrapMapsExceptions: of both clients, and the exception stays reachable.
func TestWrapMapsExceptions(t *testing.T) {
	all := []error{filesystem.ErrNotExist, filesystem.ErrExist, filesystem.ErrLeased, filesystem.ErrFenced}
	for class, want := range map[string]error{
		namenode.ExceptionFileNotFound:        filesystem.ErrNotExist,
		namenode.ExceptionFileAlreadyExists:   filesystem.ErrExist,
		namenode.ExceptionAlreadyBeingCreated: filesystem.ErrLeased,
		namenode.ExceptionRecoveryInProgress:  filesystem.ErrLeased,
		namenode.ExceptionLeaseExpired:        filesystem.ErrFenced,
		namenode.ExceptionSafeMode:            nil,
		namenode.ExceptionStandby:             nil,
		namenode.ExceptionAccessControl:       nil,
		namenode.ExceptionNotReplicatedYet:    nil,
	} {
		for _, cause := range []error{
			&namenode.RemoteError{Call: "append", Class: class, Text: "the message\n\tat stack"},
			&iofs.PathError{Op: "append", Path: "/a", Err: hdfsError{class}},
		} {
			err := wrap("append to", "/a", fmt.Errorf("more: %w", cause))
			for _, e := range all {
				if errors.Is(err, e) != (e == want) { //nolint:errorlint // the very same
					t.Errorf("%s: %v is %v: %v", class, err, e, errors.Is(err, e))
				}
			}
			var remote *namenode.RemoteError
			if !errors.As(err, &remote) || remote.Class != class {
				t.Errorf("%s: no RemoteError in %v", class, err)
			}
			if text := err.Error(); !strings.HasPrefix(text, "hdfs: append to /a: ") || !strings.HasSuffix(text, ": the message") || strings.Count(text, "/a") != 1 {
				t.Errorf("%s: text is %q", class, text)
			}
		}
	}
}

func TestWrapMapsOSErrors(t *testing.T) {
	for _, c := range []struct{ cause, want error }{
		{iofs.ErrNotExist, filesystem.ErrNotExist},
		{iofs.ErrExist, filesystem.ErrExist},
		{iofs.ErrPermission, nil},
	} {
		err := wrap("create", "/a", &iofs.PathError{Op: "create", Path: "/a", Err: c.cause})
		if !errors.Is(err, c.cause) || c.want != nil && !errors.Is(err, c.want) || strings.Count(err.Error(), "/a") != 1 {
			t.Errorf("%v gives %v", c.cause, err)
		}
	}
	if err := wrap("create", "/a", nil); err != nil {
		t.Error(err)
	}
}
