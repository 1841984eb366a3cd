package settings

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/penstock-io/penstock/connect/config"
)

// accessPrefix begins the keys of Penstock's own for the REST interface.
const accessPrefix = "penstock.rest."

const (
	rolesPrefix     = accessPrefix + "roles."
	rolesFileKey    = rolesPrefix + "file"
	bearerTLSPrefix = accessPrefix + "bearer.ssl."
)

// accessKeys are all off by default: without them the REST interface is the JVM's.
const accessKeys = `
penstock.rest.jaas.config.file | STRING | null | M | | JAAS file of the basic authentication (rest.extension.classes); not set: the one that -Djava.security.auth.login.config= in the environment variable KAFKA_OPTS names.
penstock.rest.authentication | LIST | | H | list empty | How users are recognised besides the basic authentication: certificate, bearer, or both.
penstock.rest.certificate.source | STRING | subject | M | in subject,san.dns,san.email,san.uri | Which names of a client's certificate the rules are for: its distinguished name, or its subject alternative names of a kind.
penstock.rest.certificate.rules | STRING | DEFAULT | M | | How a name becomes a user, as in ssl.principal.mapping.rules of Kafka's brokers: RULE:pattern/replacement/ with nothing, L or U behind it, or DEFAULT, comma-separated. A certificate without a rule is no user.
penstock.rest.bearer.issuer | STRING | null | H | | URL of the OpenID Connect issuer, as its tokens have it in iss.
penstock.rest.bearer.audience | LIST | | H | list empty | Audiences, of which a token must have one in aud.
penstock.rest.bearer.jwks.url | STRING | null | M | | Where the issuer's keys are; not set: where its discovery document says.
penstock.rest.bearer.user.claim | STRING | sub | M | non-empty | Claim with the user's name; a dot leads into an object.
penstock.rest.bearer.groups.claim | STRING | groups | M | | Claim with the user's groups, a list or words in a text; empty: users have no groups.
penstock.rest.bearer.clock.skew.ms | LONG | 30000 | L | 0..3600000 | How far the clocks of issuer and worker may differ, in milliseconds.
penstock.rest.bearer.timeout.ms | LONG | 10000 | L | 100..60000 | How long the issuer has for an answer, in milliseconds.
penstock.rest.bearer.refresh.ms | LONG | 600000 | L | 1000.. | Age at which the issuer's keys are asked for again, in milliseconds; a token with an unknown key asks at once.
penstock.rest.roles.file | STRING | null | H | | Properties file with assignments of roles, which is read again when it changes: user.<name>, group.<name>, anonymous. They add to those of the worker's properties, penstock.rest.roles.user.<name> and so on.
penstock.rest.audit | STRING | off | M | in off,log,file | Where changes and denied requests are written: nowhere, to the log (logger rest.audit), or to a file.
penstock.rest.audit.file | STRING | null | M | | File of the audit log.
penstock.rest.audit.max.bytes | LONG | 104857600 | L | 0.. | Size in bytes from which that file is rotated; 0 = never, others may do it.
penstock.rest.audit.max.files | INT | 10 | L | 1..1000 | How many rotated files are kept.
penstock.rest.audit.failure | STRING | refuse | M | in refuse,continue | What happens to changes while the file cannot be written: they are refused with 503, or go on and are written to the worker's log.
`

// AccessDef defines the keys of Penstock's own for the REST interface. Besides them there are
// penstock.rest.roles.user.<name>, .group.<name> and .anonymous, and penstock.rest.bearer.ssl.*.
func AccessDef() *config.Def {
	return config.NewDef(amend(table(accessKeys), map[string]func(k *config.Key){
		"penstock.rest.authentication":  checkedHint(checkMethods, "certificate, bearer", "Set it to certificate, bearer, or both, comma-separated."),
		"penstock.rest.bearer.issuer":   checked(config.NullOr(checkURL), "http or https URL"),
		"penstock.rest.bearer.jwks.url": checked(config.NullOr(checkURL), "http or https URL"),
		"penstock.rest.bearer.audience": hint("Set it to the name under which the issuer knows this cluster, e.g. kafka-connect."),
	})...)
}

