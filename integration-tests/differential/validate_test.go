//go:build integration

package differential

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/penstock-io/penstock/connect/plugin"
	"github.com/penstock-io/penstock/rest/api"
)

// props is a config as JSON; a value may be of any JSON type.
type props map[string]any

// absent as a value takes a key out of what it is added to.
type absent struct{}

func (p props) with(more props) props {
	all := maps.Clone(p)
	maps.Copy(all, more)
	maps.DeleteFunc(all, func(_ string, v any) bool { return v == absent{} })
	return all
}

// text is the JSON; keys are sorted.
func (p props) text() string {
	b, err := json.Marshal(p)
	if err != nil {
		panic(err) // of strings and numbers
	}
	return string(b)
}

// The configs that the cases change.
var (
	fileSink   = props{"connector.class": "FileStreamSink", "name": "never", "topics": "t"}
	fileSource = props{"connector.class": "FileStreamSource", "name": "never", "topic": "t"}
)

// variant is a change of a config.
type variant struct {
	name    string // "": the change itself
	more    props
	differs string
}

func (v variant) title() string {
	if v.name != "" {
		return v.name
	}
	return v.more.text()
}

// validate compares what both workers say about each variant of a config; where both find
// errors, also the refusal of the same by PUT, but of long lists only by some.
func (p props) validate(t *testing.T, variants []variant) {
	t.Helper()
	needWorkers(t)
	for i, v := range variants {
		body := p.with(v.more)
		s := step{req: fmt.Sprintf("PUT /connector-plugins/%s/config/validate", p["connector.class"]), body: body.text(), differs: v.differs}
		put := step{req: "PUT /connectors/never/config", body: body.text(), differs: v.differs}
		if body.repeatsWrongVersion() {
			s.differs, put.differs = repeated, repeated
		}
		t.Run(v.title(), func(t *testing.T) {
			s.compare(t)
			wrong := ours.refuses(&s)
			if wrong && body.asksForVersion() {
				wrongVersions[body.version()], put.differs = true, repeated
			}
			if wrong && jvm.refuses(&s) && (len(variants) < 60 || i%4 == 0) {
				put.compare(t)
			}
		})
	}
	compare(t, []step{{name: "none was created", req: "GET /connectors/never"}})
}

// refuses tells that a worker finds errors in a config.
func (w *worker) refuses(s *step) bool {
	a := w.send(s.request(w))
	var infos api.ConfigInfos
	return a.status != http.StatusOK || json.Unmarshal([]byte(a.body), &infos) == nil && infos.ErrorCount > 0
}

// repeated is the difference that the JVM shows when it is asked again for a version of a
// connector that there is not; it knows versions by their text.
const repeated = "A wrong version again"

const connectorVersion = "connector.plugin.version"

var wrongVersions = map[string]bool{}

func (p props) asksForVersion() bool {
	v := p[connectorVersion]
	_, err := plugin.ParseVersionRange(fmt.Sprint(v))
	return v != nil && v != "latest" && err == nil
}

// version is what the JVM remembers.
func (p props) version() string {
	version, err := plugin.ParseVersionRange(fmt.Sprint(p[connectorVersion]))
	if err != nil {
		return "" // is refused as such
	}
	return fmt.Sprint(p["connector.class"], " ", version)
}

func (p props) repeatsWrongVersion() bool { return p.asksForVersion() && wrongVersions[p.version()] }

// oddValues are those that every key of every connector is given.
var oddValues = []any{
	nil, "", " ", "x", "0", "-1", "1.5", "99999999999", " TRUE ", true, 5, "all", "a,a", "a,,b", " a , b ", "a\u0001b", "[x", "${x}", "latest",
}

// each gives every one of the keys every odd value.
func each(keys ...string) (variants []variant) {
	for _, k := range keys {
		for _, v := range oddValues {
			variants = append(variants, variant{more: props{k: v}, differs: oddDifference(k, v)})
		}
	}
	return variants
}

