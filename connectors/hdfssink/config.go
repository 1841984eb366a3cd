package hdfssink

import (
	"errors"
	"regexp"
	"strings"
	"time"

	"github.com/penstock-io/penstock/connect/config"
	"github.com/penstock-io/penstock/connectors/hdfssink/partitioner"
)

// Config is the connector's configuration, parsed and checked. It belongs to one task,
// because its partitioner does. Times are in milliseconds, as the keys have them.
type Config struct {
	// Name is the connector's name, HDFS-sink when it is not known.
	Name string

	// StoreURL is store.url, or else hdfs.url, as it was given: it is a prefix of the
	// paths in write-ahead logs, which the JVM compares as texts.
	StoreURL string
	// Scheme is hdfs or file.
	Scheme string
	// BaseDir is the URL's path: / when it has none, without a slash at its end otherwise.
	BaseDir string
	// HadoopConfDir is the directory of core-site.xml and hdfs-site.xml, or "".
	HadoopConfDir string

	// DirectoryDelim stands between the topic and the partitioner's directory.
	DirectoryDelim string
	// PadWidth is the least number of digits of an offset in file names, 0 to 100.
	PadWidth int

	FlushSize        int   // records per topic partition and commit, at least 1
	RotateInterval   int64 // off when not positive
	RotateSchedule   int64 // off when not positive, else Location is set
	FlushInterval    int64 // off when not positive; counts from the first record of open files
	RetryBackoff     int64
	ShutdownTimeout  int64
	Location         *time.Location // timezone; nil when it is not set
	PartitionerClass string
	Partitioner      partitioner.Partitioner
	// RotateByRecord gives the time that RotateInterval is measured in; nil is the wall clock.
	RotateByRecord partitioner.TimestampExtractor

	// SchemaCompatibility is NONE, BACKWARD, FORWARD or FULL. Any other text is NONE, also
	// one in lower case, as in the JVM.
	SchemaCompatibility string

	Format FileFormat // Avro, JSON or Text
	// FormatClass is format.class as it was given.
	FormatClass string
	// AvroCodec is null, deflate, snappy or bzip2.
	AvroCodec            string
	EnhancedAvro         bool
	ConnectMetaData      bool
	AllowOptionalMapKeys bool
	SchemaCacheSize      int

	topicsDir, logsDir string
	captureGroups      *regexp.Regexp // nil when there is none
	captureText        string
}

// ParseConfig parses and checks a configuration. All problems are returned together, one
// *config.Error or the errors.Join of several, each with advice; then there is no Config.
func ParseConfig(props map[string]string) (*Config, error) {
	values, err := ConfigDef().Parse(props)
	problems := flatten(err, nil)
	c, more := build(values, props, problems)
	problems = append(problems, more...)
	switch len(problems) {
	case 0:
		return c, nil
	case 1:
		return nil, problems[0]
	}
	joined := make([]error, len(problems))
	for i, p := range problems {
		joined[i] = p
	}
	return nil, errors.Join(joined...)
}

// build makes a Config of values, as far as the keys of problems leave it possible, and
// returns further problems of other keys.
func build(v config.Values, props map[string]string, problems []*config.Error) (*Config, []*config.Error) {
	b := builder{v: v, wrong: map[string]bool{}}
	for _, p := range problems {
		b.wrong[p.Key] = true
	}
	c := &Config{
		Name:                 props["name"],
		HadoopConfDir:        v.String(keyHadoopConfDir),
		DirectoryDelim:       v.String(keyDirectoryDelim),
		PadWidth:             v.Int(keyPadWidth),
		FlushSize:            v.Int(keyFlushSize),
		RotateInterval:       v.Long(keyRotateInterval),
		RotateSchedule:       v.Long(keyRotateSchedule),
		FlushInterval:        v.Long(keyFlushInterval),
		RetryBackoff:         v.Long(keyRetryBackoff),
		ShutdownTimeout:      v.Long(keyShutdownTimeout),
		PartitionerClass:     v.String(keyPartitioner),
		SchemaCompatibility:  v.String(keyCompatibility),
		FormatClass:          v.String(keyFormat),
		AvroCodec:            v.String(keyAvroCodec),
		EnhancedAvro:         v.Bool(keyEnhancedAvro),
		ConnectMetaData:      v.Bool(keyConnectMeta),
		AllowOptionalMapKeys: v.Bool(keyOptionalMapKeys),
		SchemaCacheSize:      v.Int(keySchemaCache),
		topicsDir:            v.String(keyTopicsDir),
		logsDir:              v.String(keyLogsDir),
	}
	if c.Name == "" {
		c.Name = "HDFS-sink"
	}
	switch c.SchemaCompatibility {
	case "BACKWARD", "FORWARD", "FULL":
	default:
		c.SchemaCompatibility = "NONE"
	}
	b.notYet(c)
	b.url(c)
	b.dirs(c)
	b.rotation(c)
	b.partitioner(c)
	return c, b.found
}

