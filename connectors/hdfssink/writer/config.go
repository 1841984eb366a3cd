package writer

import (
	"time"

	"go.uber.org/zap"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connectors/hdfssink/filesystem"
	"github.com/penstock-io/penstock/connectors/hdfssink/format"
	"github.com/penstock-io/penstock/connectors/hdfssink/partitioner"
)

// Config is what the partitions of a task share. All durations in int64 are
// milliseconds, and those of rotation are off when they are not positive.
type Config struct {
	FS          filesystem.FS
	Format      format.Format
	Partitioner partitioner.Partitioner
	// Extractor gives the time that RotateInterval is measured in; nil is the wall clock.
	Extractor partitioner.TimestampExtractor
	Context   connect.SinkTaskContext
	Logger    *zap.Logger

	PadWidth         int // filename.offset.zero.pad.width; 0 is no padding
	FlushSize        int // flush.size: records per commit, at least 1
	RotateInterval   int64
	ScheduleInterval int64          // rotate.schedule.interval.ms
	Location         *time.Location // whose midnight the schedule starts from; nil is UTC
	FlushInterval    int64          // flush.interval.ms, wall clock from the first record on
	RetryBackoff     int64          // retry.backoff.ms; at least 1 is used
	Compatibility    Compatibility

	// MaxOpenFiles commits before another directory is opened; 0 is DefaultMaxOpenFiles.
	MaxOpenFiles int
	// CallTimeout bounds each call of FS; 0 is DefaultCallTimeout.
	CallTimeout time.Duration
	// Slots bounds how many partitions recover at the same time; nil is no bound.
	Slots chan struct{}
}

// Defaults of Config.
const (
	DefaultMaxOpenFiles = 1000
	DefaultCallTimeout  = 30 * time.Second
)

func (c *Config) maxOpenFiles() int {
	if c.MaxOpenFiles > 0 {
		return c.MaxOpenFiles
	}
	return DefaultMaxOpenFiles
}

func (c *Config) callTimeout() time.Duration {
	if c.CallTimeout > 0 {
		return c.CallTimeout
	}
	return DefaultCallTimeout
}

// Compatibility is schema.compatibility (Java: StorageSchemaCompatibility).
type Compatibility uint8

// The compatibilities.
const (
	None Compatibility = iota
	Backward
	Forward
	Full
)

// ParseCompatibility reads the value of schema.compatibility; unknown text is None, as
// in the JVM.
func ParseCompatibility(s string) Compatibility {
	switch s {
	case "BACKWARD":
		return Backward
	case "FORWARD":
		return Forward
	case "FULL":
		return Full
	}
	return None
}

// String returns the config value.
func (c Compatibility) String() string {
	return [...]string{"NONE", "BACKWARD", "FORWARD", "FULL"}[c]
}
