package data

import "fmt"

// Kind tells which Java exception an Error stands for.
type Kind uint8

// The kinds.
const (
	// Invalid is a value or schema that is not as it must be (DataException).
	Invalid Kind = iota
	// BadSchema is a wrong use of a Builder (SchemaBuilderException).
	BadSchema
	// NotProjectable is a value that cannot be projected to another schema
	// (SchemaProjectorException).
	NotProjectable
)

// Error is every error of this package. Its text is the JVM's, which clients match.
type Error struct {
	Kind Kind
	Msg  string
	Err  error // cause, may be nil
}

func (e *Error) Error() string { return e.Msg }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// JavaClass returns the Java exception class that the error stands for.
func (e *Error) JavaClass() string {
	switch e.Kind {
	case BadSchema:
		return "org.apache.kafka.connect.errors.SchemaBuilderException"
	case NotProjectable:
		return "org.apache.kafka.connect.errors.SchemaProjectorException"
	default:
		return "org.apache.kafka.connect.errors.DataException"
	}
}

func invalid(format string, args ...any) *Error {
	return &Error{Kind: Invalid, Msg: fmt.Sprintf(format, args...)}
}

func badSchema(format string, args ...any) *Error {
	return &Error{Kind: BadSchema, Msg: fmt.Sprintf(format, args...)}
}
