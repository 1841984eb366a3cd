package kafka

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/IBM/sarama"
	"go.uber.org/zap"
)

// errUnjoined: the membership was reset while an answer was on its way.
var errUnjoined = errors.New("the member left the group meanwhile")

// rebalance tries once to join. nil means joined, or: try again (it has paused
// already where that is due).
func (m *Membership) rebalance(ctx context.Context) error {
	if err := m.prepare(ctx); err != nil {
		return err
	}
	m.evictGhosts(ctx)
	reason := m.takeReason()
	var protocols []GroupProtocol
	err := m.call(func() (err error) {
		protocols, err = m.handler.Protocols(ctx)
		return err
	})
	if err != nil {
		return fmt.Errorf("join group %s: %w", m.cfg.GroupID, err)
	}
	coord := m.startJoining()
	if coord == nil {
		return nil
	}
	joined := newNode(coord.id, coord.addr, m.joinSettings, m.cluster.calls).sharing(coord)
	defer joined.retire()
	if err := m.watched(ctx, joined.open); err != nil {
		return m.notJoined(ctx, coord, "connect to group", nil, err)
	}
	resp, err := m.join(ctx, joined, protocols, reason)
	if err != nil {
		return m.notJoined(ctx, coord, "join group", resp, err)
	}
	gen, err := m.joinAnswered(resp)
	if err != nil {
		return m.notJoined(ctx, coord, "join group", resp, err)
	}
	return m.synchronize(ctx, coord, joined, gen, resp)
}

// prepare tells the handler that a join comes, and again when the membership is lost
// before the join.
func (m *Membership) prepare(ctx context.Context) error {
	for {
		m.mu.Lock()
		lost, last := m.lost, m.last
		if m.prepared && !lost {
			m.mu.Unlock()
			return nil
		}
		m.prepared, m.lost, m.rebalancing = true, false, true
		m.mu.Unlock()
		if err := m.call(func() error { return m.handler.JoinPrepare(ctx, last, lost) }); err != nil {
			return fmt.Errorf("prepare to join group %s: %w", m.cfg.GroupID, err)
		}
	}
}

// takeReason starts a join: who asks for one from now on gets another.
func (m *Membership) takeReason() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.rejoin, m.rebalancing = false, true
	return m.rejoinReason[:min(len(m.rejoinReason), maxReason)]
}

// startJoining stops heartbeats and returns whom to join; nil when the coordinator
// or the membership was lost meanwhile, or the group is to be left.
func (m *Membership) startJoining() *node {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.lost || m.leaveReason != "" || m.fatal != nil || m.coord == nil {
		m.rejoin = true
		return nil
	}
	m.state = stateJoining
	return m.coord
}

func (m *Membership) join(ctx context.Context, n *node, protocols []GroupProtocol, reason string) (*sarama.JoinGroupResponse, error) {
	id := m.memberID()
	m.log.Info("(Re-)joining group", zap.String("member", id), zap.String("reason", reason))
	req := &sarama.JoinGroupRequest{
		Version: 8, GroupId: m.cfg.GroupID, MemberId: id, GroupInstanceId: m.instanceID, ProtocolType: m.cfg.ProtocolType,
		SessionTimeout: int32(m.cfg.SessionTimeout.Milliseconds()), RebalanceTimeout: int32(m.cfg.RebalanceTimeout.Milliseconds()),
		Reason: &reason,
	}
	for _, p := range protocols {
		req.OrderedGroupProtocols = append(req.OrderedGroupProtocols, &sarama.GroupProtocol{Name: p.Name, Metadata: p.Metadata})
	}
	resp, err := ask(ctx, n, func(b *sarama.Broker) (*sarama.JoinGroupResponse, error) { return b.JoinGroup(req) })
	if err == nil {
		err = brokerError(resp.Err, "")
	}
	return resp, err
}

func (m *Membership) memberID() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.current.MemberID
}

// joinAnswered takes over the generation and lets heartbeats go on.
func (m *Membership) joinAnswered(resp *sarama.JoinGroupResponse) (Generation, error) {
	if resp.ProtocolType != nil && *resp.ProtocolType != m.cfg.ProtocolType {
		return Generation{}, fmt.Errorf("the protocol type of the group is %q, ours is %q: %w", *resp.ProtocolType, m.cfg.ProtocolType,
			brokerError(sarama.ErrInconsistentGroupProtocol, ""))
	}
	gen := Generation{ID: resp.GenerationId, MemberID: resp.MemberId, LeaderID: resp.LeaderId, Protocol: resp.GroupProtocol}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.state != stateJoining {
		return Generation{}, errUnjoined
	}
	m.heardLocked()
	m.current, m.state = gen, stateSyncing
	m.lastAnswer = time.Now()
	m.nextBeat = m.lastAnswer.Add(m.cfg.HeartbeatInterval)
	signal(m.beat)
	return gen, nil
}

