// Package filestore keeps the offsets of source connectors in a file, for standalone mode
// (Java: FileOffsetBackingStore).
//
// The format is our own: JSON that people can read and mend, see
// docs/reference/offset-file.md. A file of the JVM worker, a Java-serialised
// HashMap<byte[],byte[]>, is read as well; the first write replaces it, and keeps a copy.
//
// A write makes a new file, has it on disk, and puts it in the place of the old one: a
// crash leaves one or the other, whole.
package filestore
