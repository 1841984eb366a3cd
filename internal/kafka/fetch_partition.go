package kafka

import (
	"time"

	"github.com/penstock-io/penstock/connect"
)

// unknown stands for a broker that is not known or not chosen.
const unknown int32 = -1

// partition is the state of one partition of a Consumer, guarded by Consumer.mu.
//
//	  Add, Seek                  offset found            leader found
//	────────────▶ unresolved ─────────────────▶ leaderless ─────────▶ fetching
//	                  ▲            (resolver)        ▲     (resolver)    │  │
//	                  │                              └───────────────────┘  │
//	                  └─── fell out of the log ──── leader moved, lost ─────┘
type partition struct {
	connect.TopicPartition

	// generation changes whenever what was fetched, or is being fetched, is no
	// longer wanted: an answer to an older generation is dropped.
	generation uint64
	position   int64 // next offset that Poll returns; negative: OffsetEarliest … OffsetReset
	next       int64 // next offset to be fetched; behind position are the queued blocks
	queue      []*block
	inReady    bool
	paused     bool
	stopped    bool  // a reset or an error waits behind the queue: do not fetch
	err        error // for Poll, once the queue is empty

	leader       int32
	epoch        int32
	replica      int32 // preferred read replica (client.rack), or unknown
	replicaUntil time.Time

	maxBytes int32
	suspects int // answers to be fetched batch by batch, after one that could not be decoded
	retryAt  time.Time
	failures int
	lastErr  string // last failure that was logged
}

func newPartition(tp connect.TopicPartition, maxBytes int32) *partition {
	return &partition{TopicPartition: tp, leader: unknown, epoch: unknown, replica: unknown, maxBytes: maxBytes}
}

// seek goes on at offset and forgets what was fetched.
func (p *partition) seek(offset int64) {
	p.generation++
	p.position, p.next = offset, offset
	clear(p.queue)
	p.queue = p.queue[:0]
	p.stopped, p.err = false, nil
	p.suspects = 0
	p.retryAt, p.failures = time.Time{}, 0
}

// resolved tells that the position is an offset.
func (p *partition) resolved() bool { return p.position >= 0 }

// source returns the broker to fetch from.
func (p *partition) source(now time.Time) int32 {
	if p.replica != unknown && p.leader != unknown {
		if now.Before(p.replicaUntil) {
			return p.replica
		}
		p.replica = unknown
	}
	return p.leader
}

// loseLeader makes the resolver look for the leader again.
func (p *partition) loseLeader() { p.leader, p.replica = unknown, unknown }

// failed sets the pause before the next fetch.
func (p *partition) failed(s *clientSettings, now time.Time) {
	p.retryAt = now.Add(backoff(s.retryBackoff, s.retryBackoffMax, p.failures))
	p.failures++
}

// succeeded ends a row of failures.
func (p *partition) succeeded() {
	p.retryAt, p.failures, p.lastErr = time.Time{}, 0, ""
}

// stop makes Poll return err when it delivered what was fetched before.
func (p *partition) stop(err error) {
	p.stopped, p.err = true, err
}
