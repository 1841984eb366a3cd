//go:build capture

package capture

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/penstock-io/penstock/connect/group/protocol"
)

// event is one line of a recorded run: a step of the scenario, or a message of the
// group protocol as it went over the wire.
type event struct {
	MS         int64  `json:"ms"`   // since the start of the scenario
	Kind       string `json:"kind"` // note; join, joined, sync, synced, leave
	Note       string `json:"note,omitempty"`
	Client     string `json:"client,omitempty"` // client.id: one for each process that was started
	Member     string `json:"member,omitempty"`
	Err        int16  `json:"err,omitempty"`
	Generation int32  `json:"generation,omitempty"`
	Protocol   string `json:"protocol,omitempty"`
	Leader     string `json:"leader,omitempty"`
	// Blobs are the metadata by protocol (join), the metadata by member (joined, to the
	// leader), or the assignments by member (sync, from the leader).
	Blobs []blob `json:"blobs,omitempty"`
	// Assignment is what a member received (synced).
	Assignment []byte `json:"assignment,omitempty"`
}

type blob struct {
	Name  string `json:"name"`
	Bytes []byte `json:"bytes"`
}

// recorder is a TCP proxy in front of a broker that advertises the proxy's address. It
// writes down the group protocol of the group that it is told.
type recorder struct {
	listener net.Listener

	mu     sync.Mutex
	target string
	group  string
	start  time.Time
	last   time.Time     // of the last event that is no note
	delay  time.Duration // of the last assignment
	gates  map[string]*gate
	events []event
}

// gate keeps a worker from joining the group until it is opened.
type gate struct {
	arrived chan struct{} // closed when the worker wants to join
	open    chan struct{}
	once    sync.Once
}

// gate returns the gate of a client, nil for none; with create it is made.
func (r *recorder) gate(client string, create bool) *gate {
	r.mu.Lock()
	defer r.mu.Unlock()
	if create {
		r.gates[client] = &gate{arrived: make(chan struct{}), open: make(chan struct{})}
	}
	return r.gates[client]
}

func newRecorder(t *testing.T) *recorder {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &recorder{listener: l, gates: map[string]*gate{}}
	var conns sync.WaitGroup
	t.Cleanup(func() { l.Close(); conns.Wait() })
	conns.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			conns.Go(func() { r.serve(c) })
		}
	})
	return r
}

func (r *recorder) address() string { return r.listener.Addr().String() }

// begin starts a recording.
func (r *recorder) begin(group string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.group, r.start, r.last, r.events = group, time.Now(), time.Now(), nil
	r.delay = 0
}

func (r *recorder) add(e event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e.MS = time.Since(r.start).Milliseconds()
	if e.Kind != "note" {
		r.last = time.Now()
	}
	if e.Kind == "synced" && e.Err == 0 {
		if a, err := protocol.ReadAssignment(e.Assignment); err == nil {
			r.delay = a.Delay
		}
	}
	r.events = append(r.events, e)
}

// state returns how many assignments were received, for how long nothing has happened, and
// after how long the group wants to rebalance once more (0 for never).
func (r *recorder) state() (synced int, quiet, delay time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.events {
		if e.Kind == "synced" && e.Err == 0 {
			synced++
		}
	}
	return synced, time.Since(r.last), r.delay
}

// question is a request that waits for its response.
type question struct {
	key, version   int16
	client, member string
	generation     int32
	flexible       bool
}

func (r *recorder) serve(client net.Conn) {
	defer client.Close()
	r.mu.Lock()
	target := r.target
	r.mu.Unlock()
	broker, err := net.Dial("tcp", target)
	if err != nil {
		return
	}
	var mu sync.Mutex
	asked := map[uint32]question{}
	var both sync.WaitGroup
	both.Go(func() {
		defer broker.Close()
		pump(client, broker, func(b []byte) {
			if q, id, ok := r.request(b); ok {
				mu.Lock()
				asked[id] = q
				mu.Unlock()
			}
		})
	})
	both.Go(func() {
		defer client.Close()
		pump(broker, client, func(b []byte) {
			id := binary.BigEndian.Uint32(b)
			mu.Lock()
			q, ok := asked[id]
			delete(asked, id)
			mu.Unlock()
			if ok {
				r.response(q, b[4:])
			}
		})
	})
	both.Wait()
}

