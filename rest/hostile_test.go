package rest

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/penstock-io/penstock/rest/api"
)

// pipes is a listener whose connections are net.Pipes: synctest's clock rules their
// deadlines, so that the limits are tested as they are.
type pipes struct {
	t      *testing.T
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (l *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipes) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }

// dial opens a connection and gives it ten minutes.
func (l *pipes) dial() net.Conn {
	client, server := net.Pipe()
	l.t.Cleanup(func() { client.Close() })
	_ = client.SetDeadline(time.Now().Add(10 * time.Minute))
	l.conns <- server
	return client
}

// hostile runs a test in a bubble, against a server with all its limits.
func hostile(t *testing.T, h Herder, test func(t *testing.T, l *pipes)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		l := &pipes{t: t, conns: make(chan net.Conn), closed: make(chan struct{})}
		s := newServer(Options{Log: zap.NewNop(), Loggers: fakeLoggers{}})
		s.Mount(h, "http://w:8083/")
		s.start(l, nil, http.HandlerFunc(s.serve))
		t.Cleanup(func() {
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			_ = s.Shutdown(ctx)
			synctest.Wait()
		})
		test(t, l)
	})
}

// get asks on a connection and returns the status, or fails.
func get(t *testing.T, c net.Conn, path string) int {
	t.Helper()
	send(t, c, "GET "+path+" HTTP/1.1\r\nHost: w\r\n\r\n")
	return status(t, bufio.NewReader(c))
}

func send(t *testing.T, c net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
}

func status(t *testing.T, r *bufio.Reader) int {
	t.Helper()
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode
}

// dribble sends a byte each second until it cannot, and returns how long that took.
func dribble(c net.Conn, text string) time.Duration {
	began, tick := time.Now(), time.NewTicker(time.Second)
	defer tick.Stop()
	for i := 0; ; i = (i + 1) % len(text) {
		if _, err := c.Write([]byte{text[i]}); err != nil {
			return time.Since(began)
		}
		<-tick.C
	}
}

// await waits for the end of a connection, and returns what came and when it ended.
func await(t *testing.T, c net.Conn) (string, time.Duration) {
	t.Helper()
	began := time.Now()
	b, err := io.ReadAll(c)
	if err != nil {
		t.Fatalf("the connection is not cut off: %v", err)
	}
	return string(b), time.Since(began)
}

func within(t *testing.T, what string, got, want time.Duration) {
	t.Helper()
	if got < want-2*time.Second || got > want+2*time.Second {
		t.Errorf("%s was cut off after %v, want %v", what, got, want)
	}
}

func TestWhoDribblesIsCutOff(t *testing.T) {
	hostile(t, &fakeHerder{}, func(t *testing.T, l *pipes) {
		var tricks sync.WaitGroup
		defer tricks.Wait()
		// The header never ends.
		c := l.dial()
		tricks.Go(func() { _, _ = io.Copy(io.Discard, c) })
		tricks.Go(func() {
			within(t, "a dribbled header", dribble(c, "GET / HTTP/1.1\r\nX: "+strings.Repeat("x", 900)), headerTimeout)
		})
		// Nothing is sent at all, also after an answer.
		silent := l.dial()
		tricks.Go(func() {
			_, took := await(t, silent)
			within(t, "a silent connection", took, headerTimeout)
		})
		idle := l.dial()
		_ = get(t, idle, "/")
		tricks.Go(func() {
			_, took := await(t, idle)
			within(t, "an idle connection", took, requestTimeout)
		})
		// The body never ends; meanwhile others are served.
		body := l.dial()
		send(t, body, "PUT /connectors/c/config HTTP/1.1\r\nHost: w\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{")
		tricks.Go(func() {
			answer, took := await(t, body)
			within(t, "a dribbled body", took, requestTimeout)
			if !strings.HasPrefix(answer, "HTTP/1.1 408 ") {
				t.Errorf("answer %q", answer)
			}
		})
		tricks.Go(func() { dribble(body, " ") })
		// The answer is not taken.
		deaf := l.dial()
		send(t, deaf, "GET /connectors/c HTTP/1.1\r\nHost: w\r\n\r\n")
		tricks.Go(func() {
			time.Sleep(writeTimeout + time.Second) // of the bubble's clock
			if answer, _ := await(t, deaf); strings.Contains(answer, `"config"`) {
				t.Errorf("an answer was kept for %v", writeTimeout)
			}
		})
		for range 10 {
			time.Sleep(5 * time.Second)
			if got := get(t, l.dial(), "/connectors/c"); got != 200 {
				t.Errorf("another client gets status %d", got)
			}
		}
	})
}

