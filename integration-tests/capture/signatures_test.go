//go:build capture

package capture

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"hash"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// exactlyOnce: fencing, and signed requests between workers; then requests signed badly.
func exactlyOnce(c *cluster) {
	c.start("w1")
	c.quiet(calm)
	c.round(func() { c.start("w2") })
	c.quiet(calm)
	for _, name := range []string{"a", "b", "ünï"} {
		c.source(name, 3)
		c.quiet(calm)
	}
	c.sink("s", 2)
	c.quiet(calm)
	c.source("a", 2)
	c.source("b", 1)
	c.quiet(3 * time.Second)
	c.round(func() { c.start("w3") })
	c.quiet(3 * time.Second)
	records := c.readTopics()
	c.mu.Lock()
	sent := slices.Clone(c.internal)
	c.mu.Unlock()
	if len(sent) == 0 {
		c.t.Fatal("no worker sent a request to another")
	}
	dir := filepath.Join(root, "connect/herder/testdata/java")
	writeLines(c.t, filepath.Join(dir, "signed.jsonl"), append([]any{sessionKey(records)}, anys(sent)...))
	writeLines(c.t, filepath.Join(dir, "refused.jsonl"), anys(c.badlySigned(key(c, records))))
}

func anys[T any](list []T) []any {
	out := make([]any, 0, len(list))
	for _, v := range list {
		out = append(out, v)
	}
	return out
}

// sessionKey returns the value of the newest session key record.
func sessionKey(records []topicRecord) json.RawMessage {
	var last json.RawMessage
	for _, r := range records {
		if r.Topic == "config" && r.Key == "session-key" {
			last = json.RawMessage(*r.Value)
		}
	}
	return last
}

func key(c *cluster, records []topicRecord) []byte {
	var k struct{ Key []byte }
	if err := json.Unmarshal(sessionKey(records), &k); err != nil {
		c.t.Fatal(err)
	}
	return k.Key
}

// refused is a request and the answer to it.
type refused struct {
	Case     string `json:"case"`
	Follower bool   `json:"follower"` // it went to a worker that does not lead
	exchange
}

// badlySigned asks the leader, which answers what is signed well with 404, and then for
// some requests a worker that does not lead.
func (c *cluster) badlySigned(key []byte) []refused {
	const list = `[{"a":"b"}]`
	text := func(s string) *string { return &s }
	sign := func(h func() hash.Hash, body string) *string {
		mac := hmac.New(h, key)
		io.WriteString(mac, body)
		return text(base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	}
	good := sign(sha256.New, list)
	tasks := func(name string, signature, algorithm *string, body string) refused {
		return refused{Case: name, exchange: exchange{Method: http.MethodPost, Path: "/connectors/none/tasks", Signature: signature, Algorithm: algorithm, Body: body}}
	}
	const sha = "HmacSHA256"
	cases := []refused{
		tasks("no headers", nil, nil, list),
		tasks("no signature", nil, text(sha), list),
		tasks("no algorithm", good, nil, list),
		tasks("an empty signature", text(""), text(sha), list),
		tasks("an empty algorithm", good, text(""), list),
		tasks("an unknown algorithm", good, text("HmacFoo"), list),
		tasks("an unknown algorithm and no signature", nil, text("HmacFoo"), list),
		tasks("an unknown algorithm and bad base64", text("!"), text("HmacFoo"), list),
		tasks("bad base64: a character", text("AB!D"), text(sha), list),
		tasks("bad base64: a blank", text("AB D"), text(sha), list),
		tasks("bad base64: the URL alphabet", text("AB-_"), text(sha), list),
		tasks("bad base64: one character more", text("ABCDE"), text(sha), list),
		tasks("bad base64: padding in the middle", text("AB==CD=="), text(sha), list),
		tasks("bad base64: wrong padding", text("ABC=="), text(sha), list),
		tasks("bad base64: one pad of two", text("AB="), text(sha), list),
		tasks("bad base64: only padding", text("===="), text(sha), list),
		tasks("bad base64 of an algorithm that is not allowed", text("!"), text("HmacSHA512"), list),
		tasks("base64 without padding", text(strings.TrimRight(*good, "=")), text(sha), list),
		tasks("base64 with a rest in its last bits", text("AB"), text(sha), list),
		tasks("not allowed, well signed", sign(sha512.New, list), text("HmacSHA512"), list),
		tasks("not allowed: HmacSHA1", good, text("HmacSHA1"), list),
		tasks("not allowed: HmacMD5", good, text("HmacMD5"), list),
		tasks("not allowed: HmacSHA224", good, text("HmacSHA224"), list),
		tasks("not allowed: HmacSHA384", good, text("HmacSHA384"), list),
		tasks("not allowed: HmacSHA512/256", good, text("HmacSHA512/256"), list),
		tasks("not allowed: HmacSHA3-256", good, text("HmacSHA3-256"), list),
		tasks("not allowed: lower case", good, text("hmacsha256"), list),
		tasks("not allowed: an alias", good, text("HMAC-SHA256"), list),
		tasks("a wrong MAC", sign(sha256.New, "other"), text(sha), list),
		tasks("a MAC of other length", text("AAAA"), text(sha), list),
		tasks("the MAC of the body with a blank more", good, text(sha), list+" "),
		tasks("a body that is no JSON, unsigned", nil, nil, "nonsense"),
		tasks("a body that is no JSON, well signed", sign(sha256.New, "nonsense"), text(sha), "nonsense"),
		tasks("a body that is no list, unsigned", nil, nil, `{"a":"b"}`),
		tasks("an empty body, unsigned", nil, nil, ""),
		{Case: "fence: no headers", exchange: exchange{Method: http.MethodPut, Path: "/connectors/none/fence"}},
		{Case: "fence: a wrong MAC", exchange: exchange{Method: http.MethodPut, Path: "/connectors/none/fence", Signature: good, Algorithm: text(sha)}},
		{Case: "fence: an unknown algorithm", exchange: exchange{Method: http.MethodPut, Path: "/connectors/none/fence", Signature: good, Algorithm: text("HmacFoo")}},
	}
	for _, follower := range cases[:6] {
		follower.Follower = true
		cases = append(cases, follower)
	}
	wrong := tasks("a wrong MAC", sign(sha256.New, "other"), text(sha), list)
	wrong.Follower = true
	cases = append(cases, tasks("well signed", good, text(sha), list), wrong)
	for i := range cases {
		to := c.workers["w1"].url
		if cases[i].Follower {
			to = c.workers["w2"].url
		}
		c.ask(&cases[i].exchange, to)
	}
	return cases
}

// ask sends the request and stores the answer.
func (c *cluster) ask(x *exchange, base string) {
	req, err := http.NewRequest(x.Method, base+x.Path, strings.NewReader(x.Body))
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if x.Signature != nil {
		req.Header.Set(signatureHeader, *x.Signature)
	}
	if x.Algorithm != nil {
		req.Header.Set(algorithmHeader, *x.Algorithm)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	x.Status, x.Answer = resp.StatusCode, string(answer)
}
