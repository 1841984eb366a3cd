package rest

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/penstock-io/penstock/rest/access"
	"github.com/penstock-io/penstock/rest/api"
	"github.com/penstock-io/penstock/rest/audit"
	"github.com/penstock-io/penstock/rest/client"
)

// authority signs certificates of clients and of a server at 127.0.0.1.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pool *x509.CertPool
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{t: t, pool: x509.NewCertPool()}
	own := a.issue("ca")
	a.pool.AddCert(own.Leaf)
	return a
}

func (a *authority) issue(name string) tls.Certificate {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), BasicConstraintsValid: true, IsCA: a.cert == nil}
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		a.t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	if a.cert == nil {
		a.cert, a.key = leaf, key
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

func (a *authority) listener(name string) []Listener {
	return []Listener{{Address: "127.0.0.1:0", TLS: &tls.Config{Certificates: []tls.Certificate{a.issue(name)}, ClientCAs: a.pool,
		ClientAuth: tls.VerifyClientCertIfGiven, MinVersion: tls.VersionTLS12}}}
}

// client shows a certificate; none for "".
func (a *authority) client(name string) *client.Client {
	cfg := &tls.Config{RootCAs: a.pool, MinVersion: tls.VersionTLS12}
	if name != "" {
		cfg.Certificates = []tls.Certificate{a.issue(name)}
	}
	c := client.New(client.Transport(func() (*tls.Config, error) { return cfg, nil }))
	a.t.Cleanup(c.Close)
	return c
}

func byCommonName(cert *x509.Certificate) (string, bool) {
	return cert.Subject.CommonName, cert.Subject.CommonName != "nobody"
}

// tokens knows the token "token of <user>", and none while it is down.
func tokens(_ context.Context, token string) (access.User, error) {
	user, ok := strings.CutPrefix(token, "token-of-")
	switch {
	case token == "down":
		return access.User{}, api.Errorf(503, "The token cannot be checked")
	case !ok:
		return access.User{}, api.Errorf(401, "The token is not accepted")
	}
	return access.User{Name: user, Groups: []string{"team"}, Method: access.Bearer}, nil
}

func TestUsersAreRecognised(t *testing.T) {
	a := newAuthority(t)
	o := restricted(t, "user.ada", "view:a1", "group.team", "view:a2", "user.*", "view:b1")
	o.Listen, o.Access.Certificate, o.Access.Bearer = a.listener("worker"), byCommonName, tokens
	h := &teams{}
	s := listen(t, h, o)
	url := local("https", s.Ports()[0])
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte("ada:ada"))
	for _, test := range []struct {
		name, certificate, path string
		header                  []string
		status                  int
		want                    string
	}{
		{"nothing", "", "/connectors", nil, 401, "Log in: with user and password, or with a token, or with a client certificate."},
		{"a password", "", "/connectors", []string{basic}, 200, `["a1","b1"]`},
		{"a wrong password", "", "/connectors", []string{"Basic " + base64.StdEncoding.EncodeToString([]byte("ada:x"))}, 401, "not accepted"},
		{"no user", "", "/connectors", []string{"Basic " + base64.StdEncoding.EncodeToString([]byte(":"))}, 401, "not accepted"},
		{"a token", "", "/connectors", []string{"Bearer token-of-ada"}, 200, `["a1","a2","b1"]`},
		{"a token, in other letters", "", "/connectors", []string{"bearer token-of-eve"}, 200, `["a2","b1"]`},
		{"a wrong token", "", "/connectors", []string{"Bearer x"}, 401, "The token is not accepted"},
		{"no token", "", "/connectors", []string{"Bearer"}, 401, "The token is not accepted"},
		{"an issuer that is down", "", "/connectors", []string{"Bearer down"}, 503, "cannot be checked"},
		{"a certificate", "ada", "/connectors", nil, 200, `["a1","b1"]`},
		{"a certificate of nobody", "nobody", "/connectors", nil, 401, "Log in"},
		{"a certificate of nobody and a password", "nobody", "/connectors", []string{basic}, 200, `["a1","b1"]`},
		{"a certificate and somebody else's token", "ada", "/connectors", []string{"Bearer token-of-eve"}, 200, `["a2","b1"]`},
		{"a certificate does not help a wrong token", "ada", "/connectors", []string{"Bearer x"}, 401, "The token is not accepted"},
		{"another scheme", "ada", "/connectors", []string{"Negotiate x"}, 401, "This kind of Authorization"},
		{"two headers", "", "/connectors", []string{basic, "Bearer token-of-eve"}, 401, "more than one Authorization"},
		{"an empty header", "ada", "/connectors", []string{""}, 401, "This kind of Authorization"},
		{"a certificate of a forwarded request is the worker's", "ada", "/connectors?forward=true", nil, 401, "Log in"},
		{"a path that is not there", "", "/nothing", nil, 404, ""},
		{"OPTIONS", "", "/connectors", nil, 401, "Log in"},
	} {
		method := http.MethodGet
		if test.name == "OPTIONS" {
			method = test.name
		}
		header := http.Header{}
		if test.header != nil {
			header["Authorization"] = test.header
		}
		resp, err := a.client(test.certificate).Do(t.Context(), method, url+test.path, header, nil)
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		if resp.Status != test.status || !strings.Contains(string(resp.Body), test.want) {
			t.Errorf("%s: %d %s", test.name, resp.Status, resp.Body)
		}
		challenges := strings.Join(resp.Header.Values("WWW-Authenticate"), "; ")
		if want := resp.Status == 401; want != (strings.Contains(challenges, "Basic ") && strings.Contains(challenges, "Bearer ")) {
			t.Errorf("%s: WWW-Authenticate %q", test.name, challenges)
		}
		if (resp.Status == 503) != (resp.Header.Get("Retry-After") != "") {
			t.Errorf("%s: Retry-After %q", test.name, resp.Header.Get("Retry-After"))
		}
	}
	if len(h.calls) > 0 {
		t.Errorf("the herder saw %v", h.calls)
	}
}

