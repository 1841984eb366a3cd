package herder

import (
	"context"
	"encoding/base64"
	"errors"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/group"
	"github.com/penstock-io/penstock/rest/api"
	"github.com/penstock-io/penstock/storage"
)

var task0 = connect.TaskID{Connector: "c"}

// follower is an assignment to a worker that does not lead.
func (r *rig) follower(generation int32, connectors []string, tasks ...connect.TaskID) group.Assignment {
	return group.Assignment{Generation: generation, MemberID: "m2", ProtocolName: "sessioned", Version: 2, LeaderID: "m1",
		LeaderURL: "http://leader/", ConfigOffset: r.configs.Snapshot().Offset, Connectors: connectors, Tasks: tasks}
}

// leads is an assignment to the leader.
func (r *rig) leads(generation int32, connectors []string, tasks ...connect.TaskID) group.Assignment {
	a := r.follower(generation, connectors, tasks...)
	a.LeaderID, a.IsLeader, a.LeaderURL = "m2", true, "http://w:1/"
	return a
}

// store writes a connector with one task, as another worker would.
func (r *rig) store(name string) {
	r.t.Helper()
	if err := r.configs.PutConnector(r.t.Context(), name, sinkConfig(name), ""); err != nil {
		r.t.Fatal(err)
	}
	if err := r.configs.PutTaskConfigs(r.t.Context(), name, []map[string]string{{"file": "", "n": "0"}}); err != nil {
		r.t.Fatal(err)
	}
	synctest.Wait()
	r.take()
}

func TestRequestsBeforeTheFirstAssignment(t *testing.T) {
	bubble(t, false, func(t *testing.T, r *rig) {
		if r.h.Started() || r.h.Ready(t.Context()) == nil {
			t.Error("ready without an assignment")
		}
		_, _, err := r.h.PutConnector(t.Context(), "c", sinkConfig("c"), "", false)
		wantForward(t, err, "")
		wantForward(t, r.h.DeleteConnector(t.Context(), "c"), "")
		if names := r.h.Connectors(); len(names) > 0 {
			t.Errorf("connectors: %v", names)
		}
	})
}

func TestAFollowerForwardsToTheLeader(t *testing.T) {
	bubble(t, false, func(t *testing.T, r *rig) {
		r.store("c")
		r.member.assigned(r.follower(1, nil))
		synctest.Wait()
		if err := r.h.Ready(t.Context()); err != nil {
			t.Errorf("Ready: %v", err)
		}
		// A wrong config is found here, before anything is forwarded.
		_, _, err := r.h.PutConnector(t.Context(), "d", sinkConfig("d", "tasks.max", "0"), "", false)
		wantError(t, err, 400, "Invalid value 0 for configuration tasks.max: Value must be at least 1")

		_, _, err = r.h.PutConnector(t.Context(), "d", sinkConfig("d"), "", false)
		wantForward(t, err, "http://leader/")
		_, err = r.h.PatchConnector(t.Context(), "c", nil)
		wantForward(t, err, "http://leader/")
		_, err = r.h.RestartConnectorAndTasks(t.Context(), "c", true, true)
		wantForward(t, err, "http://leader/")
		wantForward(t, r.h.DeleteConnector(t.Context(), "c"), "http://leader/")
		wantForward(t, r.h.Stop(t.Context(), "c"), "http://leader/")
		wantForward(t, r.h.RestartConnector(t.Context(), "c"), "http://leader/")
		wantForward(t, r.h.RestartTask(t.Context(), task0), "http://leader/")

		// Pause and resume are for any worker, and reads as well.
		if err := r.h.Pause(t.Context(), "c"); err != nil {
			t.Error(err)
		}
		if info, err := r.h.ConnectorInfo(t.Context(), "c"); err != nil || len(info.Tasks) != 1 {
			t.Errorf("info: %+v, %v", info, err)
		}
	})
}

// overtakenConfigs returns from a new config when the connector has made one more task for it.
type overtakenConfigs struct {
	storage.ConfigStore
	tasks int
}

func (s *overtakenConfigs) PutConnector(ctx context.Context, name string, config map[string]string, initial connect.TargetState) error {
	if err := s.ConfigStore.PutConnector(ctx, name, config, initial); err != nil {
		return err
	}
	s.tasks++
	return s.PutTaskConfigs(ctx, name, slices.Repeat([]map[string]string{{"a": "b"}}, s.tasks))
}

