//go:build integration

package differential

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/storage/records"
)

// statusTopic is what a worker wrote about its connectors and tasks. After a restart REST may
// show for a while how things were before it; the topic tells the difference.
type statusTopic struct {
	mu     sync.Mutex
	states map[connect.TaskID][]writtenState // by item, connectors with the task -1
}

type writtenState struct {
	state connect.State
	at    time.Time
}

// followStatuses reads the topic until the test ends.
func followStatuses(t *testing.T, w *worker) *statusTopic {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(kafka.Bootstrap), kgo.ConsumeTopics(w.side+"-status"),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxWait(100*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	s := &statusTopic{states: map[connect.TaskID][]writtenState{}}
	var reading sync.WaitGroup
	reading.Go(func() {
		for {
			fetches := client.PollFetches(context.Background())
			if fetches.IsClientClosed() {
				return
			}
			fetches.EachRecord(s.read)
		}
	})
	t.Cleanup(func() { client.Close(); reading.Wait() })
	return s
}

func (s *statusTopic) read(r *kgo.Record) {
	rec, err := records.DecodeStatus(r.Key, r.Value)
	if err != nil {
		return
	}
	if id, status, _ := records.Instance(rec); status != nil {
		s.mu.Lock()
		s.states[id] = append(s.states[id], writtenState{status.State, r.Timestamp})
		s.mu.Unlock()
	}
}

// restarted tells whether an item was started again since a moment. Ours writes the last of
// several states that follow each other fast.
func (s *statusTopic) restarted(id connect.TaskID, since time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.states[id]
	if len(all) == 0 {
		return false
	}
	last := all[len(all)-1]
	return !last.at.Before(since.Truncate(time.Millisecond)) && last.state != connect.StateUnassigned && last.state != connect.StateRestarting
}

// restartedItems are those that the answer to a request for a restart of a connector says
// are restarted.
func restartedItems(path, answer string) (ids []connect.TaskID) {
	parts := strings.Split(strings.Trim(path, "/"), "/") // connectors c restart, connectors c tasks n restart
	id := connect.TaskID{Connector: parts[1], Task: -1}
	if strings.HasPrefix(answer, "204") {
		if len(parts) == 5 {
			id.Task, _ = strconv.Atoi(parts[3])
		}
		return []connect.TaskID{id}
	}
	const restarting = `"state":"RESTARTING"`
	if strings.Contains(answer, `"connector":{`+restarting) {
		ids = append(ids, id)
	}
	for id.Task = 0; strings.Contains(answer, fmt.Sprintf(`"id":%d,`, id.Task)); id.Task++ {
		if strings.Contains(answer, fmt.Sprintf(`"id":%d,%s`, id.Task, restarting)) {
			ids = append(ids, id)
		}
	}
	return ids
}

// awaitRestart waits until a worker has restarted what its answer says that it restarts.
func (s *step) awaitRestart(t *testing.T, w *worker, since time.Time, answer string) {
	t.Helper()
	path, _, _ := strings.Cut(strings.Fields(s.req)[1], "?")
	deadline := time.Now().Add(30 * time.Second)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for _, id := range restartedItems(path, answer) {
		for !s.restarts[w].restarted(id, since) {
			if time.Now().After(deadline) {
				t.Fatalf("%s has not restarted %v after 30 s", w.name, id)
			}
			<-tick.C
		}
	}
}

// followRestarts follows both workers' topics; standalone workers have none.
func followRestarts(t *testing.T) map[*worker]*statusTopic {
	t.Helper()
	needWorkers(t)
	if standalone {
		return nil
	}
	return map[*worker]*statusTopic{&jvm: followStatuses(t, &jvm), &ours: followStatuses(t, &ours)}
}
