package namenode

import (
	"fmt"
	"math"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// FileStatus is the part of HdfsFileStatusProto that we use.
type FileStatus struct {
	Name         string // within its directory; empty when asked for by path
	Dir          bool
	Length       int64
	Modified     time.Time
	Perm         uint32
	Owner        string
	Replication  uint32
	BlockSize    int64
	FileID       uint64
	Encrypted    bool
	ErasureCoded bool
}

const (
	fileTypeDir = 1

	flagEncrypted    = 0x02
	flagErasureCoded = 0x04
)

// parseFileStatus decodes HdfsFileStatusProto: 1 fileType, 2 path, 3 length,
// 4 permission{1 perm}, 5 owner, 7 modification_time, 10 block_replication,
// 11 blocksize, 13 fileId, 15 fileEncryptionInfo, 17 ecPolicy, 18 flags.
func parseFileStatus(b []byte) (FileStatus, error) {
	var s FileStatus
	err := eachField(b, func(n protowire.Number, f field) (err error) {
		switch n {
		case 1:
			s.Dir = f.num == fileTypeDir
		case 2:
			s.Name = f.text()
		case 3:
			s.Length, err = length(f.num)
		case 4:
			err = eachField(f.data, func(n protowire.Number, f field) error {
				if n == 1 {
					s.Perm = uint32(f.num)
				}
				return nil
			})
		case 5:
			s.Owner = f.text()
		case 7:
			s.Modified = time.UnixMilli(int64(f.num))
		case 10:
			s.Replication = uint32(f.num)
		case 11:
			s.BlockSize, err = length(f.num)
		case 13:
			s.FileID = f.num
		case 15:
			s.Encrypted = true
		case 17:
			s.ErasureCoded = true
		case 18:
			s.Encrypted = s.Encrypted || f.num&flagEncrypted != 0
			s.ErasureCoded = s.ErasureCoded || f.num&flagErasureCoded != 0
		}
		return err
	})
	if err != nil {
		return FileStatus{}, fmt.Errorf("file status: %w", err)
	}
	return s, nil
}

// parseListing decodes GetListingResponseProto 1 dirList{1 partialListing, 2 remainingEntries}.
func parseListing(body []byte) (page []FileStatus, remaining uint64, found bool, err error) {
	err = eachField(body, func(n protowire.Number, f field) error {
		if n != 1 {
			return nil
		}
		found = true
		return eachField(f.data, func(n protowire.Number, f field) error {
			switch n {
			case 1:
				s, err := parseFileStatus(f.data)
				if err != nil {
					return err
				}
				page = append(page, s)
			case 2:
				remaining = f.num
			}
			return nil
		})
	})
	return page, remaining, found, err
}

// Block is ExtendedBlockProto: 1 poolId, 2 blockId, 3 generationStamp, 4 numBytes.
type Block struct {
	Pool       string
	ID         uint64
	Generation uint64
	Length     int64
}

func (b *Block) encode() message {
	return message(nil).str(1, b.Pool).uint(2, b.ID).uint(3, b.Generation).uint(4, uint64(b.Length))
}

func parseBlock(data []byte) (b Block, err error) {
	err = eachField(data, func(n protowire.Number, f field) (err error) {
		switch n {
		case 1:
			b.Pool = f.text()
		case 2:
			b.ID = f.num
		case 3:
			b.Generation = f.num
		case 4:
			b.Length, err = length(f.num)
		}
		return err
	})
	return b, err
}

// Blocks is what getBlockLocations tells of a file.
type Blocks struct {
	// Length is the file's, without the last block while that is being written.
	Length int64
	// Last is the last block, nil for an empty file.
	Last *Block
	// LastComplete: the last block is closed, and part of Length.
	LastComplete bool
	// Open: somebody is writing the file.
	Open bool
}

// parseBlocks decodes GetBlockLocationsResponseProto 1 locations: LocatedBlocksProto
// 1 fileLength, 3 underConstruction, 4 lastBlock{1 b}, 5 isLastBlockComplete.
func parseBlocks(body []byte) (b Blocks, err error) {
	err = eachField(body, func(n protowire.Number, f field) error {
		if n != 1 {
			return nil
		}
		return eachField(f.data, func(n protowire.Number, f field) (err error) {
			switch n {
			case 1:
				b.Length, err = length(f.num)
			case 3:
				b.Open = f.bool()
			case 4:
				err = eachField(f.data, func(n protowire.Number, f field) error {
					if n != 1 {
						return nil
					}
					block, err := parseBlock(f.data)
					b.Last = &block
					return err
				})
			case 5:
				b.LastComplete = f.bool()
			}
			return err
		})
	})
	return b, err
}

func length(v uint64) (int64, error) {
	if v > math.MaxInt64 {
		return 0, fmt.Errorf("%w: length %d", errMalformed, v)
	}
	return int64(v), nil
}
