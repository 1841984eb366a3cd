// Package storage states what the cluster keeps: connector configs, source
// offsets and statuses, and the immutable snapshot of the configs. The
// implementations lie below it.
package storage
