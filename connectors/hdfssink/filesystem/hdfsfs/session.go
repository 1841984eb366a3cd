package hdfsfs

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/colinmarc/hdfs/v2"

	"github.com/penstock-io/penstock/connectors/hdfssink/filesystem/hdfsfs/namenode"
)

// session is one colinmarc client with its sockets. Its client name holds the leases
// of the files it opened, so it lives until the last of them is released, also when
// a newer session has taken its place.
type session struct {
	fs     *FS
	client *hdfs.Client
	dialer *dialer
	ended  sync.Once

	// Guarded by fs.mu.
	users   int  // calls and files that use it
	retired bool // no new users; ends with the last one
}

// acquire returns the current session with one more user, making one when there is
// none or the current one's NameNode connection broke. Release it.
func (f *FS) acquire(ctx context.Context) (*session, error) {
	select {
	case f.opening <- struct{}{}:
		defer func() { <-f.opening }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	f.mu.Lock()
	if s := f.current; s != nil && !s.retired && !s.dialer.isBroken() {
		s.users++
		f.mu.Unlock()
		return s, nil
	}
	old := f.current
	f.current = nil
	f.mu.Unlock()
	if old != nil {
		old.retire()
	}

	s, err := await(ctx, f, f.openSession, (*session).end)
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	if f.closed.Err() != nil {
		f.mu.Unlock()
		s.end()
		return nil, errClosed
	}
	s.users = 1
	f.current = s
	f.sessions[s] = struct{}{}
	f.mu.Unlock()
	return s, nil
}

// openSession connects. The defaults are fetched here because the client caches them
// without a lock, and later calls run side by side.
func (f *FS) openSession() (*session, error) {
	d := newDialer(f.IOTimeout)
	stop := context.AfterFunc(f.closed, d.cut)
	defer stop()
	c, err := hdfs.NewClient(hdfs.ClientOptions{
		Addresses:           f.addresses,
		User:                f.User,
		UseDatanodeHostname: f.byHostname,
		NamenodeDialFunc:    d.dial(nameNode),
		DatanodeDialFunc:    d.dial(dataNode),
	})
	if err != nil {
		d.cut()
		return nil, err
	}
	s := &session{fs: f, client: c, dialer: d}
	if _, err := c.ServerDefaults(); err != nil {
		s.end()
		return nil, err
	}
	return s, nil
}

func (s *session) name() string { return s.client.Name() }

// share adds a user.
func (s *session) share() {
	s.fs.mu.Lock()
	s.users++
	s.fs.mu.Unlock()
}

func (s *session) release() {
	s.fs.mu.Lock()
	s.users--
	over := s.retired && s.users == 0
	if over {
		delete(s.fs.sessions, s)
	}
	s.fs.mu.Unlock()
	if over {
		s.end()
	}
}

// retire lets no new user in. The leases of files that failed end 60 s after the last
// user: nobody renews them any more.
func (s *session) retire() {
	s.share()
	s.fs.mu.Lock()
	s.retired = true
	if s.fs.current == s {
		s.fs.current = nil
	}
	s.fs.mu.Unlock()
	s.release()
}

// end closes the client. Its sockets go first, or Close would wait for a call under way.
func (s *session) end() {
	s.ended.Do(func() {
		s.dialer.cut()
		s.client.Close() //nolint:errcheck // the sockets are gone
	})
}

// await runs a call that takes no context, beside its caller: when ctx ends first the
// caller goes on, and a late success is given to drop. FS.Close waits for the call,
// whose sockets' deadlines and end bound it.
func await[T any](ctx context.Context, f *FS, call func() (T, error), drop func(T)) (T, error) {
	type result struct {
		value T
		err   error
	}
	var none T
	if err := f.startCall(); err != nil {
		return none, err
	}
	done, abandoned := make(chan result), make(chan struct{})
	go func() {
		defer f.calls.Done()
		v, err := call()
		select {
		case done <- result{v, err}:
		case <-abandoned:
			if err == nil {
				drop(v)
			}
		}
	}()
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
		close(abandoned)
		return none, context.Cause(ctx)
	case <-f.closed.Done():
		close(abandoned)
		return none, errClosed
	}
}

// startCall counts a call in, unless the FS is closed.
func (f *FS) startCall() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed.Err() != nil {
		return errClosed
	}
	f.calls.Add(1)
	return nil
}

// fromNameNode reports whether a call of the colinmarc client failed between us and
// the NameNode, so that repeating it can help. The text is that client's, which
// flattens the cause.
func fromNameNode(err error) bool {
	var c *connError
	if errors.As(err, &c) {
		return c.role == nameNode
	}
	return namenode.IsTemporary(namenode.Exception(err)) || strings.Contains(fmt.Sprint(err), "no available namenodes")
}
