package rest

import (
	"fmt"
	"net"
	"net/http"
	"time"

	"go.uber.org/zap"
)

// CORS lets pages of other origins read answers (Jetty's CrossOriginHandler).
type CORS struct {
	// Allowed tells whether an origin may; it is safe for concurrent use.
	Allowed func(origin string) bool
	// Methods are announced, e.g. "GET,PUT", and not enforced.
	Methods string
}

// filter adds the headers; requests pass in any case, also pre-flight ones.
func (c *CORS) filter(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Add("Vary", "Origin")
		if origin := r.Header.Get("Origin"); origin != "" && c.Allowed(origin) {
			h.Set("Access-Control-Allow-Origin", origin)
			if r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != "" {
				h.Set("Access-Control-Allow-Methods", c.Methods)
				h.Set("Access-Control-Allow-Headers", "Content-Type")
				h.Set("Access-Control-Max-Age", "60")
			}
		}
		next.ServeHTTP(w, r)
	})
}

// Header is one that every answer gets (Jetty's HeaderFilter).
type Header struct {
	Name  string
	Value string // not used for a date
	Add   bool   // beside others of the name, not in their place
	// Date makes the value the time of the answer, moved by Offset.
	Date   bool
	Offset time.Duration
}

func addHeaders(headers []Header, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, h := range headers {
			value := h.Value
			if h.Date {
				value = time.Now().Add(h.Offset).UTC().Format(http.TimeFormat)
			}
			if h.Add {
				w.Header().Add(h.Name, value)
			} else {
				w.Header().Set(h.Name, value)
			}
		}
		next.ServeHTTP(w, r)
	})
}

// logged writes a line for each request, as the JVM does: the extended format of NCSA, with
// the time it took in milliseconds.
func logged(log *zap.Logger, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		counted := &countingWriter{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(counted, r)
		entry := log.Check(zap.InfoLevel, "")
		if entry == nil {
			return // the level is higher, at present
		}
		host, _, err := net.SplitHostPort(r.RemoteAddr)
		if err != nil {
			host = r.RemoteAddr
		}
		entry.Message = fmt.Sprintf("%s - - [%s] %q %d %d %q %q %d", host, start.Format("02/Jan/2006:15:04:05 -0700"),
			r.Method+" "+r.RequestURI+" "+r.Proto, counted.status, counted.written, orDash(r.Referer()), orDash(r.UserAgent()), time.Since(start).Milliseconds())
		entry.Write()
	})
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// countingWriter remembers the status and the bytes of an answer.
type countingWriter struct {
	http.ResponseWriter
	status  int
	written int64
}

// WriteHeader implements http.ResponseWriter.
func (w *countingWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (w *countingWriter) Write(b []byte) (int, error) {
	n, err := w.ResponseWriter.Write(b)
	w.written += int64(n)
	return n, err
}

// Unwrap serves http.ResponseController.
func (w *countingWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
