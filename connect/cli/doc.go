// Package cli is the command line of a worker: it reads the properties, puts the parts of
// a worker together and runs them until a signal comes. The binary cmd/worker is this
// package with the plugins of this repository; a binary with others is as short:
//
//	func main() {
//		set := plugin.Builtin(cli.KafkaVersion)
//		set.Connectors = append(set.Connectors, plugin.Plugin[connect.Connector]{
//			Class: "com.example.MySource", New: func() connect.Connector { return &mySource{} },
//		})
//		cli.Main(cli.Program{Plugins: set})
//	}
package cli
