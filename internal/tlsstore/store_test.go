package tlsstore

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/penstock-io/penstock/connect/config"
)

// keyStore are the properties of a store of testdata; key is empty when the key has no password of its own.
func keyStore(file, format, password, key string) map[string]string {
	props := map[string]string{"ssl.keystore.location": "testdata/" + file, "ssl.keystore.type": format}
	if password != "" {
		props["ssl.keystore.password"] = password
	}
	if key != "" {
		props["ssl.key.password"] = key
	}
	return props
}

func trustStore(file, format, password string) map[string]string {
	props := map[string]string{"ssl.truststore.location": "testdata/" + file, "ssl.truststore.type": format}
	if password != "" {
		props["ssl.truststore.password"] = password
	}
	return props
}

func with(props map[string]string, more map[string]string) map[string]string {
	all := map[string]string{}
	for _, m := range []map[string]string{props, more} {
		for k, v := range m {
			all[k] = v
		}
	}
	return all
}

// handshake connects a client to a server; the name "" is localhost.
func handshake(t *testing.T, server, client *tls.Config, name string) (tls.ConnectionState, error) {
	t.Helper()
	a, b := net.Pipe()
	ended := make(chan error, 1)
	go func() {
		defer a.Close()
		conn := tls.Server(a, server)
		err := conn.HandshakeContext(t.Context())
		if err == nil {
			_, err = conn.Write([]byte("x"))
		}
		ended <- err
	}()
	if name == "" {
		name = "localhost"
	}
	client = client.Clone()
	client.ServerName = name
	conn := tls.Client(b, client)
	err := conn.HandshakeContext(context.Background())
	if err == nil {
		_, err = conn.Read(make([]byte, 1)) // a server refuses certificates after the client's handshake
	}
	state := conn.ConnectionState()
	b.Close()
	return state, errors.Join(err, <-ended)
}

