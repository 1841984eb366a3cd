//go:build integration

package integration

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/penstock-io/penstock/integration-tests/stack"
)

// deniedUsers are the users of the tests of missing rights: one for each right of a worker.
func deniedUsers() (names []string) {
	for i := range workerRights("") {
		names = append(names, deniedUser(i))
	}
	return append(names, "limited")
}

func deniedUser(i int) string { return fmt.Sprintf("w%d", i) }

// workerRights are those of a worker, and of its leader, that it cannot do without.
func workerRights(group string) []right {
	all := []right{{"Group", group, "Read"}, {"TransactionalId", "connect-cluster-" + group, "Write"}}
	for _, kind := range []string{"-configs", "-offsets", "-status"} {
		for _, op := range []string{"Create", "Read", "Write"} {
			all = append(all, right{"Topic", group + kind, op})
		}
	}
	return all
}

// scramProps are the properties of a user.
func scramProps(k *stack.SecureKafka, user string, more ...string) map[string]string {
	props := prefixed(map[string]string{
		"security.protocol": "SASL_SSL", "ssl.truststore.type": "PEM", "ssl.truststore.location": k.CA, "sasl.mechanism": "SCRAM-SHA-512",
		"sasl.jaas.config": fmt.Sprintf("org.apache.kafka.common.security.scram.ScramLoginModule required username=%q password=%q;", user, secret),
	})
	props["bootstrap.servers"] = k.SASL
	return with(props, more...)
}

// grantText is what a message has to say.
func (r right) grantText(user string) string {
	what := r.resource
	if r.name != "" {
		what += " " + r.name
	}
	return fmt.Sprintf("Grant %s on %s to User:%s", r.operation, what, user)
}

// TestRightsThatAWorkerLacks: each worker lacks one right, and says which. What it cannot
// begin without is the last it says.
func TestRightsThatAWorkerLacks(t *testing.T) {
	k := secureKafka(t)
	var workers []*workerProcess
	for i := range workerRights("") {
		group := fmt.Sprintf("lacks-%d", i)
		rights := append(slices.Delete(workerRights(group), i, i+1), right{"Topic", "lacks-data", "Write"}, right{"Topic", "lacks-data", "Create"})
		grant(t, "User:"+deniedUser(i), rights...)
		props := scramProps(k, deniedUser(i))
		if i == 1 {
			props["exactly.once.source.support"] = "enabled"
		}
		w := newWorker(t, group, props)
		w.launch()
		workers = append(workers, w)
	}
	for i, w := range workers {
		missing := workerRights(fmt.Sprintf("lacks-%d", i))[i]
		t.Run(strings.ReplaceAll(missing.String(), fmt.Sprintf("lacks-%d", i), "group"), func(t *testing.T) {
			want := missing.grantText(deniedUser(i))
			if missing.resource == "Group" || missing.operation == "Create" {
				if code := w.awaitExit(time.Minute); code == 0 || !strings.Contains(w.logTail(1), want) {
					t.Errorf("exit code %d, and the last line has no %q:\n%s", code, want, w.logTail(1))
				}
			}
			if missing.operation == "Write" && missing.resource == "Topic" && !strings.HasSuffix(missing.name, "-configs") {
				w.put("writer", verifiableSource("lacks-data")) // only then something is written there
			}
			eventually(t, time.Minute, "the worker says "+want, func() error {
				if !strings.Contains(w.log(), want) {
					return fmt.Errorf("it says:\n%s", w.logTail(15))
				}
				return nil
			})
			checkNoSecret(t, w.log())
		})
	}
}

