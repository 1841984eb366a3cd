package cli

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-io/penstock/connect/config"
	"github.com/penstock-io/penstock/connect/plugin"
	"github.com/penstock-io/penstock/connect/settings"
	"github.com/penstock-io/penstock/internal/kafkatest"
	"github.com/penstock-io/penstock/internal/logging"
	"github.com/penstock-io/penstock/rest/api"
	"github.com/penstock-io/penstock/rest/audit"
	"github.com/penstock-io/penstock/rest/client"
	"github.com/penstock-io/penstock/rest/extension"
)

// writeFile writes a file of a test, as a new one: readers see the old or the new text.
func writeFile(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
	return path
}

// pki issues certificates, which stand in PEM files.
type pki struct {
	t    *testing.T
	dir  string
	ca   *x509.Certificate
	key  *ecdsa.PrivateKey
	pool *x509.CertPool
}

func newPKI(t *testing.T) *pki {
	p := &pki{t: t, dir: t.TempDir(), pool: x509.NewCertPool()}
	ca := p.issue("ca")
	p.pool.AddCert(ca.Leaf)
	return p
}

// issue makes a certificate and writes <name>.pem with it and its key.
func (p *pki) issue(name string) tls.Certificate {
	p.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		p.t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name, Organization: []string{"Example"}},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), BasicConstraintsValid: true, IsCA: p.ca == nil}
	parent, signer := p.ca, p.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		p.t.Fatal(err)
	}
	leaf, err1 := x509.ParseCertificate(der)
	private, err2 := x509.MarshalPKCS8PrivateKey(key)
	if err := errors.Join(err1, err2); err != nil {
		p.t.Fatal(err)
	}
	text := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	if p.ca == nil {
		p.ca, p.key = leaf, key
	} else {
		text += string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}))
	}
	writeFile(p.t, p.path(name), text)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

func (p *pki) path(name string) string { return filepath.Join(p.dir, name+".pem") }

// client shows the certificate of a user; none for "".
func (p *pki) client(user string) *client.Client {
	cfg := &tls.Config{RootCAs: p.pool, MinVersion: tls.VersionTLS12}
	if user != "" {
		cfg.Certificates = []tls.Certificate{p.issue(user)}
	}
	c := client.New(client.Transport(func() (*tls.Config, error) { return cfg, nil }))
	p.t.Cleanup(c.Close)
	return c
}

// issuer is one of tokens, in process: it tells its keys, and signs.
type issuer struct {
	*httptest.Server
	key *ecdsa.PrivateKey
}

func newTokenIssuer(t *testing.T) *issuer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	i := &issuer{key: key}
	point, err := key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	b64 := base64.RawURLEncoding.EncodeToString
	i.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/keys" {
			fmt.Fprintf(w, `{"keys":[{"kty":"EC","crv":"P-256","kid":"1","x":%q,"y":%q}]}`, b64(point[1:33]), b64(point[33:]))
			return
		}
		fmt.Fprintf(w, `{"issuer":%q,"jwks_uri":%q}`, i.URL, i.URL+"/keys")
	}))
	t.Cleanup(i.Close)
	return i
}

func (i *issuer) token(t *testing.T, user string, groups ...string) string {
	t.Helper()
	claims, err := json.Marshal(map[string]any{"iss": i.URL, "aud": "kafka-connect", "sub": user, "groups": groups, "exp": time.Now().Add(time.Hour).Unix()})
	if err != nil {
		t.Fatal(err)
	}
	b64 := base64.RawURLEncoding.EncodeToString
	text := b64([]byte(`{"alg":"ES256","kid":"1"}`)) + "." + b64(claims)
	sum := sha256.Sum256([]byte(text))
	r, s, err := ecdsa.Sign(rand.Reader, i.key, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return text + "." + b64(append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...))
}

