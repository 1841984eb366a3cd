// Command worker is Penstock: a Kafka Connect-compatible worker.
//
//	worker distributed <worker.properties>
//	worker standalone <worker.properties> [<connector.properties|.json> …]
//	worker quickstart
//	worker plugins
//	worker version
package main