func TestWhatIsTooLargeIsRefused(t *testing.T) {
	const put = "PUT /connectors/c/config HTTP/1.1\r\nHost: w\r\nContent-Type: application/json\r\n"
	hostile(t, &fakeHerder{}, func(t *testing.T, l *pipes) {
		for _, tt := range []struct {
			name, head, more string // more is repeated
			want             int
		}{
			{"a header line", "GET / HTTP/1.1\r\nX: ", "xxxxxxxxxxxxxxxx", 431},
			{"many header lines", "GET / HTTP/1.1\r\n", "X: x\r\n", 431},
			{"a path", "GET /", "connectors", 431},
			{"a declared body", fmt.Sprintf(put+"Content-Length: %d\r\n\r\n", int64(maxBody)+1), "", 413},
			{"a body that is awaited", fmt.Sprintf(put+"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n", int64(maxBody)+1), "", 413},
			{"an endless body", put + "Transfer-Encoding: chunked\r\n\r\n", "100000\r\n" + strings.Repeat(" ", 1<<20) + "\r\n", 413},
		} {
			c := l.dial()
			var flood sync.WaitGroup
			flood.Go(func() {
				_, err := io.WriteString(c, tt.head)
				for err == nil && tt.more != "" {
					_, err = io.WriteString(c, tt.more)
				}
			})
			if got := status(t, bufio.NewReader(c)); got != tt.want {
				t.Errorf("%s: status %d, want %d", tt.name, got, tt.want)
			}
			if _, err := io.Copy(io.Discard, c); err != nil {
				t.Errorf("%s: the connection is not closed: %v", tt.name, err)
			}
			flood.Wait()
		}
	})
}

func TestLargeBodiesShareTheirMemory(t *testing.T) {
	s := newServer(Options{Log: zap.NewNop()})
	s.Mount(&fakeHerder{}, "http://w:8083/")
	put := func(size int) int {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "/connectors/c/config", strings.NewReader(`{"k":"`+strings.Repeat("x", size)+`"}`))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		w := &answer{header: http.Header{}}
		s.serve(w, req)
		return w.status
	}
	if got := put(1 << 20); got != 200 {
		t.Errorf("a large body: status %d", got)
	}
	s.bodies.Add(maxBodies - smallBody) // others hold these
	for size, want := range map[int]int{smallBody - 100: 200, smallBody + 100: 200, 3 * smallBody: 503} {
		if got := put(size); got != want {
			t.Errorf("a body of %d bytes while memory is short: status %d, want %d", size, got, want)
		}
	}
	if got := s.bodies.Load(); got != maxBodies-smallBody {
		t.Errorf("%d bytes were not given back", got-maxBodies+smallBody)
	}
}

type answer struct {
	header http.Header
	status int
}

func (a *answer) Header() http.Header         { return a.header }
func (a *answer) WriteHeader(status int)      { a.status = status }
func (a *answer) Write(b []byte) (int, error) { return len(b), nil }