func TestAnonymousUsers(t *testing.T) {
	s := listen(t, &teams{}, restricted(t, "anonymous", "view:a1", "user.ada", "edit:a2"))
	base := local("http", s.Ports()[0])
	for _, test := range []struct {
		user, target string
		status       int
		want         string
	}{
		{"", "GET /connectors", 200, `["a1"]`},
		{"", "GET /health", 200, ""},
		{"", "GET /connectors/a1/config", 200, "[hidden]"},
		{"", "DELETE /connectors/a1", 401, `{"error_code":401,"message":"An anonymous user lacks the role edit for connector a1. Log in with user and password."}`},
		{"ada", "GET /connectors", 200, `["a1","a2"]`},
		{"ada", "DELETE /connectors/a1", 403, "User ada lacks the role edit for connector a1."},
	} {
		method, path, _ := strings.Cut(test.target, " ")
		if resp, text := request(t, method, base+path, "", as(test.user)...); resp.StatusCode != test.status || !strings.Contains(text, test.want) {
			t.Errorf("%s as %q: %d %s", test.target, test.user, resp.StatusCode, text)
		}
	}
	// Wrong credentials are wrong, not none.
	if resp, _ := request(t, "GET", base+"/connectors", "", "Authorization", "Basic eDp5"); resp.StatusCode != 401 {
		t.Errorf("%d", resp.StatusCode)
	}
}

func TestAdminListenersAskForTheRole(t *testing.T) {
	o := restricted(t, "user.root", "admin", "user.ada", "edit:*")
	o.Admin = []Listener{{Address: "127.0.0.1:0"}}
	s := listen(t, &teams{}, o)
	for user, want := range map[string]int{"": 401, "ada": 403, "root": 200} {
		for _, target := range []string{"GET /admin/loggers", "PUT /admin/loggers/root", "GET /admin/loggers/root/", "GET /admin/loggers;x/root"} {
			method, path, _ := strings.Cut(target, " ")
			if resp, text := request(t, method, local("http", s.AdminPorts()[0])+path, `{"level":"INFO"}`, as(user)...); resp.StatusCode != want {
				t.Errorf("%s as %q: %d %s", target, user, resp.StatusCode, text)
			}
			if resp, _ := request(t, method, local("http", s.Ports()[0])+path, `{"level":"INFO"}`, as(user)...); resp.StatusCode != 404 {
				t.Errorf("%s as %q at the main listener: %d", target, user, resp.StatusCode)
			}
		}
	}
}

// followerAndLeader are a follower and its leader behind https; users come with certificates.
func followerAndLeader(t *testing.T, change func(follower, leader *Options)) (a *authority, url string, leaderURL string, h *teams) {
	t.Helper()
	a = newAuthority(t)
	h = &teams{}
	options := func(name string) Options {
		o := restricted(t, "user.ada", "edit:a*", "user.eve", "view:*", "user.worker-1", "edit:*", "user.worker-2", "edit:*")
		o.Listen, o.Client = a.listener(name), a.client(name)
		o.Access.Certificate, o.Access.Bearer = byCommonName, tokens
		return o
	}
	f, l := options("worker-1"), options("worker-2")
	if change != nil {
		change(&f, &l)
	}
	leader := listen(t, h, l)
	leaderURL = local("https", leader.Ports()[0])
	follower := listen(t, &teams{fakeHerder: fakeHerder{forward: &api.ForwardError{URL: leaderURL + "/"}}}, f)
	return a, local("https", follower.Ports()[0]), leaderURL, h
}

