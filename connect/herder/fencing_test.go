package herder

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/rest/api"
	"github.com/penstock-io/penstock/storage"
)

// lead makes the worker the leader of a group without sessions.
func (r *rig) lead(generation int32) {
	r.t.Helper()
	a := r.leads(generation, nil)
	a.Version = 1
	r.member.assigned(a)
	synctest.Wait()
	r.take()
}

// async runs a request and delivers how it ended.
func async(f func() error) <-chan error {
	ended := make(chan error, 1)
	go func() { ended <- f() }()
	synctest.Wait()
	return ended
}

func wantUnder(t *testing.T, ended <-chan error) {
	t.Helper()
	synctest.Wait()
	select {
	case err := <-ended:
		t.Errorf("the request ended too early: %v", err)
	default:
	}
}

func TestWhatIsFenced(t *testing.T) {
	for _, tc := range []struct {
		name          string
		record, tasks int
		want          []string
	}{
		{"the first tasks ever", -1, 2, []string{"record 2 tasks of s"}},
		{"one task before and one now", 1, 1, []string{"record 1 tasks of s"}},
		{"one task before and two now", 1, 2, []string{"fence 1 tasks of s", "record 2 tasks of s"}},
		{"three tasks before and one now", 3, 1, []string{"fence 3 tasks of s", "record 1 tasks of s"}},
		{"two tasks before and none now", 2, 0, []string{"fence 2 tasks of s", "record 0 tasks of s"}},
		{"one task before and none now", 1, 0, []string{"fence 1 tasks of s", "record 0 tasks of s"}},
		{"no task before", 0, 2, []string{"record 2 tasks of s"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bubble(t, false, func(t *testing.T, r *rig) {
				r.source("s", tc.record, tc.tasks)
				r.lead(1)
				if err := r.h.FenceZombies(t.Context(), "s", api.Signature{}); err != nil {
					t.Fatal(err)
				}
				r.want(tc.want...)
				if s := r.configs.Snapshot().Connector("s"); s.PendingFencing || s.TaskCountRecord != tc.tasks {
					t.Errorf("afterwards: %+v", s)
				}
				// Nothing is left to do.
				if err := r.h.RequestFence(t.Context(), "s"); err != nil {
					t.Fatal(err)
				}
				r.want()
			})
		})
	}
}

func TestFencingIsRefused(t *testing.T) {
	bubble(t, false, func(t *testing.T, r *rig) {
		r.store("c")
		r.source("s", 2, 1)
		fence := func(name string) error { return r.h.FenceZombies(t.Context(), name, api.Signature{}) }
		wantForward(t, fence("s"), "")
		a := r.follower(1, nil)
		a.Version = 1
		r.member.assigned(a)
		synctest.Wait()
		wantForward(t, fence("s"), "http://leader/")
		r.lead(2)
		wantError(t, fence("x"), 404, "Connector x not found")
		wantError(t, fence("c"), 400, "Connector c is not a source connector")
		r.configs.setRefreshErr(errors.New("no broker"))
		wantError(t, fence("s"), 500, "Failed to read to end of config topic before performing zombie fencing: no broker")
		r.configs.setRefreshErr(nil)
		r.want()
		r.runtime.failing("fence 2 tasks of s", errors.New("not authorised"))
		wantError(t, fence("s"), 500, "Failed to perform zombie fencing: not authorised")
		r.want("fence 2 tasks of s")
		// The failed round is over: the next one is a new one.
		r.runtime.failing("fence 2 tasks of s", nil)
		if err := fence("s"); err != nil {
			t.Fatal(err)
		}
		r.want("fence 2 tasks of s", "record 1 tasks of s")
	})
}

func TestFencingIsRefusedInStandalone(t *testing.T) {
	bubble(t, true, func(t *testing.T, r *rig) {
		r.put("c")
		wantError(t, r.h.FenceZombies(t.Context(), "c", api.Signature{}), 500, "Kafka Connect in standalone mode does not support exactly-once source connectors.")
		wantError(t, r.h.PutTaskConfigs(t.Context(), "c", nil, api.Signature{}), 500,
			"Kafka Connect in standalone mode does not support externally setting task configurations.")
	})
}