// TestAClusterWithRoles has a follower and a leader behind https, users by certificate and token,
// and roles in a file: requests are forwarded as their users', and the workers' own go on.
func TestAClusterWithRoles(t *testing.T) {
	c, p, tokens := kafkatest.New(t), newPKI(t), newTokenIssuer(t)
	p.issue("worker")
	dir := t.TempDir()
	roles := writeFile(t, filepath.Join(dir, "roles.properties"), "user.ada=edit:team-a-*\ngroup.team-b=edit:team-b-*\nuser.*=view:team-*\n")
	props := distributedProps(c)
	maps.Copy(props, map[string]string{
		"listeners": "https://127.0.0.1:0", "listeners.https.ssl.client.auth": "requested",
		"listeners.https.ssl.keystore.type": "PEM", "listeners.https.ssl.keystore.location": p.path("worker"),
		"listeners.https.ssl.truststore.type": "PEM", "listeners.https.ssl.truststore.location": p.path("ca"),
		"penstock.rest.authentication": "certificate,bearer", "penstock.rest.certificate.rules": "RULE:^CN=user-(.*),O=Example$/$1/",
		"penstock.rest.bearer.issuer": tokens.URL, "penstock.rest.bearer.audience": "kafka-connect",
		"penstock.rest.roles.file": roles, "penstock.rest.roles.user.root": "edit:*, admin", "penstock.rest.audit": "file",
	})
	var workers []*testWorker
	var audits []string
	for i := range 2 {
		own := maps.Clone(props)
		audits = append(audits, filepath.Join(dir, fmt.Sprint("audit", i)))
		own["penstock.rest.audit.file"] = audits[i]
		w, a := launch(t, settings.Distributed, own)
		w.rest = p.client("user-root")
		w.await(a)
		workers = append(workers, w)
	}
	ada, eve, anybody := p.client("user-ada"), p.client("user-eve"), p.client("")
	bob := http.Header{"Authorization": {"Bearer " + tokens.token(t, "bob", "team-b")}}
	do := func(as *client.Client, header http.Header, w *testWorker, method, path string, in any) (int, string) {
		t.Helper()
		var body []byte
		if in != nil {
			body, _ = json.Marshal(in)
		}
		resp, err := as.Do(t.Context(), method, w.url+path, header, body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.Status, string(resp.Body)
	}
	for i, w := range workers {
		for _, team := range []string{"a", "b"} {
			as, header := ada, http.Header(nil)
			if team == "b" {
				as, header = anybody, bob
			}
			name := fmt.Sprintf("team-%s-%d", team, i)
			cfg := sinkConfig(t.TempDir(), "t", 1)
			cfg["my.password"] = "hunter22"
			eventually(t, name+" is created", func() error {
				if status, text := do(as, header, w, "PUT", "connectors/"+name+"/config", cfg); status != 201 && status != 200 {
					return errors.New(text)
				}
				return nil
			})
			eventually(t, "its task runs", func() error { // its config went to the leader, signed
				var st api.ConnectorStatus
				if err := w.call("GET", "connectors/"+name+"/status", nil, &st); err != nil {
					return err
				}
				if len(st.Tasks) != 1 || st.Tasks[0].State != "RUNNING" {
					return fmt.Errorf("%+v", st)
				}
				return nil
			})
		}
	}
	for i, w := range workers {
		for _, test := range []struct {
			as           *client.Client
			header       http.Header
			method, path string
			status       int
			want         string
		}{
			{anybody, nil, "GET", "connectors", 401, "Log in"},
			{eve, nil, "GET", "connectors", 200, "team-b-1"},
			{eve, nil, "GET", "connectors/team-a-0/config", 200, `"my.password":"[hidden]"`},
			{ada, nil, "GET", "connectors/team-a-0/config", 200, `"my.password":"hunter22"`},
			{ada, nil, "GET", "connectors/team-b-0/tasks", 200, `"my.password":"[hidden]"`},
			{eve, nil, "DELETE", "connectors/team-a-0", 403, "User eve lacks the role edit for connector team-a-0."},
			{ada, nil, "DELETE", "connectors/team-b-0", 403, "User ada lacks the role edit for connector team-b-0."},
			{anybody, bob, "POST", "connectors/team-a-0/restart", 403, "User bob lacks the role operate for connector team-a-0."},
			{anybody, bob, "POST", "connectors/team-b-0/restart", 204, ""},
			{ada, nil, "PUT", "connectors/team-a-1/pause", 202, ""},
			{ada, nil, "GET", "admin/loggers", 403, "User ada lacks the role admin."},
			{anybody, nil, "POST", "connectors/team-a-0/tasks", 400, "missing required signature"},
			{p.client("worker"), nil, "GET", "connectors", 401, "Log in"},
		} {
			var in any
			if strings.HasSuffix(test.path, "/tasks") && test.method == "POST" {
				in = []map[string]string{}
			}
			if status, text := do(test.as, test.header, w, test.method, test.path, in); status != test.status || !strings.Contains(text, test.want) {
				t.Errorf("worker %d, %s %s: %d %s, want %d %s", i, test.method, test.path, status, text, test.status, test.want)
			}
		}
	}
	w := workers[0]
	writeFile(t, roles, "user.eve=edit:team-a-*\n")
	if status, text := do(eve, nil, w, "DELETE", "connectors/team-a-0", nil); status != 204 {
		t.Errorf("with the new roles: %d %s", status, text)
	}
	if status, text := do(ada, nil, w, "GET", "connectors", nil); status != 200 || text != "[]" {
		t.Errorf("with the roles taken away: %d %s", status, text)
	}
	checkAudits(t, audits)
	for _, w := range workers {
		if strings.Contains(w.log.String(), "hunter22") || strings.Contains(w.log.String(), bob.Get("Authorization")) {
			t.Error("a secret is in the log")
		}
	}
}

// checkAudits looks for what one worker forwarded, in the logs of both.
func checkAudits(t *testing.T, paths []string) {
	t.Helper()
	forwarded, denied := 0, 0
	ids := map[string]int{}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "hunter22") || strings.Contains(string(text), "Bearer") {
			t.Errorf("a secret is in the audit log: %s", text)
		}
		for line := range strings.Lines(string(text)) {
			var e audit.Entry
			if err := json.Unmarshal([]byte(line), &e); err != nil {
				t.Fatal(err)
			}
			if e.ForwardedFrom != "" {
				forwarded++
			}
			if e.Denied != "" {
				denied++
			}
			if ids[e.RequestID]++; e.Method == "PUT" && strings.HasSuffix(e.Path, "/config") && len(e.ConfigKeys) == 0 && e.Status == 201 {
				t.Errorf("no keys: %s", line)
			}
		}
	}
	twice := 0
	for _, n := range ids {
		if n > 1 {
			twice++
		}
	}
	if forwarded < 2 || denied < 10 || twice < 2 {
		t.Errorf("%d forwarded, %d denied, %d requests on both workers", forwarded, denied, twice)
	}
}

