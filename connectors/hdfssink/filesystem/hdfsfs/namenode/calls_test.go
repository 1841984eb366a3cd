package namenode

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
)

const patience = 10 * time.Second

// TestCalls makes every call once: the fake decodes its request with Hadoop's message
// declarations and answers with a message made from them.
func TestCalls(t *testing.T) {
	status := `fileType: 2 path: "" length: 42 permission{perm: 420} owner: "o" group: "g" modification_time: 1700000000123 access_time: 5
		block_replication: 3 blocksize: 1048576 fileId: 16400 childrenNum: -1 storagePolicy: 7 flags: 1`
	wantStatus := FileStatus{Length: 42, Modified: time.UnixMilli(1700000000123), Perm: 0o644, Owner: "o",
		Replication: 3, BlockSize: 1 << 20, FileID: 16400}
	block := `poolId: "BP-1" blockId: 18446744073709551615 generationStamp: 1002 numBytes: 77`
	last := &Block{Pool: "BP-1", ID: 1<<64 - 1, Generation: 1002, Length: 77}
	for name, c := range map[string]struct {
		call         func(context.Context, *Client) (any, error)
		method       string
		params       string // %s is the client's name
		reply, value string // name and text of the answer
		want         any
	}{
		"recoverLease": {func(ctx context.Context, c *Client) (any, error) { return c.RecoverLease(ctx, "/ä b") },
			"recoverLease", `src: "/ä b" clientName: "%s"`, "BoolReply", "result: true", true},
		"recoverLease, later": {func(ctx context.Context, c *Client) (any, error) { return c.RecoverLease(ctx, "/a") },
			"recoverLease", `src: "/a" clientName: "%s"`, "BoolReply", "result: false", false},
		"isFileClosed": {func(ctx context.Context, c *Client) (any, error) { return c.IsFileClosed(ctx, "/a") },
			"isFileClosed", `src: "/a"`, "BoolReply", "result: true", true},
		"rename": {func(ctx context.Context, c *Client) (any, error) { return c.Rename(ctx, "/a", "/b") },
			"rename2", `src: "/a" dst: "/b" overwriteDest: false`, "VoidReply", "", RenameResult{}},
		"delete": {func(ctx context.Context, c *Client) (any, error) { return c.Delete(ctx, "/a") },
			"delete", `src: "/a" recursive: true`, "BoolReply", "result: false", false},
		"mkdirs": {func(ctx context.Context, c *Client) (any, error) { return nil, c.Mkdirs(ctx, "/d", 0o750) },
			"mkdirs", `src: "/d" masked{perm: 488} createParent: true`, "BoolReply", "result: true", nil},
		"fsync": {func(ctx context.Context, c *Client) (any, error) { return nil, c.Fsync(ctx, "/a", "holder") },
			"fsync", `src: "/a" client: "holder" lastBlockLength: -1`, "VoidReply", "", nil},
		"complete": {func(ctx context.Context, c *Client) (any, error) { return c.Complete(ctx, "/a", "holder", last) },
			"complete", `src: "/a" clientName: "holder" last{` + block + `}`, "BoolReply", "result: true", true},
		"complete an empty file": {func(ctx context.Context, c *Client) (any, error) { return c.Complete(ctx, "/a", "holder", nil) },
			"complete", `src: "/a" clientName: "holder"`, "BoolReply", "result: false", false},
		"stat": {func(ctx context.Context, c *Client) (any, error) { return c.Stat(ctx, "/a") },
			"getFileInfo", `src: "/a"`, "FileInfoReply", "fs{" + status + "}", &wantStatus},
		"stat of nothing": {func(ctx context.Context, c *Client) (any, error) { return c.Stat(ctx, "/a") },
			"getFileInfo", `src: "/a"`, "FileInfoReply", "", (*FileStatus)(nil)},
		"blocks": {func(ctx context.Context, c *Client) (any, error) { return c.Blocks(ctx, "/a") },
			"getBlockLocations", `src: "/a" offset: 0 length: 4611686018427387904`, "BlocksReply",
			`locations{fileLength: 100 underConstruction: true isLastBlockComplete: false
				blocks{b{poolId: "x" blockId: 1 generationStamp: 2} offset: 0 corrupt: false blockToken: ""}
				lastBlock{b{` + block + `} offset: 100 corrupt: false blockToken: "t"}}`,
			Blocks{Length: 100, Last: last, Open: true}},
		"blocks of a closed file": {func(ctx context.Context, c *Client) (any, error) { return c.Blocks(ctx, "/a") },
			"getBlockLocations", `src: "/a" offset: 0 length: 4611686018427387904`, "BlocksReply",
			`locations{fileLength: 0 underConstruction: false isLastBlockComplete: true}`, Blocks{LastComplete: true}},
	} {
		t.Run(name, func(t *testing.T) {
			nn := startFake(t, func(q *request) reply { return q.ok(c.reply, c.value) })
			client := newClient(t, Options{}, nn)
			got, err := c.call(within(t, patience), client)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("result (-want +got):\n%s", diff)
			}
			requests, conns := nn.seen()
			if len(requests) != 1 || conns != 1 {
				t.Fatalf("%d requests on %d connections", len(requests), conns)
			}
			q := requests[0]
			params := strings.Replace(c.params, "%s", client.Name(), 1)
			if want := build(t, c.method, params); q.method != c.method || !proto.Equal(q.params, want) {
				t.Errorf("request is %s %v, want %s %v", q.method, q.params, c.method, want)
			}
			if q.user != "alice" || q.retry != 0 || q.callID < 0 {
				t.Errorf("user %q, retry %d, call id %d", q.user, q.retry, q.callID)
			}
		})
	}
}

