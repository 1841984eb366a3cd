package settings

import (
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// defaultAccess is that of a worker without keys of Penstock's own: everything is off.
func defaultAccess() Access {
	return Access{
		CertificateSource: "subject", CertificateRules: "DEFAULT", Audience: []string{}, UserClaim: "sub", GroupsClaim: "groups",
		Skew: 30 * time.Second, Timeout: 10 * time.Second, Refresh: 10 * time.Minute, TLS: map[string]string{}, Roles: map[string]string{},
		Audit: "off", AuditMaxBytes: 100 << 20, AuditMaxFiles: 10, AuditRefuse: true,
	}
}

func withProps(more ...string) map[string]string {
	props := maps.Clone(minimal())
	for i := 0; i < len(more); i += 2 {
		props[more[i]] = more[i+1]
	}
	return props
}

func TestAccessIsOffWithoutItsKeys(t *testing.T) {
	w := worker(t, Distributed, minimal())
	if a := w.REST.Access; a.On() {
		t.Errorf("%+v", a)
	}
}

func TestAccessIsRead(t *testing.T) {
	w := worker(t, Distributed, withProps(
		"listeners", "https://:8443", "listeners.https.ssl.client.auth", "requested",
		"penstock.rest.authentication", "certificate,bearer", "penstock.rest.certificate.source", "san.email",
		"penstock.rest.certificate.rules", "RULE:^(.*)@example.org$/$1/L",
		"penstock.rest.bearer.issuer", "https://login/", "penstock.rest.bearer.audience", "a, b", "penstock.rest.bearer.groups.claim", "",
		"penstock.rest.bearer.ssl.truststore.location", "/x", "penstock.rest.roles.user.ada", "edit:*", "penstock.rest.roles.group.CN=x,O=y", "view:*",
		"penstock.rest.roles.anonymous", "", "penstock.rest.audit", "file", "penstock.rest.audit.file", "/var/log/audit", "penstock.rest.audit.failure", "continue"))
	want := defaultAccess()
	want.Certificates, want.Bearer, want.RolesOn = true, true, true
	want.CertificateSource, want.CertificateRules = "san.email", "RULE:^(.*)@example.org$/$1/L"
	want.Issuer, want.Audience, want.GroupsClaim = "https://login/", []string{"a", "b"}, ""
	want.TLS = map[string]string{"ssl.truststore.location": "/x"}
	want.Roles = map[string]string{"user.ada": "edit:*", "group.CN=x,O=y": "view:*", "anonymous": ""}
	want.Audit, want.AuditFile, want.AuditRefuse = "file", "/var/log/audit", false
	if d := cmp.Diff(want, w.REST.Access); d != "" {
		t.Error(d)
	}
	if unknown := w.UnknownKeys(); len(unknown) > 0 {
		t.Errorf("unknown: %v", unknown)
	}
	if w.RequestTimeout() != time.Minute {
		t.Errorf("a question about the cluster takes up to %v", w.RequestTimeout())
	}
}

// What is left open by mistake is worse than a worker that does not start.
func TestMistakesInAccessAreRefusedTogether(t *testing.T) {
	for _, test := range []struct {
		name  string
		props []string
		want  []string
	}{
		{"misspelt keys", []string{"penstock.rest.role.user.ada", "edit:*", "penstock.rest.roles.usr.ada", "edit:*", "penstock.rest.roles", "x"},
			[]string{`"penstock.rest.role.user.ada"`, `"penstock.rest.roles.usr.ada"`, `"penstock.rest.roles"`}},
		{"roles without users", []string{"penstock.rest.roles.user.ada", "edit:*"}, []string{"nothing by which users are recognised"}},
		{"an empty roles file", []string{"penstock.rest.roles.file", " "}, []string{"penstock.rest.roles.file is empty"}},
		{"a bad method", []string{"penstock.rest.authentication", "basic"}, []string{`"basic" is neither certificate nor bearer`}},
		{"bearer alone", []string{"penstock.rest.authentication", "bearer"}, []string{"penstock.rest.bearer.issuer is missing", "penstock.rest.bearer.audience is missing"}},
		{"bad addresses", []string{"penstock.rest.bearer.issuer", "login", "penstock.rest.bearer.jwks.url", "file:///x"},
			[]string{"Invalid value login for configuration penstock.rest.bearer.issuer", "Invalid value file:///x"}},
		{"certificates without https", []string{"penstock.rest.authentication", "certificate"}, []string{"no https listener asks for one"}},
		{"certificates that are not asked for", []string{"penstock.rest.authentication", "certificate", "listeners", "https://:8443"}, []string{"no https listener asks for one"}},
		{"an unsigned group", []string{"penstock.rest.roles.anonymous", "view:*", "connect.protocol", "compatible"}, []string{"connect.protocol is compatible"}},
		{"an audit log without its file", []string{"penstock.rest.audit", "file"}, []string{"penstock.rest.audit.file is missing"}},
		{"bad values", []string{"penstock.rest.audit", "on", "penstock.rest.audit.failure", "ignore", "penstock.rest.certificate.source", "cn"},
			[]string{"Invalid value on for configuration penstock.rest.audit:", "Invalid value ignore", "Invalid value cn"}},
	} {
		_, err := ParseWorker(withProps(test.props...), Distributed)
		if err == nil {
			t.Errorf("%s: accepted", test.name)
			continue
		}
		for _, want := range test.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %q is not in\n%v", test.name, want, err)
			}
		}
	}
}

func TestAccessKeysAreDocumented(t *testing.T) {
	for _, k := range AccessDef().Keys() {
		if !strings.HasPrefix(k.Name, accessPrefix) || k.Doc == "" {
			t.Errorf("%s: %q", k.Name, k.Doc)
		}
		if WorkerDef(Distributed).Key(k.Name) != nil {
			t.Errorf("%s is also a key of the JVM's", k.Name)
		}
	}
}
