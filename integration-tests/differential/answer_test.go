//go:build integration

package differential

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"
)

// worker is one of the two.
type worker struct {
	name    string
	side    string // what {{side}} is
	addr    string // host:port
	logPath string
}

// request goes over the wire as it is.
type request struct {
	method, target string
	header         [][2]string
	body           []byte
	hasBody        bool // sends Content-Length, also 0
}

// patience is how long an answer may take.
const patience = 60 * time.Second

// answer is what came back, already masked but for JSON.
type answer struct {
	status int
	header http.Header
	body   string
	took   time.Duration
	err    error
}

// send writes the request on a connection of its own, since clients of the standard library
// repair what is odd.
func (w *worker) send(r request) (a answer) {
	begin := time.Now()
	defer func() { a.took = time.Since(begin) }()
	conn, err := net.DialTimeout("tcp", w.addr, 5*time.Second)
	if err != nil {
		return answer{err: err}
	}
	defer conn.Close()
	_ = conn.SetDeadline(begin.Add(patience)) // a socket always has deadlines
	var head bytes.Buffer
	fmt.Fprintf(&head, "%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n", r.method, r.target, w.addr)
	for _, h := range r.header {
		fmt.Fprintf(&head, "%s: %s\r\n", h[0], h[1])
	}
	if r.hasBody {
		fmt.Fprintf(&head, "Content-Length: %d\r\n", len(r.body))
	}
	head.WriteString("\r\n")
	// The answer may come before all of the body was read.
	written := make(chan error, 1)
	go func() {
		_, err := conn.Write(append(head.Bytes(), r.body...))
		written <- err
	}()
	resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: r.method})
	if err != nil {
		conn.Close()
		return answer{err: fmt.Errorf("no answer: %w (writing: %v)", err, <-written)}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	conn.Close()
	<-written
	if err != nil {
		return answer{status: resp.StatusCode, err: fmt.Errorf("the answer breaks off: %w", err)}
	}
	return answer{status: resp.StatusCode, header: resp.Header, body: string(body)}
}

// expand replaces {{side}} and {{dir}}, and masked does the contrary.
func (w *worker) expand(text string) string {
	return strings.NewReplacer("{{side}}", w.side, "{{dir}}", sharedDir).Replace(text)
}

func (w *worker) masked(text string) string {
	return strings.NewReplacer(w.addr, "WORKER", w.side, "{{side}}", sharedDir, "{{dir}}").Replace(text)
}

// uncompared are headers of the server and of the connection.
var uncompared = []string{"Date", "Server", "Content-Length", "Transfer-Encoding", "Connection", "Cache-Control"}

// headers returns those that are compared, a line each.
func (w *worker) headers(a answer) string {
	var lines []string
	for name, values := range a.header {
		if slices.Contains(uncompared, name) {
			continue
		}
		for _, v := range values {
			if name == "Allow" || name == "Access-Control-Allow-Methods" {
				v = sortedList(v)
			}
			lines = append(lines, name+": "+w.masked(v))
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// text returns status and masked body, "200 {…}".
func (w *worker) text(r request, a answer) string {
	if a.err != nil {
		return a.err.Error()
	}
	body := w.masked(a.body)
	path, query, _ := strings.Cut(r.target, "?")
	switch n, err := parseNode([]byte(body)); {
	case err != nil && r.method == http.MethodOptions:
		body = sortedList(body)
	case err == nil:
		var compact bytes.Buffer
		if json.Compact(&compact, []byte(body)); compact.String() != body {
			return fmt.Sprintf("%d JSON with blanks: %s", a.status, body)
		}
		body = n.mask(r.method, path, query).String()
	}
	return strings.TrimSpace(fmt.Sprintf("%d %s", a.status, body))
}

func sortedList(text string) string {
	items := strings.Split(text, ",")
	for i := range items {
		items[i] = strings.TrimSpace(items[i])
	}
	slices.Sort(items)
	return strings.Join(items, ",")
}