// hello is an extension of a program's own.
type hello struct {
	props  map[string]string
	closed *int
	fail   error
}

func (h *hello) Configure(props map[string]string) error { h.props = props; return h.fail }
func (h *hello) Register(r extension.Router, c extension.Cluster) error {
	r.Handle(http.MethodGet, "/hello", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		names, err := c.Connectors(r.Context())
		fmt.Fprint(w, h.props["hello.text"], " ", c.KafkaClusterID() != "", names, err)
	}))
	return nil
}
func (h *hello) Version() string { return "1.2" }
func (h *hello) Close() error    { *h.closed++; return nil }

func TestAProgramsOwnExtension(t *testing.T) {
	closed := 0
	p := testProgram()
	p.RESTExtensions = map[string]func() extension.Extension{
		"com.example.Hello": func() extension.Extension { return &hello{closed: &closed} },
		"com.example.Fails": func() extension.Extension { return &hello{closed: &closed, fail: errors.New("boom")} },
	}
	props := standaloneProps(t, kafkatest.New(t))
	maps.Copy(props, map[string]string{"rest.extension.classes": "com.example.Hello", "hello.text": "hi"})
	w, a := launchProgram(t, p, settings.Standalone, props)
	w.await(a)
	if text := w.must(200, "GET", "hello", ""); text != "hi true [] <nil>" {
		t.Error(text)
	}
	if err := w.stop(); err != nil || closed != 1 || !strings.Contains(w.log.String(), "REST extension com.example.Hello 1.2 is registered") {
		t.Errorf("%v, closed %d times", err, closed)
	}
	props["rest.extension.classes"] = "Hello,Fails"
	w, _ = launchProgram(t, p, settings.Standalone, props)
	if err := w.wait(); !isConfigError(err) || !strings.Contains(err.Error(), "com.example.Fails of rest.extension.classes cannot be configured: boom") || closed != 3 {
		t.Errorf("%v, closed %d times", err, closed)
	}
	props["rest.extension.classes"] = "com.example.Nothing"
	log, levels := logging.New(&logBuffer{})
	if _, err := p.NewWorker(settings.Standalone, props, log, levels); err == nil || !strings.Contains(err.Error(), "com.example.Nothing could not be found") || !strings.Contains(err.Error(), "com.example.Fails, com.example.Hello, org.apache") {
		t.Error(err)
	}
}

