package settings

import (
	"fmt"
	"slices"
	"strings"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/config"
)

const (
	policyPackage = "org.apache.kafka.connect.connector.policy."
	policySuffix  = "ConnectorClientConfigOverridePolicy"
	policyKey     = "connector.client.config.override.policy"
	allowlistKey  = "connector.client.config.override.allowlist"
)

// Policy decides which client settings a connector may override (Java:
// ConnectorClientConfigOverridePolicy). It is the same for all client types.
type Policy struct {
	Name  string // All, None, Principal or Allowlist
	allow func(setting string) bool
}

// PolicyClasses returns the Java class names of the policies, sorted.
func PolicyClasses() []string {
	classes := make([]string, 0, 4)
	for _, name := range []string{"All", "Allowlist", "None", "Principal"} {
		classes = append(classes, policyPackage+name+policySuffix)
	}
	return classes
}

var principalSettings = []string{"sasl.jaas.config", "sasl.mechanism", "security.protocol"}

// newPolicy returns the policy of a class name or alias.
func newPolicy(class string, props map[string]string) (*Policy, error) {
	name := strings.TrimPrefix(class, policyPackage)
	name = strings.TrimSuffix(name, policySuffix)
	p := &Policy{Name: name}
	switch name {
	case "All":
		p.allow = func(string) bool { return true }
	case "None":
		p.allow = func(string) bool { return false }
	case "Principal":
		p.allow = func(s string) bool { return slices.Contains(principalSettings, s) }
	case "Allowlist":
		values, err := AllowlistDef().Parse(props)
		if err != nil {
			return nil, err
		}
		allowed := values.List(allowlistKey)
		p.allow = func(s string) bool { return slices.Contains(allowed, s) }
	default:
		return nil, &config.Error{Key: policyKey, Msg: fmt.Sprintf("Failed to find any class that implements %s for the config %s, available classes are: %s. "+
			"It is %q; set it to All, None, Principal or Allowlist.", policySuffix, policyKey, strings.Join(PolicyClasses(), ", "), class)}
	}
	return p, nil
}

// AllowlistDef defines the worker property of the Allowlist policy.
func AllowlistDef() *config.Def {
	return config.NewDef(table(allowlistKey + ` | LIST | | M | list empty | Client settings that connectors may override when the policy is Allowlist, without producer.override. and the like.`)...)
}

// Check returns the text of the refusal of one setting, "" when it may be overridden.
func (p *Policy) Check(setting string) string {
	if p.allow(setting) {
		return ""
	}
	return fmt.Sprintf("The '%s' policy does not allow '%s' to be overridden in the connector configuration.", p.Name, setting)
}

// The prefixes of client settings in a connector's config.
const (
	ProducerOverride = "producer.override."
	ConsumerOverride = "consumer.override."
	AdminOverride    = "admin.override."
)

// overrides adds a connector's client settings to props. Validation refuses what the
// policy does not allow before a config is stored; here it is for older configs.
func (p *Policy) overrides(props map[string]string, prefix string, connector map[string]string) error {
	var refused []string
	for k, v := range connector {
		setting, ok := strings.CutPrefix(k, prefix)
		if !ok {
			continue
		}
		if msg := p.Check(setting); msg != "" {
			refused = append(refused, msg)
			continue
		}
		props[setting] = v
	}
	if refused == nil {
		return nil
	}
	slices.Sort(refused)
	// The JVM's text lists the values, too.
	return &connect.Error{Msg: "Client Config Overrides not allowed [" + strings.Join(refused, " ") + "] Remove the settings, or change " + policyKey + " of the worker."}
}
