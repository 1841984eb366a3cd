//go:build integration

package integration

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/penstock-io/penstock/connect/group/protocol"
	"github.com/penstock-io/penstock/integration-tests/stack"
	"github.com/penstock-io/penstock/rest/api"
	"github.com/penstock-io/penstock/rest/client"
)

// member is a worker of a mixed group: ours, or with jvm the JVM's.
type member struct {
	name string
	jvm  *stack.JVMWorker
	rest *workerProcess // of the JVM's: only for requests
	up   bool
	// loggers are those of a system worker when it was started.
	loggers map[string]loggerLevel
}

// mixedGroup is a group of workers of both kinds, with the same properties.
type mixedGroup struct {
	t       *testing.T
	name    string
	props   map[string]string
	kafka   *kgo.Client
	members []*member
}

// quick are properties with which a dead worker is noticed soon.
func quick(more ...string) map[string]string {
	return with(map[string]string{"session.timeout.ms": "6000", "heartbeat.interval.ms": "1000", "scheduled.rebalance.max.delay.ms": "1000",
		"consumer.session.timeout.ms": "6000", "consumer.heartbeat.interval.ms": "1000"}, more...)
}

func newMixedGroup(t *testing.T, name string, props map[string]string) *mixedGroup {
	t.Helper()
	return &mixedGroup{t: t, name: name, props: props, kafka: kafkaClient(t)}
}

// addOurs starts one of our workers.
func (g *mixedGroup) addOurs(name string) *member {
	g.t.Helper()
	w := newWorker(g.t, g.name, g.props)
	w.start()
	m := &member{name: name, rest: w, up: true}
	g.members = append(g.members, m)
	return m
}

// addJVM starts a JVM worker, with more properties.
func (g *mixedGroup) addJVM(name string, more ...string) *member {
	g.t.Helper()
	g.props = with(g.props, more...)
	return g.addJVMs(name)[0]
}

// addJVMs starts several JVM workers at the same time; they take their while.
func (g *mixedGroup) addJVMs(names ...string) (added []*member) {
	g.t.Helper()
	var starting sync.WaitGroup
	failed := make([]error, len(names))
	for i, name := range names {
		props, err := readProperties(newWorker(g.t, g.name, g.props).props)
		if err != nil {
			g.t.Fatal(err)
		}
		delete(props, "listeners")
		m := &member{name: name, up: true}
		added = append(added, m)
		dir := g.t.TempDir()
		starting.Go(func() { m.jvm, failed[i] = stack.StartJVMWorker(g.t.Context(), dir, props) })
	}
	starting.Wait()
	for i, m := range added {
		if failed[i] != nil {
			g.t.Fatal(failed[i])
		}
		m.rest = &workerProcess{t: g.t, base: m.jvm.URL, logPath: m.jvm.LogPath, client: client.New(nil)}
		g.t.Cleanup(func() {
			m.jvm.Kill()
			if g.t.Failed() {
				g.t.Logf("the end of the log of %s:\n%s", m.name, m.rest.logTail(60))
			}
		})
	}
	g.members = append(g.members, added...)
	return added
}

// kill ends a member as a crash does.
func (m *member) kill() {
	m.up = false
	if m.jvm == nil {
		m.rest.kill()
	} else if err := m.jvm.Kill(); err != nil {
		m.rest.t.Fatal(err)
	}
}

// stop ends a member with SIGTERM and waits for its end.
func (m *member) stop() {
	m.rest.t.Helper()
	m.up = false
	if m.jvm == nil {
		if code := m.rest.stop(); code != 0 {
			m.rest.t.Fatalf("%s ended with %d", m.name, code)
		}
	} else if err := m.jvm.Stop(); err != nil {
		m.rest.t.Fatal(err)
	}
}

func (m *member) start() {
	m.rest.t.Helper()
	if m.jvm == nil {
		m.rest.start()
	} else if err := m.jvm.Start(m.rest.t.Context()); err != nil {
		m.rest.t.Fatal(err)
	}
	m.up = true
}

// via sends requests to the member for a (sub-)test.
func (m *member) via(t *testing.T) *workerProcess {
	w := *m.rest
	w.t = t
	return &w
}

