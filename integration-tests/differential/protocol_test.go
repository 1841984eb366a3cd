//go:build integration

package differential

import (
	"fmt"
	"strings"
	"testing"
)

// withC runs steps while there is a quiet connector c.
func withC(t *testing.T, steps []step) {
	t.Helper()
	all := []step{{name: "create c", req: "PUT /connectors/c/config", body: `{` + quiet + `}`, until: state("c", "RUNNING [RUNNING]")}}
	compare(t, append(append(all, steps...), remove("c")))
}

func TestNegotiation(t *testing.T) {
	var steps []step
	for _, accept := range []string{"application/json", "*/*", "application/*", "text/html", "text/plain", "application/xml", "application/json, text/html", "text/html, */*;q=0.1", "application/json;q=0", "*/*;q=0",
		"application/json; charset=utf-8", "application/json;charset=UTF-8", `application/json;charset="utf-8"`, "application/json;charset=iso-8859-1", "application/vnd.api+json", "application/json;x=y;q=0.5", "APPLICATION/JSON", "json", "", " ", ",", ";",
		"application/json, application/json;charset=utf-8", "application/json;q=0.1, */*", "text/*", "*", "application", "application/", "/json", "application/json;q=x", "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"} {
		steps = append(steps, step{name: "Accept " + accept, req: "GET /connectors/c", header: "Accept: " + accept})
	}
	steps = append(steps,
		step{name: "a quality above 1", req: "GET /connectors/c", header: "Accept: application/json;q=2", differs: "Pages of Jetty"},
		step{name: "two Accept headers", req: "GET /connectors/c", header: "Accept: text/html\nAccept: application/json"},
		step{name: "Accept, an error", req: "GET /connectors/zz", header: "Accept: text/html"},
		step{name: "Accept, an unknown path", req: "GET /zz", header: "Accept: text/html"},
		step{name: "Accept, a wrong method", req: "DELETE /connectors", header: "Accept: text/html"},
		step{name: "Accept, pause", req: "PUT /connectors/c/pause", header: "Accept: text/html"},
		step{name: "Accept, delete", req: "DELETE /connectors/c", header: "Accept: text/html"},
		step{name: "Accept, root", req: "GET /", header: "Accept: text/html"},
		step{name: "Accept, health", req: "GET /health", header: "Accept: text/plain"},
		step{name: "Accept, create", req: "POST /connectors", header: "Accept: text/html", body: post("never", "")},
		step{name: "Accept-Encoding", req: "GET /connectors/c", header: "Accept-Encoding: gzip, deflate"},
		step{name: "Accept-Charset", req: "GET /connectors/c", header: "Accept-Charset: iso-8859-1"},
		step{name: "Accept-Language", req: "GET /connectors/c", header: "Accept-Language: de"},
	)
	for _, ct := range []string{"application/json", "application/json; charset=utf-8", "application/json;charset=UTF-8", "application/json;charset=iso-8859-1", "application/json;charset=utf-16", "application/json;charset=nonsense", "APPLICATION/JSON", "application/json;x=y", "application/json;", "text/json", "text/plain",
		"application/x-www-form-urlencoded", "multipart/form-data", "application/vnd.kafka.json", "application/vnd.x+json", "application/*", "*/*", "json", "", " ", "application/json, text/plain", "application/octet-stream"} {
		steps = append(steps,
			step{name: "Content-Type " + ct, req: "PATCH /connectors/c/config", header: "Content-Type: " + ct, body: `{}`, until: state("c", "RUNNING [RUNNING]")},
			step{name: "no body, Content-Type " + ct, req: "PUT /connectors/c/resume", header: "Content-Type: " + ct})
	}
	steps = append(steps,
		step{name: "nothing that is any application", req: "PATCH /connectors/c/config", header: "Content-Type: application/*"},
		step{name: "Content-Type of a GET", req: "GET /connectors/c", header: "Content-Type: text/plain"},
		step{name: "Content-Type of a DELETE", req: "DELETE /connectors/zz", header: "Content-Type: text/plain"},
		step{name: "a GET with a body", req: "GET /connectors/c", body: `{"a":1}`},
		step{name: "a GET with a body of text", req: "GET /connectors/c", body: `a`, header: "Content-Type: text/plain"},
		step{name: "a DELETE with a body", req: "DELETE /connectors/zz", body: `{"a":1}`},
		step{name: "create with an unaccepted type and an unaccepted answer", req: "POST /connectors", header: "Content-Type: text/plain\nAccept: text/plain", body: "x"},
		step{name: "unaccepted type on an unknown path", req: "POST /zz", header: "Content-Type: text/plain", body: "x"},
		step{name: "unaccepted type and a wrong method", req: "PATCH /connectors", header: "Content-Type: text/plain", body: "x"},
		step{name: "Content-Encoding", req: "PATCH /connectors/c/config", header: "Content-Encoding: identity", body: `{}`},
	)
	withC(t, steps)
}

