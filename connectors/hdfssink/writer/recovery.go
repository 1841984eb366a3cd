package writer

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"

	"go.uber.org/zap"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connectors/hdfssink/filesystem"
	"github.com/penstock-io/penstock/connectors/hdfssink/wal"
)

// attemptPoll is how often a recovery under way is looked at, in milliseconds.
const attemptPoll = 50

// attempt is one try to recover, in a goroutine of its own. Until done is closed the
// fields below belong to that.
type attempt struct {
	cancel context.CancelFunc
	done   chan struct{}

	p      *Partition // only what New has set
	tree   *Tree      // nil: names are known already
	base   int64      // next as the partition knows it, -1 unknown
	former *wal.Log   // that failed; nil when there is none or it was checked

	abandoned []*tempFile
	garbage   []string // temp files to delete once the log is ours
	doubtful  []string // the same, but only then

	log     *wal.Log
	logEnd  int64 // last offset of the newest block whose files are all there, -1 none
	missing int64 // last offset of a newer block whose files are not, -1 none
	newest  newest
	err     error
}

// begin starts an attempt.
func (p *Partition) begin(ctx context.Context, tree *Tree) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	a := &attempt{cancel: cancel, done: make(chan struct{}), p: p, tree: tree, base: p.next, former: p.wal,
		abandoned: p.abandoned, garbage: p.garbage, doubtful: p.doubtful, newest: newest{end: -1}}
	p.abandoned, p.garbage, p.doubtful, p.wal = nil, nil, nil, nil
	p.attempt = a
	go func() {
		defer close(a.done)
		a.err = a.run(ctx)
	}()
}

func (p *Partition) cancelAttempt() {
	a := p.attempt
	if a == nil {
		return
	}
	a.cancel()
	<-a.done
	p.takeBack(a)
	if a.log != nil {
		p.wal = a.log
	}
}

// takeBack ends an attempt; what it left to do is for the next one.
func (p *Partition) takeBack(a *attempt) {
	a.cancel()
	p.attempt = nil
	p.abandoned = append(p.abandoned, a.abandoned...)
	p.garbage = append(p.garbage, a.garbage...)
	p.doubtful = append(p.doubtful, a.doubtful...)
	p.wal = a.former
}

// recover is Put while recovering.
func (p *Partition) recover(ctx context.Context, records []connect.SinkRecord, now int64) error {
	if len(records) > 0 && p.dropped < 0 {
		p.dropped = records[0].Offset
	}
	if p.attempt == nil {
		if now < p.retryAt {
			return nil
		}
		var tree *Tree
		if !p.surveyed {
			tree = NewTree(p.cfg.FS, p.cfg.callTimeout())
		}
		p.begin(ctx, tree)
	}
	select {
	case <-p.attempt.done:
		return p.recovered(now)
	default:
		return nil
	}
}

// recovered takes the result of an attempt.
func (p *Partition) recovered(now int64) error {
	a := p.attempt
	p.takeBack(a)
	var format *wal.FormatError
	switch {
	case errors.As(a.err, &format):
		return &connect.Error{Err: a.err, Msg: fmt.Sprintf("Couldn't recover topic partition %s: %v. Move this file away if it is not a log of the connector; "+
			"if a newer version wrote it, use that version.", p.tp, a.err)}
	case errors.Is(a.err, wal.ErrTakenOver):
		p.fence(a.err, now)
		return nil
	case a.err != nil:
		p.retryLater(now)
		if p.failures++; p.failures == 1 {
			p.log.Error(fmt.Sprintf("Recovery failed at state %s; it is repeated every retry.backoff.ms", p.state), zap.Error(a.err))
		}
		return nil
	}
	p.wal, p.surveyed = a.log, true
	if a.newest.path != "" {
		p.newestFile = a.newest.path
	}
	seek := p.setNext(a)
	p.state, p.dropped, p.failures = writing, -1, 0
	p.schema, p.seenValid = p.lastSchema, false
	p.timers = timers{}
	p.timers.reset(p.cfg, now)
	p.log.Info(fmt.Sprintf("Finished recovery for topic partition %s", p.tp), zap.Int64("offset", p.next), zap.Bool("seek", seek))
	if seek {
		p.cfg.Context.Offset(p.tp, p.next)
	}
	p.cfg.Context.Resume(p.tp)
	return nil
}

// setNext decides where to go on and whether the consumer must be told: at the largest
// offset that log, names and memory know.
//
// A last block that was not settled and whose files are there neither under their temp
// nor under their final names was either committed and the files moved away since, or lost. At Open the consumer
// group's offset knows better, since it is committed only after the renames: there is
// no seek then, and records below next are passed over.
func (p *Partition) setNext(a *attempt) (seek bool) {
	known := p.next >= 0
	p.next = max(p.next, a.logEnd+1, a.newest.end+1)
	if a.logEnd < 0 && a.newest.end < 0 && !known {
		p.next = -1
	}
	p.resync = false
	if a.missing >= 0 && a.missing >= p.next {
		p.log.Warn("files that the write-ahead log promises are neither temporary nor committed; "+
			"if they were not moved away on purpose their records are read again", zap.Int64("offset", a.missing))
		p.resync = !known
	}
	switch {
	case p.dropped >= 0 && !known && (p.resync || p.next < 0):
		p.next, seek = max(p.next, p.dropped), true
	case p.resync:
	case known:
		seek = true
	default:
		seek = p.next > 0
	}
	p.expect = p.next
	return seek
}

