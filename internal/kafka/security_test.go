package kafka

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"pgregory.net/rapid"

	"github.com/penstock-io/penstock/internal/kafka/sasl"
)

const (
	oauthJAAS = oauthModule + " required;"
	tokenURL  = "https://idp.example.org/token"
)

// saslProps are properties with SASL; pairs of key and value on top.
func saslProps(mechanism, jaasConfig string, pairs ...string) map[string]string {
	p := map[string]string{"bootstrap.servers": "h:1", "security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": mechanism}
	if jaasConfig != "" {
		p[jaasKey] = jaasConfig
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		p[pairs[i]] = pairs[i+1]
	}
	return p
}

// checkSettings wants settings to be accepted (want empty), or refused with all the words.
func checkSettings(t *testing.T, name string, props map[string]string, want ...string) {
	t.Helper()
	s, err := readSettings(props)
	if len(want) == 0 {
		if err != nil || s.security.login == nil {
			t.Errorf("%s: %v", name, err)
		}
		return
	}
	for _, w := range want {
		if err == nil || !strings.Contains(err.Error(), w) {
			t.Errorf("%s: %q is missing in: %v", name, w, err)
		}
	}
	if err != nil && strings.Contains(err.Error(), "hunter2") {
		t.Errorf("%s: a secret is shown: %v", name, err)
	}
}

func TestOAuthSettings(t *testing.T) {
	t.Setenv("KAFKA_OPTS", "-Xmx1g -D"+allowedURLs+"=http://other,"+tokenURL+",file:///tmp/token")
	client := []string{endpointKey, tokenURL, clientIDKey, "me", secretKey, "hunter2"}
	with := func(pairs ...string) []string { return append(append([]string{}, client...), pairs...) }
	for _, test := range []struct {
		name, jaas string
		pairs      []string
		want       []string
	}{
		{"client credentials", oauthJAAS, client, nil},
		{"with the JVM's handler and classes", oauthJAAS, with(loginHandlerKey, securedHandler, retrieverKey, oauthPackage+"ClientCredentialsJwtRetriever",
			validatorKey, oauthPackage+"ClientJwtValidator", scopeKey, "x", "sasl.login.connect.timeout.ms", "1000"), nil},
		{"in the login module, as before Kafka 4.1", oauthModule + ` required clientId="me" clientSecret="hunter2" scope="x" extension_logicalCluster="lkc-1";`,
			[]string{endpointKey, tokenURL, loginHandlerKey, olderHandler}, nil},
		{"a file", oauthJAAS, []string{endpointKey, "file:///tmp/token"}, nil},
		{"without signature", oauthModule + ` required unsecuredLoginStringClaim_sub="ada";`, nil, nil},
		{"nothing", oauthJAAS, nil, []string{"unsecuredLoginStringClaim_sub is missing", endpointKey}},
		{"the handler without endpoint", oauthJAAS, []string{loginHandlerKey, securedHandler}, []string{`Missing required configuration "` + endpointKey}},
		{"no client", oauthJAAS, []string{endpointKey, tokenURL}, []string{`Missing required configuration "` + clientIDKey, secretKey, "clientSecret"}},
		{"a URL that is not allowed", oauthJAAS, with(endpointKey, "https://10.0.0.1/meta"), []string{"Invalid value https://10.0.0.1/meta for configuration " + endpointKey +
			": The URL cannot be accessed due to restrictions. Update the system property '" + allowedURLs + "' to allow the URL to be accessed.", "KAFKA_OPTS=-D"}},
		{"a file that is not allowed", oauthJAAS, []string{endpointKey, "file:///etc/passwd"}, []string{"cannot be accessed"}},
		{"a password in the URL", oauthJAAS, with(endpointKey, "https://u:hunter2@h/"), []string{"cannot be accessed"}},
		{"no URL", oauthJAAS, with(endpointKey, "ftp://x"), []string{`only "http", "https", and "file"`}},
		{"a URL that cannot be parsed", oauthJAAS, with(endpointKey, "https://u:hunter2@ h%zz"), []string{"it is no URL"}},
		{"another handler", oauthJAAS, with(loginHandlerKey, "io.strimzi.kafka.oauth.client.JaasClientOauthLoginCallbackHandler"),
			[]string{"io.strimzi.kafka.oauth.client.JaasClientOauthLoginCallbackHandler for configuration " + loginHandlerKey, "Java classes cannot be loaded"}},
		{"jwt-bearer", oauthJAAS, with(retrieverKey, oauthPackage+"JwtBearerJwtRetriever"), []string{retrieverKey, "Java classes cannot be loaded"}},
		{"an assertion", oauthJAAS, with("sasl.oauthbearer.assertion.private.key.passphrase", "hunter2"), []string{"sasl.oauthbearer.assertion.private.key.passphrase", "not supported"}},
		{"another validator", oauthJAAS, with(validatorKey, "org.example.V"), []string{validatorKey}},
		{"a client handler", oauthJAAS, with("sasl.client.callback.handler.class", "org.example.H"), []string{"sasl.client.callback.handler.class"}},
		{"a login class", oauthJAAS, with("sasl.login.class", "org.example.L"), []string{"sasl.login.class"}},
		{"providers", oauthJAAS, with("security.providers", "org.example.P"), []string{"security.providers"}},
		{"a bad extension", oauthModule + ` required clientId="me" clientSecret="hunter2" extension_a1="b";`, []string{endpointKey, tokenURL}, []string{"only letters"}},
		{"a bad window", oauthJAAS, with("sasl.login.refresh.window.factor", "0.4", "sasl.login.refresh.window.jitter", "x", "sasl.login.refresh.min.period.seconds", "901"),
			[]string{"Value must be at least 0.5", "Not a number of type DOUBLE", "Value must be no more than 900"}},
		{"a trust store of the endpoint", oauthModule + ` required ssl.truststore.location="/no/such" ssl.truststore.password="hunter2";`, client, []string{"/no/such"}},
	} {
		checkSettings(t, test.name, saslProps("OAUTHBEARER", test.jaas, test.pairs...), test.want...)
	}
	t.Setenv("KAFKA_OPTS", "")
	checkSettings(t, "nothing is allowed", saslProps("OAUTHBEARER", oauthJAAS, client...), "cannot be accessed")
}

