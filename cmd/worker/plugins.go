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
	set := plugin.Builtin(kafkaVersion)
	set.Connectors = append(set.Connectors,
		plugin.Plugin[connect.Connector]{
			Class: hdfssink.ConnectorClass, New: func() connect.Connector { return hdfssink.NewConnector() },
		},
		plugin.Plugin[connect.Connector]{
			Class: hdfssink.Connector3Class, New: func() connect.Connector { return hdfssink.NewConnector3() },
		},
	)
	return plugin.New(set)
}

// hdfsSinkDef is the definition of the HDFS sink's own keys, for the reference.
func hdfsSinkDef() *config.Def { return hdfssink.ConfigDef() }
