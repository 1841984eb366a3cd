package kafka

import (
	"fmt"
	"strings"
	"time"
)

// EvictOwnClientIDProperty is a property of GroupConsumer that no Java client has:
// whether members of the group with our own client.id are removed before the first
// join. It is on by default when client.id is set, which Connect does with a name of
// its own per task; turn it off for consumers that share a client.id in a group.
const EvictOwnClientIDProperty = "penstock.evict.own.client.id"

// groupSettings are the properties of a Java consumer that concern its group.
type groupSettings struct {
	*consumerSettings
	groupID         string
	instanceID      string // group.instance.id, "" = dynamic
	session         time.Duration
	heartbeat       time.Duration
	maxPollInterval time.Duration
	excludeInternal bool // exclude.internal.topics: for a subscription by match
	evict           bool
	assignors       []assignor
	cooperative     bool // all of them are
	// consumerProtocol: group.protocol=consumer (KIP-848) was asked for. There is the
	// classic protocol only; brokers let members of both share a group.
	consumerProtocol bool
}

// readGroupSettings reads all of a consumer's properties with the defaults of the
// Java consumer 4.3 and group.protocol=classic.
func readGroupSettings(r *propReader) *groupSettings {
	s := &groupSettings{
		consumerSettings: readConsumerSettings(r),
		groupID:          r.str("group.id", ""),
		instanceID:       r.str("group.instance.id", ""),
		session:          r.intMillis("session.timeout.ms", 45_000, 0),
		heartbeat:        r.intMillis("heartbeat.interval.ms", 3000, 0),
		maxPollInterval:  r.intMillis("max.poll.interval.ms", 300_000, 1),
		excludeInternal:  r.boolean("exclude.internal.topics", true),
	}
	s.evict = r.boolean(EvictOwnClientIDProperty, s.clientID != "")
	if r.has("group.instance.id") && s.instanceID == "" {
		r.fail("group.instance.id", "", "String must be non-empty")
	}
	s.consumerProtocol = r.oneOfFold("group.protocol", "classic", "classic", "consumer") == "consumer"
	s.readAssignors(r)
	return s
}

func (s *groupSettings) readAssignors(r *propReader) {
	const key = "partition.assignment.strategy"
	classes := []string{assignorPackage + "RangeAssignor", assignorPackage + "CooperativeStickyAssignor"}
	if r.has(key) {
		classes = r.list(key)
	}
	s.cooperative = true
	for _, class := range classes {
		a, ok := assignorOf(strings.TrimPrefix(class, "class "))
		if !ok {
			r.fail(key, class, fmt.Sprintf("Class %s could not be found. There are RangeAssignor, RoundRobinAssignor, StickyAssignor and CooperativeStickyAssignor of %s",
				class, strings.TrimSuffix(assignorPackage, ".")))
			continue
		}
		s.assignors = append(s.assignors, a)
		s.cooperative = s.cooperative && a.cooperative
	}
	if len(classes) == 0 {
		r.fail(key, r.str(key, ""), "at least one assignor is needed")
	}
}

// membership returns the settings of the group membership.
func (s *groupSettings) membership() MembershipConfig {
	return MembershipConfig{
		GroupID: s.groupID, ProtocolType: "consumer", SessionTimeout: s.session, RebalanceTimeout: s.maxPollInterval,
		HeartbeatInterval: s.heartbeat, RetryBackoff: s.retryBackoff, EvictOwnClientID: s.evict,
	}
}
