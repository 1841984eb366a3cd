// Package config defines, parses and validates configuration: the counterpart of
// Java's ConfigDef, without any key of its own. It also reads properties files as
// Java does, hides secrets and renders definitions as documentation.
//
// Two ways lead through a Def. Parse is for starting something: it fails with every
// problem at once, each ending with advice. Validate is for a form: it reports a value
// and errors per key, with exactly the JVM's texts, which REST clients match.
package config
