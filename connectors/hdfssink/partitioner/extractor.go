package partitioner

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/config"
	"github.com/penstock-io/penstock/connect/data"
)

// extractorClass is the long form of an extractor's name, with the package and the name
// of the extractor around it.
const extractorClass, extractorSuffix = "TimeBasedPartitioner$", "TimestampExtractor"

// newExtractor returns the extractor of a name or class name.
func newExtractor(o Options) (TimestampExtractor, error) {
	name := o.Extractor
	for _, pkg := range []string{storagePackage, hdfsPackage} {
		if short, ok := strings.CutPrefix(name, pkg+extractorClass); ok && strings.HasSuffix(short, extractorSuffix) {
			name = strings.TrimSuffix(short, extractorSuffix)
		}
	}
	switch name {
	case "", Wallclock:
		return wallclock{}, nil
	case Record:
		return recordTime{}, nil
	case RecordField:
		field := o.TimestampField
		path := strings.Split(field, ".")
		if slices.Contains(path, "") {
			return nil, config.Invalid(KeyTimestampField, field,
				"The field to extract cannot be null or empty. Set it to the field with the record's time, e.g. created or header.created.")
		}
		return &recordField{field: field, path: path, zone: o.LocalZone, plans: map[*data.Schema]timePlan{}}, nil
	}
	return nil, &config.Error{Key: KeyExtractor, Msg: "Invalid timestamp extractor: " + o.Extractor + ". Use Wallclock, Record or RecordField."}
}

// wallclock gives the time of writing.
type wallclock struct{}

// Extract implements TimestampExtractor.
func (wallclock) Extract(_ *connect.SinkRecord, now int64) (int64, error) { return now, nil }

// recordTime gives the record's timestamp in Kafka.
type recordTime struct{}

// Extract implements TimestampExtractor.
func (recordTime) Extract(rec *connect.SinkRecord, _ int64) (int64, error) {
	if rec.Timestamp == connect.NoTimestamp {
		return 0, partitionError("Unable to determine timestamp using timestamp.extractor "+storagePackage+extractorClass+Record+extractorSuffix+" for record",
			"The record has no timestamp. Set "+KeyExtractor+" to RecordField or Wallclock.")
	}
	return rec.Timestamp, nil
}

// recordField gives the value of a field (Java: RecordFieldTimestampExtractor).
type recordField struct {
	field string
	path  []string
	zone  *time.Location // of texts without one; nil is time.Local

	schema *data.Schema // of plan
	plan   timePlan
	plans  map[*data.Schema]timePlan
	text   []byte // scratch

	// The record asked about last: the partitioner and the rotation both ask.
	rec    *connect.SinkRecord
	topic  string
	part   int32
	offset int64
	ts     int64
}

// timePlan tells where the field is in structs of a schema; path is nil when it is nowhere.
type timePlan struct {
	path []data.Field
	leaf *data.Schema
}

// Extract implements TimestampExtractor.
func (x *recordField) Extract(rec *connect.SinkRecord, _ int64) (int64, error) {
	if x.rec == rec && x.offset == rec.Offset && x.part == rec.Partition && x.topic == rec.Topic {
		return x.ts, nil
	}
	ts, err := x.extract(rec)
	if err != nil {
		x.rec = nil
		return 0, err
	}
	x.rec, x.topic, x.part, x.offset, x.ts = rec, rec.Topic, rec.Partition, rec.Offset, ts
	return ts, nil
}

func (x *recordField) extract(rec *connect.SinkRecord) (int64, error) {
	if enc, raw := rec.Value.Raw(); enc == data.JSON {
		if token, ok := memberAt(raw, x.path); ok {
			if ts, ok := x.fromToken(token); ok {
				return ts, nil
			}
		}
	}
	value, err := rec.Value.Value()
	if err != nil {
		return 0, err
	}
	switch v := value.(type) {
	case *data.Struct:
		return x.fromStruct(v, rec)
	case *data.Map:
		return x.fromMap(v, rec)
	}
	return 0, partitionError(encodingFailed, "Value is not of Struct or Map type. "+KeyExtractor+
		"=RecordField needs values with fields; use a converter that delivers them, or another extractor.")
}

// fromToken takes what is plain in JSON text; everything else is left to the decoder.
func (x *recordField) fromToken(token []byte) (int64, bool) {
	if token[0] == '"' {
		text := token[1 : len(token)-1]
		for _, c := range text {
			if c == '\\' {
				return 0, false
			}
		}
		ts, failure := parseText(text, x.zone)
		return ts, failure == nil
	}
	return smallInt(token)
}