// The answer to a new config showed now the tasks of before, now those of after it.
func TestTheAnswerToAConfigShowsTheTasksOfBefore(t *testing.T) {
	bubble(t, false, func(t *testing.T, r *rig) {
		r.member.assigned(r.leads(2, nil))
		synctest.Wait()
		for before := range 3 {
			info, created, err := r.h.PutConnector(t.Context(), "c", sinkConfig("c", "n", strconv.Itoa(before)), "", true)
			if err != nil || created != (before == 0) || len(info.Tasks) != before || info.Config["n"] != strconv.Itoa(before) || info.Type != "sink" {
				t.Errorf("%d: %+v, %v, %v", before, info, created, err)
			}
		}
		value := "y"
		info, err := r.h.PatchConnector(t.Context(), "c", map[string]*string{"x": &value, "n": nil})
		if _, left := info.Config["n"]; err != nil || len(info.Tasks) != 3 || info.Config["x"] != "y" || left {
			t.Errorf("patched: %+v, %v", info, err)
		}
		r.take()
	}, func(o *Options) { o.Configs = &overtakenConfigs{ConfigStore: o.Configs} })
}

func TestTheLeaderKnowsTheOwner(t *testing.T) {
	bubble(t, false, func(t *testing.T, r *rig) {
		r.store("c")
		r.member.assigned(r.leads(1, nil))
		synctest.Wait()
		wantForward(t, r.h.RestartConnector(t.Context(), "c"), "http://other/")
		wantForward(t, r.h.RestartTask(t.Context(), task0), "http://other/")
	})
}

func TestANewConnectorMeansARebalance(t *testing.T) {
	bubble(t, false, func(t *testing.T, r *rig) {
		r.member.assigned(r.leads(1, nil))
		synctest.Wait()
		r.take()
		r.put("c")
		r.want("rejoin: connector or task configs have changed")
		wantError(t, r.h.RestartConnector(t.Context(), "c"), 409, "stale configuration")
		a := r.leads(2, []string{"c"})
		r.member.assigned(a)
		r.want("start connector c STARTED", "task configs c", "rejoin: connector or task configs have changed")
		// It is known now: another config is a matter of its owner.
		r.member.assigned(r.leads(3, []string{"c"}, task0))
		r.want("start task c-0 STARTED")
		r.put("c", "errors.tolerance", "all")
		r.wantAnyOrder("stop connector c", "start connector c STARTED", "task configs c",
			"rejoin: connector or task configs have changed", "stop task c-0")
		r.member.assigned(r.leads(4, []string{"c"}, task0))
		r.want("start task c-0 STARTED")
	})
}

// Somebody else may start what was revoked as soon as Revoked returns.
func TestARevocationWaitsForTheStop(t *testing.T) {
	bubble(t, false, func(t *testing.T, r *rig) {
		r.store("c")
		r.member.assigned(r.follower(1, []string{"c"}, task0))
		r.wantAnyOrder("start connector c STARTED", "start task c-0 STARTED", "task configs c")
		r.status.PutTopic(storage.TopicStatus{Topic: "t", Connector: "c"})
		release := r.runtime.hold("stop task c-0")
		returned := make(chan struct{})
		r.member.work <- func(ctx context.Context) {
			r.member.listener.Revoked(ctx, []string{"c"}, []connect.TaskID{task0})
			close(returned)
		}
		r.wantAnyOrder("stop connector c", "stop task c-0")
		select {
		case <-returned:
			t.Error("Revoked returned before the task had stopped")
		default:
		}
		if err := r.h.call(t.Context(), func() {}); err != nil {
			t.Errorf("the loop does not answer meanwhile: %v", err)
		}
		release()
		<-returned
		if len(r.h.ActiveTopics("c")) != 1 {
			t.Error("the topics of a connector that exists were forgotten")
		}
		if err := r.configs.RemoveConnector(t.Context(), "c"); err != nil {
			t.Fatal(err)
		}
		gone := make(chan struct{})
		r.member.work <- func(ctx context.Context) { r.member.listener.Revoked(ctx, []string{"c"}, nil); close(gone) }
		<-gone
		if topics := r.h.ActiveTopics("c"); len(topics) != 0 {
			t.Errorf("topics of a deleted connector: %v", topics)
		}
	})
}

// A start that hangs must not keep the group from rebalancing.
func TestARevocationDoesNotWaitForAStart(t *testing.T) {
	bubble(t, false, func(t *testing.T, r *rig) {
		r.store("c")
		r.runtime.hold("start connector c STARTED")
		r.member.assigned(r.follower(1, []string{"c"}))
		returned := make(chan struct{})
		r.member.work <- func(ctx context.Context) {
			r.member.listener.Revoked(ctx, []string{"c"}, nil)
			close(returned)
		}
		<-returned
		r.want("start connector c STARTED", "stop connector c")
	})
}

