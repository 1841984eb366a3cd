package herder

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/data"
	"github.com/penstock-io/penstock/connect/worker"
	"github.com/penstock-io/penstock/rest/api"
)

const (
	notStopped = "Connectors must be in the STOPPED state before their offsets can be modified. This can be done for the specified connector by " +
		"issuing a 'PUT' request to the '/connectors/c/stop' endpoint"
	alteredHere = "The Connect framework-managed offsets for this connector have been altered successfully. However, if this connector manages offsets " +
		"externally, they will need to be manually altered in the system that the connector uses."
	resetHere = "The Connect framework-managed offsets for this connector have been reset successfully. However, if this connector manages offsets " +
		"externally, they will need to be manually reset in the system that the connector uses."
)

func exactlyOnce(o *Options) { o.LeaderTransactions, o.ExactlyOnce = true, true }

func offsetsOf(pairs ...string) api.ConnectorOffsets {
	var o api.ConnectorOffsets
	for i := 0; i < len(pairs); i += 2 {
		o.Offsets = append(o.Offsets, api.ConnectorOffset{Partition: json.RawMessage(pairs[i]), Offset: json.RawMessage(pairs[i+1])})
	}
	return o
}

// modify are the two changes of offsets.
var modify = map[string]func(ctx context.Context, h *Herder, name string) (api.Message, error){
	"alter": func(ctx context.Context, h *Herder, name string) (api.Message, error) {
		return h.AlterConnectorOffsets(ctx, name, offsetsOf(`{"p":1}`, `{"o":2}`))
	},
	"reset": func(ctx context.Context, h *Herder, name string) (api.Message, error) {
		return h.ResetConnectorOffsets(ctx, name)
	},
}

// stopped stores a connector that is stopped.
func (r *rig) stopped(config map[string]string) {
	r.t.Helper()
	if err := r.configs.ConfigStore.PutConnector(r.t.Context(), config["name"], config, connect.TargetStopped); err != nil {
		r.t.Fatal(err)
	}
}

func TestOffsetsAreListedByAnyWorker(t *testing.T) {
	bubble(t, false, func(t *testing.T, r *rig) {
		r.store("c")
		r.member.assigned(r.follower(1, nil))
		synctest.Wait()
		_, err := r.h.ConnectorOffsets(t.Context(), "x")
		wantError(t, err, 404, "Connector x not found")
		text := func() string {
			t.Helper()
			o, err := r.h.ConnectorOffsets(t.Context(), "c")
			if err != nil {
				t.Fatal(err)
			}
			b, err := api.Marshal(o)
			if err != nil {
				t.Fatal(err)
			}
			return string(b)
		}
		if got := text(); got != `{"offsets":[]}` {
			t.Errorf("none: %s", got)
		}
		partition, offset := data.NewMap(2), data.NewMap(1)
		partition.Put("kafka_topic", "<t>")
		partition.Put("kafka_partition", int32(3))
		offset.Put("kafka_offset", int64(7))
		r.runtime.offsets = []connect.SourceOffset{{Partition: partition, Offset: offset}, {Partition: offset}}
		if got, want := text(), `{"offsets":[{"partition":{"kafka_partition":3,"kafka_topic":"<t>"},"offset":{"kafka_offset":7}},`+
			`{"partition":{"kafka_offset":7},"offset":null}]}`; got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		failure := errors.New("Failed to retrieve consumer group offsets for sink connector c")
		r.runtime.failing("offsets c", failure)
		if _, err := r.h.ConnectorOffsets(t.Context(), "c"); !errors.Is(err, failure) {
			t.Errorf("got %v", err)
		}
	})
}

