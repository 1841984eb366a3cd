//go:build integration

package integration

import (
	"context"
	"crypto/tls"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/zap"

	"github.com/penstock-io/penstock/connect/config"
	"github.com/penstock-io/penstock/integration-tests/stack"
	"github.com/penstock-io/penstock/internal/kafka/sasl"
	"github.com/penstock-io/penstock/rest/client"
)

const (
	// secret is every password; it must be nowhere.
	secret = "pw-8d1fe3"
	// docIdentity is who logs in in docs/how-to/secure-kafka.md.
	docIdentity = "connect"
)

// secured is the broker that the tests of security share, started when the first one asks.
var secured struct {
	once   sync.Once
	err    error
	dir    string
	broker *stack.SecureKafka
	tokens *httptest.Server
}

// secureKafka returns the broker. Files of the how-to are in its folder.
func secureKafka(t *testing.T) *stack.SecureKafka {
	t.Helper()
	secured.once.Do(func() { secured.err = startSecureKafka(context.WithoutCancel(t.Context())) })
	if secured.err != nil {
		t.Fatal(secured.err)
	}
	k := secured.broker
	t.Setenv("KRB5_CONFIG", k.KDC.Config)
	t.Setenv("KAFKA_OPTS", "-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls="+secured.tokens.URL)
	return k
}

func startSecureKafka(ctx context.Context) (err error) {
	if secured.dir, err = os.MkdirTemp("", "penstock-secure-"); err != nil {
		return err
	}
	start := time.Now()
	users := map[string]string{}
	for _, name := range append(deniedUsers(), docIdentity) {
		users[name] = secret
	}
	secured.broker, err = stack.StartSecureKafka(ctx, stack.SecureOptions{Dir: secured.dir, Users: users, Principals: []string{docIdentity},
		Clients: map[string]string{docIdentity: secret}, TokenLife: 10 * time.Minute})
	if err != nil {
		return err
	}
	k := secured.broker
	secured.tokens = httptest.NewServer(k.Issuer)
	fmt.Printf("secured Kafka after %.1f s\n", time.Since(start).Seconds())
	if err := k.WriteIdentity(filepath.Join(secured.dir, "connect.pem"), docIdentity); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(secured.dir, "secrets.properties"), []byte("kafka="+secret+"\n"), 0o600)
}

// stopSecureKafka ends it, if it was started.
func stopSecureKafka() {
	if secured.broker != nil {
		secured.tokens.Close()
		secured.broker.Stop()
	}
	os.RemoveAll(secured.dir)
}

