package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/internal/kafkatest"
)

// grants are rights as lines "Read Topic t", in the words of errors.
func grants(lines ...string) []kfake.ACL {
	resources := map[string]kmsg.ACLResourceType{"Topic": kmsg.ACLResourceTypeTopic, "Group": kmsg.ACLResourceTypeGroup,
		"TransactionalId": kmsg.ACLResourceTypeTransactionalId, "Cluster": kmsg.ACLResourceTypeCluster}
	rights := map[string]kmsg.ACLOperation{"Read": kmsg.ACLOperationRead, "Write": kmsg.ACLOperationWrite, "Create": kmsg.ACLOperationCreate,
		"Delete": kmsg.ACLOperationDelete, "Describe": kmsg.ACLOperationDescribe, "IdempotentWrite": kmsg.ACLOperationIdempotentWrite}
	acls := make([]kfake.ACL, len(lines))
	for i, line := range lines {
		f := strings.Fields(line)
		name := "kafka-cluster"
		if len(f) > 2 {
			name = f[2]
		}
		acls[i] = kfake.ACL{Resource: resources[f[1]], Name: name, Pattern: kmsg.ACLResourcePatternTypeLiteral, Operation: rights[f[0]], Allow: true}
	}
	return acls
}

// TestMissingRights: each call names the right that is missing and the principal, and passes
// with it.
func TestMissingRights(t *testing.T) {
	offsets := map[connect.TopicPartition]int64{tp("t", 0): 1}
	client := func(call func(ctx context.Context, c *Client) error) func(t *testing.T, c *kafkatest.Cluster, login []string) error {
		return func(t *testing.T, c *kafkatest.Cluster, login []string) error {
			return call(t.Context(), newTestClient(t, c, login...))
		}
	}
	produce := func(pairs ...string) func(t *testing.T, c *kafkatest.Cluster, login []string) error {
		return func(t *testing.T, c *kafkatest.Cluster, login []string) error {
			return newTestProducer(t, c, append(slices.Clone(login), pairs...)...).Send(t.Context(), record("t", 0, "v"))
		}
	}
	transact := func(t *testing.T, c *kafkatest.Cluster, login []string) error {
		p := newTestProducer(t, c, append(slices.Clone(login), "transactional.id", "x")...)
		if err := p.InitTransactions(t.Context()); err != nil {
			return err
		}
		if err := p.BeginTransaction(); err != nil {
			return err
		}
		if err := p.Send(t.Context(), record("t", 0, "v")); err != nil {
			return err
		}
		return p.CommitTransaction(t.Context())
	}
	for _, test := range []struct {
		name string
		call func(t *testing.T, c *kafkatest.Cluster, login []string) error
		have []string // before
		need []string // one after the other
		text string   // the first sentence of the last
	}{
		{"partitions", client(func(ctx context.Context, c *Client) error { _, err := c.Partitions(ctx, "t"); return err }), nil,
			[]string{"Describe Topic t"}, "Not authorized to access topics: [t]"},
		{"end offsets", client(func(ctx context.Context, c *Client) error {
			_, err := c.EndOffsets(ctx, []connect.TopicPartition{tp("t", 0)})
			return err
		}), nil, []string{"Describe Topic t"}, "Not authorized to access topics: [t]"},
		{"create a topic", client(func(ctx context.Context, c *Client) error {
			_, err := c.CreateTopic(ctx, TopicSpec{Name: "new", Partitions: 1, ReplicationFactor: 1})
			return err
		}), nil, []string{"Create Topic new"}, "Not authorized to access topics: [new]"},
		{"offsets of a group", client(func(ctx context.Context, c *Client) error { _, err := c.GroupOffsets(ctx, "g"); return err }), nil,
			[]string{"Describe Group g"}, "Not authorized to access group: g"},
		{"alter offsets", client(func(ctx context.Context, c *Client) error { return c.AlterGroupOffsets(ctx, "g", offsets) }),
			[]string{"Describe Group g"}, []string{"Read Group g", "Read Topic t"}, "Not authorized to access topics: [t]"},
		{"delete offsets", client(func(ctx context.Context, c *Client) error {
			return c.DeleteGroupOffsets(ctx, "old", []connect.TopicPartition{tp("t", 0)})
		}), []string{"Describe Group old"}, []string{"Delete Group old"}, "Not authorized to access group: old"},
		{"delete a group", client(func(ctx context.Context, c *Client) error { return c.DeleteGroup(ctx, "old") }),
			[]string{"Describe Group old"}, []string{"Delete Group old"}, "Not authorized to access group: old"},
		{"fence", client(func(ctx context.Context, c *Client) error { return c.FenceProducers(ctx, []string{"x"}) }),
			nil, []string{"Write TransactionalId x"}, "Transactional Id authorization failed"},
		{"read", readOne, nil, []string{"Read Topic t"}, "Not authorized to access topics: [t]"},
		{"read with Describe alone", readOne, []string{"Describe Topic t"}, []string{"Read Topic t"}, "Not authorized to access topics: [t]"},
		{"write", produce("enable.idempotence", "false"), nil, []string{"Write Topic t"}, "Not authorized to access topics: [t]"},
		{"write, idempotent", produce(), []string{"Describe Topic t"}, []string{"IdempotentWrite Cluster", "Write Topic t"}, "Not authorized to access topics: [t]"},
		{"write in a transaction", transact, []string{"Describe Topic t"}, []string{"Write TransactionalId x", "Write Topic t"}, "Not authorized to access topics: [t]"},
		{"subscribe", subscribeOnce, []string{"Read Group g"}, []string{"Read Topic t"}, "Not authorized to access topics: [t]"},
		{"join a group", joinOnce, nil, []string{"Read Group g"}, "Not authorized to access group: g"},
		{"join a group with Describe alone", joinOnce, []string{"Describe Group g"}, []string{"Read Group g"}, "Not authorized to access group: g"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			for i := range len(test.need) + 1 {
				have := append(slices.Clone(test.have), test.need[:i]...)
				c := kafkatest.New(t, kfake.NumBrokers(1), kfake.EnableSASL(), kfake.EnableACLs(), kfake.Superuser("PLAIN", "root", "p"), kfake.User("PLAIN", "u", "p", grants(have...)...))
				c.Topic("t", 1)
				root := loginProps("PLAIN", "p")
				root[len(root)-1] = strings.Replace(root[len(root)-1], `"u"`, `"root"`, 1)
				prepareRights(t, c, root)
				err := test.call(t, c, loginProps("PLAIN", "p"))
				if i == len(test.need) {
					if err != nil {
						t.Errorf("with %q: %v", have, err)
					}
					continue
				}
				checkRefusal(t, err, test.need[i])
				if i == len(test.need)-1 && !strings.Contains(err.Error(), test.text+". Grant ") {
					t.Errorf("it does not begin as the JVM's: %v", err)
				}
			}
		})
	}
}

