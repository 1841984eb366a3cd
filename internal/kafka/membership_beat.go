package kafka

import (
	"context"
	"errors"
	"time"

	"github.com/IBM/sarama"
	"go.uber.org/zap"
)

// heartbeat keeps the session alive until ctx ends, whatever the handler does
// meanwhile, and leaves the group when it was asked to (Java: HeartbeatThread).
func (m *Membership) heartbeat(ctx context.Context) {
	for ctx.Err() == nil {
		t := time.NewTimer(m.untilBeat(time.Now()))
		select {
		case <-m.beat:
		case <-t.C:
		case <-ctx.Done():
		}
		t.Stop()
		if ctx.Err() != nil {
			return
		}
		m.tick(ctx, time.Now())
	}
}

// untilBeat returns when tick has something to do.
func (m *Membership) untilBeat(now time.Time) time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	wait := idleWait
	switch {
	case m.leaveReason != "":
		return 0
	case m.coord == nil && m.handlerSince.IsZero(): // Run's goroutine looks for it
	case m.state == stateStable || m.state == stateSyncing:
		wait = m.nextBeat.Sub(now)
	}
	if m.watchesHandlerLocked() {
		wait = min(wait, m.handlerSince.Add(m.cfg.RebalanceTimeout).Sub(now))
	}
	return max(wait, 0)
}

func (m *Membership) watchesHandlerLocked() bool {
	return !m.polled && !m.handlerSince.IsZero() && m.current.MemberID != ""
}

// tick does what is due.
func (m *Membership) tick(ctx context.Context, now time.Time) {
	m.mu.Lock()
	if m.watchesHandlerLocked() && now.Sub(m.handlerSince) >= m.cfg.RebalanceTimeout {
		m.log.Warn("worker poll timeout has expired: giving things up or starting them took longer than rebalance.timeout.ms. Leaving the group",
			zap.Duration("rebalance.timeout.ms", m.cfg.RebalanceTimeout))
		m.leaveReason = "worker poll timeout has expired."
	}
	reason, coord, gen := m.leaveReason, m.coord, m.current
	beating := (m.state == stateStable || m.state == stateSyncing) && !now.Before(m.nextBeat)
	alone := m.handlerSince.IsZero()
	m.mu.Unlock()
	switch {
	case reason != "":
		m.leave(ctx, reason)
		m.leaveDone(reason)
	case !beating:
	case coord != nil:
		m.sendHeartbeat(ctx, coord, gen)
	case !alone:
		bounded, cancel := context.WithTimeout(ctx, m.cfg.SessionTimeout)
		defer cancel()
		_, _ = m.coordinator(bounded) // tried again, after a pause
	}
}

func (m *Membership) leaveDone(reason string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.leaveReason == reason {
		m.leaveReason = ""
	}
	signal(m.wake)
}

// errSession is the cause of a heartbeat that is given up.
var errSession = errors.New("session timed out without receiving a heartbeat response")

func (m *Membership) sendHeartbeat(ctx context.Context, coord *node, gen Generation) {
	deadline := m.sessionEnd()
	bounded, cancel := context.WithDeadlineCause(ctx, deadline, errSession)
	defer cancel()
	sent := time.Now()
	resp, err := ask(bounded, coord, func(b *sarama.Broker) (*sarama.HeartbeatResponse, error) {
		return b.Heartbeat(&sarama.HeartbeatRequest{
			Version: 4, GroupId: m.cfg.GroupID, GenerationId: gen.ID, MemberId: gen.MemberID, GroupInstanceId: m.instanceID,
		})
	})
	switch {
	case ctx.Err() != nil:
	case err == nil:
		m.heartbeatAnswered(coord, gen, sent, brokerError(resp.Err, ""))
	case final(err):
		m.mu.Lock()
		defer m.mu.Unlock()
		m.failLocked(m.refusal("heartbeat to group", err))
	default:
		m.coordinatorUnknown(coord, err)
	}
}

// sessionEnd returns when a heartbeat is given up. A coordinator that was just found gets
// a whole session to answer; whether the membership is lost is another matter, see untilLost.
func (m *Membership) sessionEnd() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	from := m.lastAnswer
	if m.coordFound.After(from) {
		from = m.coordFound
	}
	return from.Add(m.cfg.SessionTimeout)
}

// heartbeatAnswered handles an answer; err is nil or a *BrokerError
// (Java: HeartbeatResponseHandler).
func (m *Membership) heartbeatAnswered(coord *node, of Generation, sent time.Time, err error) {
	if elsewhere(err) {
		m.coordinatorUnknown(coord, err)
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	m.nextBeat = now.Add(m.beatPauseLocked(now))
	m.heardLocked()
	unchanged := m.current.ID == of.ID && m.current.MemberID == of.MemberID && m.state != stateJoining
	switch codeOf(err) { //nolint:exhaustive // the rest passes, or is fatal
	case sarama.ErrNoError:
		m.lastAnswer, m.confirmed = time.Now(), sent
	case sarama.ErrRebalanceInProgress:
		m.lastAnswer, m.confirmed = time.Now(), sent // it counts as a sign of life on both sides
		if unchanged && m.state == stateStable && !m.rebalancing {
			m.rejoinLocked("group is already rebalancing")
		}
	case sarama.ErrIllegalGeneration:
		if unchanged {
			m.resetLocked(false, "encountered ILLEGAL_GENERATION from HEARTBEAT response")
		}
	case sarama.ErrUnknownMemberId:
		if unchanged {
			m.resetLocked(true, "encountered UNKNOWN_MEMBER_ID from HEARTBEAT response")
		}
	case sarama.ErrFencedInstancedId, sarama.ErrGroupAuthorizationFailed:
		if unchanged {
			m.failLocked(m.refusal("heartbeat to group", err))
		}
	default:
		m.log.Info("heartbeat failed, trying again", zap.Error(err))
		m.nextBeat = time.Now().Add(m.cfg.RetryBackoff)
	}
}

// firstBeat is the pause before the first heartbeat after a rebalance.
const firstBeat = 100 * time.Millisecond

// beatPauseLocked returns the pause before the next heartbeat: as long as the last
// rebalance is ago, heartbeat.interval.ms at most. One rebalance is often followed by
// another, the second half of a cooperative one or the next member of a group that starts,
// and a member hears of it with a heartbeat only. A fixed interval, as in the JVM, has what
// moves stand still for all of it.
func (m *Membership) beatPauseLocked(now time.Time) time.Duration {
	return min(max(now.Sub(m.joined), firstBeat), m.cfg.HeartbeatInterval)
}

// codeOf returns the code of a *BrokerError, ErrNoError for nil and ErrUnknown for others.
func codeOf(err error) sarama.KError {
	var broker *BrokerError
	switch {
	case err == nil:
		return sarama.ErrNoError
	case errors.As(err, &broker):
		return sarama.KError(broker.Code)
	}
	return sarama.ErrUnknown
}
