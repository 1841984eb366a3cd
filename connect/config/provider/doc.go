// Package provider replaces placeholders such as ${file:/etc/secrets:password} in
// configuration (Java: ConfigProvider, ConfigTransformer). Connector configs are stored
// with their placeholders and resolved when something is started or validated.
package provider
