package kafka

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/IBM/sarama"
)

// readTLS fills in ssl.*. PEM is read inline and from files; the JVM's own key
// store formats are not read yet.
func readTLS(r *propReader, c *sarama.Config) {
	cfg := &tls.Config{MinVersion: tls.VersionTLS12}
	readTLSVersions(r, cfg)
	readTrust(r, cfg)
	readIdentity(r, cfg)
	switch algorithm := r.str("ssl.endpoint.identification.algorithm", "https"); strings.ToLower(algorithm) {
	case "https":
	case "":
		skipHostNameCheck(cfg)
	default:
		r.fail("ssl.endpoint.identification.algorithm", algorithm, "use https, or nothing to accept any host name")
	}
	if suites := r.list("ssl.cipher.suites"); len(suites) > 0 {
		cfg.CipherSuites = cipherSuites(r, suites)
	}
	c.Net.TLS.Enable = true
	c.Net.TLS.Config = cfg
}

// skipHostNameCheck verifies the chain but not the name, as Java does when
// ssl.endpoint.identification.algorithm is empty.
func skipHostNameCheck(cfg *tls.Config) {
	cfg.InsecureSkipVerify = true //nolint:gosec // the chain is verified below
	roots := cfg.RootCAs
	cfg.VerifyConnection = func(cs tls.ConnectionState) error {
		opts := x509.VerifyOptions{Roots: roots, Intermediates: x509.NewCertPool()}
		for _, cert := range cs.PeerCertificates[1:] {
			opts.Intermediates.AddCert(cert)
		}
		if _, err := cs.PeerCertificates[0].Verify(opts); err != nil {
			return &tls.CertificateVerificationError{UnverifiedCertificates: cs.PeerCertificates, Err: err}
		}
		return nil
	}
}

var tlsVersions = map[string]uint16{
	"TLSv1": tls.VersionTLS10, "TLSv1.1": tls.VersionTLS11, "TLSv1.2": tls.VersionTLS12, "TLSv1.3": tls.VersionTLS13,
}

func readTLSVersions(r *propReader, cfg *tls.Config) {
	const key = "ssl.enabled.protocols"
	enabled := r.list(key)
	if len(enabled) == 0 {
		return
	}
	cfg.MinVersion, cfg.MaxVersion = 0, 0
	for _, name := range enabled {
		v, ok := tlsVersions[name]
		if !ok {
			r.fail(key, strings.Join(enabled, ","), name+" is not known. Use TLSv1.2,TLSv1.3")
			return
		}
		if cfg.MinVersion == 0 || v < cfg.MinVersion {
			cfg.MinVersion = v
		}
		cfg.MaxVersion = max(cfg.MaxVersion, v)
	}
}

func cipherSuites(r *propReader, names []string) []uint16 {
	known := map[string]uint16{}
	for _, s := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
		known[s.Name] = s.ID
	}
	var ids []uint16
	for _, n := range names {
		id, ok := known[n]
		if !ok {
			r.fail("ssl.cipher.suites", strings.Join(names, ","), n+" is not known")
			continue
		}
		ids = append(ids, id)
	}
	return ids
}

// storeFormat checks a store type; it returns false after reporting a problem.
func storeFormat(r *propReader, key string) bool {
	switch format := strings.ToUpper(r.str(key, "JKS")); format {
	case "PEM":
		return true
	case "JKS", "PKCS12":
		r.fail(key, format, "only PEM is supported yet. Convert the store, e.g. with keytool -importkeystore to PKCS12"+
			" and openssl pkcs12 -in store.p12 -out store.pem, and set "+key+"=PEM")
	default:
		r.fail(key, format, "unknown store type. Use PEM")
	}
	return false
}

func readTrust(r *propReader, cfg *tls.Config) {
	const inline, file = "ssl.truststore.certificates", "ssl.truststore.location"
	if r.str(inline, "") == "" && r.str(file, "") == "" {
		return // the system's authorities
	}
	if !storeFormat(r, "ssl.truststore.type") {
		return
	}
	key, text := inline, r.str(inline, "")
	if text == "" {
		key = file
		b, err := os.ReadFile(r.str(file, ""))
		if err != nil {
			r.fail(file, r.str(file, ""), "cannot be read: "+err.Error())
			return
		}
		text = string(b)
	}
	cfg.RootCAs = x509.NewCertPool()
	if !cfg.RootCAs.AppendCertsFromPEM([]byte(unfoldPEM(text))) {
		r.failSecret(key, "it contains no PEM certificate")
	}
}

func readIdentity(r *propReader, cfg *tls.Config) {
	const chainKey, keyKey, file = "ssl.keystore.certificate.chain", "ssl.keystore.key", "ssl.keystore.location"
	chain, key := r.str(chainKey, ""), r.str(keyKey, "")
	if chain == "" && key == "" && r.str(file, "") == "" {
		return // no client certificate
	}
	if !storeFormat(r, "ssl.keystore.type") {
		return
	}
	name := chainKey
	if chain == "" && key == "" {
		name = file
		b, err := os.ReadFile(r.str(file, ""))
		if err != nil {
			r.fail(file, r.str(file, ""), "cannot be read: "+err.Error())
			return
		}
		chain, key = string(b), string(b)
	}
	if chain == "" || key == "" {
		r.failSecret(name, chainKey+" and "+keyKey+" must be set together")
		return
	}
	cert, err := keyPair(unfoldPEM(chain), unfoldPEM(key))
	if err != nil {
		r.failSecret(name, err.Error())
		return
	}
	cfg.Certificates = []tls.Certificate{cert}
}

func keyPair(chain, key string) (tls.Certificate, error) {
	for rest := []byte(key); ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type == "ENCRYPTED PRIVATE KEY" {
			return tls.Certificate{}, errors.New("encrypted private keys (ssl.key.password) are not supported yet;" +
				" decrypt it with openssl pkcs8 -in key.pem -out plain.pem")
		}
	}
	cert, err := tls.X509KeyPair([]byte(chain), []byte(key))
	if err != nil {
		return cert, fmt.Errorf("not a PEM certificate chain with its private key: %w", err)
	}
	return cert, nil
}

// unfoldPEM puts line ends back into PEM text that was written on one line of a
// properties file, which Java accepts: the markers stand alone on their lines.
func unfoldPEM(text string) string {
	if strings.Count(text, "\n") > 1 {
		return text
	}
	var b strings.Builder
	for text != "" {
		begin := strings.Index(text, "-----BEGIN ")
		if begin < 0 {
			break
		}
		text = text[begin:]
		head := strings.Index(text[11:], "-----")
		end := strings.Index(text, "-----END ")
		if head < 0 || end < head+16 {
			break
		}
		tail := strings.Index(text[end+9:], "-----")
		if tail < 0 {
			break
		}
		stop := end + 9 + tail + 5
		b.WriteString(text[:head+16] + "\n")
		b.WriteString(strings.Join(strings.Fields(text[head+16:end]), "\n"))
		b.WriteString("\n" + text[end:stop] + "\n")
		text = text[stop:]
	}
	if b.Len() == 0 {
		return text
	}
	return b.String()
}
