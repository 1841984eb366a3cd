package tolerance

import (
	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/internal/kafka"
)

// Stage is a step of a record's way; the names stand in logs and DLQ headers (Java:
// o.a.k.connect.runtime.errors.Stage).
type Stage string

// The stages.
const (
	TaskPoll        Stage = "TASK_POLL" // of a source task
	Transformation  Stage = "TRANSFORMATION"
	KeyConverter    Stage = "KEY_CONVERTER"
	ValueConverter  Stage = "VALUE_CONVERTER"
	HeaderConverter Stage = "HEADER_CONVERTER"
	TaskPut         Stage = "TASK_PUT"      // of a sink task
	KafkaProduce    Stage = "KAFKA_PRODUCE" // of a source's records
	KafkaConsume    Stage = "KAFKA_CONSUME" // of a sink's records
)

// configKey is what a user changes to mend a failure of the stage, "" if that is no key.
func (s Stage) configKey() string {
	switch s {
	case KeyConverter:
		return "key.converter"
	case ValueConverter:
		return "value.converter"
	case HeaderConverter:
		return "header.converter"
	case Transformation:
		return "transforms"
	default:
	}
	return ""
}

// toleratesAll reports whether every error of the stage may be tolerated. At the others
// only a retriable one is: what else goes wrong there concerns no single record.
func (s Stage) toleratesAll() bool { return s.configKey() != "" }

// Failure describes a failed operation. It is an error as well, so that an operation that
// is tried again can tell that it failed elsewhere this time.
type Failure struct {
	Stage Stage
	Class string // Java name of the converter, transform or task
	// Record is a sink's record, Source one of a source, as the task made it; one of them
	// is nil, or both if the failure is about no record.
	Record *connect.SinkRecord
	Source *connect.SourceRecord
	// Raw is the record of a sink as it was fetched, for the dead letter queue. It is
	// valid during the call only.
	Raw *kafka.Record
	// Err is what went wrong; its class is shown, not that of its causes.
	Err error
}

func (f *Failure) Error() string { return f.Err.Error() }

// Unwrap returns the cause.
func (f *Failure) Unwrap() error { return f.Err }

// atFrom takes over where another try has failed.
func (f *Failure) atFrom(err error) {
	f.Err = err
	if again, ok := err.(*Failure); ok { //nolint:errorlint // made by the operation, never wrapped
		f.Stage, f.Class, f.Err = again.Stage, again.Class, again.Err
	}
}