func TestForwardedRequestsAreTheUsers(t *testing.T) {
	a, url, _, h := followerAndLeader(t, nil)
	do := func(user, method, path, body string) *client.Response {
		t.Helper()
		var b []byte
		if body != "" {
			b = []byte(body)
		}
		resp, err := a.client(user).Do(t.Context(), method, url+path, nil, b)
		if err != nil {
			t.Fatal(err)
		}
		return resp
	}
	for _, test := range []struct {
		user, method, path, body string
		status                   int
		call                     string
	}{
		{"ada", "PUT", "/connectors/a1/config", `{"x":"y"}`, 201, "put a1 "}, // the fake herder says that it is new
		{"ada", "POST", "/connectors", `{"name":"a9","config":{}}`, 201, "put a9 "},
		{"ada", "DELETE", "/connectors/a1", "", 204, "delete a1"},
		{"ada", "POST", "/connectors/a1/restart?includeTasks=true", "", 202, "restart all of a1"},
		{"ada", "PUT", "/connectors/a%2Fb%3F/stop", "", 204, "stop a/b?"},
		{"ada", "DELETE", "/connectors/b1", "", 403, ""},
		{"eve", "DELETE", "/connectors/a1", "", 403, ""},
		{"nobody", "DELETE", "/connectors/a1", "", 401, ""},
	} {
		h.calls = nil
		resp := do(test.user, test.method, test.path, test.body)
		if resp.Status != test.status || strings.Join(h.calls, ",") != test.call {
			t.Errorf("%s %s as %s: %d %s; the leader saw %v", test.method, test.path, test.user, resp.Status, resp.Body, h.calls)
		}
	}
}

// The leader decides again, by its own roles: they may have changed there already.
func TestTheLeaderDecidesAgain(t *testing.T) {
	a, url, _, h := followerAndLeader(t, func(_, leader *Options) {
		leader.Access.Roles = restricted(t, "user.ada", "view:*", "user.worker-1", "edit:*").Access.Roles
	})
	resp, err := a.client("ada").Do(t.Context(), "DELETE", url+"/connectors/a1", nil, nil)
	if err != nil || resp.Status != 403 || !strings.Contains(string(resp.Body), "User ada lacks the role edit for connector a1.") || len(h.calls) > 0 {
		t.Errorf("%v %s %v; the leader saw %v", resp.Status, resp.Body, err, h.calls)
	}
}

