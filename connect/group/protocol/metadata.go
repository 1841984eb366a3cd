package protocol

import (
	"encoding/binary"
	"fmt"
	"strings"
)

// Version of the protocol, as on the wire.
type Version int16

// The versions.
const (
	Eager      Version = 0 // everything stops at each rebalance
	Compatible Version = 1 // incremental cooperative
	Sessioned  Version = 2 // as Compatible; requests between workers are signed
)

// Name returns the name under which the version is offered to the broker.
func (v Version) Name() string {
	switch v {
	case Eager:
		return "default"
	case Compatible:
		return "compatible"
	default:
		return "sessioned"
	}
}

// VersionOf resolves the name that the broker has chosen. Case does not matter.
func VersionOf(name string) (Version, error) {
	for _, v := range []Version{Sessioned, Compatible, Eager} {
		if strings.EqualFold(v.Name(), name) {
			return v, nil
		}
	}
	return 0, fmt.Errorf("unknown connect protocol %q: the group chose something that this worker did not offer", name)
}

// Offered returns the versions that a worker offers, the best first, for a value of
// connect.protocol: eager, compatible or sessioned, in any case.
func Offered(connectProtocol string) ([]Version, error) {
	switch strings.ToLower(connectProtocol) {
	case "eager":
		return []Version{Eager}, nil
	case "compatible":
		return []Version{Compatible, Eager}, nil
	case "sessioned":
		return []Version{Sessioned, Compatible, Eager}, nil
	}
	return nil, fmt.Errorf("Invalid value %s for configuration connect.protocol: Invalid Connect protocol compatibility. "+
		"Set it to sessioned, compatible or eager", connectProtocol)
}

// WorkerState is what a worker tells when it joins (Java: ExtendedWorkerState).
type WorkerState struct {
	// URL is the advertised REST address, with trailing slash.
	URL string
	// ConfigOffset is the offset of a fresh config snapshot, -1 when the topic is empty.
	ConfigOffset int64
	// Allocation is what the worker runs, nil when nothing. The eager protocol has none.
	Allocation *Assignment
}

// AppendMetadata appends s in the layout of v. The allocation takes the same version.
// It fails when a text is too long for the wire.
func AppendMetadata(dst []byte, v Version, s WorkerState) ([]byte, error) {
	if err := checkString("the worker's REST address", s.URL); err != nil {
		return nil, err
	}
	dst = binary.BigEndian.AppendUint16(dst, uint16(v))
	dst = appendString(dst, s.URL)
	dst = binary.BigEndian.AppendUint64(dst, uint64(s.ConfigOffset))
	if v == Eager {
		return dst, nil
	}
	if s.Allocation == nil {
		return binary.BigEndian.AppendUint32(dst, ^uint32(0)), nil
	}
	at := len(dst)
	dst = append(dst, 0, 0, 0, 0)
	a := *s.Allocation
	a.Version = v
	dst, err := AppendAssignment(dst, a)
	if err != nil {
		return nil, err
	}
	binary.BigEndian.PutUint32(dst[at:], uint32(len(dst)-at-4))
	return dst, nil
}

// ReadMetadata reads metadata of any version. Bytes after the known fields are ignored.
func ReadMetadata(b []byte) (WorkerState, error) {
	r := reader{b: b}
	if _, err := readVersion(&r); err != nil {
		return WorkerState{}, err
	}
	s := WorkerState{URL: r.string("url"), ConfigOffset: r.int64("config-offset")}
	if r.bad == "" && !r.end() {
		if alloc := r.nullableBytes("allocation"); alloc != nil {
			a, err := ReadAssignment(alloc)
			if err != nil {
				return WorkerState{}, fmt.Errorf("allocation of the worker at %s: %w", s.URL, err)
			}
			s.Allocation = &a
		}
	}
	if err := r.err(); err != nil {
		return WorkerState{}, err
	}
	return s, nil
}

func readVersion(r *reader) (Version, error) {
	v := r.int16("version")
	if v < 0 {
		return 0, fmt.Errorf("Unsupported subscription version: %d", v)
	}
	return Version(v), r.err()
}
