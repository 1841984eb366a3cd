package settings

// sslKeys are the client settings of TLS, in the order of Java's SslConfigs.
const sslKeys = `
ssl.protocol | STRING | TLSv1.3 | M | | TLS version to negotiate at most: TLSv1.3 or TLSv1.2.
ssl.provider | STRING | null | M | | JVM security provider. Penstock has one TLS implementation and ignores it.
ssl.cipher.suites | LIST | | L | list empty | Cipher suites that may be used, by IANA name; empty means the defaults of the TLS library.
ssl.enabled.protocols | LIST | TLSv1.2,TLSv1.3 | M | list empty | TLS versions that connections may use.
ssl.keystore.type | STRING | JKS | M | | Format of the key store: JKS, PKCS12 or PEM.
ssl.keystore.location | STRING | null | H | | File with the own key and certificate.
ssl.keystore.password | PASSWORD | null | H | | Password of the key store file.
ssl.key.password | PASSWORD | null | H | | Password of the private key inside the key store, or of the PEM key.
ssl.keystore.key | PASSWORD | null | H | | Private key in PEM format, instead of a key store file.
ssl.keystore.certificate.chain | PASSWORD | null | H | | Certificate chain in PEM format that belongs to ssl.keystore.key.
ssl.truststore.certificates | PASSWORD | null | H | | Trusted certificates in PEM format, instead of a trust store file.
ssl.truststore.type | STRING | JKS | M | | Format of the trust store: JKS, PKCS12 or PEM.
ssl.truststore.location | STRING | null | H | | File with the certificates to trust.
ssl.truststore.password | PASSWORD | null | H | | Password of the trust store file.
ssl.keymanager.algorithm | STRING | SunX509 | L | | Key manager algorithm of the JVM; ignored here.
ssl.trustmanager.algorithm | STRING | PKIX | L | | Trust manager algorithm of the JVM; ignored here.
ssl.endpoint.identification.algorithm | STRING | https | L | | How a server's name is checked against its certificate; an empty text switches the check off.
ssl.secure.random.implementation | STRING | null | L | | Random number generator of the JVM; ignored here.
ssl.engine.factory.class | CLASS | null | L | | Java class that makes TLS engines. Java classes cannot be loaded: others than Kafka's own are refused.
`

