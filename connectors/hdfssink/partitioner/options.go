package partitioner

import (
	"errors"
	"strings"
	"time"

	"github.com/penstock-io/penstock/connect/config"
)

// The configuration keys of partitioners.
const (
	KeyClass          = "partitioner.class"
	KeyFields         = "partition.field.name"
	KeyDuration       = "partition.duration.ms"
	KeyPathFormat     = "path.format"
	KeyLocale         = "locale"
	KeyTimezone       = "timezone"
	KeyExtractor      = "timestamp.extractor"
	KeyTimestampField = "timestamp.field"
	KeyDelim          = "directory.delim"
)

// Kind is what a partitioner does.
type Kind string

// The kinds.
const (
	Default   Kind = "Default"   // partition=<kafka partition>
	Field     Kind = "Field"     // <field>=<value>/…
	TimeBased Kind = "TimeBased" // path.format of partition.duration.ms
	Daily     Kind = "Daily"     // year=…/month=…/day=…
	Hourly    Kind = "Hourly"    // year=…/month=…/day=…/hour=…
)

// storagePackage has the classes of today, hdfsPackage their deprecated twins, which name
// the same directories.
const (
	storagePackage = "io.confluent.connect.storage.partitioner."
	hdfsPackage    = "io.confluent.connect.hdfs.partitioner."
)

// KindOf returns the kind of a Java class name.
func KindOf(class string) (Kind, bool) {
	name, ok := strings.CutPrefix(class, storagePackage)
	if !ok {
		if name, ok = strings.CutPrefix(class, hdfsPackage); !ok {
			return "", false
		}
	}
	kind := Kind(strings.TrimSuffix(name, "Partitioner"))
	switch kind {
	case Default, Field, TimeBased, Daily, Hourly:
		return kind, name == string(kind)+"Partitioner"
	}
	return "", false
}

// Classes returns the class names that are recommended, in the JVM's order.
func Classes() []string {
	kinds := []Kind{Default, Hourly, Daily, TimeBased, Field}
	classes := make([]string, len(kinds))
	for i, k := range kinds {
		classes[i] = storagePackage + string(k) + "Partitioner"
	}
	return classes
}

// Names of timestamp extractors.
const (
	Wallclock   = "Wallclock"
	Record      = "Record"
	RecordField = "RecordField"
)

// Options configure New. A field that the partitioner does not need is ignored.
type Options struct {
	Class          string   // partitioner.class
	Fields         []string // partition.field.name
	Duration       int64    // partition.duration.ms
	PathFormat     string   // path.format
	Locale         string   // locale
	Timezone       string   // timezone
	Extractor      string   // timestamp.extractor; "" is Wallclock
	TimestampField string   // timestamp.field
	Delim          string   // directory.delim

	// Check is asked once for every new directory whether the store can have it; its
	// error, a sentence, makes the record one that cannot be written. nil is no check.
	Check func(encoded string) error
	// LocalZone is the zone of timestamps in text that name none; nil is time.Local, as
	// the JVM takes its default zone.
	LocalZone *time.Location
}

// New returns a partitioner for one task. The error is a *config.Error, or a join of several.
func New(o Options) (Partitioner, error) {
	kind, ok := KindOf(o.Class)
	if !ok {
		return nil, config.Invalid(KeyClass, o.Class, "Class "+o.Class+" could not be found. Use one of "+strings.Join(Classes(), ", ")+".")
	}
	switch kind {
	case Field:
		return newField(o), nil
	case TimeBased, Daily, Hourly:
		return newTime(kind, o)
	default:
		return &defaultPartitioner{}, nil
	}
}

// Path returns a topic's directory for an encoded partition, below topics.dir (Java:
// Partitioner.generatePartitionedPath).
func Path(topic, encoded, delim string) string { return topic + delim + encoded }

// newTime checks everything before it gives up.
func newTime(kind Kind, o Options) (*Time, error) {
	const day, hour = 24 * 60 * 60 * 1000, 60 * 60 * 1000
	switch kind {
	case Daily:
		o.Duration = day
		o.PathFormat = "'year'=YYYY" + o.Delim + "'month'=MM" + o.Delim + "'day'=dd"
	case Hourly:
		o.Duration = hour
		o.PathFormat = "'year'=YYYY" + o.Delim + "'month'=MM" + o.Delim + "'day'=dd" + o.Delim + "'hour'=HH"
	default:
	}
	var problems []error
	refuse := func(err error) {
		if err != nil {
			problems = append(problems, err)
		}
	}
	if o.Duration <= 0 { // the JVM takes 0 and then divides by it
		refuse(config.Invalid(KeyDuration, o.Duration, "Partition duration needs to be a positive. Set it to the milliseconds that share a directory, e.g. 3600000."))
	}
	zone, err := requireZone(o.Timezone)
	refuse(err)
	pattern, err := requirePattern(o, zone)
	refuse(err)
	extractor, err := newExtractor(o)
	refuse(err)
	switch len(problems) {
	case 0:
	case 1:
		return nil, problems[0]
	default:
		return nil, errors.Join(problems...)
	}
	_, wall := extractor.(wallclock)
	t := &Time{extractor: extractor, wall: wall}
	t.buckets = buckets{duration: o.Duration, zone: zone, pattern: pattern, names: names{check: o.Check}}
	if o.Check != nil {
		if err := o.Check(string(pattern.appendTo(nil, 0, zone))); err != nil {
			return nil, config.Invalid(KeyPathFormat, o.PathFormat, err.Error()+" Choose other separators, e.g. -.")
		}
	}
	return t, nil
}

func requireZone(id string) (Zone, error) {
	if strings.TrimSpace(id) == "" {
		return Zone{}, config.Invalid(KeyTimezone, id, "Timezone cannot be empty. Set it to the zone of the directories, e.g. UTC or Europe/Berlin.")
	}
	zone, err := LoadZone(id)
	if err != nil {
		return Zone{}, config.Invalid(KeyTimezone, id, err.Error()+". Use an IANA name such as Europe/Berlin, UTC, or an offset such as +02:00.")
	}
	return zone, nil
}

// requirePattern compiles path.format; a zone that is wrong has no Location.
func requirePattern(o Options, zone Zone) (*layout, error) {
	var problems []error
	format := o.PathFormat
	if strings.TrimSpace(format) == "" || format == o.Delim {
		problems = append(problems, config.Invalid(KeyPathFormat, format, "Path format cannot be empty. Set it to a pattern, e.g. 'year'=YYYY/'month'=MM/'day'=dd."))
	}
	if strings.TrimSpace(o.Locale) == "" {
		problems = append(problems, config.Invalid(KeyLocale, o.Locale, "Locale cannot be empty. Set it to a language, e.g. en."))
	}
	if problems != nil {
		return nil, errors.Join(problems...)
	}
	p, err := compile(strings.TrimSuffix(format, o.Delim))
	if err != nil {
		return nil, config.Invalid(KeyPathFormat, format, err.Error())
	}
	if err := p.localize(o.Locale, zone); err != nil {
		return nil, err
	}
	return p, nil
}
