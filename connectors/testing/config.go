package testing

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/penstock-io/penstock/connect"
)

// Keys of the connectors.
const (
	nameKey           = "name"
	idKey             = "id" // of a task, added to its config
	topicKey          = "topic"
	throughputKey     = "throughput"
	completeRecordKey = "complete.record.data"
	numMessagesKey    = "num.messages"
	multipleSchemaKey = "multiple.schema"
	partitionCountKey = "partition.count"
	mockModeKey       = "mock_mode"
	delayKey          = "delay_ms"
)

// Fields of source partitions and offsets.
const (
	idField    = "id"
	seqnoField = "seqno"
)

// taskProps reads the properties of a task. Like the JVM's, these connectors have no
// config definition; the first problem is kept and names the key.
type taskProps struct {
	props map[string]string
	task  string // the simple class name
	err   error
}

// integer reads a whole number of at most 64 bits. otherwise is taken for a missing key;
// nil makes the key required.
func (p *taskProps) integer(key string, lowest, highest int64, otherwise *int64) int64 {
	text, ok := p.props[key]
	if !ok {
		if otherwise != nil {
			return *otherwise
		}
		p.fail(key, "is missing", "Cannot parse null string")
		return 0
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < lowest || n > highest {
		p.fail(key, fmt.Sprintf("is %q", text), fmt.Sprintf("For input string: %q", text))
	}
	return n
}

func (p *taskProps) int32(key string, otherwise *int64) int32 {
	return int32(p.integer(key, math.MinInt32, math.MaxInt32, otherwise))
}

func (p *taskProps) int64(key string) int64 {
	return p.integer(key, math.MinInt64, math.MaxInt64, nil)
}

func (p *taskProps) fail(key, what, cause string) {
	if p.err == nil {
		p.err = &connect.Error{
			Msg: fmt.Sprintf("Invalid %s configuration: %s %s; set it to a whole number", p.task, key, what),
			Err: &connect.Error{Class: "java.lang.NumberFormatException", Msg: cause},
		}
	}
}

// topic reads the topic of a source.
func (p *taskProps) topic() string {
	topic := p.props[topicKey]
	if topic == "" && p.err == nil {
		p.err = &connect.Error{Msg: fmt.Sprintf("Invalid %s configuration: %s is missing; set it to the topic that gets the records", p.task, topicKey)}
	}
	return topic
}

// flag reads a boolean: only true in any case is true.
func (p *taskProps) flag(key string) bool { return strings.EqualFold(p.props[key], "true") }
