package kafka

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/IBM/sarama"
	"go.uber.org/zap"
)

// cluster knows the brokers: it starts from bootstrap.servers, learns the others
// from metadata and falls back to the first when it lost all of them
// (metadata.recovery.strategy=rebootstrap). Safe for concurrent use.
type cluster struct {
	settings *clientSettings
	log      *zap.Logger
	calls    *callGroup
	release  func() // gives the login back

	mu    sync.Mutex
	seeds []*node
	nodes map[int32]*node
}

func newCluster(ctx context.Context, s *clientSettings, log *zap.Logger) (*cluster, error) {
	c := &cluster{settings: s, log: log, calls: newCallGroup(), nodes: map[int32]*node{}}
	c.release = s.security.open(s.dialer, log)
	addrs := s.bootstrap
	if s.canonicalBootstrap {
		addrs = canonicalNames(ctx, addrs)
	}
	for _, a := range addrs {
		c.seeds = append(c.seeds, newNode(-1, a, s, c.calls))
	}
	return c, nil
}

// canonicalNames replaces each address by the names its IPs resolve back to
// (client.dns.lookup=resolve_canonical_bootstrap_servers_only); what does not
// resolve stays as it is.
func canonicalNames(ctx context.Context, addrs []string) []string {
	var out []string
	for _, a := range addrs {
		host, port, _ := net.SplitHostPort(a)
		ips, _ := net.DefaultResolver.LookupHost(ctx, host)
		found := false
		for _, ip := range ips {
			names, err := net.DefaultResolver.LookupAddr(ctx, ip)
			if err == nil && len(names) > 0 {
				out, found = append(out, net.JoinHostPort(strings.TrimSuffix(names[0], "."), port)), true
			}
		}
		if !found {
			out = append(out, a)
		}
	}
	return out
}

// close ends all requests and drops all connections.
func (c *cluster) close() {
	c.calls.close()
	defer c.release()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, n := range c.candidatesLocked() {
		n.close()
	}
}

func (c *cluster) candidatesLocked() []*node {
	return append(slices.Collect(maps.Values(c.nodes)), c.seeds...)
}

// candidates returns whom to ask for something that any broker knows: known brokers
// that did not just fail, then the bootstrap addresses.
func (c *cluster) candidates() []*node {
	c.mu.Lock()
	known := slices.Collect(maps.Values(c.nodes))
	seeds := slices.Clone(c.seeds)
	c.mu.Unlock()
	shuffle := func(ns []*node) { rand.Shuffle(len(ns), func(i, j int) { ns[i], ns[j] = ns[j], ns[i] }) }
	shuffle(known)
	shuffle(seeds)
	if len(known) > 0 && !c.settings.rebootstrap {
		seeds = nil
	}
	all := append(known, seeds...)
	now := time.Now()
	waiting := func(n *node) int {
		if n.nextTry().After(now) {
			return 1
		}
		return 0
	}
	slices.SortStableFunc(all, func(a, b *node) int { return waiting(a) - waiting(b) })
	return all
}

// node returns the broker with an id, nil when it is not known.
func (c *cluster) node(id int32) *node {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.nodes[id]
}

// askAny sends a request to one broker after the other until one answers.
func askAny[T any](ctx context.Context, c *cluster, fn func(*sarama.Broker) (T, error)) (T, error) {
	var zero T
	var errs []error
	for _, n := range c.candidates() {
		v, err := ask(ctx, n, fn)
		var answered *BrokerError
		switch {
		case err == nil:
			return v, nil
		case ctx.Err() != nil, errors.Is(err, ErrClosed), errors.Is(err, ErrAuthentication), errors.As(err, &answered):
			return zero, err
		}
		errs = append(errs, err)
	}
	return zero, fmt.Errorf("no broker of %v (bootstrap.servers) answers: %w", c.settings.bootstrap, errors.Join(errs...))
}

// learn takes over the brokers of a metadata answer.
func (c *cluster) learn(brokers map[int32]string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, n := range c.nodes {
		if addr, ok := brokers[id]; !ok || addr != n.addr {
			delete(c.nodes, id)
			n.retire()
		}
	}
	for id, addr := range brokers {
		if c.nodes[id] == nil {
			c.nodes[id] = newNode(id, addr, c.settings, c.calls)
		}
	}
}

// retire drops the connection of a node that is not needed any more, after its last
// request. It does not wait; closing the cluster does.
func (n *node) retire() {
	if !n.group.enter() {
		n.close()
		return
	}
	go func() {
		defer n.group.wg.Done()
		n.close()
	}()
}

// partitionMeta is what metadata tells of a partition.
type partitionMeta struct {
	leader int32 // -1: none now
	epoch  int32
}

// topicMeta is what metadata tells of a topic.
type topicMeta struct {
	err        error // *BrokerError
	internal   bool
	partitions map[int32]partitionMeta
}

