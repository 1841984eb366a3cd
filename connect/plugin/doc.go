// Package plugin holds what a worker can run: it finds connectors and converters by
// Java class name or alias, as the JVM's Plugins class does, and knows their versions.
// A Registry is a value that is made once, from a Set, and passed on; nothing registers
// itself.
package plugin
