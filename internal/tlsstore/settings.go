package tlsstore

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"os"
	"slices"
	"strings"

	"github.com/penstock-io/penstock/connect/config"
)

// Options tell what the properties are for.
type Options struct {
	// Prefix is what stood before the keys in the file, e.g. "listeners.https."; it is put
	// before the keys that errors name.
	Prefix string
	// TrustOwnStore makes the certificates of the key store the trusted ones when there is
	// no trust store, as Jetty does; else those of the system are.
	TrustOwnStore bool
}

// Config is what ssl.* properties say. It does not change and may be shared.
type Config struct {
	identities []tls.Certificate
	trust      *x509.CertPool // nil: the system's
	min, max   uint16
	suites     []uint16 // nil: those of crypto/tls
	anyHost    bool
	clientAuth tls.ClientAuthType
	server     *tls.Config
}

// Read reads ssl.* properties and the files they name. All that is wrong is returned
// together, as *config.Error with the key; no error shows a password or a key.
func Read(props map[string]string, o Options) (*Config, error) {
	r, c := &reader{props: props, prefix: o.Prefix}, &Config{}
	r.versions(c)
	r.suites(c)
	own := r.identity(c)
	r.trust(c, own, o.TrustOwnStore)
	r.checks(c)
	if err := errors.Join(r.errs...); err != nil {
		return nil, err
	}
	c.server = &tls.Config{Certificates: c.identities, ClientCAs: c.trust, ClientAuth: c.clientAuth,
		MinVersion: c.min, MaxVersion: c.max, CipherSuites: c.suites,
		// A session would outlive the trust store that let its client in.
		SessionTicketsDisabled: c.clientAuth != tls.NoClientCert}
	return c, nil
}

// HasKey tells whether there is a key of one's own, which a server cannot do without.
func (c *Config) HasKey() bool { return len(c.identities) > 0 }

// Subject returns the distinguished name in the first of one's own certificates, as Kafka's
// brokers spell it (RFC 2253); "" when there is none.
func (c *Config) Subject() string {
	if !c.HasKey() || c.identities[0].Leaf == nil {
		return ""
	}
	return c.identities[0].Leaf.Subject.String()
}

// Client returns the settings of a connection that is opened. The server's name is the
// caller's to set where net/http does not.
func (c *Config) Client() *tls.Config {
	cfg := &tls.Config{RootCAs: c.trust, MinVersion: c.min, MaxVersion: c.max, CipherSuites: c.suites}
	if c.HasKey() {
		cfg.GetClientCertificate = c.clientCertificate
	}
	if c.anyHost {
		skipHostNameCheck(cfg)
	}
	return cfg
}

// clientCertificate chooses the first that the server can use by what it says. When there is
// none the first is shown all the same: a server that trusts certificates themselves, and not
// who issued them, names the wrong issuers.
func (c *Config) clientCertificate(request *tls.CertificateRequestInfo) (*tls.Certificate, error) {
	for i := range c.identities {
		if request.SupportsCertificate(&c.identities[i]) == nil {
			return &c.identities[i], nil
		}
	}
	return &c.identities[0], nil
}

// Server returns the settings of a listener, always the same value.
func (c *Config) Server() *tls.Config { return c.server }

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

// reader collects every wrong value, so that a user sees all mistakes at once.
type reader struct {
	props  map[string]string
	prefix string
	errs   []error
}

// fail records a problem with a value that may be shown.
func (r *reader) fail(key, value, why string) {
	r.errs = append(r.errs, config.Invalid(r.prefix+key, value, why))
}

// failSecret records a problem with a value that must not be shown.
func (r *reader) failSecret(key, why string) { r.fail(key, "[hidden]", why) }

func (r *reader) str(key, byDefault string) string {
	if v, ok := r.props[key]; ok {
		return strings.TrimSpace(v)
	}
	return byDefault
}