// metadata asks for some topics, or for all when none is named. Topics that do not
// exist have an err. It never creates a topic.
func (c *cluster) metadata(ctx context.Context, topics ...string) (map[string]topicMeta, error) {
	return c.metadataOf(ctx, false, topics...)
}

// metadataOf is metadata; with create the broker may create topics, if it is
// configured so (auto.create.topics.enable).
func (c *cluster) metadataOf(ctx context.Context, create bool, topics ...string) (map[string]topicMeta, error) {
	resp, err := askAny(ctx, c, func(b *sarama.Broker) (*sarama.MetadataResponse, error) {
		req := sarama.NewMetadataRequest(c.settings.sarama.Version, topics)
		req.AllowAutoTopicCreation = create
		resp, err := b.GetMetadata(req)
		if err == nil && len(resp.Brokers) == 0 {
			err = errors.New("the broker knows no brokers yet: it is starting")
		}
		return resp, err
	})
	if err != nil {
		return nil, err
	}
	brokers := make(map[int32]string, len(resp.Brokers))
	for _, b := range resp.Brokers {
		brokers[b.ID()] = b.Addr()
	}
	c.learn(brokers)
	out := make(map[string]topicMeta, len(resp.Topics))
	for _, t := range resp.Topics {
		m := topicMeta{
			err:        c.settings.denied(brokerError(t.Err, ""), onTopic(t.Name, c.settings.topicRight)),
			internal:   t.IsInternal,
			partitions: make(map[int32]partitionMeta, len(t.Partitions)),
		}
		for _, p := range t.Partitions {
			leader := p.Leader
			// LISTENER_NOT_FOUND and LEADER_NOT_AVAILABLE: there is none for us;
			// REPLICA_NOT_AVAILABLE concerns followers.
			if p.Err != sarama.ErrNoError && p.Err != sarama.ErrReplicaNotAvailable {
				leader = -1
			}
			m.partitions[p.ID] = partitionMeta{leader: leader, epoch: p.LeaderEpoch}
		}
		out[t.Name] = m
	}
	return out, nil
}

// clusterInfo is the answer to DescribeCluster.
type clusterInfo struct {
	id         string
	controller int32
}

func (c *cluster) describe(ctx context.Context) (clusterInfo, error) {
	resp, err := askAny(ctx, c, func(b *sarama.Broker) (*sarama.DescribeClusterResponse, error) {
		req := sarama.NewDescribeClusterRequest(c.settings.sarama.Version)
		req.IncludeFencedBrokers = false
		resp, err := b.DescribeCluster(req)
		if err == nil && resp.Err != sarama.ErrNoError {
			err = resp.Err
		}
		return resp, err
	})
	if err != nil {
		return clusterInfo{}, err
	}
	brokers := make(map[int32]string, len(resp.Brokers))
	for _, b := range resp.Brokers {
		brokers[b.BrokerID] = net.JoinHostPort(b.Host, strconv.Itoa(int(b.Port)))
	}
	if len(brokers) > 0 {
		c.learn(brokers)
	}
	return clusterInfo{id: resp.ClusterID, controller: resp.ControllerID}, nil
}

// retry repeats an admin call until it succeeds, fails for good, or
// default.api.timeout.ms or ctx is over. what is for the error text.
func (c *cluster) retry(ctx context.Context, what string, fn func(ctx context.Context) error) error {
	limit := c.settings.apiTimeout
	ctx, cancel := context.WithTimeoutCause(ctx, limit, errAPITimeout)
	defer cancel()
	var last error
	for attempt := 0; ; attempt++ {
		err := fn(ctx)
		if err == nil {
			return nil
		}
		if ctx.Err() == nil && final(err) {
			return fmt.Errorf("%s: %w", what, err)
		}
		if ctx.Err() == nil {
			if last == nil || last.Error() != err.Error() { // a failure that repeats itself is logged once
				c.log.Warn("Kafka call failed, trying again", zap.String("call", what), zap.Int("attempt", attempt+1), zap.Error(err))
			}
			last = err
			err = sleep(ctx, backoff(c.settings.retryBackoff, c.settings.retryBackoffMax, attempt))
		}
		if ctx.Err() == nil && err == nil {
			continue
		}
		return timeoutError(ctx, what, limit, last)
	}
}

var errAPITimeout = errors.New("default.api.timeout.ms is over")

// timeoutError says why a call was given up: whose time was over, and the last failure.
func timeoutError(ctx context.Context, what string, limit time.Duration, last error) error {
	cause := context.Cause(ctx)
	var err error
	switch {
	case errors.Is(cause, errAPITimeout):
		err = fmt.Errorf("%s: %w after %s (default.api.timeout.ms)", what, ErrTimeout, limit)
	case errors.Is(cause, context.DeadlineExceeded):
		err = fmt.Errorf("%s: %w: %w", what, ErrTimeout, cause)
	default:
		err = fmt.Errorf("%s: %w", what, cause)
	}
	if last != nil {
		err = fmt.Errorf("%w; the last failure: %w", err, last)
	}
	return err
}
