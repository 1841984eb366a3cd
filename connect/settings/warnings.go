package settings

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/penstock-io/penstock/connect/config"
)

// subtrees are the prefixes below which anything may stand.
var subtrees = []string{
	"producer.", "consumer.", "admin.", "key.converter.", "value.converter.", "header.converter.", "config.providers.",
	"config.storage.", "offset.storage.", "status.storage.", "listeners.https.", "admin.listeners.https.", "metrics.context.",
	"internal.key.converter", "internal.value.converter", accessPrefix,
}

// UnknownKeys returns the properties that nothing reads, sorted: mostly misspelt ones.
// The JVM keeps silent about them.
func (w *Worker) UnknownKeys() []string {
	var unknown []string
	known := WorkerDef(w.Mode)
	producer, consumer, admin := ProducerDef(), ConsumerDef(), AdminDef()
	for _, k := range slices.Sorted(maps.Keys(w.Props)) {
		// Worker properties also reach the clients of the internal topics.
		if known.Key(k) == nil && producer.Key(k) == nil && consumer.Key(k) == nil && admin.Key(k) == nil && k != allowlistKey &&
			!slices.ContainsFunc(subtrees, func(p string) bool { return strings.HasPrefix(k, p) }) {
			unknown = append(unknown, k)
		}
	}
	return unknown
}

// Warnings tells what in the properties has no effect or is about to change, one
// sentence each. Unknown keys are not among them.
func (w *Worker) Warnings() []string { return w.warnings }

func (w *Worker) collectWarnings() {
	warn := func(format string, args ...any) { w.warnings = append(w.warnings, fmt.Sprintf(format, args...)) }
	var internal []string
	for _, k := range slices.Sorted(maps.Keys(w.Props)) {
		if strings.HasPrefix(k, "internal.key.converter") || strings.HasPrefix(k, "internal.value.converter") {
			internal = append(internal, k)
		}
	}
	if internal != nil {
		warn("The worker has been configured with one or more internal converter properties (%s). They have no effect.", strings.Join(internal, ", "))
	}
	if w.Mode == Distributed {
		if n, ok := w.Props["config.storage.partitions"]; ok {
			warn("Ignoring 'config.storage.partitions=%s' setting, since config topic partitions is always 1", n)
		}
		for _, kind := range []string{"config", "offset", "status"} {
			if policy, ok := w.Props[kind+".storage.cleanup.policy"]; ok {
				warn("Ignoring '%s.storage.cleanup.policy=%s' setting, since compaction is always used", kind, policy)
			}
		}
		if names := []string{w.ConfigTopic.Name, w.OffsetTopic.Name, w.StatusTopic.Name}; len(config.Distinct(names)) < 3 {
			warn("config.storage.topic, offset.storage.topic and status.storage.topic are not three topics (%s); their records would get mixed up", strings.Join(names, ", "))
		}
	}
	if w.Policy.Name == "Principal" {
		warn("The Principal override policy is deprecated. Use %s=Allowlist with %s=%s.", policyKey, allowlistKey, strings.Join(principalSettings, ","))
	}
	w.warnings = append(w.warnings, ineffective(w.Props, "producer.", "consumer.", "admin.")...)
}