func checkMethods(_ string, v any) error {
	list, _ := v.([]string)
	for _, m := range list {
		if m != "certificate" && m != "bearer" {
			return fmt.Errorf("%q is neither certificate nor bearer; the basic authentication is switched on by rest.extension.classes", m)
		}
	}
	return nil
}

func checkURL(_ string, v any) error {
	text, _ := v.(string)
	if u, err := url.Parse(text); err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		return errors.New("it is no URL. Write e.g. https://login.example.org/realms/kafka")
	}
	return nil
}

// Access is who may do what at the REST interface, beyond what the JVM has.
type Access struct {
	// Certificates and Bearer tell whether users are recognised by them.
	Certificates, Bearer                bool
	CertificateSource, CertificateRules string

	Issuer, JWKS           string
	Audience               []string
	UserClaim, GroupsClaim string
	Skew, Timeout, Refresh time.Duration
	TLS                    map[string]string // ssl.* for the issuer

	// Roles are on when there is any assignment, or the file.
	RolesOn   bool
	Roles     map[string]string // user.<name>, group.<name>, anonymous
	RolesFile string

	Audit         string // off, log, file
	AuditFile     string
	AuditMaxBytes int64
	AuditMaxFiles int
	AuditRefuse   bool
}

// On tells whether users have to be known, by other means than the JVM's alone or with roles.
func (a *Access) On() bool { return a.Certificates || a.Bearer || a.RolesOn }

// parseAccess reads the keys below penstock.rest. All problems are returned together. A key that
// is not known is one: misspelt, it would leave open what it was to close.
func (w *Worker) parseAccess() error {
	def := AccessDef()
	v, err := def.Parse(w.Props)
	problems := []error{err}
	a := &w.REST.Access
	*a = Access{
		Certificates: slices.Contains(v.List("penstock.rest.authentication"), "certificate"), Bearer: slices.Contains(v.List("penstock.rest.authentication"), "bearer"),
		CertificateSource: v.String("penstock.rest.certificate.source"), CertificateRules: v.String("penstock.rest.certificate.rules"),
		Issuer: v.String("penstock.rest.bearer.issuer"), JWKS: v.String("penstock.rest.bearer.jwks.url"), Audience: v.List("penstock.rest.bearer.audience"),
		UserClaim: v.String("penstock.rest.bearer.user.claim"), GroupsClaim: strings.TrimSpace(v.String("penstock.rest.bearer.groups.claim")),
		Skew: v.Millis("penstock.rest.bearer.clock.skew.ms"), Timeout: v.Millis("penstock.rest.bearer.timeout.ms"), Refresh: v.Millis("penstock.rest.bearer.refresh.ms"),
		TLS: map[string]string{}, Roles: map[string]string{}, RolesFile: strings.TrimSpace(v.String(rolesFileKey)),
		Audit: v.String("penstock.rest.audit"), AuditFile: strings.TrimSpace(v.String("penstock.rest.audit.file")), AuditMaxBytes: v.Long("penstock.rest.audit.max.bytes"),
		AuditMaxFiles: v.Int("penstock.rest.audit.max.files"), AuditRefuse: v.String("penstock.rest.audit.failure") == "refuse",
	}
	w.REST.JAASFile = strings.TrimSpace(v.String(jaasFileKey))
	for _, k := range slices.Sorted(maps.Keys(w.Props)) {
		name, own := strings.CutPrefix(k, accessPrefix)
		assignment, isRole := strings.CutPrefix(k, rolesPrefix)
		switch {
		case !own || def.Key(k) != nil:
		case strings.HasPrefix(k, bearerTLSPrefix):
			a.TLS[strings.TrimPrefix(name, "bearer.")] = w.Props[k]
		case isRole && (assignment == "anonymous" || strings.HasPrefix(assignment, "user.") || strings.HasPrefix(assignment, "group.")):
			a.Roles[assignment] = w.Props[k]
		default:
			problems = append(problems, &config.Error{Key: k, Msg: fmt.Sprintf("Unknown configuration %q. What is misspelt below %s would leave the worker open: "+
				"correct or remove it.", k, accessPrefix)})
		}
	}
	_, file := w.Props[rolesFileKey]
	a.RolesOn = file || len(a.Roles) > 0
	return errors.Join(append(problems, w.checkAccess(v))...)
}