func TestMethods(t *testing.T) {
	paths := []string{"/", "/health", "/connectors", "/connectors/c", "/connectors/c/config", "/connectors/c/status", "/connectors/c/restart", "/connectors/c/pause", "/connectors/c/resume", "/connectors/c/stop",
		"/connectors/c/tasks", "/connectors/c/fence", "/connectors/c/tasks/0", "/connectors/c/tasks/0/status", "/connectors/c/tasks/0/restart", "/connectors/c/offsets", "/connectors/c/topics", "/connectors/c/topics/reset",
		"/connector-plugins", "/connector-plugins/FileStreamSource/config", "/connector-plugins/FileStreamSource/config/validate", "/admin/loggers", "/admin/loggers/root", "/connectors/zz", "/zz"}
	var steps []step
	for _, path := range paths {
		steps = append(steps,
			step{name: "HEAD " + path, req: "HEAD " + path},
			step{name: "OPTIONS " + path, req: "OPTIONS " + path},
			step{name: "TRACE " + path, req: "TRACE " + path},
			step{name: "PATCH " + path, req: "PATCH " + path, header: "Accept: application/json", differs: patchDiffers(path)})
	}
	for _, req := range []string{"PUT /", "POST /health", "DELETE /connectors", "PUT /connectors", "POST /connectors/c", "PUT /connectors/c", "POST /connectors/c/config", "DELETE /connectors/c/config", "POST /connectors/c/status", "GET /connectors/c/restart",
		"GET /connectors/c/pause", "POST /connectors/c/pause", "DELETE /connectors/c/stop", "PUT /connectors/c/tasks", "GET /connectors/c/fence", "PUT /connectors/c/offsets", "POST /connectors/c/offsets", "GET /connectors/c/topics/reset", "DELETE /connectors/c/topics",
		"POST /connector-plugins", "GET /connector-plugins/FileStreamSource", "GET /connector-plugins/FileStreamSource/config/validate", "POST /connector-plugins/FileStreamSource/config/validate", "DELETE /admin/loggers/root", "POST /admin/loggers", "FOO /connectors", "FOO /zz", "get /connectors", "GET /admin", "GET /favicon.ico", "GET /connectors/c/x", "GET /connectors/c/config/x"} {
		steps = append(steps, step{name: req, req: req})
	}
	steps = append(steps,
		step{name: "OPTIONS *", req: "OPTIONS *"},
		step{name: "OPTIONS that wants JSON", req: "OPTIONS /connectors", header: "Accept: application/json"},
		step{name: "OPTIONS that wants HTML", req: "OPTIONS /connectors", header: "Accept: text/html"},
		step{name: "OPTIONS that wants WADL", req: "OPTIONS /connectors", header: "Accept: application/vnd.sun.wadl+xml"},
		step{name: "OPTIONS that wants anything", req: "OPTIONS /connectors", header: "Accept: */*"},
		step{name: "OPTIONS with a body", req: "OPTIONS /connectors", body: "{}"},
		step{name: "HEAD of a list that is expanded", req: "HEAD /connectors?expand=info"},
		step{name: "HEAD that wants HTML", req: "HEAD /connectors", header: "Accept: text/html"},
	)
	withC(t, steps)
}

// patchDiffers names the difference of a PATCH without a body where there is one.
func patchDiffers(path string) string {
	switch path {
	case "/connectors/c/config", "/connectors/c/offsets":
		return "Missing body or field"
	}
	return ""
}

