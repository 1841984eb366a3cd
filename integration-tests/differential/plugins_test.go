//go:build integration

package differential

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/penstock-io/penstock/rest/api"
)

// commonPlugins are the plugins of our worker that a JVM worker has, too.
func commonPlugins(t *testing.T) []api.PluginInfo {
	t.Helper()
	needWorkers(t)
	a := ours.get("/connector-plugins?connectorsOnly=false")
	var all []api.PluginInfo
	if err := json.Unmarshal([]byte(a.body), &all); err != nil {
		t.Fatalf("%d %s: %v %v", a.status, a.body, a.err, err)
	}
	common := slices.DeleteFunc(all, func(p api.PluginInfo) bool { return !strings.HasPrefix(p.Class, kafkaPlugins) })
	if len(common) < 40 {
		t.Fatalf("only %d plugins: %s", len(common), a.body)
	}
	return common
}

func TestPluginList(t *testing.T) {
	steps := []step{{name: "default", req: "GET /connector-plugins"}, {name: "with a slash", req: "GET /connector-plugins/"}}
	for _, v := range []string{"", "true", "false", "TRUE", "False", "1", "0", "yes", "no", "%20true", "true%20", "xyz", "null"} {
		steps = append(steps, step{name: "connectorsOnly=" + v, req: "GET /connector-plugins?connectorsOnly=" + v})
	}
	compare(t, append(steps,
		step{name: "without a value", req: "GET /connector-plugins?connectorsOnly"},
		step{name: "twice", req: "GET /connector-plugins?connectorsOnly=false&connectorsOnly=true"},
		step{name: "twice the other way round", req: "GET /connector-plugins?connectorsOnly=true&connectorsOnly=false"},
		step{name: "another case", req: "GET /connector-plugins?connectorsonly=false"},
		step{name: "an unknown parameter", req: "GET /connector-plugins?type=sink"},
		step{name: "head", req: "HEAD /connector-plugins"},
		step{name: "options", req: "OPTIONS /connector-plugins"},
		step{name: "post", req: "POST /connector-plugins", body: "{}"},
		step{name: "delete", req: "DELETE /connector-plugins"},
		step{name: "one plugin", req: "GET /connector-plugins/FileStreamSink"},
		step{name: "validate with GET", req: "GET /connector-plugins/FileStreamSink/config/validate"},
		step{name: "validate with POST", req: "POST /connector-plugins/FileStreamSink/config/validate", body: "{}"},
		step{name: "config with PUT", req: "PUT /connector-plugins/FileStreamSink/config", body: "{}"},
		step{name: "config with a slash", req: "GET /connector-plugins/FileStreamSink/config/"},
		step{name: "head of a config", req: "HEAD /connector-plugins/FileStreamSink/config"},
		step{name: "options of a config", req: "OPTIONS /connector-plugins/FileStreamSink/config"},
	))
}