// builder collects problems, one per key: what is wrong already is not blamed again.
type builder struct {
	v     config.Values
	wrong map[string]bool
	found []*config.Error
}

func (b *builder) fail(key, msg string) {
	if !b.wrong[key] {
		b.wrong[key] = true
		b.found = append(b.found, &config.Error{Key: key, Msg: msg})
	}
}

func (b *builder) invalid(key string, value any, msg string) {
	b.fail(key, config.Invalid(key, value, msg).Msg)
}

// notYet refuses what the JVM connector can do and this one cannot: ignoring it would
// write other data, or none.
func (b *builder) notYet(c *Config) {
	c.Format, _ = formatOf(c.FormatClass)
	if c.Format == Parquet || c.Format == ORC {
		b.invalid(keyFormat, c.FormatClass, string(c.Format)+" files are not supported yet. "+hintFormat)
	}
	if b.v.Bool(keyHiveIntegration) {
		b.invalid(keyHiveIntegration, true, "Hive is not supported yet. Set it to false and create the tables in Hive yourself, as external tables on the directories of the topics.")
	}
	if b.v.Bool(keyKerberos) {
		b.invalid(keyKerberos, true, "Kerberos is not supported yet. Set it to false, which needs a cluster with simple authentication.")
	}
	if c.PadWidth > maxPadWidth {
		b.invalid(keyPadWidth, c.PadWidth, "Names would be longer than HDFS allows. Set it to at most 100; offsets have 19 digits at most.")
	}
}

// rotation checks the schedule and the time zone it needs.
func (b *builder) rotation(c *Config) {
	if b.wrong[keyTimezone] {
		return
	}
	id := b.v.String(keyTimezone)
	if id == "" {
		if c.RotateSchedule > 0 {
			b.fail(keyRotateSchedule, "timezone configuration must be set when using rotate.schedule.interval.ms. Set timezone to the zone whose midnight the schedule starts from, e.g. UTC.")
		}
		return
	}
	if zone, err := partitioner.LoadZone(id); err != nil {
		b.invalid(keyTimezone, id, err.Error())
	} else {
		c.Location = zone.Location()
	}
}

// partitioner builds the partitioner and the clock of rotate.interval.ms. The JVM measures
// by the record only with the time based partitioners of the storage package, not with
// their deprecated twins of the HDFS package.
func (b *builder) partitioner(c *Config) {
	if b.wrong[keyPartitioner] {
		return
	}
	p, err := partitioner.New(partitioner.Options{
		Class:          c.PartitionerClass,
		Fields:         b.v.List(keyPartitionFields),
		Duration:       b.v.Long(keyPartitionMillis),
		PathFormat:     b.v.String(keyPathFormat),
		Locale:         b.v.String(keyLocale),
		Timezone:       b.v.String(keyTimezone),
		Extractor:      b.v.String(keyExtractor),
		TimestampField: b.v.String(keyTimestampField),
		Delim:          c.DirectoryDelim,
		Check:          directoryCheck(c.Scheme),
	})
	for _, e := range flatten(err, nil) {
		b.fail(e.Key, e.Msg)
	}
	if err != nil {
		return
	}
	c.Partitioner = p
	if !strings.HasPrefix(c.PartitionerClass, hdfsPackage) {
		if t, ok := p.(*partitioner.Time); ok {
			c.RotateByRecord = t.RecordClock()
		}
	}
}

// flatten appends the *config.Error in err, which may be a join of several.
func flatten(err error, list []*config.Error) []*config.Error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok { //nolint:errorlint // takes the list apart
		for _, e := range joined.Unwrap() {
			list = flatten(e, list)
		}
		return list
	}
	var one *config.Error
	if errors.As(err, &one) {
		return append(list, one)
	}
	if err != nil {
		return append(list, &config.Error{Msg: err.Error()})
	}
	return list
}
