// Package archtest holds the rules of the architecture as tests: which package may
// import which, and that every package says what it is for.
package archtest