func TestMistakesInUsersAreToldTogether(t *testing.T) {
	jaas := usersJAAS(t, "")
	props := map[string]string{"bootstrap.servers": "localhost:1", "key.converter": "org.apache.kafka.connect.storage.StringConverter", "value.converter": "org.apache.kafka.connect.storage.StringConverter",
		"offset.storage.file.filename": "/x", "listeners": "https://127.0.0.1:0", "listeners.https.ssl.client.auth": "required",
		"rest.extension.classes": "BasicAuthSecurityRestExtension", "penstock.rest.jaas.config.file": jaas, "penstock.rest.authentication": "certificate,bearer",
		"penstock.rest.certificate.rules": "RULE:(/x/", "penstock.rest.bearer.issuer": "https://i", "penstock.rest.bearer.audience": "a",
		"penstock.rest.bearer.ssl.truststore.location": "/nowhere", "penstock.rest.roles.user.ada": "write:*"}
	log, levels := logging.New(&logBuffer{})
	_, err := testProgram().NewWorker(settings.Standalone, props, log, levels)
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{"penstock.rest.certificate.rules: rule 1: its pattern", "penstock.rest.bearer.ssl.truststore.location", `user.ada: "write:*" is no role`,
		"everybody would be let in under any name", `Missing required configuration "listeners.https.ssl.keystore.location"`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%s is not in\n%v", want, err)
		}
	}
}

func TestPasswordsOverPlainHTTPAreWarnedOf(t *testing.T) {
	jaas := usersJAAS(t, "ada=pw")
	login := map[string]string{"rest.extension.classes": "BasicAuthSecurityRestExtension", "penstock.rest.jaas.config.file": jaas}
	bearer := map[string]string{"penstock.rest.authentication": "bearer", "penstock.rest.bearer.issuer": "https://i", "penstock.rest.bearer.audience": "a"}
	for _, tc := range []struct {
		listeners, admin string
		users            map[string]string
		want             string // listeners that are warned of
	}{
		{"http://:8083", "", nil, ""},
		{"http://:8083", "", login, "http://:8083"},
		{"http://10.0.0.7:1,http://localhost:2,http://127.0.0.9:3,http://[::1]:4,HTTP://connect:5", "http://:6", login, "http://10.0.0.7:1, http://connect:5"},
		{"http://127.0.0.1:1", "http://127.0.0.1:2", bearer, ""},
		{"http://127.0.0.1:1", "http://0.0.0.0:2", bearer, "http://0.0.0.0:2"},
	} {
		props := map[string]string{"bootstrap.servers": "localhost:1", "key.converter": "org.apache.kafka.connect.storage.StringConverter", "value.converter": "org.apache.kafka.connect.storage.StringConverter",
			"offset.storage.file.filename": "/x", "listeners": tc.listeners, "admin.listeners": tc.admin}
		maps.Copy(props, tc.users)
		out := &logBuffer{}
		log, levels := logging.New(out)
		if _, err := testProgram().NewWorker(settings.Standalone, props, log, levels); err != nil {
			t.Fatal(err)
		}
		const before = "can be read on their way to "
		_, after, warned := strings.Cut(out.String(), before)
		got, _, _ := strings.Cut(after, ": use https")
		if got != tc.want || warned != (tc.want != "") {
			t.Errorf("%s, admin %s, with %v: warned of %q, want %q", tc.listeners, tc.admin, tc.users, got, tc.want)
		}
	}
}

