package kafka

import (
	"testing"
	"time"
)

func TestMembershipIsConfirmedByYoungAnswersOnly(t *testing.T) {
	c := groupCluster(t)
	cfg := memberConfig()
	cfg.SessionTimeout, cfg.HeartbeatInterval = 2*time.Second, 100*time.Millisecond
	m := startMember(t, c, cfg, nil)
	m.awaitJoins(t, 1)
	gen := m.Generation()
	if got := m.Confirmed(); got != gen {
		t.Errorf("confirmed %+v, joined %+v", got, gen)
	}
	for id := range int32(3) {
		c.Down(id)
	}
	cut := time.Now()
	eventually(t, "doubt", func() bool { return m.Confirmed() == Generation{} })
	if d := time.Since(cut); d < cfg.SessionTimeout-2*cfg.HeartbeatInterval {
		t.Errorf("in doubt after %v", d)
	}
	for id := range int32(3) {
		c.Up(id)
	}
	eventually(t, "another confirmation", func() bool { return m.Confirmed() != Generation{} })
	m.LeaveAndRejoin("test", 0)
	if got := m.Confirmed(); got != (Generation{}) {
		t.Errorf("confirmed %+v, though it leaves", got)
	}
}

// A process that was frozen while the answer was on its way reads it when it awakes, and has
// a successor by then.
func TestMembershipIsNotConfirmedByAnOldAnswer(t *testing.T) {
	c := groupCluster(t)
	m := startMember(t, c, memberConfig(), nil)
	m.awaitJoins(t, 1)
	gen := m.Generation()
	m.Membership.mu.Lock()
	coord := m.coord
	m.Membership.mu.Unlock()
	hangHeartbeat(t, c) // no more answers but those of the test
	old := time.Now().Add(-m.cfg.SessionTimeout)
	m.heartbeatAnswered(coord, gen, old, nil)
	if got := m.Confirmed(); got != (Generation{}) {
		t.Errorf("confirmed %+v by an answer to a request of %v ago", got, time.Since(old))
	}
	m.heartbeatAnswered(coord, gen, time.Now(), nil)
	if got := m.Confirmed(); got != gen {
		t.Errorf("confirmed %+v, not %+v", got, gen)
	}
}
