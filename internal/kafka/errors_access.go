package kafka

import (
	"errors"
	"fmt"

	"github.com/IBM/sarama"
)

// AuthorizationError is what the brokers' authorizer does not let the client do. It is
// ErrAuthorization, and a *BrokerError lies below it. Its text begins as the JVM's and says what
// to grant to whom.
type AuthorizationError struct {
	Resource string // Topic, Group, TransactionalId or Cluster
	Name     string // of the resource; "" for Cluster
	Right    string // the operation to allow, e.g. Read
	// Principal is whom the brokers take the client for unless they map names otherwise, e.g.
	// User:connect; "" when it cannot be known here.
	Principal string
	Hint      string // what else would do, a clause; "" = nothing

	err *BrokerError
}

func (e *AuthorizationError) Error() string {
	principal := e.Principal
	if principal == "" {
		principal = "the principal of this client"
	}
	what := e.Resource
	if e.Name != "" {
		what += " " + e.Name
	}
	return fmt.Sprintf("%s. Grant %s on %s to %s%s", e.text(), e.Right, what, principal, e.Hint)
}

// text is the message of the JVM's exception.
func (e *AuthorizationError) text() string {
	switch e.Resource {
	case "Topic":
		return "Not authorized to access topics: [" + e.Name + "]"
	case "Group":
		return "Not authorized to access group: " + e.Name
	case "TransactionalId":
		return "Transactional Id authorization failed"
	}
	return "Cluster authorization failed"
}

// Unwrap returns the broker's answer.
func (e *AuthorizationError) Unwrap() error { return e.err }

// need is a right that a call needs, in the words of Kafka's ACLs.
type need struct{ resource, name, right, hint string }

func onTopic(topic, right string) need { return need{resource: "Topic", name: topic, right: right} }

func onGroup(group, right string) need { return need{resource: "Group", name: group, right: right} }

func onTransactionalID(id string) need {
	return need{resource: "TransactionalId", name: id, right: "Write"}
}

// onCluster is what a producer needs that counts its records.
func onCluster() need {
	return need{resource: "Cluster", right: "IdempotentWrite", hint: ", or Write on a topic; or set enable.idempotence=false"}
}

// denied names the right that is missing if an answer says so. Answers tell the kind of the
// resource only; needs has one right for each kind that the call is about.
func (s *clientSettings) denied(err error, needs ...need) error {
	var known *AuthorizationError
	var answer *BrokerError
	if !errors.As(err, &answer) || errors.As(err, &known) {
		return err
	}
	kind := resourceOf(sarama.KError(answer.Code))
	for _, n := range needs {
		if n.resource == kind {
			return &AuthorizationError{Resource: n.resource, Name: n.name, Right: n.right, Hint: n.hint,
				Principal: s.security.principal(s.dialer), err: answer}
		}
	}
	return err
}

// resourceOf is the kind of resource that an error code is about, "" for none.
func resourceOf(code sarama.KError) string {
	switch code { //nolint:exhaustive // the rest is about something else
	case sarama.ErrTopicAuthorizationFailed:
		return "Topic"
	case sarama.ErrGroupAuthorizationFailed:
		return "Group"
	case sarama.ErrTransactionalIDAuthorizationFailed:
		return "TransactionalId"
	case sarama.ErrClusterAuthorizationFailed:
		return "Cluster"
	}
	return ""
}
