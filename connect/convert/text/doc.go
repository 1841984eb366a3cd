// Package text converts text: Converter is the StringConverter, and SimpleHeaderConverter
// is the converter of headers that a worker takes when none is configured.
//
// UTF-8 is not decoded: a valid text stays the bytes that were fetched, and only those
// that are malformed are rewritten, as a JVM would read them.
package text