// TestPluginConfigs asks for every plugin by all names that it may have.
func TestPluginConfigs(t *testing.T) {
	names := map[string]bool{}
	for _, p := range commonPlugins(t) {
		names[p.Class] = true
		simple := p.Class[strings.LastIndexAny(p.Class, ".$")+1:]
		names[simple] = true
		for _, suffix := range []string{"Connector", "Converter", "HeaderConverter", "Transformation", "Predicate"} {
			names[strings.TrimSuffix(simple, suffix)] = true
		}
		if before, _, nested := strings.Cut(p.Class, "$"); nested {
			names[before] = true
			names[before[strings.LastIndex(before, ".")+1:]] = true
		}
	}
	for _, name := range []string{
		"NoSuchPlugin", "filestreamsink", "FileStream", "File", "%20", "%20FileStreamSink", "FileStreamSink%20", "java.lang.String", "org.apache.kafka.connect.file.FileStreamSink",
		"org.apache.kafka.connect.transforms.Cast.Key", "org.apache.kafka.connect.storage", "Cast$Key", "All", "None", "org.apache.kafka.connect.connector.policy.AllConnectorClientConfigOverridePolicy",
		"EnvVar", "org.apache.kafka.common.config.provider.FileConfigProvider", "org.apache.kafka.connect.runtime.WorkerConfig", "Sink", "Connector", "a;b",
	} {
		names[name] = true
	}
	notPlugins := []string{"java.lang.String", "org.apache.kafka.connect.runtime.WorkerConfig"} // but the JVM finds the classes
	for _, abstract := range []string{"Cast", "ExtractField", "Flatten", "HeaderFrom", "HoistField", "InsertField", "MaskField", "ReplaceField", "SetSchemaMetadata", "TimestampConverter"} {
		notPlugins = append(notPlugins, "org.apache.kafka.connect.transforms."+abstract)
	}
	var steps []step
	for name := range names {
		s := step{name: name, req: "GET /connector-plugins/" + name + "/config"}
		if slices.Contains(notPlugins, name) {
			s.differs = "Definitions of Java classes that are no plugins"
		}
		steps = append(steps, s)
	}
	slices.SortFunc(steps, func(a, b step) int { return strings.Compare(a.name, b.name) })
	compare(t, steps)
}

// versions are texts of a plugin version, good and bad.
var versions = []string{
	"4.3.1", "[4.3.1]", "[4.3.1,4.3.1]", " 4.3.1 ", " [4.3.1] ", "[4.0,5.0)", "[4.0, 5.0)", "(,5)", "[4,)", "(4.3.1,)", "(,4.3.1)", "(,4.3.1]", "latest", "LATEST", " latest", "1.0", "[1.0]", "[1.0,2.0)", "(,1.0],[1.2,)", "[1.0],[2.0]",
	"4.3", "4.3.1.0", "4.3.1-SNAPSHOT", "[4.3.1-rc1,)", "[4.3.1-sp,)", "(4.3.1-beta-2,4.3.1-final]", "4.3.1-ga", "v4.3.1", "abc", "x y", "", " ", ",", "[", "]", "[]", "()", "(4.3.1)", "(4.3.1]", "[1.0", "1.0]", "1.0,2.0", "[1.0,2.0", "[2.0,1.0]", "[1.0,1.0)", "(1.0,1.0)",
	"[,]", "(,)", "[1,2],[3,5]", "[1,2][3,5]", "[1,2] , [3,5]", "[1,3],[2,5]", "[3,5],[1,2]", "[1,2],3", "1,[3,5]", "[1,2,3]", "[1,2),[2,5]", "[[1,2]]", "latest,4.3.1", "undefined", "null", "4.3.1\n", "\u00a04.3.1", "99999999999999999999",
}

// TestPluginConfigVersions asks for plugins on the JVM's plugin path, where each has a
// class loader of its own, and on its class path.
func TestPluginConfigVersions(t *testing.T) {
	var steps []step
	for _, plugin := range []string{"FileStreamSink", "VerifiableSource", "Json"} {
		for _, v := range versions {
			s := step{name: plugin + " " + v, req: "GET /connector-plugins/" + plugin + "/config?version=" + url.QueryEscape(v)}
			if plugin == "VerifiableSource" {
				s.differs = onClassPath(v)
			}
			steps = append(steps, s)
		}
	}
	compare(t, append(steps,
		step{name: "unknown, good version", req: "GET /connector-plugins/NoSuchPlugin/config?version=4.3.1"},
		step{name: "unknown, bad version", req: "GET /connector-plugins/NoSuchPlugin/config?version=%5B1.0"},
		step{name: "no value", req: "GET /connector-plugins/FileStreamSink/config?version"},
		step{name: "twice", req: "GET /connector-plugins/FileStreamSink/config?version=4.3.1&version=1.0"},
		step{name: "twice the other way round", req: "GET /connector-plugins/FileStreamSink/config?version=1.0&version=4.3.1"},
		step{name: "another case", req: "GET /connector-plugins/FileStreamSink/config?Version=1.0"},
	))
}
