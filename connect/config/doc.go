// Package config defines, parses and validates configuration: the counterpart of
// Java's ConfigDef, without any key of its own.
package config
