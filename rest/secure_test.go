package rest

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/penstock-io/penstock/rest/api"
	"github.com/penstock-io/penstock/rest/client"
)

// certificate makes one for 127.0.0.1, signed by itself, and a pool that trusts it.
func certificate(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "worker"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: cert}, pool
}

// listen starts a server that the test stops; h is mounted.
func listen(t *testing.T, h Herder, o Options) *Server {
	t.Helper()
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	if o.Client == nil {
		o.Client = client.New(nil)
	}
	o.Loggers = fakeLoggers{}
	s, err := Listen(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		o.Client.Close()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			t.Error(err)
		}
	})
	s.Mount(h, "http://me:8083/")
	return s
}

func local(scheme string, port int) string { return fmt.Sprintf("%s://127.0.0.1:%d", scheme, port) }

var anyPort = []Listener{{Address: "127.0.0.1:0"}}

// TestForwardingOverHTTPSWithClientCertificates has two workers that trust each other only.
func TestForwardingOverHTTPSWithClientCertificates(t *testing.T) {
	cert, pool := certificate(t)
	server := &tls.Config{Certificates: []tls.Certificate{cert}, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert, MinVersion: tls.VersionTLS12}
	asked := 0
	worker := func() *client.Client {
		return client.New(client.Transport(func() (*tls.Config, error) {
			asked++
			return &tls.Config{Certificates: []tls.Certificate{cert}, RootCAs: pool, MinVersion: tls.VersionTLS12}, nil
		}))
	}
	https := []Listener{{Address: "127.0.0.1:0", TLS: server}}
	leader := &fakeHerder{}
	first := listen(t, leader, Options{Listen: https, Client: worker()})
	follower := listen(t, &fakeHerder{forward: &api.ForwardError{URL: local("https", first.Ports()[0]) + "/"}}, Options{Listen: https, Client: worker()})
	user := worker()
	defer user.Close()
	url := local("https", follower.Ports()[0])
	if err := user.JSON(t.Context(), "DELETE", url+"/connectors/c", nil, nil); err != nil {
		t.Error(err)
	}
	if err := user.JSON(t.Context(), "PUT", url+"/connectors/c/stop", nil, nil); err != nil {
		t.Error(err)
	}
	if len(leader.calls) != 2 || asked != 2 {
		t.Errorf("the leader saw %v; %d connections were made", leader.calls, asked)
	}
	// Without a certificate, or without trust in the worker's, there is no connection.
	for name, cfg := range map[string]*tls.Config{"no certificate": {RootCAs: pool}, "no trust": {Certificates: []tls.Certificate{cert}}} {
		stranger := client.New(client.Transport(func() (*tls.Config, error) { return cfg, nil }))
		if resp, err := stranger.Do(t.Context(), "GET", url+"/", nil, nil); err == nil {
			t.Errorf("%s: %d", name, resp.Status)
		}
		stranger.Close()
	}
	// What keeps the follower from the leader is told.
	broken := client.New(client.Transport(func() (*tls.Config, error) { return nil, io.ErrUnexpectedEOF }))
	cut := listen(t, &fakeHerder{forward: &api.ForwardError{URL: local("https", first.Ports()[0])}}, Options{Listen: anyPort, Client: broken})
	if resp, body := request(t, "DELETE", local("http", cut.Ports()[0])+"/connectors/c", ""); resp.StatusCode != 500 || !strings.Contains(body, "IO Error trying to forward REST request: ") || !strings.Contains(body, "unexpected EOF") {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}

func TestAdminListenersOfTheirOwn(t *testing.T) {
	s := listen(t, &fakeHerder{}, Options{Listen: anyPort, Admin: []Listener{{Address: "127.0.0.1:0"}, {Address: "127.0.0.1:0"}},
		Login: func(string, string) bool { return false }, CORS: &CORS{Allowed: func(string) bool { return true }}, Headers: []Header{{Name: "X-A", Value: "b"}}})
	main := local("http", s.Ports()[0])
	for _, port := range s.AdminPorts() {
		resp, body := request(t, "GET", local("http", port)+"/admin/loggers", "", "Origin", "http://x")
		if resp.StatusCode != 200 || !strings.Contains(body, `"root"`) || resp.Header.Get("X-A") != "" || resp.Header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("admin: %d %s %v", resp.StatusCode, body, resp.Header)
		}
		if resp, _ := request(t, "OPTIONS", local("http", port)+"/admin/loggers", ""); resp.StatusCode != 200 {
			t.Errorf("admin, OPTIONS: %d", resp.StatusCode)
		}
		for _, path := range []string{"/", "/connectors", "/health"} {
			if resp, _ := request(t, "GET", local("http", port)+path, ""); resp.StatusCode != 404 {
				t.Errorf("%s is served on an admin listener: %d", path, resp.StatusCode)
			}
		}
	}
	if resp, _ := request(t, "GET", main+"/admin/loggers", ""); resp.StatusCode != 404 {
		t.Errorf("/admin is served on the main listener: %d", resp.StatusCode)
	}
}