// pump copies frames and shows each before it is passed on.
func pump(from io.Reader, to io.Writer, see func([]byte)) {
	for {
		var size [4]byte
		if _, err := io.ReadFull(from, size[:]); err != nil {
			return
		}
		frame := make([]byte, 4+binary.BigEndian.Uint32(size[:]))
		copy(frame, size[:])
		if _, err := io.ReadFull(from, frame[4:]); err != nil {
			return
		}
		if len(frame) >= 8 {
			see(frame[4:])
		}
		if _, err := to.Write(frame); err != nil {
			return
		}
	}
}

var errTags = errors.New("a header with tags")

// body returns what follows a header: nothing, or an empty list of tags.
func body(b []byte, flexible bool) ([]byte, error) {
	if !flexible {
		return b, nil
	}
	if len(b) == 0 || b[0] != 0 {
		return nil, errTags
	}
	return b[1:], nil
}

func (r *recorder) request(b []byte) (q question, id uint32, ok bool) {
	if len(b) < 10 {
		return q, 0, false
	}
	q.key, q.version = int16(binary.BigEndian.Uint16(b)), int16(binary.BigEndian.Uint16(b[2:]))
	id = binary.BigEndian.Uint32(b[4:])
	n := int(int16(binary.BigEndian.Uint16(b[8:])))
	b = b[10:]
	if n > 0 {
		q.client, b = string(b[:n]), b[n:]
	}
	req := kmsg.RequestForKey(q.key)
	switch req.(type) {
	case *kmsg.JoinGroupRequest, *kmsg.SyncGroupRequest, *kmsg.LeaveGroupRequest:
	default:
		return q, 0, false
	}
	req.SetVersion(q.version)
	q.flexible = req.IsFlexible()
	b, err := body(b, q.flexible)
	if err != nil || req.ReadFrom(b) != nil {
		r.add(event{Kind: "note", Note: "unreadable request"})
		return q, 0, false
	}
	switch req := req.(type) {
	case *kmsg.JoinGroupRequest:
		if req.Group != r.group {
			return q, 0, false
		}
		if g := r.gate(q.client, false); g != nil {
			g.once.Do(func() { close(g.arrived) })
			<-g.open
		}
		q.member = req.MemberID
		e := event{Kind: "join", Client: q.client, Member: req.MemberID}
		for _, p := range req.Protocols {
			e.Blobs = append(e.Blobs, blob{p.Name, p.Metadata})
		}
		r.add(e)
	case *kmsg.SyncGroupRequest:
		if req.Group != r.group {
			return q, 0, false
		}
		q.member, q.generation = req.MemberID, req.Generation
		e := event{Kind: "sync", Client: q.client, Member: req.MemberID, Generation: req.Generation}
		for _, a := range req.GroupAssignment {
			e.Blobs = append(e.Blobs, blob{a.MemberID, a.MemberAssignment})
		}
		r.add(e)
	case *kmsg.LeaveGroupRequest:
		if req.Group != r.group {
			return q, 0, false
		}
		for _, m := range req.Members {
			r.add(event{Kind: "leave", Client: q.client, Member: m.MemberID})
		}
	}
	return q, id, true
}

func (r *recorder) response(q question, b []byte) {
	b, err := body(b, q.flexible)
	if err != nil {
		return
	}
	switch kmsg.Key(q.key) {
	case kmsg.JoinGroup:
		resp := kmsg.NewPtrJoinGroupResponse()
		resp.SetVersion(q.version)
		if resp.ReadFrom(b) != nil {
			return
		}
		e := event{Kind: "joined", Client: q.client, Member: resp.MemberID, Err: resp.ErrorCode, Generation: resp.Generation, Leader: resp.LeaderID}
		if resp.Protocol != nil {
			e.Protocol = *resp.Protocol
		}
		for _, m := range resp.Members {
			e.Blobs = append(e.Blobs, blob{m.MemberID, m.ProtocolMetadata})
		}
		r.add(e)
	case kmsg.SyncGroup:
		resp := kmsg.NewPtrSyncGroupResponse()
		resp.SetVersion(q.version)
		if resp.ReadFrom(b) != nil {
			return
		}
		r.add(event{Kind: "synced", Client: q.client, Member: q.member, Err: resp.ErrorCode, Generation: q.generation, Assignment: resp.MemberAssignment})
	default: // a leave has nothing to tell
	}
}
