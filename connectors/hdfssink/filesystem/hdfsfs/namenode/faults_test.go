package namenode

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// broken makes the first answer of a server a bad one and closes the connection or not.
func broken(bad func(*request) reply) func(*request) reply {
	return func(q *request) reply {
		if q.number == 1 {
			return bad(q)
		}
		return q.yes()
	}
}

// TestTruncatedReply: wherever the reply is cut off, the call is repeated on a new
// connection and gets the whole one.
func TestTruncatedReply(t *testing.T) {
	q := &request{t: t, callID: 1}
	for cut := range len(q.yes().raw) {
		nn := startFake(t, broken(func(q *request) reply { return reply{raw: q.yes().raw[:cut], drop: true} }))
		ok, err := newClient(t, Options{}, nn).IsFileClosed(within(t, patience), "/a")
		if requests, conns := nn.seen(); !ok || err != nil || len(requests) != 2 || conns != 2 {
			t.Fatalf("cut at %d: %v, %v after %d requests on %d connections", cut, ok, err, len(requests), conns)
		}
	}
}

// TestGarbageReply: what is no reply is reported as what it looks like, and the
// connection is not used any more.
func TestGarbageReply(t *testing.T) {
	size := func(n uint32) []byte { return binary.BigEndian.AppendUint32(nil, n) }
	for name, c := range map[string]struct {
		raw  func(*request) []byte
		want string
	}{
		"oversized":         {func(*request) []byte { return size(maxFrame + 1) }, fmt.Sprint("response of ", maxFrame+1, " bytes")},
		"negative size":     {func(*request) []byte { return size(1 << 31) }, "response of 2147483648 bytes"},
		"empty":             {func(*request) []byte { return size(0) }, "response of 0 bytes"},
		"HTTP":              {func(*request) []byte { return []byte("HTTP/1.1 400 Bad Request\r\n\r\n") }, "not the NameNode's RPC port"},
		"no message":        {func(*request) []byte { return append(size(3), 0xff, 0xff, 0xff) }, "response header"},
		"header too long":   {func(*request) []byte { return append(size(2), 0x7f, 0x00) }, "response header"},
		"header incomplete": {func(*request) []byte { return replyFrame([]byte{0x08, 0x01}) }, "call id or status missing"},
		"unknown status":    {func(*request) []byte { return replyFrame([]byte{0x08, 0x01, 0x10, 0x03}) }, "call id or status missing"},
		"no body":           {func(q *request) []byte { return replyFrame([]byte{0x08, byte(q.callID), 0x10, 0x00}) }, "response body"},
		"bytes behind": {func(q *request) []byte {
			return replyFrame([]byte{0x08, byte(q.callID), 0x10, 0x00}, []byte{0x08, 0x01}, nil)
		},
			"1 bytes behind it"},
		"another call's": {func(q *request) []byte { return exceptionFrame(q.t, uint32(q.callID)+1, 1, "x", "") }, "answers call"},
	} {
		t.Run(name, func(t *testing.T) {
			nn := startFake(t, broken(func(q *request) reply { return reply{raw: c.raw(q)} }))
			if ok, err := newClient(t, Options{}, nn).IsFileClosed(within(t, patience), "/a"); !ok || err != nil {
				t.Fatal(ok, err)
			}
			if _, conns := nn.seen(); conns != 2 {
				t.Errorf("%d connections", conns)
			}
			nn = startFake(t, func(q *request) reply { return reply{raw: c.raw(q)} })
			_, err := newClient(t, Options{}, nn).IsFileClosed(within(t, 60*time.Millisecond), "/a")
			if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error is %v, want one with %q", err, c.want)
			}
		})
	}
}

