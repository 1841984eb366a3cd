package kafka

import (
	"bytes"
	"encoding/hex"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kmsg"
	"pgregory.net/rapid"

	"github.com/penstock-io/penstock/connect"
)

func tps(text string) []connect.TopicPartition {
	var out []connect.TopicPartition
	for f := range strings.FieldsSeq(text) {
		i := strings.LastIndexByte(f, '-')
		n := int32(0)
		for _, c := range f[i+1:] {
			n = n*10 + c - '0'
		}
		out = append(out, tp(f[:i], n))
	}
	return out
}

// TestConsumerProtocolBytes has the bytes written out from the message definitions of
// Kafka (ConsumerProtocolSubscription and -Assignment, version 3).
func TestConsumerProtocolBytes(t *testing.T) {
	s := subscription{topics: []string{"b", "a"}, owned: tps("b-1 a-2 a-0"), generation: 5, rack: "r"}
	want := "0003" + // version
		"00000002" + "0001" + "61" + "0001" + "62" + // topics, sorted
		"ffffffff" + // no user data
		"00000002" + "0001" + "61" + "00000002" + "00000000" + "00000002" + "0001" + "62" + "00000001" + "00000001" + // owned, sorted
		"00000005" + // generation
		"0001" + "72" // rack
	if got := hex.EncodeToString(s.encode()); got != want {
		t.Errorf("subscription\n%s, want\n%s", got, want)
	}
	s = subscription{topics: []string{"a"}, userData: []byte{0xff, 0xff, 0xff, 0xff}, generation: -1}
	want = "0003" + "00000001" + "0001" + "61" + "00000004" + "ffffffff" + "00000000" + "ffffffff" + "ffff"
	if got := hex.EncodeToString(s.encode()); got != want {
		t.Errorf("subscription\n%s, want\n%s", got, want)
	}
	want = "0003" + "00000002" + "0001" + "62" + "00000002" + "00000001" + "00000000" + "0001" + "61" + "00000001" + "00000007" + "ffffffff"
	if got := hex.EncodeToString(encodeAssignment(tps("b-1 a-7 b-0"), nil)); got != want {
		t.Errorf("assignment\n%s, want\n%s", got, want)
	}
}

// TestConsumerProtocolOfOtherVersions reads what older and newer clients write.
func TestConsumerProtocolOfOtherVersions(t *testing.T) {
	for text, want := range map[string]*subscription{
		"0000 00000001 0001 61 ffffffff":                           {topics: []string{"a"}, generation: -1},
		"0000 00000001 0001 61 00000001 07":                        {topics: []string{"a"}, userData: []byte{7}, generation: -1},
		"0001 00000000 ffffffff 00000001 000161 00000001 00000003": {owned: tps("a-3"), generation: -1},
		"0002 00000000 ffffffff 00000000 00000009":                 {generation: 9},
		"0003 00000000 ffffffff 00000000 00000009 ffff":            {generation: 9},
		"0063 00000000 ffffffff 00000000 00000009 ffff 01":         {generation: 9},
	} {
		got, err := decodeSubscription(unhex(t, text))
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if d := cmp.Diff(want, got, cmp.AllowUnexported(subscription{})); d != "" {
			t.Errorf("%s: %s", text, d)
		}
	}
	for _, text := range []string{"", "00", "0000 7fffffff", "0000 00000001 0005 61", "ffff 00000000 ffffffff", "0001 00000000 ffffffff 7fffffff"} {
		if s, err := decodeSubscription(unhex(t, text)); err == nil {
			t.Errorf("%s was read as %+v", text, s)
		}
	}
	if got, err := decodeAssignment(unhex(t, "0000 00000001 000161 00000001 00000003 ffffffff")); err != nil || !slices.Equal(got, tps("a-3")) {
		t.Errorf("assignment of version 0: %v, %v", got, err)
	}
	if got, err := decodeAssignment(unhex(t, "0000 00000001 000161 00000003 00000003")); err == nil {
		t.Errorf("half an assignment was read as %v", got)
	}
}

func unhex(t *testing.T, text string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestConsumerProtocolAgainstKmsg compares with an independent implementation.
func TestConsumerProtocolAgainstKmsg(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := subscription{
			topics:     rapid.SliceOfN(rapid.StringMatching(`[a-c]{1,3}`), 0, 4).Draw(t, "topics"),
			userData:   rapid.OneOf(rapid.Just([]byte(nil)), rapid.SliceOf(rapid.Byte())).Draw(t, "userData"),
			owned:      slices.Compact(slices.SortedFunc(slices.Values(drawPartitions(t, "owned")), connect.TopicPartition.Compare)),
			generation: rapid.Int32Min(-1).Draw(t, "generation"),
			rack:       rapid.SampledFrom([]string{"", "r1"}).Draw(t, "rack"),
		}
		slices.Sort(s.topics)
		m := kmsg.ConsumerMemberMetadata{Version: 3, Topics: s.topics, UserData: s.userData, Generation: s.generation}
		if s.rack != "" {
			m.Rack = &s.rack
		}
		for _, tp := range s.owned {
			if n := len(m.OwnedPartitions); n == 0 || m.OwnedPartitions[n-1].Topic != tp.Topic {
				m.OwnedPartitions = append(m.OwnedPartitions, kmsg.ConsumerMemberMetadataOwnedPartition{Topic: tp.Topic})
			}
			o := &m.OwnedPartitions[len(m.OwnedPartitions)-1]
			o.Partitions = append(o.Partitions, tp.Partition)
		}
		encoded := s.encode()
		if want := m.AppendTo(nil); !bytes.Equal(encoded, want) {
			t.Fatalf("%+v\n%x, want\n%x", s, encoded, want)
		}
		back, err := decodeSubscription(encoded)
		if err != nil || !bytes.Equal(back.encode(), encoded) {
			t.Fatalf("read back as %+v, %v", back, err)
		}
		for n := range encoded {
			if back, err := decodeSubscription(encoded[:n]); err == nil {
				t.Fatalf("%d of %d bytes were read as %+v", n, len(encoded), back)
			}
		}

		a, err := decodeAssignment(encodeAssignment(s.owned, s.userData))
		if err != nil || !slices.Equal(a, s.owned) {
			t.Fatalf("assignment %v was read as %v, %v", s.owned, a, err)
		}
		var other kmsg.ConsumerMemberAssignment
		if err := other.ReadFrom(encodeAssignment(s.owned, s.userData)); err != nil || len(other.Topics) != len(m.OwnedPartitions) {
			t.Fatalf("kmsg read %+v, %v", other, err)
		}
	})
}

func drawPartitions(t *rapid.T, name string) []connect.TopicPartition {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) connect.TopicPartition {
		return tp(rapid.StringMatching(`[a-c]`).Draw(t, "topic"), rapid.Int32Range(0, 5).Draw(t, "partition"))
	}), 0, 8).Draw(t, name)
}

func FuzzDecodeSubscription(f *testing.F) {
	f.Add((&subscription{topics: []string{"a"}, owned: tps("a-1"), rack: "r"}).encode())
	f.Fuzz(func(t *testing.T, data []byte) {
		if s, err := decodeSubscription(data); err == nil {
			if again, err := decodeSubscription(s.encode()); err != nil || again.generation != s.generation {
				t.Errorf("%x: %+v, again %+v, %v", data, s, again, err)
			}
		}
		_, _ = decodeAssignment(data)
	})
}
