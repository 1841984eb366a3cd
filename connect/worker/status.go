package worker

import (
	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/storage"
)

// Statuses writes statuses in this worker's name (Java: AbstractHerder's status
// listener). Safe for concurrent use.
type Statuses struct {
	Store    storage.StatusStore
	WorkerID string
	// Generation returns the group generation to be written, 0 in standalone.
	Generation func() int
	// Hide takes secrets out of traces, which everybody may read; nil leaves them.
	Hide func(text string) string
}

func (s *Statuses) status(state connect.State, version string, err error) storage.Status {
	st := storage.Status{State: state, WorkerID: s.WorkerID, Generation: s.Generation(), Version: version}
	if err != nil {
		st.Trace = connect.Trace(err)
		if s.Hide != nil {
			st.Trace = s.Hide(st.Trace)
		}
	}
	return st
}

// connector and task write RUNNING, PAUSED, STOPPED and RESTARTING as they are, and
// FAILED and UNASSIGNED only if no newer generation has spoken: their writer may have
// lost the assignment already.
func (s *Statuses) connector(name string, state connect.State, version string, err error) {
	st := s.status(state, version, err)
	if state == connect.StateFailed || state == connect.StateUnassigned {
		s.Store.PutConnectorSafe(name, st)
		return
	}
	s.Store.PutConnector(name, st)
}

func (s *Statuses) task(id connect.TaskID, state connect.State, version string, err error) {
	st := s.status(state, version, err)
	if state == connect.StateFailed || state == connect.StateUnassigned {
		s.Store.PutTaskSafe(id, st)
		return
	}
	s.Store.PutTask(id, st)
}