func TestPaths(t *testing.T) {
	var steps []step
	for _, path := range []string{"/connectors/", "/connectors/c/", "/connectors/c/status/", "/connectors/c;x=1/status", "/connectors/c;/status;y", "/connectors;a=b", "/;x", "/connectors/c/status;x=1/", "/connectors/%63/status", "/connectors/c?x=%zz", "/connectors/c?%", "/connectors/c?a=b;c=d",
		"/connectors/c%3Bx/status", "/connectors/C/status", "/Connectors", "/connectors/c/Status", "/connectors/c%20/status", "/connectors/+c/status", "/connectors/c/status?", "/connectors/c/status??", "/connectors/c/status#x", "/connectors/c#x/status",
		"/connectors/./c", "/connectors/../connectors/c", "/connectors/c/./status", "/connectors/x/../c/status", "/connectors/c/..", "/health/", "/?x", "/zz/", "/connectors/c/tasks/0/", "/connectors/c/tasks/0;x/status",
		"/connectors/~c", "/connectors/c'", "/connectors/c,d", "/connectors/c:d", "/connectors/@", "/connectors/$", "/connectors/!", "/connectors/*", "/connectors/(c)", "/connectors/c=d", "/connectors/&", "/connectors/" + strings.Repeat("n", 4000), "/connectors/%C3%BC", "/connectors/u%CC%88", "/admin/loggers/", "/admin/loggers/root/"} {
		steps = append(steps, step{name: shorten(path)[:min(len(path), 60)], req: "GET " + path})
	}
	for _, path := range []string{"//", "/..", "/connectors/ü", "//connectors", "/connectors//c", "/connectors/c//status", "/connectors/c//", "/connectors/%2e%2e/connectors", "/connectors/%2E/c", "/connectors/c%2Fstatus", "/connectors/c%5Cd", "/connectors/c%0A", "/connectors/c%00", "/connectors/c%7F", "/connectors/%25", "/connectors/%FF", "/connectors/%C3", `/connectors/a\b`, "/connectors/..;/connectors"} {
		steps = append(steps, step{name: path, req: "GET " + path, differs: "Paths that Jetty refuses"})
	}
	for _, path := range []string{"/connectors/%", "/connectors/%zz", "/connectors/%4", "/connectors/%u0041"} {
		steps = append(steps, step{name: path, req: "GET " + path, differs: "Pages of Jetty"})
	}
	steps = append(steps,
		step{name: "an absolute request", req: "GET http://x.example/connectors", differs: "Paths that Jetty refuses"},
		step{name: "a host that is empty", req: "GET /connectors", header: "X-Forwarded-Host: x"},
		step{name: "a wrong escape in a parameter", req: "GET /connectors/c;a=%zz/status", differs: "Wrong escapes in parameters of a path"},
		step{name: "the authority", req: "GET connectors", differs: "Pages of Jetty"},
	)
	withC(t, steps)
}

