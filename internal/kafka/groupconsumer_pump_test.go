package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/internal/kafkatest"
)

// pump is an application with a GroupConsumer: it polls without end, and writes down
// what it reads and what its listener is told.
type pump struct {
	*GroupConsumer
	stop  func() // ends polling, and closes
	tasks chan func(context.Context)

	mu       sync.Mutex
	events   []string
	values   map[connect.TopicPartition][]string
	pollErrs []error
	closeErr error

	// onEvent, if any, is called in the listener.
	onEvent func(ctx context.Context, kind string, tps []connect.TopicPartition) error
	ghost   bool // do not close
}

func (p *pump) event(ctx context.Context, kind string, tps []connect.TopicPartition) error {
	p.mu.Lock()
	p.events = append(p.events, fmt.Sprint(kind, tps))
	fn := p.onEvent
	p.mu.Unlock()
	if fn != nil {
		return fn(ctx, kind, tps)
	}
	return nil
}

func (p *pump) Assigned(ctx context.Context, tps []connect.TopicPartition) error {
	return p.event(ctx, "assigned", tps)
}

func (p *pump) Revoked(ctx context.Context, tps []connect.TopicPartition) error {
	return p.event(ctx, "revoked", tps)
}

func (p *pump) Lost(ctx context.Context, tps []connect.TopicPartition) error {
	return p.event(ctx, "lost", tps)
}

// groupProps are for a group "g" with short times.
func groupProps(c *kafkatest.Cluster, pairs ...string) map[string]string {
	props := c.Props("group.id", "g", "session.timeout.ms", "30000", "heartbeat.interval.ms", "20", "client.id", "")
	for i := 0; i < len(pairs); i += 2 {
		props[pairs[i]] = pairs[i+1]
	}
	return props
}

var topicT = Subscription{Topics: []string{"t"}}

func tp(topic string, partition int32) connect.TopicPartition {
	return connect.TopicPartition{Topic: topic, Partition: partition}
}

func startPump(t testing.TB, props map[string]string, sub Subscription, tune func(*pump)) *pump {
	t.Helper()
	p := &pump{tasks: make(chan func(context.Context)), values: map[connect.TopicPartition][]string{}}
	g, err := NewGroupConsumer(t.Context(), props, sub, p, testLog(t))
	if err != nil {
		t.Fatal(err)
	}
	p.GroupConsumer = g
	if tune != nil {
		tune(p)
	}
	p.stop = background(t, p.loop)
	return p
}

func (p *pump) loop(ctx context.Context) {
	defer func() {
		if p.ghost {
			p.inner.cluster.close()
		}
		bounded, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		p.closeErr = p.Close(bounded)
	}()
	for {
		select {
		case task := <-p.tasks:
			task(ctx)
		default:
		}
		batches, err := p.Poll(ctx, 10*time.Millisecond)
		if ctx.Err() != nil {
			return
		}
		p.mu.Lock()
		for _, b := range batches {
			for _, r := range b.Records {
				p.values[b.TopicPartition] = append(p.values[b.TopicPartition], string(r.Value))
			}
		}
		if err != nil && len(p.pollErrs) < 10 {
			p.pollErrs = append(p.pollErrs, err)
		}
		p.mu.Unlock()
	}
}

// do runs fn between two polls.
func (p *pump) do(t testing.TB, fn func(ctx context.Context)) {
	t.Helper()
	done := make(chan struct{})
	select {
	case p.tasks <- func(ctx context.Context) { defer close(done); fn(ctx) }:
	case <-time.After(patience):
		t.Fatal("the pump does not poll")
	}
	<-done
}

func (p *pump) eventList() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.events)
}

func (p *pump) lastEvent() string {
	if events := p.eventList(); len(events) > 0 {
		return events[len(events)-1]
	}
	return ""
}

// awaitFirstEvents is for groups with a short session, which may end once more on a
// machine under load.
func (p *pump) awaitFirstEvents(t testing.TB, want ...string) {
	t.Helper()
	eventually(t, fmt.Sprintf("events %q", want), func() bool { return len(p.eventList()) >= len(want) })
	if got := p.eventList(); !slices.Equal(got[:len(want)], want) {
		t.Errorf("events %q, want %q", got, want)
	}
}

func (p *pump) awaitEvents(t testing.TB, want ...string) {
	t.Helper()
	deadline := time.Now().Add(patience)
	eventually(t, fmt.Sprintf("events %q", want), func() bool {
		got := p.eventList()
		if time.Now().Add(time.Second).After(deadline) {
			t.Fatalf("events\n%s\nwant\n%s\nerrors %v", strings.Join(got, "\n"), strings.Join(want, "\n"), p.errors())
		}
		return slices.Equal(got, want)
	})
}

func (p *pump) errors() []error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.pollErrs)
}

func (p *pump) awaitError(t testing.TB, target error) {
	t.Helper()
	eventually(t, fmt.Sprintf("Poll to return %v", target), func() bool {
		return slices.ContainsFunc(p.errors(), func(err error) bool { return errors.Is(err, target) })
	})
}

func (p *pump) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for _, v := range p.values {
		n += len(v)
	}
	return n
}

func (p *pump) awaitRecords(t testing.TB, n int) {
	t.Helper()
	eventually(t, fmt.Sprintf("%d records", n), func() bool { return p.count() >= n })
}

func (p *pump) read(of connect.TopicPartition) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.values[of])
}

// commitPositions commits, in Revoked, where reading stands.
func commitPositions(p *pump) {
	p.onEvent = func(ctx context.Context, kind string, tps []connect.TopicPartition) error {
		if kind != "revoked" {
			return nil
		}
		offsets := map[connect.TopicPartition]int64{}
		for _, tp := range tps {
			pos, err := p.Position(ctx, tp)
			if err != nil {
				return err
			}
			offsets[tp] = pos
		}
		return p.CommitSync(ctx, offsets)
	}
}

func committedIn(c *kafkatest.Cluster, topic string) map[int32]int64 {
	out := map[int32]int64{}
	if info := c.GroupInfo("g"); info != nil {
		for p, commit := range info.Commits[topic] {
			out[p] = commit.Offset
		}
	}
	return out
}

func values(prefix string, n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprint(prefix, i)
	}
	return out
}

// produceTo writes n records prefix0 … to each partition of t.
func produceTo(c *kafkatest.Cluster, partitions int32, prefix string, n int) {
	for p := range partitions {
		c.Produce("none", kafkatest.Values("t", p, fmt.Sprint(prefix, p, "-"), n)...)
	}
}

// observe collects the requests of a kind.
func observe[R kmsg.Request](c *kafkatest.Cluster) func() []R {
	var mu sync.Mutex
	var got []R
	var zero R
	c.ControlKey(zero.Key(), func(r kmsg.Request) (kmsg.Response, error, bool) {
		mu.Lock()
		defer mu.Unlock()
		got = append(got, r.(R))
		return nil, nil, false
	})
	return func() []R {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(got)
	}
}
