//go:build integration

package differential

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
)

// fuzzNames are connectors that random requests may create; only the first two exist.
var fuzzNames = []string{"fuzz-1", "fuzz-2", "fuzz-3", "fuzz-4"}

// gen makes the parts of a request.
type gen struct{ *rand.Rand }

func pick[T any](g gen, of ...T) T { return of[g.IntN(len(of))] }

// chance is true once in n.
func (g gen) chance(n int) bool { return g.IntN(n) == 0 }

func randomRequest(r *rand.Rand) request {
	g := gen{r}
	method := pick(g, "GET", "GET", "GET", "POST", "POST", "PUT", "PUT", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")
	if g.chance(50) {
		method = pick(g, "TRACE", "FOO", "get", "PROPFIND", "CONNECTX")
	}
	req := request{method: method, target: g.path(method) + g.query(), header: g.headers()}
	req.hasBody = method == http.MethodPost || method == http.MethodPut || method == http.MethodPatch || g.chance(20)
	if req.hasBody {
		req.body = g.body()
		if g.chance(30) {
			req.header = append(req.header, [2]string{"Content-Type", pick(g, "text/plain", "application/json; charset=utf-8", "application/x-www-form-urlencoded", "nonsense", "a/b", "application/*", "multipart/form-data; boundary=x")})
		} else {
			req.header = append(req.header, [2]string{"Content-Type", "application/json"})
		}
	}
	return req
}

// path is one of the interface's most of the time, and then maybe damaged.
func (g gen) path(method string) string {
	c := "/connectors/" + url.PathEscape(g.name())
	path := pick(g, "/", "/health", "/connectors", "/connectors", "/connectors", c, c+"/config", c+"/config", c+"/config", c+"/status", c+"/tasks", c+"/tasks/"+g.task()+"/status", c+"/tasks/"+g.task()+"/restart",
		c+"/restart", c+"/pause", c+"/resume", c+"/stop", c+"/topics", c+"/topics/reset", c+"/offsets", c+"/offsets", c+"/fence", "/connector-plugins", "/connector-plugins/"+g.plugin()+"/config", "/connector-plugins/"+g.plugin()+"/config/validate", "/connector-plugins/"+g.plugin()+"/config/validate",
		"/admin/loggers", "/admin/loggers/differential.fuzz", "/admin/loggers/zzz")
	if method == http.MethodPut && strings.HasPrefix(path, "/admin") {
		return path // a damaged name might be that of all loggers of a worker
	}
	if g.chance(12) {
		path = g.damage(path)
	}
	return path
}

// damage changes some characters; the path stays one line that begins with a slash.
func (g gen) damage(path string) string {
	b := []byte(path)
	for range 1 + g.IntN(3) {
		at := 1 + g.IntN(len(b))
		b = append(b[:at:at], append([]byte(pick(g, "/", "%20", ";", ";a=b", "%C3%A4", "x", ".", "%3B", "%2f", "%25", "//", "+", "'", "(", ":", "@", "=", "~", "!", "$", "*", ",", "&", "%41", "%e2%82%ac", "/../", "/./", "\\", "|", "\"", "<", "^", "`", "{", "}", "%7B", "%00", "%FF", "%zz", "%")), b[at:]...)...)
	}
	if s := string(b); !strings.HasPrefix(s, "/admin") || strings.HasPrefix(s, "/admin/loggers/") {
		return s
	}
	return path
}

func (g gen) name() string {
	if g.chance(3) {
		return pick(g, "nope", "ü", "a b", "名前", "🙂", ".", "..", "-", "x;y", strings.Repeat("n", 1000), "fuzz-1 ", "FUZZ-1", "%", "null", "0", "a?b", "a#b", "{x}", "connectors")
	}
	return pick(g, fuzzNames...)
}

func (g gen) task() string {
	return pick(g, "0", "0", "0", "1", "-1", "99999999999", "x", "00", "1.0", "", "%30")
}

func (g gen) plugin() string {
	return pick(g, "FileStreamSource", "FileStreamSink", "org.apache.kafka.connect.file.FileStreamSinkConnector", "MockSink", "VerifiableSourceConnector", "Nope", "x.y.Z", "org.apache.kafka.connect.json.JsonConverter", "ü")
}

func (g gen) query() string {
	if !g.chance(4) {
		return ""
	}
	var items []string
	for range 1 + g.IntN(3) {
		items = append(items, pick(g, "expand", "includeTasks", "onlyFailed", "forward", "scope", "connectorsOnly", "x", "", "%", "a%20b")+pick(g, "", "=", "=")+
			pick(g, "", "true", "false", "info", "status", "TRUE", "1", "%74rue", "cluster", "worker", "%zz", "a;b", "ü", "latest", "[1,2)", "&&", "a=b=c", strings.Repeat("q", 500)))
	}
	query := "?" + strings.Join(items, "&")
	// The cluster's forwarding is no matter of clients, and ends after two.
	return strings.ReplaceAll(query, " ", "+")
}

func (g gen) headers() (h [][2]string) {
	add := func(name, value string) { h = append(h, [2]string{name, value}) }
	if g.chance(4) {
		add("Accept", pick(g, "*/*", "application/json", "text/html", "application/json;q=0.5, text/html", "", "*", "a/b", "/", ",", "application/json;charset=utf-8", "text/*, application/*;q=0.1", ";;", "application/json;q=9"))
	}
	if g.chance(10) {
		add("Origin", pick(g, "http://ui.example", "null", "", "x", "http://other.example:1"))
	}
	if g.chance(10) {
		add(pick(g, "X-Forwarded-For", "X-Y", "Authorization", "Cookie", "If-None-Match", "If-Modified-Since", "Range", "Accept-Encoding", "Accept-Language", "User-Agent", "X-HTTP-Method-Override", "X-Connect-Authorization", "X-Connect-Request-Signature-Algorithm", "Content-Language", "Forwarded", "Via"),
			pick(g, "", "x", "a=b; c=d", "*", "bytes=0-1", "gzip", "deflate", "DELETE", "Basic eDp5", "HmacSHA256", "de", "%zz", strings.Repeat("h", 2000), "1", `"`))
	}
	return h
}

// body is JSON that fits, that does not, or none at all.
func (g gen) body() []byte {
	var text string
	switch g.IntN(12) {
	case 0:
		text = pick(g, "", " ", "{", "}", "[]", "null", "0", `""`, "x", "\x00", "{}{}", "[{}]", "\xff\xfe", "{\"a\":}", "<a/>", "--x\r\n")
	case 1:
		text = g.value(4)
	case 2:
		text = string(g.bytes(1 + g.IntN(200)))
	case 3, 4:
		text = `{"offsets":[{"partition":` + pick(g, `{"filename":"f"}`, `{"kafka_topic":"t","kafka_partition":0}`, g.value(2)) + `,"offset":` + pick(g, `{"position":5}`, `null`, `{"kafka_offset":1}`, g.value(2)) + `}]}`
	case 5:
		text = `{"level":` + pick(g, `"DEBUG"`, `"info"`, `"x"`, g.value(1)) + `}`
	case 6, 7:
		text = `{"name":` + pick(g, `"`+pick(g, fuzzNames...)+`"`, g.value(1)) + `,"config":` + g.config() + pick(g, ``, ``, `,"initial_state":`+pick(g, `"STOPPED"`, `"paused"`, g.value(1))) + `}`
	default:
		text = g.config()
	}
	if g.chance(6) && text != "" {
		b := []byte(text)
		switch at := g.IntN(len(b)); g.IntN(3) {
		case 0:
			b = b[:at]
		case 1:
			b[at] = byte(g.IntN(256))
		default:
			b = append(b[:at:at], b[min(at+1+g.IntN(3), len(b)):]...)
		}
		text = string(b)
	}
	return []byte(text)
}

func (g gen) bytes(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(g.IntN(256))
	}
	return b
}