func TestRevokedWorkAsksForTheSecondRound(t *testing.T) {
	bubble(t, false, func(t *testing.T, r *rig) {
		r.store("c")
		a := r.follower(1, nil)
		a.RevokedTasks = []connect.TaskID{task0}
		r.member.assigned(a)
		r.want("rejoin: revoked connectors and tasks can be assigned")
	})
}

func TestTheScheduledRebalance(t *testing.T) {
	bubble(t, false, func(t *testing.T, r *rig) {
		a := r.follower(1, nil)
		a.Delay = time.Minute
		r.member.assigned(a)
		time.Sleep(time.Minute - time.Millisecond)
		r.want()
		time.Sleep(time.Millisecond)
		r.want("rejoin: the scheduled rebalance delay is over")
		a.Generation = 2
		r.member.assigned(a)
		synctest.Wait()
		r.member.assigned(r.follower(3, nil)) // the delay is off
		time.Sleep(time.Hour)
		r.want()
	})
}

func TestConfigOffsets(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(a *group.Assignment)
		want   string
	}{
		{"the assignment is for configs that do not exist", func(a *group.Assignment) { a.ConfigOffset += 5 },
			"rejoin: the assignment was not made for the current end of the config topic"},
		{"the leader could not read the configs", func(a *group.Assignment) { a.Err = 1 },
			"rejoin: the assignment was made with different config offsets"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bubble(t, false, func(t *testing.T, r *rig) {
				r.store("c")
				for _, a := range []group.Assignment{r.follower(1, []string{"c"}), r.leads(2, []string{"c"})} {
					tc.change(&a)
					r.member.assigned(a)
					r.want(tc.want)
				}
				if r.h.Started() {
					t.Error("work was started")
				}
			})
		})
	}
}

// A worker that cannot read the config topic leaves the group for a growing while, and
// gives everything up at last.
func TestBackOffWhenConfigsCannotBeRead(t *testing.T) {
	bubble(t, false, func(t *testing.T, r *rig) {
		r.store("c")
		r.member.assigned(r.follower(1, []string{"c"}))
		r.want("start connector c STARTED", "task configs c")
		r.configs.setRefreshErr(errors.New("no broker"))
		behind := func(generation int32) {
			a := r.follower(generation, []string{"c"})
			a.ConfigOffset += 10
			r.member.assigned(a)
		}
		const reason = ": taking too long to read the log"
		for i, pause := range []string{"6s", "7.5s", "10s", "15s", "30s"} {
			behind(int32(2 + i))
			r.want("leave for " + pause + reason)
		}
		behind(7)
		r.wantAnyOrder("leave for 6s"+reason, "stop connector c")
		r.configs.setRefreshErr(nil)
		r.member.assigned(r.follower(8, []string{"c"}))
		r.want("start connector c STARTED", "task configs c")
	})
}

func TestBackOffInAnEagerGroup(t *testing.T) {
	bubble(t, false, func(t *testing.T, r *rig) {
		r.configs.setRefreshErr(errors.New("no broker"))
		a := r.follower(1, nil)
		a.Version, a.ConfigOffset = 0, 99
		r.member.assigned(a)
		r.want("leave for 5m0s: taking too long to read the log")
	})
}

