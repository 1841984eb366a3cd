package logging

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"go.uber.org/zap"

	"github.com/penstock-io/penstock/internal/redact"
)

type nested struct{ Inner map[string]string }

func TestSecretsAreHiddenWhereverTheyStand(t *testing.T) {
	var b bytes.Buffer
	log, levels := New(&b)
	var secrets redact.Set
	secrets.Add("canary-one", `can"ary two`)
	early := log.Named("early").With(zap.String("before", "canary-one"))
	levels.Hide(secrets.Hide)
	for _, l := range []*zap.Logger{early, log.With(zap.String("kept", "canary-one")), log.Named("canary-one")} {
		l.Info("a canary-one b", zap.String("f", `x can"ary two y`), zap.Error(errors.New("wrong canary-one")), zap.Strings("list", []string{"a", "canary-one"}),
			zap.Any("any", nested{map[string]string{"k": `can"ary two`}}), zap.ByteString("bytes", []byte("canary-one")), zap.Stringer("s", &b))
	}
	if got := b.String(); strings.Contains(got, "canary-one") || strings.Contains(got, "ary two") || strings.Count(got, redact.Hidden) < 18 {
		t.Error(got)
	}
}

func TestNothingIsHiddenInTheAuditLog(t *testing.T) {
	var b bytes.Buffer
	log, levels := New(&b)
	var secrets redact.Set
	secrets.Add("some-user")
	levels.Hide(secrets.Hide)
	log.Named("rest").Named("audit").Info(`{"user":"some-user"}`)
	log.Named("rest").Info("some-user")
	log.Named("rest.audit.more").Info("some-user")
	if got := b.String(); strings.Count(got, "some-user") != 1 || !strings.Contains(got, `(rest.audit) {"user":"some-user"}`) {
		t.Error(got)
	}
}

func TestSeveralWorkersHideTheirSecrets(t *testing.T) {
	var b bytes.Buffer
	log, levels := New(&b)
	var one, two redact.Set
	levels.Hide(one.Hide)
	levels.Hide(two.Hide)
	one.Add("secret-of-one")
	two.Add("secret-of-two")
	log.Info("secret-of-one and secret-of-two")
	if got := b.String(); !strings.HasSuffix(got, " [hidden] and [hidden]\n") {
		t.Error(got)
	}
}
