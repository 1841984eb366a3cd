// Package sasl logs connections in at Kafka brokers: the mechanisms PLAIN, SCRAM, OAUTHBEARER
// and GSSAPI, what they need of identity providers and Kerberos, and the requests in which
// brokers take their tokens (KIP-43, KIP-152, KIP-368).
//
// A [Mechanism] is one identity: it is shared by all connections of a client, and by clients
// with the same settings, so that a token or ticket is fetched once and not per connection.
// [Authenticate] logs one connection in. Everything ends with its context, and no error shows
// a password, a token or a key.
package sasl