func TestMkdirsThatTheNameNodeRefuses(t *testing.T) {
	nn := startFake(t, func(q *request) reply { return q.ok("BoolReply", "result: false") })
	err := newClient(t, Options{}, nn).Mkdirs(within(t, patience), "/d", 0o755)
	if err == nil || !strings.Contains(err.Error(), "/d") {
		t.Fatalf("error is %v", err)
	}
}

func TestFileStatusTellsWhatCannotBeWritten(t *testing.T) {
	for more, want := range map[string]FileStatus{
		`fileEncryptionInfo: ""`: {Encrypted: true},
		`flags: 2`:               {Encrypted: true},
		`ecPolicy: "x"`:          {ErasureCoded: true},
		`flags: 4`:               {ErasureCoded: true},
		`flags: 9`:               {},
	} {
		b := encode(t, build(t, "HdfsFileStatusProto", `fileType: 1 path: "n" length: 0 permission{perm: 0} owner: "" group: "" modification_time: 0 access_time: 0 `+more))
		got, err := parseFileStatus(b)
		want.Dir, want.Name, want.Modified = true, "n", time.UnixMilli(0)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got)\n%s", more, err, diff)
		}
	}
}

// TestListPages: a listing comes in pages, each asked for after the last name.
func TestListPages(t *testing.T) {
	entry := func(name string) string {
		return fmt.Sprintf(`partialListing{fileType: 2 path: %q length: 1 permission{perm: 0} owner: "" group: "" modification_time: 0 access_time: 0}`, name)
	}
	pages := map[string]string{"": entry("a") + entry("b") + "remainingEntries: 2", "b": entry("é") + "remainingEntries: 1", "é": entry("z") + "remainingEntries: 0"}
	nn := startFake(t, func(q *request) reply {
		if src := get(q.params, "src").String(); src != "/d" {
			return q.ok("ListingReply", "")
		}
		return q.ok("ListingReply", "dirList{"+pages[string(get(q.params, "startAfter").Bytes())]+"}")
	})
	c := newClient(t, Options{}, nn)
	entries, ok, err := c.List(within(t, patience), "/d")
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name)
	}
	if diff := cmp.Diff([]string{"a", "b", "é", "z"}, names); diff != "" {
		t.Error(diff)
	}
	if _, ok, err := c.List(within(t, patience), "/missing"); ok || err != nil {
		t.Errorf("missing directory: %v, %v", ok, err)
	}
}

// TestListEndsWithoutProgress: a server that promises more and gives nothing must not
// keep the client asking.
func TestListEndsWithoutProgress(t *testing.T) {
	nn := startFake(t, func(q *request) reply { return q.ok("ListingReply", "dirList{remainingEntries: 9}") })
	if entries, ok, err := newClient(t, Options{}, nn).List(within(t, patience), "/d"); len(entries) != 0 || !ok || err != nil {
		t.Fatal(entries, ok, err)
	}
}

func TestNewWantsAddressAndUser(t *testing.T) {
	for _, o := range []Options{{User: "u"}, {Addresses: []string{"a:1"}}} {
		if _, err := New(o); err == nil {
			t.Errorf("%+v is accepted", o)
		}
	}
}
