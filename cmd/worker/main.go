package main

import "github.com/penstock-io/penstock/connect/cli"

// Set by the linker, see the Makefile.
var version, commit string

func main() { cli.Main(program()) }

func program() cli.Program {
	return cli.Program{Version: version, Commit: commit, Plugins: plugins(), Commands: []cli.Command{
		{Name: "quickstart", Help: "Kafka, worker and Avro files, in one process", Run: runQuickstart},
	}}
}
