//go:build integration

package differential

import (
	"fmt"
	"strings"
	"testing"

	"github.com/penstock-io/penstock/connect/config"
	"github.com/penstock-io/penstock/connect/settings"
	"github.com/penstock-io/penstock/connect/transform"
)

func TestValidateConverters(t *testing.T) {
	plugins := commonPlugins(t)
	for _, key := range []string{"key.converter", "value.converter", "header.converter"} {
		var variants []variant
		add := func(name string, more props) {
			v := variant{name: key + "=" + name, more: props{key: name}.with(more)}
			if strings.HasPrefix(name, "java.") || name == "org.apache.kafka.connect.storage.Converter" || name == "All" {
				v.differs = "Java classes that are no plugins"
			}
			variants = append(variants, v)
		}
		for _, p := range plugins {
			if class := p.Class; strings.HasSuffix(class, "Converter") || strings.HasSuffix(class, "Router") || strings.HasSuffix(class, "SinkConnector") || strings.HasSuffix(class, "Tombstone") {
				add(class, nil)
				add(class[strings.LastIndex(class, ".")+1:], nil)
			}
		}
		for _, name := range []string{"Json", "String", "Simple", "ByteArray", "Long", "json", "NoSuch", "", " ", " Json ", "java.lang.String", "java.util.Map", "org.apache.kafka.connect.storage.Converter", "Key", "RegexRouter", "TopicNameMatches", "FileStreamSink", "All"} {
			add(name, nil)
		}
		t.Run(key, func(t *testing.T) { fileSink.validate(t, variants) })
	}
}

func TestValidateKeysOfConverters(t *testing.T) {
	for _, c := range []struct {
		converter string
		keys      []string
	}{
		{"Json", []string{"schemas.enable", "schemas.cache.size", "decimal.format", "replace.null.with.default", "schema.content", "converter.type", "unknown"}},
		{"String", []string{"converter.encoding", "converter.type"}},
		{"Long", []string{"converter.type", "unknown"}},
	} {
		for _, key := range []string{"key.converter", "value.converter", "header.converter"} {
			var variants []variant
			for _, own := range c.keys {
				for _, v := range []any{nil, "", "x", "true", "-1", "NUMERIC", "VALUE", "header", "UTF-8", "{"} {
					variants = append(variants, variant{more: props{key: c.converter, key + "." + own: v}})
				}
			}
			t.Run(c.converter+" as "+key, func(t *testing.T) { fileSink.validate(t, variants) })
		}
	}
	fileSource.validate(t, []variant{
		{name: "keys of the worker's converters", more: props{"key.converter.schemas.enable": "x", "value.converter.schemas.enable": "x"}},
		{name: "all at once", more: props{"key.converter": "Json", "key.converter.schemas.enable": "x", "value.converter": "Json", "value.converter.schemas.cache.size": "x", "header.converter": "Json", "header.converter.decimal.format": "x"}},
		{name: "an unknown and a wrong one", more: props{"key.converter": "x", "key.converter.schemas.enable": "x", "value.converter": "Json", "value.converter.schemas.cache.size": "x"}},
		{name: "null", more: props{"key.converter": nil, "key.converter.schemas.enable": "x"}},
	})
}

