package kafka

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/zap"
	"pgregory.net/rapid"

	"github.com/penstock-io/penstock/connect/config"
	"github.com/penstock-io/penstock/internal/kafkatest"
)

func readSettings(props map[string]string) (*clientSettings, error) {
	r := newPropReader(props)
	s := readClientSettings(r, consumerReceiveBuffer)
	return s, r.err()
}

func TestSettingsReportAllMistakes(t *testing.T) {
	_, err := readSettings(map[string]string{
		"bootstrap.servers": "nohost,h:99999,:9092,ok:1", "request.timeout.ms": "-1", "retry.backoff.ms": "soon", "client.dns.lookup": "never",
		"metadata.recovery.strategy": "hope", "security.protocol": "SASL_SSL", "sasl.mechanism": "PLAIN", "ssl.enabled.protocols": "SSLv3",
		"send.buffer.bytes": "-2", "ssl.cipher.suites": "TLS_NONE", "ssl.endpoint.identification.algorithm": "ldaps",
	})
	for _, want := range []string{
		"Invalid url in bootstrap.servers: nohost", "Invalid port in bootstrap.servers: h:99999", "Invalid url in bootstrap.servers: :9092",
		"Invalid value -1 for configuration request.timeout.ms: Value must be at least 0",
		"Invalid value soon for configuration retry.backoff.ms: Not a number of type LONG", "client.dns.lookup", "metadata.recovery.strategy",
		"Missing required configuration \"sasl.jaas.config\"", "ssl.enabled.protocols", "ssl.cipher.suites", "send.buffer.bytes",
		"ssl.endpoint.identification.algorithm",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in: %v", want, err)
		}
	}
	var one *config.Error
	if !errors.As(err, &one) || one.Key == "" {
		t.Errorf("not a config error: %v", err)
	}
	if _, err := readSettings(nil); err == nil || !strings.HasPrefix(err.Error(), "Missing required configuration \"bootstrap.servers\" which has no default value.") {
		t.Errorf("without bootstrap.servers: %v", err)
	}
	if _, err := readSettings(map[string]string{"bootstrap.servers": " , "}); err == nil {
		t.Error("no addresses were accepted")
	}
}

func TestSettingsDefaults(t *testing.T) {
	s, err := readSettings(map[string]string{"bootstrap.servers": "a:1, [::1]:2", "retry.backoff.max.ms": "9223372036854775807", "unknown": "x"})
	if err != nil {
		t.Fatal(err)
	}
	if len(s.bootstrap) != 2 || s.requestTimeout != 30*time.Second || s.apiTimeout != time.Minute || s.retryBackoff != 100*time.Millisecond ||
		s.metadataMaxAge != 5*time.Minute || s.reconnect != 50*time.Millisecond || s.reconnectMax != time.Second || s.maxIdle != 9*time.Minute ||
		!s.rebootstrap || s.canonicalBootstrap || s.security.ssl != nil || s.security.login != nil {
		t.Errorf("settings %+v", s)
	}
	if s.retryBackoffMax <= 0 {
		t.Errorf("for ever became %s", s.retryBackoffMax)
	}
	if err := s.sarama.Validate(); err != nil {
		t.Error(err)
	}
}

// TestErrorsKeepSecrets: whatever is wrong with sasl.jaas.config, no value of it is shown.
func TestErrorsKeepSecrets(t *testing.T) {
	const secret = "hunter2"
	rapid.Check(t, func(t *rapid.T) {
		parts := []string{
			"org.apache.kafka.common.security.plain.PlainLoginModule", "required", "maybe", "username=", "password=", `"` + secret + `"`, `'` + secret, `"` + secret,
			secret + `"`, ";", "=", "\n", "//", "/*", "*/",
		}
		text := "M required password=\"" + secret + "\" " + strings.Join(rapid.SliceOf(rapid.SampledFrom(parts)).Draw(t, "parts"), " ")
		_, err := readSettings(map[string]string{
			"bootstrap.servers": "h:1", "security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "PLAIN", "sasl.jaas.config": text,
		})
		if err == nil {
			t.Fatal("the wrong login module was accepted")
		}
		if strings.Contains(err.Error(), secret) {
			t.Fatalf("%q: %v", text, err)
		}
	})
	_, err := readSettings(map[string]string{
		"bootstrap.servers": "h:1", "security.protocol": "SSL", "ssl.keystore.type": "PEM",
		"ssl.keystore.key": "-----BEGIN PRIVATE KEY----- " + secret + " -----END PRIVATE KEY-----", "ssl.keystore.certificate.chain": secret,
	})
	if err == nil || strings.Contains(err.Error(), secret) {
		t.Errorf("a bad key: %v", err)
	}
}

