// Package access decides who may do what at the REST interface: roles of users and groups on
// connectors, users by their certificate, and the pass with which a worker vouches for the user
// whose request it forwards. It only decides; package rest asks it and answers.
package access
