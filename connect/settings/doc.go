// Package settings defines what can stand in a worker's properties file and in a
// connector's configuration, and turns it into typed values: the counterpart of Java's
// WorkerConfig, DistributedConfig, StandaloneConfig, ConnectorConfig, SinkConnectorConfig
// and SourceConnectorConfig of Kafka 4.3. It also derives the properties of every Kafka
// client from them, with the JVM's names and precedence.
package settings