func oddDifference(key string, v any) string {
	switch {
	case v == nil && (key == "errors.deadletterqueue.topic.name" || key == "offsets.storage.topic"):
		return nullPointer
	case v == nil && (key == "file" || key == "topic" || key == "batch.size"):
		return "Null for a connector's own key"
	}
	return ""
}

// nullPointer is the difference of keys that the JVM does not expect to be null.
const nullPointer = "Null pointers"

var commonKeys = []string{
	"name", "connector.plugin.version", "tasks.max", "tasks.max.enforce", "key.converter", "key.converter.plugin.version", "value.converter", "value.converter.plugin.version", "header.converter", "header.converter.plugin.version",
	"transforms", "predicates", "config.action.reload", "errors.retry.timeout", "errors.retry.delay.max.ms", "errors.tolerance", "errors.log.enable", "errors.log.include.messages",
}

func TestValidateKeysOfEveryConnector(t *testing.T) { fileSink.validate(t, each(commonKeys...)) }

func TestValidateKeysOfSinks(t *testing.T) {
	fileSink.validate(t, each("topics", "topics.regex", "errors.deadletterqueue.topic.name", "errors.deadletterqueue.topic.replication.factor", "errors.deadletterqueue.context.headers.enable", "file", "unknown.option"))
}

func TestValidateKeysOfSources(t *testing.T) {
	fileSource.validate(t, append(each("topic.creation.groups", "exactly.once.support", "transaction.boundary", "transaction.boundary.interval.ms", "offsets.storage.topic", "topic", "file", "batch.size", "unknown.option"),
		each("name", "tasks.max", "key.converter", "errors.tolerance")...))
}

func TestValidateEachConnector(t *testing.T) {
	for _, p := range commonPlugins(t) {
		if p.Type != "sink" && p.Type != "source" {
			continue
		}
		t.Run(p.Class, func(t *testing.T) {
			props{"connector.class": p.Class}.validate(t, []variant{
				{name: "only the class"},
				{name: "the name", more: props{"name": "never"}},
				{name: "topics", more: props{"name": "never", "topics": "t", "topic": "t"}},
				{name: "odd", more: props{"name": "never", "topics": "t", "topic": "", "tasks.max": "x", "throughput": "x", "id": "", "batch.size": "-1", "mock_mode": "x", "delay_ms": "x"}},
			})
		})
	}
}

func TestValidateNamesOfClasses(t *testing.T) {
	const full = "org.apache.kafka.connect.file.FileStreamSinkConnector"
	var steps []step
	for _, tc := range []struct {
		plugin  string
		class   any
		differs string
	}{
		{full, full, ""}, {full, "FileStreamSink", ""}, {full, "FileStreamSinkConnector", ""}, {"FileStreamSink", full, ""}, {"FileStreamSinkConnector", "FileStreamSink", ""}, {"Sink", full, ""}, {"k", "FileStreamSink", ""}, {"eamSinkConnector", full, ""},
		{"Connector", full, ""}, {"FileStreamSource", full, ""}, {"filestreamsink", full, ""}, {"FileStreamSink", "filestreamsink", ""}, {"FileStreamSink", "", ""}, {"FileStreamSink", " FileStreamSink", "Unknown class in a validation"},
		{"FileStreamSink", "FileStreamSink ", ""}, {"FileStreamSink", nil, ""}, {"FileStreamSink", absent{}, ""}, {"NoSuch", absent{}, ""}, {"FileStreamSink", 5, ""}, {"5", 5, "Unknown class in a validation"}, {"NoSuch", "NoSuch", "Unknown class in a validation"}, {"NoSuch", "NoSuch", "Unknown class in a validation"},
		{"Json", "Json", "Unknown class in a validation"}, {"Json", "org.apache.kafka.connect.json.JsonConverter", ""}, {"org.apache.kafka.connect.json.JsonConverter", "org.apache.kafka.connect.json.JsonConverter", "Unknown class in a validation"}, {"java.lang.String", "java.lang.String", "Unknown class in a validation"}, {"RegexRouter", "RegexRouter", "Unknown class in a validation"},
		{"org.apache.kafka.connect.sink.SinkConnector", "org.apache.kafka.connect.sink.SinkConnector", "An abstract Java class as connector"},
	} {
		body := fileSink.with(props{"connector.class": tc.class}).text()
		steps = append(steps, step{name: fmt.Sprintf("%s %v", tc.plugin, tc.class), req: "PUT /connector-plugins/" + tc.plugin + "/config/validate", body: body, differs: tc.differs})
	}
	compare(t, append(steps,
		step{name: "nothing", req: "PUT /connector-plugins/FileStreamSink/config/validate", body: "{}"},
		step{name: "nothing of an unknown class", req: "PUT /connector-plugins/NoSuch/config/validate", body: "{}"},
		step{name: "a query", req: "PUT /connector-plugins/FileStreamSink/config/validate?version=1.0", body: fileSink.text()},
	))
}

