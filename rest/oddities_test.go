package rest

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/penstock-io/penstock/rest/api"
	"github.com/penstock-io/penstock/rest/client"
)

// raw sends a request as it is and returns the answer: clients of the standard library
// repair what is odd.
func raw(t *testing.T, base, line, header, body string) (*http.Response, string) {
	t.Helper()
	var d net.Dialer
	conn, err := d.DialContext(t.Context(), "tcp", strings.TrimPrefix(base, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if body != "" {
		header += fmt.Sprintf("Content-Length: %d\r\n", len(body))
		if !strings.Contains(header, "Content-Type:") {
			header += "Content-Type: application/json\r\n"
		}
	}
	if _, err := fmt.Fprintf(conn, "%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%s\r\n%s", line, header, body); err != nil {
		t.Fatal(err)
	}
	method, _, _ := strings.Cut(line, " ")
	resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(text)
}

// TestOddRequests has what once was answered otherwise than by the JVM.
func TestOddRequests(t *testing.T) {
	base := serve(t, &fakeHerder{})
	const info = `{"name":"c","config":{"a":"<b>","name":"c"},"tasks":[{"connector":"c","task":0}],"type":"sink"}`
	for _, tc := range []struct{ name, line, header, body, want string }{
		{"a semicolon belongs to a parameter's value", "GET /connectors?expand=info;x=1", "", "", `200 application/json {"c":{}}`},
		{"expansions have the order of the request", "GET /connectors?expand=x&expand=info&expand=info", "", "", `200 application/json {"c":{"info":` + info + `}}`},
		{"a parameter that cannot be decoded", "GET /connectors?expand=%zz", "", "", `200 application/json {"c":{}}`},
		{"a fragment is dropped", "GET /connectors/c#x/status", "", "", "200 application/json " + info},
		{"a fragment after parameters", "GET /connectors?expand=info#x", "", "", `200 application/json {"c":{"info":` + info + `}}`},
		{"Accept without subtype", "GET /connectors/c", "Accept: application\r\n", "", "200 application/json " + info},
		{"Accept with a list that ends early", "GET /connectors/c", "Accept: text/html,\r\n", "", "400  "},
		{"Accept that is no type", "GET /connectors/c", "Accept: ;\r\n", "", "400  "},
		{"Accept with a quality that is no number", "GET /connectors/c", "Accept: */*;q=x\r\n", "", "400  "},
		{"Content-Type without subtype", "PUT /connectors/c/pause", "Content-Type: json\r\n", "", "400  "},
		{"an empty Content-Type", "PUT /connectors/c/pause", "Content-Type: \r\n", "", "400  "},
		{"two Content-Types", "PATCH /connectors/c/config", "Content-Type: application/json, text/plain\r\n", "{}", "400  "},
		{"Content-Type of any application", "PUT /connectors/c/pause", "Content-Type: application/*\r\n", "", "202  "},
		{"OPTIONS", "OPTIONS /connectors", "", "", "200 text/plain GET,HEAD,OPTIONS,POST"},
		{"OPTIONS for who wants JSON", "OPTIONS /connectors", "Accept: application/json\r\n", "", "200 application/json "},
		{"OPTIONS for who wants HTML", "OPTIONS /connectors", "Accept: text/html;q=0.9, */*;q=0.1\r\n", "", "200 text/html "},
		{"OPTIONS for who wants an application", "OPTIONS /connectors", "Accept: application/*\r\n", "", "200 application/octet-stream "},
		{"OPTIONS for who wants nonsense", "OPTIONS /connectors", "Accept: ;\r\n", "", "400  "},
		{"OPTIONS of the server", "OPTIONS *", "", "", "404  "},
		{"UTF-16 with a mark", "PUT /connectors/c/config", "", "\xff\xfe{\x00}\x00", `200 application/json {"name":"c","config":{"name":"c"},"tasks":[],"type":"sink"}`},
		{"UTF-16 without a mark", "PUT /connectors/c/config", "", "\x00{\x00}", `200 application/json {"name":"c","config":{"name":"c"},"tasks":[],"type":"sink"}`},
		{"characters beyond the basic plane are escaped", "PUT /connectors/c/config", "", `{"\ud83d\ude42":"é\u2028\u001f"}`,
			`200 application/json {"name":"c","config":{"name":"c","\uD83D\uDE42":"é` + "\u2028" + `\u001F"},"tasks":[],"type":"sink"}`},
		{"the last of several values counts", "PUT /connectors/c/config", "", `{"a":"1","b":null,"a":"2","b":"3"}`, `200 application/json {"name":"c","config":{"a":"2","b":"3","name":"c"},"tasks":[],"type":"sink"}`},
		{"but an object among them is wrong", "PUT /connectors/c/config", "", `{"a":{},"a":"2"}`, `500 application/json {"error_code":500,"message":"the value of \"a\" must be a string, not an object or array"}`},
		{"a level with blanks around it", "PUT /admin/loggers/a", "", `{"level":" INFO "}`, `200 application/json ["a"]`},
		{"the root may be asked with any type", "HEAD /", "Content-Type: text/plain\r\n", "", "200 application/json "},
		{"and so may the health", "GET /health", "Content-Type: text/plain\r\n", "", `200 application/json {"status":"healthy","message":"Worker has completed startup and is ready to handle requests."}`},
		{"but a list may not", "GET /connectors", "Content-Type: text/plain\r\n", "", `415  {"error_code":415,"message":"HTTP 415 Unsupported Media Type"}`},
		{"a form from another worker", "POST /connectors/c/tasks", "Content-Type: text/plain\r\n", "[]", "204  "},
		{"null from another worker", "POST /connectors/c/tasks", "", "null", "204  "},
		{"nonsense from another worker", "POST /connectors/c/tasks", "Content-Type: x\r\n", "[]", "400  "},
	} {
		t.Run(tc.name, func(t *testing.T) {
			resp, body := raw(t, base, tc.line, tc.header, tc.body)
			if got := fmt.Sprintf("%d %s %s", resp.StatusCode, resp.Header.Get("Content-Type"), body); got != tc.want {
				t.Errorf("%s\nwant %s", got, tc.want)
			}
		})
	}
}

func TestHalfOfASurrogatePairInANameIsRefused(t *testing.T) {
	base := serve(t, &fakeHerder{})
	for body, want := range map[string]int{
		`{"a\ud83d":"x"}`: 500, `{"\ude42":"x"}`: 500, `{"\ud83d\ud83d\ude42" : "x"}`: 500, `{"\uD83Dx\ude42":"x"}`: 500,
		`{"\ud83d\ude42":"x"}`: 200, `{"\\ud83d":"x"}`: 200, `{"a":"\ud83d"}`: 200, `{"a":"b\"\ud83d","c":"d"}`: 200,
	} {
		if resp, text := request(t, "PUT", base+"/connectors/c/config", body); resp.StatusCode != want {
			t.Errorf("%s: %d %s, want %d", body, resp.StatusCode, text, want)
		}
	}
}

func TestLocationIsEncodedAsAPath(t *testing.T) {
	base := serve(t, &fakeHerder{})
	for name, want := range map[string]string{
		"a/b;c:d@e&f=g+h~i": "a/b;c:d@e&f=g+h~i", "(a)'!*$,": "(a)'!*$,", "a b": "a%20b", "50%": "50%25", "%41": "%41", "%4": "%254", "ü🙂": "%C3%BC%F0%9F%99%82", `?#[]|^`: "%3F%23%5B%5D%7C%5E",
	} {
		body, err := api.Marshal(map[string]any{"name": name, "config": map[string]string{}})
		if err != nil {
			t.Fatal(err)
		}
		resp, _ := request(t, "POST", base+"/connectors", string(body))
		if got := resp.Header.Get("Location"); got != "http://me:8083/connectors/"+want {
			t.Errorf("%q: %s, want …/%s", name, got, want)
		}
	}
}

// offLoggers has a logger that is off.
type offLoggers struct{ fakeLoggers }

func (offLoggers) Levels() map[string]LoggerLevel {
	return map[string]LoggerLevel{"root": {Level: "INFO"}, "quiet": {Level: "OFF"}}
}

func TestALoggerThatIsOffIsShownButNotListed(t *testing.T) {
	s := &Server{loggers: offLoggers{}}
	list, err := s.listLoggers(nil)
	if text, _ := api.Marshal(list.body); err != nil || string(text) != `{"root":{"level":"INFO","last_modified":null}}` {
		t.Errorf("%s %v", text, err)
	}
	base := serveWith(t, &fakeHerder{}, offLoggers{})
	if resp, body := request(t, "GET", base+"/admin/loggers/quiet", ""); resp.StatusCode != 200 || body != `{"level":"OFF","last_modified":null}` {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}

func TestAnEmptySignatureIsWrongAndNotMissing(t *testing.T) {
	h := &signedHerder{}
	base := serve(t, h)
	for _, tc := range []struct {
		header string
		given  bool
	}{
		{"", false}, {client.SignatureHeader + ": YQ==\r\n", false},
		{client.SignatureHeader + ": \r\n" + client.AlgorithmHeader + ": HmacSHA256\r\n", true},
		{client.SignatureHeader + ": YQ==\r\n" + client.AlgorithmHeader + ": \r\n", true},
	} {
		if raw(t, base, "PUT /connectors/c/fence", tc.header, ""); h.got == nil || h.got.Given != tc.given {
			t.Errorf("%q: %+v", tc.header, h.got)
		}
	}
}
