package kafka

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/IBM/sarama"
	"go.uber.org/zap"
)

// findCoordinator asks any broker who coordinates a group.
func (c *cluster) findCoordinator(ctx context.Context, group string) (id int32, addr string, err error) {
	return c.findCoordinatorOf(ctx, sarama.CoordinatorGroup, group)
}

// findCoordinatorOf asks any broker who coordinates a group or a transactional id.
func (c *cluster) findCoordinatorOf(ctx context.Context, kind sarama.CoordinatorType, key string) (id int32, addr string, err error) {
	resp, err := askAny(ctx, c, func(b *sarama.Broker) (*sarama.FindCoordinatorResponse, error) {
		resp, err := b.FindCoordinator(&sarama.FindCoordinatorRequest{
			Version: 3, CoordinatorKey: key, CoordinatorType: kind,
		})
		if err == nil && resp.Err != sarama.ErrNoError {
			err = resp.Err
		}
		return resp, err
	})
	if err != nil {
		return 0, "", err
	}
	if resp.Coordinator == nil {
		return 0, "", errors.New("the broker named no coordinator")
	}
	return resp.Coordinator.ID(), resp.Coordinator.Addr(), nil
}

// coordinator returns the group's coordinator, looked up if need be: once, whoever
// asks, and after a pause when the last ones found did not answer. The connection to it
// is shared by heartbeats, commits and the farewell.
func (m *Membership) coordinator(ctx context.Context) (*node, error) {
	select {
	case m.looking <- struct{}{}:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	defer func() { <-m.looking }()
	if n := m.knownCoordinator(); n != nil {
		return n, nil
	}
	if err := sleep(ctx, m.untilLookUp()); err != nil {
		return nil, err
	}
	id, addr, err := m.cluster.findCoordinator(ctx, m.cfg.GroupID)
	if err != nil {
		m.lookUpFailed(ctx)
		return nil, fmt.Errorf("find the coordinator of group %s: %w", m.cfg.GroupID, m.denied(err, "Read"))
	}
	return m.coordinatorFound(id, addr), nil
}

// coordinatorFound takes over a coordinator. One that is named again and again goes on with
// the pauses between connections.
func (m *Membership) coordinatorFound(id int32, addr string) *node {
	m.mu.Lock()
	defer m.mu.Unlock()
	last := m.reach.named
	n := newNode(id, addr, m.settings, m.cluster.calls).sharing(last)
	log := m.log.Info
	if m.reach.failures > 1 && last != nil && last.reconnects == n.reconnects {
		log = m.log.Debug // it was said
	}
	log("Discovered group coordinator", zap.Int32("broker", id), zap.String("address", addr))
	m.coord, m.reach.named, m.coordFound = n, n, time.Now()
	m.nextBeat = m.coordFound
	signal(m.wake)
	signal(m.beat)
	return n
}

func (m *Membership) knownCoordinator() *node {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.coord
}

// dropCoordinator forgets the coordinator, if it is still n or n is nil, and returns it.
func (m *Membership) dropCoordinator(n *node) *node {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.coord == nil || n != nil && m.coord != n {
		return nil
	}
	n, m.coord = m.coord, nil
	return n
}

// coordinatorUnknown makes the coordinator be looked up again: at once when it has
// answered before, since it has moved, most likely.
func (m *Membership) coordinatorUnknown(n *node, why error) {
	if n = m.dropCoordinator(n); n == nil {
		return
	}
	n.retire()
	m.mu.Lock()
	defer m.mu.Unlock()
	log, pause := m.log.Info, time.Duration(0)
	if m.reach.failures > 0 {
		log, pause = m.log.Debug, m.lookUpPauseLocked()
	}
	log("Group coordinator is unavailable or invalid, looking it up again", zap.Stringer("coordinator", n), zap.Error(why))
	m.reach.failed(pause)
	signal(m.wake)
	signal(m.beat)
}

// awaitCoordinator returns when the coordinator is known; Run's goroutine.
func (m *Membership) awaitCoordinator(ctx context.Context) error {
	var lastText string
	for m.knownCoordinator() == nil {
		err := m.watched(ctx, func(ctx context.Context) error {
			_, err := m.coordinator(ctx)
			return err
		})
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err == nil, errors.Is(err, errUnjoined): // the handler was told
			continue
		case final(err):
			return m.refusal("join group", err)
		}
		if text := err.Error(); text != lastText {
			lastText = text
			m.log.Warn("the group coordinator is not found, trying again", zap.Error(err))
		}
		if err := m.fatalError(); err != nil {
			return err
		}
	}
	return nil
}

// evictTries is how often the search for ghosts is repeated when the coordinator is
// moving or loading.
const evictTries = 5

