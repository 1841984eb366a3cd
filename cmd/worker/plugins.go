package main

import (
	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/config"
	"github.com/penstock-io/penstock/connect/plugin"
	"github.com/penstock-io/penstock/connectors/hdfssink"
)

// plugins returns everything this worker can run. It is the one place that names
// connectors: a worker with others is this function with more entries.
func plugins() (*plugin.Registry, error) {
	set := plugin.Converters(kafkaVersion)
	set.SinkConnectors = append(set.SinkConnectors,
		plugin.Plugin[connect.SinkConnector]{
			Class: hdfssink.ConnectorClass, New: func() connect.SinkConnector { return hdfssink.NewConnector() },
		},
		plugin.Plugin[connect.SinkConnector]{
			Class: hdfssink.Connector3Class, New: func() connect.SinkConnector { return hdfssink.NewConnector3() },
		},
	)
	return plugin.New(set)
}

// hdfsSinkDef is the definition of the HDFS sink's own keys, for the reference.
func hdfsSinkDef() *config.Def { return hdfssink.ConfigDef() }
