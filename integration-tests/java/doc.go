// Package java asks Apache Kafka's own classes and the JDK, in a JVM of their own, what they
// make of generated records, texts and patterns, and compares it with what ours make of
// them. Golden.java is the program that answers. The tests have the tag integration.
package java
