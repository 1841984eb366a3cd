package settings

import (
	"errors"
	"math"
	"regexp"
	"strconv"
	"strings"
)

// Rules of client settings that are more than a range or a list.

// checkGzipLevel is GzipCompression.LevelValidator.
func checkGzipLevel(_ string, v any) error {
	switch n, ok := v.(int); {
	case !ok:
		return errors.New("Value must be non-null")
	case n == -1, 1 <= n && n <= 9:
		return nil
	}
	return errors.New("Value must be between 1 and 9 or equal to -1")
}

// checkOffsetReset is AutoOffsetResetStrategy.Validator: in lower case only.
func checkOffsetReset(key string, v any) error {
	s, _ := v.(string)
	switch s {
	case "earliest", "latest", "none":
		return nil
	}
	if text, ok := strings.CutPrefix(s, "by_duration:"); ok && positiveDuration(text) {
		return nil
	}
	return errors.New("Invalid value `" + s + "` for configuration " + key +
		". The value must be either 'earliest', 'latest', 'none' or of the format 'by_duration:<PnDTnHnMn.nS.>'.")
}

// isoDuration is the grammar of java.time.Duration.parse, besides that a part must follow
// P and T.
var isoDuration = regexp.MustCompile(`(?i)^([+-]?)P(?:([+-]?\d+)D)?(T(?:([+-]?\d+)H)?(?:([+-]?\d+)M)?(?:([+-]?\d+(?:\.\d{0,9})?)S)?)?$`)

// positiveDuration reports whether text is a duration that is not negative in sum.
func positiveDuration(text string) bool {
	m := isoDuration.FindStringSubmatch(text)
	if m == nil || strings.EqualFold(m[3], "T") || m[2]+m[3] == "" {
		return false
	}
	sum := 0.0
	for i, seconds := range map[int]float64{2: 86400, 4: 3600, 5: 60, 6: 1} {
		if m[i] != "" {
			n, err := strconv.ParseFloat(m[i], 64)
			if err != nil {
				return false
			}
			sum += n * seconds
		}
	}
	if m[1] == "-" {
		sum = -sum
	}
	return sum >= 0 && sum <= math.MaxInt64
}

// checkShareMode is ShareAcknowledgementMode.Validator.
func checkShareMode(key string, v any) error {
	s, _ := v.(string)
	if s == "implicit" || s == "explicit" {
		return nil
	}
	return errors.New("Invalid value `" + s + "` for configuration " + key + ". The value must either be 'implicit' or 'explicit'.")
}

// checkShareAcquire is ShareAcquireMode.Validator: in any case.
func checkShareAcquire(key string, v any) error {
	s, _ := v.(string)
	if l := strings.ToLower(s); l == "batch_optimized" || l == "record_limit" {
		return nil
	}
	return errors.New("Invalid value `" + s + "` for configuration " + key + ". The value must either be 'batch_optimized' or 'record_limit'.")
}
