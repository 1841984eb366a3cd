// Package localfs stores files on the local disk (file:// URLs). Leases are advisory
// locks (flock) on the files themselves: they exclude other processes of the machine
// and other clients of this one, and the kernel frees those of a dead process. A lease
// cannot be taken from a living writer, so RecoverLease waits for it to end. Not for
// network file systems without flock.
package localfs
