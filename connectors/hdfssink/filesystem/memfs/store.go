package memfs

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/penstock-io/penstock/connectors/hdfssink/filesystem"
)

// ErrCrashed is what a client gets for every call after Store.Crash.
var ErrCrashed = errors.New("process crashed")

// Store is the disk behind any number of clients. Safe for concurrent use.
type Store struct {
	mu      sync.Mutex
	root    *node
	clients map[*FS]struct{}
	torn    *rand.Rand // see TearOnRecovery
}

// node is a directory (children not nil) or a file.
type node struct {
	children map[string]*node
	data     []byte // what readers see; only ever appended to
	modified time.Time
	lease    *lease // who writes it, nil when closed
	removed  bool
}

// lease is the right of one open to write a file. It survives the holder's death.
type lease struct {
	holder *FS    // nil: died in a crash
	buf    []byte // written and not closed
	taken  bool   // by RecoverLease
}

// NewStore returns an empty store.
func NewStore() *Store {
	return &Store{root: newDir(), clients: map[*FS]struct{}{}}
}

func newDir() *node {
	return &node{children: map[string]*node{}, modified: time.Now()}
}

// Client returns a new client. The leases of two clients exclude each other.
func (s *Store) Client() *FS {
	f := &FS{store: s}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clients[f] = struct{}{}
	return f
}

// TearOnRecovery makes RecoverLease keep any prefix of what a living writer wrote
// since it opened the file, as HDFS does with data still on its way; without it
// everything is kept. The generator is used under the store's lock.
func (s *Store) TearOnRecovery(rng *rand.Rand) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.torn = rng
}

// Crash ends all processes: each client's later calls fail with ErrCrashed, files that
// were not closed keep a prefix of what was written, chosen with rng, which shows once
// their lease is recovered. Closed files, renames, removals and directories stay.
func (s *Store) Crash(rng *rand.Rand) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.clients {
		c.dead = ErrCrashed
	}
	s.clients = map[*FS]struct{}{}
	s.root.crash(rng)
}

// CrashClone returns what would be there after a Crash now. The store itself goes on.
func (s *Store) CrashClone(rng *rand.Rand) *Store {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := NewStore()
	c.root = s.root.clone()
	c.root.crash(rng)
	return c
}

func (n *node) clone() *node {
	c := &node{data: n.data[:len(n.data):len(n.data)], modified: n.modified}
	if n.lease != nil {
		c.lease = &lease{buf: n.lease.buf[:len(n.lease.buf):len(n.lease.buf)]}
	}
	if n.children != nil {
		c.children = make(map[string]*node, len(n.children))
		for name, child := range n.children {
			c.children[name] = child.clone()
		}
	}
	return c
}

// crash visits in name order, so that a seed gives the same result each time.
func (n *node) crash(rng *rand.Rand) {
	if n.lease != nil {
		n.lease = &lease{buf: n.lease.buf[:rng.IntN(len(n.lease.buf)+1)]}
	}
	for _, name := range n.names() {
		n.children[name].crash(rng)
	}
}

// clean makes a path absolute and removes double slashes.
func clean(p string) string { return path.Clean("/" + p) }

// find returns the node at a clean path: ErrNotExist when there is none.
func (s *Store) find(p string) (*node, error) {
	n := s.root
	for name := range strings.SplitSeq(strings.Trim(p, "/"), "/") {
		if name == "" {
			continue
		}
		if n = n.children[name]; n == nil {
			return nil, filesystem.ErrNotExist
		}
	}
	return n, nil
}

// dir returns the directory at a clean path, made with its parents if create says so.
func (s *Store) dir(p string, create bool) (*node, error) {
	n := s.root
	for name := range strings.SplitSeq(strings.Trim(p, "/"), "/") {
		if name == "" {
			continue
		}
		child := n.children[name]
		switch {
		case child == nil && !create:
			return nil, filesystem.ErrNotExist
		case child == nil:
			child = newDir()
			n.children[name] = child
		case child.children == nil:
			return nil, fmt.Errorf("%s in %s is not a directory", name, p)
		}
		n = child
	}
	return n, nil
}

// close ends a lease, with the first keep bytes of what was written.
func (n *node) close(keep int) {
	n.data = append(n.data, n.lease.buf[:keep]...)
	n.lease = nil
	n.modified = time.Now()
}

func (n *node) remove() {
	n.removed = true
	for _, child := range n.children {
		child.remove()
	}
}
