package memstore_test

import (
	"testing"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/storage"
	"github.com/penstock-io/penstock/storage/memstore"
	"github.com/penstock-io/penstock/storage/storetest"
)

func TestConfigStore(t *testing.T) {
	storetest.RunConfig(t, func(*testing.T) storage.ConfigStore { return memstore.NewConfigStore() })
}

func TestStatusStore(t *testing.T) {
	storetest.RunStatus(t, func(*testing.T) storage.StatusStore { return memstore.NewStatusStore() })
}

func TestOffsetStore(t *testing.T) {
	storetest.RunOffsets(t, func(*testing.T) func() storage.OffsetStore {
		s := memstore.NewOffsetStore() // its offsets outlive Stop
		return func() storage.OffsetStore { return s }
	})
}

// A listener may put something itself: its own call comes later, in order.
type putter struct {
	storetest.Listener
	store *memstore.ConfigStore
	t     *testing.T
}

func (p *putter) ConnectorConfigUpdated(name string) {
	if name == "a" {
		if err := p.store.PutConnector(p.t.Context(), "b", map[string]string{}, ""); err != nil {
			p.t.Error(err)
		}
	}
	p.Listener.ConnectorConfigUpdated(name)
}

func TestListenersMayPut(t *testing.T) {
	s := memstore.NewConfigStore()
	p := &putter{store: s, t: t}
	if err := s.Start(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	if err := s.PutConnector(t.Context(), "a", map[string]string{}, connect.TargetPaused); err != nil {
		t.Fatal(err)
	}
	lines := p.Await(t, "updated b")
	if len(lines) != 2 || lines[0] != "updated a" {
		t.Errorf("the listener was told %q", lines)
	}
}

// In standalone mode a task that stops goes from RUNNING to UNASSIGNED in generation 0.
func TestUnassignedIsShown(t *testing.T) {
	s := memstore.NewStatusStore()
	id := connect.TaskID{Connector: "a"}
	s.PutTask(id, storage.Status{State: connect.StateRunning, WorkerID: "w"})
	s.PutTaskSafe(id, storage.Status{State: connect.StateUnassigned, WorkerID: "w"})
	if got, _ := s.Task(id); got.State != connect.StateUnassigned {
		t.Errorf("state %s", got.State)
	}
}