func mustRead(t *testing.T, props map[string]string, o Options) *Config {
	t.Helper()
	c, err := Read(props, o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestStoresOfKeytoolAndOpenSSL reads each store and has the two sides meet.
func TestStoresOfKeytoolAndOpenSSL(t *testing.T) {
	trust := mustRead(t, trustStore("ca.pem", "PEM", ""), Options{})
	for _, test := range []struct{ file, format, password, key string }{
		{"key.p12", "PKCS12", "store-secret", ""},
		{"key.p12", "jks", "store-secret", ""}, // JKS and PKCS12 stand for one another
		{"key.p12", "PKCS12", "store-secret", "store-secret"},
		{"key.jks", "JKS", "store-secret", "key-secret"},
		{"key.jks", "PKCS12", "store-secret", "key-secret"},
		{"key.jks", "JKS", "", "key-secret"}, // not verified, as in Java
		{"legacy.p12", "PKCS12", "store-secret", ""},
		{"openssl.p12", "PKCS12", "store-secret", ""},
		{"openssl-legacy.p12", "PKCS12", "store-secret", ""},
		{"key.pem", "PEM", "", ""},
		{"sealed.pem", "PEM", "", "key-secret"},
	} {
		c, err := Read(keyStore(test.file, test.format, test.password, test.key), Options{})
		if err != nil {
			t.Errorf("%+v: %v", test, err)
			continue
		}
		if got := len(c.identities[0].Certificate); got != 2 {
			t.Errorf("%s: a chain of %d certificates, want 2", test.file, got)
		}
		if _, err := handshake(t, c.Server(), trust.Client(), ""); err != nil {
			t.Errorf("%s: %v", test.file, err)
		}
	}
	server := mustRead(t, keyStore("key.pem", "PEM", "", ""), Options{})
	for _, test := range []struct{ file, format, password string }{
		{"trust.p12", "PKCS12", "store-secret"}, {"trust.jks", "JKS", "store-secret"}, {"trust.jks", "JKS", ""},
		{"openssl-trust.p12", "PKCS12", "store-secret"}, {"ca.pem", "PEM", ""},
		{"key.p12", "PKCS12", "store-secret"}, {"key.jks", "JKS", ""}, {"legacy.p12", "PKCS12", "store-secret"}, // the key's own certificate
	} {
		c, err := Read(trustStore(test.file, test.format, test.password), Options{})
		if err != nil {
			t.Errorf("%+v: %v", test, err)
			continue
		}
		if _, err := handshake(t, server.Server(), c.Client(), ""); err != nil {
			t.Errorf("trusting %s: %v", test.file, err)
		}
	}
	if _, err := handshake(t, server.Server(), (&Config{min: tls.VersionTLS12}).Client(), ""); err == nil {
		t.Error("the system trusts a certificate of a test")
	}
}

func TestBothSidesAreChecked(t *testing.T) {
	keys, trust := keyStore("key.pem", "PEM", "", ""), trustStore("ca.pem", "PEM", "")
	auth := func(how string) map[string]string { return map[string]string{"ssl.client.auth": how} }
	none, anyHost := map[string]string{}, map[string]string{"ssl.endpoint.identification.algorithm": ""}
	stranger := mustRead(t, keys, Options{})
	for _, test := range []struct {
		name           string
		server, client map[string]string
		host           string
		ok             bool
	}{
		{"another host", keys, trust, "elsewhere", false},
		{"another host, not checked", keys, with(trust, anyHost), "elsewhere", true},
		{"an address of the certificate", keys, trust, "127.0.0.1", true},
		{"no client certificate", with(with(keys, trust), auth("required")), trust, "", false},
		{"with client certificate", with(with(keys, trust), auth("required")), with(keys, trust), "", true},
		{"requested and not there", with(with(keys, trust), auth("requested")), trust, "", true},
		{"not asked for", with(keys, auth("none")), trust, "", true},
		{"trusting the own store", with(keys, auth("required")), with(keys, none), "", true},
		{"too old a version", with(keys, map[string]string{"ssl.enabled.protocols": "TLSv1.3"}), with(trust, map[string]string{"ssl.protocol": "TLSv1.2"}), "", false},
	} {
		server := mustRead(t, test.server, Options{TrustOwnStore: true})
		client := mustRead(t, test.client, Options{TrustOwnStore: true})
		if _, err := handshake(t, server.Server(), client.Client(), test.host); (err == nil) != test.ok {
			t.Errorf("%s: %v", test.name, err)
		}
	}
	// A client certificate of another authority, and the same server's name unchecked but its chain checked.
	other := mustRead(t, with(keys, auth("requested")), Options{TrustOwnStore: false})
	if _, err := handshake(t, other.Server(), with13(stranger, t), ""); err == nil {
		t.Error("a server that trusts the system's authorities accepts a client of a test's")
	}
}

// with13 is a client with a key that trusts the test's authority.
func with13(c *Config, t *testing.T) *tls.Config {
	cfg := c.Client()
	cfg.RootCAs = mustRead(t, trustStore("ca.pem", "PEM", ""), Options{}).trust
	return cfg
}

func TestVersionsAndSuites(t *testing.T) {
	const v12, v13 = tls.VersionTLS12, tls.VersionTLS13
	for _, test := range []struct {
		protocols, protocol, suites string
		min, max                    uint16
		n                           int
	}{
		{"", "", "", v12, v13, 0},
		{"TLSv1.2,TLSv1.3", "TLSv1.3", "", v12, v13, 0},
		{"TLSv1,TLSv1.1,TLSv1.2", "TLS", "", v12, v12, 0},
		{"TLSv1.3", "TLS", "", v13, v13, 0},
		{"", "TLSv1.2", "", v12, v12, 0},
		{"", "", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", v12, v12, 1},
		{"", "", "TLS_AES_256_GCM_SHA384,TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", v12, v13, 1},
		{"", "", "TLS_AES_256_GCM_SHA384", v13, v13, 0},
	} {
		props := map[string]string{"ssl.enabled.protocols": test.protocols, "ssl.cipher.suites": test.suites}
		if test.protocol != "" {
			props["ssl.protocol"] = test.protocol
		}
		c := mustRead(t, props, Options{})
		if c.min != test.min || c.max != test.max || len(c.suites) != test.n {
			t.Errorf("%+v: %x to %x, %v", test, c.min, c.max, c.suites)
		}
	}
}

func TestAllMistakesAreReportedWithTheirKeys(t *testing.T) {
	dir := t.TempDir()
	garbage := filepath.Join(dir, "garbage")
	if err := os.WriteFile(garbage, []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		props map[string]string
		key   string
		want  string
	}{
		{keyStore("key.p12", "PKCS12", "wrong-secret", ""), "ssl.keystore.password", "not the password of the store"},
		{keyStore("key.p12", "PKCS12", "", ""), "ssl.keystore.password", "not the password of the store"},
		{keyStore("key.jks", "JKS", "wrong-secret", "key-secret"), "ssl.keystore.password", "not the password of the store"},
		{keyStore("key.jks", "JKS", "store-secret", ""), "ssl.key.password", "not the password of the private key"},
		{keyStore("key.p12", "PKCS12", "store-secret", "wrong-secret"), "ssl.key.password", "not the password of the private key"},
		{keyStore("sealed.pem", "PEM", "", ""), "ssl.keystore.location", "Set ssl.key.password"},
		{keyStore("sealed.pem", "PEM", "", "wrong-secret"), "ssl.keystore.location", "cannot be opened with ssl.key.password"},
		{keyStore("trust.jks", "JKS", "store-secret", ""), "ssl.keystore.location", "no private key"},
		{keyStore("ca.pem", "PEM", "", ""), "ssl.keystore.location", "not a PEM certificate chain"},
		{keyStore("key.pem", "JKS", "", ""), "ssl.keystore.location", "Set the store's type to PEM"},
		{keyStore("key.p12", "BCFKS", "", ""), "ssl.keystore.type", "unknown store type"},
		{keyStore("nowhere", "JKS", "", ""), "ssl.keystore.location", "cannot be read"},
		{map[string]string{"ssl.keystore.location": garbage}, "ssl.keystore.location", "neither a JKS nor a PKCS12 store"},
		{map[string]string{"ssl.keystore.key": "k", "ssl.keystore.type": "PEM"}, "ssl.keystore.certificate.chain", "set together"},
		{map[string]string{"ssl.keystore.key": "k", "ssl.keystore.certificate.chain": "c"}, "ssl.keystore.type", "PEM"},
		{trustStore("trust.p12", "PKCS12", "wrong-secret"), "ssl.truststore.password", "not the password of the store"},
		{trustStore("trust.p12", "PKCS12", ""), "ssl.truststore.password", "not the password of the store"},
		{trustStore("key.p12", "PEM", ""), "ssl.truststore.location", "no PEM certificate"},
		{map[string]string{"ssl.truststore.certificates": "x"}, "ssl.truststore.type", "PEM"},
		{map[string]string{"ssl.enabled.protocols": "TLSv1.1"}, "ssl.enabled.protocols", "none of these is safe"},
		{map[string]string{"ssl.enabled.protocols": "TLSv9"}, "ssl.enabled.protocols", "TLSv9 is not known"},
		{map[string]string{"ssl.protocol": "SSLv3"}, "ssl.protocol", "Use TLSv1.3 or TLSv1.2"},
		{map[string]string{"ssl.protocol": "TLSv1.2", "ssl.enabled.protocols": "TLSv1.3"}, "ssl.protocol", "Use TLSv1.3"},
		{map[string]string{"ssl.cipher.suites": "TLS_DHE_RSA_WITH_AES_128_GCM_SHA256"}, "ssl.cipher.suites", "TLS_DHE_RSA_WITH_AES_128_GCM_SHA256 is not known"},
		{map[string]string{"ssl.cipher.suites": "TLS_AES_256_GCM_SHA384", "ssl.protocol": "TLSv1.2"}, "ssl.cipher.suites", "TLS version that is enabled"},
		{map[string]string{"ssl.client.auth": "perhaps"}, "ssl.client.auth", "must be one of: required, requested, none"},
		{map[string]string{"ssl.endpoint.identification.algorithm": "ldaps"}, "ssl.endpoint.identification.algorithm", "use https"},
	} {
		_, err := Read(test.props, Options{Prefix: "listeners.https."})
		var one *config.Error
		if !errors.As(err, &one) || one.Key != "listeners.https."+test.key || !strings.Contains(one.Msg, test.want) || strings.Contains(err.Error(), "-secret") {
			t.Errorf("%v: %v, want %s", test.props, err, test.want)
		}
	}
	_, err := Read(with(with(keyStore("nowhere", "JKS", "", ""), trustStore("nowhere", "JKS", "")), map[string]string{"ssl.protocol": "x"}), Options{})
	for _, key := range []string{"ssl.keystore.location", "ssl.truststore.location", "ssl.protocol"} {
		if err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("%s is missing in %v", key, err)
		}
	}
}

func TestRC2IsThatOfRFC2268(t *testing.T) {
	// Vectors of section 5 whose effective bits are all of the key's.
	for _, test := range []struct{ key, plain, cipher string }{
		{"\xff\xff\xff\xff\xff\xff\xff\xff", "\xff\xff\xff\xff\xff\xff\xff\xff", "\x27\x8b\x27\xe4\x2e\x2f\x0d\x49"},
		{"\x30\x00\x00\x00\x00\x00\x00\x00", "\x10\x00\x00\x00\x00\x00\x00\x01", "\x30\x64\x9e\xdf\x9b\xe7\xd2\xc2"},
	} {
		c, err := newRC2([]byte(test.key))
		if err != nil {
			t.Fatal(err)
		}
		got, back := make([]byte, 8), make([]byte, 8)
		c.Encrypt(got, []byte(test.plain))
		if c.Decrypt(back, got); string(got) != test.cipher || string(back) != test.plain {
			t.Errorf("%x: %x and back %x, want %x", test.plain, got, back, test.cipher)
		}
	}
}

// FuzzStores wants an error or keys for any bytes, and no panic.
func FuzzStores(f *testing.F) {
	// Those with few iterations, so that it is quick.
	for _, file := range []string{"testdata/key.jks", "testdata/trust.jks", "testdata/openssl.p12", "testdata/openssl-legacy.p12", "testdata/openssl-trust.p12", "testdata/key.pem"} {
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b, false)
		f.Add(b, true)
	}
	f.Fuzz(func(t *testing.T, b []byte, trust bool) {
		for _, format := range []string{"JKS", "PEM"} {
			// Without verification of the digest more of the reader is reached.
			for _, p := range []passwords{{"store-secret", "key-secret"}, {"", "key-secret"}} {
				store, err := open(format, b, p, trust)
				if err != nil {
					continue
				}
				for _, key := range store.keys {
					if key.Leaf == nil || key.PrivateKey == nil {
						t.Errorf("%+v", key)
					}
				}
				store.trustPool()
			}
		}
	})
}
