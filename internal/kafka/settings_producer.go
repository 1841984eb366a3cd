package kafka

import (
	"math"
	"time"

	"github.com/IBM/sarama"

	"github.com/penstock-io/penstock/connect/config"
)

// producerSettings are the properties of a Java producer.
type producerSettings struct {
	*clientSettings
	acks            sarama.RequiredAcks
	compression     sarama.CompressionCodec
	batchSize       int // a batch of that size does not wait for linger.ms
	batchLimit      int // no batch of several records is larger
	linger          time.Duration
	bufferMemory    int64
	maxRequestSize  int
	retries         int
	deliveryTimeout time.Duration
	maxBlock        time.Duration
	ignoreKeys      bool // partitioner.ignore.keys

	idempotent      bool
	transactionalID string // "": not transactional
	txnTimeout      time.Duration
}

// grownBatch is how large batches may grow while the broker answers, when batch.size
// is not set: one request per broker is under way, so with Java's 16 KB a topic with
// few partitions would move 16 KB per round trip.
const grownBatch = 256 << 10

// readProducerSettings reads the common and the producer's properties with the
// defaults of the Java producer 4.3.
//
// max.in.flight.requests.per.connection is checked, but it is always 1: order holds
// without it being set, and batches that wait grow instead (see grownBatch).
func readProducerSettings(r *propReader) *producerSettings {
	s := &producerSettings{
		clientSettings:  readClientSettings(r, producerReceiveBuffer),
		batchSize:       max(int(r.int("batch.size", 16384, 0)), 1),
		linger:          r.longMillis("linger.ms", 5, 0),
		bufferMemory:    r.long("buffer.memory", 32<<20, 0),
		maxRequestSize:  int(r.int("max.request.size", 1<<20, 0)),
		retries:         int(r.int("retries", math.MaxInt32, 0)),
		deliveryTimeout: r.intMillis("delivery.timeout.ms", 120_000, 0),
		maxBlock:        r.longMillis("max.block.ms", 60_000, 0),
		ignoreKeys:      r.boolean("partitioner.ignore.keys", false),
		txnTimeout:      r.intMillis("transaction.timeout.ms", 60_000, 0),
	}
	s.topicRight = "Write"
	s.batchLimit = s.batchSize
	if !r.has("batch.size") {
		s.batchLimit = max(grownBatch, s.batchSize)
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
	s.readIdempotence(r)
	if r.has("delivery.timeout.ms") && s.deliveryTimeout < s.linger+s.requestTimeout {
		r.fail("delivery.timeout.ms", r.str("delivery.timeout.ms", ""),
			"should be equal to or larger than linger.ms + request.timeout.ms")
	}
	// A broker waits for its followers that long; the answer comes after it.
	s.sarama.Net.ReadTimeout += time.Second
	return s
}

// readIdempotence follows Java's ProducerConfig.postProcessAndValidateIdempotenceConfigs:
// on by default, silently off when another setting rules it out, an error when both
// were asked for.
func (s *producerSettings) readIdempotence(r *propReader) {
	wanted := r.boolean("enable.idempotence", true)
	asked := r.has("enable.idempotence") && wanted
	inFlight := r.int("max.in.flight.requests.per.connection", 5, 1)
	if _, set := r.props["transactional.id"]; set {
		if s.transactionalID = r.str("transactional.id", ""); s.transactionalID == "" {
			r.fail("transactional.id", "", "String must be non-empty")
		}
	}
	refuse := func(key, msg string) {
		if asked || s.transactionalID != "" {
			r.errs = append(r.errs, &config.Error{Key: key, Msg: msg})
		}
	}
	s.idempotent = wanted
	if s.retries == 0 {
		s.idempotent = false
		refuse("retries", "Must set retries to non-zero when using the idempotent producer.")
	}
	if s.acks != sarama.WaitForAll {
		s.idempotent = false
		refuse("acks", "Must set acks to all in order to use the idempotent producer. Otherwise we cannot guarantee idempotence.")
	}
	if inFlight > 5 {
		s.idempotent = false
		refuse("max.in.flight.requests.per.connection",
			"Must set max.in.flight.requests.per.connection to at most 5 to use the idempotent producer.")
	}
	if s.transactionalID != "" && !wanted {
		r.errs = append(r.errs, &config.Error{Key: "transactional.id",
			Msg: "Cannot set a transactional.id without also enabling idempotence. Remove enable.idempotence=false."})
	}
}