// TestMalformedResult: a reply that is whole and makes no sense is final.
func TestMalformedResult(t *testing.T) {
	body := []byte{0x0a, 0x05, 'x'} // field 1 of five bytes, one is there
	nn := startFake(t, func(q *request) reply {
		return reply{raw: replyFrame([]byte{0x08, byte(q.callID), 0x10, 0x00}, body)}
	})
	c := newClient(t, Options{}, nn)
	ctx := within(t, patience)
	for name, call := range map[string]func() error{
		"bool":    func() error { _, err := c.IsFileClosed(ctx, "/a"); return err },
		"stat":    func() error { _, err := c.Stat(ctx, "/a"); return err },
		"listing": func() error { _, _, err := c.List(ctx, "/a"); return err },
		"blocks":  func() error { _, err := c.Blocks(ctx, "/a"); return err },
	} {
		if err := call(); !errors.Is(err, errMalformed) || !strings.Contains(err.Error(), "reply to ") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestLostReply: a call whose connection broke after the request is repeated under the
// same id, and the caller of Rename learns that its failure may be its own success.
func TestLostReply(t *testing.T) {
	nn := startFake(t, func(q *request) reply {
		if q.number == 1 {
			return reply{drop: true}
		}
		return q.throw(ExceptionFileNotFound, "gone")
	})
	result, err := newClient(t, Options{}, nn).Rename(within(t, patience), "/a", "/b")
	if Exception(err) != ExceptionFileNotFound || !result.ReplyLost {
		t.Fatalf("%+v, %v", result, err)
	}
	requests, conns := nn.seen()
	if len(requests) != 2 || conns != 2 || requests[0].callID != requests[1].callID || requests[1].retry != 1 {
		t.Errorf("%d requests on %d connections", len(requests), conns)
	}
}

// TestDroppedBeforeTheRequest: the server closes unread connections for a while.
func TestDroppedBeforeTheRequest(t *testing.T) {
	nn := startRudeFake(t, 3, func(q *request) reply { return q.yes() })
	if ok, err := newClient(t, Options{}, nn).IsFileClosed(within(t, patience), "/a"); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if requests, conns := nn.seen(); len(requests) != 1 || conns != 4 {
		t.Errorf("%d requests on %d connections", len(requests), conns)
	}
}

// TestIdleConnectionThatDied: a connection closed by the server between two calls is
// replaced during the second.
func TestIdleConnectionThatDied(t *testing.T) {
	nn := startFake(t, func(q *request) reply { r := q.yes(); r.drop = true; return r })
	c := newClient(t, Options{}, nn)
	for i := range 3 {
		if ok, err := c.IsFileClosed(within(t, patience), "/a"); !ok || err != nil {
			t.Fatal(i, ok, err)
		}
	}
}

// TestConnectFails: a call that never left has not happened.
func TestConnectFails(t *testing.T) {
	nn := startFake(t, func(q *request) reply { return q.throw(ExceptionFileNotFound, "gone") })
	refused := errors.New("refused")
	n := 0
	c := newClient(t, Options{Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
		if n++; n < 3 {
			return nil, refused
		}
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}}, nn)
	if result, err := c.Rename(within(t, patience), "/a", "/b"); result.ReplyLost || Exception(err) != ExceptionFileNotFound {
		t.Fatalf("%+v, %v", result, err)
	}
	c = newClient(t, Options{Dial: func(context.Context, string, string) (net.Conn, error) { return nil, refused }}, nn)
	result, err := c.Rename(within(t, 60*time.Millisecond), "/a", "/b")
	if result.ReplyLost || !errors.Is(err, refused) || !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), nn.address()) {
		t.Fatalf("%+v, %v", result, err)
	}
}

// TestSilentServer: a server that takes the request and says nothing costs one attempt's
// time, not the call.
func TestSilentServer(t *testing.T) {
	nn := startFake(t, broken(func(*request) reply { return reply{} }))
	if ok, err := newClient(t, Options{AttemptTimeout: 50 * time.Millisecond}, nn).IsFileClosed(within(t, patience), "/a"); !ok || err != nil {
		t.Fatal(ok, err)
	}
}

// TestDeadlineIsHonoured: of a context shorter than an attempt, by every call, and while
// connecting.
func TestDeadlineIsHonoured(t *testing.T) {
	silent := startFake(t, func(*request) reply { return reply{} })
	hanging := Options{Addresses: []string{"hanging:1"}, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}}
	for name, c := range map[string]*Client{
		"silent":  newClient(t, Options{AttemptTimeout: time.Hour}, silent),
		"hanging": newClient(t, hanging),
	} {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			_, err := c.IsFileClosed(within(t, 50*time.Millisecond), "/a")
			if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) > patience {
				t.Fatalf("%v after %s", err, time.Since(start))
			}
		})
	}
	// With a time limit of its own an attempt names the server.
	c := newClient(t, Options{AttemptTimeout: 30 * time.Millisecond}, silent)
	_, err := c.IsFileClosed(within(t, 200*time.Millisecond), "/a")
	if want := "no answer from NameNode " + silent.address() + " within 30ms"; err == nil || !strings.Contains(err.Error(), want) {
		t.Fatalf("error is %v, want one with %q", err, want)
	}
}

// TestCancel ends a call under way and one that waits for its turn; the client stays good.
func TestCancel(t *testing.T) {
	arrived := make(chan struct{}, 1)
	nn := startFake(t, broken(func(*request) reply { arrived <- struct{}{}; return reply{} }))
	c := newClient(t, Options{}, nn)
	why := errors.New("enough")
	first, cancelFirst := context.WithCancelCause(t.Context())
	second, cancelSecond := context.WithCancelCause(t.Context())
	errs := [2]chan error{make(chan error, 1), make(chan error, 1)}
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() { _, err := c.IsFileClosed(first, "/a"); errs[0] <- err })
	<-arrived
	wg.Go(func() { _, err := c.IsFileClosed(second, "/b"); errs[1] <- err })
	cancelSecond(why)
	if err := <-errs[1]; !errors.Is(err, why) {
		t.Errorf("waiting call: %v", err)
	}
	cancelFirst(why)
	if err := <-errs[0]; !errors.Is(err, why) {
		t.Errorf("call under way: %v", err)
	}
	if ok, err := c.IsFileClosed(within(t, patience), "/c"); !ok || err != nil {
		t.Fatal(ok, err)
	}
}

