package herder

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/penstock-io/penstock/rest/api"
	"github.com/penstock-io/penstock/storage"
)

func transactional(o *Options) { o.LeaderTransactions = true }

const (
	claimed     = "claim write privileges"
	retryPlease = "Failed to write to config topic; this may be due to a transient error and the request can be safely retried"
)

var errLost = fmt.Errorf("producer was fenced: %w", storage.ErrPrivilegeLost)

// assign makes the worker the leader or not, without a look at what happens.
func (r *rig) assign(generation int32, leads bool) {
	a := r.follower(generation, nil)
	if leads {
		a = r.leads(generation, nil)
	}
	a.Version = 1
	r.member.assigned(a)
	synctest.Wait()
}

func TestANewLeaderClaimsItsPrivileges(t *testing.T) {
	bubble(t, false, func(t *testing.T, r *rig) {
		r.store("c")
		r.assign(1, false)
		r.want()
		r.assign(2, true)
		r.want(claimed)
		// Once is enough.
		r.assign(3, true)
		if err := r.h.DeleteConnector(t.Context(), "c"); err != nil {
			t.Fatal(err)
		}
		r.want("rejoin: connector or task configs have changed")
		// Another one may have led meanwhile.
		r.assign(4, false)
		r.assign(5, true)
		r.want(claimed)
	}, transactional)
}

func TestWithoutTransactionsNothingIsClaimed(t *testing.T) {
	bubble(t, false, func(t *testing.T, r *rig) {
		r.store("c")
		r.assign(1, true)
		if err := r.h.DeleteConnector(t.Context(), "c"); err != nil {
			t.Fatal(err)
		}
		r.want("rejoin: connector or task configs have changed")
	})
}

// leaderWrites change connector c, or d, and source s, as the leader only may.
var leaderWrites = map[string]func(r *rig) error{
	"create": func(r *rig) error {
		_, _, err := r.h.PutConnector(r.t.Context(), "d", sinkConfig("d"), "", false)
		return err
	},
	"patch": func(r *rig) error {
		patch := "x"
		_, err := r.h.PatchConnector(r.t.Context(), "c", map[string]*string{"file": &patch})
		return err
	},
	"delete":       func(r *rig) error { return r.h.DeleteConnector(r.t.Context(), "c") },
	"stop":         func(r *rig) error { return r.h.Stop(r.t.Context(), "c") },
	"task configs": func(r *rig) error { return r.h.PutTaskConfigs(r.t.Context(), "c", nil, api.Signature{}) },
	"fencing":      func(r *rig) error { return r.h.FenceZombies(r.t.Context(), "s", api.Signature{}) },
	"restart": func(r *rig) error {
		_, err := r.h.RestartConnectorAndTasks(r.t.Context(), "c", true, false)
		return err
	},
}

func TestLostPrivilegesAreClaimedAgain(t *testing.T) {
	for name, write := range leaderWrites {
		t.Run(name, func(t *testing.T) {
			bubble(t, false, func(t *testing.T, r *rig) {
				r.store("c")
				r.status.PutConnector("c", storage.Status{})
				r.source("s", -1, 1)
				r.assign(1, true)
				r.want(claimed)
				r.configs.failNextWrite(errLost)
				wantError(t, write(r), 500, retryPlease)
				synctest.Wait()
				n := 0
				for _, line := range r.take() {
					if line == claimed {
						n++
					}
				}
				if n != 1 {
					t.Errorf("claimed %d times", n)
				}
				if err := write(r); err != nil {
					t.Errorf("the request cannot be retried: %v", err)
				}
			}, transactional)
		})
	}
}

// It was frozen for longer than a session, or its coordinator does not answer: another worker
// leads, whatever the last assignment said.
func TestALeaderThatMayHaveASuccessorWritesNothing(t *testing.T) {
	for name, write := range leaderWrites {
		t.Run(name, func(t *testing.T) {
			bubble(t, false, func(t *testing.T, r *rig) {
				r.store("c")
				r.status.PutConnector("c", storage.Status{})
				r.source("s", -1, 1)
				r.assign(1, true)
				r.want(claimed)
				r.member.cutOff.Store(true)
				r.h.privileged.Store(false) // as after a write that the successor has fenced
				before := r.configs.Snapshot().Offset
				wantError(t, write(r), 409, "a rebalance is expected")
				if now := r.configs.Snapshot().Offset; now != before {
					t.Errorf("wrote up to %d, from %d", now, before)
				}
				r.want()
				r.member.cutOff.Store(false)
				if err := write(r); err != nil {
					t.Errorf("back in the group: %v", err)
				}
			}, transactional)
		})
	}
}

func TestOtherErrorsOfAWriteCostNoPrivileges(t *testing.T) {
	bubble(t, false, func(t *testing.T, r *rig) {
		r.store("c")
		r.assign(1, true)
		r.want(claimed)
		failure := errors.New("Error removing connector configuration from Kafka")
		r.configs.failNextWrite(failure)
		if err := r.h.DeleteConnector(t.Context(), "c"); !errors.Is(err, failure) {
			t.Errorf("got %v", err)
		}
		r.want()
	}, transactional)
}

func TestClaimsAreRepeatedWhileThisWorkerLeads(t *testing.T) {
	bubble(t, false, func(t *testing.T, r *rig) {
		r.store("c")
		r.configs.setClaimErr(errors.New("no coordinator"))
		r.assign(1, true)
		r.want(claimed)
		for range 3 {
			time.Sleep(250*time.Millisecond - time.Nanosecond)
			r.want()
			time.Sleep(time.Nanosecond)
			r.want(claimed)
		}
		// A request tries itself, and does not write without.
		wantError(t, r.h.DeleteConnector(t.Context(), "c"), 500, retryPlease)
		r.want(claimed)
		if !r.configs.Snapshot().Contains("c") {
			t.Error("a connector was deleted without privileges")
		}
		r.assign(2, false)
		time.Sleep(time.Minute)
		r.want()
		r.assign(3, true)
		r.want(claimed)
		r.configs.setClaimErr(nil)
		time.Sleep(time.Minute)
		r.want(claimed)
	}, transactional)
}

// A leader that was replaced while its write waited must not shut out its successor.
func TestAFormerLeaderClaimsNothing(t *testing.T) {
	bubble(t, false, func(t *testing.T, r *rig) {
		r.store("c")
		r.assign(1, true)
		r.want(claimed)
		unlock, err := r.h.writes.Lock(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		ended := async(func() error { return r.h.DeleteConnector(t.Context(), "c") })
		r.assign(2, false)
		synctest.Wait()
		unlock()
		wantForward(t, <-ended, "http://leader/")
		r.want()
	}, transactional)
}

func TestTheOffsetStoreStartsFirstAndEndsLast(t *testing.T) {
	var offsets *tracedOffsets
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, true, func(o *Options) {
			offsets = newTracedOffsets(o.Configs.(*tracedConfigs).trace)
			o.Offsets = offsets
		}).run()
		r.want("start the offset store")
		if err := r.end(); err != nil {
			t.Fatal(err)
		}
		r.want("stop the config store", "stop the status store", "stop the offset store")
	})
	synctest.Test(t, func(t *testing.T) {
		failure := errors.New("no topic")
		r := newRig(t, true, func(o *Options) {
			offsets = newTracedOffsets(o.Configs.(*tracedConfigs).trace)
			offsets.startErr = failure
			o.Offsets = offsets
		}).run()
		if err := <-r.done; !errors.Is(err, failure) || err.Error() != "start the offset store: no topic" {
			t.Errorf("Run: %v", err)
		}
		r.stop()
	})
}