func (m *member) workerID() string { return strings.TrimPrefix(m.rest.base, "http://") }

func (g *mixedGroup) running() (all []*member) {
	for _, m := range g.members {
		if m.up {
			all = append(all, m)
		}
	}
	return all
}

func (g *mixedGroup) byID(workerID string) *member {
	for _, m := range g.members {
		if m.workerID() == workerID {
			return m
		}
	}
	return nil
}

// describe returns a stable group's protocol and members as the broker knows them.
func describe(ctx context.Context, c *kgo.Client, group string) (kmsg.DescribeGroupsResponseGroup, error) {
	req := kmsg.NewPtrDescribeGroupsRequest()
	req.Groups = []string{group}
	resp, err := req.RequestWith(ctx, c)
	if err != nil {
		return kmsg.DescribeGroupsResponseGroup{}, err
	}
	if d := resp.Groups[0]; d.ErrorCode != 0 || d.State != "Stable" {
		return d, fmt.Errorf("group %s: state %q, error code %d", group, d.State, d.ErrorCode)
	}
	return resp.Groups[0], nil
}

// leader returns the member that leads, once the group is stable with as many members as
// there are processes.
func (g *mixedGroup) leader(t *testing.T) (leader *member) {
	t.Helper()
	eventually(t, time.Minute, "the group is stable and has a leader", func() error {
		d, err := describe(t.Context(), g.kafka, g.name)
		if err != nil {
			return err
		}
		if len(d.Members) != len(g.running()) {
			return fmt.Errorf("%d members, %d processes", len(d.Members), len(g.running()))
		}
		a, err := protocol.ReadAssignment(d.Members[0].MemberAssignment)
		if err != nil {
			return err
		}
		id := strings.TrimSuffix(strings.TrimPrefix(a.LeaderURL, "http://"), "/")
		if leader = g.byID(id); leader == nil || !leader.up {
			return fmt.Errorf("the leader is %s", a.LeaderURL)
		}
		return nil
	})
	return leader
}

// mustLead fails the test unless a member of the wanted kind leads.
func (g *mixedGroup) mustLead(t *testing.T, jvm bool) {
	t.Helper()
	if l := g.leader(t); (l.jvm != nil) != jvm {
		t.Fatalf("%s leads", l.name)
	}
}

// agree waits until all running members show the same status, with given states and on
// workers that run.
func (g *mixedGroup) agree(t *testing.T, name, connector string, tasks ...string) (st api.ConnectorStatus) {
	t.Helper()
	eventually(t, time.Minute, fmt.Sprintf("all members show %s as %s with tasks %v", name, connector, tasks), func() (err error) {
		for i, m := range g.running() {
			other, err := m.via(t).status(name)
			if err != nil {
				return fmt.Errorf("%s: %w", m.name, err)
			}
			other.Type = "" // unknown to a member that lacks the class
			if i > 0 && !reflect.DeepEqual(st, other) {
				return fmt.Errorf("%s shows %+v, %s shows %+v", g.running()[0].name, st, m.name, other)
			}
			st = other
		}
		var states []string
		ids := []string{st.Connector.WorkerID}
		for _, task := range st.Tasks {
			states, ids = append(states, task.State), append(ids, task.WorkerID)
		}
		if st.Connector.State != connector || !slices.Equal(states, tasks) {
			return fmt.Errorf("it is %+v", st)
		}
		for _, id := range ids {
			if m := g.byID(id); m == nil || !m.up {
				return fmt.Errorf("it is still on %s: %+v", id, st)
			}
		}
		return nil
	})
	return st
}

// times repeats a state.
func times(n int, state string) []string { return slices.Repeat([]string{state}, n) }

