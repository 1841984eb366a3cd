package kafka

import (
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/penstock-io/penstock/internal/jaas"
	"github.com/penstock-io/penstock/internal/kafka/sasl"
	"github.com/penstock-io/penstock/internal/tlsstore"
)

const (
	loginHandlerKey = "sasl.login.callback.handler.class"
	retrieverKey    = "sasl.oauthbearer.jwt.retriever.class"
	validatorKey    = "sasl.oauthbearer.jwt.validator.class"
	endpointKey     = "sasl.oauthbearer.token.endpoint.url"
	clientIDKey     = "sasl.oauthbearer.client.credentials.client.id"
	secretKey       = "sasl.oauthbearer.client.credentials.client.secret"
	scopeKey        = "sasl.oauthbearer.scope"

	oauthPackage     = "org.apache.kafka.common.security.oauthbearer."
	securedHandler   = oauthPackage + "OAuthBearerLoginCallbackHandler"
	olderHandler     = oauthPackage + "secured.OAuthBearerLoginCallbackHandler" // before Kafka 4
	unsecuredHandler = oauthPackage + "internals.unsecured.OAuthBearerUnsecuredLoginCallbackHandler"

	// allowedURLs is the JVM's guard: connectors bring settings of their own, and must not make a
	// worker ask any address, or read any file, in its own name.
	allowedURLs = "org.apache.kafka.sasl.oauthbearer.allowed.urls"
)

// readOAuth reads how to get tokens. Without a login callback handler the JVM makes tokens without
// signature; here a token endpoint says enough.
func readOAuth(r *propReader, entry *jaas.Entry, jvmOptions string) *loginSpec {
	before := len(r.errs)
	r.onlyClass(loginHandlerKey, securedHandler, olderHandler, unsecuredHandler)
	r.onlyClass(retrieverKey, oauthPackage+"DefaultJwtRetriever", oauthPackage+"ClientCredentialsJwtRetriever", oauthPackage+"FileJwtRetriever")
	r.onlyClass(validatorKey, oauthPackage+"DefaultJwtValidator", oauthPackage+"ClientJwtValidator")
	for _, key := range slices.Sorted(maps.Keys(r.props)) {
		if strings.HasPrefix(key, "sasl.oauthbearer.assertion.") {
			r.fail(key, "[hidden]", "assertions in place of a client secret are not supported. Use "+clientIDKey+" and "+secretKey)
		}
	}
	o := r.loginTimes()
	handler := r.str(loginHandlerKey, "")
	if handler == unsecuredHandler || handler == "" && r.str(endpointKey, "") == "" {
		r.unsecured(entry, &o)
	} else {
		r.secured(entry, jvmOptions, &o)
	}
	r.checkExtensions(o.Extensions)
	if len(r.errs) > before {
		return nil
	}
	return &loginSpec{key: loginKey(r.props, entry.Options), make: func(log *zap.Logger) sasl.Mechanism { return sasl.NewOAuthBearer(o, log) }}
}

// loginTimes reads when tokens are renewed and how failures are repeated.
func (r *propReader) loginTimes() sasl.OAuthOptions {
	return sasl.OAuthOptions{
		RefreshFactor: r.double("sasl.login.refresh.window.factor", 0.8, 0.5, 1),
		RefreshJitter: r.double("sasl.login.refresh.window.jitter", 0.05, 0, 0.25),
		RefreshMin:    time.Duration(r.integer("sasl.login.refresh.min.period.seconds", 60, 0, 900, "SHORT")) * time.Second,
		RefreshBuffer: time.Duration(r.integer("sasl.login.refresh.buffer.seconds", 300, 0, 3600, "SHORT")) * time.Second,
		RetryBackoff:  r.longMillis("sasl.login.retry.backoff.ms", 100, 0),
		RetryMax:      r.longMillis("sasl.login.retry.backoff.max.ms", 10_000, 0),
	}
}

func (r *propReader) unsecured(entry *jaas.Entry, o *sasl.OAuthOptions) {
	u, subject, extensions, err := sasl.ReadUnsecured(entry.Options)
	if err != nil {
		r.failSecret(jaasKey, err.Error())
		return
	}
	o.Source, o.SubjectClaim, o.Extensions = u.Source(), subject, extensions
}

