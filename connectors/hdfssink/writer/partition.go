package writer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/data"
	"github.com/penstock-io/penstock/connectors/hdfssink/filesystem"
	"github.com/penstock-io/penstock/connectors/hdfssink/wal"
)

// state is where a Partition stands.
type state uint8

const (
	recovering  state = iota // the log is being taken, or waits for its next attempt
	writing                  // records go to temp files
	rotating                 // a commit is due
	tempClosed               // all temp files are closed, hence durable
	walAppended              // the log promises the final names
	committed                // all files have them
	fenced                   // somebody else has the log: nothing is written or renamed
	closed
)

func (s state) String() string {
	return [...]string{"RECOVERING", "WRITING", "ROTATING", "TEMP_FILE_CLOSED", "WAL_APPENDED", "FILE_COMMITTED", "FENCED", "CLOSED"}[s]
}

// Partition writes one Kafka partition:
//
//	                       a storage call failed: all open files are dropped,
//	                       back-off, seek to the offset after the last commit
//	     +------------------+----------+------------+-------------+
//	     v                  |          |            |             |
//	recovering ---> writing ---> rotating ---> tempClosed ---> walAppended
//	     ^             ^                                          |
//	     |             +--------------- committed <---------------+
//	     |
//	   Open, or a minute       any state but recovering ---> fenced
//	   in fenced               (the log was taken over)
//
// One goroutine uses a Partition. It starts one goroutine of its own while recovering,
// so that a store that hangs does not stop other partitions; Close waits for it. The
// clock is passed in, in milliseconds since the epoch.
type Partition struct {
	cfg       *Config
	tp        connect.TopicPartition
	dirs      Dirs
	logPath   string
	owner     uint32
	extension string
	log       *zap.Logger

	state   state
	next    int64 // offset after the last committed file, or of the first record; -1 unknown
	expect  int64 // offset after the last record that was written or skipped; -1 unknown
	resync  bool  // the consumer may start below next: these records are committed already
	dropped int64 // first record that came while recovering, -1 for none

	wal     *wal.Log
	files   map[string]*tempFile // by encoded partition
	order   []*tempFile          // the same, in order of creation
	last    *tempFile            // of the last record
	count   int                  // records in the open files
	pending []wal.Entry          // the block under way
	made    map[string]struct{}  // directories that exist

	timers timers

	schema       *data.Schema // of the open files
	schemaKnown  bool         // false until it was looked for in the newest file
	newestFile   string
	lastSchema   *data.Schema // of the committed files
	seen         *data.Schema // schema of the last record, and what compare said
	seenChange   change
	seenValid    bool
	projected    data.Datum
	needsVersion bool // schema.compatibility is not NONE

	attempt   *attempt
	abandoned []*tempFile // to be closed by the next attempt
	garbage   []string    // temp files that no block names
	doubtful  []string    // temp files of a block that may be in the log
	surveyed  bool
	retryAt   int64
	failures  int
	fencedAt  int64
	fences    int
}

// New returns a Partition that does nothing until Open.
func New(cfg *Config, tp connect.TopicPartition, dirs Dirs) *Partition {
	p := &Partition{
		cfg: cfg, tp: tp, dirs: dirs,
		logPath:   dirs.log(tp.Topic, tp.Partition),
		extension: cfg.Format.Extension(),
		log:       cfg.Logger.With(zap.String("topic", tp.Topic), zap.Int32("partition", tp.Partition)),
		next:      -1, expect: -1, dropped: -1,
		files: map[string]*tempFile{}, made: map[string]struct{}{},
		needsVersion: cfg.Compatibility != None,
	}
	p.owner = owner(p.logPath)
	return p
}

// Open pauses the partition and starts its recovery; the next Put after it is done
// resumes it. Wait for it with Wait.
func (p *Partition) Open(ctx context.Context, tree *Tree) {
	p.cfg.Context.Pause(p.tp)
	p.log.Info(fmt.Sprintf("Started recovery for topic partition %s", p.tp))
	p.begin(ctx, tree)
}

// Wait returns when a recovery under way has ended or ctx has.
func (p *Partition) Wait(ctx context.Context) {
	if p.attempt == nil {
		return
	}
	select {
	case <-p.attempt.done:
	case <-ctx.Done():
	}
}

// Put writes records of the partition, which are in order, and does what is due at now;
// records may be empty. The records are not used after it returns. An error is one that
// must fail the task; failures of the store are not: the partition is paused, tries
// again after retry.backoff.ms and has the records read again.
func (p *Partition) Put(ctx context.Context, records []connect.SinkRecord, now int64) error {
	switch p.state {
	case recovering:
		return p.recover(ctx, records, now)
	case fenced:
		return p.waitFenced(now)
	case closed:
		return nil
	default:
	}
	p.timers.hasCurrent = false
	for i := range records {
		if err := p.put(ctx, &records[i], now); err != nil {
			return err
		}
		if p.state != writing {
			return nil // the rest is read again
		}
	}
	if p.count > 0 && p.due(now) {
		p.commit(ctx, now)
	}
	return nil
}

