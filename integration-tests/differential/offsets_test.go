//go:build integration

package differential

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// writeLines makes the file that sources read.
func writeLines(t *testing.T, name string, n int) {
	t.Helper()
	needWorkers(t)
	if err := os.WriteFile(sharedDir+"/"+name, []byte(strings.Repeat("line\n", n)), 0o644); err != nil {
		t.Fatal(err)
	}
}

// alter is the body of one offset.
func alter(partition, offset string) string {
	return fmt.Sprintf(`{"offsets":[{"partition":%s,"offset":%s}]}`, partition, offset)
}

func TestOffsetsOfASource(t *testing.T) {
	writeLines(t, "in.txt", 10)
	const o, file = "/connectors/so/offsets", `{"filename":"{{dir}}/in.txt"}`
	const source = `{"connector.class":"FileStreamSource","topic":"differential-so-{{side}}","file":"{{dir}}/in.txt"}`
	running, stopped := state("so", "RUNNING [RUNNING]"), state("so", "STOPPED []")
	steps := []step{
		{name: "of an unknown connector", req: "GET " + o},
		{name: "alter those of an unknown connector", req: "PATCH " + o, body: alter(file, `{"position":5}`)},
		{name: "reset those of an unknown connector", req: "DELETE " + o},
		{name: "create", req: "PUT /connectors/so/config", body: source, until: all(running, shows(o, `"position":50`))},
		{name: "get", req: "GET " + o},
		{name: "topics", req: "GET /connectors/so/topics"},
		{name: "alter while it runs", req: "PATCH " + o, body: alter(file, `{"position":5}`)},
		{name: "reset while it runs", req: "DELETE " + o},
		{name: "alter nothing while it runs", req: "PATCH " + o, body: `{"offsets":[]}`},
		{name: "pause", req: "PUT /connectors/so/pause", until: state("so", "PAUSED [PAUSED]")},
		{name: "alter while it is paused", req: "PATCH " + o, body: alter(file, `{"position":5}`)},
		{name: "reset while it is paused", req: "DELETE " + o},
		{name: "stop", req: "PUT /connectors/so/stop", until: stopped},
		{name: "get while it is stopped", req: "GET " + o},
		{name: "alter", req: "PATCH " + o, body: alter(file, `{"position":5}`), until: shows(o, `"position":5}`)},
		{name: "it is altered", req: "GET " + o},
		{name: "another file", req: "PATCH " + o, body: alter(`{"filename":"other"}`, `{"position":7}`), until: shows(o, "other")},
		{name: "two files", req: "PATCH " + o, body: `{"offsets":[{"partition":{"filename":"other"},"offset":null},{"partition":{"filename":"third"},"offset":{"position":0}}]}`, until: shows(o, "third")},
		{name: "the same twice", req: "PATCH " + o, body: `{"offsets":[{"partition":{"filename":"third"},"offset":{"position":1}},{"partition":{"filename":"third"},"offset":{"position":2}}]}`},
		{name: "a number beyond 2^31", req: "PATCH " + o, body: alter(`{"filename":"third"}`, `{"position":4294967296}`)},
		{name: "what is there then", req: "GET " + o},
	}
	for _, body := range []string{`{}`, `{"offsets":[]}`, `{"offsets":null}`, alter(`null`, `{"position":5}`), alter(file, `{"position":-5}`), alter(file, `{"position":"5"}`), alter(file, `{"position":5.5}`), alter(file, `{"position":null}`), alter(file, `{}`), alter(file, `{"x":5}`), alter(`{}`, `{"position":5}`),
		alter(`{"x":"y"}`, `{"position":5}`), alter(`{"filename":5}`, `{"position":5}`), alter(`{"filename":null}`, `{"position":5}`), alter(`{"filename":["a"]}`, `{"position":5}`), alter(file, `{"position":[5]}`), alter(file, `{"position":{"a":5}}`), `{"offsets":[{}]}`, `{"offsets":[{"partition":{"filename":"a"}}]}`, `{"offsets":[{"offset":{"position":5}}]}`,
		alter(`{"filename":"a","x":"y"}`, `{"position":5}`), alter(file, `{"position":5,"x":"y"}`), alter(file, `{"position":99999999999999999999}`), alter(file, `{"position":true}`), alter(`{"filename":"nope"}`, `null`)} {
		steps = append(steps, step{name: "alter " + body, req: "PATCH " + o, body: body})
	}
	for _, body := range []string{`{"offsets":{}}`, `{"offsets":"x"}`, `{"offsets":[5]}`, `{"offsets":[[]]}`, alter(`5`, `null`), alter(`[]`, `null`), alter(file, `5`), alter(file, `[]`), alter(file, `"x"`), `{"offsets":[],"x":1}`, `{"offsets":[{"partition":{},"offset":{},"x":1}]}`, `[]`, `{`} {
		steps = append(steps, step{name: "wrong " + body, req: "PATCH " + o, body: body, differs: "Texts of JSON errors"})
	}
	compare(t, append(steps,
		step{name: "no body", req: "PATCH " + o, differs: "Missing body or field"},
		step{name: "null", req: "PATCH " + o, body: `null`, differs: "Missing body or field"},
		step{name: "null in the list", req: "PATCH " + o, body: `{"offsets":[null]}`, differs: "Missing body or field"},
		step{name: "text", req: "PATCH " + o, body: "x", header: "Content-Type: text/plain"},
		step{name: "what is there at last", req: "GET " + o},
		step{name: "reset", req: "DELETE " + o, until: shows(o, `{"offsets":[]}`)},
		step{name: "nothing is left", req: "GET " + o},
		step{name: "reset again", req: "DELETE " + o},
		step{name: "reset with a body", req: "DELETE " + o, body: `{"x":1}`},
		step{name: "resume reads the file again", req: "PUT /connectors/so/resume", until: all(running, shows(o, `"position":50`))},
		step{name: "from its start", req: "GET " + o},
		remove("so"),
		step{name: "of a deleted one", req: "GET " + o},
		step{name: "create again", req: "POST /connectors", body: `{"name":"so","config":` + source + `,"initial_state":"STOPPED"}`, until: stopped},
		step{name: "the offsets are still there", req: "GET " + o},
		remove("so"),
		step{name: "a source that keeps its offsets elsewhere", req: "POST /connectors", body: `{"name":"so","config":{"connector.class":"MockSource"},"initial_state":"STOPPED"}`, until: stopped},
		step{name: "alter", req: "PATCH " + o, body: alter(`{"any":"thing"}`, `{"a":1.5,"b":"x","c":true,"d":null}`), until: shows(o, "thing")},
		step{name: "get", req: "GET " + o},
		step{name: "a nested partition", req: "PATCH " + o, body: alter(`{"a":{"b":1}}`, `{"a":1}`)},
		step{name: "a nested offset", req: "PATCH " + o, body: alter(`{"a":1}`, `{"a":{"b":1}}`)},
		step{name: "a list as offset", req: "PATCH " + o, body: alter(`{"a":1}`, `{"a":[1]}`)},
		step{name: "an empty partition", req: "PATCH " + o, body: alter(`{}`, `{"a":1}`)},
		step{name: "reset", req: "DELETE " + o, until: shows(o, `{"offsets":[]}`)},
		remove("so")))
}

