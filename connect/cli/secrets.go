package cli

import (
	"regexp"
	"strings"
	"sync"

	"github.com/penstock-io/penstock/connect/config"
	"github.com/penstock-io/penstock/connect/config/provider"
	"github.com/penstock-io/penstock/connect/plugin"
	"github.com/penstock-io/penstock/connect/settings"
	"github.com/penstock-io/penstock/internal/jaas"
	"github.com/penstock-io/penstock/internal/redact"
)

// secrets collects what configs hold that must not be shown: every value of a config
// provider, of a PASSWORD key, and of a key whose name tells. They are hidden in the log, in
// traces and in the error texts of REST. Safe for concurrent use.
type secrets struct {
	redact.Set
	plugins *plugin.Registry
	kafka   map[string]config.Type // of the runtime's and the clients' own keys
	// defs has the definition of each plugin of the registry, by its pointer, once it was needed:
	// they do not change, and making one is costly.
	defs sync.Map
}

// definition returns that of a plugin, whose pointer is the registry's.
func (s *secrets) definition(plugin any, create func() *config.Def) *config.Def {
	if def, ok := s.defs.Load(plugin); ok {
		return def.(*config.Def)
	}
	def, _ := s.defs.LoadOrStore(plugin, create())
	return def.(*config.Def)
}

func newSecrets(plugins *plugin.Registry) *secrets {
	s := &secrets{plugins: plugins, kafka: map[string]config.Type{}}
	for _, def := range []*config.Def{
		settings.WorkerDef(settings.Distributed), settings.WorkerDef(settings.Standalone), settings.SourceDef(), settings.SinkDef(),
		settings.ProducerDef(), settings.ConsumerDef(), settings.AdminDef(),
	} {
		for _, k := range def.Keys() {
			s.kafka[k.Name] = k.Type
		}
	}
	return s
}

// of returns the secrets of a worker's properties or a connector's config, in which
// placeholders were resolved.
func (s *secrets) of(props map[string]string) (found []string) {
	secret := s.decider(props, props)
	for k, v := range props {
		if v != "" && secret(k) {
			found = append(found, secretParts(v)...)
		}
		for _, m := range userInfo.FindAllStringSubmatch(v, -1) {
			found = append(found, m[1])
		}
	}
	return found
}

// inResult returns the secrets of what was resolved, those that placeholders stood for included.
func (s *secrets) inResult(r provider.Result) []string { return append(r.Secrets, s.of(r.Props)...) }

// userInfo finds the password of a URL such as https://user:password@host.
var userInfo = regexp.MustCompile(`://[^/@:\s]*:([^/@\s]+)@`)

// scope is a plugin's definition and where in a config its keys stand.
type scope struct {
	prefix string
	def    *config.Def
}

// scopes finds the plugins that a config names.
func (s *secrets) scopes(props map[string]string) []scope {
	var all []scope
	add := func(prefix string, def *config.Def) {
		if def != nil {
			all = append(all, scope{prefix, def})
		}
	}
	if p, err := s.plugins.Connector(props["connector.class"]); err == nil {
		add("", s.definition(p, func() *config.Def { return p.New().ConfigDef() }))
	}
	for _, key := range settings.ConverterKeys() {
		if p, err := s.plugins.Converter(props[key]); err == nil {
			add(key+".", s.definition(p, func() *config.Def { return p.New().ConfigDef() }))
		} else if p, err := s.plugins.HeaderConverter(props[key]); err == nil {
			add(key+".", s.definition(p, func() *config.Def { return p.New().ConfigDef() }))
		}
	}
	for _, alias := range config.Distinct(config.ParseList(props["transforms"])) {
		prefix := "transforms." + alias + "."
		if p, err := s.plugins.Transformation(props[prefix+"type"]); err == nil {
			add(prefix, s.definition(p, func() *config.Def { return p.New().ConfigDef() }))
		}
	}
	for _, alias := range config.Distinct(config.ParseList(props["predicates"])) {
		prefix := "predicates." + alias + "."
		if p, err := s.plugins.Predicate(props[prefix+"type"]); err == nil {
			add(prefix, s.definition(p, func() *config.Def { return p.New().ConfigDef() }))
		}
	}
	return all
}

// clientPrefixes stand before the keys of Kafka's clients and of TLS.
var clientPrefixes = []string{settings.ProducerOverride, settings.ConsumerOverride, settings.AdminOverride, "producer.", "consumer.", "admin.listeners.https.",
	"listeners.https.", "admin."}

// decider returns what decides whether a key of props is one of secrets; connector is the
// config that says which plugins the keys are of. Kafka's own keys are what their type says; a
// plugin may have defined a password as a STRING.
func (s *secrets) decider(connector, props map[string]string) func(key string) bool {
	defined := map[string]bool{}
	for _, sc := range s.scopes(connector) {
		for i := range sc.def.Keys() {
			k := &sc.def.Keys()[i]
			key := sc.prefix + k.Name
			_, known := defined[key]
			if _, given := props[key]; given && !known {
				defined[key] = k.Type == config.TypePassword || config.SecretName(k.Name)
			}
		}
	}
	return func(key string) bool {
		name := key
		for _, prefix := range clientPrefixes {
			if rest, ok := strings.CutPrefix(key, prefix); ok {
				name = rest
				break
			}
		}
		if t, ok := s.kafka[name]; ok {
			return t == config.TypePassword
		}
		if secret, ok := defined[key]; ok {
			return secret
		}
		// Not Def.Secret: sort.key=customer would hide the word in all texts of the worker.
		return config.SecretName(key)
	}
}

// quotedOption finds the values of a JAAS entry that cannot be parsed.
var quotedOption = regexp.MustCompile(`=\s*["']([^"']+)["']`)

// secretParts returns a value with what in it may be printed alone: the passwords of a JAAS
// entry, the password of user:password.
func secretParts(v string) []string {
	if provider.HasPlaceholder(v) {
		return nil // what it stands for could not be resolved, so it is none
	}
	parts := []string{v}
	if strings.Contains(v, "=") && strings.Contains(v, "LoginModule") {
		if e, err := jaas.ParseEntry(v); err == nil {
			for option, value := range e.Options {
				if (*config.Def)(nil).Secret(option) {
					parts = append(parts, value)
				}
			}
		} else {
			for _, m := range quotedOption.FindAllStringSubmatch(v, -1) {
				parts = append(parts, m[1])
			}
		}
	}
	if _, password, ok := strings.Cut(v, ":"); ok && !strings.ContainsAny(v, " \n/") {
		parts = append(parts, password)
	}
	return parts
}