func TestNobodyVouchesForHimself(t *testing.T) {
	a, _, url, h := followerAndLeader(t, nil)
	c := a.client("eve")
	pass := func(key access.Key, method, target string, body []byte, user string, at time.Time) string {
		value, err := access.Pass{User: access.User{Name: user, Method: access.Certificate}, From: "https://w"}.Sign(key, method, target, body, at)
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
	now := time.Now()
	wrong := access.Key{Secret: []byte(strings.Repeat("x", 32)), Created: sessionKey.Created}
	other := access.Key{Secret: wrong.Secret, Created: now}
	for _, test := range []struct {
		name, value string
		status      int
	}{
		{"a good one", pass(sessionKey, "DELETE", "/connectors/a1?forward=true", nil, "ada", now), 204},
		{"a good one for who may not", pass(sessionKey, "DELETE", "/connectors/a1?forward=true", nil, "eve", now), 403},
		{"none", "", 403}, // an empty header is one
		{"garbage", "x.y", 403},
		{"an empty object", "e30.e30", 503},
		{"a wrong key", pass(wrong, "DELETE", "/connectors/a1?forward=true", nil, "ada", now), 403},
		{"a key of another time", pass(other, "DELETE", "/connectors/a1?forward=true", nil, "ada", now), 503},
		{"another request's", pass(sessionKey, "DELETE", "/connectors/a2?forward=true", nil, "ada", now), 403},
		{"another method's", pass(sessionKey, "PUT", "/connectors/a1?forward=true", nil, "ada", now), 403},
		{"another body's", pass(sessionKey, "DELETE", "/connectors/a1?forward=true", []byte("{}"), "ada", now), 403},
		{"an old one", pass(sessionKey, "DELETE", "/connectors/a1?forward=true", nil, "ada", now.Add(-time.Hour)), 403},
		{"without a user", pass(sessionKey, "DELETE", "/connectors/a1?forward=true", nil, "", now), 403},
	} {
		h.calls = nil
		resp, err := c.Do(t.Context(), "DELETE", url+"/connectors/a1?forward=true", http.Header{access.PassHeader: {test.value}, "Authorization": {"Bearer token-of-ada"}}, nil)
		if err != nil || resp.Status != test.status || (len(h.calls) > 0) != (test.status == 204) {
			t.Errorf("%s: %d %s %v; the herder saw %v", test.name, resp.Status, resp.Body, err, h.calls)
		}
	}
	// A worker's own questions are few.
	for target, want := range map[string]int{"GET /connector-plugins": 200, "PUT /connector-plugins/C/config/validate": 200, "GET /connectors/a1/config": 403, "DELETE /connectors/a1": 403, "GET /connectors": 403} {
		method, path, _ := strings.Cut(target, " ")
		var body []byte
		if method == "PUT" {
			body = []byte(`{"name":"b1"}`)
		}
		value, err := access.Pass{User: access.User{Method: access.Worker}, From: "https://w"}.Sign(sessionKey, method, path, body, now)
		if err != nil {
			t.Fatal(err)
		}
		if resp, err := a.client("").Do(t.Context(), method, url+path, http.Header{access.PassHeader: {value}}, body); err != nil || resp.Status != want {
			t.Errorf("%s of a worker: %d %s %v", target, resp.Status, resp.Body, err)
		}
	}
}

func TestForwardingWithoutASessionKey(t *testing.T) {
	none := func() (access.Key, bool) { return access.Key{}, false }
	a, url, leader, h := followerAndLeader(t, func(f, l *Options) { f.Access.SessionKey, l.Access.SessionKey = none, none })
	resp, err := a.client("ada").Do(t.Context(), "DELETE", url+"/connectors/a1", nil, nil)
	if err != nil || resp.Status != 503 || !strings.Contains(string(resp.Body), "vouch for user ada") || len(h.calls) > 0 {
		t.Errorf("by certificate: %d %s %v", resp.Status, resp.Body, err)
	}
	// Who sends credentials that are forwarded does not need the worker's word.
	resp, err = a.client("").Do(t.Context(), "DELETE", url+"/connectors/a1", http.Header{"Authorization": {"Bearer token-of-ada"}}, nil)
	if err != nil || resp.Status != 204 || len(h.calls) != 1 {
		t.Errorf("by token: %d %s %v", resp.Status, resp.Body, err)
	}
	if resp, err = a.client("").Do(t.Context(), "GET", leader+"/connectors", http.Header{access.PassHeader: {"x.y"}}, nil); err != nil || resp.Status != 503 {
		t.Errorf("a pass: %d %s %v", resp.Status, resp.Body, err)
	}
}

func auditLog(t *testing.T, o audit.Options) *audit.Log {
	t.Helper()
	o.Log = zap.NewNop()
	l, err := audit.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func auditLines(t *testing.T, path string) (entries []audit.Entry) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), "secret") {
		t.Errorf("a value is in the audit log: %s", text)
	}
	for line := range bytes.Lines(text) {
		var e audit.Entry
		if err := json.Unmarshal(line, &e); err != nil {
			t.Fatal(err)
		}
		entries = append(entries, e)
	}
	return entries
}

