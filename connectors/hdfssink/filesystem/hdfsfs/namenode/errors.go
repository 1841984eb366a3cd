package namenode

import (
	"errors"
	"fmt"
	"strings"
)

// Java classes of remote exceptions that callers branch on.
const (
	ExceptionIO                    = "java.io.IOException"
	ExceptionFileNotFound          = "java.io.FileNotFoundException"
	ExceptionFileAlreadyExists     = "org.apache.hadoop.fs.FileAlreadyExistsException"
	ExceptionParentNotDirectory    = "org.apache.hadoop.fs.ParentNotDirectoryException"
	ExceptionAccessControl         = "org.apache.hadoop.security.AccessControlException"
	ExceptionAlreadyBeingCreated   = "org.apache.hadoop.hdfs.protocol.AlreadyBeingCreatedException"
	ExceptionRecoveryInProgress    = "org.apache.hadoop.hdfs.protocol.RecoveryInProgressException"
	ExceptionLeaseExpired          = "org.apache.hadoop.hdfs.server.namenode.LeaseExpiredException"
	ExceptionNotReplicatedYet      = "org.apache.hadoop.hdfs.server.namenode.NotReplicatedYetException"
	ExceptionSafeMode              = "org.apache.hadoop.hdfs.server.namenode.SafeModeException"
	ExceptionRetriable             = "org.apache.hadoop.ipc.RetriableException"
	ExceptionStandby               = "org.apache.hadoop.ipc.StandbyException"
	ExceptionObserverRetryOnActive = "org.apache.hadoop.ipc.ObserverRetryOnActiveException"
)

// ErrClosed is the answer to every call after Close.
var ErrClosed = errors.New("NameNode client is closed")

// RemoteError is an exception that the NameNode threw.
type RemoteError struct {
	Call  string // method name, e.g. rename2
	Class string // Java class name
	Text  string // first line is the message, a stack trace may follow
	Fatal bool   // the server closes the connection after it
}

// Error gives the class and the first line of the message, without the stack trace.
func (e *RemoteError) Error() string {
	text, _, _ := strings.Cut(e.Text, "\n")
	text = strings.TrimPrefix(text, e.Class+": ")
	return fmt.Sprintf("%s: %s: %s", e.Call, e.Class, strings.TrimSpace(text))
}

// Method, Exception and Message make RemoteError look like colinmarc/hdfs's Error.
func (e *RemoteError) Method() string    { return e.Call }
func (e *RemoteError) Exception() string { return e.Class }
func (e *RemoteError) Message() string   { return e.Text }

// Exception returns the Java class of the remote exception in err, or "". It knows
// RemoteError and every error with an Exception method, colinmarc/hdfs's included.
func Exception(err error) string {
	var remote interface{ Exception() string }
	if errors.As(err, &remote) {
		return remote.Exception()
	}
	return ""
}

// IsTemporary reports whether a remote exception means "not now" or "not here":
// safe mode, a stand-by NameNode, an overloaded server. The call had no effect.
func IsTemporary(class string) bool {
	switch class {
	case ExceptionRetriable, ExceptionSafeMode:
		return true
	}
	return isElsewhere(class)
}

// isElsewhere: another NameNode of the list may be the active one.
func isElsewhere(class string) bool {
	return class == ExceptionStandby || class == ExceptionObserverRetryOnActive
}