func TestValidateVersions(t *testing.T) {
	for _, key := range []string{connectorVersion, "key.converter.plugin.version", "transforms.a.plugin.version", "predicates.p.plugin.version"} {
		t.Run(key, func(t *testing.T) {
			var variants []variant
			for i, v := range versions {
				if key == connectorVersion && (v == "," || v == "[,]") {
					continue // the JVM has the same text for an empty version and takes it for that
				}
				if strings.HasPrefix(key, "predicates") && i%4 > 0 {
					continue // as transforms
				}
				name := v
				if v == "" {
					name = "empty"
				}
				variants = append(variants, variant{name: name, more: props{"key.converter": "Json", "transforms": "a", "transforms.a.type": "InsertHeader", "transforms.a.header": "h", "transforms.a.value.literal": "v",
					"predicates": "p", "predicates.p.type": "RecordIsTombstone", key: v}})
			}
			fileSink.validate(t, variants)
		})
	}
	var variants []variant
	for _, v := range []string{"4.3.1", "1.0", "[1.0", "", "latest", "[2.0,1.0]"} {
		variants = append(variants, variant{name: "class path " + v, more: props{"connector.plugin.version": v}, differs: onClassPath(v)},
			variant{name: "worker's converters " + v, more: props{"value.converter.plugin.version": v, "header.converter.plugin.version": v}},
			variant{name: "header converter " + v, more: props{"header.converter": "Simple", "header.converter.plugin.version": v}},
			variant{name: "unknown classes " + v, more: props{"key.converter": "x", "key.converter.plugin.version": v, "transforms": "a", "transforms.a.type": "x", "transforms.a.plugin.version": v}},
			variant{name: "no classes " + v, more: props{"transforms": "a", "transforms.a.plugin.version": v, "predicates": "p", "predicates.p.plugin.version": v}})
	}
	props{"connector.class": "VerifiableSource", "name": "never", "topic": "t", "throughput": "1", "id": "1"}.validate(t, variants)
}

// onClassPath is the difference of a version of a connector on the JVM's class path.
func onClassPath(version string) string {
	r, err := plugin.ParseVersionRange(version)
	if version == "latest" || err != nil || r.Contains("4.3.1") {
		return ""
	}
	return "Versions of connectors on the class path"
}

