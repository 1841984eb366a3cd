package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/penstock-io/penstock/connect/settings"
	"github.com/penstock-io/penstock/internal/kafkatest"
	"github.com/penstock-io/penstock/internal/logging"
)

// canary is in every secret of these tests, and in nothing else.
const canary = "c4nary"

// secretFile makes a properties file with canaries and returns what is before the key in a
// placeholder for it.
func secretFile(t *testing.T) (path, before string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "s.properties")
	text := `plain=c4nary-file
short=c4nary
odd=c4nary "quo\\te" & <x> grün
number=c4nary-number
worker=c4nary-worker-file
`
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path, "${file:" + path + ":"
}

// secretProps are worker properties with secrets wherever they can be.
func secretProps(props map[string]string, before string) map[string]string {
	maps.Copy(props, map[string]string{
		"config.providers": "file", "config.providers.file.class": "FileConfigProvider",
		"sasl.jaas.config":          `org.apache.kafka.common.security.plain.PlainLoginModule required username="u" password="c4nary-jaas-worker";`,
		"ssl.keystore.password":     "c4nary-keystore",
		"ssl.key.password":          "c4nary-key\"x",
		"ssl.keystore.key":          "-----BEGIN PRIVATE KEY-----\nc4narykeymaterialc4narykeymaterial\n-----END PRIVATE KEY-----",
		"ssl.truststore.password":   "c4nary-truststore",
		"producer.sasl.jaas.config": `org.apache.kafka.common.security.scram.ScramLoginModule required username="u" password="c4nary \"quoted\"";`,
		"consumer.ssl.key.password": "c4nary-consumer",
		"admin.sasl.oauthbearer.client.credentials.client.secret": "c4nary-oauth",
		"listeners.https.ssl.keystore.password":                   "c4nary-https",
		"my.vault.token":                                          "c4nary-unknown",
		"metrics.context.account_key":                             "c4nary-metrics",
		"misspelt.pasword.url":                                    "https://user:c4nary-in-url@host/",
		"another.unknown":                                         before + "worker}",
		"value.converter.basic.auth.user.info":                    "user:c4nary-user-info",
	})
	return props
}

// secretConfig is a connector's config with secrets wherever they can be.
func secretConfig(name, before, failAt string) map[string]string {
	tolerance := "none"
	if failAt == "report" {
		tolerance = "all"
	}
	return map[string]string{
		"name": name, "connector.class": leakyClass, "tasks.max": "1", "topics": "t", "fail.at": failAt,
		"pin": "c4nary-pin \\ \"x\"", "db.token": "c4nary-token", "endpoint": "https://x:c4nary-endpoint@host/",
		"file.plain": before + "plain}", "file.short": "a " + before + "short} b", "file.odd": before + "odd}", "file.gone": before + "gone}",
		"encryption.key": "c4nary-encryption", "some.unknown.secret": "c4nary-some",
		"consumer.override.sasl.jaas.config":      `org.apache.kafka.common.security.plain.PlainLoginModule required username="u" password="c4nary-jaas";`,
		"consumer.override.ssl.key.password":      "c4nary-override",
		"producer.override.ssl.keystore.password": "c4nary-producer-override",
		"errors.deadletterqueue.topic.name":       "dead", "errors.deadletterqueue.topic.replication.factor": "1",
		"errors.deadletterqueue.context.headers.enable": "true", "errors.tolerance": tolerance,
		"value.converter": "org.apache.kafka.connect.storage.StringConverter", "value.converter.password": "c4nary-converter",
		"transforms": "mask", "transforms.mask.type": "org.apache.kafka.connect.transforms.InsertHeader", "transforms.mask.header": "h",
		"transforms.mask.value.literal": before + "plain}", "transforms.mask.api.key": "c4nary-transform",
		"predicates": "p", "predicates.p.type": "org.apache.kafka.connect.transforms.predicates.RecordIsTombstone", "predicates.p.secret": "c4nary-predicate",
	}
}

