package config

import "strings"

const hidden = "[hidden]"

// secretWords in the name of a key tell that its value is a secret.
var secretWords = []string{"password", "passphrase", "passwd", "secret", "token", "credential", "jaas", "private.key", "privatekey", "encryption.key", "accountkey", "account.key", "api.key", "apikey", "access.key", "user.info"}

// SecretName reports whether the name of a key says that its value is a secret.
func SecretName(name string) bool {
	name = strings.ToLower(name)
	for _, word := range secretWords {
		if strings.Contains(name, word) {
			return true
		}
	}
	return false
}

// Secret reports whether the value of a key must not be shown: it is a PASSWORD, or d, which
// may be nil, does not define it and its name has the sound of a secret, such as that of a
// client setting or of a key (encryption.key, accountKey).
func (d *Def) Secret(name string) bool {
	if d != nil {
		if k := d.Key(name); k != nil {
			return k.Type == TypePassword
		}
	}
	return SecretName(name) || strings.HasSuffix(strings.ToLower(name), "key")
}

// Redact returns a copy of props for logs and messages: the values of keys that are Secret
// are replaced by [hidden]. References such as ${file:…:password} stay. d may be nil.
func (d *Def) Redact(props map[string]string) map[string]string {
	shown := make(map[string]string, len(props))
	for k, v := range props {
		if v != "" && !onlyReference(v) && d.Secret(k) {
			v = hidden
		}
		shown[k] = v
	}
	return shown
}

// onlyReference reports whether v is one placeholder and nothing else.
func onlyReference(v string) bool {
	return strings.HasPrefix(v, "${") && strings.Index(v, "}") == len(v)-1 && strings.Contains(v, ":")
}
