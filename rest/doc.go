// Package rest answers the Connect REST interface: routes, error mapping, time-outs
// and forwarding to the leader. It knows the cluster only through Herder.
package rest
