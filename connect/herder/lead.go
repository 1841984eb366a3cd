package herder

import (
	"context"
	"errors"
	"net/http"
	"time"

	"go.uber.org/zap"

	"github.com/penstock-io/penstock/rest/api"
	"github.com/penstock-io/penstock/storage"
)

const (
	// claimTimeout bounds one claim of the write privileges.
	claimTimeout = 30 * time.Second
	// claimRetry is the pause between two claims (Java:
	// DistributedHerder.CONFIG_TOPIC_WRITE_PRIVILEGES_BACKOFF_MS).
	claimRetry = 250 * time.Millisecond
)

var errClaimTimeout = errors.New("the privilege to write to the config topic was not granted within 30 s")

// lead runs a change of the config topic that only the leader may make; one at a time for a
// connector, so that a check in f still holds when f writes. With exactly-once support it is
// one at a time in all, and the privilege to write is claimed before, which shuts out any
// former leader that still writes (KIP-618).
func (h *Herder) lead(ctx context.Context, connector string, f func() error) error {
	if h.LeaderTransactions {
		connector = ""
	}
	unlock, err := h.writes.Lock(ctx, connector)
	if err != nil {
		return err
	}
	defer unlock()
	select {
	case <-h.done:
		return errShuttingDown
	default:
	}
	// A worker that is not the leader any more must not shut out the one that is.
	if err := h.leads(h.view.Load()); err != nil {
		return err
	}
	if err := h.claim(ctx); err != nil {
		return h.unprivileged(err)
	}
	if err := f(); err != nil {
		if errors.Is(err, storage.ErrPrivilegeLost) {
			return h.unprivileged(err)
		}
		return err
	}
	return nil
}

// claim claims the privileges unless they are held. Called by who may write, see lead.
func (h *Herder) claim(ctx context.Context) error {
	if !h.LeaderTransactions || h.privileged.Load() {
		return nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, claimTimeout, errClaimTimeout)
	defer cancel()
	if err := h.Configs.ClaimWritePrivileges(ctx); err != nil {
		return err
	}
	h.privileged.Store(true)
	return nil
}

// unprivileged notes that the privileges are lost, has the loop claim them again, and
// returns what the client is told.
func (h *Herder) unprivileged(err error) error {
	h.Log.Warn("Failed to write to config topic as leader; if this worker is still the leader it claims its write privileges again", zap.Error(err))
	h.privileged.Store(false)
	h.pending.update(func() { h.pending.unprivileged = true })
	return api.Errorf(http.StatusInternalServerError, "Failed to write to config topic; this may be due to a transient error and the request can be safely retried")
}

// leadershipChanged makes a new leader claim its privileges at once, so that a zombie
// leader cannot write any more, and fails what only the leader may do when it is none.
func (h *Herder) leadershipChanged() {
	h.privileged.Store(false)
	v := h.view.Load()
	if v.leader {
		h.claimPrivileges()
		return
	}
	for _, f := range h.fencings {
		h.endFencing(f, errNotLeader(v))
	}
}

// claimPrivileges claims the privileges outside the loop, and tries again until they are
// granted or this worker is not the leader any more.
func (h *Herder) claimPrivileges() {
	if !h.LeaderTransactions || !h.view.Load().leader || h.privileged.Load() || h.claiming || h.stopping {
		return
	}
	h.claiming = true
	h.background(h.runCtx, func(ctx context.Context) func() {
		// The claim is lead's own; there is nothing to write.
		err := h.lead(ctx, "", func() error { return nil })
		return func() {
			if err != nil && h.view.Load().leader {
				h.claimTimer.Reset(claimRetry)
				return
			}
			h.claiming = false
		}
	})
}
