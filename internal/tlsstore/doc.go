// Package tlsstore turns Kafka's ssl.* properties into TLS settings: key and trust stores in
// the formats JKS, PKCS12 and PEM, versions, cipher suites and how the other side is checked.
// The Kafka clients, the listeners of the REST interface and the client between workers use it.
//
// Stores are only read, with what the standard library has of cryptography; besides the
// present algorithms these are those of keytool before Java 17 and of OpenSSL before 3.
package tlsstore