func TestSASLSettings(t *testing.T) {
	const plain = "org.apache.kafka.common.security.plain.PlainLoginModule"
	const scram = "org.apache.kafka.common.security.scram.ScramLoginModule"
	for _, test := range []struct{ mechanism, jaas, want string }{
		{"PLAIN", plain + ` required username="u" password="p";`, ""},
		{"SCRAM-SHA-512", scram + ` required username="u" password="p";`, ""},
		{"SCRAM-SHA-256", plain + ` required username="u" password="p";`, "needs " + scram},
		{"PLAIN", plain + ` required username="u";`, "the option password is missing"},
		{"PLAIN", plain + ` required password="p";`, "the option username is missing"},
		{"SCRAM-SHA-256", scram + ` required username="u" password="p" tokenauth=true;`, ""},
		{"MAGIC", "", "unknown mechanism"},
	} {
		s, err := readSettings(map[string]string{
			"bootstrap.servers": "h:1", "security.protocol": "sasl_plaintext", "sasl.mechanism": test.mechanism, "sasl.jaas.config": test.jaas,
		})
		switch {
		case test.want == "":
			if err != nil || s.security.login == nil {
				t.Errorf("%v: %v", test, err)
				continue
			}
			if m := s.security.login.make(zap.NewNop()); m.Name() != test.mechanism || m.Principal() != "User:u" && !strings.Contains(test.jaas, "tokenauth") {
				t.Errorf("%v: %v", test, err)
			}
		case err == nil || !strings.Contains(err.Error(), test.want):
			t.Errorf("%v: %v", test, err)
		}
	}
}

func loginProps(mechanism, password string) []string {
	module := map[string]string{"PLAIN": "plain.Plain", "SCRAM-SHA-256": "scram.Scram", "SCRAM-SHA-512": "scram.Scram"}[mechanism]
	return []string{
		"security.protocol", "SASL_PLAINTEXT", "sasl.mechanism", mechanism,
		"sasl.jaas.config", "org.apache.kafka.common.security." + module + `LoginModule required username="u" password="` + password + `";`,
	}
}

func TestLogins(t *testing.T) {
	c := kafkatest.New(t, kfake.EnableSASL(), kfake.Superuser("PLAIN", "u", "p"), kfake.Superuser("SCRAM-SHA-256", "u", "p"), kfake.Superuser("SCRAM-SHA-512", "u", "p"))
	for _, mechanism := range []string{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"} {
		if _, err := newTestClient(t, c, loginProps(mechanism, "p")...).ClusterID(t.Context()); err != nil {
			t.Errorf("%s: %v", mechanism, err)
		}
	}
}

// TestRefusedLogins: everybody tells of a wrong password, and does not try for ever.
// kfake would hang up; Kafka says why.
func TestRefusedLogins(t *testing.T) {
	c := kafkatest.New(t, kfake.EnableSASL(), kfake.Superuser("PLAIN", "u", "p"), kfake.Superuser("SCRAM-SHA-512", "u", "p"))
	c.ControlKey(int16(kmsg.SASLAuthenticate), func(r kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		resp := r.ResponseKind().(*kmsg.SASLAuthenticateResponse)
		resp.ErrorCode, resp.ErrorMessage = kerr.SaslAuthenticationFailed.Code, kmsg.StringPtr("Authentication failed: Invalid username or password")
		return resp, nil, true
	})
	for _, mechanism := range []string{"PLAIN", "SCRAM-SHA-512"} {
		_, err := NewClient(t.Context(), c.Props(loginProps(mechanism, "wr0ng")...), testLog(t))
		if !errors.Is(err, ErrAuthentication) || strings.Contains(err.Error(), "wr0ng") || !strings.Contains(err.Error(), "sasl.jaas.config") {
			t.Errorf("%s: %v", mechanism, err)
		}
	}
	wrong := loginProps("PLAIN", "wr0ng")
	consumer := newTestConsumer(t, c, wrong...)
	consumer.Add(from(0, tp("t", 0)))
	if err := pollError(t, consumer); !errors.Is(err, ErrAuthentication) {
		t.Errorf("Poll returned %v", err)
	}
	if err := newTestProducer(t, c, wrong...).Send(t.Context(), record("t", 0, "v")); !errors.Is(err, ErrAuthentication) {
		t.Errorf("Send returned %v", err)
	}
	m := startMember(t, c, memberConfig(), nil, wrong...)
	if err := receive(t, "the end of Run", m.done); !errors.Is(err, ErrAuthentication) {
		t.Errorf("Run returned %v", err)
	}
}

// selfSigned makes a certificate for names and addresses, and its key, as PEM.
func selfSigned(t *testing.T, hosts ...string) (cert, key string) {
	t.Helper()
	priv, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			tmpl.IPAddresses = append(tmpl.IPAddresses, ip)
		} else {
			tmpl.DNSNames = append(tmpl.DNSNames, h)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &priv.PublicKey, priv)
	if err != nil {
		t.Fatal(err)
	}
	pk, err := x509.MarshalPKCS8PrivateKey(priv)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pk}))
}

