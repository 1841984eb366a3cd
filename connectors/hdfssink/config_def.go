package hdfssink

import (
	"errors"
	"slices"
	"strings"

	"github.com/penstock-io/penstock/connect/config"
	"github.com/penstock-io/penstock/connectors/hdfssink/partitioner"
)

// The keys. Those of the partitioners are named by package partitioner.
const (
	keyHdfsURL          = "hdfs.url"
	keyHadoopConfDir    = "hadoop.conf.dir"
	keyHadoopHome       = "hadoop.home"
	keyLogsDir          = "logs.dir"
	keyHiveTable        = "hive.table.name"
	keyKerberos         = "hdfs.authentication.kerberos"
	keyPrincipal        = "connect.hdfs.principal"
	keyKeytab           = "connect.hdfs.keytab"
	keyNamenodeUser     = "hdfs.namenode.principal"
	keyTicketRenewal    = "kerberos.ticket.renew.period.ms"
	keyFormat           = "format.class"
	keyFlushSize        = "flush.size"
	keyRotateInterval   = "rotate.interval.ms"
	keyRotateSchedule   = "rotate.schedule.interval.ms"
	keySchemaCache      = "schemas.cache.config"
	keyEnhancedAvro     = "enhanced.avro.schema.support"
	keyConnectMeta      = "connect.meta.data"
	keyRetryBackoff     = "retry.backoff.ms"
	keyShutdownTimeout  = "shutdown.timeout.ms"
	keyPadWidth         = "filename.offset.zero.pad.width"
	keyAvroCodec        = "avro.codec"
	keyOptionalMapKeys  = "allow.optional.map.keys"
	keyFlushInterval    = "flush.interval.ms"
	keyCompatibility    = "schema.compatibility"
	keyStorage          = "storage.class"
	keyTopicsDir        = "topics.dir"
	keyStoreURL         = "store.url"
	keyFileDelim        = "file.delim"
	keyCaptureGroups    = "topic.capture.groups.regex"
	keyPartitioner      = "partitioner.class"
	keyHiveIntegration  = "hive.integration"
	keyHiveMetastore    = "hive.metastore.uris"
	keyHiveConfDir      = "hive.conf.dir"
	keyHiveHome         = "hive.home"
	keyHiveDatabase     = "hive.database"
	keyDirectoryDelim   = partitioner.KeyDelim
	keyPartitionFields  = partitioner.KeyFields
	keyPartitionMillis  = partitioner.KeyDuration
	keyPathFormat       = partitioner.KeyPathFormat
	keyLocale           = partitioner.KeyLocale
	keyTimezone         = partitioner.KeyTimezone
	keyExtractor        = partitioner.KeyExtractor
	keyTimestampField   = partitioner.KeyTimestampField
	hintURL             = "Set it to the NameNode, e.g. hdfs://namenode:8020, to a nameservice of hadoop.conf.dir, e.g. hdfs://ns1, or to a local directory, e.g. file:///data."
	hintFormat          = "Use io.confluent.connect.hdfs.avro.AvroFormat, io.confluent.connect.hdfs.json.JsonFormat or io.confluent.connect.hdfs.string.StringFormat."
	hintClass           = "Classes of your own cannot be loaded, as this is not a JVM."
	maxPadWidth         = 100
	defaultRetryBackoff = int64(5000)
)

// ConfigDef returns the connector's keys: names, order, groups, types, defaults and checks
// of the JVM connector, and flush.interval.ms. The caller may add to it.
func ConfigDef() *config.Def {
	d := config.NewDef()
	for _, group := range [][]config.Key{hdfsKeys(), securityKeys(), connectorKeys(), schemaKeys(), storageKeys(), partitionerKeys(), hiveKeys()} {
		d.Add(group...)
	}
	return d.WithClasses(knownClass)
}

// inGroup gives keys a group and numbers, unless they have one: the JVM's numbers have a gap
// in Storage, where other connectors have keys.
func inGroup(group string, keys ...config.Key) []config.Key {
	for i := range keys {
		keys[i].Group = group
		if keys[i].Order == 0 {
			keys[i].Order = i + 1
		}
	}
	return keys
}

