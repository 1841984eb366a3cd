package herder

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/config/provider"
)

// vault is a config provider whose values, time-to-live and failures the test sets.
type vault struct {
	mu     sync.Mutex
	values map[string]string
	ttl    time.Duration
	every  time.Duration
	err    error
	reads  int
	hang   chan struct{}
}

func (v *vault) Configure(map[string]string) error { return nil }
func (v *vault) Close() error                      { return nil }

func (v *vault) Get(_ string, keys []string) (provider.Data, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.reads++
	if hang := v.hang; hang != nil {
		v.mu.Unlock()
		<-hang
		v.mu.Lock()
	}
	data := provider.Data{Values: map[string]string{}, TTL: v.ttl, CheckEvery: v.every}
	for _, k := range keys {
		if value, ok := v.values[k]; ok && v.err == nil {
			data.Values[k] = value
		}
	}
	return data, v.err
}

// set changes values by pairs; an empty one is removed.
func (v *vault) set(pairs ...string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for i := 0; i < len(pairs); i += 2 {
		v.values[pairs[i]] = pairs[i+1]
		if pairs[i+1] == "" {
			delete(v.values, pairs[i])
		}
	}
}

func (v *vault) fail(err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.err = err
}

func (v *vault) readsSince() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	n := v.reads
	v.reads = 0
	return n
}

// withVault runs a test with a standalone herder that has the provider "vault".
func withVault(t *testing.T, v *vault, f func(t *testing.T, r *rig)) {
	t.Helper()
	if v.values == nil {
		v.values = map[string]string{"p": "one", "q": "1"}
	}
	bubble(t, true, f, func(o *Options) { o.Providers = provider.Providers{"vault": v} })
}

