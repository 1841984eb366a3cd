package hdfssink

import (
	"slices"
	"strings"

	"github.com/penstock-io/penstock/connect/config"
	"github.com/penstock-io/penstock/connectors/hdfssink/partitioner"
)

func partitionerKeys() []config.Key {
	return inGroup("Partitioner",
		config.Key{Name: keyPartitioner, Type: config.TypeClass, Default: defaultPartition, Importance: config.High, Width: config.WidthNone, DisplayName: "Partitioner Class",
			Dependents:  []string{keyPartitionFields, keyPartitionMillis, keyPathFormat, keyLocale, keyTimezone},
			Recommender: recommender{values: func(config.Values) []any { return anyOf(partitioner.Classes()) }}, Hint: hintClass,
			Doc: "Class that names the directory of a record: Default (the Kafka partition), Field, TimeBased, Daily or Hourly."},
		config.Key{Name: keyPartitionFields, Type: config.TypeList, Default: []string{}, Importance: config.Medium, Width: config.WidthNone, DisplayName: "Partition Field Name",
			Validator: noBlank, Hint: "Give names of fields, separated by commas.",
			Recommender: recommender{visible: partitionedBy(partitioner.Field)},
			Doc:         "Fields whose values name the directory, for the FieldPartitioner. A name with dots is a path into nested structures, unless a field has that very name."},
		config.Key{Name: keyPartitionMillis, Type: config.TypeLong, Default: int64(-1), Importance: config.Medium, Width: config.WidthNone, DisplayName: "Partition Duration (ms)",
			Recommender: recommender{visible: partitionedBy(partitioner.TimeBased)},
			Doc:         "Length of the span of time that shares a directory, in milliseconds, for the TimeBasedPartitioner."},
		config.Key{Name: keyPathFormat, Type: config.TypeString, Default: "", Importance: config.Medium, Width: config.WidthLong, DisplayName: "Path Format",
			Recommender: recommender{visible: partitionedBy(partitioner.TimeBased)},
			Doc:         "Pattern of the directory's name in the letters of Joda-Time, for the TimeBasedPartitioner, e.g. 'year'=YYYY/'month'=MM/'day'=dd."},
		config.Key{Name: keyLocale, Type: config.TypeString, Default: "", Importance: config.Medium, Width: config.WidthMedium, DisplayName: "Locale",
			Recommender: recommender{visible: partitionedBy(partitioner.TimeBased, partitioner.Daily, partitioner.Hourly)},
			Doc:         "Language of names in directories, e.g. en. The time based partitioners require it."},
		config.Key{Name: keyTimezone, Type: config.TypeString, Default: "", Importance: config.Medium, Width: config.WidthMedium, DisplayName: "Timezone",
			Validator: zoneID, Hint: "Use an IANA name such as Europe/Berlin, UTC, or an offset such as +02:00.",
			Recommender: recommender{visible: partitionedBy(partitioner.TimeBased, partitioner.Daily, partitioner.Hourly)},
			Doc:         "Time zone of directories and of rotate.schedule.interval.ms: an IANA name, UTC or an offset. The time based partitioners require it."},
		config.Key{Name: keyExtractor, Type: config.TypeString, Default: partitioner.Wallclock, Importance: config.Medium, Width: config.WidthLong, DisplayName: "Timestamp Extractor",
			Doc: "What the time based partitioners take for a record's time: Wallclock, Record (the timestamp in Kafka) or RecordField (timestamp.field)."},
		config.Key{Name: keyTimestampField, Type: config.TypeString, Default: "timestamp", Importance: config.Medium, Width: config.WidthLong, DisplayName: "Record Field for Timestamp Extractor",
			Doc: "The field with a record's time, for RecordField. Dots lead into nested structures."},
	)
}

// partitionedBy tells whether partitioner.class is one of the given kinds.
func partitionedBy(kinds ...partitioner.Kind) func(config.Values) bool {
	return func(v config.Values) bool {
		kind, ok := partitioner.KindOf(v.String(keyPartitioner))
		return ok && slices.Contains(kinds, kind)
	}
}

// zoneID checks a time zone, when there is one.
func zoneID(_ string, v any) error {
	id, _ := v.(string)
	if strings.TrimSpace(id) == "" {
		return nil
	}
	_, err := partitioner.LoadZone(id)
	return err
}
