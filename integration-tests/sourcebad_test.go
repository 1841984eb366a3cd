//go:build integration

package integration

import (
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// deny reserves a resource of Kafka for a user that no test is.
func deny(t *testing.T, kind kmsg.ACLResourceType, name string) {
	t.Helper()
	req := kmsg.NewPtrCreateACLsRequest()
	acl := kmsg.NewCreateACLsRequestCreation()
	acl.ResourceType, acl.ResourceName, acl.ResourcePatternType = kind, name, kmsg.ACLResourcePatternTypeLiteral
	acl.Principal, acl.Host = "User:somebody-else", "*"
	acl.Operation, acl.PermissionType = kmsg.ACLOperationAll, kmsg.ACLPermissionTypeAllow
	req.Creations = append(req.Creations, acl)
	resp, err := req.RequestWith(t.Context(), kafkaClient(t))
	if err != nil {
		t.Fatal(err)
	}
	if r := resp.Results[0]; r.ErrorCode != 0 {
		t.Fatalf("create an ACL: error code %d", r.ErrorCode)
	}
}

// TestBadInputOfSources: whatever is wrong makes one task FAILED with a message that helps;
// a sibling goes on.
func TestBadInputOfSources(t *testing.T) {
	dir := t.TempDir()
	short, long := filepath.Join(dir, "short"), filepath.Join(dir, "long")
	(&lineWriter{t: t, path: short}).append(10)
	huge := &lineWriter{t: t, path: long}
	huge.append(1)
	appendText(t, long, strings.Repeat("x", 2<<20)+"\n")
	huge.append(1)
	deny(t, kmsg.ACLResourceTypeTopic, "forbidden-to-write")
	deny(t, kmsg.ACLResourceTypeTopic, "forbidden-to-create")

	w := newWorker(t, "bad-sources", nil)
	w.start()
	createTopic(t, kafkaClient(t), "sibling", 1)
	w.create("sibling", verifiableSource("sibling"))
	creation := []string{"topic.creation.default.partitions", "1", "topic.creation.default.replication.factor", "1"}
	for name, tc := range map[string]struct {
		config map[string]string
		want   []string
	}{
		"a topic that may not be written": {fileSource(short, "forbidden-to-write", creation...), []string{"forbidden-to-write", "uthoriz"}},
		"a topic that may not be created": {fileSource(short, "forbidden-to-create", creation...), []string{"forbidden-to-create", "uthoriz"}},
		"more replicas than brokers": {fileSource(short, "replicated", "topic.creation.default.partitions", "1", "topic.creation.default.replication.factor", "3"),
			[]string{"replicated", "eplication"}},
		"a record too large": {fileSource(long, "too-large"), []string{"max.request.size", "too-large"}},
		"no number for JSON": {fileSource(short, "no-number", "value.converter", "org.apache.kafka.connect.converters.LongConverter"),
			[]string{"no-number", "value.converter"}},
	} {
		t.Run(name, func(t *testing.T) {
			connector := strings.ReplaceAll(name, " ", "-")
			w.put(connector, tc.config)
			st := w.awaitState(connector, "RUNNING", "FAILED")
			for _, want := range tc.want {
				if !strings.Contains(st.Tasks[0].Trace, want) {
					t.Errorf("%q is not in the trace:\n%s", want, st.Tasks[0].Trace)
				}
			}
			w.awaitRunning("sibling", 10*time.Second)
		})
	}
	// Tolerated, the record that is too large is left out, and the others come.
	w.put("tolerant", fileSource(long, "not-too-large", "errors.tolerance", "all"))
	r := readTopic(t, "not-too-large", kgo.ReadUncommitted())
	r.until(time.Minute, "the two other lines come", func(all []*kgo.Record) bool { return len(all) >= 2 })
	w.awaitRunning("tolerant", 10*time.Second)
}

// TestTransactionsThatAreNotAuthorised names the transactional id and the right that is
// missing.
func TestTransactionsThatAreNotAuthorised(t *testing.T) {
	const group = "not-authorised"
	short := filepath.Join(t.TempDir(), "short")
	(&lineWriter{t: t, path: short}).append(10)
	createTopic(t, kafkaClient(t), group, 1)
	deny(t, kmsg.ACLResourceTypeTransactionalId, group+"-denied-0")
	w := newWorker(t, group, exactlyOnce())
	w.start()
	w.create("allowed", fileSource(short, group))
	w.put("denied", fileSource(short, group))
	st := w.awaitState("denied", "RUNNING", "FAILED")
	for _, want := range []string{group + "-denied-0", "uthoriz"} {
		if !strings.Contains(st.Tasks[0].Trace, want) {
			t.Errorf("%q is not in the trace:\n%s", want, st.Tasks[0].Trace)
		}
	}
	w.awaitRunning("allowed", 10*time.Second)
}

// TestConsumerOffsetsThatNoLongerExist: a sink whose offsets are out of range, and which is
// told not to start anywhere else, fails and says where it stands.
func TestConsumerOffsetsThatNoLongerExist(t *testing.T) {
	const topic = "truncated"
	k := kafkaClient(t)
	createTopic(t, k, topic, 1)
	produce(t, k, topic, 1, 0, 10, func(_ int32, i int) string { return line(i) })
	w := newWorker(t, topic, nil)
	w.start()
	out := filepath.Join(t.TempDir(), "out")
	w.create("truncated-sink", fileSink(topic, out, "consumer.override.auto.offset.reset", "earliest"))
	w.eventually(time.Minute, "the offsets are committed", func() error {
		offsets, err := committed(t.Context(), k, "connect-truncated-sink")
		if err != nil {
			return err
		}
		for tp, offset := range offsets {
			if tp.Topic == topic && offset == 10 {
				return nil
			}
		}
		return fmt.Errorf("they are %v", offsets)
	})
	w.request(http.MethodPut, "/connectors/truncated-sink/stop", nil)
	w.awaitState("truncated-sink", "STOPPED")
	// Retention deletes what the sink has not read yet.
	produce(t, k, topic, 1, 10, 10, func(_ int32, i int) string { return line(i) })
	var end kadm.Offsets
	end.AddOffset(topic, 0, 15, -1)
	if resp, err := kadm.NewClient(k).DeleteRecords(t.Context(), end); err != nil || resp.Error() != nil {
		t.Fatal(err, resp.Error())
	}
	w.put("truncated-sink", fileSink(topic, out, "consumer.override.auto.offset.reset", "none"))
	w.request(http.MethodPut, "/connectors/truncated-sink/resume", nil)
	st := w.awaitState("truncated-sink", "RUNNING", "FAILED")
	for _, want := range []string{topic, "10", "auto.offset.reset"} {
		if !strings.Contains(st.Tasks[0].Trace, want) {
			t.Errorf("%q is not in the trace:\n%s", want, st.Tasks[0].Trace)
		}
	}
}