func TestServer(t *testing.T) {
	compare(t, []step{
		{name: "root", req: "GET /"},
		{name: "root with parameters", req: "GET /?x=y"},
		{name: "health", req: "GET /health"},
		{name: "health with parameters", req: "GET /health?x=y"},
		{name: "root with a type", req: "GET /", header: "Content-Type: text/plain"},
		{name: "root with a type, its head", req: "HEAD /", header: "Content-Type: text/plain"},
		{name: "root with no type", req: "GET /", header: "Content-Type: x", differs: "Pages of Jetty"},
		{name: "health with a type", req: "GET /health", header: "Content-Type: text/plain"},
		{name: "loggers with a type", req: "GET /admin/loggers", header: "Content-Type: text/plain"},
		{name: "a logger with a type", req: "GET /admin/loggers/root", header: "Content-Type: text/plain"},
		{name: "plugins with a type", req: "GET /connector-plugins", header: "Content-Type: text/plain"},
		{name: "a plugin with a type", req: "GET /connector-plugins/FileStreamSource/config", header: "Content-Type: text/plain"},
		{name: "topics with a type", req: "GET /connectors/zz/topics", header: "Content-Type: text/plain"},
		{name: "offsets with a type", req: "GET /connectors/zz/offsets", header: "Content-Type: text/plain"},
		{name: "a list with a type", req: "GET /connectors", header: "Content-Type: text/plain"},
		{name: "an Authorization that nobody asked for", req: "GET /connectors", header: "Authorization: Basic eDp5"},
		{name: "CORS: an origin that is allowed", req: "GET /connectors", header: "Origin: http://ui.example"},
		{name: "CORS: in another case", req: "GET /connectors", header: "Origin: HTTP://UI.example"},
		{name: "CORS: a regular expression", req: "GET /connectors", header: "Origin: http://other.example:81"},
		{name: "CORS: a dot is any character", req: "GET /connectors", header: "Origin: http://ui-example"},
		{name: "CORS: only a part", req: "GET /connectors", header: "Origin: http://ui.example.org"},
		{name: "CORS: not allowed", req: "GET /connectors", header: "Origin: http://evil.example"},
		{name: "CORS: null", req: "GET /connectors", header: "Origin: null"},
		{name: "CORS: empty", req: "GET /connectors", header: "Origin: "},
		{name: "CORS: two", req: "GET /connectors", header: "Origin: http://evil.example http://ui.example"},
		{name: "CORS: an error", req: "GET /connectors/zz", header: "Origin: http://ui.example"},
		{name: "CORS: an unknown path", req: "GET /zz", header: "Origin: http://ui.example"},
		{name: "CORS: preflight", req: "OPTIONS /connectors", header: "Origin: http://ui.example\nAccess-Control-Request-Method: PUT\nAccess-Control-Request-Headers: x-y"},
		{name: "CORS: preflight of another method", req: "OPTIONS /connectors", header: "Origin: http://ui.example\nAccess-Control-Request-Method: DELETE"},
		{name: "CORS: preflight that is not allowed", req: "OPTIONS /connectors", header: "Origin: http://evil.example\nAccess-Control-Request-Method: PUT"},
		{name: "CORS: preflight of an unknown path", req: "OPTIONS /zz", header: "Origin: http://ui.example\nAccess-Control-Request-Method: PUT"},
		{name: "CORS: OPTIONS without a method", req: "OPTIONS /connectors", header: "Origin: http://ui.example"},
		{name: "CORS: GET with a method", req: "GET /connectors", header: "Origin: http://ui.example\nAccess-Control-Request-Method: PUT"},
		{name: "CORS: a malformed request", req: "GET /connectors", header: "Origin: http://ui.example\nAccept: ;"},
		{name: "CORS: a method that is not announced", req: "DELETE /connectors/zz", header: "Origin: http://ui.example"},
	})
}

