package kafka

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/IBM/sarama"
)

// consumerSettings are the properties of a Java consumer that concern fetching.
type consumerSettings struct {
	*clientSettings
	minBytes          int32         // fetch.min.bytes
	maxBytes          int32         // fetch.max.bytes
	maxPartitionBytes int32         // max.partition.fetch.bytes
	maxWait           time.Duration // fetch.max.wait.ms
	maxPollRecords    int           // max.poll.records
	isolation         sarama.IsolationLevel
	reset             resetPolicy
}

// maxFetchBytes is the most that may be asked for: sarama refuses answers of more
// than 100 MiB, and a broker may go one batch beyond what was asked.
const maxFetchBytes = 64 << 20

// readConsumerSettings reads the common and the consumer's properties with the
// defaults of the Java consumer 4.3.
func readConsumerSettings(r *propReader) *consumerSettings {
	s := &consumerSettings{
		clientSettings:    readClientSettings(r, consumerReceiveBuffer),
		minBytes:          r.int("fetch.min.bytes", 1, 0),
		maxBytes:          r.int("fetch.max.bytes", 50<<20, 0),
		maxPartitionBytes: r.int("max.partition.fetch.bytes", 1<<20, 0),
		maxWait:           r.intMillis("fetch.max.wait.ms", 500, 0),
		maxPollRecords:    int(r.int("max.poll.records", 500, 1)),
	}
	if r.oneOf("isolation.level", "read_uncommitted", "read_committed", "read_uncommitted") == "read_committed" {
		s.isolation = sarama.ReadCommitted
	}
	r.boolean("check.crcs", true) // sarama always checks
	s.topicRight = "Read"
	var err error
	if s.reset, err = parseResetPolicy(r.str("auto.offset.reset", "latest")); err != nil {
		r.fail("auto.offset.reset", r.str("auto.offset.reset", ""), err.Error())
	}
	// 0 would be taken for "no limit" by brokers; 1 byte gives one batch.
	s.maxBytes = min(max(s.maxBytes, 1), maxFetchBytes)
	s.maxPartitionBytes = min(max(s.maxPartitionBytes, 1), maxFetchBytes)
	// An answer may be held back for maxWait, on top of what a request may take.
	s.sarama.Net.ReadTimeout += s.maxWait
	return s
}

// resetPolicy is auto.offset.reset.
type resetPolicy struct {
	none bool
	time int64         // sarama.OffsetOldest or OffsetNewest, when back is 0
	back time.Duration // by_duration
}

func parseResetPolicy(text string) (resetPolicy, error) {
	const byDuration = "by_duration:"
	switch strings.ToLower(text) {
	case "earliest":
		return resetPolicy{time: sarama.OffsetOldest}, nil
	case "latest":
		return resetPolicy{time: sarama.OffsetNewest}, nil
	case "none":
		return resetPolicy{none: true}, nil
	}
	if len(text) > len(byDuration) && strings.EqualFold(text[:len(byDuration)], byDuration) {
		d, err := parseISODuration(text[len(byDuration):])
		if err != nil {
			return resetPolicy{}, fmt.Errorf("Unable to parse duration string in reset strategy: %w", err) //nolint:staticcheck // Java's wording
		}
		return resetPolicy{back: d, time: sarama.OffsetNewest}, nil
	}
	return resetPolicy{}, errors.New("value must be one of earliest, latest, none or by_duration:<ISO-8601 duration>, e.g. by_duration:PT24H")
}

// at returns what ListOffsets is to be asked for.
func (p resetPolicy) at(now time.Time) int64 {
	if p.back > 0 {
		return max(now.Add(-p.back).UnixMilli(), 0)
	}
	return p.time
}

var isoDuration = regexp.MustCompile(`^(?i)P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)(?:\.(\d{1,9}))?S)?)?$`)

// parseISODuration parses the positive durations of java.time.Duration.
func parseISODuration(text string) (time.Duration, error) {
	m := isoDuration.FindStringSubmatch(text)
	if m == nil {
		return 0, errors.New("not an ISO-8601 duration such as P1D or PT2H30M")
	}
	total := 0.0
	for i, unit := range []time.Duration{24 * time.Hour, time.Hour, time.Minute, time.Second} {
		if m[i+1] != "" {
			n, err := strconv.ParseFloat(m[i+1], 64)
			if err != nil {
				return 0, err
			}
			total += n * float64(unit)
		}
	}
	if m[5] != "" {
		frac, _ := strconv.ParseFloat("0."+m[5], 64)
		total += frac * float64(time.Second)
	}
	switch {
	case total <= 0:
		return 0, errors.New("the duration must be positive")
	case total > math.MaxInt64/2:
		return math.MaxInt64 / 2, nil
	}
	return time.Duration(total), nil
}
