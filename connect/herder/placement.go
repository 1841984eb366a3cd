package herder

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/plugin"
	"github.com/penstock-io/penstock/rest/api"
	"github.com/penstock-io/penstock/storage"
)

// A worker may lack the class of a connector that others have, or the version that the
// connector wants: in a group of JVM workers and ours, or while a new plugin is rolled out. A leader of ours places such a connector
// where it can run (package group); here is what goes with that: who checks its config, and
// what its status says when it came to the wrong worker all the same.

// lacks returns why a connector cannot run here: its class is not known, or of another
// version. What has a placeholder is for the runtime to resolve, and a version that cannot be
// read is wrong on every worker.
func (h *Herder) lacks(config map[string]string) error {
	class, version := config["connector.class"], config["connector.plugin.version"]
	if class == "" || strings.Contains(class, "${") {
		return nil
	}
	p, err := h.Plugins.Connector(class)
	if err != nil || strings.Contains(version, "${") {
		return err
	}
	if _, err := plugin.ParseVersionRange(version); err != nil {
		return nil //nolint:nilerr // see above
	}
	if err := p.CheckVersion(version); err != nil {
		return fmt.Errorf("Failed to instantiate class for connector %s: %w", config["name"], err) //nolint:revive,staticcheck // the JVM's wording
	}
	return nil
}

// failMissing reports an item FAILED whose class this worker lacks, with where it could
// run. It returns nil when the class is here.
func (h *Herder) failMissing(it *item, config map[string]string) error {
	err := h.lacks(config)
	if err == nil {
		return nil
	}
	err = &connect.Error{Class: "org.apache.kafka.connect.errors.ConnectException", Msg: err.Error() + ". " + h.whereabouts(config)}
	st := storage.Status{State: connect.StateFailed, WorkerID: h.WorkerID, Generation: h.Generation(), Trace: connect.Trace(err)}
	if it.isConnector() {
		h.StatusDB.PutConnectorSafe(it.id.Connector, st)
	} else {
		h.StatusDB.PutTaskSafe(it.id, st)
	}
	return err
}

// whereabouts says where a class that this worker lacks could run.
func (h *Herder) whereabouts(config map[string]string) string {
	class, version := config["connector.class"], config["connector.plugin.version"]
	here := fmt.Sprintf("This worker, %s, does not have %s", h.WorkerID, class)
	if _, err := h.Plugins.Connector(class); err == nil {
		here += " in version " + version
	}
	holders, known := h.member.Holders(class, version)
	switch {
	case h.standalone():
		return here + "; link the plugin into it, or use another class."
	case !known:
		return here + ". A Penstock worker as leader places connectors on workers that have their class, another leader does not; " +
			"the leader is " + h.view.Load().leaderURL + ". Install the plugin on all workers, or ask a worker that has it for its status."
	case len(holders.Have) > 0:
		return here + "; members that have it: " + strings.Join(holders.Have, ", ") + ". It is moved to one of them."
	}
	text := here + "; no member of the group has it. Asked were: " + strings.Join(holders.Lack, ", ") + "."
	if len(holders.Unknown) > 0 {
		text += " Not answered have: " + strings.Join(holders.Unknown, ", ") + "."
	}
	return text + " Install the plugin on a worker, or use another class."
}

const (
	// remoteValidation bounds how long other workers may take to check a config.
	remoteValidation = 30 * time.Second
	// holdersTime bounds how long a request waits for members that may have its class and
	// have not told yet.
	holdersTime = 3 * time.Second
)

var errRemoteValidation = errors.New("the workers that have the connector's class did not check its config within " + remoteValidation.String())

// validateElsewhere checks a config whose class this worker lacks. The leader asks a member
// that has it; any other worker leaves the check to the leader, to which the request goes
// next. done is false when there is nobody to ask.
func (h *Herder) validateElsewhere(ctx context.Context, config map[string]string) (done bool, err error) {
	if h.standalone() || h.lacks(config) == nil {
		return false, nil
	}
	if v := h.view.Load(); !v.leader {
		return v.leaderURL != "", nil
	}
	if h.ValidateAt == nil {
		return false, nil
	}
	asking, cancel := context.WithTimeout(ctx, holdersTime)
	holders, known := h.member.AwaitHolders(asking, config["connector.class"], config["connector.plugin.version"])
	cancel()
	if !known {
		return true, errStaleConfig() // a rebalance is under way: who is in the group is not known
	}
	if len(holders.Have) == 0 {
		return false, nil
	}
	ctx, cancel = context.WithTimeoutCause(ctx, remoteValidation, errRemoteValidation)
	defer cancel()
	for _, url := range holders.Have {
		var infos api.ConfigInfos
		if infos, err = h.ValidateAt(ctx, url, config); err == nil {
			return true, h.Validator.Refusal(ctx, config, infos)
		}
		h.Log.Warn("A worker could not check the config of a connector that this worker has no plugin for",
			zap.String("worker", url), zap.String("class", config["connector.class"]), zap.Error(err))
		if ctx.Err() != nil {
			break
		}
	}
	return true, err
}