func TestLoggers(t *testing.T) {
	const l = "/admin/loggers/differential"
	put := func(name, path, body string) step { return step{name: name, req: "PUT " + path, body: body} }
	steps := []step{
		{name: "list", req: "GET /admin/loggers"},
		{name: "root", req: "GET /admin/loggers/root"},
		{name: "Root", req: "GET /admin/loggers/Root"},
		{name: "unknown", req: "GET " + l},
		put("a new one with the level it has", l, `{"level":"INFO"}`),
		{name: "it is there", req: "GET " + l},
		put("debug", l, `{"level":"DEBUG"}`),
		{name: "it is debug", req: "GET " + l},
		put("the same", l, `{"level":"debug"}`),
		put("a child with another level", l+".child.one", `{"level":"trace"}`),
		{name: "list with it", req: "GET /admin/loggers"},
		put("the parent changes its children", l, `{"level":"WARN"}`),
		put("a parent that is not there", l+".child", `{"level":"ERROR"}`),
		{name: "the parent", req: "GET " + l + ".child"},
		{name: "the child", req: "GET " + l + ".child.one"},
		put("off", l, `{"level":"OFF"}`),
		{name: "list without it", req: "GET /admin/loggers"},
		{name: "it is off", req: "GET " + l},
		put("fatal", l, `{"level":"fatal"}`), put("all", l, `{"level":"All"}`), put("trace", l, `{"level":"TRACE"}`),
		{name: "it is trace", req: "GET " + l},
	}
	for _, body := range []string{`{}`, `{"level":null}`, `{"level":""}`, `{"level":" "}`, `{"level":"LOUD"}`, `{"level":" INFO"}`, `{"level":"INFO","x":"y"}`, `{"level":5}`, `{"level":true}`, `{"LEVEL":"INFO"}`} {
		steps = append(steps, put("body "+body, l, body))
	}
	for _, body := range []string{`{"level":{}}`, `{"level":["INFO"]}`, `[]`, `"INFO"`, `{`} {
		s := put("bad body "+body, l, body)
		s.differs = "Texts of JSON errors"
		steps = append(steps, s)
	}
	steps = append(steps,
		step{name: "no body", req: "PUT " + l, differs: "Missing body or field"},
		step{name: "null", req: "PUT " + l, body: `null`, differs: "Missing body or field"},
		put("scope worker", l+"?scope=worker", `{"level":"WARN"}`),
		put("scope in upper case", l+"?scope=WORKER", `{"level":"INFO"}`),
		put("an unknown scope", l+"?scope=galaxy", `{"level":"WARN"}`),
		put("an empty scope", l+"?scope=", `{"level":"INFO"}`),
		put("two scopes", l+"?scope=worker&scope=cluster", `{"level":"ERROR"}`),
		step{name: "cluster", req: "PUT " + l + "?scope=cluster", body: `{"level":"debug"}`, until: shows(l, `"DEBUG"`)},
		step{name: "it is debug", req: "GET " + l},
		step{name: "cluster in upper case", req: "PUT " + l + "?scope=Cluster", body: `{"level":"WARN"}`, until: shows(l, `"WARN"`)},
		put("cluster without a level", l+"?scope=cluster", `{}`),
		put("cluster with an unknown level", l+"?scope=cluster", `{"level":"LOUD"}`),
		put("cluster with an empty level", l+"?scope=cluster", `{"level":""}`),
		step{name: "cluster, a new one", req: "PUT " + l + ".late?scope=cluster", body: `{"level":"TRACE"}`, until: shows(l+".late", `"TRACE"`)},
		step{name: "list", req: "GET /admin/loggers"},
		put("root", "/admin/loggers/root", `{"level":"WARN"}`),
		step{name: "root is changed", req: "GET /admin/loggers/root"},
		put("root in another case", "/admin/loggers/ROOT", `{"level":"INFO"}`),
		step{name: "root is as before", req: "GET /admin/loggers/root"},
		put("an odd name", "/admin/loggers/differential%20odd", `{"level":"INFO"}`),
		step{name: "the odd name", req: "GET /admin/loggers/differential%20odd"},
		step{name: "list at the end", req: "GET /admin/loggers"},
	)
	compare(t, steps)
}