func TestALoginIsAskedForEverythingButInternalRequests(t *testing.T) {
	h := &fakeHerder{}
	s := listen(t, h, Options{Listen: anyPort, Login: func(user, password string) bool { return user == "ada" && password == "lace:1ü" }})
	base := local("http", s.Ports()[0])
	basic := func(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }
	for _, header := range []string{"", "Basic", "Basic ", "Basic !", "Bearer " + basic("ada:lace:1ü"), "Basic " + basic("ada"), "Basic " + basic(":lace:1ü"),
		"Basic " + basic("ada:lace"), "Basic " + basic("ada:lace:1ü "), basic("ada:lace:1ü"), "Basic " + basic("ada:lace:1\xfc")} {
		for _, target := range []string{"GET /", "HEAD /connectors", "GET /admin/loggers", "DELETE /connectors/c", "OPTIONS /connectors", "PUT /connectors/c/pause", "GET /health"} {
			method, path, _ := strings.Cut(target, " ")
			resp, body := request(t, method, base+path, "", "Authorization", header)
			if resp.StatusCode != 401 || (method != "HEAD" && body != "User cannot access the resource.") || !strings.HasPrefix(resp.Header.Get("WWW-Authenticate"), "Basic ") {
				t.Errorf("%q, %s: %d %s", header, target, resp.StatusCode, body)
			}
		}
	}
	if len(h.calls) != 0 {
		t.Errorf("the herder saw %v", h.calls)
	}
	for _, scheme := range []string{"Basic ", "basic ", "BASIC  "} {
		if resp, body := request(t, "GET", base+"/connectors", "", "Authorization", scheme+basic("ada:lace:1ü")); resp.StatusCode != 200 {
			t.Errorf("%d %s", resp.StatusCode, body)
		}
	}
	// Requests between workers bear a signature; paths that do not exist are no secret.
	for _, test := range []struct {
		target string
		status int
	}{{"POST /connectors/c/tasks", 204}, {"PUT /connectors/c/fence", 204}, {"GET /connectors/c/tasks", 401}, {"GET /nothing", 404}, {"DELETE /connectors", 405}} {
		method, path, _ := strings.Cut(test.target, " ")
		body := ""
		if method == "POST" {
			body = "[]"
		}
		if resp, text := request(t, method, base+path, body); resp.StatusCode != test.status {
			t.Errorf("%s: %d %s, want %d", test.target, resp.StatusCode, text, test.status)
		}
	}
}

