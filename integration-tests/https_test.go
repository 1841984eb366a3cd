//go:build integration

package integration

import (
	"crypto/tls"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/penstock-io/penstock/integration-tests/stack"
	"github.com/penstock-io/penstock/internal/tlsstore"
	"github.com/penstock-io/penstock/rest/api"
	"github.com/penstock-io/penstock/rest/client"
)

// httpsProperties makes a key with keytool and returns the properties of https listeners that
// demand it of their clients, without addresses.
func httpsProperties(t *testing.T) map[string]string {
	t.Helper()
	dir := t.TempDir()
	keytool := func(args ...string) {
		t.Helper()
		out, err := exec.CommandContext(t.Context(), "keytool", append(args, "-noprompt", "-storepass", "store-secret")...).CombinedOutput()
		if err != nil {
			t.Fatalf("keytool %v: %v\n%s", args, err, out)
		}
	}
	keys, trust, cert := filepath.Join(dir, "key.p12"), filepath.Join(dir, "trust.jks"), filepath.Join(dir, "worker.crt")
	keytool("-genkeypair", "-keystore", keys, "-storetype", "PKCS12", "-alias", "worker", "-keyalg", "RSA", "-dname", "CN=worker", "-ext", "san=ip:127.0.0.1")
	keytool("-exportcert", "-keystore", keys, "-alias", "worker", "-file", cert)
	keytool("-importcert", "-keystore", trust, "-storetype", "JKS", "-alias", "worker", "-file", cert)
	return map[string]string{
		"listeners.https.ssl.keystore.location": keys, "listeners.https.ssl.keystore.password": "store-secret", "listeners.https.ssl.keystore.type": "PKCS12",
		"listeners.https.ssl.truststore.location": trust, "listeners.https.ssl.truststore.password": "store-secret",
		"listeners.https.ssl.client.auth": "required",
	}
}

// bothListeners adds http for the test and https for the other workers.
func bothListeners(t *testing.T, props map[string]string) (all map[string]string, plain, secure string) {
	t.Helper()
	ports, err := stack.FreePorts(2)
	if err != nil {
		t.Fatal(err)
	}
	plain, secure = fmt.Sprintf("http://127.0.0.1:%d", ports[0]), fmt.Sprintf("https://127.0.0.1:%d", ports[1])
	all = maps.Clone(props)
	all["listeners"], all["rest.advertised.listener"] = plain+","+secure, "https"
	return all, plain, secure
}

// TestHTTPSBetweenTheJVMAndOurs has each of them lead once: requests are forwarded, and task
// configs sent to the leader, over https with client certificates.
func TestHTTPSBetweenTheJVMAndOurs(t *testing.T) {
	props := httpsProperties(t)
	props["scheduled.rebalance.max.delay.ms"], props["key.converter.schemas.enable"] = "0", "false"
	ourProps, ourURL, ourHTTPS := bothListeners(t, props)
	w := newWorker(t, "https", ourProps)
	w.base = ourURL
	shared, err := readProperties(w.props)
	if err != nil {
		t.Fatal(err)
	}
	jvmProps, _, jvmHTTPS := bothListeners(t, shared)
	jvm := startJVM(t, jvmProps)
	w.start()
	checkHTTPS(t, props, ourHTTPS, jvmHTTPS)

	// The JVM leads.
	httpsConnectors(t, "first", w.base, jvm.URL, ourHTTPS, jvmHTTPS)
	// Ours leads.
	if err := jvm.Stop(); err != nil {
		t.Fatal(err)
	}
	w.eventually(2*time.Minute, "ours leads", func() error { // a leader answers itself
		return client.New(nil).JSON(t.Context(), http.MethodPut, client.ConnectorURL(w.base, "alone", "config"), linesOf(t, "alone"), nil)
	})
	if err := jvm.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	httpsConnectors(t, "second", jvm.URL, w.base, ourHTTPS, jvmHTTPS)
}

func linesOf(t *testing.T, topic string) map[string]string {
	return map[string]string{"connector.class": "FileStreamSource", "tasks.max": "1", "topic": "https-" + topic, "file": filepath.Join(t.TempDir(), "none")}
}

// httpsConnectors creates connectors through the follower until one runs on either worker,
// and deletes them through it.
func httpsConnectors(t *testing.T, tag, follower, leader string, advertised ...string) {
	t.Helper()
	rest := client.New(nil)
	var names []string
	for i := range 4 {
		name := fmt.Sprintf("%s-%d", tag, i)
		names = append(names, name)
		eventually(t, time.Minute, name+" is created through the follower", func() error {
			return rest.JSON(t.Context(), http.MethodPut, client.ConnectorURL(follower, name, "config"), linesOf(t, name), nil)
		})
	}
	eventually(t, 2*time.Minute, "all run, on both workers", func() error {
		owners := map[string]bool{}
		for _, name := range names {
			var st api.ConnectorStatus
			if err := rest.JSON(t.Context(), http.MethodGet, client.ConnectorURL(leader, name, "status"), nil, &st); err != nil {
				return err
			}
			if st.Connector.State != "RUNNING" || len(st.Tasks) != 1 || st.Tasks[0].State != "RUNNING" {
				return fmt.Errorf("%+v", st)
			}
			owners["https://"+st.Connector.WorkerID] = true
		}
		for _, url := range advertised {
			if !owners[url] {
				return fmt.Errorf("%s runs no connector, only %v do", url, owners)
			}
		}
		return nil
	})
	for _, name := range names {
		eventually(t, time.Minute, name+" is deleted through the follower", func() error {
			err := rest.JSON(t.Context(), http.MethodDelete, client.ConnectorURL(follower, name), nil, nil)
			if isNotFound(err) {
				return nil
			}
			return err
		})
	}
}