func TestKerberosSettings(t *testing.T) {
	conf := filepath.Join(t.TempDir(), "krb5.conf")
	if err := os.WriteFile(conf, []byte("[libdefaults]\n  default_realm = EXAMPLE.ORG\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("KRB5_CONFIG", "/no/such:"+conf)
	const keytab = kerberosModule + ` required useKeyTab=true storeKey=true keyTab="/etc/k.keytab" principal="connect/host@EXAMPLE.ORG"`
	service := []string{serviceNameKey, "kafka"}
	for _, test := range []struct {
		name, jaas string
		pairs      []string
		want       []string
	}{
		{"keytab", keytab + ";", service, nil},
		{"the service in the module", keytab + ` serviceName="kafka";`, nil, nil},
		{"in both", keytab + ` serviceName="kafka";`, service, nil},
		{"in both, different", keytab + ` serviceName="other";`, service, []string{"Conflicting serviceName values found in JAAS and Kafka configs value in JAAS file other, value in Kafka config kafka"}},
		{"in none", keytab + ";", nil, []string{serviceNameKey, "No serviceName defined in either JAAS or Kafka config"}},
		{"ticket cache", kerberosModule + " required useTicketCache=true;", service, nil},
		{"neither", kerberosModule + " required;", service, []string{"the client is being asked for a password", "useKeyTab=true"}},
		{"no keyTab", kerberosModule + " required useKeyTab=true;", service, []string{"keyTab is missing", "principal is missing"}},
		{"a system property", kerberosModule + ` required useKeyTab=true keyTab="${user.home}/k" principal="p";`, service, []string{"Java system property"}},
		{"another module", "com.ibm.security.auth.module.Krb5LoginModule required;", service, []string{"com.ibm.security.auth.module.Krb5LoginModule", "needs " + kerberosModule}},
		{"a share", keytab + ";", append(service, "sasl.kerberos.ticket.renew.window.factor", "1.5"), []string{"Value must be no more than 1"}},
	} {
		checkSettings(t, test.name, saslProps("GSSAPI", test.jaas, test.pairs...), test.want...)
	}
	s, err := readSettings(saslProps("GSSAPI", keytab+";", service...))
	if err != nil {
		t.Fatal(err)
	}
	if m := s.security.login.make(zap.NewNop()); m.Principal() != "User:connect" {
		t.Errorf("the principal is %s", m.Principal())
	}
	props := saslProps("GSSAPI", `org.apache.kafka.common.security.plain.PlainLoginModule required username="u" password="hunter2";`, service...)
	delete(props, mechanismKey)
	checkSettings(t, "the mechanism is not set", props, "GSSAPI is Java's default")
	t.Setenv("KRB5_CONFIG", "")
	t.Setenv("KAFKA_OPTS", "-Djava.security.krb5.conf=/no/krb5")
	checkSettings(t, "no krb5.conf", saslProps("GSSAPI", keytab+";", service...), "/no/krb5", "KRB5_CONFIG")
	t.Setenv("KAFKA_OPTS", "-Djava.security.krb5.conf="+conf)
	checkSettings(t, "krb5.conf of the JVM", saslProps("GSSAPI", keytab+";", service...))
}

// TestJAASFile: without sasl.jaas.config the section KafkaClient of the JVM's file counts.
func TestJAASFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "jaas.conf")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	props := saslProps("SCRAM-SHA-512", "")
	checkSettings(t, "no file", props, `Missing required configuration "sasl.jaas.config"`, scramModule, "KAFKA_OPTS")
	t.Setenv("KAFKA_OPTS", "-Djava.security.auth.login.config="+file)
	checkSettings(t, "a missing file", props, file)
	write("KafkaClient {")
	checkSettings(t, "a damaged file", props, file)
	write("KafkaServer { " + scramModule + ` required username="u" password="hunter2"; };`)
	checkSettings(t, "another section", props, "Could not find a 'KafkaClient' entry in the JAAS configuration. System property 'java.security.auth.login.config' is "+file)
	write("KafkaClient { " + plainModule + ` required username="p" password="hunter2"; };`)
	checkSettings(t, "another module", props, "KafkaClient", "needs")
	write("KafkaClient { " + plainModule + ` required username="p" password="hunter2"; ` + scramModule + ` required username="u" password="hunter2"; };`)
	checkSettings(t, "two modules", props)
	checkSettings(t, "the key wins", saslProps("SCRAM-SHA-512", scramModule+" required;"), "username is missing")
}

