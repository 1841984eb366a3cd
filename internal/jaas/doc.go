// Package jaas reads JAAS login configurations: the value of sasl.jaas.config and files such as
// java.security.auth.login.config names.
package jaas