func TestLongTextsAreRefusedAsInTheJVM(t *testing.T) {
	many := func(text string, n int) string { return strings.Repeat(text, n) }
	for _, tt := range []struct {
		name, body string
		fails      bool
	}{
		{"longest string", `{"k":"` + many("a", maxText) + `"}`, false},
		{"longer string", `{"k":"` + many("a", maxText+1) + `"}`, true},
		{"longest string of other letters", `{"k":"` + many("é", maxText) + `"}`, false},
		{"longer string of pairs", `{"k":"` + many("😀", maxText/2+1) + `"}`, true},
		{"longest string of escapes", `{"k":"` + many(`\"`, maxText/2) + many(`\u00e9`, maxText/2) + `"}`, false},
		{"longer string of escapes", `{"k":"` + many(`\"`, maxText/2) + many(`\u00e9`, maxText/2+1) + `"}`, true},
		{"longest name", `{"` + many("a", maxName) + `" : "v"}`, false},
		{"longer name", `{"` + many("a", maxName+1) + `" : "v"}`, true},
		{"many strings", `{"k":"` + many(`a","b`, maxText/4) + `"}`, false},
		{"unfinished", `{"k":"` + many("a", maxText-1) + `\`, false},
		{"unfinished escape", `{"k":"` + many("a", maxText-1) + `\u`, false},
	} {
		if err := checkTexts([]byte(tt.body)); (err != nil) != tt.fails {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

// slowHerder works on GET /connectors/slow until it is told to end.
type slowHerder struct {
	fakeHerder
	working sync.WaitGroup // of requests that have begun
	finish  chan struct{}
}

func (h *slowHerder) ConnectorInfo(ctx context.Context, name string) (api.ConnectorInfo, error) {
	if name != "slow" {
		return h.fakeHerder.ConnectorInfo(ctx, name)
	}
	h.working.Done()
	select {
	case <-h.finish:
		return h.fakeHerder.ConnectorInfo(ctx, "c")
	case <-ctx.Done():
		return api.ConnectorInfo{}, context.Cause(ctx)
	}
}

func TestTooManyConnectionsPushOutTheIdle(t *testing.T) {
	h := &slowHerder{}
	hostile(t, h, func(t *testing.T, l *pipes) {
		h.finish = make(chan struct{}) // the bubble's own
		h.working.Add(1)
		working := l.dial()
		send(t, working, "GET /connectors/slow HTTP/1.1\r\nHost: w\r\n\r\n")
		h.working.Wait()
		var others []net.Conn
		for range maxConnections - 1 {
			time.Sleep(time.Millisecond)
			others = append(others, l.dial())
		}
		// The oldest makes a request: it has not waited longest any more.
		if got := get(t, others[0], "/nothing"); got != 404 {
			t.Errorf("status %d", got)
		}
		synctest.Wait()
		for i := range 100 {
			c := l.dial()
			if got := get(t, c, "/connectors/c"); got != 200 {
				t.Errorf("new connection %d: status %d", i, got)
			}
			if _, err := others[i+1].Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
				t.Errorf("old connection %d: %v", i+1, err)
			}
		}
		if got := get(t, others[0], "/"); got != 200 {
			t.Errorf("status %d", got)
		}
		close(h.finish)
		if got := status(t, bufio.NewReader(working)); got != 200 {
			t.Errorf("the request that was worked on: status %d", got)
		}
	})
}

func TestWhenAllConnectionsWorkANewOneIsClosed(t *testing.T) {
	h := &slowHerder{}
	hostile(t, h, func(t *testing.T, l *pipes) {
		h.finish = make(chan struct{}) // the bubble's own
		h.working.Add(maxConnections)
		var all []net.Conn
		for range maxConnections {
			c := l.dial()
			send(t, c, "GET /connectors/slow HTTP/1.1\r\nHost: w\r\n\r\n")
			all = append(all, c)
		}
		h.working.Wait()
		if _, took := await(t, l.dial()); took > 0 {
			t.Errorf("it was closed after %v", took)
		}
		close(h.finish)
		for _, c := range all {
			if got := status(t, bufio.NewReader(c)); got != 200 {
				t.Fatalf("status %d", got)
			}
		}
		if got := get(t, l.dial(), "/"); got != 200 {
			t.Errorf("status %d afterwards", got)
		}
	})
}

// TestAClientThatHangsUpDoesNotEndItsRequest: changes of several steps must not end halfway.
func TestAClientThatHangsUpDoesNotEndItsRequest(t *testing.T) {
	h := &slowHerder{}
	hostile(t, h, func(t *testing.T, l *pipes) {
		h.finish = make(chan struct{}) // the bubble's own
		ended := make(chan error, 1)
		h.working.Add(1)
		s := newServer(Options{Log: zap.NewNop()})
		s.herder = h
		client, server := net.Pipe()
		go func() {
			defer server.Close()
			req, err := http.ReadRequest(bufio.NewReader(server))
			if err != nil {
				ended <- err
				return
			}
			ctx, hangUp := context.WithCancel(req.Context())
			hangUp() // what net/http does when it notices
			_, err = s.work(func(r *http.Request) (result, error) {
				_, err := h.ConnectorInfo(r.Context(), "slow")
				return result{}, err
			}, req.WithContext(ctx))
			ended <- err
		}()
		send(t, client, "GET /connectors/slow HTTP/1.1\r\nHost: w\r\n\r\n")
		client.Close()
		h.working.Wait()
		synctest.Wait()
		select {
		case err := <-ended:
			t.Fatalf("the request ended: %v", err)
		default:
		}
		close(h.finish)
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func TestShutdownEndsWhatStillWorks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &slowHerder{finish: make(chan struct{})}
		l := &pipes{t: t, conns: make(chan net.Conn), closed: make(chan struct{})}
		s := newServer(Options{Log: zap.NewNop()})
		s.Mount(h, "http://w:8083/")
		s.start(l, nil, http.HandlerFunc(s.serve))
		h.working.Add(1)
		c := l.dial()
		send(t, c, "GET /connectors/slow HTTP/1.1\r\nHost: w\r\n\r\n")
		h.working.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		if err := s.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Shutdown: %v", err)
		}
		synctest.Wait() // no goroutine is left, or the bubble fails
	})
}

// TestAHalfClosedConnectionIsAnswered: shell tools close their side when they have sent the
// request.
func TestAHalfClosedConnectionIsAnswered(t *testing.T) {
	h := &slowHerder{finish: make(chan struct{})}
	h.working.Add(1)
	addr := strings.TrimPrefix(serve(t, h), "http://")
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	send(t, conn, "GET /connectors/slow HTTP/1.1\r\nHost: w\r\nConnection: close\r\n\r\n")
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	h.working.Wait()
	close(h.finish)
	if got := status(t, bufio.NewReader(conn)); got != 200 {
		t.Errorf("status %d", got)
	}
}

func TestPipelinedRequestsAreAnsweredInOrder(t *testing.T) {
	hostile(t, &fakeHerder{}, func(t *testing.T, l *pipes) {
		const n = 300
		c := l.dial()
		var all bytes.Buffer
		for i := range n {
			path := []string{"/", "/connectors/none", "/nothing"}[i%3]
			fmt.Fprintf(&all, "GET %s HTTP/1.1\r\nHost: w\r\n\r\n", path)
		}
		var sending sync.WaitGroup
		sending.Go(func() { send(t, c, all.String()) })
		r := bufio.NewReader(c)
		for i := range n {
			if got, want := status(t, r), []int{200, 404, 404}[i%3]; got != want {
				t.Fatalf("answer %d has status %d, want %d", i, got, want)
			}
		}
		sending.Wait()
	})
}

func TestWhatIsNotHTTPIsRefused(t *testing.T) {
	hostile(t, &fakeHerder{}, func(t *testing.T, l *pipes) {
		for request, want := range map[string]int{
			"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 no TLS here \r\n\r\n": 400,
			"HELO w\r\n\r\n":                                                              400,
			"GET / HTTP/1.1\r\n\r\n":                                                      400, // no Host
			"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n":                                400,
			"GET / HTTP/9.9\r\nHost: w\r\n\r\n":                                           505,
			"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n":                                            404,
			"GET /\x00 HTTP/1.1\r\nHost: w\r\n\r\n":                                       400,
			"GET /%zz HTTP/1.1\r\nHost: w\r\n\r\n":                                        400,
			"G\tT / HTTP/1.1\r\nHost: w\r\n\r\n":                                          400,
			"GET / HTTP/1.1\r\nHost: w\r\nX : y\r\n\r\n":                                  400,
			"GET / HTTP/1.1\r\nHost: w\r\nContent-Length: -1\r\n\r\n":                     400,
			"GET / HTTP/1.1\r\nHost: w\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n": 400,
			"PUT /connectors/c/config HTTP/1.1\r\nHost: w\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n": 400,
			"PUT / HTTP/1.1\r\nHost: w\r\nTransfer-Encoding: gzip\r\n\r\n":                                                               501,
			"PUT / HTTP/1.1\r\nHost: w\r\nExpect: a miracle\r\nContent-Length: 1\r\n\r\n":                                                417,
		} {
			c := l.dial()
			var sending sync.WaitGroup
			sending.Go(func() { _, _ = io.WriteString(c, request) }) // it may be refused halfway
			if got := status(t, bufio.NewReader(c)); got != want {
				t.Errorf("%q: status %d, want %d", request, got, want)
			}
			if _, err := io.Copy(io.Discard, c); err != nil {
				t.Errorf("%q: the connection is not closed: %v", request, err)
			}
			sending.Wait()
		}
		if got := get(t, l.dial(), "/"); got != 200 {
			t.Errorf("status %d afterwards", got)
		}
	})
}