func TestWhenOffsetsMayNotBeChanged(t *testing.T) {
	for name, change := range modify {
		t.Run(name, func(t *testing.T) {
			bubble(t, false, func(t *testing.T, r *rig) {
				try := func(name string) error {
					_, err := change(t.Context(), r.h, name)
					return err
				}
				r.store("c")
				r.stopped(sinkConfig("stopped"))
				wantError(t, try("stopped"), 409, "stale configuration") // there was no assignment yet
				r.assign(1, false)
				synctest.Wait()
				wantForward(t, try("stopped"), "http://leader/")
				r.lead(2)
				wantError(t, try("x"), 404, "Connector x not found")
				wantError(t, try("c"), 400, notStopped)
				if err := r.configs.PutTargetState(t.Context(), "c", connect.TargetStopped); err != nil {
					t.Fatal(err)
				}
				wantError(t, try("c"), 400, notStopped) // it has tasks
				r.configs.setRefreshErr(errors.New("no broker"))
				wantError(t, try("stopped"), 500, "Failed to read to end of config topic before modifying connector offsets: no broker")
				r.configs.setRefreshErr(nil)
				if err := r.h.Stop(t.Context(), "c"); err != nil {
					t.Fatal(err)
				}
				// Its tasks may still run: the group has not heard yet.
				wantError(t, try("c"), 409, "stale configuration")
				r.lead(3)
				if err := try("c"); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// The config topic says stopped, but the loop has not seen that yet, let alone the group.
func TestAChangeWaitsForTheLoop(t *testing.T) {
	bubble(t, false, func(t *testing.T, r *rig) {
		r.stopped(sinkConfig("c"))
		r.lead(1)
		r.h.pending.mu.Lock()
		set(&r.h.pending.tasks, task0, true)
		r.h.pending.mu.Unlock()
		_, err := r.h.ResetConnectorOffsets(t.Context(), "c")
		wantError(t, err, 409, "stale configuration")
		r.want("rejoin: connector or task configs have changed")
		r.lead(2)
		if _, err := r.h.ResetConnectorOffsets(t.Context(), "c"); err != nil {
			t.Error(err)
		}
	})
}

func TestChangesOfOffsets(t *testing.T) {
	bubble(t, false, func(t *testing.T, r *rig) {
		r.stopped(sinkConfig("plain"))
		r.stopped(sinkConfig("told", "file", "told"))
		r.lead(1)
		for _, tc := range []struct{ name, altered, reset string }{
			{"plain", alteredHere, resetHere},
			{"told", "The offsets for this connector have been altered successfully", "The offsets for this connector have been reset successfully"},
		} {
			m, err := r.h.AlterConnectorOffsets(t.Context(), tc.name, offsetsOf(`{"b":1,"a":"x"}`, `{"o":1.5}`, `null`, ``))
			if err != nil || m.Message != tc.altered {
				t.Errorf("alter: %q, %v", m.Message, err)
			}
			r.want("alter 2 offsets of "+tc.name, "{a=x, b=1} = {o=1.5}", "<nil> = <nil>")
			if m, err = r.h.ResetConnectorOffsets(t.Context(), tc.name); err != nil || m.Message != tc.reset {
				t.Errorf("reset: %q, %v", m.Message, err)
			}
			r.want("reset offsets of " + tc.name)
		}
	})
}

func TestErrorsOfAChange(t *testing.T) {
	bubble(t, false, func(t *testing.T, r *rig) {
		r.stopped(sinkConfig("c"))
		r.lead(1)
		alter := func() error { _, err := modify["alter"](t.Context(), r.h, "c"); return err }
		r.runtime.failing("alter 1 offsets of c", fmt.Errorf("wrapped: %w", &worker.OffsetsError{Msg: "Kafka partitions must be valid numbers and may not be null"}))
		wantError(t, alter(), 400, "Kafka partitions must be valid numbers and may not be null")
		r.runtime.failing("alter 1 offsets of c", errors.New("Failed to alter consumer group offsets for connector c: no"))
		wantError(t, alter(), 500, "Failed to alter consumer group offsets for connector c: no")
		// The sentence that tells what took so long is not replaced by "Request timed out".
		r.runtime.failing("alter 1 offsets of c", fmt.Errorf("Timed out while attempting to modify offsets for source connector c: %w", context.DeadlineExceeded))
		wantError(t, alter(), 500, "Timed out while attempting to modify offsets for source connector c")
		for _, tc := range [][2]string{{`[]`, `null`}, {`{}`, `1`}, {`{"a":}`, `{}`}, {`{} {}`, `{}`}, {strings.Repeat(`{"a":`, 200), `{}`}} {
			if _, err := r.h.AlterConnectorOffsets(t.Context(), "c", offsetsOf(tc[0], tc[1])); err == nil {
				t.Errorf("%v was taken", tc)
			}
		}
	})
}

func TestExactlyOnceSourcesAreFencedFirst(t *testing.T) {
	bubble(t, false, func(t *testing.T, r *rig) {
		r.source("s", 2, 0)
		if err := r.configs.PutTargetState(t.Context(), "s", connect.TargetStopped); err != nil {
			t.Fatal(err)
		}
		r.stopped(sinkConfig("sink"))
		r.lead(1)
		r.runtime.failing("fence 2 tasks of s", errors.New("no broker"))
		_, err := r.h.ResetConnectorOffsets(t.Context(), "s")
		wantError(t, err, 500, "Failed to perform zombie fencing for source connector prior to modifying offsets: ")
		r.want("fence 2 tasks of s")
		r.runtime.failing("fence 2 tasks of s", nil)

		// The connector is resumed meanwhile.
		release := r.runtime.hold("fence 2 tasks of s")
		ended := async(func() error { _, err := r.h.ResetConnectorOffsets(t.Context(), "s"); return err })
		if err := r.h.Resume(t.Context(), "s"); err != nil {
			t.Fatal(err)
		}
		release()
		wantError(t, <-ended, 400, "Connectors must be in the STOPPED state")
		r.want("fence 2 tasks of s", "record 0 tasks of s")
		if err := r.configs.PutTargetState(t.Context(), "s", connect.TargetStopped); err != nil {
			t.Fatal(err)
		}

		if _, err := r.h.ResetConnectorOffsets(t.Context(), "s"); err != nil {
			t.Error(err)
		}
		r.want("reset offsets of s") // all older tasks were shut out before
		if _, err := r.h.ResetConnectorOffsets(t.Context(), "sink"); err != nil {
			t.Error(err)
		}
		r.want("reset offsets of sink")
	}, exactlyOnce)
}

func TestAChangeHoldsUpNobodyAndIsNotCutShort(t *testing.T) {
	bubble(t, false, func(t *testing.T, r *rig) {
		r.stopped(sinkConfig("c"))
		r.stopped(sinkConfig("d"))
		r.lead(1)
		release := r.runtime.hold("alter 1 offsets of c")
		gone, leave := context.WithCancel(t.Context())
		first := async(func() error { _, err := modify["alter"](gone, r.h, "c"); return err })
		second := async(func() error { _, err := modify["reset"](t.Context(), r.h, "c"); return err })
		r.want("alter 1 offsets of c")
		if err := r.h.Ready(t.Context()); err != nil {
			t.Error(err)
		}
		if err := r.h.DeleteConnector(t.Context(), "d"); err != nil {
			t.Errorf("another write: %v", err)
		}
		r.lead(2)
		leave()
		if err := <-first; !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		wantUnder(t, second)
		release()
		if err := <-second; err != nil {
			t.Error(err)
		}
		r.want("{p=1} = {o=2}", "reset offsets of c")
	})
}

func TestAChangeThatHangs(t *testing.T) {
	bubble(t, false, func(t *testing.T, r *rig) {
		r.stopped(sinkConfig("c"))
		r.lead(1)
		r.runtime.hold("reset offsets of c")
		start := time.Now()
		_, err := r.h.ResetConnectorOffsets(t.Context(), "c")
		if d := time.Since(start); err == nil || d != 85*time.Second {
			t.Errorf("%v after %v", err, d)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, false).run()
		r.stopped(sinkConfig("c"))
		r.lead(1)
		r.runtime.hold("reset offsets of c")
		ended := async(func() error { _, err := r.h.ResetConnectorOffsets(t.Context(), "c"); return err })
		if err := r.end(); err != nil {
			t.Fatal(err)
		}
		if err := <-ended; err == nil {
			t.Error("a change that did not take place is reported as done")
		}
	})
}

// The JVM's standalone worker stops tasks before it answers; here the change waits.
func TestStandaloneOffsets(t *testing.T) {
	bubble(t, true, func(t *testing.T, r *rig) {
		r.put("c")
		r.take()
		_, err := r.h.ResetConnectorOffsets(t.Context(), "c")
		wantError(t, err, 400, notStopped)
		_, err = r.h.ResetConnectorOffsets(t.Context(), "x")
		wantError(t, err, 404, "Connector x not found")
		release := r.runtime.hold("stop task c-0")
		if err := r.h.Stop(t.Context(), "c"); err != nil {
			t.Fatal(err)
		}
		ended := async(func() error { _, err := r.h.ResetConnectorOffsets(t.Context(), "c"); return err })
		wantUnder(t, ended)
		r.take()
		release()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		r.want("reset offsets of c")
	}, func(o *Options) { o.SyncTimeout = 0 }) // it is no setting of a standalone worker
}

func TestSourceConnectors(t *testing.T) {
	bubble(t, true, func(t *testing.T, r *rig) {
		config := sourceConfig("s", "tasks.max", "2")
		if err := r.configs.PutConnector(t.Context(), "s", config, ""); err != nil {
			t.Fatal(err)
		}
		r.wantAnyOrder("start connector s STARTED", "task configs s", "start task s-0 STARTED", "start task s-1 STARTED")
		info, err := r.h.ConnectorInfo(t.Context(), "s")
		if err != nil || info.Type != "source" || len(info.Tasks) != 2 {
			t.Errorf("info: %+v, %v", info, err)
		}
		if st, err := r.h.ConnectorStatus("s"); err != nil || st.Type != "source" {
			t.Errorf("status: %+v, %v", st, err)
		}
		r.runtime.failing("task configs s", &worker.TooManyTasksError{Connector: "s", Tasks: 3, TasksMax: 2})
		r.h.RequestReconfiguration("s")
		time.Sleep(time.Hour)
		r.want("task configs s")
	})
}