func TestTaskConfigsGoToTheLeader(t *testing.T) {
	bubble(t, false, func(t *testing.T, r *rig) {
		if err := r.configs.PutConnector(t.Context(), "c", sinkConfig("c"), ""); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		r.take()
		r.leader.err = errors.New("connection refused")
		r.member.assigned(r.follower(1, []string{"c"}))
		r.want("start connector c STARTED", "task configs c", "forward 1 task configs of c to http://leader/, signed false")
		r.leader.mu.Lock()
		r.leader.err = nil
		r.leader.mu.Unlock()
		if err := r.configs.PutSessionKey(t.Context(), storage.SessionKey{Key: make([]byte, 32), Algorithm: "HmacSHA256", Created: time.Now()}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(250 * time.Millisecond)
		r.want("task configs c", "forward 1 task configs of c to http://leader/, signed true")
		time.Sleep(time.Hour)
		r.want()
	})
}

func TestStatusesOfDeletedWork(t *testing.T) {
	bubble(t, false, func(t *testing.T, r *rig) {
		r.store("c")
		running := storage.Status{State: connect.StateRunning, WorkerID: "gone:1"}
		for _, name := range []string{"c", "deleted"} {
			r.status.PutConnector(name, running)
			r.status.PutTask(connect.TaskID{Connector: name}, running)
			r.status.PutTask(connect.TaskID{Connector: name, Task: 1}, running)
		}
		r.member.assigned(r.follower(1, nil))
		synctest.Wait()
		if n := len(r.status.Connectors()); n != 2 {
			t.Errorf("a follower deleted statuses, %d are left", n)
		}
		r.member.assigned(r.leads(2, nil))
		synctest.Wait()
		if names := r.status.Connectors(); len(names) != 1 || len(r.status.Tasks("c")) != 1 || len(r.status.Tasks("deleted")) != 0 {
			t.Errorf("left: %v, tasks of c %v, of deleted %v", names, r.status.Tasks("c"), r.status.Tasks("deleted"))
		}
	})
}

func TestSessionKeys(t *testing.T) {
	bubble(t, false, func(t *testing.T, r *rig) {
		body := []byte("[]")
		sign := func(key *storage.SessionKey) api.Signature {
			return api.Signature{Body: body, Algorithm: "HmacSHA256", MAC: Sign("HmacSHA256", key.Key, body)}
		}
		r.member.assigned(r.follower(1, nil))
		synctest.Wait()
		if r.configs.Snapshot().SessionKey != nil {
			t.Fatal("a follower wrote a key")
		}
		wantError(t, r.h.PutTaskConfigs(t.Context(), "c", nil, api.Signature{}), 400, "missing required signature")
		wantError(t, r.h.PutTaskConfigs(t.Context(), "c", nil, sign(&storage.SessionKey{Key: []byte("k")})), 503, "session key")
		r.member.assigned(r.leads(2, nil))
		synctest.Wait()
		first := r.configs.Snapshot().SessionKey
		if first == nil || len(first.Key) != 32 || first.Algorithm != "HmacSHA256" {
			t.Fatalf("key: %+v", first)
		}
		wantError(t, r.h.PutTaskConfigs(t.Context(), "c", nil, sign(first)), 404, "Connector c not found")
		time.Sleep(time.Hour)
		synctest.Wait()
		second := r.configs.Snapshot().SessionKey
		if second == first {
			t.Fatal("the key was not replaced")
		}
		wantError(t, r.h.PutTaskConfigs(t.Context(), "c", nil, sign(first)), 403, "invalid signature")
		for _, tc := range []struct {
			sig  api.Signature
			text string
		}{
			{api.Signature{Algorithm: "HmacSHA256"}, "missing required signature"},
			{api.Signature{Algorithm: "Rot13", MAC: "eA=="}, "not available"},
			{api.Signature{Algorithm: "HmacSHA256", MAC: "?"}, "base64"},
			{api.Signature{Algorithm: "HmacSHA512", MAC: base64.StdEncoding.EncodeToString(body)}, "does not support the 'HmacSHA512'"},
		} {
			wantError(t, r.h.PutTaskConfigs(t.Context(), "c", nil, tc.sig), 400, tc.text)
		}
		// A key of another kind is replaced at once.
		if err := r.configs.PutSessionKey(t.Context(), storage.SessionKey{Key: make([]byte, 64), Algorithm: "HmacSHA512", Created: time.Now()}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if k := r.configs.Snapshot().SessionKey; k.Algorithm != "HmacSHA256" {
			t.Errorf("key: %+v", k)
		}
		// Without sessions nothing needs to be signed.
		a := r.leads(3, nil)
		a.Version = 1
		r.member.assigned(a)
		synctest.Wait()
		wantError(t, r.h.PutTaskConfigs(t.Context(), "c", nil, api.Signature{}), 404, "Connector c not found")
	})
}

func TestTheEndOfTheMembership(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, false).run()
		r.store("c")
		r.member.assigned(r.follower(1, []string{"c"}, task0))
		synctest.Wait()
		r.take()
		failure := errors.New("not authorised")
		r.member.fail <- failure
		if err := <-r.done; !errors.Is(err, failure) {
			t.Errorf("Run: %v", err)
		}
		r.wantAnyOrder("stop connector c", "stop task c-0", "stop the config store", "stop the status store")
		r.stop()
	})
}

func TestPluginsStopBeforeTheGroupIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, false).run()
		r.store("c")
		r.member.assigned(r.follower(1, []string{"c"}))
		synctest.Wait()
		r.take()
		if err := r.end(); err != nil {
			t.Fatal(err)
		}
		r.want("stop connector c", "leave the group", "stop the config store", "stop the status store")
		wantError(t, r.h.Ready(t.Context()), 500, "Worker is shutting down")
	})
}
