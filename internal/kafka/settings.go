package kafka

import (
	"net"
	"strconv"
	"time"

	"github.com/IBM/sarama"

	"github.com/penstock-io/penstock/connect/config"
)

// clientSettings are the properties that all Java clients have, parsed.
type clientSettings struct {
	bootstrap          []string // host:port
	clientID           string
	rack               string
	metadataMaxAge     time.Duration
	requestTimeout     time.Duration
	apiTimeout         time.Duration // default.api.timeout.ms
	retryBackoff       time.Duration
	retryBackoffMax    time.Duration
	reconnect          time.Duration
	reconnectMax       time.Duration
	maxIdle            time.Duration // connections.max.idle.ms; < 0: never closed
	rebootstrap        bool          // metadata.recovery.strategy
	canonicalBootstrap bool          // client.dns.lookup
	security           security
	topicRight         string // what the client wants of topics: Describe, Read or Write
	sarama             *sarama.Config
	dialer             *dialer
}

// receiveBuffer is the default of receive.buffer.bytes, which differs by client.
type receiveBuffer int32

const (
	producerReceiveBuffer receiveBuffer = 32 * 1024
	consumerReceiveBuffer receiveBuffer = 64 * 1024
)

// readClientSettings reads the common properties with the defaults of the Java
// clients 4.3. Problems are collected in r.
func readClientSettings(r *propReader, rcv receiveBuffer) *clientSettings {
	s := &clientSettings{
		topicRight:      "Describe",
		clientID:        r.str("client.id", ""),
		rack:            r.str("client.rack", ""),
		metadataMaxAge:  r.longMillis("metadata.max.age.ms", 300_000, 0),
		requestTimeout:  r.intMillis("request.timeout.ms", 30_000, 0),
		apiTimeout:      r.intMillis("default.api.timeout.ms", 60_000, 0),
		retryBackoff:    r.longMillis("retry.backoff.ms", 100, 0),
		retryBackoffMax: r.longMillis("retry.backoff.max.ms", 1000, 0),
		reconnect:       r.longMillis("reconnect.backoff.ms", 50, 0),
		reconnectMax:    r.longMillis("reconnect.backoff.max.ms", 1000, 0),
		maxIdle:         r.longMillis("connections.max.idle.ms", 540_000, -1<<62),
		rebootstrap:     r.oneOfFold("metadata.recovery.strategy", "REBOOTSTRAP", "NONE", "REBOOTSTRAP") == "REBOOTSTRAP",
	}
	s.canonicalBootstrap = r.oneOf("client.dns.lookup", "use_all_dns_ips",
		"use_all_dns_ips", "resolve_canonical_bootstrap_servers_only") != "use_all_dns_ips"
	r.long("metadata.recovery.rebootstrap.trigger.ms", 300_000, 0)
	r.longMillis("socket.connection.setup.timeout.max.ms", 30_000, -1<<62)
	setup := r.longMillis("socket.connection.setup.timeout.ms", 10_000, -1<<62)
	s.readBootstrap(r)

	s.dialer = newDialer(max(setup, 0),
		int(r.int("send.buffer.bytes", 128*1024, -1)),
		int(r.int("receive.buffer.bytes", int32(rcv), -1)))
	s.dialer.clientID, s.dialer.handshake = s.clientID, handshakeTimeout(s.requestTimeout)
	s.sarama = s.newSaramaConfig(s.dialer)
	s.security = readSecurity(r)
	return s
}

func (s *clientSettings) readBootstrap(r *propReader) {
	const key = "bootstrap.servers"
	if !r.has(key) {
		r.missing(key, " Set it to the Kafka brokers, e.g. kafka1:9092,kafka2:9092.")
		return
	}
	for _, addr := range r.list(key) {
		host, port, err := net.SplitHostPort(addr)
		if err != nil || host == "" {
			r.errs = append(r.errs, &config.Error{Key: key, Msg: "Invalid url in bootstrap.servers: " + addr +
				". Write host:port, and [address]:port for IPv6."})
			continue
		}
		if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
			r.errs = append(r.errs, &config.Error{Key: key, Msg: "Invalid port in bootstrap.servers: " + addr})
			continue
		}
		s.bootstrap = append(s.bootstrap, addr)
	}
	if len(s.bootstrap) == 0 && len(r.errs) == 0 {
		r.errs = append(r.errs, &config.Error{Key: key, Msg: "No resolvable bootstrap urls given in bootstrap.servers"})
	}
}

// newSaramaConfig returns a configuration with the network settings. Of security it has
// nothing: connections come out of the dialer with TLS and logged in, because sarama's own
// logins know no context, log in anew for each connection and hide what a broker answers.
func (s *clientSettings) newSaramaConfig(d *dialer) *sarama.Config {
	c := sarama.NewConfig()
	c.Version = sarama.MaxVersion // request versions are clamped to what each broker supports
	c.MetricRegistry = noMetrics{}
	c.ClientID = s.clientID
	c.RackID = s.rack
	// 1 ms is the least that sarama takes; Java allows 0, which never works.
	c.Net.ReadTimeout = max(s.requestTimeout, time.Millisecond)
	c.Net.WriteTimeout = c.Net.ReadTimeout
	c.Net.DialTimeout = max(d.timeout, time.Millisecond)
	c.Net.MaxOpenRequests = 1
	c.Net.Proxy.Enable = true
	c.Net.Proxy.Dialer = d
	c.Net.ResolveCanonicalBootstrapServers = s.canonicalBootstrap
	c.Metadata.Full = false
	c.Metadata.AllowAutoTopicCreation = false
	c.Metadata.RefreshFrequency = s.metadataMaxAge
	c.Metadata.Retry.Backoff = s.retryBackoff
	c.Admin.Timeout = c.Net.ReadTimeout
	c.Admin.Retry.Backoff = s.retryBackoff
	return c
}

// withDialer returns a copy of the configuration that dials through d.
func (s *clientSettings) withDialer(d *dialer) *sarama.Config {
	c := *s.sarama
	c.Net.Proxy.Dialer = d
	return &c
}