func TestValidateChains(t *testing.T) {
	const a, p = "transforms.a.", "predicates.p."
	header := props{"transforms": "a", a + "type": "InsertHeader", a + "header": "h", a + "value.literal": "v"}
	tombstone := props{"predicates": "p", p + "type": "RecordIsTombstone"}
	both := header.with(tombstone)
	fileSink.validate(t, []variant{
		{name: "both", more: both.with(props{a + "predicate": "p"})}, {name: "negated", more: both.with(props{a + "predicate": "p", a + "negate": "true"})},
		{name: "negated as no boolean", more: both.with(props{a + "predicate": "p", a + "negate": "x"})}, {name: "negated without a predicate", more: header.with(props{a + "negate": "true"})},
		{name: "not negated without a predicate", more: header.with(props{a + "negate": "false"})}, {name: "negated with nothing", more: header.with(props{a + "negate": ""})}, {name: "negated null", more: header.with(props{a + "negate": nil})},
		{name: "an unknown predicate", more: header.with(props{a + "predicate": "q"})}, {name: "another predicate", more: both.with(props{a + "predicate": "q"})}, {name: "an empty predicate", more: both.with(props{a + "predicate": ""})},
		{name: "a predicate that is null", more: both.with(props{a + "predicate": nil})}, {name: "a null and negated", more: both.with(props{a + "predicate": nil, a + "negate": "true"})},
		{name: "not listed", more: header.with(props{"transforms": absent{}})}, {name: "an empty list", more: header.with(props{"transforms": ""})}, {name: "null as list", more: header.with(props{"transforms": nil})},
		{name: "twice", more: header.with(props{"transforms": "a,a"})}, {name: "twice with blanks", more: header.with(props{"transforms": " a , a "})}, {name: "an empty item", more: header.with(props{"transforms": "a,"})},
		{name: "two empty items", more: header.with(props{"transforms": ",,a"})}, {name: "one without keys", more: header.with(props{"transforms": "a,b"})}, {name: "odd alias", more: props{"transforms": "x.y", "transforms.x.y.type": "InsertHeader"}},
		{name: "aliases with blanks", more: props{"transforms": "x y", "transforms.x y.type": "InsertHeader"}}, {name: "alias of another alias", more: header.with(props{"transforms": "a,a.type", "transforms.a.type.type": "InsertHeader"})},
		{name: "no type", more: header.with(props{a + "type": absent{}})}, {name: "an empty type", more: header.with(props{a + "type": ""})}, {name: "a blank type", more: header.with(props{a + "type": " "})}, {name: "a type with blanks", more: header.with(props{a + "type": " InsertHeader "}), differs: "Blanks around the class of a transform"},
		{name: "null as type", more: header.with(props{a + "type": nil})}, {name: "an unknown type", more: header.with(props{a + "type": "x"})}, {name: "a converter", more: header.with(props{a + "type": "Json"})}, {name: "a predicate as type", more: header.with(props{a + "type": "RecordIsTombstone"})},
		{name: "a connector as type", more: header.with(props{a + "type": "FileStreamSink"})}, {name: "a Java class", more: header.with(props{a + "type": "java.lang.String"}), differs: "Java classes that are no plugins"},
		{name: "an abstract class", more: header.with(props{a + "type": "org.apache.kafka.connect.transforms.Cast"}), differs: "Java classes that are no plugins"}, {name: "Cast", more: header.with(props{a + "type": "Cast"})}, {name: "Cast$Value", more: header.with(props{a + "type": "Cast$Value"})},
		{name: "null for a key of a transform", more: header.with(props{a + "header": nil})}, {name: "an unknown key of a transform", more: header.with(props{a + "other": "x"})}, {name: "null for that", more: header.with(props{a + "other": nil})},
		{name: "many errors", more: both.with(props{"transforms": "a,b,c,d", "transforms.b.type": "x", "transforms.c.negate": "true", "transforms.d.type": "Filter", a + "header": absent{}, "predicates": "p,q", "predicates.q.type": "HasHeaderKey"})},
		{name: "predicates twice", more: tombstone.with(props{"predicates": "p,p"})}, {name: "no type of a predicate", more: tombstone.with(props{p + "type": absent{}})}, {name: "a transform as predicate", more: tombstone.with(props{p + "type": "InsertHeader"})},
		{name: "an unknown predicate type", more: tombstone.with(props{p + "type": "x"})}, {name: "null as predicate type", more: tombstone.with(props{p + "type": nil})}, {name: "negate of a predicate", more: tombstone.with(props{p + "negate": "x", p + "predicate": "y"})},
		{name: "null as predicates", more: tombstone.with(props{"predicates": nil})}, {name: "same alias in both", more: both.with(props{"predicates": "a", "predicates.a.type": "TopicNameMatches", "predicates.a.pattern": "("})},
	})
}

// chainValues are those that every key of every transform and predicate is given.
var chainValues = []any{nil, "", "x", "a,a", "a,,b", "-1", "true", "a:int8,b:string", "a:b,a:c", "(", "99999999999"}

func TestValidateKeysOfTransforms(t *testing.T) {
	for _, c := range transform.Transformations() {
		if strings.HasSuffix(c.Name, "$Value") {
			continue // as $Key
		}
		t.Run(c.Name, func(t *testing.T) { chainKeys(t, "transforms", c.Name, c.New().ConfigDef()) })
	}
}

