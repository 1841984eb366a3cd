package rest

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"testing"

	"github.com/penstock-io/penstock/rest/api"
	"github.com/penstock-io/penstock/rest/client"
)

// signedHerder keeps the signatures that arrive.
type signedHerder struct {
	fakeHerder
	got *api.Signature
}

func (h *signedHerder) PutTaskConfigs(_ context.Context, _ string, _ []map[string]string, sig api.Signature) error {
	h.got = &sig
	return nil
}

func (h *signedHerder) FenceZombies(_ context.Context, _ string, sig api.Signature) error {
	h.got = &sig
	return nil
}

// TestInternalRequestsAreReadAsByTheJVM sends the requests of
// connect/herder/testdata/java/refused.jsonl. What is no list of objects gets the JVM's
// status before anybody looks at the signature; all else reaches the herder with exactly
// the bytes that were signed.
func TestInternalRequestsAreReadAsByTheJVM(t *testing.T) {
	f, err := os.Open("../connect/herder/testdata/java/refused.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	h := &signedHerder{}
	base := serve(t, h)
	unreadable := 0
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		var x struct {
			Case, Method, Path, Body string
			Signature, Algorithm     *string
			Status                   int
		}
		if err := json.Unmarshal(lines.Bytes(), &x); err != nil {
			t.Fatal(err)
		}
		var header []string
		want := api.Signature{}
		if x.Signature != nil {
			header, want.MAC = append(header, client.SignatureHeader, *x.Signature), *x.Signature
		}
		if x.Algorithm != nil {
			header, want.Algorithm = append(header, client.AlgorithmHeader, *x.Algorithm), *x.Algorithm
		}
		h.got = nil
		resp, answer := request(t, x.Method, base+x.Path, x.Body, header...)
		if x.Status == http.StatusInternalServerError {
			unreadable++
			if resp.StatusCode != x.Status || h.got != nil {
				t.Errorf("%s: the JVM answers %d, we %d %s", x.Case, x.Status, resp.StatusCode, answer)
			}
			continue
		}
		if h.got == nil || h.got.MAC != want.MAC || h.got.Algorithm != want.Algorithm || string(h.got.Body) != x.Body {
			t.Errorf("%s: arrived as %+v (%d %s)", x.Case, h.got, resp.StatusCode, answer)
		}
	}
	if err := lines.Err(); err != nil || unreadable < 3 {
		t.Errorf("%d unreadable bodies, %v", unreadable, err)
	}
}