func hdfsKeys() []config.Key {
	return inGroup("HDFS",
		config.Key{Name: keyHdfsURL, Type: config.TypeString, Default: nil, Importance: config.High, Width: config.WidthMedium, DisplayName: "HDFS URL",
			Doc: "Deprecated: the former name of store.url, used when that is not set."},
		config.Key{Name: keyHadoopConfDir, Type: config.TypeString, Default: "", Importance: config.High, Width: config.WidthMedium, DisplayName: "Hadoop Configuration Directory",
			Doc: "Directory with core-site.xml and hdfs-site.xml, needed for nameservices (HA) and for other than Hadoop's default settings."},
		config.Key{Name: keyHadoopHome, Type: config.TypeString, Default: "", Importance: config.High, Width: config.WidthShort, DisplayName: "Hadoop home directory",
			Doc: "Accepted and without effect: no Hadoop installation is used."},
		config.Key{Name: keyLogsDir, Type: config.TypeString, Default: "logs", Importance: config.High, Width: config.WidthShort, DisplayName: "Logs directory",
			Doc: "Top directory of the write-ahead logs. ${topic} stands for the topic, ${1} and so on for the groups of topic.capture.groups.regex."},
		config.Key{Name: keyHiveTable, Type: config.TypeString, Default: "${topic}", Importance: config.Low, Width: config.WidthLong, DisplayName: "Hive table name",
			Validator: hiveTableName, Hint: "For example ${topic} or raw_${topic}.",
			Doc: "Name of the Hive table of a topic. It must contain ${topic}."},
	)
}

func securityKeys() []config.Key {
	kerberos := recommender{visible: parentTrue(keyKerberos)}
	return inGroup("Security",
		config.Key{Name: keyKerberos, Type: config.TypeBoolean, Default: false, Importance: config.High, Width: config.WidthShort, DisplayName: "HDFS Authentication Kerberos",
			Dependents: []string{keyPrincipal, keyKeytab, keyNamenodeUser, keyTicketRenewal},
			Doc:        "Whether HDFS asks for Kerberos. Not supported yet: true is refused."},
		config.Key{Name: keyPrincipal, Type: config.TypeString, Default: "", Importance: config.High, Width: config.WidthShort, DisplayName: "Connect Kerberos Principal",
			Recommender: kerberos, Doc: "The principal to log in as; _HOST stands for the host name."},
		config.Key{Name: keyKeytab, Type: config.TypeString, Default: "", Importance: config.High, Width: config.WidthShort, DisplayName: "Connect Kerberos Keytab",
			Recommender: kerberos, Doc: "Path of the principal's keytab on the worker."},
		config.Key{Name: keyNamenodeUser, Type: config.TypeString, Default: "", Importance: config.High, Width: config.WidthShort, DisplayName: "HDFS NameNode Kerberos Principal",
			Recommender: kerberos, Doc: "The NameNode's principal, when the Hadoop configuration does not name it."},
		config.Key{Name: keyTicketRenewal, Type: config.TypeLong, Default: int64(60 * 60 * 1000), Importance: config.Low, Width: config.WidthShort, DisplayName: "Kerberos Ticket Renew Period (ms)",
			Recommender: kerberos, Doc: "How often the Kerberos ticket is renewed, in milliseconds."},
	)
}

