import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.math.BigDecimal;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Date;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import org.apache.kafka.connect.data.Field;
import org.apache.kafka.connect.data.Schema;
import org.apache.kafka.connect.data.SchemaBuilder;
import org.apache.kafka.connect.data.Struct;

/**
 * The JSON form of schemas and values: a schema is an object of its attributes; a value is an
 * object with its type as the only key, except for null, text and booleans, which are
 * themselves, and lists. Maps are lists of pairs in the order in which they iterate.
 */
final class Described {
    private static final JsonNodeFactory NODES = JsonNodeFactory.instance;

    private Described() { }

    static JsonNode of(Schema s) {
        if (s == null) {
            return NODES.nullNode();
        }
        ObjectNode d = NODES.objectNode();
        d.put("type", s.type().name());
        d.put("optional", s.isOptional());
        if (s.name() != null) {
            d.put("name", s.name());
        }
        if (s.version() != null) {
            d.put("version", s.version());
        }
        if (s.doc() != null) {
            d.put("doc", s.doc());
        }
        if (s.parameters() != null && !s.parameters().isEmpty()) {
            ObjectNode p = d.putObject("parameters");
            s.parameters().forEach(p::put);
        }
        if (s.defaultValue() != null) {
            d.set("default", of(s.defaultValue()));
        }
        switch (s.type()) {
            case STRUCT:
                ArrayNode fields = d.putArray("fields");
                for (Field f : s.fields()) {
                    fields.addObject().put("field", f.name()).put("index", f.index()).set("schema", of(f.schema()));
                }
                break;
            case ARRAY:
                d.set("items", of(s.valueSchema()));
                break;
            case MAP:
                d.set("keys", of(s.keySchema()));
                d.set("values", of(s.valueSchema()));
                break;
            default:
        }
        return d;
    }

    static Schema schema(JsonNode d) {
        if (d == null || d.isNull()) {
            return null;
        }
        Schema.Type type = Schema.Type.valueOf(d.get("type").asText());
        SchemaBuilder b;
        switch (type) {
            case STRUCT:
                b = SchemaBuilder.struct();
                for (JsonNode f : d.get("fields")) {
                    b.field(f.get("field").asText(), schema(f.get("schema")));
                }
                break;
            case ARRAY:
                b = SchemaBuilder.array(schema(d.get("items")));
                break;
            case MAP:
                b = SchemaBuilder.map(schema(d.get("keys")), schema(d.get("values")));
                break;
            default:
                b = new SchemaBuilder(type);
        }
        if (d.path("optional").asBoolean()) {
            b.optional();
        }
        if (d.has("name")) {
            b.name(d.get("name").asText());
        }
        if (d.has("version")) {
            b.version(d.get("version").asInt());
        }
        if (d.has("doc")) {
            b.doc(d.get("doc").asText());
        }
        if (d.has("parameters")) {
            d.get("parameters").properties().forEach(e -> b.parameter(e.getKey(), e.getValue().asText()));
        }
        if (d.has("default")) {
            b.defaultValue(value(b.build(), d.get("default")));
        }
        return b.build();
    }

    static JsonNode of(Object v) {
        if (v == null) {
            return NODES.nullNode();
        } else if (v instanceof String) {
            return text((String) v);
        } else if (v instanceof Boolean) {
            return NODES.booleanNode((Boolean) v);
        } else if (v instanceof List) {
            ArrayNode list = NODES.arrayNode();
            ((List<?>) v).forEach(e -> list.add(of(e)));
            return list;
        }
        ObjectNode d = NODES.objectNode();
        if (v instanceof Byte) {
            d.put("int8", (Byte) v);
        } else if (v instanceof Short) {
            d.put("int16", (Short) v);
        } else if (v instanceof Integer) {
            d.put("int32", (Integer) v);
        } else if (v instanceof Long) {
            d.put("int64", v.toString());
        } else if (v instanceof Float) {
            d.put("float32", v.toString());
        } else if (v instanceof Double) {
            d.put("float64", v.toString());
        } else if (v instanceof BigDecimal) {
            d.put("decimal", v.toString());
        } else if (v instanceof Date) {
            d.put("date_ms", Long.toString(((Date) v).getTime()));
        } else if (v instanceof byte[]) {
            d.put("bytes", HexFormat.of().formatHex((byte[]) v));
        } else if (v instanceof ByteBuffer) {
            d.put("bytes", HexFormat.of().formatHex(((ByteBuffer) v).array()));
        } else if (v instanceof Map) {
            ArrayNode map = d.putArray("map");
            ((Map<?, ?>) v).forEach((k, e) -> map.addArray().add(of(k)).add(of(e)));
        } else if (v instanceof Struct) {
            ArrayNode fields = d.putArray("struct");
            Struct s = (Struct) v;
            for (Field f : s.schema().fields()) {
                fields.addArray().add(f.name()).add(of(s.getWithoutDefault(f.name())));
            }
        } else {
            d.put("class", v.getClass().getName());
        }
        return d;
    }

    /** Halves of surrogate pairs that stand alone cannot be written as JSON. */
    private static JsonNode text(String s) {
        StringBuilder units = new StringBuilder();
        boolean lone = false;
        for (int i = 0; i < s.length(); i++) {
            char c = s.charAt(i);
            units.append(String.format("%04x", (int) c));
            if (Character.isHighSurrogate(c) && i + 1 < s.length() && Character.isLowSurrogate(s.charAt(i + 1))) {
                units.append(String.format("%04x", (int) s.charAt(++i)));
            } else if (Character.isSurrogate(c)) {
                lone = true;
            }
        }
        return lone ? NODES.objectNode().put("utf16", units.toString()) : NODES.textNode(s);
    }

    static Object value(Schema schema, JsonNode d) {
        if (d == null || d.isNull()) {
            return null;
        } else if (d.isTextual()) {
            return d.asText();
        } else if (d.isBoolean()) {
            return d.asBoolean();
        } else if (d.isArray()) {
            List<Object> list = new ArrayList<>();
            Schema items = schema != null && schema.type() == Schema.Type.ARRAY ? schema.valueSchema() : null;
            d.forEach(e -> list.add(value(items, e)));
            return list;
        }
        String type = d.fieldNames().next();
        JsonNode v = d.get(type);
        switch (type) {
            case "int8":
                return (byte) v.asInt();
            case "int16":
                return (short) v.asInt();
            case "int32":
                return v.asInt();
            case "int64":
                return Long.parseLong(v.asText());
            case "float32":
                return Float.parseFloat(v.asText());
            case "float64":
                return Double.parseDouble(v.asText());
            case "decimal":
                return new BigDecimal(v.asText());
            case "date_ms":
                return new Date(Long.parseLong(v.asText()));
            case "bytes":
                return HexFormat.of().parseHex(v.asText());
            case "map":
                Map<Object, Object> map = new HashMap<>();
                boolean typed = schema != null && schema.type() == Schema.Type.MAP;
                v.forEach(e -> map.put(value(typed ? schema.keySchema() : null, e.get(0)),
                    value(typed ? schema.valueSchema() : null, e.get(1))));
                return map;
            case "struct":
                Struct s = new Struct(schema);
                for (JsonNode e : v) {
                    Field f = schema.field(e.get(0).asText());
                    Object field = value(f.schema(), e.get(1));
                    if (field != null || f.schema().isOptional()) {
                        s.put(f, field); // a null in a required field is what is there already
                    }
                }
                return s;
            default:
                throw new IllegalArgumentException(type);
        }
    }
}
