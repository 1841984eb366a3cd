package herder

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/group"
	"github.com/penstock-io/penstock/rest/api"
)

const elsewhere = "org.example.ElsewhereSinkConnector"

// foreign stores a connector with a class that this worker lacks, with one task.
func (r *rig) foreign(name string) {
	r.t.Helper()
	if err := r.configs.PutConnector(r.t.Context(), name, sinkConfig(name, "connector.class", elsewhere), ""); err != nil {
		r.t.Fatal(err)
	}
	if err := r.configs.PutTaskConfigs(r.t.Context(), name, []map[string]string{{"n": "0"}}); err != nil {
		r.t.Fatal(err)
	}
	synctest.Wait()
	r.take()
}

func TestAMissingPluginIsReportedWithWhereItIs(t *testing.T) {
	for _, tc := range []struct {
		name    string
		leads   bool
		holders *group.Holders
		want    string
	}{
		{"a follower", false, nil, "This worker, w:1, does not have " + elsewhere + ". A Penstock worker as leader places connectors on workers that have their class, " +
			"another leader does not; the leader is http://leader/."},
		{"others have it", true, &group.Holders{Have: []string{"http://a/", "http://b/"}, Lack: []string{"http://w:1/"}},
			"This worker, w:1, does not have " + elsewhere + "; members that have it: http://a/, http://b/."},
		{"nobody has it", true, &group.Holders{Lack: []string{"http://c/", "http://w:1/"}, Unknown: []string{"http://u/"}},
			"no member of the group has it. Asked were: http://c/, http://w:1/. Not answered have: http://u/. Install the plugin"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bubble(t, false, func(t *testing.T, r *rig) {
				r.foreign("c")
				r.member.holders = tc.holders
				a := r.follower(3, []string{"c"}, task0)
				if tc.leads {
					a = r.leads(3, []string{"c"}, task0)
				}
				r.member.assigned(a)
				r.want() // the runtime is not even asked
				conn, _ := r.status.Connector("c")
				task, _ := r.status.Task(task0)
				for what, st := range map[string]struct {
					state      connect.State
					trace, id  string
					generation int
				}{"connector": {conn.State, conn.Trace, conn.WorkerID, conn.Generation}, "task": {task.State, task.Trace, task.WorkerID, task.Generation}} {
					if st.state != connect.StateFailed || st.id != "w:1" || st.generation != 3 {
						t.Errorf("%s: %+v", what, st)
					}
					if !strings.HasPrefix(st.trace, "org.apache.kafka.connect.errors.ConnectException: Failed to find any class that implements Connector and which name matches "+elsewhere) ||
						!strings.Contains(st.trace, tc.want) {
						t.Errorf("%s: %s", what, st.trace)
					}
				}
				// It can be restarted, and fails again.
				wantError(t, r.h.RestartTask(t.Context(), task0), 500, "Failed to start task: c-0")
			})
		})
	}
}

