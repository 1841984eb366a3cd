package settings

import (
	"flag"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/penstock-io/penstock/connect/config"
)

var update = flag.Bool("update", false, "rewrite testdata/*.bad.txt")

// minimal are the properties without which no distributed worker starts, and more.
func minimal(more ...string) map[string]string {
	props := map[string]string{
		"bootstrap.servers": "kafka-1:9092", "group.id": "connect-cluster",
		"key.converter": "org.apache.kafka.connect.storage.StringConverter", "value.converter": "org.apache.kafka.connect.json.JsonConverter",
		"config.storage.topic": "connect-configs", "offset.storage.topic": "connect-offsets", "status.storage.topic": "connect-status",
	}
	for i := 0; i < len(more); i += 2 {
		props[more[i]] = more[i+1]
	}
	return props
}

func worker(t *testing.T, mode Mode, props map[string]string) *Worker {
	t.Helper()
	w, err := ParseWorker(props, mode)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// Each testdata/NAME.bad.properties is a mistake; NAME.bad.txt is what the user is told.
// The first sentences are the JVM's.
func TestBadWorkerPropertiesAreExplained(t *testing.T) {
	files, err := filepath.Glob("testdata/*.bad.properties")
	if err != nil || len(files) < 20 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".bad.properties")
		t.Run(name, func(t *testing.T) {
			props, err := config.LoadProperties(file)
			if err != nil {
				t.Fatal(err)
			}
			mode := Distributed
			if name == "standalone" {
				mode = Standalone
			}
			w, err := ParseWorker(props, mode)
			if err == nil {
				t.Fatalf("accepted: %+v", w)
			}
			expected := strings.TrimSuffix(file, "properties") + "txt"
			if *update {
				if err := os.WriteFile(expected, []byte(err.Error()+"\n"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, readErr := os.ReadFile(expected)
			if readErr != nil {
				t.Fatal(readErr)
			}
			if d := cmp.Diff(strings.TrimSuffix(string(want), "\n"), err.Error()); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestDefaultsOfADistributedWorker(t *testing.T) {
	w := worker(t, Distributed, minimal())
	topic := func(kind string, partitions int32) InternalTopic {
		return InternalTopic{
			Name: "connect-" + kind + "s", Property: kind + ".storage.topic", Partitions: partitions, ReplicationFactor: 3,
			Config: map[string]string{"cleanup.policy": "compact"},
		}
	}
	status := topic("status", 5)
	status.Name = "connect-status"
	want := &Worker{
		Mode: Distributed, BootstrapServers: []string{"kafka-1:9092"},
		KeyConverter:    Plugin{Class: "org.apache.kafka.connect.storage.StringConverter", Props: map[string]string{}},
		ValueConverter:  Plugin{Class: "org.apache.kafka.connect.json.JsonConverter", Props: map[string]string{}},
		HeaderConverter: Plugin{Class: "org.apache.kafka.connect.storage.SimpleHeaderConverter", Props: map[string]string{}},
		GracefulTimeout: 5 * time.Second, OffsetFlushInterval: time.Minute, OffsetFlushTimeout: 5 * time.Second,
		TopicTracking: true, TopicCreation: true, TopicTrackingReset: true,
		REST:    REST{Listeners: []Listener{{"http", "", 8083}}, AdminListeners: []Listener{}, Extensions: []string{}, Access: defaultAccess()},
		GroupID: "connect-cluster", SessionTimeout: 10 * time.Second, RebalanceTimeout: time.Minute, HeartbeatInterval: 3 * time.Second,
		RetryBackoff: 100 * time.Millisecond, SyncTimeout: 3 * time.Second, UnsyncBackoff: 5 * time.Minute, MaxDelay: 5 * time.Minute,
		Protocol: "sessioned", ExactlyOnce: "disabled",
		ConfigTopic: topic("config", 1), OffsetTopic: topic("offset", 25), StatusTopic: status,
		Signing: Signing{KeyAlgorithm: "HmacSHA256", KeyTTL: time.Hour, Algorithm: "HmacSHA256", Accepted: []string{"HmacSHA256"}},
	}
	opts := cmp.Options{cmpopts.IgnoreUnexported(Worker{}, REST{}), cmpopts.IgnoreFields(Worker{}, "Values", "Props", "Policy")}
	if d := cmp.Diff(want, w, opts); d != "" {
		t.Error(d)
	}
	if w.Policy.Name != "All" || w.REST.AdminOff || w.ExactlyOnceEnabled() || len(w.Warnings()) != 0 || len(w.UnknownKeys()) != 0 {
		t.Errorf("policy %s, admin off %v, warnings %q, unknown %q", w.Policy.Name, w.REST.AdminOff, w.Warnings(), w.UnknownKeys())
	}
}

func TestStandaloneWorkerNeedsNoGroup(t *testing.T) {
	w := worker(t, Standalone, map[string]string{
		"bootstrap.servers": "b:1", "key.converter": "K", "value.converter": "V", "offset.storage.file.filename": "/var/x",
	})
	if w.OffsetFile != "/var/x" || w.GroupID != "" || w.ConfigTopic.Name != "" || w.ClientIDBase() != "connect-" {
		t.Errorf("%+v", w)
	}
}

func TestConvertersGetWhatIsBelowTheirKey(t *testing.T) {
	w := worker(t, Distributed, minimal("key.converter.schemas.enable", "false", "key.converter.plugin.version", "[1.0]",
		"key.converterx", "y", "value.converter.a.b", "c", "header.converter", "H", "header.converter.", "nothing"))
	want := Plugin{Class: "org.apache.kafka.connect.storage.StringConverter", Version: "[1.0]",
		Props: map[string]string{"schemas.enable": "false", "plugin.version": "[1.0]"}}
	if d := cmp.Diff(want, w.KeyConverter); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(Plugin{Class: "H", Props: map[string]string{}}, w.HeaderConverter); d != "" {
		t.Error(d)
	}
}

func TestTopicSettingsReachTheInternalTopics(t *testing.T) {
	w := worker(t, Distributed, minimal(
		"config.storage.partitions", "7", "config.storage.replication.factor", "-1", "config.storage.min.insync.replicas", "2",
		"offset.storage.partitions", "-1", "offset.storage.cleanup.policy", "delete", "status.storage.segment.bytes", "1000"))
	for _, test := range []struct{ got, want InternalTopic }{
		{w.ConfigTopic, InternalTopic{"connect-configs", "config.storage.topic", 1, -1, map[string]string{"min.insync.replicas": "2", "cleanup.policy": "compact"}}},
		{w.OffsetTopic, InternalTopic{"connect-offsets", "offset.storage.topic", -1, 3, map[string]string{"cleanup.policy": "compact"}}},
		{w.StatusTopic, InternalTopic{"connect-status", "status.storage.topic", 5, 3, map[string]string{"segment.bytes": "1000", "cleanup.policy": "compact"}}},
	} {
		if d := cmp.Diff(test.want, test.got); d != "" {
			t.Error(d)
		}
	}
	want := []string{
		"Ignoring 'config.storage.partitions=7' setting, since config topic partitions is always 1",
		"Ignoring 'offset.storage.cleanup.policy=delete' setting, since compaction is always used",
	}
	if d := cmp.Diff(want, w.Warnings()); d != "" {
		t.Error(d)
	}
}

func TestSettingsWithoutEffectAreWarnedOf(t *testing.T) {
	w := worker(t, Distributed, minimal("internal.key.converter", "J", "internal.value.converter.schemas.enable", "false",
		"status.storage.topic", "connect-configs", "connector.client.config.override.policy", "Principal", "plugin.path", "/opt/plugins",
		"rest.extension.classes", "a,b,a"))
	want := []string{
		"Configuration 'rest.extension.classes' has duplicate values [a, b, a]; they were removed, which leaves [a, b].",
		"The worker has been configured with one or more internal converter properties (internal.key.converter, internal.value.converter.schemas.enable). They have no effect.",
		"config.storage.topic, offset.storage.topic and status.storage.topic are not three topics (connect-configs, connect-offsets, connect-configs); their records would get mixed up",
		"The Principal override policy is deprecated. Use connector.client.config.override.policy=Allowlist with connector.client.config.override.allowlist=sasl.jaas.config,sasl.mechanism,security.protocol.",
		"plugin.path has no effect: Java plugins cannot be loaded, Penstock's connectors and converters are built in",
	}
	if d := cmp.Diff(want, w.Warnings()); d != "" {
		t.Error(d)
	}
}

func TestMisspeltKeysAreFound(t *testing.T) {
	w := worker(t, Distributed, minimal("offset.flush.intervall.ms", "1", "producer.anything", "x", "linger.ms", "7", "max.poll.records", "9",
		"value.converter.x", "y", "connector.client.config.override.allowlist", "acks", "Group.id", "x", "listeners.https.ssl.protocol", "TLSv1.2"))
	if d := cmp.Diff([]string{"Group.id", "offset.flush.intervall.ms"}, w.UnknownKeys()); d != "" {
		t.Error(d)
	}
}

func TestPropsAreACopyWithoutProviders(t *testing.T) {
	props := minimal("config.providers", "file", "config.providers.file.class", "x")
	before := maps.Clone(props)
	w := worker(t, Distributed, props)
	w.Props["group.id"] = "changed"
	if d := cmp.Diff(before, props); d != "" {
		t.Errorf("the caller's map was changed: %s", d)
	}
	if _, ok := w.Props["config.providers"]; ok {
		t.Error("clients would look for providers")
	}
}

func TestPassWordsAreNotInErrors(t *testing.T) {
	_, err := ParseWorker(minimal("ssl.keystore.password", "hunter2", "session.timeout.ms", "x", "sasl.jaas.config", "hunter2"), Distributed)
	if err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("%v", err)
	}
}

func TestHTTPSSettingsOfListenersWin(t *testing.T) {
	w := worker(t, Distributed, minimal("ssl.keystore.location", "/worker", "ssl.protocol", "TLSv1.2",
		"listeners.https.ssl.keystore.location", "/rest", "sslx", "no"))
	props, prefix := w.HTTPS(false)
	if d := cmp.Diff(map[string]string{"ssl.keystore.location": "/rest"}, props); d != "" || prefix != "listeners.https." {
		t.Errorf("listeners, prefix %q: %s", prefix, d)
	}
	props, prefix = w.HTTPS(true)
	if d := cmp.Diff(map[string]string{"ssl.keystore.location": "/worker", "ssl.protocol": "TLSv1.2"}, props); d != "" || prefix != "" {
		t.Errorf("admin listeners, prefix %q: %s", prefix, d)
	}
}
