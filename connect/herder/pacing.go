package herder

import "time"

const (
	// pacePerConnector is the time between two rebalances for each connector there is: the
	// work of one grows with their number.
	pacePerConnector = 300 * time.Microsecond
	// With few connectors a pause is not worth it, with many it must not be felt.
	leastPace, mostPace = 5 * time.Millisecond, 500 * time.Millisecond
)

// rejoinSoon asks for a rebalance because configs have changed: at once when the last one
// was some time ago. When many connectors are created one after the other, a rebalance
// takes in all that came during the pause after the one before.
func (h *Herder) rejoinSoon(reason string) {
	pace := min(time.Duration(len(h.assignedFor))*pacePerConnector, mostPace)
	wait := time.Until(h.assignedAt.Add(pace))
	if pace < leastPace || wait <= 0 {
		h.rejoin(reason)
		return
	}
	h.pacing.Reset(wait)
}
