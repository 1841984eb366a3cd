package kafka

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/IBM/sarama"
	"go.uber.org/zap"

	"github.com/penstock-io/penstock/connect"
)

// Kinds of commit failures, for errors.Is. Others are as for any call; Retriable
// tells whether the same commit may succeed later.
var (
	// ErrCommitFailed: the partitions may have another owner by now
	// (Java: CommitFailedException).
	ErrCommitFailed = errors.New("Commit cannot be completed since the group has already rebalanced and assigned the partitions to another member." +
		" This means that the time between subsequent calls to poll() was longer than the configured max.poll.interval.ms," +
		" which typically implies that the poll loop is spending too much time message processing." +
		" You can address this either by increasing max.poll.interval.ms or by reducing the maximum size of batches returned in poll() with max.poll.records.")
	// ErrRebalanceInProgress: Poll must finish a rebalance first
	// (Java: RebalanceInProgressException).
	ErrRebalanceInProgress = errors.New("Offset commit cannot be completed since the consumer is undergoing a rebalance for auto partition assignment." +
		" You can try completing the rebalance by calling poll() and then retry the operation.")
)

// commitCall is an asynchronous commit.
type commitCall struct {
	offsets map[connect.TopicPartition]int64
	done    func(error)
}

// CommitAsync commits next offsets; done, if any, is called from a later Poll or
// Close. Commits are made one after the other, each is tried once.
func (g *GroupConsumer) CommitAsync(offsets map[connect.TopicPartition]int64, done func(error)) {
	call := &commitCall{offsets: maps.Clone(offsets), done: done}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.ctx.Err() != nil {
		g.doneLocked(call, ErrClosed)
		return
	}
	g.commits = append(g.commits, call)
	if len(g.commits) == 1 {
		g.idle = make(chan struct{})
		g.wg.Go(g.runCommits)
	}
}

func (g *GroupConsumer) doneLocked(call *commitCall, err error) {
	if call.done != nil {
		g.callbacks = append(g.callbacks, func() { call.done(err) })
		g.inner.Wake()
	}
}

// runCommits works the queue off.
func (g *GroupConsumer) runCommits() {
	for {
		g.mu.Lock()
		call := g.commits[0]
		g.mu.Unlock()
		ctx, cancel := context.WithTimeoutCause(g.ctx, g.settings.requestTimeout, ErrTimeout)
		err := g.commitOnce(ctx, call.offsets, false)
		cancel()
		if err != nil && Retriable(err) {
			err = fmt.Errorf("Offset commit failed with a retriable exception. You should retry committing the latest consumed offsets.: %w", err)
		}
		g.mu.Lock()
		g.doneLocked(call, err)
		g.commits = g.commits[1:]
		left := len(g.commits)
		if left == 0 {
			close(g.idle)
		}
		g.mu.Unlock()
		if left == 0 {
			return
		}
	}
}

// awaitCommits waits for the asynchronous commits under way.
func (g *GroupConsumer) awaitCommits(ctx context.Context) {
	g.mu.Lock()
	idle := g.idle
	g.mu.Unlock()
	select {
	case <-idle:
	case <-ctx.Done():
	}
}

// rebalanceWait is how long CommitSync tries to commit in the middle of a rebalance. What
// it waits for is the leader's assignment, not the slowest member.
const rebalanceWait = 2 * time.Second

// CommitSync commits next offsets, after the asynchronous commits before it, and
// waits. Failures that pass are tried again for default.api.timeout.ms (ErrTimeout)
// or until ctx ends. See ErrCommitFailed and ErrRebalanceInProgress.
//
// In a rebalance it commits as well, where Java gives up: it is the last commit of a
// task that stops. Brokers take offsets of what a cooperative member has kept until all
// members have joined, and again from the moment on when the leader has assigned.
func (g *GroupConsumer) CommitSync(ctx context.Context, offsets map[connect.TopicPartition]int64) error {
	g.awaitCommits(ctx)
	if len(offsets) == 0 {
		return nil
	}
	began := time.Now()
	for attempt := 0; ; attempt++ {
		err := g.inner.cluster.retry(ctx, "commit offsets of group "+g.settings.groupID, func(ctx context.Context) error {
			return g.commitOnce(ctx, offsets, true)
		})
		pause := backoff(g.settings.retryBackoff, g.settings.retryBackoffMax, attempt)
		if !errors.Is(err, ErrRebalanceInProgress) || time.Since(began)+pause > rebalanceWait {
			return err
		}
		if err := sleep(ctx, pause); err != nil {
			return err
		}
	}
}

