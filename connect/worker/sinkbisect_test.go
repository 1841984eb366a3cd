package worker

import (
	"errors"
	"fmt"
	"math/bits"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/tolerance"
)

// atomicSink writes a batch wholly or not at all, and may say so.
type atomicSink struct {
	*fakeSink
	safe    bool
	puts    int
	written []string
	fail    func(value string) error
}

func (s *atomicSink) SafeToBisect() bool { return s.safe }

func (s *atomicSink) all(records []connect.SinkRecord) error {
	if len(records) == 0 {
		return nil
	}
	s.puts++
	var values []string
	for i := range records {
		v, err := records[i].Value.Value()
		if err != nil {
			return err
		}
		if err := s.fail(v.(string)); err != nil {
			return err
		}
		values = append(values, v.(string))
	}
	s.written = append(s.written, values...)
	return nil
}

func newAtomicRig(t *testing.T, tol tolerance.Config, values ...string) (*rig, *atomicSink, *fakeLetters) {
	p := &fakeLetters{}
	r := newRig(t, tol, assign(tp0), fetch(tp0, 0, values...), nothing, nothing).withLetters(p)
	s := &atomicSink{fakeSink: r.sink, safe: true}
	s.fail = func(v string) error {
		if strings.HasPrefix(v, "poison") {
			return errors.New("cannot write " + v)
		}
		return nil
	}
	s.put = s.all
	r.task.sink = s
	return r, s, p
}

// values returns n values of which some are poison.
func values(n int, poison ...int) []string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprint(i))
	}
	for _, i := range poison {
		all[i] = fmt.Sprintf("poison %d", i)
	}
	return all
}

func TestBisection(t *testing.T) {
	for _, tc := range []struct {
		n      int
		poison []int
	}{
		{1, []int{0}}, {2, []int{0}}, {2, []int{1}}, {2, []int{0, 1}}, {3, []int{1}}, {1000, []int{0}}, {1000, []int{999}},
		{1000, []int{412}}, {1000, []int{1, 2, 3, 500, 900, 901}}, {40, []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22}},
	} {
		t.Run(fmt.Sprint(tc), func(t *testing.T) {
			r, s, p := newAtomicRig(t, tolerateAll, values(tc.n, tc.poison...)...)
			got := r.run()
			if committed(got) != fmt.Sprintf("commit at close map[t-0:%d]", tc.n) || got[len(got)-1] != "status UNASSIGNED" {
				t.Fatal(strings.Join(got, "\n"))
			}
			var good, bad, letters []string
			for _, v := range values(tc.n, tc.poison...) {
				if strings.HasPrefix(v, "poison") {
					bad = append(bad, v)
				} else {
					good = append(good, v)
				}
			}
			if diff := cmp.Diff(good, s.written); diff != "" {
				t.Errorf("written (-want +got):\n%s", diff)
			}
			for _, l := range p.sent {
				letters = append(letters, string(l.Value))
				h := map[string]string{}
				for _, x := range l.Headers {
					h[x.Key] = string(x.Value)
				}
				if h["__connect.errors.stage"] != "TASK_PUT" || h["__connect.errors.class.name"] != sinkTaskClass || h["__connect.errors.exception.message"] != "cannot write "+string(l.Value) {
					t.Errorf("headers %v", h)
				}
			}
			if diff := cmp.Diff(bad, letters); diff != "" {
				t.Errorf("letters (-want +got):\n%s", diff)
			}
			if limit := 1 + 2*bits.Len(uint(tc.n))*len(bad); s.puts > limit {
				t.Errorf("%d puts, want at most %d", s.puts, limit)
			}
		})
	}
}

func TestNoBisection(t *testing.T) {
	for _, tc := range []struct {
		name string
		tol  tolerance.Config
		safe bool
	}{{"without tolerance", tolerance.Config{}, true}, {"of a task that is not safe", tolerateAll, false}} {
		r, s, p := newAtomicRig(t, tc.tol, values(10, 3)...)
		s.safe = tc.safe
		if got := r.run(); s.puts != 1 || len(p.sent) > 0 || got[len(got)-1] != "status FAILED" {
			t.Errorf("%s: %d puts\n%s", tc.name, s.puts, strings.Join(got, "\n"))
		}
	}
}

// A sink that is down must not send everything to the dead letter queue.
func TestAnOutageIsNoBadRecord(t *testing.T) {
	r, s, p := newAtomicRig(t, tolerateAll, values(500)...)
	s.fail = func(string) error { return errors.New("disk full") }
	got := r.run()
	if len(p.sent) > 0 || committed(got) != "" || got[len(got)-1] != "status FAILED" || s.puts > 50 {
		t.Errorf("%d puts, %d letters\n%s", s.puts, len(p.sent), strings.Join(got, "\n"))
	}
	// Also when the records come one by one.
	r, s, p = newAtomicRig(t, tolerateAll)
	r.consumer.script = r.consumer.script[:1]
	for i := range int64(100) {
		r.consumer.script = append(r.consumer.script, fetch(tp0, i, "v"))
	}
	s.fail = func(string) error { return errors.New("disk full") }
	got = r.run()
	if len(p.sent) != maxSuspects || committed(got) != fmt.Sprintf("commit at close map[t-0:%d]", maxSuspects) || got[len(got)-1] != "status FAILED" {
		t.Errorf("%d letters\n%s", len(p.sent), strings.Join(got, "\n"))
	}
}

func TestAGoodRecordClearsTheSinkOfSuspicion(t *testing.T) {
	r, _, p := newAtomicRig(t, tolerateAll)
	r.consumer.script = r.consumer.script[:1]
	offset := int64(0)
	for range 5 {
		for range maxSuspects - 1 {
			r.consumer.script = append(r.consumer.script, fetch(tp0, offset, "poison"))
			offset++
		}
		r.consumer.script = append(r.consumer.script, fetch(tp0, offset, "good", "poison"))
		offset += 2
	}
	if got := r.run(); len(p.sent) != 5*maxSuspects || committed(got) != fmt.Sprintf("commit at close map[t-0:%d]", offset) {
		t.Errorf("%d letters\n%s", len(p.sent), strings.Join(got, "\n"))
	}
}

func TestARetriableErrorAmidABisection(t *testing.T) {
	r, s, p := newAtomicRig(t, tolerateAll, values(20, 2, 15)...)
	failed := false
	fail := s.fail
	s.fail = func(v string) error {
		if v == "12" && len(s.written) == 9 && !failed { // after the first half
			failed = true
			return &connect.RetriableError{Err: errors.New("later")}
		}
		return fail(v)
	}
	got := r.run()
	want := append(append(values(2), values(15)[3:]...), values(20)[16:]...)
	if diff := cmp.Diff(want, s.written); diff != "" || !failed || len(p.sent) != 2 || committed(got) != "commit at close map[t-0:20]" {
		t.Errorf("letters %d, written (-want +got):\n%s\n%s", len(p.sent), diff, strings.Join(got, "\n"))
	}
}

func TestAStopAmidABisection(t *testing.T) {
	r, s, p := newAtomicRig(t, tolerateAll, values(20, 2)...)
	fail := s.fail
	s.fail = func(v string) error {
		if s.puts == 3 {
			r.task.requestStop()
		}
		return fail(v)
	}
	got := r.run()
	if s.puts != 3 || len(p.sent) > 0 || committed(got) != "" || got[len(got)-1] != "status UNASSIGNED" {
		t.Errorf("%d puts, letters %d\n%s", s.puts, len(p.sent), strings.Join(got, "\n"))
	}
}
