package main

import "fmt"

// route is one way of a record: converter in, format out.
type route struct {
	id, what string
	config   map[string]string
	value    func(i int) string
	jvm      string // reference figures: records/s, CPU µs, RSS MB
}

const (
	stringConverter = "org.apache.kafka.connect.storage.StringConverter"
	jsonConverter   = "org.apache.kafka.connect.json.JsonConverter"
	formats         = "io.confluent.connect.hdfs."
)

var paths = []route{
	{"a", "String → String", map[string]string{
		"value.converter": stringConverter, "format.class": formats + "string.StringFormat"}, plain,
		"359000 | 2.3 | 1500"},
	{"b", "JSON (schemaless) → JSON", map[string]string{
		"value.converter": jsonConverter, "value.converter.schemas.enable": "false", "format.class": formats + "json.JsonFormat"}, plain,
		"300000 | 4.3 | 1000"},
	{"c", "JSON with schema → Avro", map[string]string{
		"value.converter": jsonConverter, "value.converter.schemas.enable": "true", "format.class": formats + "avro.AvroFormat"}, enveloped,
		"- | - | -"},
}

func (p route) rows(floor, sink []figures) string {
	return row(p.id, "bare consumer (floor)", floor) + row(p.id, "**"+p.what+"**", sink) +
		fmt.Sprintf("| %s | JVM worker, %s | %s |\n", p.id, p.what, p.jvm)
}

// plain is a JSON object of ten fields, about 204 bytes.
func plain(i int) string {
	return fmt.Sprintf(`{"id":%d,"user":"user-%06d","action":"click","page":"/shop/item/%05d","ms":%d,"price":%d.25,"ok":true,"country":"DE","ts":%d,"session":"b7c1d2e3f4a5968778695a4b%08x"}`,
		i, i%1_000_000, i%100_000, i%3000, i%500, 1_700_000_000_000+int64(i), i)
}

const schema = `{"type":"struct","name":"click","optional":false,"fields":[` +
	`{"field":"id","type":"int64","optional":false},{"field":"user","type":"string","optional":false},` +
	`{"field":"action","type":"string","optional":false},{"field":"page","type":"string","optional":false},` +
	`{"field":"ms","type":"int32","optional":false},{"field":"price","type":"double","optional":false},` +
	`{"field":"ok","type":"boolean","optional":false},{"field":"country","type":"string","optional":true},` +
	`{"field":"ts","type":"int64","optional":false},{"field":"session","type":"string","optional":false}]}`

func enveloped(i int) string { return `{"schema":` + schema + `,"payload":` + plain(i) + `}` }