// commitOnce makes one attempt, with the generation that owns the partitions, and if
// wanted also in the middle of a rebalance.
func (g *GroupConsumer) commitOnce(ctx context.Context, offsets map[connect.TopicPartition]int64, rebalancing bool) error {
	for tp, offset := range offsets {
		if offset < 0 {
			return &commitError{fmt.Errorf("Invalid offset: %d for partition %s", offset, tp)}
		}
	}
	gen, err := g.member.commitGeneration(rebalancing)
	if err != nil || len(offsets) == 0 {
		return err
	}
	coord, err := g.member.coordinator(ctx)
	if err != nil {
		return err
	}
	req := g.commitRequest(gen, offsets) // here: a call that was given up goes on beside the caller
	resp, err := ask(ctx, coord, func(b *sarama.Broker) (*sarama.OffsetCommitResponse, error) { return b.CommitOffset(req) })
	if err != nil {
		g.member.noteCoordinatorError(coord, err)
		return err
	}
	return g.commitAnswered(coord, gen, resp)
}

func (g *GroupConsumer) commitRequest(gen Generation, offsets map[connect.TopicPartition]int64) *sarama.OffsetCommitRequest {
	req := &sarama.OffsetCommitRequest{
		Version: 8, ConsumerGroup: g.settings.groupID, ConsumerGroupGeneration: gen.ID, ConsumerID: gen.MemberID,
		GroupInstanceId: g.member.instanceID, RetentionTime: -1,
	}
	for tp, offset := range offsets {
		req.AddBlockWithLeaderEpoch(tp.Topic, tp.Partition, offset, -1, 0, "")
	}
	return req
}

// commitError is a failure that no repetition cures.
type commitError struct{ err error }

func (e *commitError) Error() string { return e.err.Error() }

// Unwrap returns the cause.
func (e *commitError) Unwrap() error { return e.err }

// commitAnswered handles the codes of all partitions; the first that concerns the
// whole group decides (Java: OffsetCommitResponseHandler).
func (g *GroupConsumer) commitAnswered(coord *node, gen Generation, resp *sarama.OffsetCommitResponse) error {
	var errs []error
	for _, topic := range slices.Sorted(maps.Keys(resp.Errors)) {
		for partition, code := range resp.Errors[topic] {
			err := g.settings.denied(brokerError(code, ""), onGroup(g.settings.groupID, "Read"), onTopic(topic, "Read"))
			switch code { //nolint:exhaustive // the rest concerns a partition
			case sarama.ErrNoError:
				continue
			case sarama.ErrNotCoordinatorForConsumer, sarama.ErrConsumerCoordinatorNotAvailable, sarama.ErrRequestTimedOut:
				g.member.coordinatorUnknown(coord, err)
				return err
			case sarama.ErrGroupAuthorizationFailed, sarama.ErrOffsetsLoadInProgress:
				return err
			case sarama.ErrUnknownMemberId, sarama.ErrIllegalGeneration, sarama.ErrFencedInstancedId, sarama.ErrRebalanceInProgress:
				return g.member.commitRefused(gen, err)
			}
			tp := connect.TopicPartition{Topic: topic, Partition: partition}
			g.log.Warn("Offset commit failed on partition", zap.Stringer("partition", tp), zap.Error(err))
			errs = append(errs, fmt.Errorf("commit %s: %w", tp, err))
		}
	}
	return joinRetriable(errs)
}

