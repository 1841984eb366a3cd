// Package fstest is the suite that pins the contract of filesystem.FS. Every backend
// runs it, the doubles included.
package fstest
