package connect

import (
	"errors"
	"strings"

	"github.com/penstock-io/penstock/connect/config"
)

// RetriableError asks the runtime to try the same call again
// (Java: o.a.k.connect.errors.RetriableException).
type RetriableError struct{ Err error }

func (e *RetriableError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *RetriableError) Unwrap() error { return e.Err }

// DataError tells that a record, schema or value is not as it must be
// (Java: o.a.k.connect.errors.DataException).
type DataError struct {
	Msg string
	Err error // cause, may be nil
}

func (e *DataError) Error() string { return e.Msg }

// Unwrap returns the cause.
func (e *DataError) Unwrap() error { return e.Err }

// Error is a failure with a message and a cause, for wrapping where Java throws
// a ConnectException. Class, when set, is the Java class shown in traces.
type Error struct {
	Class string
	Msg   string
	Err   error
}

func (e *Error) Error() string { return e.Msg }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Trace returns err as the JVM prints a stack trace, without frames: one line
// per cause, class name first. It is what status records and REST show.
func Trace(err error) string {
	var b strings.Builder
	for first := true; err != nil; err, first = errors.Unwrap(err), false {
		if !first {
			b.WriteString("Caused by: ")
		}
		b.WriteString(JavaClass(err))
		if msg := err.Error(); msg != "" {
			b.WriteString(": ")
			b.WriteString(msg)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// JavaClass returns the Java exception class that err stands for.
func JavaClass(err error) string {
	switch e := err.(type) { //nolint:errorlint // the class of this very error, not of its causes
	case *RetriableError:
		return "org.apache.kafka.connect.errors.RetriableException"
	case *DataError:
		return "org.apache.kafka.connect.errors.DataException"
	case *config.Error:
		return "org.apache.kafka.common.config.ConfigException"
	case *Error:
		if e.Class != "" {
			return e.Class
		}
	case interface{ JavaClass() string }: // data.Error and those of plugins
		return e.JavaClass()
	case interface{ Unwrap() []error }: // several problems at once: the JVM finds the first
		if all := e.Unwrap(); len(all) > 0 {
			return JavaClass(all[0])
		}
	}
	return "org.apache.kafka.connect.errors.ConnectException"
}