// checkHTTPS wants both workers to serve who has the certificate, and nobody else.
func checkHTTPS(t *testing.T, props map[string]string, urls ...string) {
	t.Helper()
	settings := map[string]string{}
	for k, v := range props {
		settings[strings.TrimPrefix(k, "listeners.https.")] = v
	}
	keys := tlsstore.NewSource(settings, tlsstore.Options{}, zap.NewNop())
	for _, url := range urls {
		known, stranger := client.New(client.Transport(keys.Client)), client.New(client.Transport(func() (*tls.Config, error) {
			cfg, err := keys.Client()
			if err == nil {
				cfg.GetClientCertificate = nil
			}
			return cfg, err
		}))
		var info api.ServerInfo
		if err := known.JSON(t.Context(), http.MethodGet, url+"/", nil, &info); err != nil || info.Version == "" {
			t.Errorf("%s: %+v, %v", url, info, err)
		}
		if resp, err := stranger.Do(t.Context(), http.MethodGet, url+"/", nil, nil); err == nil {
			t.Errorf("%s serves who has no certificate: %d", url, resp.Status)
		}
		known.Close()
		stranger.Close()
	}
}

// TestCORSAndHeadersAreThoseOfTheJVM sends both workers the same requests.
func TestCORSAndHeadersAreThoseOfTheJVM(t *testing.T) {
	more := map[string]string{
		"access.control.allow.origin":  "http://ui[.]example[.]org, HTTPS://other.*",
		"access.control.allow.methods": "GET, PUT,DELETE",
		"response.http.headers.config": `set X-Frame-Options: DENY, "add Cache-Control: no-cache, no-store", add X-A: 1, add X-A: 2, setDate Expires: 31540000`,
	}
	admin := func(props map[string]string) string {
		ports, err := stack.FreePorts(1)
		if err != nil {
			t.Fatal(err)
		}
		props["admin.listeners"] = fmt.Sprintf("http://127.0.0.1:%d", ports[0])
		return props["admin.listeners"]
	}
	ourAdmin := admin(more)
	w := newWorker(t, "cors", more)
	props, err := readProperties(w.props)
	if err != nil {
		t.Fatal(err)
	}
	delete(props, "listeners")
	props["group.id"] = "cors-jvm"
	for _, kind := range []string{"config", "offset", "status"} {
		props[kind+".storage.topic"] = "cors-jvm-" + kind
	}
	jvmAdmin := admin(props)
	jvm := startJVM(t, props)
	w.start()
	compareAnswers(t, corsRequests(), w.base, jvm.URL)
	compareAnswers(t, [][]string{{"GET", "/"}, {"GET", "/connectors"}, {"GET", "/admin/loggers/none", "Origin", "http://ui.example.org"},
		{"OPTIONS", "/admin/loggers", "Origin", "http://ui.example.org", "Access-Control-Request-Method", "PUT"}}, ourAdmin, jvmAdmin)
}

func corsRequests() (all [][]string) {
	for _, target := range []string{"GET /connectors", "GET /connectors/zz", "GET /nothing", "HEAD /connectors", "OPTIONS /connectors", "DELETE /connectors",
		"PUT /connectors/zz/pause", "GET /admin/loggers"} {
		method, path, _ := strings.Cut(target, " ")
		for _, origin := range []string{"", "http://ui.example.org", "HTTP://UI.EXAMPLE.ORG", "https://other.site:81", "http://uixexample.org", "null", "http://ui.example.org https://other"} {
			request := []string{method, path}
			if origin != "" {
				request = append(request, "Origin", origin)
			}
			all = append(all, request, append(slices.Clone(request), "Access-Control-Request-Method", "PUT", "Access-Control-Request-Headers", "content-type,x-b"))
		}
	}
	return all
}

// compareAnswers wants two workers to give the same answers: status and the headers that
// CORS and the header rules are about.
func compareAnswers(t *testing.T, requests [][]string, ours, theirs string) {
	t.Helper()
	for _, r := range requests {
		want, got := answerOf(t, theirs, r), answerOf(t, ours, r)
		if want != got {
			t.Errorf("%q\n  ours:    %s\n  the JVM: %s", r, got, want)
		}
	}
}

func answerOf(t *testing.T, base string, r []string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), r[0], base+r[1], nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 2; i < len(r); i += 2 {
		req.Header.Set(r[i], r[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprint(resp.StatusCode)
	for _, name := range []string{"Vary", "Access-Control-Allow-Origin", "Access-Control-Allow-Methods", "Access-Control-Allow-Headers", "Access-Control-Max-Age",
		"Access-Control-Allow-Credentials", "Access-Control-Expose-Headers", "X-Frame-Options", "Cache-Control", "X-A"} {
		values := resp.Header.Values(name)
		if name == "Access-Control-Allow-Methods" && len(values) == 1 {
			// The JVM's order is that of a hash, new with every start; blanks stay but at the ends.
			values = strings.Split(strings.ReplaceAll(values[0], " ", ""), ",")
			slices.Sort(values)
		}
		if len(values) > 0 {
			text += fmt.Sprintf(" %s=%q", name, values)
		}
	}
	if expires, err := http.ParseTime(resp.Header.Get("Expires")); err == nil {
		text += fmt.Sprintf(" Expires in %v", time.Until(expires).Round(time.Hour))
	} else if v := resp.Header.Get("Expires"); v != "" {
		text += " Expires=" + v
	}
	if resp.StatusCode >= 400 && len(body) > 0 {
		text += " " + string(body)
	}
	return text
}
