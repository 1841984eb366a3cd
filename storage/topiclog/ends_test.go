package topiclog

import (
	"fmt"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/penstock-io/penstock/internal/kafkatest"
)

// What was written tells where to read to: nobody is asked for the end.
func TestAppendAndRead(t *testing.T) {
	c := kafkatest.New(t)
	c.Topic(topic, 3)
	x := newTable()
	l := start(t, c, x)
	asked := c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.ListOffsets}, Observe: true, Count: -1})
	for i := range 20 {
		v := fmt.Sprint(i)
		must(t, l.AppendAndRead(t.Context(), Record{"a", []byte(v)}, Record{"b", []byte(v)}, Record{"c", []byte(v)}))
		if x.get("a") != v || x.get("b") != v || x.get("c") != v {
			t.Fatalf("after %s: %v", v, x.all())
		}
	}
	if n := asked.Hits(); n != 0 {
		t.Errorf("the end was asked for %d times", n)
	}
}

// Without acks the broker does not say where a record is.
func TestAppendAndReadWithoutOffsets(t *testing.T) {
	c := kafkatest.New(t)
	c.Topic(topic, 1)
	x := newTable()
	o := options(t, c, x)
	o.Producer["acks"] = "0"
	l, err := Open(t.Context(), o)
	must(t, err)
	l.Follow()
	defer func() { must(t, l.Close()) }()
	asked := c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.ListOffsets}, Observe: true, Count: -1})
	must(t, l.AppendAndRead(t.Context(), Record{"a", []byte("v")}))
	if asked.Hits() == 0 {
		t.Error("nobody asked for the end")
	}
}

// Who comes while the end is asked for waits for the next answer, all together: the answer
// under way may be too old.
func TestManyAskForTheEndTogether(t *testing.T) {
	c := kafkatest.New(t)
	c.Topic(topic, 1)
	x := newTable()
	l := start(t, c, x)
	const readers = 200
	arrived, release := make(chan struct{}, readers), make(chan struct{})
	asked := c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.ListOffsets}, Observe: true, Count: -1, When: func(kmsg.Request) bool {
		select {
		case arrived <- struct{}{}:
		default:
		}
		<-release
		return true
	}})
	var wg sync.WaitGroup
	read := func() {
		if err := l.ReadToEnd(t.Context()); err != nil {
			t.Error(err)
		}
	}
	wg.Go(read)
	<-arrived // the first question is under way
	var waiting sync.WaitGroup
	for range readers {
		waiting.Add(1)
		wg.Go(func() {
			q, err := l.ask()
			waiting.Done()
			if err != nil {
				t.Error(err)
				return
			}
			<-q.done
		})
	}
	waiting.Wait()
	close(release)
	wg.Wait()
	if n := asked.Hits(); n != 2 {
		t.Errorf("%d readers asked %d times", readers+1, n)
	}
}
