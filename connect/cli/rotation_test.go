package cli

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/config/provider"
	"github.com/penstock-io/penstock/connect/plugin"
	"github.com/penstock-io/penstock/connect/settings"
	"github.com/penstock-io/penstock/internal/kafkatest"
	"github.com/penstock-io/penstock/internal/logging"
)

// tellingSink tells the test with which secret its connector and its tasks were started.
type tellingSink struct {
	*leakySink
	starts chan string
}

type tellingTask struct {
	*leakyTask
	starts chan string
}

func (s *tellingSink) Start(_ context.Context, _ connect.ConnectorContext, props map[string]string) error {
	s.props = props
	s.starts <- "connector " + props["pin"]
	return nil
}

func (*tellingSink) Stop(context.Context) error { return nil }

func (s *tellingSink) NewTask() connect.SinkTask { return &tellingTask{&leakyTask{}, s.starts} }

func (t *tellingTask) Start(_ context.Context, tc connect.SinkTaskContext, props map[string]string) error {
	t.log, t.props = tc.Logger(), props
	t.starts <- "task " + props["pin"]
	return nil
}

// awaitStart waits for a start of connector and task with a secret.
func awaitStart(t *testing.T, starts <-chan string, secret string) {
	t.Helper()
	want := map[string]bool{"connector " + secret: true, "task " + secret: true}
	eventually(t, "connector and task have "+secret, func() error {
		for {
			select {
			case got := <-starts:
				delete(want, got)
			default:
				if len(want) > 0 {
					return fmt.Errorf("waiting for %v", want)
				}
				return nil
			}
		}
	})
}

// replace writes a file as tools that rotate secrets do.
func replace(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

func TestARotatedSecretReachesConnectorAndTasks(t *testing.T) {
	c := kafkatest.New(t)
	c.Topic("t", 1)
	starts := make(chan string, 100)
	p := testProgram()
	p.Plugins.Connectors = append(p.Plugins.Connectors, plugin.Plugin[connect.Connector]{
		Class: "io.example.TellingSinkConnector", New: func() connect.Connector { return &tellingSink{&leakySink{}, starts} }})
	path := filepath.Join(t.TempDir(), "s.properties")
	replace(t, path, "pin=first-secret\n")
	props := distributedProps(c)
	props["config.providers"], props["config.providers.file.class"], props["config.providers.file.param.ttl.ms"] = "file", "FileConfigProvider", "100"
	w, a := launchProgram(t, p, settings.Distributed, props)
	w.await(a)
	cfg := map[string]string{"connector.class": "TellingSink", "tasks.max": "1", "topics": "t", "pin": "${file:" + path + ":pin}"}
	w.must(201, http.MethodPut, "connectors/c/config", jsonText(t, cfg))
	awaitStart(t, starts, "first-secret")
	awaitState(w, "c", "RUNNING", 1)

	replace(t, path, "pin=second-secret\nother=1\n")
	awaitStart(t, starts, "second-secret")
	awaitState(w, "c", "RUNNING", 1)
	if got := w.must(200, http.MethodGet, "connectors/c/tasks", ""); !strings.Contains(got, `"pin":"${file:`) {
		t.Errorf("the tasks' configs: %s", got)
	}

	// The same value in a new file, and a file that is gone for a while, restart nothing.
	replace(t, path, "# moved\nother=2\npin=second-secret\n")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the missing file is noticed", func() error {
		if !strings.Contains(w.log.String(), "Config values cannot be read") {
			return errNotYet
		}
		return nil
	})
	replace(t, path, "pin=second-secret\n")
	eventually(t, "the file is noticed", func() error {
		if !strings.Contains(w.log.String(), "Config values can be read again") {
			return errNotYet
		}
		return nil
	})
	select {
	case got := <-starts:
		t.Errorf("started again: %s", got)
	default:
	}
	if log := w.log.String(); strings.Contains(log, "first-secret") || strings.Contains(log, "second-secret") {
		t.Error("the log has a secret")
	}
}

func TestWhatIsNotAllowedAnyMoreFailsAtTheStart(t *testing.T) {
	c := kafkatest.New(t)
	c.Topic("lines", 1)
	dir := t.TempDir()
	w := start(t, settings.Distributed, distributedProps(c))
	for client, key := range map[string]string{"consumer": "consumer.override.fetch.max.wait.ms", "producer": "producer.override.linger.ms", "admin": "admin.override.request.timeout.ms"} {
		cfg := sinkConfig(dir, "lines", 1)
		cfg[key], cfg["errors.deadletterqueue.topic.name"], cfg["errors.deadletterqueue.topic.replication.factor"] = "4711", "dead", "1"
		cfg["errors.tolerance"] = "all"
		w.must(201, http.MethodPut, "connectors/"+client+"/config", jsonText(t, cfg))
		awaitState(w, client, "RUNNING", 1)
	}
	if err := w.stop(); err != nil {
		t.Fatal(err)
	}
	props := distributedProps(c)
	props["connector.client.config.override.policy"], props["connector.client.config.override.allowlist"] = "Allowlist", "linger.ms"
	w = start(t, settings.Distributed, props)
	for client, key := range map[string]string{"consumer": "fetch.max.wait.ms", "admin": "request.timeout.ms"} {
		awaitStates(w, client, "RUNNING FAILED")
		text := w.must(200, http.MethodGet, "connectors/"+client+"/tasks/0/status", "")
		if want := "Client Config Overrides not allowed [The 'Allowlist' policy does not allow '" + key + "' to be overridden in the connector configuration.]"; !strings.Contains(text, want) || strings.Contains(text, "4711") {
			t.Errorf("%s, want %s and no value", text, want)
		}
		if !strings.Contains(text, "org.apache.kafka.connect.errors.ConnectException: Client Config") {
			t.Errorf("not the JVM's exception: %s", text)
		}
	}
	awaitState(w, "producer", "RUNNING", 1)
}

// fixed is a provider of an embedding program.
type fixed struct{}

func (fixed) Configure(map[string]string) error { return nil }
func (fixed) Close() error                      { return nil }

func (fixed) Get(_ string, keys []string) (provider.Data, error) {
	data := provider.Data{Values: map[string]string{}, TTL: provider.NoTTL}
	for _, k := range keys {
		data.Values[k] = "value of " + k
	}
	return data, nil
}

func TestAProgramMayBringConfigProviders(t *testing.T) {
	p := testProgram()
	p.ConfigProviders = map[string]func() provider.Provider{"io.example.FixedConfigProvider": func() provider.Provider { return fixed{} }}
	log, levels := logging.New(io.Discard)
	for _, class := range []string{"io.example.FixedConfigProvider", "FixedConfigProvider", "Fixed"} {
		props := standaloneProps(t, kafkatest.New(t))
		props["config.providers"], props["config.providers.x.class"], props["some.key"] = "x", class, "${x:a}"
		w, err := p.NewWorker(settings.Standalone, props, log, levels)
		if err != nil {
			t.Fatal(err)
		}
		if got := w.settings.Props["some.key"]; got != "value of a" {
			t.Errorf("%s: %q", class, got)
		}
	}
}
