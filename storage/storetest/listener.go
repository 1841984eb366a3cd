package storetest

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/storage"
)

// patience is how long the suite waits for what must happen.
const patience = 20 * time.Second

// Listener is a storage.ConfigListener that notes what it is told, one line per call, e.g.
// "updated a" or "tasks a-0 a-1". The zero value is ready.
type Listener struct {
	// Look, if set, is called with each line before it is noted.
	Look func(line string)

	mu      sync.Mutex
	lines   []string
	changed chan struct{}
}

func (l *Listener) note(format string, args ...any) {
	line := fmt.Sprintf(format, args...)
	if l.Look != nil {
		l.Look(line)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, line)
	if l.changed != nil {
		close(l.changed)
		l.changed = nil
	}
}

// ConnectorConfigUpdated notes "updated <name>".
func (l *Listener) ConnectorConfigUpdated(name string) { l.note("updated %s", name) }

// ConnectorConfigRemoved notes "removed <name>".
func (l *Listener) ConnectorConfigRemoved(name string) { l.note("removed %s", name) }

// TaskConfigsUpdated notes "tasks" and the ids.
func (l *Listener) TaskConfigsUpdated(tasks []connect.TaskID) {
	text := "tasks"
	for _, id := range tasks {
		text += " " + id.String()
	}
	l.note("%s", text)
}

// TargetStateChanged notes "target <name>".
func (l *Listener) TargetStateChanged(name string) { l.note("target %s", name) }

// SessionKeyUpdated notes "key <algorithm> <bytes>".
func (l *Listener) SessionKeyUpdated(k storage.SessionKey) { l.note("key %s %v", k.Algorithm, k.Key) }

// RestartRequested notes "restart <connector>" and what is included.
func (l *Listener) RestartRequested(r storage.RestartRequest) {
	l.note("restart %s tasks=%t failed=%t", r.Connector, r.IncludeTasks, r.OnlyFailed)
}

// LoggerLevelUpdated notes "level <namespace> <level>".
func (l *Listener) LoggerLevelUpdated(namespace, level string) {
	l.note("level %s %s", namespace, level)
}

// Lines returns what was noted so far.
func (l *Listener) Lines() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.lines)
}

// Await waits until the last line is want and returns all lines.
func (l *Listener) Await(t testing.TB, want string) []string {
	t.Helper()
	limit := time.NewTimer(patience)
	defer limit.Stop()
	for {
		l.mu.Lock()
		lines := slices.Clone(l.lines)
		if l.changed == nil {
			l.changed = make(chan struct{})
		}
		changed := l.changed
		l.mu.Unlock()
		if len(lines) > 0 && lines[len(lines)-1] == want {
			return lines
		}
		select {
		case <-changed:
		case <-limit.C:
			t.Fatalf("the listener was not told %q, but %q", want, lines)
		}
	}
}

// Eventually waits until ok returns true.
func Eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); !ok(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("it did not happen: %s", what)
		}
	}
}