func TestFencingRequestsMustBeSigned(t *testing.T) {
	bubble(t, false, func(t *testing.T, r *rig) {
		r.source("s", 2, 1)
		r.member.assigned(r.leads(1, nil))
		synctest.Wait()
		r.take()
		key := r.configs.Snapshot().SessionKey.Key
		wantError(t, r.h.FenceZombies(t.Context(), "s", api.Signature{}), 400, "Internal request missing required signature")
		wantError(t, r.h.FenceZombies(t.Context(), "s", api.Signature{Given: true, Algorithm: "HmacSHA256"}), 403, "invalid signature")
		wantError(t, r.h.FenceZombies(t.Context(), "s", api.Signature{Given: true, MAC: "YQ=="}), 400, "Algorithm  not available")
		wantError(t, r.h.FenceZombies(t.Context(), "s", api.Signature{Algorithm: "HmacSHA256", MAC: Sign("HmacSHA256", []byte("x"), nil)}), 403, "invalid signature")
		r.want()
		if err := r.h.FenceZombies(t.Context(), "s", api.Signature{Algorithm: "HmacSHA256", MAC: Sign("HmacSHA256", key, nil)}); err != nil {
			t.Fatal(err)
		}
		r.want("fence 2 tasks of s", "record 1 tasks of s")
	})
}

func TestRequestsJoinTheFencingUnderWay(t *testing.T) {
	bubble(t, false, func(t *testing.T, r *rig) {
		r.source("s", 2, 3)
		r.source("other", 2, 1)
		r.lead(1)
		release := r.runtime.hold("fence 2 tasks of s")
		first := async(func() error { return r.h.RequestFence(t.Context(), "s") })
		second := async(func() error { return r.h.FenceZombies(t.Context(), "s", api.Signature{}) })
		gone, leave := context.WithCancel(t.Context())
		third := async(func() error { return r.h.FenceZombies(gone, "s", api.Signature{}) })
		r.want("fence 2 tasks of s")
		// Others need not wait, and one that goes away does not end the round.
		if err := r.h.FenceZombies(t.Context(), "other", api.Signature{}); err != nil {
			t.Error(err)
		}
		r.want("fence 2 tasks of other", "record 1 tasks of other")
		if err := r.h.Ready(t.Context()); err != nil {
			t.Error(err)
		}
		leave()
		if err := <-third; !errors.Is(err, context.Canceled) {
			t.Errorf("the request that was given up: %v", err)
		}
		wantUnder(t, first)
		release()
		if err := errors.Join(<-first, <-second); err != nil {
			t.Error(err)
		}
		r.want("record 3 tasks of s")
	})
}

func TestNewTaskConfigsEndTheFencing(t *testing.T) {
	bubble(t, false, func(t *testing.T, r *rig) {
		r.source("s", 2, 3)
		r.lead(1)
		release := r.runtime.hold("fence 2 tasks of s")
		ended := async(func() error { return r.h.FenceZombies(t.Context(), "s", api.Signature{}) })
		if err := r.commit("s", 4); err != nil {
			t.Fatal(err)
		}
		wantError(t, <-ended, 409, "Failed to complete zombie fencing because a new set of task configs was generated")
		synctest.Wait()
		r.take()
		// The next request is for the new generation, also before the old round is gone.
		again := async(func() error { return r.h.FenceZombies(t.Context(), "s", api.Signature{}) })
		release()
		if err := <-again; err != nil {
			t.Error(err)
		}
		r.want("fence 2 tasks of s", "record 4 tasks of s")
	})
}

// Task configs of which the loop does not hear by task, since there are none.
func TestAStopEndsTheFencing(t *testing.T) {
	bubble(t, false, func(t *testing.T, r *rig) {
		r.source("s", 2, 3)
		r.lead(1)
		release := r.runtime.hold("fence 2 tasks of s")
		ended := async(func() error { return r.h.FenceZombies(t.Context(), "s", api.Signature{}) })
		if err := r.commit("s", 0); err != nil {
			t.Fatal(err)
		}
		wantUnder(t, ended)
		release()
		wantError(t, <-ended, 409, "Fencing failed because new task configurations were generated for the connector")
		if s := r.configs.Snapshot().Connector("s"); !s.PendingFencing || s.TaskCountRecord != 2 {
			t.Errorf("a record was written: %+v", s)
		}
	})
}