// TestForwardingTakesTheLoginAlong: the leader asks for it again.
func TestForwardingTakesTheLoginAlong(t *testing.T) {
	login := func(user, password string) bool { return user == "ada" && password == "x" }
	leader := &fakeHerder{}
	first := listen(t, leader, Options{Listen: anyPort, Login: login})
	follower := listen(t, &fakeHerder{forward: &api.ForwardError{URL: local("http", first.Ports()[0])}}, Options{Listen: anyPort, Login: login})
	resp, body := request(t, "DELETE", local("http", follower.Ports()[0])+"/connectors/c", "", "Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte("ada:x")))
	if resp.StatusCode != 204 || len(leader.calls) != 1 {
		t.Errorf("%d %s, the leader saw %v", resp.StatusCode, body, leader.calls)
	}
}

func TestCORS(t *testing.T) {
	s := listen(t, &fakeHerder{}, Options{Listen: anyPort, CORS: &CORS{Allowed: func(o string) bool { return o == "http://ui" }, Methods: "GET, PUT"}})
	base := local("http", s.Ports()[0])
	const origin, methods, headers, age = "Access-Control-Allow-Origin", "Access-Control-Allow-Methods", "Access-Control-Allow-Headers", "Access-Control-Max-Age"
	for _, test := range []struct {
		name, target string
		sent         []string
		status       int
		want         map[string]string
	}{
		{"no origin", "GET /connectors", nil, 200, map[string]string{}},
		{"another origin", "GET /connectors", []string{"Origin", "http://evil"}, 200, map[string]string{}},
		{"an allowed one", "GET /connectors", []string{"Origin", "http://ui"}, 200, map[string]string{origin: "http://ui"}},
		{"an error", "GET /connectors/zz", []string{"Origin", "http://ui"}, 404, map[string]string{origin: "http://ui"}},
		{"an error of the router", "GET /nothing", []string{"Origin", "http://ui"}, 404, map[string]string{origin: "http://ui"}},
		{"a method that is not announced", "DELETE /connectors/c", []string{"Origin", "http://ui"}, 204, map[string]string{origin: "http://ui"}},
		{"pre-flight", "OPTIONS /connectors/c", []string{"Origin", "http://ui", "Access-Control-Request-Method", "PUT"}, 200,
			map[string]string{origin: "http://ui", methods: "GET, PUT", headers: "Content-Type", age: "60"}},
		{"pre-flight of another origin", "OPTIONS /connectors/c", []string{"Origin", "http://evil", "Access-Control-Request-Method", "PUT"}, 200, map[string]string{}},
		{"OPTIONS that is no pre-flight", "OPTIONS /connectors/c", []string{"Origin", "http://ui"}, 200, map[string]string{origin: "http://ui"}},
	} {
		method, path, _ := strings.Cut(test.target, " ")
		resp, _ := request(t, method, base+path, "", test.sent...)
		if resp.StatusCode != test.status || resp.Header.Get("Vary") != "Origin" {
			t.Errorf("%s: %d, Vary %q", test.name, resp.StatusCode, resp.Header.Get("Vary"))
		}
		for _, name := range []string{origin, methods, headers, age, "Access-Control-Allow-Credentials", "Access-Control-Expose-Headers"} {
			if got := resp.Header.Get(name); got != test.want[name] {
				t.Errorf("%s: %s is %q, want %q", test.name, name, got, test.want[name])
			}
		}
	}
}

func TestHeadersOfEveryAnswer(t *testing.T) {
	s := listen(t, &fakeHerder{}, Options{Listen: anyPort, Headers: []Header{
		{Name: "X-Frame-Options", Value: "DENY"}, {Name: "X-Frame-Options", Value: "SAMEORIGIN"}, {Name: "Cache-Control", Value: "no-cache, no-store"},
		{Name: "Cache-Control", Value: "private", Add: true}, {Name: "Expires", Date: true, Offset: time.Hour}, {Name: "Content-Type", Value: "text/plain"}}})
	for _, target := range []string{"GET /connectors", "GET /nothing", "DELETE /connectors", "OPTIONS /connectors"} {
		method, path, _ := strings.Cut(target, " ")
		resp, _ := request(t, method, local("http", s.Ports()[0])+path, "")
		if got := resp.Header.Values("X-Frame-Options"); len(got) != 1 || got[0] != "SAMEORIGIN" {
			t.Errorf("%s: set: %q", target, got)
		}
		if got := resp.Header.Values("Cache-Control"); len(got) != 2 {
			t.Errorf("%s: add: %q", target, got)
		}
		expires, err := http.ParseTime(resp.Header.Get("Expires"))
		if left := time.Until(expires); err != nil || left > time.Hour+time.Minute || left < time.Hour-time.Minute {
			t.Errorf("%s: date %s, %v", target, resp.Header.Get("Expires"), err)
		}
		if got := resp.Header.Get("Content-Type"); path == "/connectors" && method == "GET" && got != "application/json" {
			t.Errorf("%s: the answer's own header is overwritten by %s", target, got)
		}
	}
}

func TestEveryRequestIsLogged(t *testing.T) {
	core, logs := observer.New(zapcore.InfoLevel)
	s := listen(t, &fakeHerder{}, Options{Listen: anyPort, Log: zap.New(core).Named("rest")})
	request(t, "GET", local("http", s.Ports()[0])+"/connectors?expand=x", "", "User-Agent", "curl/8", "Referer", `a"b`)
	request(t, "GET", local("http", s.Ports()[0])+"/connectors/zz", "")
	entries := logs.Filter(func(e observer.LoggedEntry) bool { return e.LoggerName == "rest.requests" }).All()
	if len(entries) != 2 {
		t.Fatalf("%d lines: %v", len(entries), entries)
	}
	for i, want := range [][]string{{"127.0.0.1 - - [", `] "GET /connectors?expand=x HTTP/1.1" 200 8 "a\"b" "curl/8" `}, {`"GET /connectors/zz HTTP/1.1" 404 53 "-" "Go-http-client/1.1" `}} {
		for _, part := range want {
			if !strings.Contains(entries[i].Message, part) {
				t.Errorf("%s\ndoes not contain %s", entries[i].Message, part)
			}
		}
	}
}

func TestAHeaderThatIsTooLargeAndPlainTextOnHTTPSAreRefused(t *testing.T) {
	cert, _ := certificate(t)
	s := listen(t, &fakeHerder{}, Options{Listen: []Listener{{Address: "127.0.0.1:0"},
		{Address: "127.0.0.1:0", TLS: &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}}}})
	if resp, _ := request(t, "GET", local("http", s.Ports()[0])+"/", "", "X-A", strings.Repeat("x", 80<<10)); resp.StatusCode != 431 {
		t.Errorf("%d", resp.StatusCode)
	}
	conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", s.Ports()[1]))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	if line, err := bufio.NewReader(conn).ReadString('\n'); err != nil || !strings.Contains(line, "400") {
		t.Errorf("%q, %v", line, err)
	}
}

func TestAnAddressInUseNamesItsKey(t *testing.T) {
	s := listen(t, &fakeHerder{}, Options{Listen: anyPort})
	taken := []Listener{{Address: fmt.Sprintf("127.0.0.1:%d", s.Ports()[0])}}
	if _, err := Listen(Options{Listen: taken, Log: zap.NewNop()}); err == nil || !strings.Contains(err.Error(), "(listeners)") {
		t.Error(err)
	}
	if _, err := Listen(Options{Listen: anyPort, Admin: taken, Log: zap.NewNop()}); err == nil || !strings.Contains(err.Error(), "(admin.listeners)") {
		t.Error(err)
	}
}
