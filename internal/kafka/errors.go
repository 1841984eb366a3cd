package kafka

import (
	"errors"
	"fmt"
	"strings"

	"github.com/IBM/sarama"

	"github.com/penstock-io/penstock/connect"
)

// Kinds of failure, for errors.Is.
var (
	// ErrTimeout: no answer, or a broker gave up waiting (Java: TimeoutException).
	ErrTimeout = errors.New("timed out")
	// ErrAuthorization: the principal may not do this (Java: AuthorizationException).
	ErrAuthorization = errors.New("not authorized")
	// ErrAuthentication: login or TLS handshake failed (Java: AuthenticationException).
	ErrAuthentication = errors.New("authentication failed")
	// ErrInvalidConfig: a topic setting is wrong (Java: InvalidConfigurationException).
	ErrInvalidConfig = errors.New("invalid topic configuration")
	// ErrInvalidReplicationFactor: more replicas than brokers (Java: InvalidReplicationFactorException).
	ErrInvalidReplicationFactor = errors.New("invalid replication factor")
	// ErrUnsupported: the broker does not know the request (Java: UnsupportedVersionException).
	ErrUnsupported = errors.New("not supported by the broker")
	// ErrUnknownTopic: topic or partition does not exist (Java: UnknownTopicOrPartitionException).
	ErrUnknownTopic = errors.New("unknown topic or partition")
	// ErrFenced: a newer producer has the same transactional.id (Java:
	// ProducerFencedException). InvalidProducerEpochException counts, too: since Kafka
	// 2.7 a fenced producer may see either.
	ErrFenced = errors.New("fenced by a newer producer")
	// ErrInvalidProducerEpoch: the producer's epoch is old, because it was fenced or its
	// transaction timed out (Java: InvalidProducerEpochException).
	ErrInvalidProducerEpoch = errors.New("old producer epoch")
	// ErrGroupNotEmpty: the group has members, so its offsets cannot be changed (Java:
	// GroupNotEmptyException, UnknownMemberIdException, GroupSubscribedToTopicException).
	ErrGroupNotEmpty = errors.New("the consumer group is not empty")
	// ErrUnknownGroup: there is no such group (Java: GroupIdNotFoundException).
	ErrUnknownGroup = errors.New("unknown consumer group")
	// ErrClosed: the client was closed.
	ErrClosed = errors.New("the Kafka client is closed")
)

// BrokerError is an error that a broker answered.
type BrokerError struct {
	Code int16  // Kafka's error code
	Msg  string // the broker's text, or ours for the code
}

func (e *BrokerError) Error() string { return e.Msg }

// Is tells which of the kinds above the error is.
func (e *BrokerError) Is(target error) bool {
	switch sarama.KError(e.Code) { //nolint:exhaustive // only these have a kind
	case sarama.ErrRequestTimedOut:
		return target == ErrTimeout
	case sarama.ErrTopicAuthorizationFailed, sarama.ErrClusterAuthorizationFailed,
		sarama.ErrGroupAuthorizationFailed, sarama.ErrTransactionalIDAuthorizationFailed:
		return target == ErrAuthorization
	case sarama.ErrSASLAuthenticationFailed, sarama.ErrUnsupportedSASLMechanism, sarama.ErrIllegalSASLState:
		return target == ErrAuthentication
	case sarama.ErrInvalidConfig:
		return target == ErrInvalidConfig
	case sarama.ErrInvalidReplicationFactor:
		return target == ErrInvalidReplicationFactor
	case sarama.ErrUnsupportedVersion:
		return target == ErrUnsupported
	case sarama.ErrUnknownTopicOrPartition:
		return target == ErrUnknownTopic
	case sarama.ErrProducerFenced:
		return target == ErrFenced
	case sarama.ErrInvalidProducerEpoch:
		return target == ErrFenced || target == ErrInvalidProducerEpoch
	case sarama.ErrNonEmptyGroup, sarama.ErrGroupSubscribedToTopic:
		return target == ErrGroupNotEmpty
	case sarama.ErrGroupIDNotFound:
		return target == ErrUnknownGroup
	}
	return false
}

// Retriable tells whether the same request may succeed later (Java: RetriableException).
func (e *BrokerError) Retriable() bool { return retriableCode(sarama.KError(e.Code)) }

// brokerError returns nil for ErrNoError, else a *BrokerError with the broker's
// text if it sent one.
func brokerError(code sarama.KError, detail string) error {
	if code == sarama.ErrNoError {
		return nil
	}
	if detail == "" {
		detail = sequenceText(code)
	}
	if detail == "" {
		detail = strings.TrimPrefix(code.Error(), "kafka server: ")
	}
	return &BrokerError{Code: int16(code), Msg: detail}
}