func TestValidateTopics(t *testing.T) {
	none := absent{}
	dlq := "errors.deadletterqueue.topic.name"
	fileSink.validate(t, []variant{
		{more: props{"topics": none}}, {more: props{"topics": none, "topics.regex": "t.*"}}, {more: props{"topics.regex": "t.*"}}, {more: props{"topics": "", "topics.regex": ""}}, {more: props{"topics": " ", "topics.regex": " "}},
		{more: props{"topics": none, "topics.regex": "("}}, {more: props{"topics": none, "topics.regex": "[a-"}}, {more: props{"topics": none, "topics.regex": "*"}}, {more: props{"topics": none, "topics.regex": "a{2,1}"}},
		{more: props{"topics": none, "topics.regex": `\`}}, {more: props{"topics": none, "topics.regex": `\p{Foo}`}}, {more: props{"topics": none, "topics.regex": "(?<1a>x)"}}, {more: props{"topics": none, "topics.regex": "(?!x)y++"}}, {more: props{"topics.regex": "("}},
		{more: props{"topics": "a,a"}}, {more: props{"topics": "a, a ,b"}}, {more: props{"topics": "a,,b"}}, {more: props{"topics": ","}}, {more: props{"topics": "a b"}}, {more: props{"topics": "ä,$"}},
		{more: props{dlq: "t"}}, {more: props{dlq: "d"}}, {more: props{dlq: " t "}}, {more: props{dlq: ""}}, {more: props{dlq: " "}}, {more: props{dlq: "a b/c"}}, {more: props{"topics": "t,u,t", dlq: "u"}}, {more: props{"topics": "t,,u", dlq: "u"}},
		{more: props{"topics": none, "topics.regex": "t.*", dlq: "tx"}}, {more: props{"topics": none, "topics.regex": "t.*", dlq: "xt"}}, {more: props{"topics.regex": "t.*", dlq: "t"}}, {more: props{"topics": none, "topics.regex": "(", dlq: "t"}, differs: "A dead letter queue and a wrong regex"},
		{more: props{"topics": none, dlq: "t"}}, {more: props{dlq: "t", "errors.tolerance": "some", "errors.deadletterqueue.topic.replication.factor": "x"}}, {more: props{dlq: "d", "errors.deadletterqueue.topic.replication.factor": "0"}}, {more: props{dlq: nil}, differs: nullPointer},
		{more: props{"topics": nil, "topics.regex": nil}}, {more: props{"topics": nil, "topics.regex": "t"}},
		{more: props{"consumer.override.group.id": "{{side}}"}}, {more: props{"consumer.override.group.id": "other"}}, {more: props{"consumer.override.group.id": " {{side}} "}}, {more: props{"consumer.override.group.id": nil}},
	})
}

func TestValidateSourceSettings(t *testing.T) {
	const create, support, boundary, interval = "topic.creation.", "exactly.once.support", "transaction.boundary", "transaction.boundary.interval.ms"
	fileSource.validate(t, []variant{
		{more: props{create + "default.partitions": "1", create + "default.replication.factor": "1"}}, {more: props{create + "default.partitions": "x", create + "default.replication.factor": "-9"}}, {more: props{create + "default.partitions": nil}},
		{more: props{create + "groups": "a,b", create + "a.include": "(", create + "a.partitions": "0"}}, {more: props{create + "groups": "a,a"}}, {more: props{create + "groups": "default"}}, {more: props{create + "groups": ""}}, {more: props{create + "groups": "a,,b"}},
		{more: props{create + "groups": "a", "admin.override.retries": "5"}}, {more: props{create + "x": "y", "admin.override.retries": "5"}}, {more: props{"admin.override.retries": "5"}},
		{more: props{support: "required"}}, {more: props{support: "REQUIRED", "file": "f"}}, {more: props{support: "Requested"}}, {more: props{support: "always"}}, {more: props{support: ""}}, {more: props{support: " required "}},
		{more: props{boundary: "connector"}}, {more: props{boundary: "POLL"}}, {more: props{boundary: "Interval", interval: "100"}}, {more: props{boundary: "interval", interval: "-1"}}, {more: props{boundary: "interval", interval: "x"}}, {more: props{boundary: "never"}}, {more: props{interval: "0"}},
		{more: props{support: "required", boundary: "connector"}}, {more: props{"offsets.storage.topic": "o"}}, {more: props{"offsets.storage.topic": ""}}, {more: props{"offsets.storage.topic": "  "}}, {more: props{"offsets.storage.topic": "a b"}},
		{more: props{"offsets.storage.topic": "o", "consumer.override.max.poll.records": "1", "admin.override.retries": "5", "producer.override.acks": "1"}},
		{more: props{"errors.deadletterqueue.topic.name": "d", "topics": "a,a", "topics.regex": "("}},
	})
	props{"connector.class": "MockSource", "name": "never"}.validate(t, []variant{{more: props{support: "required"}}, {more: props{boundary: "connector"}}, {more: props{support: nil, boundary: nil}}})
}
