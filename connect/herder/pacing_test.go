package herder

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// With many connectors a change that comes right after a rebalance waits for others; one
// that comes later does not.
func TestRebalancesArePaced(t *testing.T) {
	const again = "rejoin: connector or task configs have changed"
	bubble(t, false, func(t *testing.T, r *rig) {
		for i := range 100 {
			r.store(fmt.Sprint("c", i))
		}
		r.member.assigned(r.follower(1, nil))
		r.want()
		// 100 connectors: 30 ms.
		for _, name := range []string{"d", "e"} {
			if err := r.configs.PutConnector(t.Context(), name, sinkConfig(name), ""); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		r.want()
		time.Sleep(30 * time.Millisecond)
		r.want(again)

		r.member.assigned(r.follower(2, nil))
		time.Sleep(time.Second)
		r.want()
		if err := r.configs.PutConnector(t.Context(), "f", sinkConfig("f"), ""); err != nil {
			t.Fatal(err)
		}
		r.want(again)
	})
}

// Somebody else's rebalance takes in the change that waits.
func TestAPacedRebalanceIsOvertaken(t *testing.T) {
	bubble(t, false, func(t *testing.T, r *rig) {
		for i := range 100 {
			r.store(fmt.Sprint("c", i))
		}
		r.member.assigned(r.follower(1, nil))
		r.want()
		if err := r.configs.PutConnector(t.Context(), "d", sinkConfig("d"), ""); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		r.member.assigned(r.follower(2, nil))
		time.Sleep(time.Second)
		r.want()
	})
}