// evictGhosts removes the members of the group that have our own client.id. They can
// only be what is left of a process that was killed: its session would keep its
// partitions from being assigned until session.timeout.ms is over.
func (m *Membership) evictGhosts(ctx context.Context) {
	if m.evicted || !m.cfg.EvictOwnClientID || m.settings.clientID == "" {
		return
	}
	m.evicted = true
	for attempt := range evictTries {
		err := m.evictOnce(ctx)
		if err == nil {
			return
		}
		if final(err) || ctx.Err() != nil || attempt == evictTries-1 {
			m.log.Info("members with our own client.id cannot be looked for, joining without; one that was killed leaves when its session times out",
				zap.String("client.id", m.settings.clientID), zap.Error(err))
			return
		}
		if sleep(ctx, backoff(m.cfg.RetryBackoff, m.settings.retryBackoffMax, attempt)) != nil {
			return
		}
	}
}

func (m *Membership) evictOnce(ctx context.Context) error {
	coord, err := m.coordinator(ctx)
	if err != nil {
		return err
	}
	ghosts, err := m.ghosts(ctx, coord)
	if err == nil && len(ghosts) > 0 {
		m.log.Info("removing members with our own client.id from the group", zap.String("client.id", m.settings.clientID), zap.Int("members", len(ghosts)))
		err = m.removeMembers(ctx, coord, ghosts)
	}
	m.noteCoordinatorError(coord, err)
	return err
}

// ghosts returns the dynamic members with our client.id.
func (m *Membership) ghosts(ctx context.Context, coord *node) ([]sarama.MemberIdentity, error) {
	resp, err := ask(ctx, coord, func(b *sarama.Broker) (*sarama.DescribeGroupsResponse, error) {
		return b.DescribeGroups(&sarama.DescribeGroupsRequest{Version: 5, Groups: []string{m.cfg.GroupID}})
	})
	if err != nil {
		return nil, err
	}
	reason := "replaced by a new member with the same client.id"
	var out []sarama.MemberIdentity
	for _, g := range resp.Groups {
		switch {
		case g.Err == sarama.ErrGroupIDNotFound: // DescribeGroups v6: nobody was ever there
			continue
		case g.Err != sarama.ErrNoError:
			return nil, m.denied(brokerError(g.Err, ""), "Describe")
		}
		for _, member := range g.Members {
			if member.ClientId == m.settings.clientID && member.GroupInstanceId == nil {
				out = append(out, sarama.MemberIdentity{MemberId: member.MemberId, Reason: &reason})
			}
		}
	}
	return out, nil
}

// removeMembers makes members leave. Brokers below 2.4 take one at a time.
func (m *Membership) removeMembers(ctx context.Context, coord *node, members []sarama.MemberIdentity) error {
	for _, member := range members {
		resp, err := ask(ctx, coord, func(b *sarama.Broker) (*sarama.LeaveGroupResponse, error) {
			return b.LeaveGroup(&sarama.LeaveGroupRequest{
				Version: 5, GroupId: m.cfg.GroupID, MemberId: member.MemberId, Members: []sarama.MemberIdentity{member},
			})
		})
		if err != nil {
			return err
		}
		code := resp.Err
		for _, answer := range resp.Members {
			if code == sarama.ErrNoError {
				code = answer.Err
			}
		}
		if code != sarama.ErrNoError && code != sarama.ErrUnknownMemberId {
			return m.denied(brokerError(code, ""), "Read")
		}
	}
	return nil
}

// noteCoordinatorError forgets the coordinator when an error says that it is another,
// or that it cannot be talked to.
func (m *Membership) noteCoordinatorError(coord *node, err error) {
	var broker *BrokerError
	switch {
	case err == nil, errors.Is(err, ErrClosed), errors.Is(err, context.Canceled):
		return
	case errors.As(err, &broker):
		if !elsewhere(err) {
			return
		}
	case errors.Is(err, ErrUnsupported):
		return
	}
	m.coordinatorUnknown(coord, err)
}

// elsewhere tells answers of a broker that is not the coordinator.
func elsewhere(err error) bool {
	code := codeOf(err)
	return code == sarama.ErrNotCoordinatorForConsumer || code == sarama.ErrConsumerCoordinatorNotAvailable
}

// leave tells the coordinator, if it is known, that the member goes. A static member
// stays: it is expected back (Java: maybeLeaveGroup).
func (m *Membership) leave(ctx context.Context, reason string) {
	m.mu.Lock()
	id, coord := m.current.MemberID, m.coord
	if id != "" {
		m.resetLocked(true, reason)
	}
	m.mu.Unlock()
	if id == "" || coord == nil || m.instanceID != nil {
		return
	}
	m.log.Info("Member sending LeaveGroup request to coordinator due to "+reason, zap.String("member", id), zap.Stringer("coordinator", coord))
	ctx, cancel := context.WithTimeout(ctx, leaveTimeout)
	defer cancel()
	reason = reason[:min(len(reason), maxReason)]
	err := m.removeMembers(ctx, coord, []sarama.MemberIdentity{{MemberId: id, Reason: &reason}})
	if err != nil {
		m.log.Info("the group could not be left; the broker removes the member when its session times out", zap.Error(err))
		m.noteCoordinatorError(coord, err)
	}
}