// unknownTopicID is UNKNOWN_TOPIC_ID, which sarama does not name.
const unknownTopicID sarama.KError = 100

// retriableCode is the list of Java's RetriableException classes.
func retriableCode(code sarama.KError) bool {
	switch code { //nolint:exhaustive // the rest is final
	case sarama.ErrInvalidMessage, sarama.ErrUnknownTopicOrPartition, sarama.ErrLeaderNotAvailable,
		sarama.ErrNotLeaderForPartition, sarama.ErrRequestTimedOut, sarama.ErrReplicaNotAvailable,
		sarama.ErrNetworkException, sarama.ErrOffsetsLoadInProgress, sarama.ErrConsumerCoordinatorNotAvailable,
		sarama.ErrNotCoordinatorForConsumer, sarama.ErrNotEnoughReplicas, sarama.ErrNotEnoughReplicasAfterAppend,
		sarama.ErrNotController, sarama.ErrKafkaStorageError, sarama.ErrFetchSessionIDNotFound,
		sarama.ErrInvalidFetchSessionEpoch, sarama.ErrListenerNotFound, sarama.ErrFencedLeaderEpoch,
		sarama.ErrUnknownLeaderEpoch, sarama.ErrOffsetNotAvailable, sarama.ErrPreferredLeaderNotAvailable,
		sarama.ErrEligibleLeadersNotAvailable, sarama.ErrUnstableOffsetCommit, sarama.ErrThrottlingQuotaExceeded,
		sarama.ErrConcurrentTransactions, unknownTopicID:
		return true
	}
	return false
}

// wireError turns an error of sarama into one of this package.
func wireError(err error) error {
	var code sarama.KError
	var known *authError
	switch {
	case err == nil, errors.As(err, &known):
		return err
	case loginRefused(err):
		return &authError{err}
	case errors.As(err, &code):
		return brokerError(code, "")
	case errors.Is(err, sarama.ErrUnsupportedVersion):
		return fmt.Errorf("%w: %w", ErrUnsupported, err)
	}
	// A broker that refuses our certificate may say so after the handshake (TLS 1.3).
	return tlsError(err)
}

// final tells that repeating the request cannot help. Errors of the network are
// never final.
func final(err error) bool {
	var broker *BrokerError
	var encode sarama.PacketEncodingError
	var commit *commitError
	switch {
	case errors.Is(err, ErrClosed), errors.Is(err, ErrAuthentication), errors.Is(err, ErrUnsupported),
		errors.As(err, &encode), errors.As(err, &commit):
		return true
	case errors.As(err, &broker):
		return !broker.Retriable()
	}
	return false
}

// Retriable tells whether the same call may succeed later (Java: RetriableException):
// time-outs, failures of connections, garbled answers, and what a broker says will pass.
// The end of a context is not retriable.
func Retriable(err error) bool {
	var broker *BrokerError
	var connection *connectionError
	var garbled *undecodableError
	switch {
	case err == nil, final(err):
		return false
	case errors.As(err, &broker):
		return broker.Retriable()
	}
	return errors.Is(err, ErrTimeout) || errors.Is(err, errIncomplete) || errors.As(err, &connection) || errors.As(err, &garbled)
}

// OffsetOutOfRangeError is returned by Poll when a position lies outside the log
// and auto.offset.reset is none (Java: OffsetOutOfRangeException).
type OffsetOutOfRangeError struct {
	connect.TopicPartition
	Offset int64
}

func (e *OffsetOutOfRangeError) Error() string {
	return fmt.Sprintf("Fetch position %d is out of range for partition %s and no reset policy is configured"+
		" (auto.offset.reset=none). Set auto.offset.reset to earliest or latest, or seek", e.Offset, e.TopicPartition)
}

// NoOffsetError is returned when a position must be found by the reset policy, and
// there is none (Java: NoOffsetForPartitionException).
type NoOffsetError struct{ connect.TopicPartition }

func (e *NoOffsetError) Error() string {
	return fmt.Sprintf("Undefined offset with no reset policy for partitions: [%s]."+
		" Set auto.offset.reset to earliest or latest, or seek", e.TopicPartition)
}

// FetchError is returned by Poll when a partition cannot be read on. The partition
// stays where it is: it is tried again at every Poll until it is sought or removed.
type FetchError struct {
	connect.TopicPartition
	Offset int64
	Err    error
}

func (e *FetchError) Error() string {
	return fmt.Sprintf("fetch %s from offset %d: %v", e.TopicPartition, e.Offset, e.Err)
}

// Unwrap returns the cause.
func (e *FetchError) Unwrap() error { return e.Err }