func wantNoCanary(t *testing.T, where, text string) {
	t.Helper()
	if at := strings.Index(strings.ToLower(text), canary); at >= 0 {
		t.Errorf("%s shows a secret: …%s…", where, text[max(0, at-200):min(len(text), at+60)])
	}
}

func leakyProgram() Program {
	p := testProgram()
	p.Plugins.Connectors = append(p.Plugins.Connectors, leakyPlugin())
	return p
}

func TestNoSecretIsShown(t *testing.T) {
	c := kafkatest.New(t)
	c.Topic("t", 1)
	c.Topic("dead", 1)
	_, before := secretFile(t)
	for i, mode := range []settings.Mode{settings.Distributed, settings.Standalone} {
		c.Produce("none", kafkatest.Values("t", 0, "v", 3)...)
		props := distributedProps(c)
		var files []connectorFile
		if mode == settings.Standalone {
			props = standaloneProps(t, c)
			files = append(files, connectorFileOf(t, "from-file", secretConfig("from-file", before, "none")))
		}
		w, a := launchProgram(t, leakyProgram(), mode, secretProps(props, before), files...)
		w.await(a)
		w.must(200, http.MethodPut, "admin/loggers/root", `{"level":"TRACE"}`)
		failAndLook(t, w, before)
		wantDeadLetters(t, c, 3*(i+1))
		if mode == settings.Standalone {
			awaitState(w, "from-file", "RUNNING", 1)
		}
		if err := w.stop(); err != nil {
			t.Error(err)
		}
		log := w.log.String()
		wantNoCanary(t, "the log", log)
		for _, text := range []string{"[hidden]", "Config values: ", "ssl.keystore.password = [hidden]", "sasl.jaas.config = [hidden]", "put: map["} {
			if !strings.Contains(log, text) && (mode == settings.Distributed || !strings.HasPrefix(text, "sasl")) {
				t.Errorf("no %q in the log", text)
			}
		}
	}
}

// failAndLook lets a connector fail at every stage, and looks at all that REST answers.
func failAndLook(t *testing.T, w *testWorker, before string) {
	t.Helper()
	for i, stage := range []string{"none", "start", "panic at start", "task configs", "task start", "panic at task start", "put", "panic at put", "report", "commit", "stop", "task stop"} {
		name := fmt.Sprint("c", i)
		cfg := secretConfig(name, before, stage)
		w.must(201, http.MethodPut, "connectors/"+name+"/config", jsonText(t, cfg))
		var got map[string]string
		if err := json.Unmarshal([]byte(w.must(200, http.MethodGet, "connectors/"+name+"/config", "")), &got); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(cfg, got); d != "" {
			t.Errorf("the config is not as it was put:\n%s", d)
		}
		states := map[string]string{"start": "FAILED ", "panic at start": "FAILED ", "task configs": "RUNNING ", "none": "RUNNING RUNNING", "report": "RUNNING RUNNING", "commit": "RUNNING RUNNING", "stop": "RUNNING RUNNING", "task stop": "RUNNING RUNNING"}
		want, ok := states[stage]
		if !ok {
			want = "RUNNING FAILED"
		}
		awaitStates(w, name, want)
		wantTasksRaw(t, w, name)
		_, text := w.do(http.MethodPost, "connectors/"+name+"/restart", "")
		wantNoCanary(t, "the restart of "+name, text)
		_, text = w.do(http.MethodPost, "connectors/"+name+"/tasks/0/restart", "")
		wantNoCanary(t, "the restart of a task of "+name, text)
		wantNoCanary(t, "the statuses", w.must(200, http.MethodGet, "connectors?expand=status", ""))
	}
	for key, values := range map[string][]string{
		"tasks.max": {before + "number}"}, "number": {before + "number}", "c4nary-as-number"}, "pin": {"wrong", before + "plain}"}, "errors.tolerance": {before + "short}"},
		"connector.class": {before + "plain}"}, "value.converter": {before + "plain}"}, "transforms.mask.type": {before + "plain}"}, "connector.plugin.version": {before + "plain}", "[" + before + "plain}"},
		"topics.regex": {before + "plain}"}, "consumer.override.fetch.min.bytes": {before + "plain}"}, "name": {before + "plain}"},
	} {
		for _, v := range values {
			cfg := secretConfig("bad", before, "none")
			cfg[key] = v
			status, text := w.do(http.MethodPost, "connectors", jsonText(t, map[string]any{"name": "bad", "config": cfg}))
			if status < 400 && v != before+"plain}" && v != "wrong" {
				t.Errorf("%s=%s: status %d", key, v, status)
			}
			if status >= 400 && v != "c4nary-as-number" { // what the user has sent, of a key that is none of secrets
				wantNoCanary(t, "the refusal of "+key+"="+v, text)
			}
			wantNoPasswords(t, w, cfg)
			w.do(http.MethodDelete, "connectors/bad", "")
		}
	}
}

