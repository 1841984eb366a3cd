package validate

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/config"
	"github.com/penstock-io/penstock/connect/plugin"
)

// blocking returns a validator with a connector whose check waits for release, and how many
// such checks have begun.
func blocking(t *testing.T) (v *Validator, release chan struct{}, begun *atomic.Int32) {
	t.Helper()
	release, begun = make(chan struct{}), &atomic.Int32{}
	check := func(map[string]string) []config.Value {
		begun.Add(1)
		<-release
		return nil
	}
	return newValidator(t, "All", plugin.Plugin[connect.Connector]{Class: "io.example.BlockingSink",
		New: func() connect.Connector { return checkingSink{check: check} }}), release, begun
}

func TestACheckThatHangsDoesNotHoldUpTheRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, release, begun := blocking(t)
		tooLong := errors.New("that took too long")
		ctx, cancel := context.WithCancelCause(t.Context())
		ended := make(chan error)
		start := func(ctx context.Context) {
			go func() {
				_, err := v.Validate(ctx, valid("connector.class", "BlockingSink"))
				ended <- err
			}()
		}
		for range maxChecks {
			start(ctx)
		}
		synctest.Wait()
		cancel(tooLong)
		for range maxChecks {
			if err := <-ended; !errors.Is(err, tooLong) {
				t.Fatalf("got %v", err)
			}
		}

		// What was abandoned counts: one more has to wait, as long as it wants to.
		full, cancel := context.WithCancelCause(t.Context())
		start(full)
		start(t.Context())
		synctest.Wait()
		if n := begun.Load(); n != maxChecks {
			t.Errorf("%d checks are under way", n)
		}
		cancel(tooLong)
		if err := <-ended; !errors.Is(err, tooLong) {
			t.Errorf("got %v", err)
		}
		close(release)
		if err := <-ended; err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if n := len(v.slots); n != 0 {
			t.Errorf("%d slots are still taken", n)
		}
	})
}

func TestAPanicWhilePlaceholdersAreResolvedIsAnError(t *testing.T) {
	v := newValidator(t, "All")
	v.Resolve = func(map[string]string) (map[string]string, func(string) string, error) { panic("a defect") }
	if _, err := v.Validate(t.Context(), valid()); err == nil || !strings.Contains(err.Error(), "a defect") {
		t.Errorf("got %v", err)
	}
	if n := len(v.slots); n != 0 {
		t.Errorf("%d slots are still taken", n)
	}
}
