import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.HashMap;
import java.util.Map;
import org.apache.kafka.common.config.ConfigTransformer;
import org.apache.kafka.common.config.ConfigTransformerResult;
import org.apache.kafka.common.config.provider.ConfigProvider;
import org.apache.kafka.common.config.provider.EnvVarConfigProvider;
import org.apache.kafka.connect.runtime.isolation.PluginUtils;
import org.apache.maven.artifact.versioning.DefaultArtifactVersion;
import org.apache.maven.artifact.versioning.VersionRange;

/** What Kafka's config providers and Maven's version ranges say. */
final class Configured {
    private Configured() { }

    /** Configures the providers and resolves each of the texts with them. */
    static ObjectNode providers(JsonNode q) {
        Map<String, ConfigProvider> providers = new HashMap<>();
        ObjectNode configured = Golden.attempt(a -> {
            for (Map.Entry<String, JsonNode> e : q.get("providers").properties()) {
                ConfigProvider p;
                if (e.getValue().has("env")) {
                    p = new EnvVarConfigProvider(Golden.props(e.getValue().get("env")));
                } else {
                    p = (ConfigProvider) Golden.make(e.getValue());
                }
                p.configure(Golden.props(e.getValue().get("params")));
                providers.put(e.getKey(), p);
            }
        });
        if (configured.has("error")) {
            return configured;
        }
        ConfigTransformer transformer = new ConfigTransformer(providers);
        ArrayNode results = configured.putArray("results");
        for (JsonNode text : q.get("texts")) {
            results.add(Golden.attempt(a -> {
                ConfigTransformerResult r = transformer.transform(Map.of("key", text.asText()));
                a.put("text", r.data().get("key"));
                a.put("ttls", r.ttls().size());
            }));
        }
        return configured;
    }

    /** Which of the versions lie in a range. */
    static ObjectNode versions(JsonNode q) {
        return Golden.attempt(a -> {
            VersionRange range = PluginUtils.connectorVersionRequirement(q.get("range").asText());
            a.put("text", range == null ? null : range.toString());
            ArrayNode results = a.putArray("contains");
            for (JsonNode v : q.get("versions")) {
                results.add(range == null || range.containsVersion(new DefaultArtifactVersion(v.asText())));
            }
        });
    }
}