func TestOffsetsOfASink(t *testing.T) {
	writeLines(t, "sink-in.txt", 20)
	const o, topic = "/connectors/si-{{side}}/offsets", "differential-si-{{side}}"
	const partition = `{"kafka_topic":"` + topic + `","kafka_partition":0}`
	running, stopped := sinkState("RUNNING [RUNNING]"), sinkState("STOPPED []")
	steps := []step{
		{name: "a source for it", req: "PUT /connectors/feed/config", body: `{"connector.class":"FileStreamSource","topic":"` + topic + `","file":"{{dir}}/sink-in.txt"}`, until: shows("/connectors/feed/offsets", `"position":100`)},
		{name: "create", req: "PUT /connectors/si-{{side}}/config", body: `{"connector.class":"FileStreamSink","topics":"` + topic + `","file":"{{dir}}/out-{{side}}"}`, until: all(running, shows(o, `"kafka_offset":20`))},
		{name: "get", req: "GET " + o},
		{name: "topics", req: "GET /connectors/si-{{side}}/topics"},
		{name: "alter while it runs", req: "PATCH " + o, body: alter(partition, `{"kafka_offset":5}`)},
		{name: "reset while it runs", req: "DELETE " + o},
		{name: "stop", req: "PUT /connectors/si-{{side}}/stop", until: stopped},
		{name: "get while it is stopped", req: "GET " + o},
		{name: "alter", req: "PATCH " + o, body: alter(partition, `{"kafka_offset":5}`), until: shows(o, `"kafka_offset":5}`)},
		{name: "it is altered", req: "GET " + o},
		{name: "texts", req: "PATCH " + o, body: alter(`{"kafka_topic":"`+topic+`","kafka_partition":"0"}`, `{"kafka_offset":"6"}`), until: shows(o, `"kafka_offset":6}`)},
		{name: "further keys", req: "PATCH " + o, body: alter(`{"kafka_topic":"`+topic+`","kafka_partition":0,"x":"y"}`, `{"kafka_offset":7,"x":"y"}`), until: shows(o, `"kafka_offset":7}`)},
		{name: "beyond the end", req: "PATCH " + o, body: alter(partition, `{"kafka_offset":700}`), until: shows(o, `"kafka_offset":700}`)},
		{name: "null removes it", req: "PATCH " + o, body: alter(partition, `null`), until: shows(o, `{"offsets":[]}`)},
		{name: "null again", req: "PATCH " + o, body: alter(partition, `null`)},
		{name: "nothing is left", req: "GET " + o},
	}
	for _, body := range []string{`{}`, `{"offsets":[]}`, alter(`null`, `{"kafka_offset":5}`), alter(`{}`, `{"kafka_offset":5}`), alter(`{"kafka_topic":"t"}`, `{"kafka_offset":5}`), alter(`{"kafka_partition":0}`, `{"kafka_offset":5}`), alter(`{"kafka_topic":null,"kafka_partition":0}`, `{"kafka_offset":5}`),
		alter(`{"kafka_topic":"t","kafka_partition":null}`, `{"kafka_offset":5}`), alter(`{"kafka_topic":"t","kafka_partition":"x"}`, `{"kafka_offset":5}`), alter(`{"kafka_topic":"t","kafka_partition":1.5}`, `{"kafka_offset":5}`), alter(`{"kafka_topic":"t","kafka_partition":true}`, `{"kafka_offset":5}`), alter(`{"kafka_topic":"t","kafka_partition":[]}`, `{"kafka_offset":5}`), alter(`{"kafka_topic":"t","kafka_partition":99999999999}`, `{"kafka_offset":5}`),
		alter(partition, `{}`), alter(partition, `{"x":1}`), alter(partition, `{"kafka_offset":null}`), alter(partition, `{"kafka_offset":"x"}`), alter(partition, `{"kafka_offset":1.5}`), alter(partition, `{"kafka_offset":true}`), alter(partition, `{"kafka_offset":[]}`), alter(partition, `{"kafka_offset":""}`), alter(partition, `{"kafka_offset":99999999999999999999}`),
		`{"offsets":[{}]}`, `{"offsets":[{"offset":{"kafka_offset":5}}]}`, `{"offsets":[{"partition":` + partition + `}]}`} {
		steps = append(steps, step{name: "alter " + body, req: "PATCH " + o, body: body})
	}
	for _, body := range []string{alter(`{"kafka_topic":5,"kafka_partition":0}`, `null`), alter(`{"kafka_topic":"no-such-topic","kafka_partition":0}`, `{"kafka_offset":5}`), alter(`{"kafka_topic":"`+topic+`","kafka_partition":9}`, `{"kafka_offset":5}`), alter(partition, `{"kafka_offset":-1}`),
		alter(`{"kafka_topic":"`+topic+`","kafka_partition":-1}`, `{"kafka_offset":5}`), alter(`{"kafka_topic":"bad topic","kafka_partition":0}`, `{"kafka_offset":5}`), alter(`{"kafka_topic":"","kafka_partition":0}`, `{"kafka_offset":5}`)} {
		steps = append(steps, step{name: "refused by Kafka " + body, req: "PATCH " + o, body: body, differs: "Causes in messages"})
	}
	compare(t, append(steps,
		step{name: "what is there then", req: "GET " + o},
		step{name: "reset", req: "DELETE " + o, until: shows(o, `{"offsets":[]}`)},
		step{name: "reset again", req: "DELETE " + o},
		step{name: "topics then", req: "GET /connectors/si-{{side}}/topics"},
		step{name: "resume reads all again", req: "PUT /connectors/si-{{side}}/resume", until: all(running, shows(o, `"kafka_offset":20`))},
		step{name: "from the start", req: "GET " + o},
		step{name: "delete it", req: "DELETE /connectors/si-{{side}}", until: gone("si-{{side}}")},
		step{name: "of a deleted one", req: "GET " + o},
		step{name: "a group of its own", req: "PUT /connectors/si-{{side}}/config", body: `{"connector.class":"VerifiableSink","topics":"` + topic + `","consumer.override.group.id":"own-{{side}}"}`, until: all(running, shows(o, `"kafka_offset":20`))},
		step{name: "its offsets", req: "GET " + o},
		step{name: "stop it", req: "PUT /connectors/si-{{side}}/stop", until: stopped},
		step{name: "a sink that does not implement it", req: "PATCH " + o, body: alter(partition, `{"kafka_offset":1}`)},
		step{name: "reset it", req: "DELETE " + o},
		step{name: "delete it", req: "DELETE /connectors/si-{{side}}", until: gone("si-{{side}}")},
		remove("feed")))
}