// TestAMixedGroup has a JVM worker and two of ours in one group. Each kind leads; requests
// come through every member; members leave in order and are killed, while a source and two
// sinks work. A JVM takes long to start, so that all this shares one.
func TestAMixedGroup(t *testing.T) {
	g := &mixedWork{mixedGroup: newMixedGroup(t, "mixed-group", quick())}
	jvm := g.addJVM("the JVM's worker", "plugin.path", renamedPlugins(t, "FileStream", "OnlyTheJVM"))
	ours, other := g.addOurs("our worker 1"), g.addOurs("our worker 2")
	g.mustLead(t, true)
	g.startWork(t, jvm)

	t.Run("the JVM leads", func(t *testing.T) {
		t.Run("requests", func(t *testing.T) { g.requests(t, "jvm-leads") })
		t.Run("a class of the JVM's only", g.onlyTheJVMHasIt)
		g.leaves(t, ours, true)
		g.mustLead(t, true)
		g.leaves(t, jvm, true)
	})
	t.Run("ours leads", func(t *testing.T) {
		g.mustLead(t, false)
		t.Run("requests", func(t *testing.T) { g.requests(t, "ours-leads") })
		t.Run("classes of one kind only", g.eachWhereItCanRun)
		g.checkRepeats(t)
		g.leaves(t, jvm, false)
		g.mustLead(t, false)
		g.leaves(t, g.leader(t), false)
	})
	t.Run("the JVM leads again", func(t *testing.T) {
		for _, m := range []*member{ours, other} {
			m.stop()
		}
		g.mustLead(t, true)
		for _, m := range []*member{ours, other} {
			m.start()
		}
		g.settled(t, "the JVM leads again", time.Now())
		t.Run("a class of ours only", g.onlyOursHasIt)
		g.leaves(t, other, false)
		g.mustLead(t, true)
		jvm.kill()
		g.settled(t, "the JVM's worker, the leader, was killed", time.Now().Add(time.Second))
	})
	g.finishWork(t)
}

// requests lets every member take every kind of request, at the same time.
func (g *mixedWork) requests(t *testing.T, tag string) {
	g.forwardedTaskConfigs(t, tag)
	t.Run("through each", func(t *testing.T) {
		for i, m := range g.members {
			t.Run(m.name, func(t *testing.T) {
				t.Parallel()
				g.lifeOfASource(t, m, fmt.Sprintf("%s-%d", tag, i))
				g.restarts(t, m, fmt.Sprintf("%s-mock-%d", tag, i))
			})
		}
	})
}

// forwardedTaskConfigs changes the config of a connector on each member, so that each
// follower must send new task configs to the leader, signed.
func (g *mixedGroup) forwardedTaskConfigs(t *testing.T, tag string) {
	t.Helper()
	names := []string{tag + "-a", tag + "-b", tag + "-c"}
	rest := g.leader(t).via(t)
	for _, name := range names {
		rest.put(name, fileSource(filepath.Join(t.TempDir(), "none"), tag+"-none"))
	}
	owners := map[string]bool{}
	eventually(t, time.Minute, "each member has one of the connectors", func() error {
		clear(owners)
		for _, name := range names {
			st, err := rest.status(name)
			if err != nil || st.Connector.State != "RUNNING" {
				return fmt.Errorf("status %+v, %v", st, err)
			}
			owners[st.Connector.WorkerID] = true
		}
		// The numbers' connector and the rest of an earlier test count, too.
		if len(owners) < len(g.running())-1 {
			return fmt.Errorf("only %v", owners)
		}
		return nil
	})
	for i, name := range names {
		g.members[(i+1)%len(g.members)].via(t).put(name, fileSource(filepath.Join(t.TempDir(), "other"), tag+"-none", "batch.size", "77"))
	}
	for _, name := range names {
		g.awaitTaskConfig(t, name, "batch.size", "77")
		g.agree(t, name, "RUNNING", "RUNNING")
	}
	for i, name := range names {
		g.members[(i+2)%len(g.members)].via(t).request(http.MethodDelete, "/connectors/"+name, nil)
	}
}

// awaitTaskConfig waits until all members show a value in the config of task 0.
func (g *mixedGroup) awaitTaskConfig(t *testing.T, name, key, value string) {
	t.Helper()
	eventually(t, time.Minute, fmt.Sprintf("all members show the task of %s with %s=%s", name, key, value), func() error {
		for _, m := range g.running() {
			var tasks []api.TaskInfo
			if err := m.rest.client.JSON(t.Context(), http.MethodGet, client.ConnectorURL(m.rest.base, name, "tasks"), nil, &tasks); err != nil {
				return fmt.Errorf("%s: %w", m.name, err)
			}
			if len(tasks) != 1 || tasks[0].Config[key] != value {
				return fmt.Errorf("%s shows %+v", m.name, tasks)
			}
		}
		return nil
	})
}

