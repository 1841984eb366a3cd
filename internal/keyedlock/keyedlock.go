// Package keyedlock has a lock per key that can be waited for with a context.
package keyedlock

import (
	"context"
	"sync"
)

// Lock lets one at a time work on each key. The zero value is ready.
type Lock struct {
	mu   sync.Mutex
	held map[string]chan struct{} // closed by who unlocks
}

// Lock waits for the key, until ctx ends: then the error is its cause. unlock must be called
// once.
func (l *Lock) Lock(ctx context.Context, key string) (unlock func(), err error) {
	for {
		l.mu.Lock()
		busy := l.held[key]
		if busy == nil {
			mine := make(chan struct{})
			if l.held == nil {
				l.held = map[string]chan struct{}{}
			}
			l.held[key] = mine
			l.mu.Unlock()
			return func() {
				l.mu.Lock()
				defer l.mu.Unlock()
				delete(l.held, key)
				close(mine)
			}, nil
		}
		l.mu.Unlock()
		select {
		case <-busy:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}