func TestInternalRequests(t *testing.T) {
	const signed = "X-Connect-Authorization: %s\nX-Connect-Request-Signature-Algorithm: %s"
	header := func(mac, algorithm string) string { return fmt.Sprintf(signed, mac, algorithm) }
	const tasks, fence = "POST /connectors/c/tasks", "PUT /connectors/c/fence"
	withC(t, []step{
		{name: "tasks without a signature", req: tasks, body: `[]`},
		{name: "tasks with half a signature", req: tasks, body: `[]`, header: "X-Connect-Authorization: YQ=="},
		{name: "tasks with an algorithm only", req: tasks, body: `[]`, header: "X-Connect-Request-Signature-Algorithm: HmacSHA256"},
		{name: "tasks with a wrong signature", req: tasks, body: `[]`, header: header("YQ==", "HmacSHA256")},
		{name: "tasks with no base64", req: tasks, body: `[]`, header: header("!!", "HmacSHA256")},
		{name: "tasks with another algorithm", req: tasks, body: `[]`, header: header("YQ==", "HmacSHA1")},
		{name: "tasks with an unknown algorithm", req: tasks, body: `[]`, header: header("YQ==", "nonsense")},
		{name: "tasks of an unknown connector", req: "POST /connectors/zz/tasks", body: `[]`, header: header("YQ==", "HmacSHA256")},
		{name: "tasks that are an object", req: tasks, body: `{}`, header: header("YQ==", "HmacSHA256"), differs: "Texts of JSON errors"},
		{name: "tasks with numbers", req: tasks, body: `[{"a":-1,"b":true,"c":null},null]`},
		{name: "tasks that are no JSON", req: tasks, body: `[`, header: header("YQ==", "HmacSHA256"), differs: "Texts of JSON errors"},
		{name: "tasks without a body", req: tasks, header: header("YQ==", "HmacSHA256"), differs: "Texts of JSON errors"},
		{name: "tasks with forward", req: tasks + "?forward=false", body: `[]`},
		{name: "tasks as text", req: tasks, body: `[]`, header: header("YQ==", "HmacSHA256") + "\nContent-Type: text/plain"},
		{name: "tasks as a form", req: tasks, body: `[]`, header: "Content-Type: application/x-www-form-urlencoded"},
		{name: "tasks as nonsense", req: tasks, body: `[]`, header: "Content-Type: nonsense", differs: "Pages of Jetty"},
		{name: "tasks as nothing", req: tasks, body: `[]`, header: "Content-Type: ", differs: "Pages of Jetty"},
		{name: "tasks that are null", req: tasks, body: `null`},
		{name: "tasks that are null, signed", req: tasks, body: `null`, header: header("YQ==", "HmacSHA256")},
		{name: "tasks for HTML", req: tasks, body: `[]`, header: "Accept: text/html"},
		{name: "fence as text", req: fence, body: `x`, header: header("YQ==", "HmacSHA256") + "\nContent-Type: text/plain"},
		{name: "fence as nonsense", req: fence, body: `x`, header: "Content-Type: nonsense"},
		{name: "fence for HTML", req: fence, header: "Accept: text/html"},
		{name: "fence without a signature", req: fence},
		{name: "fence with a wrong signature", req: fence, header: header("YQ==", "HmacSHA256")},
		{name: "fence with no base64", req: fence, header: header("!!", "HmacSHA256")},
		{name: "fence with an unknown algorithm", req: fence, header: header("YQ==", "nonsense")},
		{name: "fence of an unknown connector", req: "PUT /connectors/zz/fence", header: header("YQ==", "HmacSHA256")},
		{name: "fence with a body", req: fence, body: `{"a":1}`, header: header("YQ==", "HmacSHA256")},
		{name: "fence with an empty signature", req: fence, header: header("", "HmacSHA256")},
		{name: "fence with an empty algorithm", req: fence, header: header("YQ==", "")},
	})
}