func TestValidateKeysOfPredicates(t *testing.T) {
	for _, c := range transform.Predicates() {
		t.Run(c.Name, func(t *testing.T) { chainKeys(t, "predicates", c.Name, c.New().ConfigDef()) })
	}
}

func chainKeys(t *testing.T, list, class string, def *config.Def) {
	t.Helper()
	prefix := list + ".a."
	variants := []variant{{name: "only the type"}}
	for _, k := range def.Keys() {
		for _, v := range chainValues {
			differs := ""
			if k.Name == "renames" && v == nil {
				differs = nullPointer
			}
			variants = append(variants, variant{name: fmt.Sprintf("%s %v", k.Name, v), more: props{prefix + k.Name: v}, differs: differs})
		}
	}
	fileSink.with(props{list: "a", prefix + "type": class}).validate(t, variants)
}

func TestValidateOverrides(t *testing.T) {
	const producer, consumer, admin = "producer.override.", "consumer.override.", "admin.override."
	const notParsed = "An override that does not parse"
	dlq := props{"errors.deadletterqueue.topic.name": "d"}
	var variants []variant
	add := func(more props, differs string) {
		variants = append(variants, variant{more: more, differs: differs}, variant{more: more.with(dlq), differs: differs})
	}
	add(props{consumer + "max.poll.records": "5", consumer + "auto.offset.reset": "latest", consumer + "x": "y"}, "")
	add(props{consumer + "max.poll.records": " 5 ", consumer + "fetch.max.wait.ms": "-7", consumer + "auto.offset.reset": "never", consumer + "isolation.level": "x"}, "")
	add(props{consumer + "max.poll.records": "x"}, notParsed)
	add(props{consumer + "max.poll.records": nil, consumer + "x": nil}, "")
	add(props{consumer: "x", "consumer.override": "y", "consumer.overrides.x": "z", "consumer.max.poll.records": "x"}, "")
	add(props{consumer + "sasl.jaas.config": "secret", consumer + "ssl.keystore.password": "secret", consumer + "ssl.key.password": ""}, "")
	add(props{consumer + "bootstrap.servers": "a:1,b:2", consumer + "interceptor.classes": "x,x", consumer + "metric.reporters": "", consumer + "key.deserializer": "org.apache.kafka.common.serialization.StringDeserializer"}, "")
	add(props{consumer + "enable.auto.commit": "TRUE", consumer + "group.id": "g", consumer + "client.id": "", consumer + "fetch.min.bytes": "99"}, "")
	all := append(variants,
		variant{more: dlq.with(props{producer + "linger.ms": "x"}), differs: notParsed}, variant{more: props{producer + "linger.ms": "x"}}, variant{more: dlq.with(props{producer + "linger.ms": "5", producer + "acks": "7", producer + "compression.type": "none", producer + "x.y": "z"})},
		variant{more: dlq.with(props{admin + "retries": "x"}), differs: notParsed}, variant{more: props{admin + "retries": "x"}}, variant{more: dlq.with(props{admin + "retries": "0", admin + "client.id": "c", admin + "security.protocol": "no"})},
		variant{more: dlq.with(props{producer + "sasl.jaas.config": "secret", admin + "sasl.jaas.config": "secret", admin + "sasl.mechanism": "PLAIN"})},
		variant{more: dlq.with(props{producer + "partitioner.class": "x.Y"}), differs: "Java classes of clients"}, variant{more: dlq.with(props{producer + "partitioner.class": "org.apache.kafka.clients.producer.RoundRobinPartitioner"})},
		variant{more: dlq.with(props{producer + "enable.idempotence": "x"}), differs: notParsed},
		variant{more: dlq.with(props{"tasks.max": "0", producer + "linger.ms": "5", "key.converter": "Json", "key.converter.schemas.enable": "7"})})
	fileSink.validate(t, all)
	fileSource.validate(t, []variant{
		{more: props{producer + "linger.ms": "5", producer + "acks": "0", producer + "x": "y", consumer + "max.poll.records": "x", admin + "retries": "x"}}, {more: props{producer + "linger.ms": ""}, differs: notParsed}, {more: props{producer + "batch.size": "1.5"}, differs: notParsed},
		{more: props{producer + "transactional.id": "", producer + "delivery.timeout.ms": "-5"}}, {more: props{"offsets.storage.topic": "o", consumer + "max.poll.records": "x"}, differs: notParsed}, {more: props{"topic.creation.groups": "", admin + "retries": "7"}},
	})
}

