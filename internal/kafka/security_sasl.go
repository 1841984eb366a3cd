package kafka

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"go.uber.org/zap"

	"github.com/penstock-io/penstock/internal/jaas"
	"github.com/penstock-io/penstock/internal/kafka/sasl"
)

const (
	mechanismKey = "sasl.mechanism"
	jaasKey      = "sasl.jaas.config"
	// jaasContext is the section of a JAAS file that Kafka's clients use.
	jaasContext = "KafkaClient"
)

// Login modules by mechanism.
const (
	plainModule    = "org.apache.kafka.common.security.plain.PlainLoginModule"
	scramModule    = "org.apache.kafka.common.security.scram.ScramLoginModule"
	oauthModule    = "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule"
	kerberosModule = "com.sun.security.auth.module.Krb5LoginModule"
)

// readSASL reads the mechanism and its login. jvmOptions may name a JAAS file and krb5.conf, as
// KAFKA_OPTS does for the JVM worker. nil when something is wrong.
func readSASL(r *propReader, jvmOptions string) *loginSpec {
	r.onlyClass("sasl.client.callback.handler.class")
	r.onlyClass("sasl.login.class")
	switch mechanism := r.str(mechanismKey, "GSSAPI"); mechanism {
	case "PLAIN":
		r.onlyClass(loginHandlerKey)
		entry := r.jaasEntry(mechanism, plainModule, jvmOptions)
		if user, password, ok := r.password(entry); ok {
			return &loginSpec{make: func(*zap.Logger) sasl.Mechanism { return sasl.Plain{User: user, Password: password} }}
		}
	case sasl.ScramSHA256, sasl.ScramSHA512:
		r.onlyClass(loginHandlerKey)
		entry := r.jaasEntry(mechanism, scramModule, jvmOptions)
		if user, password, ok := r.password(entry); ok {
			s := &sasl.Scram{Mechanism: mechanism, User: user, Password: password, Token: strings.EqualFold(entry.Options["tokenauth"], "true")}
			return &loginSpec{make: func(*zap.Logger) sasl.Mechanism { return s }}
		}
	case "OAUTHBEARER":
		if entry := r.jaasEntry(mechanism, oauthModule, jvmOptions); entry != nil {
			return readOAuth(r, entry, jvmOptions)
		}
	case "GSSAPI":
		r.onlyClass(loginHandlerKey)
		if entry := r.jaasEntry(mechanism, kerberosModule, jvmOptions); entry != nil {
			return readKerberos(r, entry, jvmOptions)
		}
	default:
		r.fail(mechanismKey, mechanism, "unknown mechanism. Use PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER or GSSAPI")
	}
	return nil
}

// jaasEntry returns the login module's options: of sasl.jaas.config, else of the section
// KafkaClient in the JVM's JAAS file. nil after reporting a problem.
func (r *propReader) jaasEntry(mechanism, module, jvmOptions string) *jaas.Entry {
	if !r.has(jaasKey) {
		return r.jaasFileEntry(mechanism, module, jvmOptions)
	}
	entry, err := jaas.ParseEntry(r.props[jaasKey])
	switch {
	case err != nil:
		r.failSecret(jaasKey, err.Error())
		return nil
	case entry.Module != module:
		text := "the login module is " + entry.Module + ", but sasl.mechanism " + mechanism + " needs " + module
		if !r.has(mechanismKey) {
			text += " (GSSAPI is Java's default when security.protocol is SASL_… and sasl.mechanism is not set)"
		}
		r.failSecret(jaasKey, text)
		return nil
	}
	return &entry
}

// jaasFileEntry looks into the file that java.security.auth.login.config names.
func (r *propReader) jaasFileEntry(mechanism, module, jvmOptions string) *jaas.Entry {
	file := jaas.SystemProperty(jvmOptions, jaas.FileProperty)
	if file == "" {
		r.missing(jaasKey, " Set it for sasl.mechanism="+mechanism+" to: "+jaasExample(module)+
			" Or name a JAAS file with the section "+jaasContext+" by -D"+jaas.FileProperty+"=… in the environment variable KAFKA_OPTS.")
		return nil
	}
	b, err := os.ReadFile(file)
	if err != nil {
		r.fail(jaasKey, "null", "the JAAS file that KAFKA_OPTS names cannot be read: "+err.Error())
		return nil
	}
	sections, err := jaas.ParseFile(string(b))
	if err != nil {
		r.fail(jaasKey, "null", fmt.Sprintf("the JAAS file %s that KAFKA_OPTS names: %v", file, err))
		return nil
	}
	entries, ok := sections[jaasContext]
	if !ok {
		r.fail(jaasKey, "null", fmt.Sprintf("Could not find a '%s' entry in the JAAS configuration. System property '%s' is %s", jaasContext, jaas.FileProperty, file))
		return nil
	}
	i := slices.IndexFunc(entries, func(e jaas.Entry) bool { return e.Module == module })
	if i < 0 {
		r.fail(jaasKey, "null", fmt.Sprintf("the section %s of %s has no login module %s, which sasl.mechanism %s needs", jaasContext, file, module, mechanism))
		return nil
	}
	return &entries[i]
}

func jaasExample(module string) string {
	switch module {
	case oauthModule:
		return module + " required; and sasl.oauthbearer.token.endpoint.url beside it."
	case kerberosModule:
		return module + ` required useKeyTab=true storeKey=true keyTab="/path/to/keytab" principal="name@REALM";`
	}
	return module + ` required username="..." password="...";`
}

// password returns user and password of an entry.
func (r *propReader) password(entry *jaas.Entry) (user, password string, ok bool) {
	if entry == nil {
		return "", "", false
	}
	user, password = entry.Options["username"], entry.Options["password"]
	if user == "" {
		r.failSecret(jaasKey, "the option username is missing")
	}
	if password == "" {
		r.failSecret(jaasKey, "the option password is missing")
	}
	return user, password, user != "" && password != ""
}

// onlyClass refuses a Java class that cannot be loaded here, and whose work would be left undone.
func (r *propReader) onlyClass(key string, known ...string) {
	class := strings.TrimPrefix(r.str(key, ""), "class ")
	if class == "" || slices.Contains(known, class) {
		return
	}
	text := "Java classes cannot be loaded. Remove the key"
	if len(known) > 0 {
		text += ", or use " + strings.Join(known, " or ")
	}
	r.fail(key, class, text)
}

// refuseSecurityProviders: they may hold mechanisms or ciphers that somebody counts on.
func (r *propReader) refuseSecurityProviders() { r.onlyClass("security.providers") }
