//go:build integration

package differential

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
)

// quiet are settings of a source that has nothing to do: it waits for its file.
const quiet = `"connector.class":"FileStreamSource","topic":"differential","file":"{{dir}}/none"`

func post(name, more string) string {
	return fmt.Sprintf(`{"name":%q,"config":{%s}%s}`, name, quiet, more)
}

// remove deletes a connector and waits until nothing is left of it.
func remove(name string) step {
	return step{name: "delete", req: "DELETE /connectors/" + name, until: gone(name)}
}

func TestCreate(t *testing.T) {
	compare(t, []step{
		{name: "none yet", req: "GET /connectors"},
		{name: "create", req: "POST /connectors", body: post("c", ""), until: state("c", "RUNNING [RUNNING]")},
		{name: "again", req: "POST /connectors", body: post("c", "")},
		{name: "with another config", req: "POST /connectors", body: `{"name":"c","config":{"connector.class":"VerifiableSource"}}`},
		{name: "again with an invalid config", req: "POST /connectors", body: `{"name":"c","config":{"connector.class":"FileStreamSource","tasks.max":"0"}}`},
		{name: "list", req: "GET /connectors"},
		{name: "info", req: "GET /connectors/c"},
		{name: "config", req: "GET /connectors/c/config"},
		{name: "status", req: "GET /connectors/c/status"},
		{name: "tasks", req: "GET /connectors/c/tasks"},
		{name: "removed in 4.1", req: "GET /connectors/c/tasks-config"},
		{name: "task status", req: "GET /connectors/c/tasks/0/status"},
		{name: "task status of a task that is not there", req: "GET /connectors/c/tasks/1/status"},
		{name: "task status of a negative number", req: "GET /connectors/c/tasks/-1/status"},
		{name: "task status of a number with a sign", req: "GET /connectors/c/tasks/+0/status"},
		{name: "task status of a number with zeros", req: "GET /connectors/c/tasks/000/status"},
		{name: "task status of a large number", req: "GET /connectors/c/tasks/2147483648/status"},
		{name: "task status of a text", req: "GET /connectors/c/tasks/x/status"},
		{name: "task status of an empty text", req: "GET /connectors/c/tasks/%20/status"},
		{name: "one task", req: "GET /connectors/c/tasks/0"},
		{name: "topics", req: "GET /connectors/c/topics"},
		{name: "offsets", req: "GET /connectors/c/offsets"},
		remove("c"),
		{name: "delete again", req: "DELETE /connectors/c"},
		{name: "create again", req: "POST /connectors", body: post("c", ""), until: state("c", "RUNNING [RUNNING]")},
		remove("c"),
	})
}

func TestCreateWithAnInitialState(t *testing.T) {
	var steps []step
	for i, tc := range []struct{ text, state string }{
		{`"RUNNING"`, "RUNNING [RUNNING]"}, {`"running"`, "RUNNING [RUNNING]"}, {`"PAUSED"`, "PAUSED []"}, {`"Paused"`, "PAUSED []"},
		{`"STOPPED"`, "STOPPED []"}, {`"sToPpEd"`, "STOPPED []"}, {`null`, "RUNNING [RUNNING]"},
	} {
		name := fmt.Sprintf("initial-%d", i)
		steps = append(steps,
			step{name: tc.text, req: "POST /connectors", body: post(name, `,"initial_state":`+tc.text), until: state(name, tc.state)},
			step{name: "status", req: "GET /connectors/" + name + "/status"},
			step{name: "tasks", req: "GET /connectors/" + name + "/tasks"},
			remove(name))
	}
	for _, text := range []string{`""`, `" RUNNING"`, `"DESTROYED"`, `"UNASSIGNED"`, `"FAILED"`, `"xyz"`, `5`, `true`, `[]`, `{}`, `["STOPPED"]`} {
		steps = append(steps, step{name: "bad " + text, req: "POST /connectors", body: post("never", `,"initial_state":`+text), differs: "Texts of JSON errors"})
	}
	compare(t, append(steps, step{name: "none was created", req: "GET /connectors/never"}))
}