// commitGeneration returns the generation to commit with. There is one also while
// JoinPrepare runs, and, if wanted, while the member joins: the last one that the broker
// has told, as long as the membership is not lost.
func (m *Membership) commitGeneration(rebalancing bool) (Generation, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.state == stateStable && m.current.ID != noGeneration:
		return m.current, nil
	case m.lost || m.last == (Generation{}):
		return Generation{}, &commitError{ErrCommitFailed}
	case rebalancing && m.current.ID != noGeneration:
		return m.current, nil
	}
	return Generation{}, &commitError{ErrRebalanceInProgress}
}

// commitRefused takes in that the coordinator does not know the generation.
func (m *Membership) commitRefused(sent Generation, err error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	unchanged := m.current == sent
	code := codeOf(err)
	switch {
	case code == sarama.ErrRebalanceInProgress:
		if unchanged && !m.rebalancing {
			m.rejoinLocked("offset commit failed since group is already rebalancing")
		}
		return &commitError{ErrRebalanceInProgress}
	case code == sarama.ErrFencedInstancedId && unchanged:
		m.failLocked(m.refusal("commit offsets of group", err))
		return err
	case code == sarama.ErrIllegalGeneration && (m.state == stateJoining || m.state == stateSyncing):
		return &commitError{ErrRebalanceInProgress} // the join's answer is on its way, and tells the next
	case unchanged && m.state == stateStable:
		m.log.Info("the offset commit was refused", zap.Error(err))
		m.resetLocked(code == sarama.ErrUnknownMemberId, "encountered "+err.Error()+" from OFFSET_COMMIT response")
	case m.state == stateJoining || m.state == stateSyncing:
		return &commitError{ErrRebalanceInProgress}
	}
	return &commitError{ErrCommitFailed}
}

// committed asks for the committed offsets of partitions; those without one are not
// in the result.
func (g *GroupConsumer) committed(ctx context.Context, tps []connect.TopicPartition) (map[connect.TopicPartition]int64, error) {
	coord, err := g.member.coordinator(ctx)
	if err != nil {
		return nil, err
	}
	byTopic := map[string][]int32{}
	for _, tp := range tps {
		byTopic[tp.Topic] = append(byTopic[tp.Topic], tp.Partition)
	}
	fetch := func(stable bool) (*sarama.OffsetFetchResponse, error) {
		return ask(ctx, coord, func(b *sarama.Broker) (*sarama.OffsetFetchResponse, error) {
			req := sarama.NewOffsetFetchRequest(g.settings.sarama.Version, g.settings.groupID, byTopic)
			req.RequireStable = stable // not what an open transaction may yet change
			return b.FetchOffset(req)
		})
	}
	resp, err := fetch(true)
	var encode sarama.PacketEncodingError
	if errors.As(err, &encode) { // a broker below 2.5
		resp, err = fetch(false)
	}
	if err != nil {
		g.member.noteCoordinatorError(coord, err)
		return nil, err
	}
	blocks, code := resp.Blocks, resp.Err
	for _, group := range resp.Groups {
		blocks, code = group.Blocks, group.Err
	}
	if code != sarama.ErrNoError {
		err := g.settings.denied(brokerError(code, ""), onGroup(g.settings.groupID, "Read"))
		g.member.noteCoordinatorError(coord, err)
		return nil, err
	}
	return committedOffsets(g.settings.clientSettings, tps, blocks)
}

func committedOffsets(s *clientSettings, tps []connect.TopicPartition, blocks map[string]map[int32]*sarama.OffsetFetchResponseBlock) (map[connect.TopicPartition]int64, error) {
	out := make(map[connect.TopicPartition]int64, len(tps))
	var errs []error
	for _, tp := range tps {
		block := blocks[tp.Topic][tp.Partition]
		switch {
		case block == nil:
			errs = append(errs, fmt.Errorf("%s: %w", tp, errIncomplete))
		case block.Err != sarama.ErrNoError:
			errs = append(errs, fmt.Errorf("%s: %w", tp, s.denied(brokerError(block.Err, ""), onTopic(tp.Topic, s.topicRight))))
		case block.Offset >= 0:
			out[tp] = block.Offset
		}
	}
	return out, joinRetriable(errs)
}
