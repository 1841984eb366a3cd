package kafka

import (
	"strings"

	"github.com/IBM/sarama"

	"github.com/penstock-io/penstock/internal/jaas"
)

// readSecurity fills in security.protocol, sasl.* and ssl.*.
func readSecurity(r *propReader, c *sarama.Config) {
	protocol := r.oneOfFold("security.protocol", "PLAINTEXT", "PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
	if strings.HasSuffix(protocol, "SSL") {
		readTLS(r, c)
	}
	if strings.HasPrefix(protocol, "SASL_") {
		readSASL(r, c)
	}
}

// readSASL fills in the mechanism and its login.
func readSASL(r *propReader, c *sarama.Config) {
	const key = "sasl.mechanism"
	c.Net.SASL.Enable = true
	switch mechanism := r.str(key, "GSSAPI"); mechanism {
	case sarama.SASLTypePlaintext:
		c.Net.SASL.Mechanism = sarama.SASLTypePlaintext
		readLogin(r, c, "org.apache.kafka.common.security.plain.PlainLoginModule")
	case sarama.SASLTypeSCRAMSHA256, sarama.SASLTypeSCRAMSHA512:
		c.Net.SASL.Mechanism = sarama.SASLMechanism(mechanism)
		c.Net.SASL.SCRAMClientGeneratorFunc = func() sarama.SCRAMClient { return newScramClient(mechanism) }
		readLogin(r, c, "org.apache.kafka.common.security.scram.ScramLoginModule")
	case sarama.SASLTypeGSSAPI, sarama.SASLTypeOAuth:
		r.fail(key, mechanism, "this mechanism is not supported yet. Use PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512"+
			" (GSSAPI is Java's default when security.protocol is SASL_… and sasl.mechanism is not set)")
	default:
		r.fail(key, mechanism, "unknown mechanism. Use PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512")
	}
}

// readLogin takes user and password out of sasl.jaas.config.
func readLogin(r *propReader, c *sarama.Config, module string) {
	const key = "sasl.jaas.config"
	if !r.has(key) {
		r.missing(key, " Set it to: "+module+" required username=\"...\" password=\"...\";"+
			" (a JAAS file given to the JVM is not read)")
		return
	}
	entry, err := jaas.ParseEntry(r.props[key])
	switch {
	case err != nil:
		r.failSecret(key, err.Error())
		return
	case entry.Module != module:
		r.failSecret(key, "the login module is "+entry.Module+", but sasl.mechanism "+string(c.Net.SASL.Mechanism)+" needs "+module)
		return
	case strings.EqualFold(entry.Options["tokenauth"], "true"):
		r.failSecret(key, "delegation tokens (tokenauth) are not supported yet")
		return
	}
	c.Net.SASL.User = entry.Options["username"]
	c.Net.SASL.Password = entry.Options["password"]
	if c.Net.SASL.User == "" {
		r.failSecret(key, "the option username is missing")
	}
	if c.Net.SASL.Password == "" {
		r.failSecret(key, "the option password is missing")
	}
}
