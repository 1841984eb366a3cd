package herder

import (
	"context"
	"time"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/group"
	"github.com/penstock-io/penstock/storage"
)

// Solo is the Member of a standalone worker: a group of one, with generation 0, that
// leads itself and is assigned everything.
type Solo struct {
	url      string
	listener group.Listener
	rejoin   chan struct{} // capacity 1
	owned    map[connect.TaskID]bool
}

// NewSolo returns a member for the worker at url.
func NewSolo(url string, l group.Listener) *Solo {
	s := &Solo{url: url, listener: l, rejoin: make(chan struct{}, 1), owned: map[connect.TaskID]bool{}}
	s.Rejoin("")
	return s
}

// Run assigns everything to itself at every Rejoin until ctx ends.
func (s *Solo) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.rejoin:
		}
		snapshot, err := s.listener.Snapshot(ctx)
		if err != nil {
			return err
		}
		s.listener.Joining(ctx, snapshot)
		s.assign(ctx, snapshot)
	}
}

func (s *Solo) assign(ctx context.Context, c *storage.ClusterConfig) {
	a := group.Assignment{Version: 1, LeaderID: "standalone", LeaderURL: s.url, MemberID: "standalone",
		ConfigOffset: c.Offset, IsLeader: true}
	next := map[connect.TaskID]bool{}
	for _, name := range c.Connectors() {
		a.Connectors = append(a.Connectors, name)
		next[connect.TaskID{Connector: name, Task: connectorItem}] = true
		for _, id := range c.Tasks(name) {
			a.Tasks = append(a.Tasks, id)
			next[id] = true
		}
	}
	var connectors []string
	var tasks []connect.TaskID
	for id := range s.owned {
		switch {
		case next[id]:
		case id.Task == connectorItem:
			connectors = append(connectors, id.Connector)
		default:
			tasks = append(tasks, id)
		}
	}
	s.owned = next
	s.listener.Revoked(ctx, connectors, tasks)
	s.listener.Assigned(ctx, a)
}

// Rejoin asks for a new assignment.
func (s *Solo) Rejoin(string) {
	select {
	case s.rejoin <- struct{}{}:
	default:
	}
}

// LeaveFor has nothing to leave: it assigns again after the pause.
func (s *Solo) LeaveFor(_ string, pause time.Duration) {
	time.AfterFunc(pause, func() { s.Rejoin("") })
}

// Holders knows nobody: a standalone worker is alone.
func (s *Solo) Holders(_, _ string) (group.Holders, bool) { return group.Holders{}, false }

// AwaitHolders is Holders.
func (s *Solo) AwaitHolders(context.Context, string, string) (group.Holders, bool) {
	return group.Holders{}, false
}

// Leads is always true.
func (s *Solo) Leads(string) bool { return true }

// OwnerURL returns this worker.
func (s *Solo) OwnerURL(connect.TaskID) string { return s.url }
