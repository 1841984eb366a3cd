package main

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

// environmentError tells that Kafka or a listener's address could not be had at the start.
type environmentError struct{ err error }

func (e *environmentError) Error() string { return e.err.Error() }
func (e *environmentError) Unwrap() error { return e.err }

// usageError is a wrong command line.
type usageError string

func (e usageError) Error() string { return string(e) }

func exitCode(err error) int {
	var usage usageError
	var environment *environmentError
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
