package kafka

import (
	"math"
	"time"

	"github.com/IBM/sarama"
)

// producerSettings are the properties of a Java producer.
type producerSettings struct {
	*clientSettings
	acks            sarama.RequiredAcks
	compression     sarama.CompressionCodec
	batchSize       int
	maxRequestSize  int
	retries         int
	deliveryTimeout time.Duration
	maxBlock        time.Duration
}

// readProducerSettings reads the common and the producer's properties with the
// defaults of the Java producer 4.3.
//
// Accepted without effect: linger.ms (Send waits for its records, so that waiting
// before sending them only adds latency; what is handed over while a request is
// under way goes out together), buffer.memory (callers hold their records),
// max.in.flight.requests.per.connection (one per partition, always in order).
func readProducerSettings(r *propReader) *producerSettings {
	s := &producerSettings{
		clientSettings:  readClientSettings(r, producerReceiveBuffer),
		batchSize:       int(r.int("batch.size", 16384, 0)),
		maxRequestSize:  int(r.int("max.request.size", 1<<20, 0)),
		retries:         int(r.int("retries", math.MaxInt32, 0)),
		deliveryTimeout: r.intMillis("delivery.timeout.ms", 120_000, 0),
		maxBlock:        r.longMillis("max.block.ms", 60_000, 0),
	}
	switch r.oneOf("acks", "all", "all", "-1", "0", "1") {
	case "0":
		s.acks = sarama.NoResponse
	case "1":
		s.acks = sarama.WaitForLocal
	default:
		s.acks = sarama.WaitForAll
	}
	codec := r.oneOf("compression.type", "none", "none", "gzip", "snappy", "lz4", "zstd")
	_ = s.compression.UnmarshalText([]byte(codec)) // the list above is sarama's
	linger := r.longMillis("linger.ms", 5, 0)
	r.long("buffer.memory", 32<<20, 0)
	r.boolean("enable.idempotence", true)
	r.int("max.in.flight.requests.per.connection", 5, 1)
	if r.has("delivery.timeout.ms") && s.deliveryTimeout < linger+s.requestTimeout {
		r.fail("delivery.timeout.ms", r.str("delivery.timeout.ms", ""),
			"should be equal to or larger than linger.ms + request.timeout.ms")
	}
	// A broker waits for its followers that long; the answer comes after it.
	s.sarama.Net.ReadTimeout += time.Second
	return s
}
