package hdfssink

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-io/penstock/connect/config"
	"github.com/penstock-io/penstock/connectors/hdfssink/partitioner"
)

// table is the JVM connector's definition: name, type, default, importance, group and order.
const table = `
hdfs.url STRING null HIGH HDFS 1
hadoop.conf.dir STRING "" HIGH HDFS 2
hadoop.home STRING "" HIGH HDFS 3
logs.dir STRING "logs" HIGH HDFS 4
hive.table.name STRING "${topic}" LOW HDFS 5
hdfs.authentication.kerberos BOOLEAN "false" HIGH Security 1
connect.hdfs.principal STRING "" HIGH Security 2
connect.hdfs.keytab STRING "" HIGH Security 3
hdfs.namenode.principal STRING "" HIGH Security 4
kerberos.ticket.renew.period.ms LONG "3600000" LOW Security 5
format.class CLASS "io.confluent.connect.hdfs.avro.AvroFormat" HIGH Connector 1
flush.size INT required HIGH Connector 2
rotate.interval.ms LONG "-1" HIGH Connector 3
rotate.schedule.interval.ms LONG "-1" MEDIUM Connector 4
schemas.cache.config INT "1000" LOW Connector 5
enhanced.avro.schema.support BOOLEAN "true" LOW Connector 6
connect.meta.data BOOLEAN "true" LOW Connector 7
retry.backoff.ms LONG "5000" LOW Connector 8
shutdown.timeout.ms LONG "3000" MEDIUM Connector 9
filename.offset.zero.pad.width INT "10" LOW Connector 10
avro.codec STRING "null" LOW Connector 11
allow.optional.map.keys BOOLEAN "false" LOW Connector 12
flush.interval.ms LONG "-1" MEDIUM Connector 13
schema.compatibility STRING "NONE" HIGH Schema 1
storage.class CLASS "io.confluent.connect.hdfs.storage.HdfsStorage" HIGH Storage 1
topics.dir STRING "topics" HIGH Storage 2
store.url STRING null HIGH Storage 3
directory.delim STRING "/" MEDIUM Storage 4
file.delim STRING "+" MEDIUM Storage 5
topic.capture.groups.regex STRING null LOW Storage 13
partitioner.class CLASS "io.confluent.connect.storage.partitioner.DefaultPartitioner" HIGH Partitioner 1
partition.field.name LIST "" MEDIUM Partitioner 2
partition.duration.ms LONG "-1" MEDIUM Partitioner 3
path.format STRING "" MEDIUM Partitioner 4
locale STRING "" MEDIUM Partitioner 5
timezone STRING "" MEDIUM Partitioner 6
timestamp.extractor STRING "Wallclock" MEDIUM Partitioner 7
timestamp.field STRING "timestamp" MEDIUM Partitioner 8
hive.integration BOOLEAN "false" HIGH Hive 1
hive.metastore.uris STRING "" HIGH Hive 2
hive.conf.dir STRING "" HIGH Hive 3
hive.home STRING "" HIGH Hive 4
hive.database STRING "default" HIGH Hive 5
`

func TestTheDefinitionIsTheJVMs(t *testing.T) {
	var b strings.Builder
	for _, k := range ConfigDef().Keys() {
		def := "null"
		if k.Default == config.NoDefault {
			def = "required"
		} else if text := config.Text(k.Default); text != nil {
			def = `"` + *text + `"`
		}
		fmt.Fprintf(&b, "%s %s %s %s %s %d\n", k.Name, k.Type, def, k.Importance, k.Group, k.Order)
		if k.Doc == "" || k.DisplayName == "" || !strings.HasSuffix(k.Doc, ".") {
			t.Errorf("%s: no sentence of documentation, or no display name", k.Name)
		}
	}
	if d := cmp.Diff(strings.TrimSpace(table), strings.TrimSpace(b.String())); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
	dependents := map[string]int{keyKerberos: 4, keyPartitioner: 5, keyHiveIntegration: 4}
	for key, n := range dependents {
		if got := ConfigDef().Key(key).Dependents; len(got) != n {
			t.Errorf("dependents of %s: %v, want %d", key, got, n)
		}
	}
}