func TestJSON(t *testing.T) {
	const put, create, jsonError = "PUT /connectors/j/config", "POST /connectors", "Texts of JSON errors"
	running := state("j", "RUNNING [RUNNING]")
	steps := []step{
		{name: "a duplicate key: the last counts", req: put, body: `{` + quiet + `,"a":"1","a":"2"}`, until: all(shows("/connectors/j/config", `"2"`), running)},
		{name: "a duplicate key with an object", req: put, body: `{` + quiet + `,"a":{},"a":"2"}`, differs: jsonError},
		{name: "a duplicate key with null", req: put, body: `{` + quiet + `,"a":null,"a":"3"}`, until: all(shows("/connectors/j/config", `"3"`), running)},
		{name: "a mark of byte order", req: put, body: "\ufeff{" + quiet + "}", until: running},
		{name: "half a surrogate pair as value", req: put, body: `{` + quiet + `,"h":"x\ud83dy","l":"\ude42"}`, until: all(shows("/connectors/j", `"h"`), running), differs: "Half of a character"},
		{name: "it is stored", req: "GET /connectors/j/config", differs: "Half of a character"},
		{name: "half a surrogate pair as name", req: put, body: `{` + quiet + `,"x\ud83dy":"1"}`, differs: jsonError},
		{name: "half a surrogate pair before a pair", req: put, body: `{` + quiet + `,"\ud83d\ud83d\ude42":"1"}`, differs: jsonError},
		{name: "the second half as name", req: put, body: `{` + quiet + `,"\ude42":"1"}`, differs: jsonError},
		{name: "a surrogate pair as name", req: put, body: `{` + quiet + `,"\ud83d\ude42":"1"}`, until: all(shows("/connectors/j", `\uD83D\uDE42`), running)},
		{name: "blanks", req: put, body: " \r\n\t{ " + quiet + " }\n ", until: running},
		{name: "escapes", req: put, body: `{` + quiet + `,"\u0061":"\/\b\f\n\r\t\"\\"}`, until: all(shows("/connectors/j/config", `\f`), running)},
		{name: "their config", req: "GET /connectors/j/config"},
		{name: "numbers", req: put, body: `{` + quiet + `,"a":0.10,"b":1E+2,"c":-1.0e-1,"d":1e400,"e":-0.0}`, until: all(shows("/connectors/j/config", `1e400`), running)},
		{name: "their config", req: "GET /connectors/j/config"},
		{name: "trailing text", req: put, body: `{` + quiet + `} x`, differs: jsonError},
		{name: "trailing object", req: put, body: `{` + quiet + `}{}`, differs: jsonError},
		{name: "trailing bracket", req: put, body: `{` + quiet + `}}`, differs: jsonError},
		{name: "trailing comma", req: put, body: `{` + quiet + `,}`, differs: jsonError},
	}
	for _, body := range []string{`[]`, `"x"`, `5`, `true`, `{`, `{"a"`, `{"a":`, `{"a":"b"`, `{"a":"b}`, `{a:"b"}`, `{'a':'b'}`, `{"a":'b'}`, `{"a":"b" "c":"d"}`, `// x
{}`, `/* x */{}`, `# x
{}`, `{"a":01}`, `{"a":.5}`, `{"a":5.}`, `{"a":+5}`, `{"a":0x1}`, `{"a":NaN}`, `{"a":Infinity}`, `{"a":nul}`, `{"a":True}`, `{"a":"\x"}`, `{"a":"\u12"}`, "{\"a\":\"b\nc\"}", "{\"a\":\"b\x01c\"}", "{\"a\":\"\xff\"}", "\x00",
		`{"a":{"b":{}}}`, `{"a":[[]]}`, `{"a":undefined}`, `x`, `<a/>`, `name=x`, `{null:"a"}`, `{5:"a"}`, strings.Repeat(`[`, 2000), strings.Repeat(`{"a":`, 2000)} {
		steps = append(steps, step{name: fmt.Sprintf("%.20q", body), req: put, body: body, differs: jsonError})
	}
	for _, body := range []string{`{}`, `{"name":"x"}`, `{"name":"x","config":null}`, `null`, ` `} {
		steps = append(steps, step{name: fmt.Sprintf("create %.40q", body), req: create, body: body, differs: "Missing body or field"})
	}
	for _, body := range []string{`{"name":"x","config":[]}`, `{"name":"x","config":"y"}`, `{"name":"x","config":5}`, `{"name":"x","config":{"a":{}}}`, `[]`, `"x"`, `5`, `{`,
		`{"name":"x","config":{` + quiet + `},"unknown":1}`, `{"name":"x","config":{` + quiet + `},"tasks":[]}`, `{"name":"x","config":{` + quiet + `},"type":"source"}`, `{"Name":"x","config":{` + quiet + `}}`, `{"name":"x","Config":{` + quiet + `}}`, `{"name":"x","config":{` + quiet + `},"initialState":"STOPPED"}`,
		`[{"name":"x","config":{` + quiet + `}}]`, `{"name":"x","config":{` + quiet + `}} y`, `{"name":"x","config":{` + quiet + `},}`} {
		steps = append(steps, step{name: fmt.Sprintf("create %.40q", body), req: create, body: body, differs: jsonError})
	}
	steps = append(steps,
		step{name: "put null", req: put, body: `null`, differs: "Missing body or field"},
		step{name: "put a blank", req: put, body: ` `, differs: "Missing body or field"},
		step{name: "create without a body", req: create, differs: "Missing body or field"},
		step{name: "create without a body or type", req: create, header: "Content-Type: application/json", differs: "Missing body or field"},
		step{name: "put without a body", req: put, differs: "Missing body or field"},
		step{name: "put with an empty body of JSON", req: put, header: "Content-Type: application/json", differs: "Missing body or field"},
		step{name: "UTF-16", req: put, body: "\xff\xfe{\x00}\x00"},
		step{name: "a mark of UTF-16 only", req: put, body: "\xff\xfe", differs: jsonError},
		step{name: "UTF-16 without a mark", req: put, body: "\x00{\x00}"},
		step{name: "create with an empty config", req: create, body: `{"name":"x","config":{}}`},
		step{name: "create with a duplicate field", req: create, body: `{"name":"w","name":"j","config":{},"config":{` + quiet + `}}`},
		step{name: "nothing was created", req: "GET /connectors/x"},
		step{name: "j is as it was", req: "GET /connectors/j/config"},
		remove("j"))
	compare(t, steps)
}
