// Package validate checks a connector config before it is stored, as
// PUT /connector-plugins/{p}/config/validate shows it: the keys of every sink or source, those
// of its transforms and predicates, the connector's own, client settings that it overrides
// and the keys of its converters, each with its definition, value and errors (Java:
// AbstractHerder.validateConnectorConfig, ConnectorConfig.enrich and
// DistributedHerder.validateSourceConnectorConfig).
//
// Texts, counts and orders are the JVM's, because clients and forms rely on them. What a
// JVM worker would do and this one cannot is an error of the key that asks for it.
package validate
