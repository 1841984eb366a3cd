package validate

import (
	"fmt"
	"strings"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/plugin"
	"github.com/penstock-io/penstock/connect/settings"
)

// checkExactlyOnce asks a source connector whether it can do what exactly.once.support and
// transaction.boundary want (KIP-618). A standalone worker does not ask, as in the JVM.
func (r *run) checkExactlyOnce(c connect.Connector, found *values) {
	if r.plugin.Kind != plugin.KindSource || r.Worker.Mode != settings.Distributed {
		return
	}
	const support, boundary = "exactly.once.support", "transaction.boundary"
	if wants(found, support, "required") {
		if !r.Worker.ExactlyOnceEnabled() {
			found.fail(support, "This worker does not have exactly-once source support enabled.")
		}
		if msg := r.exactlyOnceProblem(c); msg != "" {
			found.fail(support, msg)
		}
	}
	if wants(found, boundary, "connector") {
		if msg := r.boundaryProblem(c); msg != "" {
			found.fail(boundary, msg)
		}
	}
}

// wants reports whether a key that is right so far has a value, in any case.
func wants(found *values, key, value string) bool {
	if failed(found, key) {
		return false
	}
	got, _ := found.byKey[key].Value.(string)
	return strings.EqualFold(got, value)
}

func (r *run) exactlyOnceProblem(c connect.Connector) (msg string) {
	supporter, ok := c.(connect.ExactlyOnceSupporter)
	if !ok {
		return "The connector does not implement the API required for preflight validation of exactly-once source support. " +
			"Please consult the documentation for the connector to determine whether it supports exactly-once semantics, and then consider " +
			"reconfiguring the connector to use the value \"requested\" for this property (which will disable this preflight check and allow " +
			"the connector to be created)."
	}
	defer recoverAnswer(&msg)
	if !supporter.SupportsExactlyOnce(r.props) {
		return "The connector does not support exactly-once semantics with the provided configuration."
	}
	return ""
}

func (r *run) boundaryProblem(c connect.Connector) (msg string) {
	defer recoverAnswer(&msg)
	if definer, ok := c.(connect.TransactionBoundaryDefiner); !ok || !definer.DefinesTransactionBoundaries(r.props) {
		return "The connector does not support connector-defined transaction boundaries with the given configuration. " +
			"Please reconfigure it to use a different transaction boundary definition."
	}
	return ""
}

// recoverAnswer makes a connector that cannot answer an error of the key, as in the JVM.
func recoverAnswer(msg *string) {
	if p := recover(); p != nil {
		*msg = fmt.Sprintf("An unexpected error occurred during validation: %v", p)
	}
}