// wantDeadLetters reads n records of the dead letter queue.
func wantDeadLetters(t *testing.T, c *kafkatest.Cluster, n int) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(c.ListenAddrs()...), kgo.ConsumeTopics("dead"))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for n > 0 {
		fetched := client.PollFetches(ctx)
		if err := fetched.Err(); err != nil {
			t.Fatalf("%d dead letters are missing: %v", n, err)
		}
		for _, r := range fetched.Records() {
			n--
			text := fmt.Sprintf("%s", r.Headers)
			wantNoCanary(t, "a dead letter", text)
			if !strings.Contains(text, "report failed with") || !strings.Contains(text, "[hidden]") {
				t.Errorf("a dead letter: %s", text)
			}
		}
	}
}

// awaitStates waits for the states of a connector and its only task, if it has one.
func awaitStates(w *testWorker, name, want string) {
	w.t.Helper()
	eventually(w.t, name+" is "+want, func() error {
		_, text := w.do(http.MethodGet, "connectors/"+name+"/status", "")
		wantNoCanary(w.t, "the status of "+name, text)
		var st struct {
			Connector struct{ State string }
			Tasks     []struct{ State string }
		}
		if err := json.Unmarshal([]byte(text), &st); err != nil {
			return err
		}
		got := st.Connector.State + " "
		for _, task := range st.Tasks {
			got += task.State
		}
		if got != want {
			return errors.New(got)
		}
		return nil
	})
}

// wantTasksRaw looks at the task configs: what came from a provider is a placeholder there.
func wantTasksRaw(t *testing.T, w *testWorker, name string) {
	t.Helper()
	text := w.must(200, http.MethodGet, "connectors/"+name+"/tasks", "")
	for _, secret := range []string{"c4nary-file", `c4nary \"quo`} {
		if strings.Contains(text, secret) {
			t.Errorf("the tasks of %s have the value of a placeholder: %s", name, text)
		}
	}
}

// wantNoPasswords validates a config: what is a PASSWORD is hidden.
func wantNoPasswords(t *testing.T, w *testWorker, cfg map[string]string) {
	t.Helper()
	_, text := w.do(http.MethodPut, "connector-plugins/"+leakyClass+"/config/validate", jsonText(t, cfg))
	for _, secret := range []string{"c4nary-pin", "c4nary-jaas", "c4nary-override", "c4nary-producer"} {
		if strings.Contains(text, secret) {
			t.Errorf("the validation of %v shows %s", cfg, secret)
		}
	}
}