func (a *attempt) run(ctx context.Context) error {
	if slots := a.p.cfg.Slots; slots != nil {
		select {
		case slots <- struct{}{}:
			defer func() { <-slots }()
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	for _, f := range a.abandoned {
		f.release()
	}
	a.abandoned = nil
	if a.former != nil {
		if err := a.former.Verify(ctx); err != nil {
			return err
		}
		a.former.Close() //nolint:errcheck // its lease is recovered next
		a.former = nil
	}
	log, err := wal.Take(ctx, wal.Options{FS: a.p.cfg.FS, Path: a.p.logPath, Timeout: a.p.cfg.callTimeout(), Logger: a.p.log,
		Keep: func(e wal.Entry) bool { return !ownTemp(e.Temp) }, Replay: a.replay})
	if err != nil {
		return err
	}
	if err := a.cleanUp(ctx); err != nil {
		log.Close() //nolint:errcheck // nothing was written
		return err
	}
	a.log = log
	return nil
}

// cleanUp looks at the names in the topic's directories and deletes orphans.
func (a *attempt) cleanUp(ctx context.Context) error {
	a.garbage, a.doubtful = append(a.garbage, a.doubtful...), nil
	if a.tree != nil {
		files, err := a.tree.files(ctx, a.p.tp.Topic, a.p.dirs)
		if err != nil {
			return err
		}
		if n, ok := files.newest[a.p.tp.Partition]; ok {
			a.newest = n
		}
		a.garbage = append(a.garbage, files.temps[tempKey{a.p.tp.Partition, a.p.owner}]...)
	}
	a.garbage = a.p.removeAll(ctx, a.garbage)
	return nil
}

// replay renames what the log promises. Blocks of ours before the last are done, since
// the last was written after their renames; the JVM ignores failed renames, and its
// older entries are done again when their temp name was not used again later.
// In a log.1 nothing is left to do of theirs: the temp files there are of later records.
func (a *attempt) replay(ctx context.Context, c *wal.Contents) (keep wal.Kept, err error) {
	whole := true
	for i, e := range slices.Concat(c.Older, c.Last) {
		if c.Rotated && !ownTemp(e.Temp) {
			continue
		}
		done, err := a.finish(ctx, e)
		if err != nil {
			return keep, err
		}
		whole = whole && (done || i < len(c.Older))
	}
	a.logEnd, a.missing = lastOffset(c.Last), -1
	if whole || c.Settled {
		return wal.Kept{Block: c.Last, Settled: true}, nil
	}
	a.missing, a.logEnd = a.logEnd, lastOffset(c.Previous)
	if a.base >= 0 && a.missing >= a.base {
		return wal.Kept{Block: c.Previous, Settled: true}, nil // it is our own block and its files are lost
	}
	return wal.Kept{Block: c.Last}, nil
}

// finish renames one file unless that was done; done is false when there is neither.
func (a *attempt) finish(ctx context.Context, e wal.Entry) (done bool, err error) {
	temp, final := pathOf(e.Temp), pathOf(e.Final)
	exists := func(p string) (bool, error) {
		err := a.p.call(ctx, func(ctx context.Context) error {
			_, err := a.p.cfg.FS.Stat(ctx, p)
			return err
		})
		if errors.Is(err, filesystem.ErrNotExist) {
			return false, nil
		}
		return err == nil, err
	}
	if ok, err := exists(final); ok || err != nil {
		if ok && ownTemp(temp) {
			a.garbage = append(a.garbage, temp)
		}
		return ok, err
	}
	if ok, err := exists(temp); !ok || err != nil {
		return false, err
	}
	if err := a.p.call(ctx, func(ctx context.Context) error { return a.p.cfg.FS.MkdirAll(ctx, path.Dir(final)) }); err != nil {
		return false, err
	}
	err = a.p.call(ctx, func(ctx context.Context) error { return a.p.cfg.FS.Rename(ctx, temp, final) })
	if errors.Is(err, filesystem.ErrExist) || errors.Is(err, filesystem.ErrNotExist) {
		return exists(final) // the former owner was faster
	}
	if err == nil {
		a.p.log.Info(fmt.Sprintf("Committed %s for %s", e.Final, a.p.tp), zap.Bool("recovered", true))
	}
	return err == nil, err
}

// lastOffset is the largest end offset in the names of a block, -1 for none.
func lastOffset(block []wal.Entry) int64 {
	last := int64(-1)
	for _, e := range block {
		if n, ok := ParseCommittedName(path.Base(pathOf(e.Final))); ok {
			last = max(last, n.End)
		}
	}
	return last
}
