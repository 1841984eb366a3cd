package memstore

import (
	"context"
	"errors"
	"maps"
	"sync"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/storage"
	"github.com/penstock-io/penstock/storage/records"
	"github.com/penstock-io/penstock/storage/state"
)

// ConfigStore is a storage.ConfigStore in memory. It has no goroutine: the listener is
// called by whoever puts something, or by one who does so at the same time, and must not
// call Start or Stop.
type ConfigStore struct {
	mu       sync.Mutex
	state    *state.Config
	offset   int64 // of the next record
	snapshot *storage.ClusterConfig
	listener storage.ConfigListener // nil before Start and after Stop
	events   []state.Event          // not delivered yet
	telling  bool                   // somebody delivers events
}

var _ storage.ConfigStore = (*ConfigStore)(nil)

// NewConfigStore returns a store without connectors.
func NewConfigStore() *ConfigStore {
	s := &ConfigStore{state: state.NewConfig()}
	s.snapshot = s.state.Snapshot()
	return s
}

var (
	errNotStarted = errors.New("the store is not started, or stopped")
	errStarted    = errors.New("the store was started before")
)

// Start makes the store ready.
func (s *ConfigStore) Start(_ context.Context, l storage.ConfigListener) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listener != nil {
		return errStarted
	}
	s.listener = l
	return nil
}

// Stop ends the calls of the listener, but for one that is under way. The state stays.
func (s *ConfigStore) Stop(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listener, s.events = nil, nil
	return nil
}

// Snapshot returns the current state.
func (s *ConfigStore) Snapshot() *storage.ClusterConfig {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.snapshot
}

// Refresh has nothing to do.
func (s *ConfigStore) Refresh(ctx context.Context) error { return context.Cause(ctx) }

// PutConnector sets a config and, unless "", the target state.
func (s *ConfigStore) PutConnector(ctx context.Context, name string, config map[string]string, initial connect.TargetState) error {
	var recs []records.ConfigRecord
	if initial != "" {
		recs = append(recs, records.TargetState{Connector: name, State: initial})
	}
	return s.put(ctx, append(recs, records.ConnectorConfig{Connector: name, Config: clone(config)})...)
}

// clone makes a map the store's own; nil would be a tombstone.
func clone(config map[string]string) map[string]string {
	if config == nil {
		return map[string]string{}
	}
	return maps.Clone(config)
}

// RemoveConnector forgets a connector.
func (s *ConfigStore) RemoveConnector(ctx context.Context, name string) error {
	return s.put(ctx, records.ConnectorConfig{Connector: name}, records.TargetState{Connector: name})
}

// PutTaskConfigs sets all task configs of a connector.
func (s *ConfigStore) PutTaskConfigs(ctx context.Context, name string, configs []map[string]string) error {
	recs := make([]records.ConfigRecord, 0, len(configs)+1)
	for i, c := range configs {
		recs = append(recs, records.TaskConfig{Task: connect.TaskID{Connector: name, Task: i}, Config: clone(c)})
	}
	return s.put(ctx, append(recs, records.TasksCommit{Connector: name, Tasks: len(configs)})...)
}

// PutTargetState sets what a connector is asked to be.
func (s *ConfigStore) PutTargetState(ctx context.Context, name string, st connect.TargetState) error {
	return s.put(ctx, records.TargetState{Connector: name, State: st})
}

// PutSessionKey sets the session key.
func (s *ConfigStore) PutSessionKey(ctx context.Context, key storage.SessionKey) error {
	return s.put(ctx, records.SessionKey{SessionKey: key})
}

// PutRestartRequest tells the listener of a request.
func (s *ConfigStore) PutRestartRequest(ctx context.Context, r storage.RestartRequest) error {
	return s.put(ctx, records.Restart{RestartRequest: r})
}

// PutTaskCountRecord notes a round of fencing.
func (s *ConfigStore) PutTaskCountRecord(ctx context.Context, name string, count int) error {
	return s.put(ctx, records.TaskCount{Connector: name, Tasks: count})
}

// PutLoggerLevel tells the listener of a level.
func (s *ConfigStore) PutLoggerLevel(ctx context.Context, namespace, level string) error {
	return s.put(ctx, records.LoggerLevel{Namespace: namespace, Level: level})
}

// ClaimWritePrivileges has nothing to do: nobody else writes.
func (s *ConfigStore) ClaimWritePrivileges(ctx context.Context) error { return context.Cause(ctx) }

// put applies records at once and tells the listener.
func (s *ConfigStore) put(ctx context.Context, recs ...records.ConfigRecord) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	for _, r := range recs {
		if _, err := r.Value(); err != nil { // what could not be written must not be kept
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listener == nil {
		return errNotStarted
	}
	for _, r := range recs {
		if e := s.state.Apply(s.offset, r); e != nil {
			s.events = append(s.events, e)
		}
		s.offset++
	}
	s.snapshot = s.state.Snapshot()
	s.tellLocked()
	return nil
}

// tellLocked delivers events in order and without the lock: one caller at a time does it,
// for the others, too.
func (s *ConfigStore) tellLocked() {
	if s.telling {
		return
	}
	s.telling = true
	for len(s.events) > 0 && s.listener != nil {
		e, l := s.events[0], s.listener
		s.events = s.events[1:]
		s.mu.Unlock()
		e(l)
		s.mu.Lock()
	}
	s.telling = false
}