func TestTLS(t *testing.T) {
	cert, key := selfSigned(t, "127.0.0.1")
	pair, err := tls.X509KeyPair([]byte(cert), []byte(key))
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM([]byte(cert))
	c := kafkatest.New(t, kfake.TLS(&tls.Config{Certificates: []tls.Certificate{pair}, ClientCAs: pool, ClientAuth: tls.VerifyClientCertIfGiven}))
	file := filepath.Join(t.TempDir(), "store.pem")
	if err := os.WriteFile(file, []byte(key+cert), 0o600); err != nil {
		t.Fatal(err)
	}
	folded := strings.ReplaceAll(cert, "\n", " ")
	for name, props := range map[string][]string{
		"inline":            {"ssl.truststore.certificates", cert},
		"inline, one line":  {"ssl.truststore.certificates", folded},
		"file":              {"ssl.truststore.location", file},
		"client, in a file": {"ssl.truststore.location", file, "ssl.keystore.location", file, "ssl.keystore.type", "PEM"},
		"client, inline":    {"ssl.truststore.location", file, "ssl.keystore.certificate.chain", folded, "ssl.keystore.key", strings.ReplaceAll(key, "\n", " "), "ssl.keystore.type", "pem"},
		"only 1.2":          {"ssl.truststore.location", file, "ssl.enabled.protocols", "TLSv1.2"},
	} {
		props = append(props, "security.protocol", "SSL", "ssl.truststore.type", "PEM")
		if _, err := newTestClient(t, c, props...).ClusterID(t.Context()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	stranger, _ := selfSigned(t, "127.0.0.1")
	for name, props := range map[string][]string{
		"another authority": {"ssl.truststore.certificates", stranger, "ssl.truststore.type", "PEM"},
		"the system's":      {},
	} {
		_, err := NewClient(t.Context(), c.Props(append(props, "security.protocol", "SSL")...), testLog(t))
		if !errors.Is(err, ErrAuthentication) || !strings.Contains(err.Error(), "ssl.truststore") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTLSHostName(t *testing.T) {
	cert, key := selfSigned(t, "elsewhere.example")
	pair, err := tls.X509KeyPair([]byte(cert), []byte(key))
	if err != nil {
		t.Fatal(err)
	}
	c := kafkatest.New(t, kfake.TLS(&tls.Config{Certificates: []tls.Certificate{pair}}))
	props := []string{"security.protocol", "SSL", "ssl.truststore.certificates", cert, "ssl.truststore.type", "PEM"}
	if _, err := NewClient(t.Context(), c.Props(props...), testLog(t)); !errors.Is(err, ErrAuthentication) {
		t.Errorf("a certificate for another host: %v", err)
	}
	if _, err := newTestClient(t, c, append(props, "ssl.endpoint.identification.algorithm", "")...).ClusterID(t.Context()); err != nil {
		t.Errorf("without the check: %v", err)
	}
	stranger, _ := selfSigned(t, "elsewhere.example")
	props[3] = stranger
	if _, err := NewClient(t.Context(), c.Props(append(props, "ssl.endpoint.identification.algorithm", "")...), testLog(t)); !errors.Is(err, ErrAuthentication) {
		t.Errorf("without the check of names the authority still counts: %v", err)
	}
}

func TestTLSSettings(t *testing.T) {
	cert, key := selfSigned(t, "h")
	dir := t.TempDir()
	for want, props := range map[string]map[string]string{
		"truststore.location: cannot be read": {"ssl.truststore.location": "x.jks"},
		"unknown store type":                  {"ssl.truststore.location": "x", "ssl.truststore.type": "BKS"},
		"cannot be read":                      {"ssl.truststore.location": filepath.Join(dir, "missing"), "ssl.truststore.type": "PEM"},
		"it contains no PEM certificate":      {"ssl.truststore.certificates": key, "ssl.truststore.type": "PEM"},
		"must be set together":                {"ssl.keystore.key": key, "ssl.keystore.type": "PEM"},
		"private key cannot be opened":        {"ssl.key.password": "p", "ssl.keystore.key": strings.ReplaceAll(key, "PRIVATE", "ENCRYPTED PRIVATE"), "ssl.keystore.certificate.chain": cert, "ssl.keystore.type": "PEM"},
		"not a PEM certificate chain with":    {"ssl.keystore.key": cert, "ssl.keystore.certificate.chain": key, "ssl.keystore.type": "PEM"},
		"is not known. Use TLSv1.2,TLSv1.3":   {"ssl.enabled.protocols": "TLSv1.2,TLSv9"},
	} {
		props["bootstrap.servers"], props["security.protocol"] = "h:1", "SSL"
		if _, err := readSettings(props); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", want, err)
		}
	}
}
