package writer

import (
	"time"

	"github.com/penstock-io/penstock/connect"
)

// timers say when a rotation is due (Java: TopicPartitionWriter.rotateOnTime and
// updateRotationTimers). Times are milliseconds since the epoch.
type timers struct {
	firstAt int64 // wall clock of the first record in the open files

	// rotate.interval.ms, by the wall clock or that of the records.
	lastRotate    int64
	hasLastRotate bool
	current       int64 // time of the record at hand
	hasCurrent    bool

	schedule int64 // the next scheduled rotation
}

// reset begins all intervals anew, as each rotation does.
func (t *timers) reset(cfg *Config, now int64) {
	if cfg.Extractor == nil {
		t.lastRotate, t.hasLastRotate = now, true
	} else {
		t.lastRotate, t.hasLastRotate = t.current, t.hasCurrent
	}
	if cfg.ScheduleInterval > 0 {
		t.schedule = nextScheduled(now, cfg.ScheduleInterval, cfg.Location)
	}
}

// record notes the time of the record at hand.
func (t *timers) record(cfg *Config, rec *connect.SinkRecord, now int64) error {
	if cfg.Extractor == nil || cfg.RotateInterval <= 0 {
		return nil
	}
	ts, err := cfg.Extractor.Extract(rec, now)
	if err != nil {
		return err
	}
	t.current, t.hasCurrent = ts, true
	if !t.hasLastRotate {
		t.lastRotate, t.hasLastRotate = ts, true
	}
	return nil
}

func (t *timers) due(cfg *Config, now int64) bool {
	if cfg.RotateInterval > 0 && t.hasLastRotate {
		if cfg.Extractor == nil && now-t.lastRotate >= cfg.RotateInterval ||
			cfg.Extractor != nil && t.hasCurrent && t.current-t.lastRotate >= cfg.RotateInterval {
			return true
		}
	}
	return cfg.ScheduleInterval > 0 && now >= t.schedule
}

// next is when a rotation of files with records is due by the wall clock.
func (t *timers) next(cfg *Config) (at int64, ok bool) {
	sooner := func(when int64) {
		if !ok || when < at {
			at, ok = when, true
		}
	}
	if cfg.FlushInterval > 0 {
		sooner(t.firstAt + cfg.FlushInterval)
	}
	if cfg.RotateInterval > 0 && cfg.Extractor == nil && t.hasLastRotate {
		sooner(t.lastRotate + cfg.RotateInterval)
	}
	if cfg.ScheduleInterval > 0 {
		sooner(t.schedule)
	}
	return at, ok
}

// nextScheduled is the next multiple of the interval since midnight in the time zone,
// or the next midnight (Java: DateTimeUtils.getNextTimeAdjustedByDay).
func nextScheduled(now, interval int64, zone *time.Location) int64 {
	if zone == nil {
		zone = time.UTC
	}
	year, month, day := time.UnixMilli(now).In(zone).Date()
	midnight := time.Date(year, month, day, 0, 0, 0, 0, zone).UnixMilli()
	tomorrow := time.Date(year, month, day+1, 0, 0, 0, 0, zone).UnixMilli()
	return min(midnight+((now-midnight)/interval+1)*interval, tomorrow)
}
