package kafka

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"strings"
	"sync"

	"go.uber.org/zap"

	"github.com/penstock-io/penstock/internal/kafka/sasl"
)

// loginSpec says how to log in.
type loginSpec struct {
	key  string // equal settings have the same; "": not shared
	make func(log *zap.Logger) sasl.Mechanism
}

// logins are the logins that clients share, counted by their clients. A worker has several
// clients per task: without it each would ask the identity provider or the KDC for itself
// (Java: LoginManager).
type logins struct {
	mu    sync.Mutex
	byKey map[string]*sharedLogin
}

type sharedLogin struct {
	mechanism sasl.Mechanism
	users     int
}

// processLogins are those of this process: as in the JVM, what shares settings shares tokens and
// tickets, whoever made the client.
var processLogins = &logins{byKey: map[string]*sharedLogin{}}

// acquire returns the login of a spec, and the function that gives it back, which may be called
// more than once. The last to do so closes it.
func (l *logins) acquire(spec *loginSpec, log *zap.Logger) (m sasl.Mechanism, release func()) {
	if spec.key == "" {
		m = spec.make(log)
		return m, m.Close
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	shared := l.byKey[spec.key]
	if shared == nil {
		shared = &sharedLogin{mechanism: spec.make(log)}
		l.byKey[spec.key] = shared
	}
	shared.users++
	return shared.mechanism, sync.OnceFunc(func() { l.release(spec.key, shared) })
}

func (l *logins) release(key string, shared *sharedLogin) {
	l.mu.Lock()
	shared.users--
	last := shared.users == 0
	if last {
		delete(l.byKey, key)
	}
	l.mu.Unlock()
	if last {
		shared.mechanism.Close()
	}
}

// loginKey is a digest of what makes a login: the JAAS options, wherever they stood, and sasl.*.
func loginKey(props, options map[string]string) string {
	h := sha256.New()
	add := func(name, value string) {
		for _, s := range []string{name, value} {
			h.Write([]byte(s))
			h.Write([]byte{0})
		}
	}
	for _, k := range slices.Sorted(maps.Keys(options)) {
		add(k, options[k])
	}
	for _, k := range slices.Sorted(maps.Keys(props)) {
		if strings.HasPrefix(k, "sasl.") && k != jaasKey {
			add(k, props[k])
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}