func after(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

var (
	started       = []string{"start connector c STARTED", "task configs c", "start task c-0 STARTED"}
	restartedBoth = []string{"stop connector c", "status connector c RESTARTING", "start connector c STARTED", "task configs c",
		"stop task c-0", "status task c-0 RESTARTING", "start task c-0 STARTED"}
)

func TestTheEndOfATimeToLiveRestartsWhatUsesTheValues(t *testing.T) {
	v := &vault{ttl: time.Minute}
	withVault(t, v, func(t *testing.T, r *rig) {
		r.put("c", "file", "${vault:/db:p}")
		r.want(started...)
		r.put("other", "file", "plain")
		r.take()
		after(59 * time.Second)
		r.want()
		after(time.Second)
		r.wantAnyOrder(restartedBoth...)
		after(time.Minute)
		r.wantAnyOrder(restartedBoth...)

		// A start in between is a new resolution: the time begins anew.
		after(40 * time.Second)
		if err := r.h.RestartConnector(t.Context(), "c"); err != nil {
			t.Fatal(err)
		}
		if err := r.h.RestartTask(t.Context(), connect.TaskID{Connector: "c"}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		r.take()
		after(59 * time.Second)
		r.want()
		after(time.Second)
		r.wantAnyOrder(restartedBoth...)

		if err := r.h.DeleteConnector(t.Context(), "c"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		r.take()
		after(time.Hour)
		r.want()
	})
}

func TestReloadActionNoneRestartsNothing(t *testing.T) {
	for name, v := range map[string]*vault{"ttl": {ttl: time.Minute}, "looks": {ttl: provider.NoTTL, every: time.Second}} {
		t.Run(name, func(t *testing.T) {
			withVault(t, v, func(t *testing.T, r *rig) {
				r.put("c", "file", "${vault:/db:p}", "config.action.reload", "none")
				r.want(started...)
				v.readsSince()
				v.set("p", "two")
				after(time.Hour)
				r.want()
				if n := v.readsSince(); n > 0 {
					t.Errorf("read %d times", n)
				}
			})
		})
	}
}

func TestATimeToLiveOfZeroDoesNotRestartWithoutPause(t *testing.T) {
	withVault(t, &vault{}, func(t *testing.T, r *rig) {
		r.put("c", "file", "${vault:/db:p}")
		r.want(started...)
		after(10 * time.Second)
		if n := len(r.take()); n != 10*len(restartedBoth) {
			t.Errorf("%d lines in 10 s", n)
		}
	})
}

func TestOnlyAChangedValueRestartsWhatUsesIt(t *testing.T) {
	v := &vault{ttl: provider.NoTTL, every: 10 * time.Second}
	withVault(t, v, func(t *testing.T, r *rig) {
		r.put("c", "file", "${vault:/db:p}")
		r.want(started...)
		r.put("other", "file", "${vault:/db:q}")
		r.take()
		after(time.Minute)
		r.want()

		v.set("p", "two")
		after(10 * time.Second) // the first look
		r.want()
		after(time.Second) // the second one
		r.wantAnyOrder(restartedBoth...)
		after(time.Minute)
		r.want()
	})
}

func TestAValueThatIsBeingWrittenIsWaitedFor(t *testing.T) {
	v := &vault{ttl: provider.NoTTL, every: time.Second}
	withVault(t, v, func(t *testing.T, r *rig) {
		r.put("c", "file", "${vault:/db:p}")
		r.want(started...)
		for i := range 5 {
			v.set("p", strings.Repeat("x", i+1))
			after(time.Second)
			r.want()
		}
		v.set("p", "one") // as it was
		after(time.Hour)
		r.want()

		v.set("p", "two")
		after(time.Second)
		r.want()
		after(time.Second)
		r.wantAnyOrder(restartedBoth...)
	})
}

func TestAValueThatIsGoneRestartsNothing(t *testing.T) {
	v := &vault{ttl: provider.NoTTL, every: time.Second}
	withVault(t, v, func(t *testing.T, r *rig) {
		r.put("c", "file", "${vault:/db:p}")
		r.want(started...)
		v.set("p", "")
		after(time.Minute)
		v.fail(errors.New("sealed"))
		after(time.Minute)
		r.want()
		v.fail(nil)
		v.set("p", "one")
		after(time.Minute)
		r.want()
		v.set("p", "two")
		after(3 * time.Second)
		r.wantAnyOrder(restartedBoth...)
	})
}

// A secret that comes late, or was wrong, heals what has failed for it.
func TestAConnectorThatFailedForItsSecretIsStartedAgain(t *testing.T) {
	v := &vault{ttl: provider.NoTTL, every: time.Second}
	withVault(t, v, func(t *testing.T, r *rig) {
		v.fail(errors.New("no such file"))
		failed := errors.New("no secret")
		r.runtime.failing("start connector c STARTED", failed)
		r.put("c", "file", "${vault:/db:p}")
		r.want("start connector c STARTED")
		after(time.Minute)
		r.want()
		v.fail(nil)
		r.runtime.failing("start connector c STARTED", nil)
		after(3 * time.Second)
		r.want("stop connector c", "status connector c RESTARTING", "start connector c STARTED", "task configs c", "start task c-0 STARTED")
	})
}

func TestEachPlaceIsReadOnceForAll(t *testing.T) {
	v := &vault{ttl: provider.NoTTL, every: time.Minute}
	withVault(t, v, func(t *testing.T, r *rig) {
		for i := range 20 {
			r.put(fmt.Sprint("c", i), "file", "${vault:/db:p}${vault:/db:q}", "tasks.max", "5")
		}
		after(10 * time.Second) // for the rebalances that start the tasks
		r.take()
		v.readsSince()
		after(time.Minute)
		if n := v.readsSince(); n != 1 {
			t.Errorf("%d reads for 120 items", n)
		}
		v.set("q", "2")
		after(2 * time.Minute)
		if n := len(r.take()); n != 20*(4+5*3) {
			t.Errorf("%d lines", n)
		}
	})
}

// The loop answers while a provider hangs.
func TestAProviderThatHangsHoldsUpNothing(t *testing.T) {
	v := &vault{ttl: provider.NoTTL, every: time.Second}
	withVault(t, v, func(t *testing.T, r *rig) {
		r.put("c", "file", "${vault:/db:p}")
		r.want(started...)
		hang := make(chan struct{})
		v.mu.Lock()
		v.hang = hang
		v.mu.Unlock()
		after(time.Minute)
		r.put("other", "file", "plain")
		r.want("start connector other STARTED", "task configs other", "start task other-0 STARTED")
		v.mu.Lock()
		v.hang = nil
		v.mu.Unlock()
		close(hang)
		v.set("p", "two")
		after(3 * time.Second)
		r.wantAnyOrder(restartedBoth...)
	})
}

func TestPausedConnectorsAreStartedAgainPaused(t *testing.T) {
	v := &vault{ttl: provider.NoTTL, every: time.Second}
	withVault(t, v, func(t *testing.T, r *rig) {
		r.put("c", "file", "${vault:/db:p}")
		if err := r.h.Pause(t.Context(), "c"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		r.take()
		v.set("p", "two")
		after(3 * time.Second)
		r.wantAnyOrder("stop connector c", "status connector c RESTARTING", "start connector c PAUSED",
			"stop task c-0", "status task c-0 RESTARTING", "start task c-0 PAUSED")
	})
}

func TestTroubleIsLoggedWhenItChanges(t *testing.T) {
	core, logged := observer.New(zap.InfoLevel)
	v := &vault{ttl: provider.NoTTL, every: time.Second, values: map[string]string{"p": "canary-secret"}}
	bubble(t, true, func(t *testing.T, r *rig) {
		r.put("c", "file", "${vault:/db:p}")
		logged.TakeAll()
		v.fail(errors.New("sealed"))
		after(time.Minute)
		v.fail(errors.New("broken"))
		after(time.Minute)
		v.fail(nil)
		after(time.Minute)
		v.set("p", "canary-changed")
		after(3 * time.Second)
		var lines []string
		for _, e := range logged.TakeAll() {
			lines = append(lines, e.Message)
			for _, f := range e.Context {
				lines = append(lines, fmt.Sprint(f))
			}
		}
		text := strings.Join(lines, "\n")
		for want, times := range map[string]int{"cannot be read": 2, "can be read again: path \"/db\" of config provider vault": 1, "Restarting connector c: a value has changed in path \"/db\" of config provider vault": 1, "canary": 0} {
			if got := strings.Count(text, want); got != times {
				t.Errorf("%q stands %d times in\n%s", want, got, text)
			}
		}
	}, func(o *Options) {
		o.Providers = provider.Providers{"vault": v}
		o.Log = zap.New(core)
	})
}

func TestALookUnderWayAtTheEndIsLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &vault{ttl: provider.NoTTL, every: time.Second, values: map[string]string{"p": "one"}}
		r := newRig(t, true, func(o *Options) { o.Providers = provider.Providers{"vault": v} }).run()
		r.put("c", "file", "${vault:/db:p}")
		hang := make(chan struct{})
		v.mu.Lock()
		v.hang = hang
		v.mu.Unlock()
		after(2 * time.Second)
		r.stop()
		synctest.Wait()
		close(hang)
		if err := <-r.done; err != nil {
			t.Error(err)
		}
	})
}