func TestConfigsAreMasked(t *testing.T) {
	registry, err := plugin.New(testProgram().Plugins)
	if err != nil {
		t.Fatal(err)
	}
	s := newSecrets(registry)
	connector := map[string]string{
		"name": "c", "connector.class": "HdfsSink", "topics": "t", "connection.url": "jdbc:x://ada:pw@host/db", "my.password": "x", "api.key": "y", "secret.ref": "${file:/s:a}", "token": "${a:b}${c:d}",
		"user.token": "pre${a:b}", "consumer.override.sasl.jaas.config": "M required password=z;", "empty.password": "", "transforms": "m", "transforms.m.type": "org.apache.kafka.connect.transforms.MaskField$Value",
		"consumer.override.ssl.key.password": "k", "key.converter": "org.apache.kafka.connect.json.JsonConverter",
	}
	want := maps.Clone(connector)
	for _, k := range []string{"my.password", "api.key", "user.token", "consumer.override.sasl.jaas.config", "consumer.override.ssl.key.password"} {
		want[k] = "[hidden]"
	}
	want["connection.url"] = "jdbc:x://ada:[hidden]@host/db"
	if d := cmp.Diff(want, s.mask(connector, connector)); d != "" {
		t.Error(d)
	}
}

// TestHowToSecureREST reads the properties of the document: a worker takes them, all together.
func TestHowToSecureREST(t *testing.T) {
	document, err := os.ReadFile(filepath.Join("..", "..", "docs", "how-to", "secure-rest.md"))
	if err != nil {
		t.Fatal(err)
	}
	p := newPKI(t)
	p.issue("worker-1")
	props := map[string]string{"bootstrap.servers": "localhost:1", "key.converter": "org.apache.kafka.connect.storage.StringConverter", "value.converter": "org.apache.kafka.connect.storage.StringConverter",
		"offset.storage.file.filename": "/x", "listeners.https.ssl.keystore.type": "PEM", "listeners.https.ssl.keystore.location": p.path("worker-1"),
		"listeners.https.ssl.truststore.type": "PEM", "listeners.https.ssl.truststore.location": p.path("ca")}
	blocks := 0
	for _, part := range strings.Split(string(document), "\n```")[1:] {
		kind, text, _ := strings.Cut(part, "\n")
		switch kind {
		case "roles":
			writeFile(t, filepath.Join(p.dir, "roles.properties"), text)
		case "properties":
			own, err := config.ParseProperties(strings.NewReplacer("/etc/penstock", p.dir, "/var/log/penstock", p.dir).Replace(text))
			if err != nil {
				t.Fatal(err)
			}
			maps.Copy(props, own)
			blocks++
		}
	}
	log, levels := logging.New(&logBuffer{})
	w, err := testProgram().NewWorker(settings.Standalone, props, log, levels)
	if err != nil {
		t.Fatal(err)
	}
	if unknown := w.settings.UnknownKeys(); len(unknown) > 0 || blocks != 4 {
		t.Errorf("%d blocks, unknown keys %v", blocks, unknown)
	}
	u := w.access.users
	if user, ok := u.certificates.User(p.issue("x").Leaf); ok {
		t.Errorf("a certificate without OU=people is the user %s", user)
	}
	if u.roles().Empty() || u.issuer == nil {
		t.Error("no roles or no issuer")
	}
}