// TestCloseEndsCalls: the one under way, those that wait, and those that come later.
func TestCloseEndsCalls(t *testing.T) {
	arrived := make(chan struct{}, 1)
	nn := startFake(t, func(*request) reply { arrived <- struct{}{}; return reply{} })
	c := newClient(t, Options{}, nn)
	errs := make(chan error, 5)
	var wg sync.WaitGroup
	defer wg.Wait()
	for range cap(errs) {
		wg.Go(func() { _, err := c.IsFileClosed(context.Background(), "/a"); errs <- err })
	}
	<-arrived
	for range 3 { // closing again is no harm, at the same time neither
		wg.Go(func() {
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	for range cap(errs) {
		if err := <-errs; !errors.Is(err, ErrClosed) {
			t.Errorf("error is %v", err)
		}
	}
	c.Close()
	if _, err := c.IsFileClosed(context.Background(), "/a"); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

// TestConcurrentCalls get each their own answer, over one connection.
func TestConcurrentCalls(t *testing.T) {
	nn := startFake(t, func(q *request) reply {
		return q.ok("FileInfoReply", fmt.Sprintf(`fs{fileType: 2 path: %q length: 0 permission{perm: 0} owner: "" group: "" modification_time: 0 access_time: 0}`, get(q.params, "src").String()))
	})
	c := newClient(t, Options{}, nn)
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			for j := range 20 {
				p := fmt.Sprintf("/%d/%d", i, j)
				if st, err := c.Stat(within(t, patience), p); err != nil || st == nil || st.Name != p {
					t.Errorf("%s: %+v, %v", p, st, err)
				}
			}
		})
	}
	wg.Wait()
	requests, conns := nn.seen()
	ids := map[int32]bool{}
	for _, q := range requests {
		ids[q.callID] = true
	}
	if len(requests) != 320 || len(ids) != 320 || conns != 1 {
		t.Errorf("%d requests with %d ids on %d connections", len(requests), len(ids), conns)
	}
}

// slowDeadline is a connection whose user cancels a call at the moment its reply is
// there, and on which the deadline set by that comes late.
type slowDeadline struct {
	net.Conn
	cancel  func()
	once    sync.Once
	started chan struct{} // the past deadline is about to be set
	next    chan struct{} // the next call has set its own
	set     chan struct{} // the past deadline is set
}

func (c *slowDeadline) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.once.Do(func() {
		c.cancel()
		<-c.started
	})
	return n, err
}

func (c *slowDeadline) SetDeadline(t time.Time) error {
	if !t.IsZero() {
		close(c.started)
		select {
		case <-c.next:
		case <-time.After(100 * time.Millisecond): // nobody came in between: good
		}
		defer close(c.set)
	}
	err := c.Conn.SetDeadline(t)
	select {
	case <-c.started:
		if t.IsZero() {
			close(c.next)
			<-c.set
		}
	default:
	}
	return err
}

// TestLateCancelSparesTheNextCall: the context of a call ends when the call is done
// already; the next one on the connection must not notice.
func TestLateCancelSparesTheNextCall(t *testing.T) {
	nn := startFake(t, func(q *request) reply { return q.yes() })
	ctx, cancel := context.WithCancel(t.Context())
	c := newClient(t, Options{Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
		nc, err := (&net.Dialer{}).DialContext(ctx, network, address)
		return &slowDeadline{Conn: nc, cancel: cancel, started: make(chan struct{}), next: make(chan struct{}), set: make(chan struct{})}, err
	}}, nn)
	if ok, err := c.IsFileClosed(ctx, "/a"); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if result, err := c.Rename(within(t, patience), "/a", "/b"); err != nil || result.ReplyLost {
		t.Fatal(result, err)
	}
	if requests, conns := nn.seen(); len(requests) != 2 || conns != 1 {
		t.Errorf("%d requests on %d connections", len(requests), conns)
	}
}

// TestFrameAllocatesAsItArrives: a size that is a lie costs next to nothing.
func TestFrameAllocatesAsItArrives(t *testing.T) {
	head := binary.BigEndian.AppendUint32(nil, maxFrame)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := readFrame(io.MultiReader(strings.NewReader(string(head)), strings.NewReader("0123456789")))
	runtime.ReadMemStats(&after)
	if !errors.Is(err, io.ErrUnexpectedEOF) || !strings.Contains(err.Error(), "after 10 of") {
		t.Errorf("error is %v", err)
	}
	if n := after.TotalAlloc - before.TotalAlloc; n > 1<<20 {
		t.Errorf("%d bytes allocated for a frame of 10", n)
	}
}
