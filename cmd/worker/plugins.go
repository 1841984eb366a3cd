package main

import (
	"os"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/cli"
	"github.com/penstock-io/penstock/connect/plugin"
	"github.com/penstock-io/penstock/connectors/filestream"
	"github.com/penstock-io/penstock/connectors/hdfssink"
	"github.com/penstock-io/penstock/connectors/testing"
)

// plugins returns everything this worker can run. It is the one place that names
// connectors: a worker with others is a main of its own with more entries, see
// package cli.
func plugins() plugin.Set {
	const kafka = cli.KafkaVersion
	set := plugin.Builtin(kafka)
	add := func(class string, newConnector func() connect.Connector, overview string) {
		set.Connectors = append(set.Connectors, plugin.Plugin[connect.Connector]{Class: class, New: newConnector, Overview: overview})
	}
	add(hdfssink.ConnectorClass, func() connect.Connector { return hdfssink.NewConnector() }, "Writes topics to HDFS as Avro, JSON or text files.")
	add(hdfssink.Connector3Class, func() connect.Connector { return hdfssink.NewConnector3() }, "Writes topics to HDFS as Avro, JSON or text files.")
	add(filestream.SourceClass, func() connect.Connector { return filestream.NewSource(kafka) }, "Writes the lines of a file to a topic.")
	add(filestream.SinkClass, func() connect.Connector { return filestream.NewSink(kafka) }, "Appends the records of topics to a file, a line each.")
	add(testing.MockSourceClass, func() connect.Connector { return testing.NewMockSource(kafka) }, "For tests of a worker: fails after a while, itself or its task.")
	add(testing.MockSinkClass, func() connect.Connector { return testing.NewMockSink(kafka) }, "For tests of a worker: fails after a while, itself or its task.")
	add(testing.VerifiableSourceClass, func() connect.Connector { return testing.NewVerifiableSource(kafka, os.Stdout) },
		"For tests of a worker: writes numbers to a topic, and to the standard output what it has written.")
	add(testing.VerifiableSinkClass, func() connect.Connector { return testing.NewVerifiableSink(kafka, os.Stdout) },
		"For tests of a worker: writes to the standard output what it was given.")
	add(testing.SchemaSourceClass, func() connect.Connector { return testing.NewSchemaSource(kafka, os.Stdout) },
		"For tests of a worker: writes records with a schema, or with two that alternate.")
	return set
}
