package partitioner

import (
	"strings"

	"github.com/penstock-io/penstock/connect"
)

// Java classes of errors.
const (
	partitionException  = "io.confluent.connect.storage.errors.PartitionException"
	nullPointer         = "java.lang.NullPointerException"
	classCast           = "java.lang.ClassCastException"
	illegalArgument     = "java.lang.IllegalArgumentException"
	illegalFieldValue   = "org.joda.time.IllegalFieldValueException"
	arithmeticException = "java.lang.ArithmeticException"
)

// Error is about a record that has no directory, where the JVM throws a class that is no
// ConnectException and so fails the task. It is as much the record's fault as a
// *connect.DataError is, which stands where the JVM tries the same record for ever.
type Error struct {
	Class string // Java class, e.g. java.lang.ClassCastException
	Msg   string
	Err   error // cause, may be nil
}

func (e *Error) Error() string { return e.Msg }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// JavaClass returns the Java exception class that the error stands for.
func (e *Error) JavaClass() string { return e.Class }

// explain is the JVM's text and what to do. The writer adds which record it was.
func explain(jvm, why string) string {
	return strings.TrimSuffix(jvm, ".") + ". " + why
}

// dataError is a DataException.
func dataError(jvm, why string, cause error) error {
	return &connect.DataError{Msg: explain(jvm, why), Err: cause}
}

// partitionError is a PartitionException, which is the cause of what is returned.
func partitionError(jvm, why string) error {
	return dataError(jvm, why, &connect.Error{Class: partitionException, Msg: jvm})
}

// fatal is an exception of a class that fails the task in the JVM.
func fatal(class, jvm, why string) error {
	return &Error{Class: class, Msg: explain(jvm, why)}
}