// lifeOfASource creates a source, changes, pauses, stops and deletes it, all through one
// member. Every line of its file comes once.
func (g *mixedGroup) lifeOfASource(t *testing.T, m *member, name string) {
	w := m.via(t)
	createTopic(t, g.kafka, name, 1)
	lines := &lineWriter{t: t, path: filepath.Join(t.TempDir(), "in")}
	lines.append(100)
	r := readTopic(t, name, kgo.ReadUncommitted())
	w.put(name, fileSource(lines.path, name))
	g.agree(t, name, "RUNNING", "RUNNING")
	r.untilLines(time.Minute, 100)

	w.put(name, fileSource(lines.path, name, "batch.size", "777"))
	g.awaitTaskConfig(t, name, "batch.size", "777")
	for _, to := range []struct {
		path, connector string
		tasks           []string
	}{
		{"/pause", "PAUSED", []string{"PAUSED"}},
		{"/resume", "RUNNING", []string{"RUNNING"}},
		{"/stop", "STOPPED", nil},
		{"/resume", "RUNNING", []string{"RUNNING"}},
	} {
		w.request(http.MethodPut, "/connectors/"+name+to.path, nil)
		g.agree(t, name, to.connector, to.tasks...)
		lines.append(10)
	}
	checkEachOnce(t, r.untilLines(time.Minute, 140), 140)

	g.delete(t, w, name)
}

// delete deletes a connector through one member and waits until no member knows it.
func (g *mixedGroup) delete(t *testing.T, w *workerProcess, name string) {
	t.Helper()
	eventually(t, time.Minute, name+" is deleted", func() error {
		err := w.client.JSON(t.Context(), http.MethodDelete, client.ConnectorURL(w.base, name), nil, nil)
		if isNotFound(err) { // an attempt whose answer was lost
			return nil
		}
		return err
	})
	eventually(t, time.Minute, "no member knows "+name, func() error {
		for _, m := range g.running() {
			_, err := m.via(t).status(name)
			if !isNotFound(err) {
				return fmt.Errorf("%s: %v", m.name, err)
			}
		}
		return nil
	})
}

func isNotFound(err error) bool {
	var e *api.Error
	return errors.As(err, &e) && e.Status == http.StatusNotFound
}

// restarts restarts a connector and a task that fail a while after each start.
func (g *mixedGroup) restarts(t *testing.T, m *member, name string) {
	w := m.via(t)
	mock := map[string]string{"connector.class": tools + "MockSourceConnector", "mock_mode": "task-failure", "delay_ms": "1500"}
	w.put(name, mock)
	for _, path := range []string{"/tasks/0/restart", "/restart?includeTasks=true&onlyFailed=true"} {
		g.agree(t, name, "RUNNING", "FAILED")
		w.post("/connectors/" + name + path)
		w.awaitState(name, "RUNNING", "RUNNING")
	}
	w.put(name, with(mock, "mock_mode", "connector-failure"))
	g.agree(t, name, "FAILED", "RUNNING")
	w.post("/connectors/" + name + "/restart")
	w.awaitState(name, "RUNNING", "RUNNING")
	g.delete(t, w, name)
}

// leaves ends a member, in order or by killing it, waits until the others do its work, and
// starts it again.
func (g *mixedWork) leaves(t *testing.T, m *member, clean bool) {
	t.Helper()
	leader, how := g.leader(t), "was killed"
	g.settled(t, "before", time.Now())
	if clean {
		how = "was stopped"
		m.stop()
	} else {
		m.kill()
	}
	g.settled(t, fmt.Sprintf("%s %s while %s led", m.name, how, leader.name), time.Now().Add(500*time.Millisecond))
	m.start()
	g.settled(t, m.name+" came back", time.Now())
}
