package kafkastore

import (
	"context"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/penstock-io/penstock/internal/kafka"
	"github.com/penstock-io/penstock/storage/records"
	"github.com/penstock-io/penstock/storage/topiclog"
)

// lane holds what waits to be written under one key. While it exists a goroutine works on
// it, so that an unavailable partition holds up its own keys only. The fields are guarded
// by StatusStore.mu, the channels aside.
type lane struct {
	next    *statusWrite
	current *statusWrite
	newer   chan struct{} // capacity 1: next was set
	idle    chan struct{} // closed when all is written
}

// statusWrite is one put.
type statusWrite struct {
	record  records.StatusRecord
	deleted bool // a tombstone for it came through the topic
}

// put hands a record to the lane of its key.
func (s *StatusStore) put(r records.StatusRecord, safe bool) {
	key := r.Key()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.log == nil {
		s.o.Log.Warn("Status not written: the status store is not started, or stopped", zap.String("key", key))
		return
	}
	if safe && !s.statuses.Safe(r) {
		s.o.Log.Debug("Status not written: another worker has spoken in a newer generation", zap.String("key", key))
		return
	}
	l := s.lanes[key]
	if l == nil {
		l = &lane{newer: make(chan struct{}, 1), idle: make(chan struct{})}
		s.lanes[key] = l
		log := s.log
		s.writes.Go(func() { s.work(key, l, log) })
	}
	l.next = &statusWrite{record: r}
	select {
	case l.newer <- struct{}{}:
	default:
	}
}

// work writes what is put into a lane until it is empty.
func (s *StatusStore) work(key string, l *lane, log *topiclog.Log) {
	defer close(l.idle)
	for {
		s.mu.Lock()
		w := l.next
		l.current, l.next = w, nil
		select {
		case <-l.newer:
		default:
		}
		if w == nil {
			delete(s.lanes, key)
			s.mu.Unlock()
			return
		}
		s.mu.Unlock()
		s.write(key, l, w, log)
	}
}

const (
	firstRetry = 50 * time.Millisecond
	lastRetry  = time.Second
)

// write sends one record until it is written or not wanted any more.
func (s *StatusStore) write(key string, l *lane, w *statusWrite, log *topiclog.Log) {
	value, err := w.record.Value()
	if err != nil {
		s.o.Log.Error("Failed to write status update", zap.String("key", key), zap.Error(err))
		return
	}
	for attempt := 0; ; attempt++ {
		err := log.Append(s.ctx, topiclog.Record{Key: key, Value: value})
		switch {
		case err == nil, s.ctx.Err() != nil:
			return
		case !kafka.Retriable(err):
			s.o.Log.Error("Failed to write status update", zap.String("topic", s.o.Topic.Name), zap.String("key", key), zap.Error(err))
			return
		case attempt == 0:
			s.o.Log.Warn("Writing a status failed, trying again", zap.String("topic", s.o.Topic.Name), zap.String("key", key), zap.Error(err))
		}
		if pause(s.ctx, min(firstRetry<<min(attempt, 10), lastRetry), l.newer) != nil || s.unwanted(l, w) {
			return
		}
	}
}

// unwanted tells whether a failed write is not to be repeated. The JVM worker also drops
// what belongs to an older generation than its last put: with that, a task that keeps
// running over a rebalance would lose its status. Here only another worker's word counts.
func (s *StatusStore) unwanted(l *lane, w *statusWrite) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return l.next != nil || w.deleted || !s.statuses.Safe(w.record)
}

// noteDeletedLocked marks the writes that a tombstone in the topic concerns.
func (s *StatusStore) noteDeletedLocked(r records.StatusRecord) {
	switch r := r.(type) {
	case records.ConnectorStatus:
		if r.Status != nil {
			return
		}
		for _, l := range s.lanes {
			for _, w := range []*statusWrite{l.current, l.next} {
				if w != nil && connectorOf(w.record) == r.Connector {
					w.deleted = true
				}
			}
		}
	case records.TaskStatus:
		if l := s.lanes[r.Key()]; l != nil && r.Status == nil {
			for _, w := range []*statusWrite{l.current, l.next} {
				if w != nil {
					w.deleted = true
				}
			}
		}
	}
}

// connectorOf returns whose status a record is, "" for a topic's.
func connectorOf(r records.StatusRecord) string {
	id, _, _ := records.Instance(r)
	return id.Connector
}

// Flush waits until everything put before is written or given up. It does not wait for it
// to be read back.
func (s *StatusStore) Flush(ctx context.Context) error {
	s.mu.RLock()
	waiting := make(map[string]*lane, len(s.lanes))
	for key, l := range s.lanes {
		waiting[key] = l
	}
	s.mu.RUnlock()
	for key, l := range waiting {
		select {
		case <-l.idle:
		case <-ctx.Done():
			return fmt.Errorf("flush statuses to topic %s, waiting for %s: %w", s.o.Topic.Name, key, context.Cause(ctx))
		}
	}
	return nil
}
