import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.text.SimpleDateFormat;
import java.util.ArrayList;
import java.util.Date;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.TimeZone;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.connect.connector.ConnectRecord;
import org.apache.kafka.connect.data.Schema;
import org.apache.kafka.connect.data.SchemaAndValue;
import org.apache.kafka.connect.data.Values;
import org.apache.kafka.connect.header.ConnectHeaders;
import org.apache.kafka.connect.header.Header;
import org.apache.kafka.connect.sink.SinkRecord;
import org.apache.kafka.connect.source.SourceRecord;
import org.apache.kafka.connect.storage.Converter;
import org.apache.kafka.connect.storage.HeaderConverter;
import org.apache.kafka.connect.transforms.Transformation;
import org.apache.kafka.connect.transforms.predicates.Predicate;

/**
 * Answers with Apache Kafka's own classes what the Go test asks: a JSON object per line on
 * standard input, one per line on standard output, in the same order. "op" says what is asked;
 * schemas and values have the form of Described.
 */
public final class Golden {
    static final ObjectMapper JSON = new ObjectMapper();

    private Golden() { }

    public static void main(String[] args) throws Exception {
        JSON.getFactory().setStreamReadConstraints(StreamReadConstraints.builder().maxNestingDepth(5000).build());
        PrintStream out = new PrintStream(new java.io.FileOutputStream(java.io.FileDescriptor.out), false, StandardCharsets.UTF_8);
        System.setOut(System.err); // what a logger prints is no answer
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            out.println(JSON.writeValueAsString(answer(JSON.readTree(line))));
            if (!in.ready()) {
                out.flush();
            }
        }
        out.flush();
    }

    private static ObjectNode answer(JsonNode q) throws Exception {
        switch (q.get("op").asText()) {
            case "chain":
                return chain(q);
            case "converter":
                return converter(q);
            case "header":
                return header(q);
            case "regex":
                return regex(q);
            case "date":
                return date(q);
            case "values":
                return values(q);
            case "providers":
                return Configured.providers(q);
            case "versions":
                return Configured.versions(q);
            default:
                throw new IllegalArgumentException(q.get("op").asText());
        }
    }

    /** What can fail; its failure is an answer, too. */
    interface Act {
        void into(ObjectNode answer) throws Exception;
    }

    static ObjectNode attempt(Act act) {
        ObjectNode answer = JSON.createObjectNode();
        try {
            act.into(answer);
        } catch (Exception | StackOverflowError e) {
            answer.removeAll();
            answer.set("error", failure(e));
        }
        return answer;
    }

    private static ObjectNode failure(Throwable e) {
        ObjectNode f = JSON.createObjectNode();
        f.put("class", e.getClass().getName());
        f.put("message", e.getMessage());
        return f;
    }

    static String text(JsonNode n) {
        return n == null || n.isNull() ? null : n.asText();
    }

    static Map<String, String> props(JsonNode n) {
        Map<String, String> props = new HashMap<>();
        if (n != null) {
            n.properties().forEach(e -> props.put(e.getKey(), text(e.getValue())));
        }
        return props;
    }

    static Object make(JsonNode n) throws Exception {
        return Class.forName(n.get("class").asText()).getDeclaredConstructor().newInstance();
    }

    private static byte[] bytes(JsonNode n) {
        return n == null || n.isNull() ? null : HexFormat.of().parseHex(n.asText());
    }

    // ---- transforms

    @SuppressWarnings("unchecked")
    private static <R extends ConnectRecord<R>> ObjectNode chain(JsonNode q) {
        List<Transformation<R>> transforms = new ArrayList<>();
        List<Predicate<R>> predicates = new ArrayList<>();
        List<Boolean> negate = new ArrayList<>();
        ObjectNode configured = attempt(a -> {
            for (JsonNode s : q.get("stages")) {
                Transformation<R> t = (Transformation<R>) make(s);
                t.configure(props(s.get("props")));
                transforms.add(t);
                Predicate<R> p = null;
                if (s.hasNonNull("predicate")) {
                    p = (Predicate<R>) make(s.get("predicate"));
                    p.configure(props(s.get("predicate").get("props")));
                }
                predicates.add(p);
                negate.add(s.path("negate").asBoolean());
            }
        });
        if (configured.has("error")) {
            return configured;
        }
        ArrayNode results = configured.putArray("results");
        for (JsonNode r : q.get("records")) {
            results.add(attempt(a -> {
                R record = (R) record(r);
                for (int i = 0; i < transforms.size() && record != null; i++) {
                    if (predicates.get(i) == null || predicates.get(i).test(record) ^ negate.get(i)) {
                        record = transforms.get(i).apply(record);
                    }
                }
                describe(a, record);
            }));
        }
        return configured;
    }

    private static ConnectRecord<?> record(JsonNode r) {
        Schema keySchema = Described.schema(r.get("keySchema"));
        Schema valueSchema = Described.schema(r.get("valueSchema"));
        Object key = Described.value(keySchema, r.get("key"));
        Object value = Described.value(valueSchema, r.get("value"));
        ConnectHeaders headers = new ConnectHeaders();
        for (JsonNode h : r.path("headers")) {
            Schema s = Described.schema(h.get(1));
            headers.add(h.get(0).asText(), Described.value(s, h.get(2)), s);
        }
        String topic = r.get("topic").asText();
        Integer partition = r.hasNonNull("partition") ? r.get("partition").asInt() : null;
        Long timestamp = r.hasNonNull("timestamp") ? r.get("timestamp").asLong() : null;
        if (r.path("source").asBoolean()) {
            return new SourceRecord(null, null, topic, partition, keySchema, key, valueSchema, value, timestamp, headers);
        }
        return new SinkRecord(topic, partition, keySchema, key, valueSchema, value, r.get("offset").asLong(), timestamp,
            TimestampType.CREATE_TIME, headers);
    }

    private static void describe(ObjectNode a, ConnectRecord<?> r) {
        if (r == null) {
            a.put("dropped", true);
            return;
        }
        a.put("topic", r.topic());
        a.set("keySchema", Described.of(r.keySchema()));
        a.set("key", Described.of(r.key()));
        a.set("valueSchema", Described.of(r.valueSchema()));
        a.set("value", Described.of(r.value()));
        ArrayNode headers = a.putArray("headers");
        for (Header h : r.headers()) {
            headers.addArray().add(h.key()).add(Described.of(h.schema())).add(Described.of(h.value()));
        }
    }

    // ---- converters

    private static ObjectNode converter(JsonNode q) throws Exception {
        Converter c = (Converter) make(q);
        ObjectNode configured = attempt(a -> c.configure(props(q.get("props")), q.path("key").asBoolean()));
        if (configured.has("error")) {
            return configured;
        }
        ArrayNode results = configured.putArray("results");
        for (JsonNode act : q.get("acts")) {
            results.add(attempt(a -> {
                if (act.has("raw")) {
                    describe(a, c.toConnectData("t", bytes(act.get("raw"))));
                } else {
                    Schema s = Described.schema(act.get("schema"));
                    describe(a, c.fromConnectData("t", s, Described.value(s, act.get("value"))));
                }
            }));
        }
        return configured;
    }

    private static ObjectNode header(JsonNode q) throws Exception {
        HeaderConverter c = (HeaderConverter) make(q);
        ObjectNode configured = attempt(a -> {
            Map<String, String> props = props(q.get("props"));
            props.put("converter.type", "header");
            c.configure(props);
        });
        if (configured.has("error")) {
            return configured;
        }
        ArrayNode results = configured.putArray("results");
        for (JsonNode act : q.get("acts")) {
            results.add(attempt(a -> {
                if (act.has("raw")) {
                    describe(a, c.toConnectHeader("t", "h", bytes(act.get("raw"))));
                } else {
                    Schema s = Described.schema(act.get("schema"));
                    describe(a, c.fromConnectHeader("t", "h", s, Described.value(s, act.get("value"))));
                }
            }));
        }
        return configured;
    }

    private static void describe(ObjectNode a, SchemaAndValue v) {
        a.set("schema", Described.of(v == null ? null : v.schema()));
        a.set("value", Described.of(v == null ? null : v.value()));
    }

    private static void describe(ObjectNode a, byte[] raw) {
        a.put("raw", raw == null ? null : HexFormat.of().formatHex(raw));
    }

    // ---- texts

    private static ObjectNode regex(JsonNode q) {
        Pattern[] pattern = new Pattern[1];
        ObjectNode compiled = attempt(a -> pattern[0] = Pattern.compile(q.get("pattern").asText()));
        if (compiled.has("error")) {
            return compiled;
        }
        ArrayNode results = compiled.putArray("results");
        for (JsonNode input : q.get("inputs")) {
            results.add(attempt(a -> {
                Matcher m = pattern[0].matcher(input.asText());
                a.put("matches", m.matches());
                if (m.matches() && q.hasNonNull("replacement")) {
                    a.put("replaced", m.replaceFirst(q.get("replacement").asText()));
                }
            }));
        }
        return compiled;
    }

    private static ObjectNode date(JsonNode q) {
        SimpleDateFormat[] format = new SimpleDateFormat[1];
        ObjectNode made = attempt(a -> {
            format[0] = new SimpleDateFormat(q.get("pattern").asText());
            format[0].setTimeZone(TimeZone.getTimeZone("UTC"));
        });
        if (made.has("error")) {
            return made;
        }
        ArrayNode formatted = made.putArray("formatted");
        for (JsonNode ms : q.get("format")) {
            formatted.add(format[0].format(new Date(ms.asLong())));
        }
        ArrayNode parsed = made.putArray("parsed");
        for (JsonNode text : q.get("parse")) {
            parsed.add(attempt(a -> a.put("ms", Long.toString(format[0].parse(text.asText()).getTime()))));
        }
        return made;
    }

    private static ObjectNode values(JsonNode q) {
        ObjectNode answer = JSON.createObjectNode();
        ArrayNode results = answer.putArray("results");
        for (JsonNode text : q.get("texts")) {
            results.add(attempt(a -> {
                SchemaAndValue v = Values.parseString(text.asText());
                describe(a, v);
                a.put("text", v == null ? null : Values.convertToString(v.schema(), v.value()));
            }));
        }
        return answer;
    }
}
