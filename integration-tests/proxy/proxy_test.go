package proxy

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// echo is a server that answers each line with the same line and tells what came.
func echo(t *testing.T) (address string, came chan string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	came = make(chan string, 10)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				for s := bufio.NewScanner(c); s.Scan(); {
					came <- s.Text()
					fmt.Fprintln(c, s.Text())
				}
			}()
		}
	}()
	return l.Addr().String(), came
}

func start(t *testing.T, target string) *Proxy {
	t.Helper()
	p, err := Listen("127.0.0.1:0", target)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

func dial(t *testing.T, p *Proxy) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// ask sends a line and returns the answer; a short wait ends with a time-out.
func ask(c net.Conn, line string, patience time.Duration) (string, error) {
	if line != "" {
		if _, err := fmt.Fprintln(c, line); err != nil {
			return "", err
		}
	}
	c.SetReadDeadline(time.Now().Add(patience))
	answer, err := bufio.NewReader(c).ReadString('\n')
	return answer, err
}

const long, short = 10 * time.Second, 100 * time.Millisecond

func want(t *testing.T, c net.Conn, send, answer string) {
	t.Helper()
	if got, err := ask(c, send, long); err != nil || got != answer+"\n" {
		t.Fatalf("answer %q, %v; want %q", got, err, answer)
	}
}

func wantNone(t *testing.T, c net.Conn, send string) {
	t.Helper()
	if got, err := ask(c, send, short); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("answer %q, %v; want none", got, err)
	}
}

func wantReset(t *testing.T, c net.Conn) {
	t.Helper()
	if got, err := ask(c, "", long); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("answer %q, %v; want a reset", got, err)
	}
}

// wantUnreachable wants a reset, which may come as early as while connecting.
func wantUnreachable(t *testing.T, p *Proxy) {
	t.Helper()
	if c, err := net.Dial("tcp", p.Addr()); err == nil {
		defer c.Close()
		wantReset(t, c)
	}
}

func TestBytesPassInBothDirections(t *testing.T) {
	target, _ := echo(t)
	p := start(t, target)
	c := dial(t, p)
	want(t, c, "one", "one")
	p.Set(Slow)
	want(t, c, "two", "two")
}

func TestAStallHoldsWhatIsSentAndLetsItGoOn(t *testing.T) {
	target, came := echo(t)
	p := start(t, target)
	c := dial(t, p)
	want(t, c, "one", "one")
	<-came
	p.Set(Stall)
	wantNone(t, c, "two")
	fresh := dial(t, p)
	wantNone(t, fresh, "three")
	if len(came) != 0 {
		t.Fatalf("the server got %q", <-came)
	}
	p.Set(Pass)
	want(t, c, "", "two")
	want(t, fresh, "", "three")
}

func TestStalledRepliesLetRequestsThrough(t *testing.T) {
	target, came := echo(t)
	p := start(t, target)
	p.Set(StallReplies)
	c := dial(t, p)
	wantNone(t, c, "one")
	if got := <-came; got != "one" {
		t.Fatalf("the server got %q", got)
	}
	p.Set(Pass)
	want(t, c, "", "one")
}

func TestRefuseResetsOldAndNewConnections(t *testing.T) {
	target, _ := echo(t)
	p := start(t, target)
	c := dial(t, p)
	want(t, c, "one", "one")
	p.Set(Refuse)
	wantReset(t, c)
	wantUnreachable(t, p)
	p.Set(Pass)
	want(t, dial(t, p), "two", "two")
}

func TestATargetThatIsDownLooksLikeAReset(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	p := start(t, l.Addr().String())
	wantUnreachable(t, p)
}

func TestResetCutsWhatIsStalled(t *testing.T) {
	target, _ := echo(t)
	p := start(t, target)
	p.Set(Stall)
	c := dial(t, p)
	wantNone(t, c, "one")
	p.Reset()
	wantReset(t, c)
}