// Next returns the offset that may be committed to the consumer group: the one after
// the last committed file, or the first record's. ok is false while it is not known.
func (p *Partition) Next() (offset int64, ok bool) {
	return p.next, p.next >= 0 && !p.resync && (p.state == writing || p.state == recovering)
}

// Due returns when Put is to be called at the latest, also without records; ok is false
// when there is nothing to wait for.
func (p *Partition) Due(now int64) (at int64, ok bool) {
	switch p.state {
	case recovering:
		if p.attempt != nil {
			return now + attemptPoll, true
		}
		return p.retryAt, true
	case fenced:
		return p.fencedAt + fencedGrace, true
	case writing:
		if p.count > 0 {
			return p.timers.next(p.cfg)
		}
	default:
	}
	return 0, false
}

// Close gives the partition up: open temp files are deleted, their records are read
// again by the next owner. It never renames. What cannot be deleted is left to the next
// owner; the error tells only that.
func (p *Partition) Close(ctx context.Context) error {
	if p.state == closed {
		return nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, closeTimeout, fmt.Errorf("partition not closed within %s", closeTimeout))
	defer cancel()
	p.cancelAttempt()
	clean := p.state == writing
	p.abandon()
	p.state = closed
	for _, f := range p.abandoned {
		f.release()
	}
	p.abandoned = nil
	left := p.removeAll(ctx, p.garbage)
	p.garbage = nil
	var err error
	if p.wal != nil {
		if clean && ctx.Err() == nil {
			err = p.wal.Settle()
		} else {
			err = p.wal.Close()
		}
		if errors.Is(err, filesystem.ErrFenced) || errors.Is(err, filesystem.ErrNotExist) {
			err = nil // there was no lease any more
		}
		p.wal = nil
	}
	if len(left) > 0 {
		err = errors.Join(err, fmt.Errorf("%d temp files of %s could not be deleted, such as %s; the next owner of the partition will",
			len(left), p.tp, left[0]))
	}
	return err
}

const closeTimeout = 20 * time.Second

// abandon drops the open files. They are closed and deleted later, since both may hang;
// those that a block in the log may name only once the log was read again.
func (p *Partition) abandon() {
	for _, f := range p.order {
		p.abandoned = append(p.abandoned, f)
		if len(p.pending) > 0 {
			p.doubtful = append(p.doubtful, f.path)
		} else {
			p.garbage = append(p.garbage, f.path)
		}
	}
	p.forgetFiles()
}

func (p *Partition) forgetFiles() {
	clear(p.files)
	clear(p.order)
	p.order, p.last, p.pending, p.count = p.order[:0], nil, nil, 0
}

// fail handles an error of the store.
func (p *Partition) fail(err error, now int64) {
	from := p.state
	p.abandon()
	p.cfg.Context.Pause(p.tp)
	if errors.Is(err, wal.ErrTakenOver) {
		p.fence(err, now)
		return
	}
	p.state = recovering
	p.retryLater(now)
	if p.failures++; p.failures == 1 {
		p.log.Error(fmt.Sprintf("Exception on topic partition %s: the open files are dropped and read again", p.tp),
			zap.Stringer("from", from), zap.Int64("offset", p.next), zap.Error(err))
	}
}

func (p *Partition) retryLater(now int64) { p.retryAt = now + max(p.cfg.RetryBackoff, 1) }

const (
	// fencedGrace is how long a partition whose log was taken over stays idle. Within it
	// the consumer group tells a zombie that the partition is somebody else's.
	fencedGrace = 60_000
	// maxFences in a row without a commit fail the task.
	maxFences = 3
)

func (p *Partition) fence(err error, now int64) {
	p.state, p.fencedAt = fenced, now
	p.fences++
	p.log.Warn("the partition's write-ahead log was taken over by another writer; nothing is written until the partition is assigned again",
		zap.String("path", p.logPath), zap.Error(err))
}

// waitFenced keeps still until the group has had time to take the partition away. When
// it does not, the partition is ours, and is recovered as if it was just opened.
func (p *Partition) waitFenced(now int64) error {
	if now-p.fencedAt < fencedGrace {
		return nil
	}
	if p.fences >= maxFences {
		return &connect.Error{Msg: fmt.Sprintf("Topic partition %s was taken over %d times by another writer of %s while it was assigned to this task. "+
			"Two connectors share logs.dir: give each its own logs.dir and topics.dir, or delete one of them.", p.tp, p.fences, p.logPath)}
	}
	p.state, p.retryAt = recovering, now
	p.dropped, p.next, p.expect = p.next, -1, -1
	p.surveyed, p.schemaKnown = false, false
	if p.wal != nil {
		p.wal.Close() //nolint:errcheck // it was taken over
		p.wal = nil
	}
	return nil
}
