// Package audit writes who changed what through the REST interface: one line of JSON for each
// request that changes something, or that was denied, into a file of its own or into the log.
// Values of configs never get there, only the names of their keys.
package audit
