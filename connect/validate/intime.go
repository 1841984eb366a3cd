package validate

import (
	"context"
	"fmt"
)

// maxChecks bounds the checks under way, among them those that nobody waits for any more.
const maxChecks = 100

// inTime runs a check of a plugin's config, as long as ctx lasts. Plugins and config providers
// take no context, and what hangs in one of them, in a dead network file system say, cannot be
// called off: its goroutine is abandoned and ends when the call returns, if ever. It keeps its
// slot until then, so that such goroutines do not pile up. Nothing of ours waits for them.
func inTime[T any](ctx context.Context, slots chan struct{}, class string, check func() (T, error)) (none T, err error) {
	if ctx.Err() != nil {
		return none, context.Cause(ctx)
	}
	select {
	case slots <- struct{}{}:
	case <-ctx.Done():
		return none, context.Cause(ctx)
	}
	type answer struct {
		result T
		err    error
	}
	done := make(chan answer, 1)
	go func() {
		var a answer
		defer func() {
			<-slots
			done <- a
		}()
		defer recoverPlugin(class, &a.err)
		a.result, a.err = check()
	}()
	select {
	case a := <-done:
		return a.result, a.err
	case <-ctx.Done():
		return none, context.Cause(ctx)
	}
}

// recoverPlugin turns a panic of plugin code into an error: a request must not end the worker.
func recoverPlugin(class string, err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("the plugin %s failed while its configuration was checked: %v", class, p)
	}
}