// prepareRights writes a record, and commits an offset of the group old.
func prepareRights(t *testing.T, c *kafkatest.Cluster, root []string) {
	t.Helper()
	if err := newTestProducer(t, c, root...).Send(t.Context(), record("t", 0, "v")); err != nil {
		t.Fatal(err)
	}
	if err := newTestClient(t, c, root...).AlterGroupOffsets(t.Context(), "old", from(1, tp("t", 0))); err != nil {
		t.Fatal(err)
	}
}

// checkRefusal wants an error that asks for a right, given as "Read Topic t".
func checkRefusal(t *testing.T, err error, right string) {
	t.Helper()
	operation, resource, _ := strings.Cut(right, " ")
	var refusal *AuthorizationError
	if err == nil {
		t.Fatalf("without %s nothing is refused", right)
	}
	if !errors.Is(err, ErrAuthorization) || !errors.As(err, &refusal) || Retriable(err) ||
		!strings.Contains(err.Error(), fmt.Sprintf("Grant %s on %s to User:u", operation, resource)) {
		t.Errorf("without %s: %v", right, err)
	}
}

func readOne(t *testing.T, c *kafkatest.Cluster, login []string) error {
	consumer := newTestConsumer(t, c, login...)
	consumer.Add(from(0, tp("t", 0)))
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		batches, err := consumer.Poll(ctx, time.Second)
		if err != nil || len(batches) > 0 {
			return err
		}
	}
}

func subscribeOnce(t *testing.T, c *kafkatest.Cluster, login []string) error {
	p := startPump(t, groupProps(c, login...), topicT, nil)
	var err error
	eventually(t, "a record or an error", func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		err = errors.Join(p.pollErrs...)
		return err != nil || len(p.values) > 0
	})
	return err
}

func joinOnce(t *testing.T, c *kafkatest.Cluster, login []string) error {
	cfg := memberConfig()
	cfg.GroupID = "g"
	m := startMember(t, c, cfg, nil, login...)
	joined := make(chan struct{})
	stop := background(t, func(ctx context.Context) {
		for ctx.Err() == nil {
			if m.Generation().MemberID != "" {
				close(joined)
				return
			}
			_ = sleep(ctx, millisecond)
		}
	})
	defer stop()
	select {
	case err := <-m.done:
		return err
	case <-joined:
		m.stop()
		return <-m.done
	}
}
