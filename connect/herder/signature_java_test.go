package herder

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/penstock-io/penstock/rest/api"
	"github.com/penstock-io/penstock/storage"
)

// javaExchange is a request between JVM workers and its answer: see
// testdata/java/README.md.
type javaExchange struct {
	Case                 string
	Follower             bool // the worker that was asked does not lead
	Method, Path         string
	Signature, Algorithm *string
	Body                 string
	Status               int
	Answer               string
}

func (x *javaExchange) signature() api.Signature {
	s := api.Signature{Body: []byte(x.Body)}
	if x.Signature != nil {
		s.MAC = *x.Signature
	}
	if x.Algorithm != nil {
		s.Algorithm = *x.Algorithm
	}
	return s
}

// message returns the message of an error answer.
func (x *javaExchange) message(t *testing.T) string {
	t.Helper()
	var e struct{ Message string }
	if err := json.Unmarshal([]byte(x.Answer), &e); err != nil {
		t.Fatalf("%s: %s: %v", x.Case, x.Answer, err)
	}
	return e.Message
}

func javaLines(t *testing.T, name string) (lines [][]byte) {
	t.Helper()
	f, err := os.Open("testdata/java/" + name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	in := bufio.NewScanner(f)
	for in.Buffer(nil, 1<<20); in.Scan(); {
		lines = append(lines, []byte(in.Text()))
	}
	if err := in.Err(); err != nil || len(lines) == 0 {
		t.Fatal("no lines", err)
	}
	return lines
}

// javaKey is the session key of the group whose requests were recorded.
func javaKey(t *testing.T) storage.SessionKey {
	t.Helper()
	var k struct {
		Key, Algorithm string
		Created        int64 `json:"creation-timestamp"`
	}
	if err := json.Unmarshal(javaLines(t, "signed.jsonl")[0], &k); err != nil {
		t.Fatal(err)
	}
	key, err := base64.StdEncoding.DecodeString(k.Key)
	if err != nil {
		t.Fatal(err)
	}
	return storage.SessionKey{Key: key, Algorithm: k.Algorithm, Created: time.UnixMilli(k.Created)}
}

func readExchanges(t *testing.T, lines [][]byte) (all []javaExchange) {
	t.Helper()
	for _, line := range lines {
		var x javaExchange
		if err := json.Unmarshal(line, &x); err != nil {
			t.Fatal(err)
		}
		all = append(all, x)
	}
	return all
}

// TestSignaturesAreThoseOfTheJVM: what JVM workers signed gets the same signature from
// us, and we accept it.
func TestSignaturesAreThoseOfTheJVM(t *testing.T) {
	key := javaKey(t)
	seen := map[string]int{}
	for _, x := range readExchanges(t, javaLines(t, "signed.jsonl")[1:]) {
		if x.Signature == nil || x.Algorithm == nil {
			t.Errorf("%s %s is not signed", x.Method, x.Path)
			continue
		}
		seen[x.Method]++
		if got := Sign(*x.Algorithm, key.Key, []byte(x.Body)); got != *x.Signature {
			t.Errorf("%s %s: the JVM's signature is %s, ours %s", x.Method, x.Path, *x.Signature, got)
		}
		if x.Status >= 300 && x.Status != http.StatusConflict {
			t.Errorf("the JVM's leader answered %d %s", x.Status, x.Answer)
		}
	}
	if seen[http.MethodPost] == 0 || seen[http.MethodPut] == 0 {
		t.Errorf("task configs and fencing should be there: %v", seen)
	}
}

// TestRefusalsAreThoseOfTheJVM: requests that are signed badly get the answer of the JVM,
// from the leader and from another worker.
func TestRefusalsAreThoseOfTheJVM(t *testing.T) {
	all := readExchanges(t, javaLines(t, "refused.jsonl"))
	key := javaKey(t)
	bubble(t, false, func(t *testing.T, r *rig) {
		if err := r.configs.PutSessionKey(t.Context(), key); err != nil {
			t.Fatal(err)
		}
		generation := int32(0)
		for _, follower := range []bool{false, true} {
			generation++
			a := r.leads(generation, nil)
			if follower {
				a = r.follower(generation, nil)
			}
			r.member.assigned(a)
			synctest.Wait()
			for _, x := range all {
				// What is no list of objects is refused by the REST layer.
				if x.Follower != follower || x.Status == http.StatusInternalServerError {
					continue
				}
				r.checkRefusal(t, &x)
			}
		}
		r.take()
	})
}

func (r *rig) checkRefusal(t *testing.T, x *javaExchange) {
	t.Helper()
	var err error
	if strings.HasSuffix(x.Path, "/fence") {
		err = r.h.FenceZombies(t.Context(), "none", x.signature())
	} else {
		err = r.h.PutTaskConfigs(t.Context(), "none", []map[string]string{{"a": "b"}}, x.signature())
	}
	var e *api.Error
	if !errors.As(err, &e) {
		t.Errorf("%s: the JVM answers %d %s, we %v", x.Case, x.Status, x.Answer, err)
		return
	}
	if x.Signature != nil && *x.Signature == "" || x.Algorithm != nil && *x.Algorithm == "" {
		// A known difference: to us, an empty header is a missing one.
		wantError(t, err, http.StatusBadRequest, "Internal request missing required signature")
		return
	}
	if want := x.message(t); e.Status != x.Status || e.Message != want {
		t.Errorf("%s: the JVM answers\n%d %s, we\n%d %s", x.Case, x.Status, want, e.Status, e.Message)
	}
}

// TestBase64AsJava compares with Go's decoder where that one accepts.
func TestBase64AsJava(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		raw := rapid.SliceOf(rapid.Byte()).Draw(t, "bytes")
		for _, enc := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding} {
			got, err := decodeBase64(enc.EncodeToString(raw))
			if err != nil || !bytes.Equal(got, raw) {
				t.Fatalf("want %x, got %x, %v", raw, got, err)
			}
		}
		text := rapid.StringMatching(`[AB+/=\-\x80-\xff]{0,9}`).Draw(t, "text")
		got, err := decodeBase64(text)
		want, goErr := base64.RawStdEncoding.DecodeString(strings.TrimRight(text, "="))
		if err == nil && (goErr != nil || !bytes.Equal(got, want)) {
			t.Fatalf("%q became %x; Go: %x, %v", text, got, want, goErr)
		}
	})
}
