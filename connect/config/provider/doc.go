// Package provider replaces placeholders such as ${file:/etc/secrets:password} in
// configuration (Java: ConfigProvider, ConfigTransformer). Connector configs are stored
// with their placeholders and resolved when something is started or validated. Sources tells
// where placeholders lead, for those who look again whether a value has changed.
package provider