// TestLoginErrorsKeepSecrets: whatever is wrong, no value of sasl.jaas.config is shown.
func TestLoginErrorsKeepSecrets(t *testing.T) {
	const secret = "hunter2"
	rapid.Check(t, func(t *rapid.T) {
		mechanism := rapid.SampledFrom([]string{"OAUTHBEARER", "GSSAPI", "PLAIN", "SCRAM-SHA-512"}).Draw(t, "mechanism")
		module := map[string]string{"OAUTHBEARER": oauthModule, "GSSAPI": kerberosModule, "PLAIN": plainModule}[mechanism]
		parts := []string{module, "required", "clientSecret=", "password=", `"` + secret + `"`, `'` + secret, `"` + secret, secret + `"`, ";", "=", "\n", "/*", "extension_", "unsecuredLogin",
			"unsecuredLoginNumberClaim_x=", "keyTab=", "useKeyTab=true", "ssl.keystore.key="}
		text := module + " required password=\"" + secret + "\" " + strings.Join(rapid.SliceOf(rapid.SampledFrom(parts)).Draw(t, "parts"), " ")
		if _, err := readSettings(saslProps(mechanism, text)); err != nil && strings.Contains(err.Error(), secret) {
			t.Fatalf("%q: %v", text, err)
		}
	})
}