func TestNobodyJoinsAFencingForFormerTaskConfigs(t *testing.T) {
	bubble(t, false, func(t *testing.T, r *rig) {
		r.source("s", 2, 3)
		r.lead(1)
		release := r.runtime.hold("fence 2 tasks of s")
		first := async(func() error { return r.h.FenceZombies(t.Context(), "s", api.Signature{}) })
		if err := r.commit("s", 0); err != nil {
			t.Fatal(err)
		}
		second := async(func() error { return r.h.FenceZombies(t.Context(), "s", api.Signature{}) })
		wantError(t, <-first, 409, "Failed to complete zombie fencing because a new set of task configs was generated")
		release()
		if err := <-second; err != nil {
			t.Error(err)
		}
		if s := r.configs.Snapshot().Connector("s"); s.PendingFencing || s.TaskCountRecord != 0 {
			t.Errorf("afterwards: %+v", s)
		}
	})
}

func TestADeletedConnectorIsNotFenced(t *testing.T) {
	bubble(t, false, func(t *testing.T, r *rig) {
		r.source("s", 2, 3)
		r.lead(1)
		release := r.runtime.hold("fence 2 tasks of s")
		ended := async(func() error { return r.h.FenceZombies(t.Context(), "s", api.Signature{}) })
		if err := r.h.DeleteConnector(t.Context(), "s"); err != nil {
			t.Fatal(err)
		}
		release()
		wantError(t, <-ended, 404, "Connector s not found")
	})
}

// An old change that the loop hears of late is none of the round's.
func TestTheFencingsOwnTaskConfigsDoNotEndIt(t *testing.T) {
	bubble(t, false, func(t *testing.T, r *rig) {
		r.source("s", 2, 3)
		r.lead(1)
		release := r.runtime.hold("fence 2 tasks of s")
		ended := async(func() error { return r.h.FenceZombies(t.Context(), "s", api.Signature{}) })
		r.h.pending.TaskConfigsUpdated([]connect.TaskID{{Connector: "s"}})
		wantUnder(t, ended)
		release()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func TestTheEndOfTheLeadershipEndsTheFencing(t *testing.T) {
	bubble(t, false, func(t *testing.T, r *rig) {
		r.source("s", 2, 3)
		r.lead(1)
		release := r.runtime.hold("fence 2 tasks of s")
		here := async(func() error { return r.h.RequestFence(t.Context(), "s") })
		remote := async(func() error { return r.h.FenceZombies(t.Context(), "s", api.Signature{}) })
		a := r.follower(2, nil)
		a.Version = 1
		r.member.assigned(a)
		wantForward(t, <-remote, "http://leader/")
		// What this worker's own task needs the new leader does.
		if err := <-here; err != nil {
			t.Error(err)
		}
		release()
		r.want("fence 2 tasks of s", "ask http://leader/ to fence s, signed false")
		if r.configs.Snapshot().Connector("s").TaskCountRecord != 2 {
			t.Error("a worker that does not lead wrote a record")
		}
	})
}

func TestAFencingThatHangs(t *testing.T) {
	bubble(t, false, func(t *testing.T, r *rig) {
		r.source("s", 2, 3)
		r.lead(1)
		r.runtime.hold("fence 2 tasks of s")
		start := time.Now()
		wantError(t, r.h.FenceZombies(t.Context(), "s", api.Signature{}), 500, "Failed to perform zombie fencing: ")
		if d := time.Since(start); d != 90*time.Second {
			t.Errorf("it took %v", d)
		}
	})
}

func TestAFencingEndsWithTheHerder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, false).run()
		r.source("s", 2, 3)
		r.lead(1)
		r.runtime.hold("fence 2 tasks of s")
		ended := async(func() error { return r.h.FenceZombies(t.Context(), "s", api.Signature{}) })
		if err := r.end(); err != nil {
			t.Fatal(err)
		}
		if err := <-ended; err == nil {
			t.Error("a fencing that did not take place is reported as done")
		}
	})
}

