package settings

import (
	"strings"
	"time"
)

// Boundary tells when a source task's transactions end (KIP-618).
type Boundary string

// The boundaries.
const (
	BoundaryPoll      Boundary = "poll"      // after each batch of records
	BoundaryInterval  Boundary = "interval"  // after a time
	BoundaryConnector Boundary = "connector" // when the task says so
)

const boundaryInterval = "transaction.boundary.interval.ms"

// Source is what the runtime itself reads of a source connector's config (Java:
// SourceConnectorConfig). It is not changed after ParseSource.
type Source struct {
	Connector
	// RequireExactlyOnce is exactly.once.support=required.
	RequireExactlyOnce bool
	Boundary           Boundary
	// BoundaryInterval is transaction.boundary.interval.ms, or the worker's
	// offset.flush.interval.ms. It counts with BoundaryInterval only.
	BoundaryInterval time.Duration
	// OffsetsTopic is offsets.storage.topic; "" = the worker's offsets, as always in a
	// standalone worker.
	OffsetsTopic string
	// TopicGroups are the settings of topics that do not exist yet (topic.creation.*), in
	// order of matching; the last one, default, matches all. None means that topics are
	// not created: the broker may do it by itself.
	TopicGroups []TopicGroup
}

// ParseSource reads a source connector's config, in which placeholders were resolved
// already. All problems are returned together; warn, which may be nil, is told what was
// put right silently. topic.creation.* is not even looked at when the worker's
// topic.creation.enable is off.
func ParseSource(w *Worker, props map[string]string, warn func(key, msg string)) (*Source, error) {
	v, err := SourceDef().ParseWarn(props, warn)
	problems := []error{err}
	var groups []TopicGroup
	if w.TopicCreation && UsesTopicCreation(props) {
		groups, err = parseTopicGroups(props, warn)
		problems = append(problems, err)
	}
	if err := joined(problems); err != nil {
		return nil, err
	}
	s := &Source{
		Connector:          newConnector(v, props),
		RequireExactlyOnce: strings.EqualFold(v.String("exactly.once.support"), "required"),
		Boundary:           Boundary(strings.ToLower(v.String("transaction.boundary"))),
		BoundaryInterval:   w.OffsetFlushInterval, OffsetsTopic: v.String("offsets.storage.topic"), TopicGroups: groups,
	}
	if !v.Null(boundaryInterval) {
		s.BoundaryInterval = v.Millis(boundaryInterval)
	}
	if warn == nil {
		warn = func(string, string) {}
	}
	warnIneffective(props, warn)
	if w.Mode == Standalone && s.OffsetsTopic != "" {
		s.OffsetsTopic = ""
		warn("offsets.storage.topic", "offsets.storage.topic has no effect in standalone mode: offsets are in the worker's offset.storage.file.filename")
	}
	return s, nil
}
