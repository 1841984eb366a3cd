package topiclog

import (
	"context"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/internal/kafka"
)

// question is one look at the end of the topic, for all who came before it began.
type question struct {
	done chan struct{} // closed when answered
	ends map[connect.TopicPartition]int64
	err  error
}

// sharedEnds returns the end of the topic at a moment after the call. Many tasks that start
// at the same time read the offset topic to its end, which may have many partitions: they
// share a question instead of asking one after the other.
func (l *Log) sharedEnds(ctx context.Context) (map[connect.TopicPartition]int64, error) {
	q, err := l.ask()
	if err != nil {
		return nil, err
	}
	select {
	case <-q.done:
		return q.ends, q.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// ask returns a question that has not begun yet: one under way may have been answered
// before the caller came.
func (l *Log) ask() (*question, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.closed:
		return nil, kafka.ErrClosed
	case l.next != nil:
	case l.asking != nil:
		l.next = &question{done: make(chan struct{})}
	default:
		l.asking = &question{done: make(chan struct{})}
		q := l.asking
		l.reader.Go(func() { l.answer(q) })
		return q, nil
	}
	return l.next, nil
}

// answer answers a question and those that were asked meanwhile.
func (l *Log) answer(q *question) {
	for q != nil {
		if q.ends, q.err = l.endOffsets(l.ctx); l.ctx.Err() != nil {
			q.ends, q.err = nil, kafka.ErrClosed
		}
		close(q.done)
		l.mu.Lock()
		l.asking, l.next = l.next, nil
		q = l.asking
		l.mu.Unlock()
	}
}