func connectorKeys() []config.Key {
	codecs := []string{"null", "deflate", "snappy", "bzip2"}
	return inGroup("Connector",
		config.Key{Name: keyFormat, Type: config.TypeClass, Default: avroFormat, Importance: config.High, Width: config.WidthNone, DisplayName: "Format Class",
			Recommender: recommender{values: func(config.Values) []any { return formatClasses() }}, Hint: hintFormat,
			Doc: "Class of the file format: Avro, JSON or String. Parquet and ORC are not supported yet."},
		config.Key{Name: keyFlushSize, Type: config.TypeInt, Default: config.NoDefault, Importance: config.High, Width: config.WidthLong, DisplayName: "Flush Size",
			Validator: config.NullOr(config.AtLeast(1)), Hint: "Set it to the number of records per file, e.g. 100000.", Valid: "at least 1",
			Doc: "How many records of a topic partition are written before its files are committed."},
		config.Key{Name: keyRotateInterval, Type: config.TypeLong, Default: int64(-1), Importance: config.High, Width: config.WidthMedium, DisplayName: "Rotate Interval (ms)",
			Doc: "Span of time, in milliseconds, after which a file is committed, by the clock of timestamp.extractor for the time based partitioners and by the wall clock otherwise. -1 is off."},
		config.Key{Name: keyRotateSchedule, Type: config.TypeLong, Default: int64(-1), Importance: config.Medium, Width: config.WidthMedium, DisplayName: "Rotate Schedule Interval (ms)",
			Doc: "Files are committed whenever the wall clock has passed a multiple of this many milliseconds since midnight in timezone, which must be set. -1 is off."},
		config.Key{Name: keySchemaCache, Type: config.TypeInt, Default: 1000, Importance: config.Low, Width: config.WidthLong, DisplayName: "Schema Cache Size",
			Doc: "How many schemas a format keeps in converted form."},
		config.Key{Name: keyEnhancedAvro, Type: config.TypeBoolean, Default: true, Importance: config.Low, Width: config.WidthShort, DisplayName: "Enhanced Avro Support",
			Doc: "Whether Avro files keep enumerations and package names of schemas."},
		config.Key{Name: keyConnectMeta, Type: config.TypeBoolean, Default: true, Importance: config.Low, Width: config.WidthShort, DisplayName: "Connect Metadata",
			Doc: "Whether the schemas in Avro files have what Connect needs to get its own schemas back, such as versions."},
		config.Key{Name: keyRetryBackoff, Type: config.TypeLong, Default: defaultRetryBackoff, Importance: config.Low, Width: config.WidthNone, DisplayName: "Retry Backoff (ms)",
			Doc: "How long to wait, in milliseconds, before an operation that failed is tried again."},
		config.Key{Name: keyShutdownTimeout, Type: config.TypeLong, Default: int64(3000), Importance: config.Medium, Width: config.WidthShort, DisplayName: "Shutdown Timeout (ms)",
			Doc: "How long a stopping task waits for work in the background, in milliseconds."},
		config.Key{Name: keyPadWidth, Type: config.TypeInt, Default: 10, Importance: config.Low, Width: config.WidthLong, DisplayName: "Filename Offset Zero Pad Width",
			Validator: config.AtLeast(0), Hint: "Set it to the least number of digits of an offset in a file name, e.g. 10.", Valid: "at least 0",
			Doc: "Offsets in file names are padded with zeros to this many digits."},
		config.Key{Name: keyAvroCodec, Type: config.TypeString, Default: "null", Importance: config.Low, Width: config.WidthLong, DisplayName: "Avro Compression Codec",
			Validator: config.OneOf(codecs...), Valid: strings.Join(codecs, ", "),
			Recommender: recommender{values: func(config.Values) []any { return anyOf(codecs) }, visible: func(v config.Values) bool {
				f, _ := formatOf(v.String(keyFormat))
				return f == Avro
			}},
			Doc: "Compression of Avro files."},
		config.Key{Name: keyOptionalMapKeys, Type: config.TypeBoolean, Default: false, Importance: config.Low, Width: config.WidthShort, DisplayName: "Allow Optional Map Keys",
			Doc: "Whether maps with optional keys of type string become Avro maps instead of arrays of pairs."},
		config.Key{Name: keyFlushInterval, Type: config.TypeLong, Default: int64(-1), Importance: config.Medium, Width: config.WidthMedium, DisplayName: "Flush Interval (ms)",
			Doc: "Files are committed this many milliseconds, by the wall clock, after the first record was written into the oldest of them, also when no more records come. -1 is off. The JVM connector does not have this key."},
	)
}

func schemaKeys() []config.Key {
	return inGroup("Schema",
		config.Key{Name: keyCompatibility, Type: config.TypeString, Default: "NONE", Importance: config.High, Width: config.WidthShort, DisplayName: "Schema Compatibility",
			Recommender: recommender{values: func(v config.Values) []any {
				values := []any{"NONE", "BACKWARD", "FORWARD", "FULL"}
				if v.Bool(keyHiveIntegration) {
					return values[1:]
				}
				return values
			}},
			Doc: "What happens when the schema changes: NONE starts a new file at every change, the others project records to the newest (BACKWARD, FULL) or oldest (FORWARD) version."},
	)
}