// smallInt reads an integer of at most 18 digits.
func smallInt(b []byte) (n int64, ok bool) {
	negative := len(b) > 0 && b[0] == '-'
	if negative {
		b = b[1:]
	}
	if len(b) == 0 || len(b) > 18 {
		return 0, false
	}
	for _, c := range b {
		if !digit(c) {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	if negative {
		n = -n
	}
	return n, true
}

func (x *recordField) fromStruct(s *data.Struct, rec *connect.SinkRecord) (int64, error) {
	if s.Schema() != x.schema {
		plan, ok := x.plans[s.Schema()]
		if !ok {
			plan.path, plan.leaf = resolveDotted(s.Schema(), x.path)
			if len(x.plans) >= maxPlans {
				x.plans = map[*data.Schema]timePlan{}
			}
			x.plans[s.Schema()] = plan
		}
		x.schema, x.plan = s.Schema(), plan
	}
	v := follow(s, x.plan.path)
	if v == nil {
		return 0, x.missing(s, rec)
	}
	switch leaf := x.plan.leaf; leaf.Type() {
	case data.Int32, data.Int64:
		if t, ok := v.(time.Time); ok && leaf.Name() == data.TimestampName {
			return t.UnixMilli(), nil
		}
		if n, ok := number(v); ok {
			return n, nil
		}
		return 0, fatal(classCast, "class java.util.Date cannot be cast to class java.lang.Number",
			"The field "+x.field+" is a "+leaf.Name()+". Set "+KeyTimestampField+" to a Timestamp, a number of milliseconds or a text in ISO 8601.")
	case data.String:
		return x.fromText(v.(string), rec)
	default:
		return 0, x.unsupported(rec, leaf.Type().String())
	}
}

func (x *recordField) fromMap(m *data.Map, rec *connect.SinkRecord) (int64, error) {
	var v any = m
	for _, name := range x.path {
		switch at := v.(type) {
		case *data.Map:
			v, _ = at.Get(name)
		case *data.Struct:
			v, _ = at.Get(name)
		default:
			return 0, x.absent(rec, "Argument not a Struct or Map. Cannot get field '"+name+"'.")
		}
		if v == nil {
			return 0, x.absent(rec, "Unable to find nested field '"+name+"'")
		}
	}
	switch v := v.(type) {
	case string:
		return x.fromText(v, rec)
	case time.Time:
		return v.UnixMilli(), nil
	}
	if n, ok := number(v); ok {
		return n, nil
	}
	return 0, x.unsupported(rec, data.JavaClass(v))
}

func (x *recordField) fromText(text string, rec *connect.SinkRecord) (int64, error) {
	x.text = append(x.text[:0], text...)
	ts, failure := parseText(x.text, x.zone)
	if failure != nil {
		return 0, fatal(failure.class, failure.msg, "The field "+x.field+
			" must be a number of milliseconds or a time in ISO 8601, such as 2015-10-21T07:28:00Z. Mend the producer or choose another "+KeyTimestampField+".")
	}
	return ts, nil
}

// missing finds out which step of the path failed, in the JVM's words.
func (x *recordField) missing(s *data.Struct, rec *connect.SinkRecord) error {
	var v any = s
	for _, name := range x.path {
		at, ok := v.(*data.Struct)
		if !ok {
			return x.absent(rec, "Argument not a Struct or Map. Cannot get field '"+name+"'.")
		}
		var err error
		if v, err = at.Get(name); err != nil {
			return x.absent(rec, err.Error())
		}
		if v == nil {
			return x.absent(rec, "The field '"+name+"' does not exist.")
		}
	}
	return x.absent(rec, "Unable to find nested field '"+x.field+"'")
}

func (x *recordField) absent(rec *connect.SinkRecord, cause string) error {
	return dataError("The field '"+x.field+"' does not exist.",
		"The value has no such field, or it is null ("+strings.TrimSuffix(cause, ".")+"). Set "+KeyTimestampField+" to a field that all records have.",
		&connect.DataError{Msg: cause})
}

func (x *recordField) unsupported(rec *connect.SinkRecord, kind string) error {
	return partitionError("Error extracting timestamp from record field: "+x.field,
		"The field is of type "+kind+". Set "+KeyTimestampField+" to a Timestamp, a number of milliseconds or a text in ISO 8601.")
}

// number is Number.longValue.
func number(v any) (int64, bool) {
	switch n := v.(type) {
	case int64:
		return n, true
	case int32:
		return int64(n), true
	case int16:
		return int64(n), true
	case int8:
		return int64(n), true
	case float64:
		return truncate(n), true
	case float32:
		return truncate(float64(n)), true
	case data.Decimal:
		return n.Int64(), true
	}
	return 0, false
}

// truncate is Java's cast of a double to long.
func truncate(f float64) int64 {
	switch {
	case math.IsNaN(f):
		return 0
	case f >= math.MaxInt64:
		return math.MaxInt64
	case f <= math.MinInt64:
		return math.MinInt64
	}
	return int64(f)
}

// parseText reads a number of milliseconds (up to 19 digits), or else a time in ISO 8601.
func parseText(b []byte, zone *time.Location) (int64, *parseFailure) {
	if n, ok := smallInt(b); ok {
		return n, nil
	}
	if digits := len(b); digits == 19 || digits == 20 && b[0] == '-' {
		if n, err := strconv.ParseInt(string(b), 10, 64); err == nil && b[0] != '+' {
			return n, nil
		}
	}
	return parseISO(b, zone)
}
