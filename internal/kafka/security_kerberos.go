package kafka

import (
	"fmt"
	"os"
	"strings"

	"go.uber.org/zap"

	"github.com/penstock-io/penstock/internal/jaas"
	"github.com/penstock-io/penstock/internal/kafka/sasl"
)

const serviceNameKey = "sasl.kerberos.service.name"

// readKerberos reads the options of Krb5LoginModule and sasl.kerberos.*. kinit is not run: a
// ticket cache is read anew, whoever renews it.
func readKerberos(r *propReader, entry *jaas.Entry, jvmOptions string) *loginSpec {
	before := len(r.errs)
	o := sasl.KerberosOptions{
		Config: kerberosConfig(jvmOptions), Service: r.serviceName(entry), Principal: entry.Options["principal"],
		RenewFactor:      r.double("sasl.kerberos.ticket.renew.window.factor", 0.8, 0, 1),
		RenewJitter:      r.double("sasl.kerberos.ticket.renew.jitter", 0.05, 0, 1),
		MinBeforeRelogin: r.longMillis("sasl.kerberos.min.time.before.relogin", 60_000, 0),
	}
	isTrue := func(option string) bool { return strings.EqualFold(entry.Options[option], "true") }
	if isTrue("useTicketCache") {
		o.TicketCache = ticketCache(entry.Options["ticketCache"])
	}
	if isTrue("useKeyTab") {
		if o.Keytab = strings.TrimPrefix(entry.Options["keyTab"], "FILE:"); o.Keytab == "" {
			r.failSecret(jaasKey, "the option keyTab is missing, which names the file of useKeyTab=true")
		}
		if o.Principal == "" {
			r.failSecret(jaasKey, "the option principal is missing: whose key of the keytab is to be used")
		}
	}
	for _, option := range []string{"keyTab", "principal", "ticketCache"} {
		if strings.Contains(entry.Options[option], "${") {
			r.failSecret(jaasKey, "the option "+option+" holds a Java system property, which is not replaced here. Write the value out")
		}
	}
	if o.Keytab == "" && o.TicketCache == "" && len(r.errs) == before {
		r.failSecret(jaasKey, "Could not login: the client is being asked for a password, but the Kafka client code does not currently support obtaining a password from the user."+
			" Set useKeyTab=true with keyTab and principal, or useTicketCache=true")
	}
	if _, err := os.Stat(o.Config); err != nil {
		r.fail(mechanismKey, "GSSAPI", fmt.Sprintf("the Kerberos settings cannot be read: %v."+
			" Name krb5.conf by the environment variable KRB5_CONFIG, or by -Djava.security.krb5.conf=… in KAFKA_OPTS", err))
	}
	if len(r.errs) > before {
		return nil
	}
	return &loginSpec{key: loginKey(r.props, entry.Options), make: func(log *zap.Logger) sasl.Mechanism { return sasl.NewKerberos(o, log) }}
}

// serviceName is that of the brokers; it may stand in either place.
func (r *propReader) serviceName(entry *jaas.Entry) string {
	config, option := r.str(serviceNameKey, ""), entry.Options["serviceName"]
	switch {
	case config == "" && option == "":
		r.missing(serviceNameKey, " No serviceName defined in either JAAS or Kafka config. Set it to the first part of the brokers' principal, mostly kafka.")
	case config != "" && option != "" && config != option:
		r.fail(serviceNameKey, config, fmt.Sprintf("Conflicting serviceName values found in JAAS and Kafka configs value in JAAS file %s, value in Kafka config %s", option, config))
	case config == "":
		return option
	}
	return config
}

// kerberosConfig finds krb5.conf.
func kerberosConfig(jvmOptions string) string {
	if file := jaas.SystemProperty(jvmOptions, "java.security.krb5.conf"); file != "" {
		return file
	}
	// A list: the first that is there, as the other settings are not merged.
	for file := range strings.SplitSeq(os.Getenv("KRB5_CONFIG"), ":") {
		if _, err := os.Stat(file); file != "" && err == nil {
			return file
		}
	}
	return "/etc/krb5.conf"
}

// ticketCache finds the file that kinit writes.
func ticketCache(option string) string {
	path := option
	if path == "" {
		path = os.Getenv("KRB5CCNAME")
	}
	if path == "" {
		path = fmt.Sprintf("/tmp/krb5cc_%d", os.Getuid())
	}
	return strings.TrimPrefix(path, "FILE:")
}