// synchronize makes the assignments, if we are the leader, and gets our own.
func (m *Membership) synchronize(ctx context.Context, coord, joined *node, gen Generation, resp *sarama.JoinGroupResponse) error {
	var assignments map[string][]byte
	if gen.LeaderID == gen.MemberID {
		err := m.call(func() (err error) {
			assignments, err = m.handler.Assign(ctx, gen, membersOf(resp))
			return err
		})
		if err != nil {
			return fmt.Errorf("make the assignments of group %s: %w", m.cfg.GroupID, err)
		}
	}
	sent := time.Now()
	var assignment []byte
	err := m.watched(ctx, func(ctx context.Context) (err error) {
		assignment, err = m.sync(ctx, joined, gen, assignments)
		return err
	})
	if err == nil {
		err = m.syncAnswered(gen, sent)
	}
	if err != nil {
		return m.notJoined(ctx, coord, "synchronize with group", nil, err)
	}
	m.log.Info("Successfully joined and synced group", zap.Int32("generation", gen.ID), zap.String("member", gen.MemberID),
		zap.String("protocol", gen.Protocol), zap.Bool("leader", gen.LeaderID == gen.MemberID))
	if err := m.call(func() error { return m.handler.Joined(ctx, gen, assignment) }); err != nil {
		return fmt.Errorf("take over the assignment of group %s: %w", m.cfg.GroupID, err)
	}
	return nil
}

func membersOf(resp *sarama.JoinGroupResponse) []GroupMember {
	out := make([]GroupMember, len(resp.Members))
	for i, member := range resp.Members {
		out[i] = GroupMember{ID: member.MemberId, Metadata: member.Metadata}
		if member.GroupInstanceId != nil {
			out[i].InstanceID = *member.GroupInstanceId
		}
	}
	return out
}

func (m *Membership) sync(ctx context.Context, n *node, gen Generation, assignments map[string][]byte) ([]byte, error) {
	req := &sarama.SyncGroupRequest{
		Version: 5, GroupId: m.cfg.GroupID, GenerationId: gen.ID, MemberId: gen.MemberID, GroupInstanceId: m.instanceID,
		ProtocolType: &m.cfg.ProtocolType, ProtocolName: &gen.Protocol,
	}
	for id, bytes := range assignments {
		req.GroupAssignments = append(req.GroupAssignments, sarama.SyncGroupRequestAssignment{MemberId: id, Assignment: bytes})
	}
	resp, err := ask(ctx, n, func(b *sarama.Broker) (*sarama.SyncGroupResponse, error) { return b.SyncGroup(req) })
	if err == nil {
		err = brokerError(resp.Err, "")
	}
	if err != nil {
		return nil, err
	}
	if resp.ProtocolType != nil && *resp.ProtocolType != m.cfg.ProtocolType || resp.ProtocolName != nil && *resp.ProtocolName != gen.Protocol {
		return nil, fmt.Errorf("SyncGroup answered for another protocol than %s: %w", gen.Protocol, brokerError(sarama.ErrInconsistentGroupProtocol, ""))
	}
	return resp.MemberAssignment, nil
}

// syncAnswered makes the generation the current one.
func (m *Membership) syncAnswered(gen Generation, sent time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.state != stateSyncing || m.current != gen {
		return errUnjoined
	}
	m.heardLocked()
	m.state, m.last = stateStable, gen
	m.lastAnswer, m.confirmed = time.Now(), sent
	m.joined = m.lastAnswer
	m.nextBeat = m.joined.Add(m.beatPauseLocked(m.joined))
	signal(m.beat)
	m.active, m.prepared, m.rebalancing = true, false, false
	if !m.rejoin {
		m.rejoinReason = ""
	}
	signal(m.beat)
	return nil
}

// notJoined decides what to do after a failed JoinGroup or SyncGroup: it returns nil
// to try again (Java: JoinGroupResponseHandler, SyncGroupResponseHandler).
func (m *Membership) notJoined(ctx context.Context, coord *node, what string, resp *sarama.JoinGroupResponse, err error) error {
	if ctx.Err() != nil {
		m.unjoin()
		return context.Cause(ctx)
	}
	again, fatal := m.sortOut(coord, resp, err)
	if fatal {
		m.unjoin()
		return m.refusal(what, err)
	}
	if errors.Is(err, sarama.ErrMemberIdRequired) {
		return nil // every first join is answered so (KIP-394)
	}
	m.log.Info("joining the group failed, trying again", zap.String("call", what), zap.Error(err))
	if again {
		return nil
	}
	return sleep(ctx, m.cfg.RetryBackoff)
}

func (m *Membership) unjoin() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.state = stateUnjoined
}

// sortOut applies an error to the state. at once: try again without a pause.
func (m *Membership) sortOut(coord *node, resp *sarama.JoinGroupResponse, err error) (atOnce, fatal bool) {
	var broker *BrokerError
	switch {
	case errors.Is(err, errUnjoined):
		return true, false
	case !errors.As(err, &broker):
		m.unjoin()
		if final(err) {
			return false, true
		}
		m.coordinatorUnknown(coord, err)
		return false, false
	}
	m.noteCoordinatorError(coord, err)
	m.mu.Lock()
	defer m.mu.Unlock()
	if !elsewhere(err) {
		m.heardLocked()
	}
	m.state = stateUnjoined
	switch code := sarama.KError(broker.Code); {
	case code == sarama.ErrMemberIdRequired && resp != nil:
		m.current.MemberID = resp.MemberId
		return true, false
	case code == sarama.ErrUnknownMemberId:
		m.resetLocked(true, "encountered UNKNOWN_MEMBER_ID from the coordinator")
		return true, false
	case code == sarama.ErrIllegalGeneration:
		m.resetLocked(false, "encountered ILLEGAL_GENERATION from the coordinator")
		return true, false
	case code == sarama.ErrRebalanceInProgress:
		return resp == nil, false // SyncGroup: another member came, the next join gathers all
	}
	return false, !broker.Retriable()
}
