package stack

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// SecureKafka is a Kafka broker with an authorizer, one SASL_SSL listener for all mechanisms and
// one SSL listener that demands certificates, and the KDC and the identity provider that it
// believes. Nobody may do anything there without an ACL. At KafkaCluster.Bootstrap, without TLS,
// everybody may do everything.
type SecureKafka struct {
	*KafkaCluster
	SASL string // localhost:port
	SSL  string // localhost:port

	CA        string // file, PEM
	Authority *Authority
	KDC       *KDC
	Issuer    *Issuer // the test serves its token endpoint
}

// SecureOptions says who can log in.
type SecureOptions struct {
	Dir   string            // data and logs, required
	Users map[string]string // SCRAM-SHA-512 and PLAIN: passwords by name
	// Principals are those of the KDC, without realm. The broker's is added.
	Principals []string
	Clients    map[string]string // of the identity provider: secrets by client id
	TokenLife  time.Duration
	// Settings are added to server.properties.
	Settings map[string]string
}

// StartSecureKafka starts all of it.
func StartSecureKafka(ctx context.Context, o SecureOptions) (*SecureKafka, error) {
	k := &SecureKafka{CA: filepath.Join(o.Dir, "ca.pem")}
	var err error
	if k.Authority, err = NewAuthority(); err != nil {
		return nil, err
	}
	if k.Issuer, err = NewIssuer("kafka", o.Clients, o.TokenLife); err != nil {
		return nil, err
	}
	server, err := k.Authority.Issue("broker")
	if err != nil {
		return nil, err
	}
	jwks := filepath.Join(o.Dir, "jwks.json")
	if err := writeFiles(o.Dir, map[string]string{"ca.pem": k.Authority.CA, "broker.pem": server, "jwks.json": k.Issuer.JWKS()}); err != nil {
		return nil, err
	}
	if k.KDC, err = StartKDC(ctx, filepath.Join(o.Dir, "kdc"), append([]string{"kafka/localhost"}, o.Principals...)...); err != nil {
		return nil, err
	}
	ports, err := FreePorts(2)
	if err != nil {
		return nil, err
	}
	k.SASL, k.SSL = fmt.Sprintf("localhost:%d", ports[0]), fmt.Sprintf("localhost:%d", ports[1])
	settings := k.settings(o)
	maps.Copy(settings, o.Settings)
	options := KafkaOptions{
		Dir: o.Dir, Settings: settings,
		Listeners: []Listener{{"SASL", "SASL_SSL", ports[0]}, {"SSL", "SSL", ports[1]}},
		JVMArgs: []string{"-Djava.security.krb5.conf=" + k.KDC.Config,
			"-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls=file://" + jwks},
	}
	for _, name := range slices.Sorted(maps.Keys(o.Users)) {
		options.FormatArgs = append(options.FormatArgs, "--add-scram", fmt.Sprintf("SCRAM-SHA-512=[name=%s,password=%s,iterations=4096]", name, o.Users[name]))
	}
	if k.KafkaCluster, err = StartKafka(ctx, options); err != nil {
		k.KDC.Stop() //nolint:errcheck // the start error says it all
		return nil, err
	}
	return k, nil
}

func (k *SecureKafka) settings(o SecureOptions) map[string]string {
	const listener = "listener.name.sasl."
	plain := "org.apache.kafka.common.security.plain.PlainLoginModule required"
	for name, password := range o.Users {
		plain += fmt.Sprintf(" user_%s=%q", name, password)
	}
	s := map[string]string{
		// The plain listener's users, the broker itself among them, have no name.
		"authorizer.class.name":                                     "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
		"super.users":                                               "User:ANONYMOUS",
		"allow.everyone.if.no.acl.found":                            "false",
		listener + "sasl.enabled.mechanisms":                        "SCRAM-SHA-512,PLAIN,OAUTHBEARER,GSSAPI",
		listener + "scram-sha-512.sasl.jaas.config":                 "org.apache.kafka.common.security.scram.ScramLoginModule required;",
		listener + "plain.sasl.jaas.config":                         plain + ";",
		listener + "oauthbearer.sasl.jaas.config":                   "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required;",
		listener + "oauthbearer.sasl.server.callback.handler.class": "org.apache.kafka.common.security.oauthbearer.OAuthBearerValidatorCallbackHandler",
		listener + "oauthbearer.sasl.oauthbearer.jwks.endpoint.url": "file://" + filepath.Join(o.Dir, "jwks.json"),
		listener + "oauthbearer.sasl.oauthbearer.expected.audience": k.Issuer.Audience,
		listener + "gssapi.sasl.jaas.config":                        fmt.Sprintf("com.sun.security.auth.module.Krb5LoginModule required useKeyTab=true storeKey=true keyTab=%q principal=%q;", k.KDC.Keytab, "kafka/localhost@"+Realm),
		listener + "gssapi.sasl.kerberos.service.name":              "kafka",
		"sasl.kerberos.service.name":                                "kafka",
		"listener.name.ssl.ssl.client.auth":                         "required",
		"listener.name.ssl.ssl.principal.mapping.rules":             "DEFAULT",
	}
	for _, name := range []string{listener, "listener.name.ssl."} {
		s[name+"ssl.keystore.type"], s[name+"ssl.keystore.location"] = "PEM", filepath.Join(o.Dir, "broker.pem")
		s[name+"ssl.truststore.type"], s[name+"ssl.truststore.location"] = "PEM", k.CA
	}
	return s
}

// Stop stops all of it.
func (k *SecureKafka) Stop() error {
	err := k.KafkaCluster.Stop()
	if kdcErr := k.KDC.Stop(); err == nil {
		err = kdcErr
	}
	return err
}

// WriteIdentity writes a key with its certificate, issued for name, into a PEM file that can be
// a key store.
func (k *SecureKafka) WriteIdentity(path, name string) error {
	text, err := k.Authority.Issue(name)
	if err != nil {
		return err
	}
	return os.WriteFile(path, []byte(text), 0o600)
}
