package kafka

import (
	"context"
	"time"

	"go.uber.org/zap"
)

// coordinatorReach is how well the coordinator can be reached. That brokers name one says
// little: they name a dead one until the controller has noticed, and one that is cut off
// from us for ever. Guarded by Membership.mu.
type coordinatorReach struct {
	failures int       // in a row, of lookups and of coordinators that were found
	since    time.Time // of the first of them; zero: none
	lookUpAt time.Time // no lookup before
	named    *node     // the last one found
}

// failed puts the next lookup off.
func (r *coordinatorReach) failed(pause time.Duration) {
	now := time.Now()
	if r.since.IsZero() {
		r.since = now
	}
	r.failures++
	r.lookUpAt = now.Add(pause)
}

// heardLocked takes in that the coordinator has answered.
func (m *Membership) heardLocked() {
	r := &m.reach
	if r.failures > 1 {
		m.log.Info("The group coordinator answers again", zap.Stringer("coordinator", r.named), zap.Int("attempts", r.failures))
	}
	r.failures, r.since = 0, time.Time{}
}

// lookUpPauseLocked is retry.backoff.ms, doubling up to retry.backoff.max.ms.
func (m *Membership) lookUpPauseLocked() time.Duration {
	return backoff(m.cfg.RetryBackoff, m.settings.retryBackoffMax, max(m.reach.failures-1, 0))
}

func (m *Membership) untilLookUp() time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	return time.Until(m.reach.lookUpAt)
}

// lookUpFailed puts the next lookup off, unless this one was given up.
func (m *Membership) lookUpFailed(ctx context.Context) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if ctx.Err() == nil {
		m.reach.failed(m.lookUpPauseLocked())
	}
}

// watched runs fn, which waits for brokers, and meanwhile watches the session. When the
// coordinator is lost, fn is given up, with errUnjoined. Run's goroutine.
func (m *Membership) watched(ctx context.Context, fn func(ctx context.Context) error) error {
	bounded, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer signal(m.wake) // what it was for besides is not seen to here
	done := make(chan error, 1)
	go func() { done <- fn(bounded) }()
	for {
		t := time.NewTimer(m.untilLost())
		select {
		case err := <-done:
			t.Stop()
			return err
		case <-m.wake: // the coordinator may have become unknown
		case <-t.C:
			if m.loseCoordinator(ctx) {
				cancel(errUnjoined)
			}
		}
		t.Stop()
	}
}

// untilLost returns how long to wait before the handler is told that the coordinator is
// lost.
func (m *Membership) untilLost() time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.untilLostLocked()
}

// untilLostLocked counts from the last answer. The heartbeat interval on top gives a member
// that slept for long the time to ask, and brokers that of naming another in place of a
// coordinator that died: broker.session.timeout.ms is 9 s, a worker's session 10 s.
func (m *Membership) untilLostLocked() time.Duration {
	if m.polled || !m.active || m.reach.since.IsZero() {
		return idleWait
	}
	from := m.lastAnswer.Add(m.cfg.SessionTimeout)
	if m.reach.since.After(from) {
		from = m.reach.since
	}
	return time.Until(from.Add(m.cfg.HeartbeatInterval))
}

// loseCoordinator tells the handler, once, if it is time, and whether it was.
func (m *Membership) loseCoordinator(ctx context.Context) bool {
	m.mu.Lock()
	if m.untilLostLocked() > 0 {
		m.mu.Unlock()
		return false
	}
	m.log.Warn("no answer of a group coordinator for longer than session.timeout.ms: the membership is lost",
		zap.Duration("session.timeout.ms", m.cfg.SessionTimeout))
	m.active = false
	m.resetLocked(false, "the group coordinator was lost")
	m.mu.Unlock()
	_ = m.call(func() error { m.handler.CoordinatorLost(ctx); return nil })
	return true
}
