package namenode

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"
)

// fakeNameNode speaks Hadoop IPC on a loopback port. Its answer function is called for
// each request, from one goroutine per connection.
type fakeNameNode struct {
	t      testing.TB
	ln     net.Listener
	answer func(*request) reply
	unread int // so many connections are closed first, unread
	wg     sync.WaitGroup

	mu       sync.Mutex
	conns    map[net.Conn]struct{}
	accepted int
	requests []*request
	stopped  bool
}

// request is one decoded request.
type request struct {
	t        testing.TB
	conn     int // connection's number, from 1
	number   int // of all requests, from 1
	user     string
	callID   int32
	clientID string
	retry    int64
	method   string
	params   *dynamicpb.Message
}

// reply says what the fake does after a request: it sends raw, and then closes the
// connection when drop is set. Nothing of both is silence.
type reply struct {
	raw  []byte
	drop bool
}

// startFake starts a fake NameNode that ends with the test.
func startFake(t testing.TB, answer func(*request) reply) *fakeNameNode {
	t.Helper()
	return startRudeFake(t, 0, answer)
}

// startRudeFake starts one that closes its first connections unread.
func startRudeFake(t testing.TB, unread int, answer func(*request) reply) *fakeNameNode {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &fakeNameNode{t: t, ln: ln, answer: answer, unread: unread, conns: map[net.Conn]struct{}{}}
	f.wg.Go(f.listen)
	t.Cleanup(f.stop)
	return f
}

func (f *fakeNameNode) address() string { return f.ln.Addr().String() }

func (f *fakeNameNode) stop() {
	f.ln.Close()
	f.mu.Lock()
	f.stopped = true
	for c := range f.conns {
		c.Close()
	}
	f.mu.Unlock()
	f.wg.Wait()
}

func (f *fakeNameNode) listen() {
	for {
		c, err := f.ln.Accept()
		if err != nil {
			return
		}
		f.mu.Lock()
		f.accepted++
		n := f.accepted
		f.conns[c] = struct{}{}
		if f.stopped {
			c.Close()
		}
		f.mu.Unlock()
		if n <= f.unread {
			c.Close()
			continue
		}
		f.wg.Go(func() {
			defer c.Close()
			f.serve(c, n)
		})
	}
}

// serve reads requests until the client closes; what it sends wrongly fails the test.
func (f *fakeNameNode) serve(c net.Conn, n int) {
	r := bufio.NewReader(c)
	start := make([]byte, 7)
	if _, err := io.ReadFull(r, start); err != nil {
		return // gone before it said anything
	}
	if want := []byte("hrpc\x09\x00\x00"); !slices.Equal(start, want) {
		f.t.Errorf("connection starts with %x, want %x", start, want)
		return
	}
	user := ""
	for first := true; ; first = false {
		b, err := readRaw(r)
		if err != nil {
			return
		}
		q, err := decodeRequest(f.t, b, first)
		if err != nil {
			f.t.Errorf("request %x: %v", b, err)
			return
		}
		if first {
			user = q.user
			continue
		}
		q.conn, q.user = n, user
		f.mu.Lock()
		f.requests = append(f.requests, q)
		q.number = len(f.requests)
		f.mu.Unlock()
		a := f.answer(q)
		if _, err := c.Write(a.raw); err != nil || a.drop {
			return
		}
	}
}

func readRaw(r io.Reader) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	b := make([]byte, binary.BigEndian.Uint32(head[:]))
	_, err := io.ReadFull(r, b)
	return b, err
}