// checkAccess checks what takes more than one key.
func (w *Worker) checkAccess(v config.Values) error {
	a := &w.REST.Access
	var problems []error
	add := func(key, format string, args ...any) {
		problems = append(problems, &config.Error{Key: key, Msg: fmt.Sprintf(format, args...)})
	}
	_, fileGiven := w.Props[rolesFileKey]
	if fileGiven && a.RolesFile == "" {
		add(rolesFileKey, "%s is empty: nobody would have a role. Name the file, or remove the key.", rolesFileKey)
	}
	if a.Bearer {
		if a.Issuer == "" && given(v, "penstock.rest.bearer.audience") && w.Props["penstock.rest.bearer.issuer"] == "" {
			add("penstock.rest.bearer.issuer", "penstock.rest.authentication has bearer, and penstock.rest.bearer.issuer is missing. Set it to the issuer's URL.")
		}
		if len(a.Audience) == 0 {
			add("penstock.rest.bearer.audience", "penstock.rest.authentication has bearer, and penstock.rest.bearer.audience is missing: tokens for any other service of the issuer would "+
				"be accepted. Set it to the name under which the issuer knows this cluster, e.g. kafka-connect.")
		}
	}
	if a.Certificates && !w.asksForCertificates() {
		add("penstock.rest.authentication", "penstock.rest.authentication has certificate, and no https listener asks for one. "+
			"Set listeners.https.ssl.client.auth to requested or required, and an https address in listeners.")
	}
	if a.Audit == "file" && a.AuditFile == "" {
		add("penstock.rest.audit.file", "penstock.rest.audit is file, and penstock.rest.audit.file is missing. Name the file.")
	}
	if _, anonymous := a.Roles["anonymous"]; a.RolesOn && !a.Certificates && !a.Bearer && len(w.REST.Extensions) == 0 && !anonymous && a.RolesFile == "" {
		add("penstock.rest.authentication", "There are roles, and nothing by which users are recognised. Set rest.extension.classes, penstock.rest.authentication, or %sanonymous.", rolesPrefix)
	}
	if protocol := w.Values.String("connect.protocol"); a.On() && w.Mode == Distributed && protocol != "" && !strings.EqualFold(protocol, "sessioned") {
		add("connect.protocol", "connect.protocol is %s: requests between workers would not be signed, and anybody could send them. Set it to sessioned, or remove it.", protocol)
	}
	return errors.Join(problems...)
}

func (w *Worker) asksForCertificates() bool {
	for admin, listeners := range map[bool][]Listener{false: w.REST.Listeners, true: w.REST.AdminListeners} {
		props, _ := w.HTTPS(admin)
		auth := strings.TrimSpace(props["ssl.client.auth"])
		if (auth == "requested" || auth == "required") && slices.ContainsFunc(listeners, func(l Listener) bool { return l.Scheme == "https" }) {
			return true
		}
	}
	return false
}

// RequestTimeout is how long what an extension asks about the cluster may take (Java:
// RestServer, 90 s or less when a rebalance takes less).
func (w *Worker) RequestTimeout() time.Duration {
	const longest = 90 * time.Second
	if w.Mode == Distributed && w.RebalanceTimeout > 0 {
		return min(longest, w.RebalanceTimeout)
	}
	return longest
}
