package worker

import (
	"context"
	"errors"
	"fmt"

	"go.uber.org/zap"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/tolerance"
)

// maxSuspects bounds how many records may be given up one after the other without a single
// one that could be put, until the fault is no longer looked for in records.
const maxSuspects = 16

// span is a part of the pending records.
type span struct {
	from, to int
	err      error // of its put; nil: not tried yet
}

// bisects reports whether a failed put is to be narrowed down to single records: only if
// they may be skipped, and if the task says that putting parts again does no harm.
func (s *sinkTask) bisects() bool {
	if !s.operator.TolerateAll() || len(s.records) == 0 || s.putFailure != nil {
		return false
	}
	b, ok := s.sink.(connect.BisectableSinkTask)
	return ok && b.SafeToBisect()
}

// bisect puts the pending records in ever smaller parts, from left to right, after the
// put of all has failed, and reports the single records that fail. It costs at most
// 2·log2(n) puts per bad record.
//
// A fault that is not of a record (a full disk) makes every part fail. So records are only
// suspected until one part has been put, and when too many are the task fails as without
// bisection.
func (s *sinkTask) bisect(ctx context.Context, cause error) error {
	todo := []span{{0, len(s.records), cause}} // a stack, the leftmost on top
	var suspects []span
	done, good := 0, false // records before done are put or reported
	var retriable *connect.RetriableError
	for len(todo) > 0 {
		p := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if p.err == nil {
			if err := s.interrupted(ctx); err != nil {
				return err
			}
			p.err = s.sink.Put(ctx, s.records[p.from:p.to:p.to])
		}
		switch {
		case s.putFailure != nil:
			return s.putFailure
		case errors.As(p.err, &retriable):
			s.dropFirst(done)
			return p.err
		case p.err != nil && p.to-p.from > 1:
			middle := p.from + (p.to-p.from)/2
			todo = append(todo, span{from: middle, to: p.to}, span{from: p.from, to: middle})
			continue
		case p.err != nil:
			suspects = append(suspects, p)
		default:
			good, s.badInRow = true, 0
		}
		if !good {
			if s.badInRow+len(suspects) > maxSuspects {
				return fmt.Errorf("%d records in a row could not be written and none could, so they are hardly to blame: %w", s.badInRow+len(suspects), cause)
			}
			if len(todo) > 0 {
				continue
			}
			s.badInRow += len(suspects)
		}
		for _, bad := range suspects {
			if err := s.giveUp(&s.records[bad.from], bad.err); err != nil {
				return err
			}
		}
		suspects, done = suspects[:0], p.to
	}
	s.log.Debug("narrowed a failed put down to single records", zap.Int("records", len(s.records)), zap.Error(cause))
	return nil
}

// interrupted tells that the work is to end.
func (s *sinkTask) interrupted(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if s.work.Err() != nil {
		return tolerance.ErrStopped
	}
	return nil
}

// dropFirst forgets the first n pending records, which are done with.
func (s *sinkTask) dropFirst(n int) {
	kept := copy(s.records, s.records[n:])
	clear(s.records[kept:])
	s.records = s.records[:kept]
}
