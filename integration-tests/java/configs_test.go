//go:build integration

package java

import (
	"fmt"
	"strings"

	"github.com/penstock-io/penstock/connect/transform"
)

func (g *gen) stage() stage {
	classes := transform.Transformations()
	s := stage{configured: configured{Class: classes[g.IntN(len(classes))].Name}}
	kind, _, _ := strings.Cut(strings.TrimPrefix(s.Class, javaPackage), "$")
	s.Props = g.config(kind)
	if g.one(8) {
		s.Props["replace.null.with.default"] = "false"
	}
	if g.one(4) || kind == "Filter" {
		s.Predicate = &configured{Class: javaPackage + "predicates." + pick(g, "HasHeaderKey", "RecordIsTombstone", "TopicNameMatches"),
			Props: map[string]string{"name": g.name(), "pattern": pick(g, "topic-.*", "(?!x).*", "[a-z]++", "(")}}
		if s.Predicate.Class == javaPackage+"predicates.HasHeaderKey" && g.one(20) {
			delete(s.Predicate.Props, "name")
		}
		s.Negate = g.one(3)
	}
	return s
}

// list makes a list of a few of the names.
func (g *gen) list(atLeast int) string {
	return strings.Join(g.some(atLeast), pick(g, ",", ", "))
}

func (g *gen) some(atLeast int) []string {
	var list []string
	for _, i := range g.Perm(len(names))[:atLeast+g.IntN(3)] {
		list = append(list, names[i])
	}
	return list
}

func (g *gen) config(kind string) map[string]string {
	p := map[string]string{}
	switch kind {
	case "Cast":
		types := []string{"int8", "int16", "int32", "int64", "float32", "float64", "boolean", "string", "String", "bytes", "no"}
		types = types[:pick(g, 8, 8, 8, 8, 9, 11)]
		if p["spec"] = pick(g, types...); !g.one(3) {
			var specs []string
			for _, name := range g.some(1) {
				specs = append(specs, name+":"+pick(g, types...))
			}
			p["spec"] = strings.Join(specs, ",")
		}
	case "DropHeaders":
		p["headers"] = g.list(g.IntN(2))
	case "ExtractField":
		p["field"] = g.name()
		if g.one(3) {
			p["field.syntax.version"] = pick(g, "V2", "v1", "V3")
			p["field"] = pick(g, "a.b", "`x.y`", "`x.y`.a", "b.`x.y`.c", "a.`b", "x.y", "n", "`a`.b.")
		}
	case "Flatten":
		if g.one(2) {
			p["delimiter"] = pick(g, "_", "", "--")
		}
	case "HeaderFrom":
		fields := g.some(1)
		p["fields"], p["headers"], p["operation"] = strings.Join(fields, ","), strings.Join(fields, "_,")+"_", pick(g, "move", "copy", "copy", "move", "Move")
	case "HoistField":
		p["field"] = g.name()
	case "InsertField":
		for _, k := range []string{"topic.field", "partition.field", "offset.field", "timestamp.field", "static.field"} {
			if g.one(3) {
				p[k] = pick(g, g.name(), "new", "new"+fmt.Sprint(g.IntN(3))) + pick(g, "", "", "!", "?")
			}
		}
		if !g.one(8) {
			p["static.value"] = "static"
		}
	case "InsertHeader":
		p["header"], p["value.literal"] = g.name(), g.text()
	case "MaskField":
		if p["fields"] = g.list(1); g.one(2) {
			p["replacement"] = pick(g, "***", "7", "-1.5", "300", "99999999999", "")
		}
	case "RegexRouter":
		p["regex"], p["replacement"] = pick(g, "topic-(.*)", ".*", "(?<first>[a-z]+)(.*)", "(.)(.)?.*", "logs_(\\d+)", "([a-z]+", "x|(y)"), pick(g, "$1-new", "fixed", "$0$1", "${first}", "a\\$1", "$2", "$", "$9", "$10x", "${", "\\")
	case "ReplaceField":
		p["exclude"], p["include"] = pick(g, "", g.list(0)), pick(g, "", "", g.list(0))
		if g.one(2) {
			p["renames"] = pick(g, "a:z", "a:b", "a:z,b:y", "id:a,a:id", "a", "a:b:c", ":", "a:", "x.y:xy", "")
		}
	case "SetSchemaMetadata":
		if g.one(2) {
			p["schema.name"] = pick(g, "new.Name", "other")
		}
		if !g.one(4) {
			p["schema.version"] = pick(g, "5", "-1", "x")
		}
	case "TimestampConverter":
		p["target.type"] = pick(g, "string", "unix", "Date", "Time", "Timestamp", "Timestamp", "time")
		if !g.one(3) {
			p["field"] = pick(g, "ts", "txt", "a", "n")
		}
		if p["target.type"] == "string" || g.one(2) {
			p["format"] = pick(g, "yyyy-MM-dd HH:mm:ss", "yyyy-MM-dd", "yyyyMMdd", "EEE, d MMM yyyy hh:mm a", "yy", "S", "yyyy-MM-dd'T'HH:mm:ss.SSSX", "")
		}
		if g.one(2) {
			p["unix.precision"] = pick(g, "milliseconds", "seconds", "microseconds", "nanoseconds", "hours")
		}
	case "TimestampRouter":
		if g.one(2) {
			p["topic.format"] = pick(g, "a-${timestamp}", "${topic}_${topic}", "x")
		}
		if g.one(2) {
			p["timestamp.format"] = pick(g, "yyyy", "yyyy-MM-dd-HH", "YYYY-ww", "'")
		}
	case "ValueToKey":
		p["fields"] = g.list(1)
	}
	return p
}
