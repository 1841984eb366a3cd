package namenode

import (
	"bytes"
	"errors"
	"io"
	"testing"
)

// FuzzReply feeds bytes to all that decodes a server's replies: never a panic, never
// more data out than came in, and an error that says malformed when it is.
func FuzzReply(f *testing.F) {
	q := &request{t: f, callID: 7}
	status := `fileType: 2 path: "a" length: 42 permission{perm: 420} owner: "o" group: "g" modification_time: 1 access_time: 5 flags: 6`
	for _, r := range []reply{q.yes(), q.throw(ExceptionStandby, "standby"), q.ok("VoidReply", ""),
		q.ok("FileInfoReply", "fs{"+status+"}"), q.ok("ListingReply", "dirList{remainingEntries: 1 partialListing{"+status+"}}"),
		q.ok("BlocksReply", `locations{fileLength: 1 underConstruction: true isLastBlockComplete: false
			lastBlock{b{poolId: "p" blockId: 1 generationStamp: 2 numBytes: 3} offset: 0 corrupt: false blockToken: ""}}`)} {
		f.Add(r.raw)
		f.Add(r.raw[:len(r.raw)-1])
	}
	f.Add([]byte("HTTP/1.1 400\r\n"))
	f.Add([]byte{0x02, 0x00, 0x00, 0x00, 0x01})
	f.Add(replyFrame([]byte{0x0b, 0x0b, 0x0c, 0x0c})) // groups
	f.Fuzz(func(t *testing.T, stream []byte) {
		r := bytes.NewReader(stream)
		b, err := readFrame(r)
		if err != nil {
			if len(stream) >= 4 && errors.Is(err, io.EOF) {
				t.Fatalf("a frame cut off looks like an orderly end: %v", err)
			}
			return
		}
		if 4+len(b)+r.Len() != len(stream) {
			t.Fatalf("frame of %d bytes and %d left, from %d", len(b), r.Len(), len(stream))
		}
		got, err := parseResponse(b)
		if err != nil {
			if !errors.Is(err, errMalformed) {
				t.Fatal(err)
			}
			return
		}
		if len(got.body)+len(got.class)+len(got.text) > len(b) || got.status > 2 || got.status != 0 && got.body != nil {
			t.Fatalf("%d bytes give %+v", len(b), got)
		}
		decodeBodies(t, got.body)
	})
}

// decodeBodies decodes a result as each kind that there is.
func decodeBodies(t *testing.T, body []byte) {
	_, boolErr := parseBool(body)
	st, statusErr := parseFileStatus(body)
	page, _, _, listErr := parseListing(body)
	blocks, blocksErr := parseBlocks(body)
	for _, err := range []error{boolErr, statusErr, listErr, blocksErr} {
		if err != nil && !errors.Is(err, errMalformed) {
			t.Fatal(err)
		}
	}
	if st.Length < 0 || st.BlockSize < 0 || blocks.Length < 0 || blocks.Last != nil && blocks.Last.Length < 0 {
		t.Fatalf("negative length in %+v, %+v", st, blocks)
	}
	if len(page) > len(body) {
		t.Fatalf("%d entries in %d bytes", len(page), len(body))
	}
}
