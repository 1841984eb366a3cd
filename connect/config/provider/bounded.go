package provider

import (
	"fmt"
	"runtime/debug"
	"sync"
	"time"
)

// answerTime bounds how long a provider is waited for. It is about file systems, and
// programs' own providers, that hang; a slow one answers much sooner.
const answerTime = 30 * time.Second

// bounded gives up waiting for a provider that hangs. Nothing can interrupt it, but who needs
// its values must be able to fail, to say why, and to be stopped.
type bounded struct {
	Provider
	name string

	mu      sync.Mutex
	hanging map[string]int // by path: calls that were given up and have not returned
}

func newBounded(name string, p Provider) *bounded {
	return &bounded{Provider: p, name: name, hanging: map[string]int{}}
}

// answer is what Get returns.
type answer struct {
	data Data
	err  error
}

// Get asks the provider, for at most 30 s. While a call for the path hangs it fails at once,
// so that the goroutines that are left behind do not pile up.
func (b *bounded) Get(path string, keys []string) (Data, error) {
	b.mu.Lock()
	hangs := b.hanging[path] > 0
	b.mu.Unlock()
	if hangs {
		return b.hangs(path)
	}
	got := make(chan answer) // not buffered: an answer is taken, or comes too late
	late := make(chan struct{})
	go func() {
		select {
		case got <- b.call(path, keys):
		case <-late:
			b.count(path, -1)
		}
	}()
	timer := time.NewTimer(answerTime)
	defer timer.Stop()
	select {
	case a := <-got:
		return a.data, a.err
	case <-timer.C:
		b.count(path, 1)
		close(late)
		return b.hangs(path)
	}
}

// call is the provider's own Get, whose panic must not end the worker.
func (b *bounded) call(path string, keys []string) (a answer) {
	defer func() {
		if p := recover(); p != nil {
			a = answer{Data{TTL: NoTTL}, fmt.Errorf("the config provider %s failed: %v\n%s", b.name, p, debug.Stack())}
		}
	}()
	data, err := b.Provider.Get(path, keys)
	return answer{data, err}
}

func (b *bounded) count(path string, n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.hanging[path] += n; b.hanging[path] == 0 {
		delete(b.hanging, path)
	}
}

func (b *bounded) hangs(path string) (Data, error) {
	return Data{TTL: NoTTL}, fmt.Errorf("the config provider %s has not answered about the path %q for %s. "+
		"If the path is on a remote file system, look whether that can be reached", b.name, path, answerTime)
}
