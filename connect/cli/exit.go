package cli

import (
	"errors"
	"fmt"
	"os"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/config"
)

// The exit codes.
const (
	exitStopped     = 0   // stopped cleanly
	exitFailed      = 1   // failed while running
	exitConfig      = 2   // wrong command line or configuration
	exitEnvironment = 3   // something outside could not be reached at the start
	exitSignal      = 128 // + the number of the second signal
)

// EnvironmentError tells that Kafka or a listener's address could not be had at the start.
type EnvironmentError struct{ Err error }

func (e *EnvironmentError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *EnvironmentError) Unwrap() error { return e.Err }

// UsageError tells what is wrong with a command line.
type UsageError string

func (e UsageError) Error() string { return string(e) }

func exitCode(err error) int {
	var usage UsageError
	var environment *EnvironmentError
	switch {
	case err == nil:
		return exitStopped
	case errors.As(err, &usage), isConfigError(err):
		return exitConfig
	case errors.As(err, &environment):
		return exitEnvironment
	}
	return exitFailed
}

// isConfigError tells whether an error is one of configuration: of a property, or of what
// it names, such as a topic that is not compacted.
func isConfigError(err error) bool {
	var wrong *config.Error
	var java *connect.Error
	return errors.As(err, &wrong) || errors.As(err, &java) && java.Class == "org.apache.kafka.common.config.ConfigException"
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(exitCode(err))
}