// TestLoginsAreShared by clients with the same settings, until the last has ended.
func TestLoginsAreShared(t *testing.T) {
	l := &logins{byKey: map[string]*sharedLogin{}}
	spec := func(user string) *loginSpec {
		s, err := readSettings(saslProps("OAUTHBEARER", oauthModule+` required unsecuredLoginStringClaim_sub="`+user+`";`))
		if err != nil {
			t.Fatal(err)
		}
		return s.security.login
	}
	a, releaseA := l.acquire(spec("ada"), zap.NewNop())
	b, releaseB := l.acquire(spec("ada"), zap.NewNop())
	c, releaseC := l.acquire(spec("bob"), zap.NewNop())
	if a != b || a == c {
		t.Error("logins are shared wrongly")
	}
	releaseA()
	releaseA()
	if len(l.byKey) != 2 {
		t.Error("a login ended that is in use")
	}
	releaseB()
	releaseC()
	if len(l.byKey) != 0 {
		t.Errorf("%d logins are left", len(l.byKey))
	}
	if d, release := l.acquire(spec("ada"), zap.NewNop()); d == a {
		t.Error("a login that has ended is used again")
	} else {
		release()
	}
}

// TestReauthentication: a connection whose login runs out is replaced before the next request.
func TestReauthentication(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	tokens := make(chan string, 10)
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go fakeLogin(c, tokens)
		}
	}()
	s, err := readSettings(saslProps("OAUTHBEARER", oauthModule+` required unsecuredLoginStringClaim_sub="ada";`, "bootstrap.servers", ln.Addr().String()))
	if err != nil {
		t.Fatal(err)
	}
	defer s.security.open(s.dialer, zap.NewNop())()
	c, err := s.dialer.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	text := receive(t, "the token", tokens)
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(text, ".")[1])
	if err != nil || !strings.Contains(string(payload), `"sub":"ada"`) {
		t.Errorf("%q: %v", text, err)
	}
	if s.dialer.expired(time.Now()) || !s.dialer.expired(time.Now().Add(time.Hour)) {
		t.Error("the login runs out at another time")
	}
	if got := s.security.principal(s.dialer); got != "User:ada" {
		t.Errorf("the principal is %s", got)
	}
}

// fakeLogin lets everybody in for an hour and passes on the tokens.
func fakeLogin(c net.Conn, tokens chan<- string) {
	defer c.Close()
	for _, answer := range []string{
		"\x00\x00\x00\x00\x00\x01\x00\x24\x00\x00\x00\x02",                 // versions: SaslAuthenticate 0 to 2
		"\x00\x00\x00\x00\x00\x00",                                         // handshake
		"\x00\x00\xff\xff\x00\x00\x00\x00\x00\x00\x00\x00\x00\x36\xee\x80", // authenticate: 3,600,000 ms
	} {
		head := make([]byte, 4)
		if _, err := io.ReadFull(c, head); err != nil {
			return
		}
		body := make([]byte, int(head[2])<<8|int(head[3]))
		if _, err := io.ReadFull(c, body); err != nil {
			return
		}
		if _, token, ok := strings.Cut(string(body), "auth=Bearer "); ok {
			tokens <- strings.Trim(token, "\x01")
		}
		size := len(answer) + 4
		fmt.Fprintf(c, "\x00\x00\x00%c%s%s", size, body[4:8], answer)
	}
}

func TestTLSProblemsAreExplained(t *testing.T) {
	broken := errors.New("EOF")
	if tlsError(broken) != broken {
		t.Error("a failure of the connection became one of TLS")
	}
	alert := &net.OpError{Op: remoteAlert, Err: errors.New("tls: bad certificate")}
	err := wireError(alert)
	if !errors.Is(err, ErrAuthentication) || !strings.HasPrefix(err.Error(), "SSL handshake failed") || !strings.Contains(err.Error(), "ssl.keystore") {
		t.Errorf("%v", err)
	}
	if err := wireError(&sasl.Refusal{Msg: "Authentication failed"}); !errors.Is(err, ErrAuthentication) || !final(err) {
		t.Errorf("%v", err)
	}
}