// props are the least that a connector needs, and more.
func props(more ...string) map[string]string {
	p := map[string]string{"store.url": "hdfs://namenode:8020", "flush.size": "3"}
	for i := 0; i+1 < len(more); i += 2 {
		p[more[i]] = more[i+1]
	}
	return p
}

func mustParse(t *testing.T, p map[string]string) *Config {
	t.Helper()
	c, err := ParseConfig(p)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestDefaults(t *testing.T) {
	c := mustParse(t, props())
	if c.Partitioner == nil || c.RotateByRecord != nil || c.Location != nil {
		t.Errorf("partitioner %v, record clock %v, location %v", c.Partitioner, c.RotateByRecord, c.Location)
	}
	got := *c
	got.Partitioner = nil
	want := Config{Name: "HDFS-sink", StoreURL: "hdfs://namenode:8020", Scheme: "hdfs", BaseDir: "/", DirectoryDelim: "/", PadWidth: 10,
		FlushSize: 3, RotateInterval: -1, RotateSchedule: -1, FlushInterval: -1, RetryBackoff: 5000, ShutdownTimeout: 3000,
		PartitionerClass: defaultPartition, SchemaCompatibility: "NONE", Format: Avro, FormatClass: avroFormat, AvroCodec: "null",
		EnhancedAvro: true, ConnectMetaData: true, SchemaCacheSize: 1000, topicsDir: "topics", logsDir: "logs"}
	if d := cmp.Diff(fmt.Sprintf("%+v", want), fmt.Sprintf("%+v", got)); d != "" {
		t.Error(d)
	}
}

func TestValuesReachTheConfig(t *testing.T) {
	c := mustParse(t, props("name", "events", "store.url", " ", "hdfs.url", "hdfs://ns1/base/", "hadoop.conf.dir", "/etc/hadoop", "timezone", "Europe/Berlin",
		"rotate.interval.ms", "1", "rotate.schedule.interval.ms", "2", "flush.interval.ms", "3", "retry.backoff.ms", "4", "shutdown.timeout.ms", "5",
		"filename.offset.zero.pad.width", "0", "directory.delim", "_", "schema.compatibility", "FULL", "format.class", "io.confluent.connect.hdfs3.json.JsonFormat",
		"avro.codec", "snappy", "enhanced.avro.schema.support", "false", "connect.meta.data", "false", "allow.optional.map.keys", "true", "schemas.cache.config", "7",
		"storage.class", "io.confluent.connect.hdfs3.storage.HdfsStorage", "hadoop.home", "/opt/hadoop", "hive.metastore.uris", "thrift://h:9083", "parquet.codec", "gzip"))
	if c.Location.String() != "Europe/Berlin" {
		t.Errorf("location %v", c.Location)
	}
	got := *c
	got.Partitioner, got.Location = nil, nil
	want := Config{Name: "events", StoreURL: "hdfs://ns1/base/", Scheme: "hdfs", BaseDir: "/base", HadoopConfDir: "/etc/hadoop", DirectoryDelim: "_",
		FlushSize: 3, RotateInterval: 1, RotateSchedule: 2, FlushInterval: 3, RetryBackoff: 4, ShutdownTimeout: 5,
		PartitionerClass: defaultPartition, SchemaCompatibility: "FULL", Format: JSON, FormatClass: "io.confluent.connect.hdfs3.json.JsonFormat", AvroCodec: "snappy",
		AllowOptionalMapKeys: true, SchemaCacheSize: 7, topicsDir: "topics", logsDir: "logs"}
	if d := cmp.Diff(fmt.Sprintf("%+v", want), fmt.Sprintf("%+v", got)); d != "" {
		t.Error(d)
	}
}

func TestUnknownCompatibilityIsNone(t *testing.T) {
	for text, want := range map[string]string{"BACKWARD": "BACKWARD", "FORWARD": "FORWARD", "FULL": "FULL", "backward": "NONE", "BOGUS": "NONE", "": "NONE"} {
		if c := mustParse(t, props("schema.compatibility", text)); c.SchemaCompatibility != want {
			t.Errorf("%q is %s, want %s", text, c.SchemaCompatibility, want)
		}
	}
}

// Java parity: only the time based partitioners of the storage package rotate by record time.
func TestRotationClock(t *testing.T) {
	const storage, hdfs = "io.confluent.connect.storage.partitioner.", "io.confluent.connect.hdfs.partitioner."
	for _, c := range []struct {
		class, extractor string
		byRecord         bool
	}{
		{storage + "HourlyPartitioner", "Record", true},
		{storage + "DailyPartitioner", "RecordField", true},
		{storage + "TimeBasedPartitioner", storage + "TimeBasedPartitioner$RecordTimestampExtractor", true},
		{storage + "HourlyPartitioner", "Wallclock", false},
		{hdfs + "HourlyPartitioner", "Record", false},
		{storage + "DefaultPartitioner", "Record", false},
		{storage + "FieldPartitioner", "Record", false},
	} {
		got := mustParse(t, props("partitioner.class", c.class, "timestamp.extractor", c.extractor, "locale", "en", "timezone", "UTC",
			"partition.duration.ms", "60000", "path.format", "HHmm", "partition.field.name", "region"))
		if (got.RotateByRecord != nil) != c.byRecord {
			t.Errorf("%s with %s: by record is %t", c.class, c.extractor, !c.byRecord)
		}
	}
}

func TestDirectoriesOfATopic(t *testing.T) {
	const regex = "([a-z]+)-([a-z]+)-v([0-9]+)"
	for _, c := range []struct{ dir, regex, topic, want, problem string }{
		{"topics", "", "orders", "topics", ""},
		{"/data/${topic}/x", "", "orders", "/data/orders/x", ""},
		{"${1}/${2}/r${3}/${0}", regex, "eu-orders-v2", "eu/orders/r2/eu-orders-v2", ""},
		{"${1}${1}_${topic}", regex, "eu-orders-v2", "eueu_eu-orders-v2", ""},
		{"plain", regex, "orders", "", "Invalid value " + regex + " for configuration topic.capture.groups.regex: Topic orders does not fully match the specified regex."},
		{"${1}/${5}", "(.*)", "orders", "", "Topic orders must have at least 5 capture groups using regex pattern (.*), but actually had 1 capture groups."},
		{"${1}", "a|ab(c)", "abc", "c", ""},
	} {
		p := props("topics.dir", c.dir, "logs.dir", c.dir)
		if c.regex != "" {
			p["topic.capture.groups.regex"] = c.regex
		}
		parsed := mustParse(t, p)
		for _, expand := range []func(string) (string, error){parsed.TopicsDir, parsed.LogsDir} {
			got, err := expand(c.topic)
			if got != c.want || (err != nil) != (c.problem != "") || err != nil && !strings.HasPrefix(err.Error(), c.problem) {
				t.Errorf("%s of %s: %q, %v; want %q, %s", c.dir, c.topic, got, err, c.want, c.problem)
			}
		}
	}
}

func TestDirectoriesThatCannotBe(t *testing.T) {
	long := strings.Repeat("ü", 128)
	for _, c := range []struct {
		scheme, dir string
		ok          bool
	}{
		{"hdfs", "year=2015/month=12", true}, {"hdfs", "s=a:b", false}, {"file", "s=a:b", true}, {"hdfs", "s=..", true}, {"hdfs", "s=a/../b", false},
		{"file", "s=a/./b", false}, {"hdfs", "s=" + long, false}, {"hdfs", "s=" + long[:253], true}, {"file", "s=\x00", false}, {"hdfs", "s=/x//y", true}, {"hdfs", "", true},
	} {
		if err := checkPath(c.scheme, c.dir); (err == nil) != c.ok {
			t.Errorf("%s %q: %v", c.scheme, c.dir, err)
		}
	}
}

func TestBadConfigs(t *testing.T) {
	b, err := os.ReadFile("testdata/bad.json")
	if err != nil {
		t.Fatal(err)
	}
	var want map[string][]string
	if err := json.Unmarshal(b, &want); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("testdata/*.bad.properties")
	if err != nil || len(files) != len(want) || len(files) < 40 {
		t.Fatalf("%d files, %d messages, %v", len(files), len(want), err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".bad.properties")
		t.Run(name, func(t *testing.T) {
			p, err := config.LoadProperties(file)
			if err != nil {
				t.Fatal(err)
			}
			c, err := ParseConfig(p)
			if err == nil {
				t.Fatalf("accepted: %+v", c)
			}
			problems := flatten(err, nil)
			var got []string
			for _, e := range problems {
				got = append(got, e.Msg)
			}
			if d := cmp.Diff(want[name], got); d != "" {
				t.Errorf("-want +got:\n%s", d)
			}
			checkValidation(t, p, problems)
		})
	}
}

// checkValidation compares what a form shows: errors at the same keys, with the same first
// sentences.
func checkValidation(t *testing.T, p map[string]string, problems []*config.Error) {
	t.Helper()
	want := map[string]string{}
	for _, e := range problems {
		if e.Key == "" || ConfigDef().Key(e.Key) == nil {
			t.Errorf("%q names no key", e.Msg)
		}
		want[e.Key] = e.Msg
	}
	for _, v := range NewConnector().ValidateConfig(p) {
		msg, ok := want[v.Name]
		if !ok {
			if len(v.Errors) > 0 {
				t.Errorf("validation: %s has %q", v.Name, v.Errors)
			}
			continue
		}
		delete(want, v.Name)
		if len(v.Errors) == 0 || !strings.HasPrefix(msg, strings.TrimSuffix(v.Errors[0], ".")) {
			t.Errorf("validation: %s has %q, want %q", v.Name, v.Errors, msg)
		}
	}
	if len(want) > 0 {
		t.Errorf("validation does not find %v", slices.Collect(maps.Keys(want)))
	}
}

func TestVisibility(t *testing.T) {
	const storage = "io.confluent.connect.storage.partitioner."
	for class, want := range map[string][]string{
		storage + "DefaultPartitioner":   {},
		storage + "FieldPartitioner":     {keyPartitionFields},
		storage + "TimeBasedPartitioner": {keyPartitionMillis, keyPathFormat, keyLocale, keyTimezone},
		storage + "DailyPartitioner":     {keyLocale, keyTimezone},
		storage + "HourlyPartitioner":    {keyLocale, keyTimezone},
	} {
		var shown []string
		for _, v := range ConfigDef().Validate(props(keyPartitioner, class)) {
			if slices.Contains([]string{keyPartitionFields, keyPartitionMillis, keyPathFormat, keyLocale, keyTimezone}, v.Name) && v.Visible {
				shown = append(shown, v.Name)
			}
			if strings.HasPrefix(v.Name, "hive.m") && v.Visible || v.Name == keyKeytab && v.Visible {
				t.Errorf("%s is visible", v.Name)
			}
			if v.Name == keyPartitioner && len(v.Recommended) != len(partitioner.Classes()) {
				t.Errorf("recommended: %v", v.Recommended)
			}
		}
		if !slices.Equal(shown, want) {
			t.Errorf("%s shows %v, want %v", class, shown, want)
		}
	}
}

func TestExamplesAreGood(t *testing.T) {
	files, err := filepath.Glob("../../examples/*.json")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var example struct {
			Name   string
			Config map[string]string
		}
		if err := json.Unmarshal(b, &example); err != nil || example.Name == "" {
			t.Fatalf("%s: %v", file, err)
		}
		if class := example.Config["connector.class"]; class != ConnectorClass && class != Connector3Class {
			continue
		}
		if _, err := ParseConfig(example.Config); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
}

func TestErrorsAreConfigErrors(t *testing.T) {
	_, err := ParseConfig(nil)
	var one *config.Error
	if !errors.As(err, &one) || len(flatten(err, nil)) != 2 { // flush.size and store.url
		t.Errorf("%v", err)
	}
}