// secured reads where tokens come from: an endpoint, or a file.
func (r *propReader) secured(entry *jaas.Entry, jvmOptions string, o *sasl.OAuthOptions) {
	o.SubjectClaim = r.str("sasl.oauthbearer.sub.claim.name", "sub")
	o.Extensions = map[string]string{}
	for name, value := range entry.Options {
		if ext, ok := strings.CutPrefix(name, "extension_"); ok {
			o.Extensions[ext] = value
		}
	}
	u := r.endpoint(jvmOptions)
	if u == nil {
		return
	}
	if u.Scheme == "file" {
		o.Source = sasl.TokenFile(u.Path)
		return
	}
	if r.str(retrieverKey, "") == oauthPackage+"FileJwtRetriever" {
		r.fail(retrieverKey, r.str(retrieverKey, ""), endpointKey+" is no file: URL")
	}
	c := sasl.ClientCredentials{
		URL: u.String(), ID: r.configOrJAAS(clientIDKey, entry, "clientId", true), Secret: r.configOrJAAS(secretKey, entry, "clientSecret", true),
		Scope: r.configOrJAAS(scopeKey, entry, "scope", false), URLEncode: r.boolean("sasl.oauthbearer.header.urlencode", false),
		Connect: r.intMillis("sasl.login.connect.timeout.ms", 0, 0), Read: r.intMillis("sasl.login.read.timeout.ms", 0, 0),
	}
	// TLS of the endpoint is set among the options of the login module, as for the JVM.
	ssl := map[string]string{}
	for name, value := range entry.Options {
		if strings.HasPrefix(name, "ssl.") {
			ssl[name] = value
		}
	}
	if len(ssl) > 0 && u.Scheme == "https" {
		if _, err := tlsstore.Read(ssl, tlsstore.Options{}); err != nil {
			r.failSecret(jaasKey, err.Error())
		}
		c.TLS = tlsstore.NewSource(ssl, tlsstore.Options{}, zap.NewNop()).Client
	}
	o.Source = c.Source()
}

// endpoint reads the URL and whether it is allowed; nil after reporting a problem.
func (r *propReader) endpoint(jvmOptions string) *url.URL {
	text := r.str(endpointKey, "")
	if text == "" {
		r.missing(endpointKey, " Set it to the token endpoint of the identity provider, or to a file: URL of a token.")
		return nil
	}
	u, err := url.Parse(text)
	switch {
	case err != nil:
		r.fail(endpointKey, "[hidden]", "it is no URL") // what is wrong may be in a password
		return nil
	case u.Scheme != "http" && u.Scheme != "https" && u.Scheme != "file":
		r.fail(endpointKey, u.Redacted(), `only "http", "https", and "file" protocol are supported`)
		return nil
	case u.Scheme == "file" && u.Path == "", u.Scheme != "file" && u.Host == "":
		r.fail(endpointKey, u.Redacted(), "the URL is not complete")
		return nil
	}
	for allowed := range strings.SplitSeq(jaas.SystemProperty(jvmOptions, allowedURLs), ",") {
		if strings.TrimSpace(allowed) == text {
			return u
		}
	}
	r.fail(endpointKey, u.Redacted(), fmt.Sprintf("The URL cannot be accessed due to restrictions. Update the system property '%s' to allow the URL to be accessed."+
		" Set it in the worker's environment: KAFKA_OPTS=-D%s=%s", allowedURLs, allowedURLs, u.Redacted()))
	return nil
}

// configOrJAAS reads a key, or the option of the login module in which it stood before Kafka 4.1.
func (r *propReader) configOrJAAS(key string, entry *jaas.Entry, option string, required bool) string {
	if v := r.str(key, ""); v != "" {
		return v
	}
	v := strings.TrimSpace(entry.Options[option])
	if v == "" && required {
		r.missing(key, " It belongs to "+endpointKey+"; it may stand in sasl.jaas.config as "+option+`="…", too.`)
	}
	return v
}

var (
	extensionName  = regexp.MustCompile(`^[A-Za-z]+$`)
	extensionValue = regexp.MustCompile(`^[\x21-\x7E \t\r\n]+$`)
)

// checkExtensions follows RFC 7628, 3.1.
func (r *propReader) checkExtensions(extensions map[string]string) {
	for name, value := range extensions {
		switch {
		case name == "auth":
			r.failSecret(jaasKey, "Extension name auth is invalid")
		case !extensionName.MatchString(name):
			r.failSecret(jaasKey, "Extension name "+name+" is invalid: only letters may be used")
		case !extensionValue.MatchString(value):
			r.failSecret(jaasKey, "the value of the extension "+name+" is invalid: only printable ASCII may be used")
		}
	}
}
