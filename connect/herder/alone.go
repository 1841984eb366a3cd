package herder

import (
	"context"
	"net/http"
	"time"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/rest/api"
)

// A standalone worker answers a change of a connector when it has been carried out, as the
// JVM's does (Java: StandaloneHerder): who creates a connector sees its tasks in the answer.

// aloneTime bounds how long an answer waits for plugins; then it says how things are. The
// JVM's worker answers with an error after 90 s, though the change is made.
const aloneTime = 30 * time.Second

// awaitAlone waits until a condition is true, which the loop evaluates, and reports whether
// it came true in time. On a worker with a group it does not wait.
func (h *Herder) awaitAlone(ctx context.Context, condition func() bool) (met bool, err error) {
	if !h.standalone() {
		return false, nil
	}
	ctx, cancel := context.WithTimeout(ctx, aloneTime)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		answer := make(chan bool, 1) // the loop may come to it when nobody waits any more
		err := h.call(ctx, func() {
			if !h.stopping {
				h.applyConfigChanges() // the loop may not have seen yet what was written
			}
			answer <- condition()
		})
		switch {
		case ctx.Err() != nil:
			return false, nil //nolint:nilerr // the change was made, and goes on
		case err != nil:
			return false, err
		case <-answer:
			return true, nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
}

// refuseAlone answers an internal request; a signature that cannot be read comes first.
func refuseAlone(sig api.Signature, what string) error {
	if _, err := readSignature(sig); err != nil && sig.Given {
		return err
	}
	return api.Errorf(http.StatusInternalServerError, "Kafka Connect in standalone mode does not support %s.", what)
}

// settled: a connector has been started with its config, or failed to, and its task configs
// are those it wants.
func (h *Herder) settled(name string) func() bool {
	return func() bool {
		it := h.items[connect.TaskID{Connector: name, Task: connectorItem}]
		if it == nil {
			return !h.Configs.Snapshot().Contains(name) // deleted by somebody else
		}
		r := h.reconfigs[name]
		return it.phase == running && !it.mustStop() && !it.retargeting && (r == nil || r.tries > 0)
	}
}

// withoutTasks: no task of a connector runs.
func (h *Herder) withoutTasks(name string) func() bool {
	return func() bool {
		for id := range h.items {
			if id.Connector == name && id.Task != connectorItem {
				return false
			}
		}
		return true
	}
}

// forgotten: nothing of a connector runs.
func (h *Herder) forgotten(name string) func() bool {
	return func() bool {
		return h.items[connect.TaskID{Connector: name, Task: connectorItem}] == nil && h.withoutTasks(name)()
	}
}