// secureAdmin is a client that may do everything there.
func secureAdmin(t *testing.T) *kgo.Client {
	t.Helper()
	c, err := kgo.NewClient(kgo.SeedBrokers(secureKafka(t).Bootstrap), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// docSection returns a section of the how-to.
func docSection(t *testing.T, heading string) string {
	t.Helper()
	b, err := os.ReadFile("../docs/how-to/secure-kafka.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, ok := strings.Cut(string(b), "\n## "+heading+"\n")
	if !ok {
		t.Fatalf("the how-to has no section %q", heading)
	}
	section, _, _ = strings.Cut(section, "\n## ")
	return section
}

var docBlock = regexp.MustCompile("(?ms)^```\n(.*?)^```$")

// docProperties reads the blocks of a section, with the places of this machine.
func docProperties(t *testing.T, heading string) (blocks []map[string]string) {
	t.Helper()
	k := secureKafka(t)
	for _, m := range docBlock.FindAllStringSubmatch(docSection(t, heading), -1) {
		text := strings.NewReplacer("/etc/penstock/kafka-ca.pem", k.CA, "/etc/penstock/connect.keytab", k.KDC.Keytab, "/etc/penstock", secured.dir,
			"https://idp.example.org/token", secured.tokens.URL, "@EXAMPLE.ORG", "@"+stack.Realm).Replace(m[1])
		props, err := config.ParseProperties(text)
		if err != nil {
			t.Fatal(err)
		}
		blocks = append(blocks, props)
	}
	return blocks
}

// prefixed adds lines again for producers and consumers.
func prefixed(props map[string]string) map[string]string {
	all := maps.Clone(props)
	for k, v := range props {
		all["producer."+k], all["consumer."+k] = v, v
	}
	return all
}

// right is one line of the table of rights.
type right struct{ resource, name, operation string }

func (r right) String() string { return r.operation + " on " + r.resource + " " + r.name }

// docRights reads that table.
func docRights(t *testing.T) (all []right) {
	t.Helper()
	for line := range strings.Lines(docSection(t, "The rights that are needed")) {
		f := strings.Split(line, "|")
		if len(f) != 6 || strings.Contains(line, "---") || strings.Contains(line, "| Resource |") {
			continue
		}
		for op := range strings.SplitSeq(f[3], ",") {
			all = append(all, right{strings.TrimSpace(f[1]), strings.TrimSpace(f[2]), strings.TrimSpace(op)})
		}
	}
	if len(all) < 20 {
		t.Fatalf("the how-to has %d rights", len(all))
	}
	return all
}

// grant gives rights to a principal and waits until the broker knows them.
func grant(t *testing.T, principal string, rights ...right) {
	t.Helper()
	resources := map[string]kmsg.ACLResourceType{"Topic": kmsg.ACLResourceTypeTopic, "Group": kmsg.ACLResourceTypeGroup,
		"TransactionalId": kmsg.ACLResourceTypeTransactionalId, "Cluster": kmsg.ACLResourceTypeCluster}
	admin := secureAdmin(t)
	req := kmsg.NewPtrCreateACLsRequest()
	for _, r := range rights {
		op, err := kmsg.ParseACLOperation(r.operation)
		if err != nil {
			t.Fatal(err)
		}
		acl := kmsg.NewCreateACLsRequestCreation()
		acl.ResourceType, acl.ResourceName, acl.ResourcePatternType = resources[r.resource], r.name, kmsg.ACLResourcePatternTypeLiteral
		acl.Principal, acl.Host, acl.Operation, acl.PermissionType = principal, "*", op, kmsg.ACLPermissionTypeAllow
		req.Creations = append(req.Creations, acl)
	}
	resp, err := req.RequestWith(t.Context(), admin)
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range resp.Results {
		if r.ErrorCode != 0 {
			t.Fatalf("grant %s: error code %d", rights[i], r.ErrorCode)
		}
	}
	eventually(t, 30*time.Second, "the broker knows the rights of "+principal, func() error {
		ask := kmsg.NewPtrDescribeACLsRequest()
		ask.ResourceType, ask.ResourcePatternType, ask.Operation = kmsg.ACLResourceTypeAny, kmsg.ACLResourcePatternTypeAny, kmsg.ACLOperationAny
		ask.PermissionType, ask.Principal = kmsg.ACLPermissionTypeAny, &principal
		known, err := ask.RequestWith(t.Context(), admin)
		n := 0
		for _, r := range known.Resources {
			n += len(r.ACLs)
		}
		if err == nil && n < len(rights) {
			err = fmt.Errorf("it knows %d", n)
		}
		return err
	})
}

// TestSecuredKafka runs the how-to: a principal with exactly the rights of its table runs a
// worker, an exactly-once source, a sink and its dead letter queue over TLS and SCRAM. The JVM
// takes the same file.
func TestSecuredKafka(t *testing.T) {
	k := secureKafka(t)
	grant(t, "User:"+docIdentity, docRights(t)...)
	props := map[string]string{}
	for _, block := range docProperties(t, "TLS, user and password") {
		maps.Copy(props, block)
	}
	props["bootstrap.servers"] = k.SASL
	props["exactly.once.source.support"] = "enabled"
	for kind, topic := range map[string]string{"config": "connect-configs", "offset": "connect-offsets", "status": "connect-status"} {
		props[kind+".storage.topic"] = topic
	}
	w := newWorker(t, "connect-cluster", props)
	jvmProps, err := readProperties(w.props)
	if err != nil {
		t.Fatal(err)
	}
	w.start()
	dir := t.TempDir()
	in, out := filepath.Join(dir, "in"), filepath.Join(dir, "out")
	lines := &lineWriter{t: t, path: in}
	lines.append(50)
	w.create("app-log", fileSource(in, "app-log", "topic.creation.default.partitions", "1", "topic.creation.default.replication.factor", "1"))
	w.create("app-log-copy", fileSink("app-log", out, "value.converter", "org.apache.kafka.connect.storage.StringConverter",
		"errors.tolerance", "all", "errors.deadletterqueue.topic.name", "app-log-letters", "errors.deadletterqueue.topic.replication.factor", "1",
		"errors.deadletterqueue.context.headers.enable", "true", "errors.retry.timeout", "0",
		"transforms", "number", "transforms.number.type", "org.apache.kafka.connect.transforms.Cast$Value", "transforms.number.spec", "int32"))
	awaitLetters(t, 50)
	w.request(http.MethodPut, "/connectors/app-log-copy/stop", nil)
	w.awaitState("app-log-copy", "STOPPED")
	w.request(http.MethodDelete, "/connectors/app-log-copy/offsets", nil)
	appendText(t, in, "42\n")
	w.request(http.MethodPut, "/connectors/app-log-copy/resume", nil)
	w.eventually(time.Minute, "the number arrives", func() error {
		if b, err := os.ReadFile(out); err != nil || string(b) != "42\n" {
			return fmt.Errorf("%q, %v", b, err)
		}
		return nil
	})
	w.stop()
	checkNoSecret(t, w.log())

	jvmProps["listeners"] = w.base
	jvm := startJVM(t, jvmProps)
	eventually(t, time.Minute, "the connectors run on the JVM worker", func() error {
		return allRun(t, jvm.URL, "app-log", "app-log-copy")
	})
}

// awaitLetters waits for dead letters.
func awaitLetters(t *testing.T, n int) {
	t.Helper()
	c, err := kgo.NewClient(kgo.SeedBrokers(secureKafka(t).Bootstrap), kgo.ConsumeTopics("app-log-letters"),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.UnknownTopicRetries(-1), kgo.FetchMaxWait(200*time.Millisecond), kgo.MetadataMinAge(100*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	r := &reading{t: t, client: c}
	r.until(time.Minute, fmt.Sprintf("%d dead letters", n), func(all []*kgo.Record) bool { return len(all) >= n })
}

func allRun(t *testing.T, base string, names ...string) error {
	for _, name := range names {
		var st struct {
			Connector struct{ State string }
			Tasks     []struct{ State, Trace string }
		}
		if err := client.New(nil).JSON(t.Context(), http.MethodGet, client.ConnectorURL(base, name, "status"), nil, &st); err != nil {
			return err
		}
		if st.Connector.State != "RUNNING" || len(st.Tasks) != 1 || st.Tasks[0].State != "RUNNING" {
			return fmt.Errorf("%s: %+v", name, st)
		}
	}
	return nil
}

// checkNoSecret: neither the log nor a status shows a password or a token.
func checkNoSecret(t *testing.T, text string) {
	t.Helper()
	for _, hidden := range []string{secret, "eyJ"} {
		if i := strings.Index(text, hidden); i >= 0 {
			t.Errorf("a secret is shown: …%s…", text[max(0, i-200):i])
		}
	}
}

// TestOtherLogins runs the other blocks of the how-to: a worker and a connector of each.
func TestOtherLogins(t *testing.T) {
	k := secureKafka(t)
	tls := map[string]string{"ssl.truststore.type": "PEM", "ssl.truststore.location": k.CA}
	providers := map[string]string{"config.providers": "file", "config.providers.file.class": "org.apache.kafka.common.config.provider.FileConfigProvider"}
	issued := k.Issuer.Issued()
	for _, block := range docProperties(t, "Other ways to log in") {
		name, principal := block["sasl.mechanism"], "User:"+docIdentity
		server := k.SASL
		if name == "" {
			name, principal, server = "SSL", "User:CN="+docIdentity, k.SSL
		}
		t.Run(name, func(t *testing.T) {
			group := "login-" + strings.ToLower(name)
			maps.Copy(block, tls)
			props := prefixed(block)
			maps.Copy(props, providers)
			props["bootstrap.servers"] = server
			rights := []right{{"Group", group, "Read"}, {"Topic", group, "Write"}, {"Topic", group, "Create"}}
			for _, kind := range []string{"-configs", "-offsets", "-status"} {
				for _, op := range []string{"Read", "Write", "Create"} {
					rights = append(rights, right{"Topic", group + kind, op})
				}
			}
			grant(t, principal, rights...)
			w := newWorker(t, group, props)
			w.start()
			w.create(group, verifiableSource(group))
			admin := secureAdmin(t)
			eventually(t, 30*time.Second, "records arrive", func() error { return hasRecords(t.Context(), admin, group) })
			w.stop()
			checkNoSecret(t, w.log())
		})
	}
	// A worker and its tasks have about ten clients, each with several connections.
	if n := k.Issuer.Issued() - issued; n == 0 || n > 3 {
		t.Errorf("%d tokens were fetched for one worker", n)
	}
}

func hasRecords(ctx context.Context, c *kgo.Client, topic string) error {
	req := kmsg.NewPtrListOffsetsRequest()
	rt, rp := kmsg.NewListOffsetsRequestTopic(), kmsg.NewListOffsetsRequestTopicPartition()
	rp.Timestamp, rt.Topic = -1, topic
	rt.Partitions = append(rt.Partitions, rp)
	req.Topics = append(req.Topics, rt)
	for _, shard := range c.RequestSharded(ctx, req) {
		if shard.Err != nil {
			return shard.Err
		}
		for _, topic := range shard.Resp.(*kmsg.ListOffsetsResponse).Topics {
			for _, p := range topic.Partitions {
				if p.ErrorCode != 0 || p.Offset <= 0 {
					return fmt.Errorf("error code %d, offset %d", p.ErrorCode, p.Offset)
				}
			}
		}
	}
	return nil
}

// TestKerberosLoginIsRepeated: a new keytab is used without a restart, and while there is none
// that works, the login that there is.
func TestKerberosLoginIsRepeated(t *testing.T) {
	k := secureKafka(t)
	dir := t.TempDir()
	keytab, conf := filepath.Join(dir, "connect.keytab"), filepath.Join(dir, "krb5.conf")
	good, err := os.ReadFile(k.KDC.Keytab)
	if err != nil {
		t.Fatal(err)
	}
	settings, err := os.ReadFile(k.KDC.Config)
	if err != nil {
		t.Fatal(err)
	}
	write := func(path string, b []byte) {
		t.Helper()
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(keytab, good)
	write(conf, settings)
	// Every connection logs in anew, where the first has brought a ticket of which a share of 0 is used.
	m := sasl.NewKerberos(sasl.KerberosOptions{Config: conf, Service: "kafka", Keytab: keytab, Principal: docIdentity + "@" + stack.Realm}, zap.NewNop())
	connect := func() error {
		c, err := tls.Dial("tcp", k.SASL, &tls.Config{RootCAs: k.Authority.Pool(), ServerName: "localhost"})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_, err = sasl.Authenticate(t.Context(), c, m, "localhost", "test")
		return err
	}
	for _, step := range []struct {
		name         string
		keytab, conf []byte
	}{
		{"a first login", good, settings}, {"a damaged keytab", []byte("x"), settings}, {"no krb5.conf", good, nil}, {"all is well again", good, settings},
	} {
		write(keytab, step.keytab)
		write(conf, step.conf)
		if err := connect(); err != nil {
			t.Errorf("%s: %v", step.name, err)
		}
	}
	write(keytab, []byte("x"))
	m = sasl.NewKerberos(sasl.KerberosOptions{Config: conf, Service: "kafka", Keytab: keytab, Principal: docIdentity + "@" + stack.Realm}, zap.NewNop())
	if err := connect(); err == nil {
		t.Error("a damaged keytab logs in")
	}
}

// TestLoginsThatFail end the worker with a message that says why.
func TestLoginsThatFail(t *testing.T) {
	k := secureKafka(t)
	tls := map[string]string{"security.protocol": "SASL_SSL", "ssl.truststore.type": "PEM", "ssl.truststore.location": k.CA, "default.api.timeout.ms": "3000"}
	jaas := func(module, rest string) string {
		return "org.apache.kafka.common.security." + module + "LoginModule required " + rest + ";"
	}
	oauth := []string{"sasl.mechanism", "OAUTHBEARER", "sasl.jaas.config", jaas("oauthbearer.OAuthBearer", ""), "sasl.oauthbearer.token.endpoint.url", secured.tokens.URL,
		"sasl.oauthbearer.client.credentials.client.id", docIdentity}
	kerberos := func(principal string) string {
		return fmt.Sprintf("com.sun.security.auth.module.Krb5LoginModule required useKeyTab=true keyTab=%q principal=%q;", k.KDC.Keytab, principal)
	}
	var started []*workerProcess
	tests := map[string]struct {
		server string
		pairs  []string
		want   []string
	}{
		"a wrong password": {k.SASL, []string{"sasl.mechanism", "SCRAM-SHA-512", "sasl.jaas.config", jaas("scram.Scram", `username="connect" password="`+secret+`x"`)},
			[]string{"Authentication failed during authentication due to invalid credentials with SASL mechanism SCRAM-SHA-512"}},
		"a mechanism that is not there": {k.SASL, []string{"sasl.mechanism", "SCRAM-SHA-256", "sasl.jaas.config", jaas("scram.Scram", `username="connect" password="`+secret+`"`)},
			[]string{"Client SASL mechanism 'SCRAM-SHA-256' not enabled in the server, enabled mechanisms are ["}},
		"a wrong secret":        {k.SASL, append(slices.Clone(oauth), "sasl.oauthbearer.client.credentials.client.secret", secret+"x"), []string{"invalid_client", "client.secret"}},
		"a principal not there": {k.SASL, []string{"sasl.mechanism", "GSSAPI", "sasl.kerberos.service.name", "kafka", "sasl.jaas.config", kerberos("nobody@" + stack.Realm)}, []string{"nobody@" + stack.Realm}},
		"another service": {k.SASL, []string{"sasl.mechanism", "GSSAPI", "sasl.kerberos.service.name", "kafak", "sasl.jaas.config", kerberos("connect@" + stack.Realm)},
			[]string{"no ticket for the service kafak/localhost"}},
		"no certificate":         {k.SSL, []string{"security.protocol", "SSL"}, []string{"SSL handshake failed", "ssl.keystore"}},
		"an unknown authority":   {k.SSL, []string{"security.protocol", "SSL", "ssl.truststore.location", filepath.Join(secured.dir, "connect.pem")}, []string{"SSL handshake failed", "ssl.truststore"}},
		"no TLS at a TLS port":   {k.SASL, []string{"security.protocol", "PLAINTEXT"}, []string{"the broker hung up", "security.protocol"}},
		"no SASL at a SASL port": {k.SASL, []string{"security.protocol", "SSL"}, []string{"the broker hung up", "security.protocol"}},
	}
	names := slices.Sorted(maps.Keys(tests))
	for _, name := range names {
		props := with(tls, tests[name].pairs...)
		props["bootstrap.servers"] = tests[name].server
		w := newWorker(t, "refused", props)
		w.launch()
		started = append(started, w)
	}
	for i, name := range names {
		t.Run(name, func(t *testing.T) {
			w := started[i]
			if code := w.awaitExit(time.Minute); code != 3 {
				t.Errorf("the exit code is %d", code)
			}
			last := w.logTail(3)
			for _, want := range tests[name].want {
				if !strings.Contains(last, want) {
					t.Errorf("%q is missing in:\n%s", want, last)
				}
			}
			checkNoSecret(t, w.log())
		})
	}
}

// awaitExit waits for the worker to end by itself and returns its exit code.
func (w *workerProcess) awaitExit(patience time.Duration) int {
	w.t.Helper()
	select {
	case <-w.exited:
	case <-time.After(patience):
		w.t.Fatalf("the worker goes on:\n%s", w.logTail(40))
	}
	return w.cmd.ProcessState.ExitCode()
}