// config is one of a connector, mostly of one that can be created; sometimes a large one. No
// key of the connector's own is null: the JVM would store it, see "Null for a connector's own
// key", and its worker would be in another state from then on.
func (g gen) config() string {
	fields := []string{`"connector.class":` + pick(g, `"FileStreamSource"`, `"FileStreamSource"`, `"FileStreamSource"`, `"FileStreamSink"`, `"Nope"`, g.value(1)), `"topic":"differential"`, `"file":"` + sharedDir + `/none"`}
	for range g.IntN(4) {
		fields = append(fields, pick(g, `"tasks.max"`, `"name"`, `"key.converter"`, `"value.converter"`, `"transforms"`, `"errors.tolerance"`, `"header.converter"`, `"config.action.reload"`, `"some.key"`, `"tasks.max.enforce"`, g.text(10))+":"+
			pick(g, `"1"`, `"all"`, `"x"`, `""`, `"org.apache.kafka.connect.storage.StringConverter"`, `"fuzz-1"`, g.value(1)))
	}
	if g.chance(40) {
		fields = append(fields, fmt.Sprintf(`"big":"%s"`, strings.Repeat(pick(g, "x", "ü", "\\n", "🙂"), 1+g.IntN(1<<pick(g, 10, 16, 20)))))
	}
	if g.chance(60) {
		var b strings.Builder
		for i := range 1 + g.IntN(20000) {
			fmt.Fprintf(&b, `"k%d":"v",`, i)
		}
		fields = append(fields, strings.TrimSuffix(b.String(), ","))
	}
	g.Shuffle(len(fields), func(i, j int) { fields[i], fields[j] = fields[j], fields[i] })
	return "{" + strings.Join(fields[g.IntN(2)*g.IntN(2)*g.IntN(2):], ",") + "}"
}

// value is any JSON, at most so deep.
func (g gen) value(depth int) string {
	if depth > 1 && g.chance(2) {
		var items []string
		object := g.chance(2)
		for range g.IntN(4) {
			item := g.value(depth - 1)
			if object {
				item = g.text(8) + ":" + item
			}
			items = append(items, item)
		}
		if object {
			return "{" + strings.Join(items, ",") + "}"
		}
		return "[" + strings.Join(items, ",") + "]"
	}
	if g.chance(200) {
		n := 1 + g.IntN(100000)
		return strings.Repeat("[", n) + strings.Repeat("]", n)
	}
	return pick(g, "0", "-1", "1.5", "1e9", "-0.0", "123456789012345678901234567890", "1e999", "true", "false", "null", "{}", "[]", g.text(20), g.text(20), g.text(3))
}

// text is a JSON string.
func (g gen) text(most int) string {
	var b strings.Builder
	for range g.IntN(most) {
		b.WriteString(pick(g, "a", "B", "0", " ", ".", "_", "-", "ü", "€", "🙂", `\n`, `\"`, `\\`, `\u0000`, `\ud83d`, `\u20ac`, "$", "{", "}", "/", ":", ",", "\u2028", "=", "'"))
	}
	return `"` + b.String() + `"`
}