// TestRightsThatAConnectorLacks: a task that lacks a right is FAILED, or a request is
// refused, and the text says which.
func TestRightsThatAConnectorLacks(t *testing.T) {
	k := secureKafka(t)
	const group, user = "limited", "limited"
	admin := secureAdmin(t)
	topic := func(names ...string) {
		for _, name := range names {
			createTopic(t, admin, name, 1)
		}
	}
	topic("l-unread", "l-read", "l-unwritten", "l-letters")
	produce(t, admin, "l-read", 1, 0, 1, func(int32, int) string { return "no number" })
	rights := append(workerRights(group),
		right{"Group", "connect-no-topic", "Read"}, right{"Topic", "l-read", "Read"},
		right{"Group", "connect-no-letters", "Read"}, right{"Topic", "l-letters", "Describe"},
		right{"Group", "connect-no-letters-made", "Read"}, right{"Topic", "l-new-letters", "Write"},
		right{"Topic", "l-unwritten", "Describe"}, right{"TransactionalId", group + "-unwritten-0", "Write"},
		right{"TransactionalId", group + "-uncreated-0", "Write"}, right{"Topic", "l-uncreated", "Write"}, right{"Topic", "l-uncreated-auto", "Write"},
		right{"TransactionalId", group + "-uncreated-auto-0", "Write"},
		right{"Group", "connect-no-reset", "Read"}, right{"Group", "connect-no-alter", "Read"})
	grant(t, "User:"+user, rights...)
	w := newWorker(t, group, scramProps(k, user, "exactly.once.source.support", "enabled"))
	w.start()
	dir := t.TempDir()
	in := filepath.Join(dir, "in")
	(&lineWriter{t: t, path: in}).append(3)
	sink := func(topic string, more ...string) map[string]string {
		return fileSink(topic, filepath.Join(dir, "out"), more...)
	}
	number := []string{"errors.tolerance", "all", "errors.deadletterqueue.topic.replication.factor", "1", "value.converter", "org.apache.kafka.connect.converters.LongConverter",
		"errors.deadletterqueue.topic.name"}
	creation := []string{"topic.creation.default.partitions", "1", "topic.creation.default.replication.factor", "1"}
	tests := []struct {
		name   string
		config map[string]string
		want   right
		first  string // the JVM's sentence
	}{
		{"no-topic", sink("l-unread"), right{"Topic", "l-unread", "Read"}, "Not authorized to access topics: [l-unread]"},
		{"no-group", sink("l-read"), right{"Group", "connect-no-group", "Read"}, "Not authorized to access group: connect-no-group"},
		{"no-letters-made", sink("l-read", append(number, "l-new-letters")...), right{"Topic", "l-new-letters", "Create"}, "Could not initialize dead letter queue with topic=l-new-letters"},
		{"unwritten", fileSource(in, "l-unwritten"), right{"Topic", "l-unwritten", "Write"}, "Not authorized to access topics: [l-unwritten]"},
		{"uncreated", fileSource(in, "l-uncreated", creation...), right{"Topic", "l-uncreated", "Create"}, "Task failed to create new topic (name=l-uncreated"},
		{"uncreated-auto", fileSource(in, "l-uncreated-auto"), right{"Topic", "l-uncreated-auto", "Create"}, "Not authorized to access topics: [l-uncreated-auto]"},
		{"no-transaction", fileSource(in, "l-uncreated"), right{"TransactionalId", group + "-no-transaction-0", "Write"}, "Transactional Id authorization failed"},
	}
	for _, test := range tests {
		w.put(test.name, test.config)
	}
	// As in the JVM a letter that cannot be written does not fail the task.
	w.put("no-letters", sink("l-read", append(number, "l-letters")...))
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			st := w.awaitState(test.name, "RUNNING", "FAILED")
			for _, want := range []string{test.want.grantText(user), test.first} {
				if !strings.Contains(st.Tasks[0].Trace, want) {
					t.Errorf("%q is not in the trace:\n%s", want, st.Tasks[0].Trace)
				}
			}
			checkNoSecret(t, st.Tasks[0].Trace)
		})
	}
	t.Run("no-letters", func(t *testing.T) {
		want := right{"Topic", "l-letters", "Write"}.grantText(user)
		w.eventually(time.Minute, "the log says "+want, func() error {
			for line := range strings.Lines(w.log()) {
				if strings.Contains(line, "Could not produce message to dead letter queue. topic=l-letters") && strings.Contains(line, want) {
					return nil
				}
			}
			return errors.New("it does not")
		})
	})
	for _, test := range []struct {
		name, method, body string
		want               right
		first              string
	}{
		{"no-reset", http.MethodDelete, "", right{"Group", "connect-no-reset", "Delete"}, "Failed to reset consumer group offsets for sink connector no-reset"},
		{"no-alter", http.MethodPatch, `{"offsets":[{"partition":{"kafka_topic":"l-unread","kafka_partition":0},"offset":{"kafka_offset":0}}]}`,
			right{"Topic", "l-unread", "Read"}, "Failed to alter consumer group offsets for connector no-alter"},
		{"no-describe", http.MethodGet, "", right{"Group", "connect-no-describe", "Describe"}, "Failed to retrieve consumer group offsets for sink connector no-describe"},
	} {
		t.Run(test.method+" offsets", func(t *testing.T) {
			w.put(test.name, sink("l-unread", "initial_state", "STOPPED"))
			w.request(http.MethodPut, "/connectors/"+test.name+"/stop", nil)
			w.awaitState(test.name, "STOPPED")
			text := w.refused(test.method, "/connectors/"+test.name+"/offsets", test.body)
			for _, want := range []string{test.want.grantText(user), test.first} {
				if !strings.Contains(text, want) {
					t.Errorf("%q is not in the answer: %s", want, text)
				}
			}
		})
	}
	checkNoSecret(t, w.log())
}

// refused sends a request until it is answered with 500, and returns the message.
func (w *workerProcess) refused(method, path, body string) (message string) {
	w.t.Helper()
	w.eventually(30*time.Second, method+" "+path+" is refused", func() error {
		req, err := http.NewRequestWithContext(w.t.Context(), method, w.base+path, strings.NewReader(body))
		if err != nil {
			return err
		}
		req.Header.Set("Content-Type", "application/json")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if err == nil && resp.StatusCode != http.StatusInternalServerError {
			err = fmt.Errorf("status %d: %s", resp.StatusCode, b)
		}
		message = string(b)
		return err
	})
	return message
}