// A worker that has the class in another version only is like one that lacks it.
func TestAnotherVersionIsReportedWithWhereItIs(t *testing.T) {
	bubble(t, false, func(t *testing.T, r *rig) {
		for name, version := range map[string]string{"c": "[2,)", "d": "[1.0,2.0)", "e": "latest", "f": "[2"} {
			if err := r.configs.PutConnector(t.Context(), name, sinkConfig(name, "connector.plugin.version", version), ""); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		r.take()
		r.member.holders = &group.Holders{Have: []string{"http://a/"}, Lack: []string{"http://w:1/"}}
		r.member.assigned(r.leads(3, []string{"c", "d", "e", "f"}))
		r.ignore = "rejoin: connector or task configs have changed"                                           // as often as it may be
		r.wantAnyOrder("start connector d STARTED", "start connector e STARTED", "start connector f STARTED", // f is for the runtime to refuse
			"task configs d", "task configs e", "task configs f")
		st, _ := r.status.Connector("c")
		want := "org.apache.kafka.connect.errors.ConnectException: Failed to instantiate class for connector c: Plugin io.example.TestSinkConnector not found that matches " +
			"the version range [2,), available versions: [1.2]. This worker, w:1, does not have TestSink in version [2,); members that have it: http://a/. It is moved to one of them."
		if st.State != connect.StateFailed || !strings.HasPrefix(st.Trace, want) {
			t.Errorf("%+v", st)
		}
	})
}

// The config of another version is checked where that is.
func TestTheLeaderHasConfigsCheckedWhereTheVersionIs(t *testing.T) {
	c := &checker{answers: map[string]error{}}
	bubble(t, false, func(t *testing.T, r *rig) {
		c.trace = r.trace
		r.member.assigned(r.leads(2, nil))
		synctest.Wait()
		r.take()
		r.member.holders = &group.Holders{Have: []string{"http://a/"}, Lack: []string{"http://w:1/"}}
		r.put("c", "connector.plugin.version", "[2,)")
		r.want("http://a/ checks a config of TestSink", "rejoin: connector or task configs have changed")
		r.put("d", "connector.plugin.version", "1.2")
		r.want("rejoin: connector or task configs have changed")
	}, func(o *Options) { o.ValidateAt = c.validate })
}

func TestAStandaloneWorkerNamesNobody(t *testing.T) {
	bubble(t, true, func(t *testing.T, r *rig) {
		r.foreign("c")
		st, _ := r.status.Connector("c")
		if !strings.Contains(st.Trace, "link the plugin into it, or use another class") {
			t.Errorf("%+v", st)
		}
		_, _, err := r.h.PutConnector(t.Context(), "d", sinkConfig("d", "connector.class", elsewhere), "", false)
		wantError(t, err, 400, "Failed to find any class")
	})
}

// checker stands for the workers that check configs.
type checker struct {
	*trace
	answers map[string]error
	invalid bool
}

func (c *checker) validate(_ context.Context, url string, config map[string]string) (api.ConfigInfos, error) {
	c.add("%s checks a config of %s", url, config["connector.class"])
	infos := api.ConfigInfos{Name: config["connector.class"]}
	if c.invalid {
		infos.ErrorCount = 1
		infos.Configs = []api.ConfigInfo{{Value: api.ConfigValue{Name: "url", Errors: []string{"no url"}}}}
	}
	return infos, c.answers[url]
}

func TestTheLeaderHasConfigsCheckedWhereTheClassIs(t *testing.T) {
	c := &checker{answers: map[string]error{}}
	bubble(t, false, func(t *testing.T, r *rig) {
		c.trace = r.trace
		put := func(name string) error {
			_, _, err := r.h.PutConnector(t.Context(), name, sinkConfig(name, "connector.class", elsewhere), "", true)
			synctest.Wait()
			return err
		}
		wantError(t, put("c"), 400, "Failed to find any class") // there is no leader to ask

		r.member.assigned(r.follower(1, nil))
		synctest.Wait()
		wantForward(t, put("c"), "http://leader/")

		r.member.assigned(r.leads(2, nil))
		synctest.Wait()
		wantError(t, put("c"), 409, "Cannot complete request momentarily") // a rebalance is under way
		r.member.holders = &group.Holders{Lack: []string{"http://a/"}}
		wantError(t, put("c"), 400, "Failed to find any class")
		r.take()

		// A member that has not told yet is waited for, and one that does not tell is not.
		began := time.Now()
		r.member.holders = &group.Holders{Lack: []string{"http://a/"}, Unknown: []string{"http://u/"}}
		if err := put("late"); err != nil || time.Since(began) != holdersLate {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
		r.want("http://u/ checks a config of "+elsewhere, "rejoin: connector or task configs have changed")

		r.member.holders = &group.Holders{Have: []string{"http://a/", "http://b/"}}
		c.answers["http://a/"] = errors.New("connection refused")
		if err := put("c"); err != nil {
			t.Error(err)
		}
		r.want("http://a/ checks a config of "+elsewhere, "http://b/ checks a config of "+elsewhere, "rejoin: connector or task configs have changed")
		if r.configs.Snapshot().Connector("c") == nil {
			t.Error("not written")
		}
		c.invalid = true
		wantError(t, put("d"), 400, "contains the following 1 error(s):\nno url")
		if r.configs.Snapshot().Connector("d") != nil {
			t.Error("written though it is invalid")
		}
		c.answers["http://b/"] = errors.New("connection refused")
		if err := put("d"); err == nil || !strings.Contains(err.Error(), "connection refused") {
			t.Errorf("nobody answers: %v", err)
		}
		patch := "x"
		if _, err := r.h.PatchConnector(t.Context(), "c", map[string]*string{"file": &patch}); err == nil {
			t.Error("patched without a check")
		}
		r.take()
	}, func(o *Options) { o.ValidateAt = c.validate })
}
