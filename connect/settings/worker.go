package settings

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/penstock-io/penstock/connect/config"
)

// Worker is a worker's parsed properties. It is not changed after ParseWorker.
type Worker struct {
	Mode Mode
	// Values holds every defined property, for those that have no field of their own.
	Values config.Values
	// Props are the raw properties, known and unknown, without config.providers: what
	// the JVM hands to its clients ("originals").
	Props map[string]string

	BootstrapServers                              []string
	KeyConverter, ValueConverter, HeaderConverter Plugin

	GracefulTimeout     time.Duration // task.shutdown.graceful.timeout.ms
	OffsetFlushInterval time.Duration
	OffsetFlushTimeout  time.Duration
	TopicTracking       bool
	TopicCreation       bool // topic.creation.enable
	TopicTrackingReset  bool
	Policy              *Policy
	REST                REST

	// Of a distributed worker.
	GroupID           string
	ClientID          string
	SessionTimeout    time.Duration
	RebalanceTimeout  time.Duration
	HeartbeatInterval time.Duration
	RetryBackoff      time.Duration
	SyncTimeout       time.Duration
	UnsyncBackoff     time.Duration
	MaxDelay          time.Duration // scheduled.rebalance.max.delay.ms
	Protocol          string        // eager, compatible, sessioned
	ExactlyOnce       string        // disabled, preparing, enabled
	ConfigTopic       InternalTopic
	OffsetTopic       InternalTopic
	StatusTopic       InternalTopic
	Signing           Signing

	// Of a standalone worker.
	OffsetFile string

	warnings []string
}

// Plugin is a class with the properties that belong to it.
type Plugin struct {
	Class   string
	Version string            // range that the plugin's version must be in; "" = any
	Props   map[string]string // without the prefix
}

// Signing has the inter.worker.* settings (KIP-507).
type Signing struct {
	KeyAlgorithm string
	KeyBytes     int // 0 = the algorithm's default
	KeyTTL       time.Duration
	Algorithm    string
	Accepted     []string
}

// ParseWorker reads a worker's properties, in which placeholders were resolved already.
// All problems are returned together, in the order of the definition.
func ParseWorker(props map[string]string, mode Mode) (*Worker, error) {
	w := &Worker{Mode: mode, Props: maps.Clone(props)}
	delete(w.Props, "config.providers")
	values, err := WorkerDef(mode).ParseWarn(props, func(_, msg string) { w.warnings = append(w.warnings, msg) })
	w.Values = values
	problems := []error{err, w.parseREST(props)}
	if policy := values.String(policyKey); policy != "" {
		w.Policy, err = newPolicy(policy, props)
		problems = append(problems, err)
	}
	w.BootstrapServers = values.List("bootstrap.servers")
	w.KeyConverter = w.plugin("key.converter")
	w.ValueConverter = w.plugin("value.converter")
	w.HeaderConverter = w.plugin("header.converter")
	w.GracefulTimeout = values.Millis("task.shutdown.graceful.timeout.ms")
	w.OffsetFlushInterval = values.Millis("offset.flush.interval.ms")
	w.OffsetFlushTimeout = values.Millis("offset.flush.timeout.ms")
	w.TopicTracking, w.TopicTrackingReset = values.Bool("topic.tracking.enable"), values.Bool("topic.tracking.allow.reset")
	w.TopicCreation = values.Bool("topic.creation.enable")
	w.OffsetFile = values.String("offset.storage.file.filename")
	if mode == Distributed {
		problems = append(problems, w.parseDistributed())
	}
	problems = append(problems, w.parseAccess())
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	w.collectWarnings()
	return w, nil
}

// plugin returns the class of a property and the properties below it. plugin.version
// stays among them, as in the JVM; plugins ignore it.
func (w *Worker) plugin(key string) Plugin {
	return Plugin{Class: w.Values.String(key), Version: w.Values.String(key + ".plugin.version"), Props: withPrefix(w.Props, key+".")}
}

// withPrefix returns the properties below a prefix, without it.
func withPrefix(props map[string]string, prefix string) map[string]string {
	below := map[string]string{}
	for k, v := range props {
		if name, ok := strings.CutPrefix(k, prefix); ok && name != "" {
			below[name] = v
		}
	}
	return below
}

func (w *Worker) parseREST(props map[string]string) error {
	v, r := w.Values, &w.REST
	var problems [3]error
	r.Listeners, problems[0] = parseListeners("listeners", v.List("listeners"))
	r.AdminListeners, problems[1] = parseListeners("admin.listeners", v.List("admin.listeners"))
	r.AdminOff = !v.Null("admin.listeners") && len(r.AdminListeners) == 0
	r.rawListeners = props["listeners"]
	r.AdvertisedHost = v.String("rest.advertised.host.name")
	r.AdvertisedPort = v.Int("rest.advertised.port")
	r.AdvertisedListener = strings.ToLower(v.String("rest.advertised.listener"))
	r.Origins, problems[2] = parseOrigins(v.String("access.control.allow.origin"))
	r.AllowMethods = v.String("access.control.allow.methods")
	r.HeaderRules, _ = ParseHeaderRules(v.String("response.http.headers.config")) // checked by the definition
	r.Extensions = v.List("rest.extension.classes")
	return errors.Join(problems[:]...)
}

