package tlsstore

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
)

// replace writes a file of testdata (or text) in place of another one, as a new file.
func replace(t *testing.T, path, from string) {
	t.Helper()
	b, err := os.ReadFile("testdata/" + from)
	if err != nil {
		b = []byte(from)
	}
	if err := os.WriteFile(path+".new", b, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

func TestChangedStoresAreReadAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key.pem")
	replace(t, path, "key.pem")
	core, logs := observer.New(zapcore.InfoLevel)
	s := NewSource(map[string]string{"ssl.keystore.location": path, "ssl.keystore.type": "PEM", "ssl.key.password": "key-secret"}, Options{}, zap.New(core))
	get := func() *Config {
		t.Helper()
		c, err := s.Config()
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	first := get()
	if get() != first {
		t.Error("the store is read without a change")
	}
	replace(t, path, "sealed.pem")
	second := get()
	if second == first || get() != second {
		t.Error("the changed store is not read, or read twice")
	}
	// What cannot be used leaves the last good one, and is told once.
	replace(t, path, "half a file")
	for range 2 {
		if get() != second || logs.FilterLevelExact(zapcore.ErrorLevel).Len() != 1 {
			t.Errorf("a broken store: %v", logs.All())
		}
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if get() != second {
		t.Error("a missing store closes the worker")
	}
	replace(t, path, "key.pem")
	if third := get(); third == second {
		t.Error("a store that came back is not read")
	}
	// The same file, written over.
	if err := os.Chtimes(path, time.Time{}, time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	if n := logs.FilterMessageSnippet("were read again").Len(); n != 2 {
		t.Errorf("read again %d times", n)
	}
	if get(); logs.FilterMessageSnippet("were read again").Len() != 3 {
		t.Error("a new time of the file is no change")
	}
}

func TestTheFirstReadingFailsOpenly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key.pem")
	s := NewSource(map[string]string{"ssl.keystore.location": path, "ssl.keystore.type": "PEM"}, Options{}, zap.NewNop())
	if c, err := s.Config(); c != nil || err == nil {
		t.Fatal("a missing store is no error")
	}
	if _, err := s.Client(); err == nil {
		t.Error("a client without its settings")
	}
	if _, err := s.Server().GetConfigForClient(nil); err == nil {
		t.Error("a server without its settings")
	}
	replace(t, path, "key.pem")
	if _, err := s.Client(); err != nil {
		t.Error(err)
	}
}

// TestAChangedTrustStoreHoldsForTheNextConnection: also for a client that was let in before,
// which may offer to resume its session.
func TestAChangedTrustStoreHoldsForTheNextConnection(t *testing.T) {
	trust := filepath.Join(t.TempDir(), "trust.pem")
	replace(t, trust, "ca.pem")
	server := NewSource(with(keyStore("key.pem", "PEM", "", ""), map[string]string{
		"ssl.truststore.location": trust, "ssl.truststore.type": "PEM", "ssl.client.auth": "required"}), Options{}, zap.NewNop())
	if _, err := server.Config(); err != nil {
		t.Fatal(err)
	}
	client := mustRead(t, with(keyStore("key.pem", "PEM", "", ""), trustStore("ca.pem", "PEM", "")), Options{}).Client()
	client.ClientSessionCache = tls.NewLRUClientSessionCache(1)
	for range 2 {
		if _, err := handshake(t, server.Server(), client, ""); err != nil {
			t.Fatal(err)
		}
	}
	replace(t, trust, otherAuthority(t))
	if _, err := handshake(t, server.Server(), client, ""); err == nil {
		t.Error("a client of an authority that is not trusted any more is let in")
	}
}

// otherAuthority makes a certificate that has signed nothing, as PEM.
func otherAuthority(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}
