package records

import (
	"strconv"
	"strings"

	"github.com/penstock-io/penstock/connect"
)

// Key prefixes of the config topic, see DecodeConfig.
const (
	targetStatePrefix = "target-state-"
	connectorPrefix   = "connector-"
	taskPrefix        = "task-"
	commitPrefix      = "commit-"
	restartPrefix     = "restart-connector-"
	fencingPrefix     = "tasks-fencing-"
	sessionKeyKey     = "session-key"
	loggerPrefix      = "logger-cluster-"
)

// Key prefixes of the status topic, see DecodeStatus.
const (
	connectorStatusPrefix = "status-connector-"
	taskStatusPrefix      = "status-task-"
	topicStatusPrefix     = "status-topic-"
	topicSeparator        = ":connector-"
)

// parseTaskID reads the end of a key whose first words were the record's kind, e.g.
// task-<connector>-<number> with words 1. As Java's split does it, empty parts at the end
// do not count.
func parseTaskID(key string, words int) (connect.TaskID, bool) {
	parts := strings.Split(strings.TrimRight(key, "-"), "-")
	last := len(parts) - 1
	if last <= words {
		return connect.TaskID{}, false
	}
	n, err := strconv.ParseInt(parts[last], 10, 32)
	if err != nil {
		return connect.TaskID{}, false
	}
	return connect.TaskID{Connector: strings.Join(parts[words:last], "-"), Task: int(n)}, true
}

// parseTopicKey reads status-topic-<topic>:connector-<connector>. A topic's name has no
// colon, a connector's may have.
func parseTopicKey(key string) (topic, connector string, ok bool) {
	rest := strings.TrimPrefix(key, topicStatusPrefix)
	i := strings.IndexByte(rest, ':')
	if i < 0 {
		return "", "", false
	}
	connector, ok = strings.CutPrefix(rest[i:], topicSeparator)
	return rest[:i], connector, ok && i > 0 && connector != ""
}