func (w *Worker) parseDistributed() error {
	v := w.Values
	w.GroupID, w.ClientID = v.String("group.id"), v.String("client.id")
	w.SessionTimeout, w.RebalanceTimeout = v.Millis("session.timeout.ms"), v.Millis("rebalance.timeout.ms")
	w.HeartbeatInterval, w.RetryBackoff = v.Millis("heartbeat.interval.ms"), v.Millis("retry.backoff.ms")
	w.SyncTimeout, w.UnsyncBackoff = v.Millis("worker.sync.timeout.ms"), v.Millis("worker.unsync.backoff.ms")
	w.MaxDelay = v.Millis("scheduled.rebalance.max.delay.ms")
	w.Protocol, w.ExactlyOnce = strings.ToLower(v.String("connect.protocol")), strings.ToLower(v.String("exactly.once.source.support"))
	w.Signing = Signing{
		KeyAlgorithm: v.String("inter.worker.key.generation.algorithm"), KeyBytes: (v.Int("inter.worker.key.size") + 7) / 8,
		KeyTTL: v.Millis("inter.worker.key.ttl.ms"), Algorithm: v.String("inter.worker.signature.algorithm"),
		Accepted: v.List("inter.worker.verification.algorithms"),
	}
	w.ConfigTopic, w.OffsetTopic, w.StatusTopic = w.internalTopic("config"), w.internalTopic("offset"), w.internalTopic("status")
	w.ConfigTopic.Partitions = 1
	return w.checkDistributed()
}

// checkDistributed checks what takes more than one property. Properties that are wrong by
// themselves were reported already and are not in Values.
func (w *Worker) checkDistributed() error {
	v := w.Values
	var problems []error
	add := func(key, format string, args ...any) {
		problems = append(problems, &config.Error{Key: key, Msg: fmt.Sprintf(format, args...)})
	}
	if given(v, "heartbeat.interval.ms", "session.timeout.ms") && w.HeartbeatInterval >= w.SessionTimeout {
		add("heartbeat.interval.ms", "Heartbeat must be set lower than the session timeout: heartbeat.interval.ms is %d, session.timeout.ms is %d. "+
			"Set heartbeat.interval.ms to a third of session.timeout.ms.", v.Int("heartbeat.interval.ms"), v.Int("session.timeout.ms"))
	}
	for _, t := range []struct{ kind, msg string }{
		{"config", "Must specify topic for connector configuration."}, {"offset", "Offset storage topic must be specified"},
		{"status", "Must specify topic for connector status."},
	} {
		key := t.kind + ".storage.topic"
		if given(v, key) && v.String(key) == "" {
			add(key, "%s. Set %s.", strings.TrimSuffix(t.msg, "."), key)
		}
	}
	if given(v, "inter.worker.key.size") && v.Int("inter.worker.key.size") < 40 {
		add("inter.worker.key.size", "Unable to create key generator with algorithm %s and key size %d: Key length must be at least 40 bits. Set it to 256, or remove it.",
			w.Signing.KeyAlgorithm, v.Int("inter.worker.key.size"))
	}
	if given(v, "inter.worker.signature.algorithm", "inter.worker.verification.algorithms") && !slices.Contains(w.Signing.Accepted, w.Signing.Algorithm) {
		problems = append(problems, config.Invalid("inter.worker.signature.algorithm", w.Signing.Algorithm,
			"Signature algorithm must be present in inter.worker.verification.algorithms list"))
	}
	return errors.Join(problems...)
}

func given(v config.Values, keys ...string) bool {
	return !slices.ContainsFunc(keys, v.Null)
}

// ClientIDBase is the beginning of the client ids of the worker's own clients.
func (w *Worker) ClientIDBase() string {
	base := w.GroupID
	if w.Mode == Standalone {
		base = "connect"
	}
	if id := w.Props["client.id"]; strings.TrimSpace(id) != "" {
		base += "-" + id
	}
	return base + "-"
}

// ExactlyOnceEnabled reports whether exactly.once.source.support is enabled.
func (w *Worker) ExactlyOnceEnabled() bool { return w.ExactlyOnce == "enabled" }

// jaasFileKey is Penstock's own: there is no JVM to give java.security.auth.login.config to.
const jaasFileKey = "penstock.rest.jaas.config.file"

// HTTPS returns the TLS settings of the REST listeners, or of the admin listeners: all
// that have the listeners' prefix if there are any, else the worker's ssl.* settings (Java:
// AbstractConfig.valuesWithPrefixAllOrNothing). The prefix that was found comes along.
func (w *Worker) HTTPS(admin bool) (props map[string]string, prefix string) {
	prefix = "listeners.https."
	if admin {
		prefix = "admin.listeners.https."
	}
	if props = withPrefix(w.Props, prefix); len(props) > 0 {
		return props, prefix
	}
	props = map[string]string{}
	for k, v := range w.Props {
		if strings.HasPrefix(k, "ssl.") {
			props[k] = v
		}
	}
	return props, ""
}