func storageKeys() []config.Key {
	return inGroup("Storage",
		config.Key{Name: keyStorage, Type: config.TypeClass, Default: hdfsStorage, Importance: config.High, Width: config.WidthNone, DisplayName: "Storage Class", Hint: hintClass,
			Doc: "Class of the storage; there is only this one."},
		config.Key{Name: keyTopicsDir, Type: config.TypeString, Default: "topics", Importance: config.High, Width: config.WidthNone, DisplayName: "Topics directory",
			Doc: "Top directory of the data. ${topic} stands for the topic, ${1} and so on for the groups of topic.capture.groups.regex."},
		config.Key{Name: keyStoreURL, Type: config.TypeString, Default: nil, Importance: config.High, Width: config.WidthNone, DisplayName: "Store URL", Hint: hintURL,
			Doc: "Where to store: hdfs://host:port, hdfs://nameservice or file:///directory, each with an optional base directory. Either this or hdfs.url is required."},
		config.Key{Name: keyDirectoryDelim, Type: config.TypeString, Default: "/", Importance: config.Medium, Width: config.WidthLong, DisplayName: "Directory Delimiter",
			Doc: "Text between the parts of the directory that the partitioner names."},
		config.Key{Name: keyFileDelim, Type: config.TypeString, Default: "+", Importance: config.Medium, Width: config.WidthLong, DisplayName: "File Delimiter",
			Doc: "Accepted and without effect, as in the JVM connector: file names have +."},
		config.Key{Name: keyCaptureGroups, Type: config.TypeString, Default: nil, Importance: config.Low, Order: 13, Width: config.WidthLong, DisplayName: "Topic Capture Groups Regex",
			Doc: "Regular expression (RE2) that matches the whole topic name; its groups are ${1} and so on in topics.dir and logs.dir."},
	)
}

func hiveKeys() []config.Key {
	hive := recommender{visible: parentTrue(keyHiveIntegration)}
	return inGroup("Hive",
		config.Key{Name: keyHiveIntegration, Type: config.TypeBoolean, Default: false, Importance: config.High, Width: config.WidthShort, DisplayName: "Hive Integration",
			Dependents: []string{keyHiveMetastore, keyHiveConfDir, keyHiveHome, keyHiveDatabase},
			Doc:        "Whether tables and partitions are made in Hive. Not supported yet: true is refused."},
		config.Key{Name: keyHiveMetastore, Type: config.TypeString, Default: "", Importance: config.High, Width: config.WidthMedium, DisplayName: "Hive Metastore URIs",
			Recommender: hive, Doc: "Addresses of the metastore, e.g. thrift://metastore:9083."},
		config.Key{Name: keyHiveConfDir, Type: config.TypeString, Default: "", Importance: config.High, Width: config.WidthMedium, DisplayName: "Hive configuration directory",
			Recommender: hive, Doc: "Directory with hive-site.xml."},
		config.Key{Name: keyHiveHome, Type: config.TypeString, Default: "", Importance: config.High, Width: config.WidthMedium, DisplayName: "Hive home directory",
			Recommender: hive, Doc: "Accepted and without effect."},
		config.Key{Name: keyHiveDatabase, Type: config.TypeString, Default: "default", Importance: config.High, Width: config.WidthShort, DisplayName: "Hive database",
			Recommender: hive, Doc: "The database of the tables."},
	)
}

// hiveTableName checks the template as the JVM does at start.
func hiveTableName(key string, v any) error {
	text, _ := v.(string)
	if !strings.Contains(text, "${topic}") {
		return &config.Error{Key: key, Msg: key + ": '" + text + "' has to contain topic substitution '${topic}'."}
	}
	if rest := strings.ReplaceAll(text, "${topic}", ""); strings.Contains(rest, "${") {
		return &config.Error{Key: key, Msg: key + ": '" + text + "' contains an invalid ${} substitution; only ${topic} is one."}
	}
	return nil
}

// noBlank refuses lists with empty items (Java: PartitionerConfig of storage-common 12).
func noBlank(_ string, v any) error {
	if list, _ := v.([]string); slices.Contains(list, "") {
		return errors.New("Partition field names must not be blank")
	}
	return nil
}

// recommender is a config.Recommender of functions; a nil one recommends nothing or shows always.
type recommender struct {
	values  func(config.Values) []any
	visible func(config.Values) bool
}

// ValidValues returns what is recommended.
func (r recommender) ValidValues(_ string, v config.Values) []any {
	if r.values == nil {
		return []any{}
	}
	return r.values(v)
}

// Visible reports whether the key has an effect.
func (r recommender) Visible(_ string, v config.Values) bool { return r.visible == nil || r.visible(v) }

func parentTrue(parent string) func(config.Values) bool {
	return func(v config.Values) bool { return v.Bool(parent) }
}

func anyOf(list []string) []any {
	values := make([]any, len(list))
	for i, s := range list {
		values[i] = s
	}
	return values
}

func formatClasses() []any {
	classes := make([]any, len(formats))
	for i, f := range formats {
		classes[i] = hdfsPackage + f.class
	}
	return classes
}