// saslKeys are the client settings of SASL, in the order of Java's SaslConfigs.
const saslKeys = `
sasl.kerberos.service.name | STRING | null | M | | Kerberos service name of the brokers, usually kafka.
sasl.kerberos.kinit.cmd | STRING | /usr/bin/kinit | L | | Path of kinit; ignored here: it is not run, a ticket cache is read anew whoever renews it.
sasl.kerberos.ticket.renew.window.factor | DOUBLE | 0.8 | L | | Share of a ticket's life after which the next connection logs in anew.
sasl.kerberos.ticket.renew.jitter | DOUBLE | 0.05 | L | | Share of random time added to the renewal time.
sasl.kerberos.min.time.before.relogin | LONG | 60000 | L | | Shortest time between two Kerberos logins, in milliseconds.
sasl.login.refresh.window.factor | DOUBLE | 0.8 | L | 0.5..1.0 | Share of a credential's life after which it is refreshed (OAUTHBEARER).
sasl.login.refresh.window.jitter | DOUBLE | 0.05 | L | 0.0..0.25 | Share of random time added to the refresh time (OAUTHBEARER).
sasl.login.refresh.min.period.seconds | SHORT | 60 | L | 0..900 | Shortest time between two refreshes (OAUTHBEARER).
sasl.login.refresh.buffer.seconds | SHORT | 300 | L | 0..3600 | Time that must remain of a credential when it is refreshed (OAUTHBEARER).
sasl.mechanism | STRING | GSSAPI | M | | SASL mechanism: GSSAPI, PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER.
sasl.jaas.config | PASSWORD | null | M | | Login module and its options in JAAS format, e.g. user name and password for PLAIN and SCRAM. Without it the section KafkaClient of the JAAS file that KAFKA_OPTS names.
sasl.client.callback.handler.class | CLASS | null | M | | Java callback handler of the client. Java classes cannot be loaded: it is refused.
sasl.login.callback.handler.class | CLASS | null | M | | Java callback handler of the login. Java classes cannot be loaded: others than Kafka's own for OAUTHBEARER are refused.
sasl.login.class | CLASS | null | M | | Java login class. Java classes cannot be loaded: it is refused.
sasl.login.connect.timeout.ms | INT | null | L | | Time-out for connecting to the identity provider (OAUTHBEARER); 30 seconds if it is not set.
sasl.login.read.timeout.ms | INT | null | L | | Time-out for reading from the identity provider (OAUTHBEARER); 30 seconds if it is not set.
sasl.login.retry.backoff.max.ms | LONG | 10000 | L | | Longest pause between login attempts, and how long they go on (OAUTHBEARER).
sasl.login.retry.backoff.ms | LONG | 100 | L | | First pause between login attempts (OAUTHBEARER).
sasl.oauthbearer.jwt.retriever.class | CLASS | org.apache.kafka.common.security.oauthbearer.DefaultJwtRetriever | M | | Java class that fetches tokens. Kafka's own for client credentials and files stand for what is built in; others are refused.
sasl.oauthbearer.jwt.validator.class | CLASS | org.apache.kafka.common.security.oauthbearer.DefaultJwtValidator | M | | Java class that checks tokens. Kafka's own for clients stand for what is built in; others are refused.
sasl.oauthbearer.scope | STRING | null | M | | Scope to ask the identity provider for.
sasl.oauthbearer.client.credentials.client.id | STRING | null | M | | Client id for the client credentials grant.
sasl.oauthbearer.client.credentials.client.secret | PASSWORD | null | M | | Secret that belongs to the client id.
sasl.oauthbearer.assertion.algorithm | STRING | RS256 | M | any ES256,RS256 | Algorithm that signs an assertion; refused here.
sasl.oauthbearer.assertion.claim.aud | STRING | null | M | | Audience claim of an assertion; refused here.
sasl.oauthbearer.assertion.claim.exp.seconds | INT | 300 | L | 0..86400 | Life of an assertion; refused here.
sasl.oauthbearer.assertion.claim.iss | STRING | null | M | | Issuer claim of an assertion; refused here.
sasl.oauthbearer.assertion.claim.jti.include | BOOLEAN | false | M | | Whether an assertion gets a unique id; refused here.
sasl.oauthbearer.assertion.claim.nbf.seconds | INT | 60 | L | 0..3600 | How long before now an assertion is valid already; refused here.
sasl.oauthbearer.assertion.claim.sub | STRING | null | M | | Subject claim of an assertion; refused here.
sasl.oauthbearer.assertion.file | STRING | null | M | | File with a ready assertion; refused here.
sasl.oauthbearer.assertion.private.key.file | STRING | null | M | | File with the PEM key that signs assertions; refused here.
sasl.oauthbearer.assertion.private.key.passphrase | PASSWORD | null | M | | Pass phrase of that key; refused here.
sasl.oauthbearer.assertion.template.file | STRING | null | M | | File with further claims of an assertion; refused here.
sasl.oauthbearer.scope.claim.name | STRING | scope | L | | Name of the claim that holds the scope; of brokers, which check tokens.
sasl.oauthbearer.sub.claim.name | STRING | sub | L | | Name of the claim that holds the subject.
sasl.oauthbearer.token.endpoint.url | STRING | null | M | | Address of the identity provider's token endpoint, or a file: URL of a token. It must be one of the addresses in -Dorg.apache.kafka.sasl.oauthbearer.allowed.urls=… of KAFKA_OPTS.
sasl.oauthbearer.jwks.endpoint.url | STRING | null | M | | Address of the identity provider's public keys; of brokers, which check tokens.
sasl.oauthbearer.jwks.endpoint.refresh.ms | LONG | 3600000 | L | | How often the public keys are read again; of brokers, which check tokens.
sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms | LONG | 10000 | L | | Longest pause between attempts to read them; of brokers, which check tokens.
sasl.oauthbearer.jwks.endpoint.retry.backoff.ms | LONG | 100 | L | | First pause between attempts to read them; of brokers, which check tokens.
sasl.oauthbearer.clock.skew.seconds | INT | 30 | L | | Clock difference to the identity provider that is tolerated; of brokers, which check tokens.
sasl.oauthbearer.expected.audience | LIST | | H | list empty | Audiences that a token may be meant for; of brokers, which check tokens.
sasl.oauthbearer.expected.issuer | STRING | null | H | | Issuer that a token must have; of brokers, which check tokens.
sasl.oauthbearer.header.urlencode | BOOLEAN | false | L | | Whether client id and secret are URL-encoded in the request's header.
`