func (r *reader) list(key string) []string {
	var items []string
	for item := range strings.SplitSeq(r.props[key], ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}

// versions reads ssl.enabled.protocols and ssl.protocol, which is the highest that may be
// negotiated. Versions before 1.2 are left out as present Java runtimes do, which have them
// disabled: a list that holds them beside newer ones goes on working.
func (r *reader) versions(c *Config) {
	const key, protocolKey = "ssl.enabled.protocols", "ssl.protocol"
	c.min, c.max = tls.VersionTLS12, tls.VersionTLS13
	if enabled := r.list(key); len(enabled) > 0 {
		c.min, c.max = tls.VersionTLS13, 0
		for _, name := range enabled {
			switch name {
			case "TLSv1.3":
				c.max = tls.VersionTLS13
			case "TLSv1.2":
				c.min, c.max = tls.VersionTLS12, max(c.max, tls.VersionTLS12)
			case "TLSv1", "TLSv1.1", "SSLv3", "SSLv2Hello":
			default:
				r.fail(key, strings.Join(enabled, ","), name+" is not known. Use TLSv1.2,TLSv1.3")
				return
			}
		}
		if c.max == 0 {
			r.fail(key, strings.Join(enabled, ","), "none of these is safe any more. Use TLSv1.2,TLSv1.3")
			return
		}
	}
	switch protocol := r.str(protocolKey, "TLSv1.3"); protocol {
	case "TLSv1.3", "TLS", "":
	case "TLSv1.2":
		if c.max = min(c.max, tls.VersionTLS12); c.max < c.min {
			r.fail(protocolKey, protocol, key+" has none of the versions up to this one. Use TLSv1.3")
		}
	default:
		r.fail(protocolKey, protocol, "Use TLSv1.3 or TLSv1.2")
	}
}

// suites reads ssl.cipher.suites. Those of TLS 1.3 cannot be chosen singly; a list without
// any of them rules out that version, and one with nothing else the older one.
func (r *reader) suites(c *Config) {
	const key = "ssl.cipher.suites"
	names := r.list(key)
	if len(names) == 0 {
		return
	}
	known := map[string]*tls.CipherSuite{}
	var usual []string
	for _, s := range tls.CipherSuites() {
		known[s.Name] = s
		usual = append(usual, s.Name)
	}
	for _, s := range tls.InsecureCipherSuites() {
		known[s.Name] = s
	}
	newest, failed := false, false
	for _, name := range names {
		switch s := known[name]; {
		case s == nil:
			failed = true
			r.fail(key, strings.Join(names, ","), name+" is not known. Use some of "+strings.Join(usual, ","))
		case !slices.Contains(s.SupportedVersions, tls.VersionTLS12):
			newest = true
		default:
			c.suites = append(c.suites, s.ID)
		}
	}
	if failed {
		return
	}
	if !newest {
		c.max = min(c.max, tls.VersionTLS12)
	}
	if c.suites == nil {
		c.min = max(c.min, tls.VersionTLS13)
	}
	if c.max < c.min {
		r.fail(key, strings.Join(names, ","), "none of these belongs to a TLS version that is enabled (ssl.enabled.protocols, ssl.protocol)")
	}
}

// checks reads how the other side is checked: a server by its name, a client by its
// certificate.
func (r *reader) checks(c *Config) {
	const key, authKey = "ssl.endpoint.identification.algorithm", "ssl.client.auth"
	switch algorithm := r.str(key, "https"); strings.ToLower(algorithm) {
	case "https":
	case "":
		c.anyHost = true
	default:
		r.fail(key, algorithm, "use https, or nothing to accept any host name")
	}
	switch auth := r.str(authKey, "none"); auth {
	case "none":
	case "requested":
		c.clientAuth = tls.VerifyClientCertIfGiven
	case "required":
		c.clientAuth = tls.RequireAndVerifyClientCert
	default:
		r.fail(authKey, auth, "String must be one of: required, requested, none")
	}
}

// format checks a store type; it returns false after reporting a problem.
func (r *reader) format(key string) (format string, ok bool) {
	switch format := strings.ToUpper(r.str(key, "JKS")); format {
	case "JKS", "PKCS12", "PEM":
		return format, true
	default:
		r.fail(key, format, "unknown store type. Use JKS, PKCS12 or PEM")
		return "", false
	}
}

// trust reads the trust store.
func (r *reader) trust(c *Config, own contents, trustOwn bool) {
	const inline, file, typeKey, passwordKey = "ssl.truststore.certificates", "ssl.truststore.location", "ssl.truststore.type", "ssl.truststore.password"
	if r.str(inline, "") == "" && r.str(file, "") == "" {
		if trustOwn && c.HasKey() {
			c.trust = own.trustPool()
		}
		return // the system's authorities
	}
	format, ok := r.format(typeKey)
	if !ok {
		return
	}
	var store contents
	if text := r.str(inline, ""); text != "" {
		if format != "PEM" {
			r.fail(typeKey, format, "certificates within the properties are PEM. Set "+typeKey+"=PEM")
			return
		}
		store.trusted, _ = pemCertificates(text)
		if len(store.trusted) == 0 {
			r.failSecret(inline, "it contains no PEM certificate")
			return
		}
	} else if store, ok = r.store(format, file, passwordKey, "", true); !ok {
		return
	}
	c.trust = store.trustPool()
}

// identity reads the own keys with their certificates.
func (r *reader) identity(c *Config) (own contents) {
	const chainKey, keyKey, file, typeKey = "ssl.keystore.certificate.chain", "ssl.keystore.key", "ssl.keystore.location", "ssl.keystore.type"
	chain, key := r.str(chainKey, ""), r.str(keyKey, "")
	if chain == "" && key == "" && r.str(file, "") == "" {
		return own
	}
	format, ok := r.format(typeKey)
	if !ok {
		return own
	}
	if chain == "" && key == "" {
		if own, ok = r.store(format, file, "ssl.keystore.password", "ssl.key.password", false); ok {
			c.identities = own.keys
		}
		return own
	}
	switch {
	case format != "PEM":
		r.fail(typeKey, format, "keys within the properties are PEM. Set "+typeKey+"=PEM")
		return own
	case chain == "" || key == "":
		r.failSecret(chainKey, chainKey+" and "+keyKey+" must be set together")
		return own
	}
	cert, err := pemKeyPair(chain, key, r.props["ssl.key.password"])
	if err != nil {
		r.failSecret(chainKey, err.Error())
		return own
	}
	own.keys = []tls.Certificate{cert}
	c.identities = own.keys
	return own
}

// store opens a store file. keyPasswordKey is empty for a trust store.
func (r *reader) store(format, file, passwordKey, keyPasswordKey string, trust bool) (contents, bool) {
	path := r.str(file, "")
	b, err := os.ReadFile(path)
	if err != nil {
		r.fail(file, path, "cannot be read: "+err.Error())
		return contents{}, false
	}
	// Passwords are taken as they are: blanks may belong to them.
	p := passwords{store: r.props[passwordKey], key: r.props[keyPasswordKey]}
	store, err := open(format, b, p, trust)
	switch {
	case errors.Is(err, errStorePassword):
		r.failSecret(passwordKey, err.Error()+" "+path)
	case errors.Is(err, errKeyPassword):
		r.failSecret(keyPasswordKey, err.Error()+" "+path)
	case err != nil:
		r.fail(file, path, err.Error())
	case trust && len(store.trusted) == 0 && len(store.keys) == 0:
		r.fail(file, path, "it contains no certificate to trust")
	case !trust && len(store.keys) == 0:
		r.fail(file, path, "it contains no private key with its certificate")
	default:
		return store, true
	}
	return contents{}, false
}
