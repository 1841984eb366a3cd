package namenode

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestExceptionsAreReturnedAtOnce: an answer that is final is not asked for again.
func TestExceptionsAreReturnedAtOnce(t *testing.T) {
	for _, class := range []string{ExceptionFileNotFound, ExceptionFileAlreadyExists, ExceptionParentNotDirectory,
		ExceptionAccessControl, ExceptionAlreadyBeingCreated, ExceptionRecoveryInProgress, ExceptionLeaseExpired,
		ExceptionNotReplicatedYet, "org.example.Unheard", ""} {
		t.Run(class, func(t *testing.T) {
			nn := startFake(t, func(q *request) reply {
				if q.number == 1 {
					return q.throw(class, class+": no luck with /a\n\tat org.apache.Stack.trace(Stack.java:1)\n")
				}
				return q.yes()
			})
			c := newClient(t, Options{}, nn)
			result, err := c.Rename(within(t, patience), "/a", "/b")
			var remote *RemoteError
			if !errors.As(err, &remote) || remote.Class != class || remote.Method() != "rename2" || remote.Fatal {
				t.Fatalf("error is %#v", err)
			}
			if Exception(fmt.Errorf("wrapped: %w", err)) != class || result.ReplyLost {
				t.Errorf("class %q, result %+v", Exception(err), result)
			}
			if text := err.Error(); !strings.Contains(text, class) || !strings.HasSuffix(text, "no luck with /a") || strings.Count(text, "no luck") != 1 {
				t.Errorf("text is %q", text)
			}
			if !strings.Contains(remote.Message(), "Stack.java") {
				t.Errorf("message %q lost the stack trace", remote.Message())
			}
			// The connection stays good.
			if ok, err := c.IsFileClosed(within(t, patience), "/a"); !ok || err != nil {
				t.Fatal(ok, err)
			}
			if requests, conns := nn.seen(); len(requests) != 2 || conns != 1 || requests[0].callID == requests[1].callID {
				t.Errorf("%d requests on %d connections", len(requests), conns)
			}
		})
	}
}

func TestExceptionOfOtherErrors(t *testing.T) {
	if got := Exception(errors.New("x")); got != "" {
		t.Errorf("%q", got)
	}
	if got := Exception(nil); got != "" {
		t.Errorf("%q", got)
	}
}

// TestTemporaryExceptionsAreRepeated: the same call, with the same id for the retry cache
// and a growing retry count, and its outcome stays sure.
func TestTemporaryExceptionsAreRepeated(t *testing.T) {
	for _, class := range []string{ExceptionSafeMode, ExceptionRetriable, ExceptionStandby, ExceptionObserverRetryOnActive} {
		t.Run(class, func(t *testing.T) {
			nn := startFake(t, func(q *request) reply {
				if q.number < 4 {
					return q.throw(class, "not now")
				}
				return q.throw(ExceptionFileNotFound, "gone")
			})
			c := newClient(t, Options{}, nn)
			result, err := c.Rename(within(t, patience), "/a", "/b")
			if Exception(err) != ExceptionFileNotFound || result.ReplyLost {
				t.Fatalf("%+v, %v", result, err)
			}
			requests, _ := nn.seen()
			if len(requests) != 4 {
				t.Fatalf("%d requests", len(requests))
			}
			for i, q := range requests {
				if q.callID != requests[0].callID || q.clientID != requests[0].clientID || q.retry != int64(i) {
					t.Errorf("attempt %d: call id %d, retry count %d", i, q.callID, q.retry)
				}
			}
		})
	}
}

// TestTemporaryExceptionUntilTheContextEnds: the error tells both why it ended and what
// was in the way.
func TestTemporaryExceptionUntilTheContextEnds(t *testing.T) {
	nn := startFake(t, func(q *request) reply {
		return q.throw(ExceptionSafeMode, "Name node is in safe mode.\nIt waits.")
	})
	_, err := newClient(t, Options{}, nn).Delete(within(t, 100*time.Millisecond), "/a")
	if !errors.Is(err, context.DeadlineExceeded) || Exception(err) != ExceptionSafeMode || !strings.Contains(err.Error(), "Name node is in safe mode.") {
		t.Fatal(err)
	}
}

// TestStandby: the other NameNode is asked, without a pause, and stays the first choice.
func TestStandby(t *testing.T) {
	standby := startFake(t, func(q *request) reply {
		return q.throw(ExceptionStandby, "Operation category READ is not supported in state standby")
	})
	active := startFake(t, func(q *request) reply { return q.yes() })
	c := newClient(t, Options{MaxBackoff: time.Hour}, standby, active)
	for range 3 {
		if ok, err := c.IsFileClosed(within(t, patience), "/a"); !ok || err != nil {
			t.Fatal(ok, err)
		}
	}
	if requests, _ := standby.seen(); len(requests) != 1 {
		t.Errorf("the stand-by NameNode was asked %d times", len(requests))
	}
	if requests, conns := active.seen(); len(requests) != 3 || conns != 1 {
		t.Errorf("the active NameNode was asked %d times on %d connections", len(requests), conns)
	}
}

// TestFatalAnswer: after one the server closes, whatever call id it names.
func TestFatalAnswer(t *testing.T) {
	nn := startFake(t, func(q *request) reply {
		if q.conn == 1 {
			const noCall = 1<<32 - 1 // -1
			return reply{raw: exceptionFrame(q.t, noCall, 2, ExceptionAccessControl, "SIMPLE authentication is not enabled"), drop: true}
		}
		return q.yes()
	})
	c := newClient(t, Options{}, nn)
	_, err := c.IsFileClosed(within(t, patience), "/a")
	var remote *RemoteError
	if !errors.As(err, &remote) || !remote.Fatal || remote.Class != ExceptionAccessControl {
		t.Fatal(err)
	}
	if ok, err := c.IsFileClosed(within(t, patience), "/a"); !ok || err != nil {
		t.Fatal(ok, err)
	}
}