func TestNoSecretIsShownWhenAWorkerCannotStart(t *testing.T) {
	c := kafkatest.New(t)
	_, before := secretFile(t)
	for key, values := range map[string][]string{
		"heartbeat.interval.ms": {before + "plain}", before + "odd}"}, "config.storage.replication.factor": {before + "number}"}, "listeners": {before + "plain}"},
		"key.converter": {before + "plain}"}, "connector.client.config.override.policy": {before + "plain}"}, "rest.extension.classes": {before + "plain}"},
		"bootstrap.servers": {before + "plain}", ""}, "inter.worker.key.generation.algorithm": {before + "plain}"}, "access.control.allow.origin": {"(" + before + "plain}"},
		"response.http.headers.config": {before + "plain}"}, "security.protocol": {before + "plain}", "SASL_PLAINTEXT", "SASL_SSL", "SSL"},
		"config.providers.file.param.allowed.paths": {"c4nary"}, "sasl.jaas.config": {"c4nary-broken", `PlainLoginModule required username="u" password="c4nary-open`},
		"admin.listeners": {"https://:0"}, "config.providers.file.param.ttl.ms": {"1"},
	} {
		for _, v := range values {
			props := secretProps(distributedProps(c), before)
			if props[key] = v; strings.HasPrefix(key, "sasl.jaas") {
				props["security.protocol"], props["sasl.mechanism"] = "SASL_PLAINTEXT", "PLAIN"
			}
			if key == "security.protocol" {
				props["sasl.mechanism"], props["ssl.keystore.type"], props["default.api.timeout.ms"] = "PLAIN", "PEM", "300"
			}
			b := &logBuffer{}
			log, levels := logging.New(b)
			levels.Set("root", "TRACE")
			a, err := leakyProgram().NewWorker(settings.Distributed, props, log, levels)
			if err == nil {
				ctx := t.Context()
				err = a.Run(ctx)
			}
			if err == nil {
				t.Errorf("%s=%s: no error", key, v)
				continue
			}
			if key != "config.providers.file.param.allowed.paths" {
				wantNoCanary(t, "the error of "+key+"="+v, err.Error())
			}
			wantNoCanary(t, "the log of "+key+"="+v, b.String())
			if code := exitCode(err); code != exitConfig && code != exitEnvironment {
				t.Errorf("%s=%s: exit code %d: %v", key, v, code, err)
			}
		}
	}
}

func TestSecretsOfAConfigAreRecognised(t *testing.T) {
	log, levels := logging.New(io.Discard)
	w, err := leakyProgram().NewWorker(settings.Standalone, standaloneProps(t, kafkatest.New(t)), log, levels)
	if err != nil {
		t.Fatal(err)
	}
	w.secrets.Add(w.secrets.of(map[string]string{
		"connector.class": "LeakySink", "pin": "4711-pin", "db.token": "token-value", "endpoint": "http://endpoint", "number": "12345678",
		"sasl.oauthbearer.token.endpoint.url": "https://idp/token", "key.converter": "org.example.KeyConverter", "key.converter.schema.registry.url": "http://registry",
		"key.converter.basic.auth.user.info": "name:registry-password", "account.name": "name", "topic": "topic-name",
	})...)
	for text, want := range map[string]string{
		"4711-pin": "[hidden]", "token-value": "[hidden]", "registry-password": "[hidden]",
		"http://endpoint 12345678 https://idp/token org.example.KeyConverter http://registry name topic-name": "http://endpoint 12345678 https://idp/token org.example.KeyConverter http://registry name topic-name",
	} {
		if got := w.secrets.Hide(text); got != want {
			t.Errorf("%s: %s", text, got)
		}
	}
}

// TestTheSecretsOfALargeConfigAreFoundInTime has a limit far above what a slow machine takes,
// and far below what comparing each key with each transform does.
func TestTheSecretsOfALargeConfigAreFoundInTime(t *testing.T) {
	log, levels := logging.New(io.Discard)
	w, err := leakyProgram().NewWorker(settings.Standalone, standaloneProps(t, kafkatest.New(t)), log, levels)
	if err != nil {
		t.Fatal(err)
	}
	cfg, names := map[string]string{}, make([]string, 100_000)
	for i := range names {
		names[i] = fmt.Sprint("n", i)
		cfg["transforms."+names[i]+".type"] = "org.apache.kafka.connect.transforms.InsertHeader"
		cfg["transforms."+names[i]+".password"] = names[i]
	}
	cfg["transforms"] = strings.Join(names, ",")
	started := time.Now()
	if found := w.secrets.of(cfg); len(found) != len(names) {
		t.Errorf("%d secrets", len(found))
	}
	if d := time.Since(started); d > 30*time.Second {
		t.Errorf("that took %v", d)
	}
}