// decodeRequest decodes a frame strictly: no unknown field, no byte left over.
func decodeRequest(t testing.TB, b []byte, first bool) (*request, error) {
	header, b, err := decodeNext("RpcRequestHeaderProto", b)
	if err != nil {
		return nil, err
	}
	q := &request{t: t, callID: int32(get(header, "callId").Int()), clientID: string(get(header, "clientId").Bytes()),
		retry: get(header, "retryCount").Int()}
	if kind, op := get(header, "rpcKind").Uint(), get(header, "rpcOp").Uint(); kind != 2 || op != 0 || len(q.clientID) != 16 {
		return nil, fmt.Errorf("request header %v", header)
	}
	if first {
		hello, rest, err := decodeNext("IpcConnectionContextProto", b)
		if err != nil || len(rest) > 0 || q.callID != -3 || get(hello, "protocol").String() != protocolClass {
			return nil, fmt.Errorf("connection context %v with call id %d, %d bytes behind: %w", hello, q.callID, len(rest), err)
		}
		user := get(hello, "userInfo").Message()
		q.user = user.Get(user.Descriptor().Fields().ByName("effectiveUser")).String()
		return q, nil
	}
	method, b, err := decodeNext("RequestHeaderProto", b)
	if err != nil {
		return nil, err
	}
	q.method = get(method, "methodName").String()
	if get(method, "declaringClassProtocolName").String() != protocolClass || get(method, "clientProtocolVersion").Uint() != 1 {
		return nil, fmt.Errorf("method header %v", method)
	}
	if q.params, b, err = decodeNext(q.method, b); err == nil && len(b) > 0 {
		err = fmt.Errorf("%d bytes behind the parameters", len(b))
	}
	return q, err
}

func decodeNext(name string, b []byte) (*dynamicpb.Message, []byte, error) {
	body, n := protowire.ConsumeBytes(b)
	d := hadoop.ByName(protoreflect.Name(name))
	if n < 0 || d == nil {
		return nil, nil, fmt.Errorf("%s: %w", name, protowire.ParseError(n))
	}
	m := dynamicpb.NewMessage(d)
	if err := proto.Unmarshal(body, m); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", name, err)
	}
	if unknown := m.GetUnknown(); len(unknown) > 0 {
		return nil, nil, fmt.Errorf("%s has unknown fields %x", name, unknown)
	}
	return m, b[n:], nil
}

// ok is a reply frame with a result, which is given in text form.
func (q *request) ok(name, text string) reply {
	q.t.Helper()
	return reply{raw: replyFrame(encode(q.t, build(q.t, "RpcResponseHeaderProto", fmt.Sprintf("callId: %d status: 0 serverIpcVersionNum: 9 retryCount: -1", uint32(q.callID)))),
		encode(q.t, build(q.t, name, text)))}
}

func (q *request) yes() reply { return q.ok("BoolReply", "result: true") }

// throw is a reply frame with an exception.
func (q *request) throw(class, text string) reply {
	return reply{raw: exceptionFrame(q.t, uint32(q.callID), 1, class, text)}
}

func exceptionFrame(t testing.TB, callID uint32, status int, class, text string) []byte {
	t.Helper()
	return replyFrame(encode(t, build(t, "RpcResponseHeaderProto",
		fmt.Sprintf("callId: %d status: %d exceptionClassName: %q errorMsg: %q errorDetail: 1", callID, status, class, text))))
}

func replyFrame(messages ...[]byte) []byte {
	b := make([]byte, 4)
	for _, m := range messages {
		b = protowire.AppendBytes(b, m)
	}
	binary.BigEndian.PutUint32(b, uint32(len(b)-4))
	return b
}

// seen returns the requests so far and the number of connections.
func (f *fakeNameNode) seen() ([]*request, int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.requests), f.accepted
}

// newClient returns a client of the fakes, closed at the end of the test, which repeats
// calls at once.
func newClient(t testing.TB, o Options, fakes ...*fakeNameNode) *Client {
	t.Helper()
	for _, f := range fakes {
		o.Addresses = append(o.Addresses, f.address())
	}
	if o.User == "" {
		o.User = "alice"
	}
	if o.MaxBackoff == 0 {
		o.MaxBackoff = time.Millisecond
	}
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// within is a context for calls that must not hang.
func within(t testing.TB, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}