// A task stayed FAILED when its leader could not read the config topic while the broker hung.
func TestAFollowersRequestGoesOnUntilThereIsALeader(t *testing.T) {
	bubble(t, false, func(t *testing.T, r *rig) {
		r.source("s", 2, 3)
		r.leader.answers = []error{errors.New("connection refused"), errShuttingDown,
			api.Errorf(500, "Failed to read to end of config topic before performing zombie fencing: the config topic could not be read to its end within worker.sync.timeout.ms"), api.Errorf(503, "no session key yet"), api.Errorf(403, "Internal request contained invalid signature."),
			api.Errorf(409, "Cannot complete request because of a conflicting operation (e.g. worker rebalance)"), nil}
		ended := async(func() error { return r.h.RequestFence(t.Context(), "s") })
		time.Sleep(time.Second) // there is no leader yet
		r.want()
		r.member.assigned(r.follower(1, nil))
		if err := r.configs.PutSessionKey(t.Context(), storage.SessionKey{Key: []byte("k"), Algorithm: "HmacSHA256", Created: time.Now()}); err != nil {
			t.Fatal(err)
		}
		if err := <-ended; err != nil {
			t.Error(err)
		}
		asked := slices.DeleteFunc(r.take(), func(line string) bool { return !strings.HasPrefix(line, "ask ") })
		if len(asked) != 7 || asked[6] != "ask http://leader/ to fence s, signed true" {
			t.Errorf("the leader was asked %q", asked)
		}
	})
}

func TestAFollowersRequestEndsWithWhatTheLeaderSays(t *testing.T) {
	for _, err := range []error{
		api.Errorf(409, "Fencing failed because new task configurations were generated for the connector"),
		api.Errorf(404, "Connector s not found"), api.Errorf(400, "Connector s is not a source connector"),
	} {
		bubble(t, false, func(t *testing.T, r *rig) {
			r.member.assigned(r.follower(1, nil))
			r.leader.err = err
			r.source("s", 2, 3)
			synctest.Wait()
			if got := r.h.RequestFence(t.Context(), "s"); !errors.Is(got, err) || got.Error() != "Failed to perform round of zombie fencing: "+err.Error() {
				t.Errorf("got %v", got)
			}
		})
	}
	bubble(t, false, func(t *testing.T, r *rig) {
		start := time.Now()
		r.source("s", 2, 3)
		if err := r.h.RequestFence(t.Context(), "s"); err == nil || time.Since(start) != 90*time.Second {
			t.Errorf("without a leader: %v after %v", err, time.Since(start))
		}
	})
}

func TestVerifyTask(t *testing.T) {
	id := connect.TaskID{Connector: "s"}
	bubble(t, false, func(t *testing.T, r *rig) {
		r.source("s", -1, 1)
		r.member.assigned(r.follower(1, nil, id))
		synctest.Wait()
		generation := r.h.TaskGeneration("s")
		if generation != 0 || r.h.TaskGeneration("x") != -1 {
			t.Errorf("generations: %d, %d", generation, r.h.TaskGeneration("x"))
		}
		if err := r.h.VerifyTask(t.Context(), id, generation); err != nil {
			t.Error(err)
		}
		wantText := func(err error, text string) {
			t.Helper()
			if fmt.Sprint(err) != text {
				t.Errorf("got %v", err)
			}
		}
		r.configs.setRefreshErr(errors.New("no broker"))
		wantText(r.h.VerifyTask(t.Context(), id, generation), "Failed to read to end of config topic: no broker")
		r.configs.setRefreshErr(nil)
		wantText(r.h.VerifyTask(t.Context(), connect.TaskID{Connector: "s", Task: 1}, generation),
			"Cannot start source task s-1 as it has already been revoked from this worker")
		if err := r.commit("s", 1); err != nil {
			t.Fatal(err)
		}
		wantText(r.h.VerifyTask(t.Context(), id, generation),
			"Cannot start source task s-0 with exactly-once support as the connector has already generated a new set of task configs")
		r.member.assigned(r.follower(2, nil))
		synctest.Wait()
		wantText(r.h.VerifyTask(t.Context(), id, 1), "Cannot start source task s-0 as it has already been revoked from this worker")
	})
}
