package protocol

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"github.com/penstock-io/penstock/internal/javagolden"
)

// recorded is one line of a run of JVM workers: see testdata/java/README.md.
type recorded struct {
	Kind, Protocol string
	Err            int16
	Blobs          []struct {
		Name  string
		Bytes []byte
	}
	Assignment []byte
}

// eachRecorded calls do for each line of each recorded run.
func eachRecorded(t *testing.T, do func(t *testing.T, r recorded)) {
	t.Helper()
	files, err := filepath.Glob("testdata/java/*.jsonl.gz")
	if err != nil || len(files) == 0 {
		t.Fatal("no recorded runs", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".jsonl.gz"), func(t *testing.T) {
			for _, r := range javagolden.ReadLines[recorded](t, file) {
				do(t, r)
			}
		})
	}
}

// seen counts what the runs contain, so that a poor recording is noticed.
type seen struct {
	versions                        [3]int
	allocations, revoked, withDelay int
}

// TestRecordedMetadataIsWrittenEqually: what JVM workers tell when they join, in all
// protocols that they offer, is read and written to the same bytes, the allocation in it
// included.
func TestRecordedMetadataIsWrittenEqually(t *testing.T) {
	var n seen
	check := func(t *testing.T, protocol string, b []byte) {
		t.Helper()
		v, err := VersionOf(protocol)
		if err != nil {
			t.Fatal(err)
		}
		s, err := ReadMetadata(b)
		if err != nil {
			t.Fatalf("%x: %v", b, err)
		}
		got, err := AppendMetadata(nil, v, s)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(b, got) {
			t.Errorf("%s: want %x\ngot  %x\n%+v", protocol, b, got, s)
		}
		n.versions[v]++
		if s.Allocation == nil {
			return
		}
		if s.Allocation.Version != v {
			t.Errorf("an allocation of version %d in metadata of version %d", s.Allocation.Version, v)
		}
		if len(s.Allocation.Tasks) > 0 {
			n.allocations++
		}
	}
	eachRecorded(t, func(t *testing.T, r recorded) {
		for _, b := range r.Blobs {
			switch r.Kind {
			case "join":
				check(t, b.Name, b.Bytes)
			case "joined":
				check(t, r.Protocol, b.Bytes)
			}
		}
	})
	for v, count := range n.versions {
		if count < 20 {
			t.Errorf("only %d metadata of version %d", count, v)
		}
	}
	if n.allocations < 20 {
		t.Errorf("only %d allocations with tasks", n.allocations)
	}
}

// TestRecordedAssignmentsAreWrittenEqually: the same for what JVM leaders assign, sent by
// the leader and received by each member.
func TestRecordedAssignmentsAreWrittenEqually(t *testing.T) {
	var n seen
	check := func(t *testing.T, b []byte) {
		t.Helper()
		a, err := ReadAssignment(b)
		if err != nil {
			t.Fatalf("%x: %v", b, err)
		}
		got, err := AppendAssignment(nil, a)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(b, got) {
			t.Errorf("want %x\ngot  %x\n%+v", b, got, a)
		}
		n.versions[a.Version]++
		if len(a.RevokedConnectors)+len(a.RevokedTasks) > 0 {
			n.revoked++
		}
		if a.Delay > 0 {
			n.withDelay++
		}
	}
	eachRecorded(t, func(t *testing.T, r recorded) {
		switch {
		case r.Kind == "sync":
			for _, b := range r.Blobs {
				check(t, b.Bytes)
			}
		case r.Kind == "synced" && r.Err == 0:
			check(t, r.Assignment)
		}
	})
	for v, count := range n.versions {
		if count < 20 {
			t.Errorf("only %d assignments of version %d", count, v)
		}
	}
	if n.revoked < 10 || n.withDelay < 10 {
		t.Errorf("only %d assignments revoke, %d have a delay", n.revoked, n.withDelay)
	}
}
