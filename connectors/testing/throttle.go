package testing

import (
	"context"
	"time"
)

const (
	// mostAtOnce is how many records a Poll returns at most.
	mostAtOnce = 1000
	// shortestWait keeps a high throughput from waking the task for every record.
	shortestWait = 10 * time.Millisecond
)

func wallClock() int64 { return time.Now().UnixMilli() }

// throttle tells how many records are due so that there are never more than the given
// number a second since the start; what was missed is caught up with.
type throttle struct {
	perSecond int64 // negative = no limit
	start     time.Time
}

// wait returns how many records may follow after done ones, from 1 to mostAtOnce; 0 when
// ctx ended. It waits until there is one.
func (t *throttle) wait(ctx context.Context, done int64) int {
	if t.perSecond < 0 {
		if ctx.Err() != nil {
			return 0
		}
		return mostAtOnce
	}
	if t.perSecond == 0 {
		<-ctx.Done()
		return 0
	}
	for {
		// The record n (from 0) is due at n/perSecond.
		elapsed := time.Since(t.start)
		due := int64(elapsed.Seconds()*float64(t.perSecond)) + 1
		if ctx.Err() != nil {
			return 0
		}
		if due > done {
			return int(min(due-done, mostAtOnce))
		}
		next := time.Duration(float64(done)/float64(t.perSecond)*float64(time.Second)) - elapsed
		if !sleep(ctx, max(next, shortestWait)) {
			return 0
		}
	}
}

// sleep reports whether the time has passed before ctx ended.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