// sinkState is state for the sink of the test.
func sinkState(want string) condition {
	return func(w *worker) error { return state(w.expand("si-{{side}}"), want)(w) }
}

func TestTopics(t *testing.T) {
	writeLines(t, "topics.txt", 3)
	writeLines(t, "in.txt", 10)
	const c = "/connectors/t"
	compare(t, []step{
		{name: "of an unknown connector", req: "GET " + c + "/topics"},
		{name: "of an odd name", req: "GET /connectors/%C3%BC%20x/topics"},
		{name: "reset of an unknown connector", req: "PUT " + c + "/topics/reset"},
		{name: "create", req: "PUT " + c + "/config", body: `{"connector.class":"FileStreamSource","topic":"differential-t1","file":"{{dir}}/topics.txt"}`, until: shows(c+"/topics", "differential-t1")},
		{name: "one", req: "GET " + c + "/topics"},
		{name: "another", req: "PUT " + c + "/config", body: `{"connector.class":"FileStreamSource","topic":"differential-t2","file":"{{dir}}/in.txt"}`, until: shows(c+"/topics", "differential-t2")},
		{name: "two", req: "GET " + c + "/topics"},
		{name: "reset", req: "PUT " + c + "/topics/reset", until: shows(c+"/topics", "[]")},
		{name: "none", req: "GET " + c + "/topics"},
		{name: "reset again", req: "PUT " + c + "/topics/reset"},
		{name: "reset with a body", req: "PUT " + c + "/topics/reset", body: `{"a":1}`},
		{name: "pause", req: "PUT " + c + "/pause", until: state("t", "PAUSED [PAUSED]")},
		{name: "of a paused one", req: "GET " + c + "/topics"},
		{name: "stop", req: "PUT " + c + "/stop", until: state("t", "STOPPED []")},
		{name: "of a stopped one", req: "GET " + c + "/topics"},
		remove("t"),
		{name: "of a deleted one", req: "GET " + c + "/topics"},
	})
}