// TestNames creates connectors with odd names and asks for them under their escaped names.
func TestNames(t *testing.T) {
	var steps []step
	for _, name := range []string{
		"with blank", "ünïcödé", "名前", "UPPER", "upper", "semi;colon", "a,b", "a&b=c", "q?x", "h#x", "a:b@c", "a+b", "(a)", "a'b", `a"b`, "a|b^c`d", "[a]", "$a~!*",
		"dots.in.it", "-", "_", "0", "a.b-c_d", "🙂", "tail.", ".hidden", strings.Repeat("long", 60), "<b>x<b>",
	} {
		path := url.PathEscape(name)
		steps = append(steps,
			step{name: "create " + name, req: "POST /connectors", body: fmt.Sprintf(`{"name":%q,"config":{%s},"initial_state":"STOPPED"}`, name, quiet), until: state(path, "STOPPED []")},
			step{name: "info", req: "GET /connectors/" + path},
			step{name: "status", req: "GET /connectors/" + path + "/status"},
			step{name: "topics", req: "GET /connectors/" + path + "/topics"},
			remove(path))
	}
	compare(t, steps)
}

// TestNamesThatJettyDoesNotPass are of connectors that the JVM's users can create, but not
// reach. They stay, since they cannot be deleted there.
func TestNamesThatJettyDoesNotPass(t *testing.T) {
	var steps []step
	for _, name := range []string{"a/b", "50%", "100%25", `back\\slash`} {
		steps = append(steps, step{name: "create " + name, req: "POST /connectors", body: fmt.Sprintf(`{"name":"%s","config":{%s},"initial_state":"STOPPED"}`, name, quiet),
			until: shows("/connectors", `"`+name+`"`)})
	}
	for _, path := range []string{"a%2Fb", "50%25", "100%2525", "back%5Cslash", "a%2fb"} {
		steps = append(steps, step{name: "ask for " + path, req: "GET /connectors/" + path, differs: "Paths that Jetty refuses"})
	}
	compare(t, steps)
}

func TestNamesInBodies(t *testing.T) {
	compare(t, []step{
		{name: "no name", req: "POST /connectors", body: `{"config":{` + quiet + `}}`},
		{name: "an empty name", req: "POST /connectors", body: post("", "")},
		{name: "a blank name", req: "POST /connectors", body: post("  ", "")},
		{name: "null", req: "POST /connectors", body: `{"name":null,"config":{` + quiet + `}}`},
		{name: "control characters", req: "POST /connectors", body: `{"name":"a\u0001b","config":{` + quiet + `}}`},
		{name: "a newline", req: "POST /connectors", body: `{"name":"a\nb","config":{` + quiet + `}}`},
		{name: "a tab in the middle", req: "POST /connectors", body: `{"name":"a\tb","config":{` + quiet + `}}`},
		{name: "too long for no one", req: "POST /connectors", body: `{"name":"` + strings.Repeat("x", 3000) + `","config":{}}`},
		{name: "blanks around it", req: "POST /connectors", body: `{"name":" \t blanks \n","config":{` + quiet + `}}`, until: state("blanks", "RUNNING [RUNNING]")},
		{name: "its info", req: "GET /connectors/blanks"},
		{name: "blanks around it in both places", req: "POST /connectors", body: `{"name":" blanks ","config":{` + quiet + `,"name":" blanks "}}`},
		remove("blanks"),
		{name: "another name in the config", req: "POST /connectors", body: `{"name":"a","config":{` + quiet + `,"name":"b"}}`},
		{name: "another case in the config", req: "POST /connectors", body: `{"name":"a","config":{` + quiet + `,"name":"A"}}`},
		{name: "an empty name in the config", req: "POST /connectors", body: `{"name":"a","config":{` + quiet + `,"name":""}}`},
		{name: "the name only in the config", req: "POST /connectors", body: `{"config":{` + quiet + `,"name":"a"}}`},
		{name: "a number", req: "POST /connectors", body: `{"name":7,"config":{` + quiet + `}}`, until: state("7", "RUNNING [RUNNING]")},
		{name: "a number in both places", req: "POST /connectors", body: `{"name":7,"config":{` + quiet + `,"name":7}}`},
		remove("7"),
		{name: "an object", req: "POST /connectors", body: `{"name":{},"config":{` + quiet + `}}`, differs: "Texts of JSON errors"},
		{name: "an array", req: "POST /connectors", body: `{"name":["a"],"config":{` + quiet + `}}`, differs: "Texts of JSON errors"},
		{name: "braces", req: "POST /connectors", body: `{"name":"a{x}","config":{` + quiet + `},"initial_state":"STOPPED"}`, differs: "A name with braces", until: state("a%7Bx%7D", "STOPPED []")},
		remove("a%7Bx%7D"),
	})
}