func TestACheckedConfigHidesNothingElsewhere(t *testing.T) {
	log, levels := logging.New(io.Discard)
	path, before := secretFile(t)
	w, err := leakyProgram().NewWorker(settings.Distributed, secretProps(distributedProps(kafkatest.New(t)), before), log, levels)
	if err != nil {
		t.Fatal(err)
	}
	cfg := map[string]string{"connector.class": "LeakySink", "pin": "Uncaught exception", "file": before + "number}"}
	for i := range 20000 {
		cfg[fmt.Sprint("password", i)] = fmt.Sprint("pushed-out-", i/2)
	}
	resolved, hide, err := w.resolveToCheck(cfg)
	if err != nil || resolved["file"] != "c4nary-number" {
		t.Fatalf("%s, %v", resolved["file"], err)
	}
	const text = "Uncaught exception c4nary-number c4nary-jaas-worker c4nary-worker-file"
	if got := hide(text); got != "[hidden] [hidden] [hidden] [hidden]" {
		t.Errorf("of the request: %s", got)
	}
	if got := w.secrets.Hide(text); got != "Uncaught exception c4nary-number [hidden] [hidden]" {
		t.Errorf("of the worker: %s", got)
	}
	// What starts is hidden everywhere, but pushes out none of the worker's own.
	for i := range 2 {
		cfg["pin"] = fmt.Sprint("pin of ", i)
		if _, err := w.resolve(cfg); err != nil {
			t.Fatal(err)
		}
		for k := range cfg {
			cfg[k] += "more"
		}
		cfg["connector.class"] = "LeakySink"
	}
	if got := w.secrets.Hide("pin of 1, c4nary-jaas-worker c4nary-worker-file"); got != "[hidden], [hidden] [hidden]" {
		t.Errorf("after a start: %s", got)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, hide, err := w.resolveToCheck(secretConfig("c", before, "none")); err == nil || strings.Contains(hide("c4nary-token"), canary) {
		t.Errorf("a provider that fails: %v", err)
	}
}

func TestNoSecretOfAConnectorFileIsShown(t *testing.T) {
	_, before := secretFile(t)
	cfg := secretConfig("bad", before, "none")
	cfg["tasks.max"], cfg["errors.tolerance"] = before+"number}", before+"plain}"
	w, _ := launchProgram(t, leakyProgram(), settings.Standalone, secretProps(standaloneProps(t, kafkatest.New(t)), before), connectorFileOf(t, "bad", cfg))
	err := w.wait()
	if exitCode(err) != exitConfig || !strings.Contains(err.Error(), "Invalid value [hidden] for configuration tasks.max") {
		t.Errorf("exit code %d: %v", exitCode(err), err)
	}
	wantNoCanary(t, "the error", err.Error())
	wantNoCanary(t, "the log", w.log.String())
}

func TestAConverterInAnotherVersionIsWarnedOf(t *testing.T) {
	props := standaloneProps(t, kafkatest.New(t))
	props["key.converter.plugin.version"], props["value.converter.plugin.version"], props["header.converter.plugin.version"] = "[1.0", "[1.0,2.0)", "[4.3,)"
	w := start(t, settings.Standalone, props)
	if err := w.stop(); err != nil {
		t.Error(err)
	}
	for _, want := range []string{
		"Invalid version range for key.converter.plugin.version: [1.0. Unbounded range: [1.0. Tasks",
		"Invalid version range for value.converter.plugin.version: [1.0,2.0). Plugin org.apache.kafka.connect.storage.StringConverter not found that matches",
	} {
		if !strings.Contains(w.log.String(), want) {
			t.Errorf("no %q in the log", want)
		}
	}
	if strings.Contains(w.log.String(), "header.converter.plugin.version: ") {
		t.Error("a version that is right is warned of")
	}
}
