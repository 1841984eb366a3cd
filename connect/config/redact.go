package config

import "strings"

const hidden = "[hidden]"

// secretWords in the name of a key that is not defined make its value a secret.
var secretWords = []string{"password", "passphrase", "secret", "token", "credential", "jaas", "private.key", "api.key", "apikey", "access.key", "user.info"}

// Redact returns a copy of props for logs and messages: the values of PASSWORD keys are
// replaced by [hidden], and so are those of undefined keys whose names sound secret
// (client overrides, keys of converters). References such as ${file:…:password} stay.
// d may be nil.
func (d *Def) Redact(props map[string]string) map[string]string {
	shown := make(map[string]string, len(props))
	for k, v := range props {
		if d.secret(k) && v != "" && !onlyReference(v) {
			v = hidden
		}
		shown[k] = v
	}
	return shown
}

func (d *Def) secret(name string) bool {
	if d != nil {
		if k := d.Key(name); k != nil {
			return k.Type == TypePassword
		}
	}
	name = strings.ToLower(name)
	for _, word := range secretWords {
		if strings.Contains(name, word) {
			return true
		}
	}
	return false
}

// onlyReference reports whether v is one placeholder and nothing else.
func onlyReference(v string) bool {
	return strings.HasPrefix(v, "${") && strings.Index(v, "}") == len(v)-1 && strings.Contains(v, ":")
}