func TestTheAuditLogTellsWhoChangedWhat(t *testing.T) {
	dir := t.TempDir()
	first, second := filepath.Join(dir, "follower"), filepath.Join(dir, "leader")
	a, url, _, _ := followerAndLeader(t, func(f, l *Options) {
		f.Audit, l.Audit = auditLog(t, audit.Options{Path: first}), auditLog(t, audit.Options{Path: second})
	})
	for _, r := range []struct{ user, method, path, body string }{
		{"ada", "PUT", "/connectors/a1/config", `{"password":"new secret","name":"a1","topics":"t"}`},
		{"ada", "PATCH", "/connectors/a1/config", `{"password":"secret of a1","old":null,"gone":null,"x":"secret"}`},
		{"ada", "POST", "/connectors", `{"name":"a9","config":{"password":"secret"}}`},
		{"ada", "DELETE", "/connectors/b1;x", ""},
		{"ada", "GET", "/connectors/a1", ""},
		{"nobody", "GET", "/connectors/a1", ""},
		{"eve", "PUT", "/connectors/a1/pause", ""},
	} {
		var body []byte
		if r.body != "" {
			body = []byte(r.body)
		}
		if _, err := a.client(r.user).Do(t.Context(), r.method, url+r.path, nil, body); err != nil {
			t.Fatal(err)
		}
	}
	want := []struct {
		user, method, path, connector string
		status                        int
		keys, denied                  string
	}{
		{"ada", "PUT", "/connectors/a1/config", "a1", 201, "old,password,topics", ""},
		{"ada", "PATCH", "/connectors/a1/config", "a1", 200, "old,x", ""},
		{"ada", "POST", "/connectors", "a9", 201, "name,password", ""},
		{"ada", "DELETE", "/connectors/b1", "b1", 403, "", "User ada lacks the role edit for connector b1."},
		{"", "GET", "/connectors/a1", "a1", 401, "", "User cannot access the resource. Log in: with user and password, or with a token, or with a client certificate."},
		{"eve", "PUT", "/connectors/a1/pause", "a1", 403, "", "User eve lacks the role operate for connector a1."},
	}
	lines, leader := auditLines(t, first), auditLines(t, second)
	if len(lines) != len(want) || len(leader) != 3 {
		t.Fatalf("%d and %d lines: %+v", len(lines), len(leader), lines)
	}
	for i, w := range want {
		e := lines[i]
		if e.User != w.user || e.Method != w.method || e.Path != w.path || e.Connector != w.connector || e.Status != w.status || strings.Join(e.ConfigKeys, ",") != w.keys ||
			e.Denied != w.denied || e.ForwardedFrom != "" || !strings.HasPrefix(e.Remote, "127.0.0.1:") || e.RequestID == "" || time.Since(e.Time) > time.Minute {
			t.Errorf("line %d is %+v", i, e)
		}
		if w.user != "" && e.Auth != "certificate" {
			t.Errorf("line %d: by %s", i, e.Auth)
		}
		if i < len(leader) {
			l := leader[i]
			if l.User != e.User || l.Auth != e.Auth || l.RequestID != e.RequestID || l.Remote != e.Remote || l.ForwardedFrom != "http://me:8083/" || l.Status != e.Status ||
				l.Connector != e.Connector || strings.Join(l.ConfigKeys, ",") != w.keys {
				t.Errorf("line %d of the leader is %+v", i, l)
			}
		}
	}
}

func TestTheAuditLogWorksWithTheJVMsLoginAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit")
	h := &teams{fakeHerder: fakeHerder{err: errors.New("boom")}}
	s := listen(t, h, Options{Listen: anyPort, Login: func(user, password string) bool { return user == "ada" && password == "ada" }, Audit: auditLog(t, audit.Options{Path: path})})
	base := local("http", s.Ports()[0])
	request(t, "DELETE", base+"/connectors/a1", "", as("ada")...)
	if resp, text := request(t, "GET", base+"/connectors", "", as("eve")...); resp.StatusCode != 401 || text != "User cannot access the resource." {
		t.Errorf("%d %s", resp.StatusCode, text)
	}
	h.err = api.Errorf(403, "Internal request contained invalid signature.")
	request(t, "POST", base+"/connectors/a1/tasks", "[]")
	h.err = nil
	request(t, "POST", base+"/connectors/a1/tasks", "[]") // of a worker
	lines := auditLines(t, path)
	if len(lines) != 3 || lines[0].User != "ada" || lines[0].Auth != "basic" || lines[0].Status != 500 || lines[1].Status != 401 || lines[1].Denied == "" ||
		lines[2].Path != "/connectors/a1/tasks" || lines[2].Status != 403 || lines[2].Denied == "" {
		t.Errorf("%+v", lines)
	}
}

func TestChangesThatCannotBeAuditedAreRefused(t *testing.T) {
	for _, refuse := range []bool{true, false} {
		dir := filepath.Join(t.TempDir(), "d")
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		h := &teams{}
		o := restricted(t, "user.ada", "edit:*")
		o.Audit = auditLog(t, audit.Options{Path: filepath.Join(dir, "audit"), Refuse: refuse})
		s := listen(t, h, o)
		base := local("http", s.Ports()[0])
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
		resp, text := request(t, "DELETE", base+"/connectors/a1", "", as("ada")...)
		if refuse && (resp.StatusCode != 503 || !strings.Contains(text, "Changes are refused while the audit log cannot be written") || len(h.calls) > 0) ||
			!refuse && (resp.StatusCode != 204 || len(h.calls) != 1) {
			t.Errorf("refuse %v: %d %s; the herder saw %v", refuse, resp.StatusCode, text, h.calls)
		}
		if resp, text := request(t, "GET", base+"/connectors", "", as("ada")...); resp.StatusCode != 200 {
			t.Errorf("reading: %d %s", resp.StatusCode, text)
		}
	}
}
