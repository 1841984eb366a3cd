package kafka

import (
	"context"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// TestAMemberThatWasThrownOutAndFindsNoCoordinatorIsTold: a worker that slept too long is no
// member when it wakes up. When the coordinator goes away before it can join again, it must
// not keep the work that others have been given.
func TestAMemberThatWasThrownOutAndFindsNoCoordinatorIsTold(t *testing.T) {
	c := groupCluster(t)
	cfg := memberConfig()
	cfg.SessionTimeout, cfg.HeartbeatInterval = time.Second, 100*time.Millisecond
	m := startMember(t, c, cfg, func(h *member) {
		h.onPrepare = func(_ context.Context, lost bool) error {
			if lost {
				for id := range int32(3) {
					c.Down(id)
				}
			}
			return nil
		}
	})
	m.awaitJoins(t, 1)
	c.FailOnce(kmsg.Heartbeat, kerr.UnknownMemberID)
	eventually(t, "CoordinatorLost", func() bool { return m.toldOfLoss() == 1 })
	for id := range int32(3) {
		c.Up(id)
	}
	m.awaitJoins(t, 2)
}