// TestValidateEveryClientSetting shows the definition of each setting of the clients.
func TestValidateEveryClientSetting(t *testing.T) {
	needWorkers(t)
	for _, c := range []struct {
		prefix string
		def    *config.Def
	}{{settings.ProducerOverride, settings.ProducerDef()}, {settings.ConsumerOverride, settings.ConsumerDef()}, {settings.AdminOverride, settings.AdminDef()}} {
		more := props{"errors.deadletterqueue.topic.name": "d"}
		for _, k := range c.def.Keys() {
			more[c.prefix+k.Name] = sample(k)
		}
		fileSink.validate(t, []variant{{name: c.prefix, more: more}})
	}
}

// sample is a value that parses.
func sample(k config.Key) any {
	switch k.Type {
	case config.TypeBoolean:
		return "true"
	case config.TypeInt, config.TypeLong, config.TypeShort, config.TypeDouble:
		return "1"
	case config.TypeClass:
		return "java.lang.String"
	default:
		return "x"
	}
}

// TestRefusals sends configs with errors in all ways in which connectors are changed.
func TestRefusals(t *testing.T) {
	base := props{"connector.class": "FileStreamSource", "topic": "differential", "file": "{{dir}}/none"}
	steps := []step{{name: "create", req: "POST /connectors", body: `{"name":"r","initial_state":"STOPPED","config":` + base.text() + `}`, until: state("r", "STOPPED []")}}
	for i, v := range []variant{
		{more: props{"tasks.max": "0"}}, {more: props{"tasks.max": "x"}}, {more: props{"topic": ""}}, {more: props{"topic": "", "tasks.max": "x", "errors.tolerance": "x", "transforms": "a,a"}}, {more: props{"key.converter": "NoSuch"}}, {more: props{"key.converter": "Json", "key.converter.schemas.enable": "x"}},
		{more: props{"transforms": "a"}}, {more: props{"transforms": "a", "transforms.a.type": "InsertHeader"}}, {more: props{"transforms": "a", "transforms.a.type": "Filter", "transforms.a.negate": "true"}}, {more: props{"predicates": "p", "predicates.p.type": "x"}},
		{more: props{"exactly.once.support": "required"}}, {more: props{"transaction.boundary": "connector"}}, {more: props{"connector.plugin.version": "[1.0"}}, {more: props{"key.converter": "Json", "key.converter.plugin.version": "1.0"}},
		{more: props{"batch.size": "x"}}, {more: props{"topic.creation.groups": "a,a"}}, {more: props{"producer.override.linger.ms": "x"}, differs: "An override that does not parse"}, {more: props{"config.action.reload": "never", "errors.log.enable": "x"}},
	} {
		config := base.with(v.more).text()
		steps = append(steps,
			step{name: "post " + v.title(), req: "POST /connectors", body: fmt.Sprintf(`{"name":"never-%d","config":%s}`, i, config), differs: v.differs},
			step{name: "put " + v.title(), req: "PUT /connectors/r/config", body: config, differs: v.differs},
			step{name: "patch " + v.title(), req: "PATCH /connectors/r/config", body: v.more.text(), differs: v.differs},
			step{name: "validate " + v.title(), req: "PUT /connector-plugins/FileStreamSource/config/validate", body: config, differs: v.differs})
	}
	wrong := base.with(props{"connector.plugin.version": "0.9"}).text()
	steps = append(steps,
		step{name: "a wrong version", req: "POST /connectors", body: `{"name":"never","config":` + wrong + `}`},
		step{name: "a wrong version again", req: "POST /connectors", body: `{"name":"never","config":` + wrong + `}`, differs: repeated},
		step{name: "and by PUT", req: "PUT /connectors/r/config", body: wrong, differs: repeated},
		step{name: "and by PATCH", req: "PATCH /connectors/r/config", body: `{"connector.plugin.version":"0.9"}`, differs: repeated},
		step{name: "and another", req: "PATCH /connectors/r/config", body: `{"connector.plugin.version":"0.8"}`})
	compare(t, append(steps, step{name: "it is as it was", req: "GET /connectors/r"}, step{name: "the others are not there", req: "GET /connectors"}, remove("r")))
}
