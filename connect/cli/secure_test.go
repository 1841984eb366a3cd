package cli

import (
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/penstock-io/penstock/connect/settings"
	"github.com/penstock-io/penstock/internal/kafkatest"
	"github.com/penstock-io/penstock/internal/tlsstore"
	"github.com/penstock-io/penstock/rest/api"
	"github.com/penstock-io/penstock/rest/client"
)

// usersJAAS writes a JAAS file for the basic authentication with the given users, and returns
// its path.
func usersJAAS(t *testing.T, users string) string {
	t.Helper()
	return writeText(t, "jaas.conf", fmt.Sprintf("KafkaConnect {\n org.apache.kafka.connect.rest.basic.auth.extension.PropertyFileLoginModule required file=%q;\n};\n",
		writeText(t, "users.properties", users)))
}

// secureProps are those of workers that are reached by https with a client certificate and a
// login only.
func secureProps(t *testing.T, c *kafkatest.Cluster) map[string]string {
	t.Helper()
	t.Setenv("KAFKA_OPTS", "-Xmx1g -Djava.security.auth.login.config="+usersJAAS(t, "ada=lovelace\n"))
	props := distributedProps(c)
	maps.Copy(props, map[string]string{
		"listeners":                               "https://127.0.0.1:0",
		"listeners.https.ssl.keystore.location":   storeFile(t, "key.p12"),
		"listeners.https.ssl.keystore.password":   "store-secret",
		"listeners.https.ssl.truststore.location": storeFile(t, "trust.jks"),
		"listeners.https.ssl.client.auth":         "required",
		"ssl.protocol":                            "nonsense that belongs to something else",
		"rest.extension.classes":                  "org.apache.kafka.connect.rest.basic.auth.extension.BasicAuthSecurityRestExtension",
		"access.control.allow.origin":             "https://ui",
		"response.http.headers.config":            "set X-Frame-Options: DENY, addDate Expires: 0",
	})
	return props
}

// storeFile is one of the stores that keytool made.
func storeFile(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs("../../internal/tlsstore/testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// secureClient has the workers' certificate and trust.
func secureClient(t *testing.T, props map[string]string) *client.Client {
	t.Helper()
	below := map[string]string{}
	for k, v := range props {
		if name, ok := strings.CutPrefix(k, "listeners.https."); ok {
			below[name] = v
		}
	}
	c := client.New(client.Transport(tlsstore.NewSource(below, tlsstore.Options{}, zap.NewNop()).Client))
	t.Cleanup(c.Close)
	return c
}

// startSecure waits until the worker is healthy, as start does.
func startSecure(t *testing.T, props map[string]string) *testWorker {
	t.Helper()
	w, a := launch(t, settings.Distributed, props)
	w.rest = secureClient(t, props)
	w.rest.Login = func() (string, string) { return "ada", "lovelace" }
	select {
	case w.url = <-a.listening:
	case <-w.ended:
		t.Fatalf("the worker ended at once: %v", w.err)
	case <-time.After(patience):
		t.Fatal("the worker does not listen")
	}
	eventually(t, "the worker is healthy", func() error { return w.call(http.MethodGet, "health", nil, nil) })
	return w
}

// TestAClusterBehindHTTPSAndALogin has a follower and a leader that talk by https: requests are
// forwarded with their login, and task configs go to the leader without one.
func TestAClusterBehindHTTPSAndALogin(t *testing.T) {
	c := kafkatest.New(t)
	props := secureProps(t, c)
	first := startSecure(t, props)
	second := startSecure(t, props)
	if !strings.HasPrefix(first.url, "https://127.0.0.1:") {
		t.Errorf("advertised is %s", first.url)
	}
	for i, w := range []*testWorker{first, second, first, second} {
		name := fmt.Sprintf("c%d", i)
		eventually(t, name+" is created", func() error {
			return w.call(http.MethodPut, "connectors/"+name+"/config", sinkConfig(t.TempDir(), "t", 1), nil)
		})
	}
	owners := map[string]bool{}
	for i := range 4 {
		eventually(t, "the connector and its task run", func() error {
			var st api.ConnectorStatus
			if err := first.call(http.MethodGet, fmt.Sprintf("connectors/c%d/status", i), nil, &st); err != nil {
				return err
			}
			if st.Connector.State != "RUNNING" || len(st.Tasks) != 1 || st.Tasks[0].State != "RUNNING" {
				return fmt.Errorf("%+v", st)
			}
			owners[st.Connector.WorkerID] = true
			return nil
		})
	}
	if len(owners) != 2 {
		t.Errorf("connectors run on %v", owners)
	}
	header := http.Header{"Origin": {"https://ui"}, "Authorization": {"Basic " + base64.StdEncoding.EncodeToString([]byte("ada:lovelace"))}}
	resp, err := first.rest.Do(t.Context(), http.MethodGet, first.url+"connectors", header, nil)
	if err != nil || resp.Status != 200 || resp.Header.Get("Access-Control-Allow-Origin") != "https://ui" || resp.Header.Get("X-Frame-Options") != "DENY" || resp.Header.Get("Expires") == "" {
		t.Errorf("%+v, %v", resp, err)
	}
	var refused *api.Error
	first.rest.Login = nil
	if err := first.call(http.MethodGet, "connectors", nil, nil); !errors.As(err, &refused) || refused.Status != http.StatusUnauthorized {
		t.Errorf("without login: %v", err)
	}
	if err := client.New(nil).JSON(t.Context(), http.MethodGet, first.url, nil, nil); err == nil {
		t.Error("without certificate")
	}
	if log := first.log.String() + second.log.String(); strings.Contains(log, "lovelace") || strings.Contains(log, "store-secret") || !strings.Contains(log, "rest.requests") {
		t.Error("the log shows a secret, or no requests")
	}
}

func TestAdminListenersHaveAnAddressOfTheirOwn(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	props := standaloneProps(t, kafkatest.New(t))
	props["admin.listeners"] = "http://" + address
	w := start(t, settings.Standalone, props)
	w.must(404, http.MethodGet, "admin/loggers", "")
	var levels map[string]any
	if err := w.rest.JSON(t.Context(), http.MethodGet, "http://"+address+"/admin/loggers", nil, &levels); err != nil || levels["root"] == nil {
		t.Errorf("%v, %v", levels, err)
	}
	resp, err := w.rest.Do(t.Context(), http.MethodPut, "http://"+address+"/admin/loggers/rest.requests", nil, []byte(`{"level":"WARN"}`))
	if err != nil || resp.Status != 200 {
		t.Fatalf("%+v, %v", resp, err)
	}
	before := strings.Count(w.log.String(), "(rest.requests)")
	w.must(200, http.MethodGet, "connectors", "")
	if after := strings.Count(w.log.String(), "(rest.requests)"); after != before {
		t.Error("the request log goes on at WARN")
	}
}
