//go:build integration

package integration

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestLargeBodiesAreTakenAsByTheJVM keeps our limits from refusing what the JVM accepts.
func TestLargeBodiesAreTakenAsByTheJVM(t *testing.T) {
	value := func(text string) string {
		return `{"connector.class":"VerifiableSourceConnector","name":"large","topic":"large","throughput":"1","x":"` + text + `"}`
	}
	many := strings.Builder{}
	for i := range 30_000 {
		fmt.Fprintf(&many, `","key.of.the.connector.%06d":"%s`, i, strings.Repeat("v", 900))
	}
	bodies := []struct {
		name, body string
		status     int
	}{
		{"the longest string", value(strings.Repeat("a", 20_000_000)), 200},
		{"a longer string", value(strings.Repeat("a", 20_000_001)), 500},
		{"the longest string of two-byte letters", value(strings.Repeat("é", 20_000_000)), 200},
		{"28 MB of keys", value(many.String()), 200},
		{"the longest name", value(`","` + strings.Repeat("n", 50_000) + `":"`), 200},
		{"a longer name", value(`","` + strings.Repeat("n", 50_001) + `":"`), 500},
	}
	onEach(t, bothWorkers, func(t *testing.T, m *member) {
		for _, b := range bodies {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPut,
				m.rest.base+"/connector-plugins/VerifiableSourceConnector/config/validate", strings.NewReader(b.body))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", "application/json")
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatalf("%s: %v", b.name, err)
			}
			answer, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if err != nil || resp.StatusCode != b.status {
				t.Errorf("%s: status %d, want %d: %.300s %v", b.name, resp.StatusCode, b.status, answer, err)
			}
		}
	})
}

// TestAClientMayCloseItsSide: shell tools do when they have sent their request.
func TestAClientMayCloseItsSide(t *testing.T) {
	onEach(t, bothWorkers, func(t *testing.T, m *member) {
		conn, err := net.Dial("tcp", m.workerID())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(conn, "GET /health HTTP/1.1\r\nHost: w\r\nConnection: close\r\n\r\n")
		if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Errorf("status %d", resp.StatusCode)
		}
	})
}
