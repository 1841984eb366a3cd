package namenode

import (
	"context"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
)

// RecoverLease takes the file's lease from its holder and starts to close the file;
// true means that it is closed already. When false, poll IsFileClosed. FileNotFoundException
// when there is no such file.
func (c *Client) RecoverLease(ctx context.Context, path string) (closed bool, err error) {
	return c.boolCall(ctx, "recoverLease", message(nil).str(1, path).str(2, c.Name()))
}

// IsFileClosed reports whether nobody is writing the file and its length is final.
func (c *Client) IsFileClosed(ctx context.Context, path string) (bool, error) {
	return c.boolCall(ctx, "isFileClosed", message(nil).str(1, path))
}

// RenameResult says how sure the error of Rename is.
type RenameResult struct {
	// ReplyLost: an earlier attempt got no answer and may have been executed.
	ReplyLost bool
}

// Rename moves from to to and never overwrites: FileAlreadyExistsException when to
// exists, FileNotFoundException when from or to's directory is missing.
func (c *Client) Rename(ctx context.Context, from, to string) (RenameResult, error) {
	_, out, err := c.call(ctx, "rename2", message(nil).str(1, from).str(2, to).boolean(3, false))
	return RenameResult{ReplyLost: out.lost}, err
}

// Delete removes a file, or a directory with all below it. False: there was nothing.
func (c *Client) Delete(ctx context.Context, path string) (existed bool, err error) {
	return c.boolCall(ctx, "delete", message(nil).str(1, path).boolean(2, true))
}

// Mkdirs makes a directory and its parents with the permission bits perm, which the
// caller has masked. A directory that exists is success.
func (c *Client) Mkdirs(ctx context.Context, path string, perm uint32) error {
	ok, err := c.boolCall(ctx, "mkdirs", message(nil).str(1, path).bytes(2, message(nil).uint(1, uint64(perm))).boolean(3, true))
	if err == nil && !ok {
		return fmt.Errorf("mkdirs: the NameNode did not make %s", path)
	}
	return err
}

// Fsync succeeds while holder has the file open for writing, and fails with
// LeaseExpiredException or FileNotFoundException when not: it proves who holds a lease.
func (c *Client) Fsync(ctx context.Context, path, holder string) error {
	_, _, err := c.call(ctx, "fsync", message(nil).str(1, path).str(2, holder).sint(3, -1))
	return err
}

// Complete closes a file that holder has open. last is the last block with its final
// length, nil for a file without blocks; its data must be on the DataNodes already.
// False: the block is not yet reported by enough DataNodes, ask again. A file that was
// closed with that very block is success.
func (c *Client) Complete(ctx context.Context, path, holder string, last *Block) (bool, error) {
	p := message(nil).str(1, path).str(2, holder)
	if last != nil {
		p = p.bytes(3, last.encode())
	}
	return c.boolCall(ctx, "complete", p)
}

// Stat returns the file's status, nil when there is nothing.
func (c *Client) Stat(ctx context.Context, path string) (*FileStatus, error) {
	body, _, err := c.call(ctx, "getFileInfo", message(nil).str(1, path))
	if err != nil {
		return nil, err
	}
	var st *FileStatus
	err = eachField(body, func(n protowire.Number, f field) error {
		if n == 1 {
			s, err := parseFileStatus(f.data)
			st = &s
			return err
		}
		return nil
	})
	return st, replyError("getFileInfo", err)
}

// List returns all entries of a directory; ok is false when there is no such directory.
// For a file it returns the file alone, with an empty name.
func (c *Client) List(ctx context.Context, dir string) (entries []FileStatus, ok bool, err error) {
	after := ""
	for {
		p := message(nil).str(1, dir).bytes(2, []byte(after)).boolean(3, false)
		body, _, err := c.call(ctx, "getListing", p)
		if err != nil {
			return nil, false, err
		}
		page, remaining, found, err := parseListing(body)
		if err != nil {
			return nil, false, replyError("getListing", err)
		}
		if !found {
			return nil, false, nil
		}
		entries = append(entries, page...)
		if remaining == 0 || len(page) == 0 {
			return entries, true, nil
		}
		after = page[len(page)-1].Name
	}
}

// Blocks returns how long the file is and what its last block is.
func (c *Client) Blocks(ctx context.Context, path string) (Blocks, error) {
	body, _, err := c.call(ctx, "getBlockLocations", message(nil).str(1, path).uint(2, 0).uint(3, 1<<62))
	if err != nil {
		return Blocks{}, err
	}
	b, err := parseBlocks(body)
	return b, replyError("getBlockLocations", err)
}

// boolCall makes a call whose reply is one required bool in field 1.
func (c *Client) boolCall(ctx context.Context, method string, params message) (bool, error) {
	body, _, err := c.call(ctx, method, params)
	if err != nil {
		return false, err
	}
	result, err := parseBool(body)
	return result, replyError(method, err)
}

func parseBool(body []byte) (result bool, err error) {
	found := false
	err = eachField(body, func(n protowire.Number, f field) error {
		if n == 1 && f.data == nil {
			result, found = f.bool(), true
		}
		return nil
	})
	if err == nil && !found {
		err = fmt.Errorf("%w: result missing", errMalformed)
	}
	return result, err
}

func replyError(method string, err error) error {
	if err != nil {
		return fmt.Errorf("reply to %s: %w", method, err)
	}
	return nil
}
