package json

import (
	"errors"
	"fmt"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/data"
)

func dataError(format string, args ...any) error {
	return &connect.DataError{Msg: fmt.Sprintf(format, args...)}
}

// unreadable wraps a syntax error as JsonDeserializer and its caller do.
func unreadable(msg string, err error) error {
	return &connect.DataError{Msg: msg, Err: &connect.Error{
		Class: "org.apache.kafka.common.errors.SerializationException",
		Msg:   connect.JavaClass(err) + ": " + err.Error(),
		Err:   err,
	}}
}

const (
	unreadableValue  = "Converting byte[] to Kafka Connect data failed due to serialization error: "
	unreadableSchema = "Failed to parse schema in converter config due to serialization error: "
	badEnvelope      = `JsonConverter with schemas.enable requires "schema" and "payload" fields and may not contain additional fields.` +
		" If you are trying to deserialize plain JSON data, set schemas.enable=false in your converter configuration."
)

// asConnect gives an error of package data the type and class that the runtime knows.
func asConnect(err error) error {
	var e *data.Error
	if !errors.As(err, &e) {
		return err
	}
	if e.Kind == data.Invalid {
		return &connect.DataError{Msg: e.Msg, Err: asConnect(e.Err)}
	}
	return &connect.Error{Class: e.JavaClass(), Msg: e.Msg, Err: asConnect(e.Err)}
}
