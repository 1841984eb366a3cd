package avro

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"

	"github.com/penstock-io/penstock/connect/config"
)

// Names of codecs, in files and as values of avro.codec.
const (
	codecNull    = "null"
	codecDeflate = "deflate"
	codecSnappy  = "snappy"
	codecBzip2   = "bzip2"
	codecZstd    = "zstandard"
)

// codec compresses blocks. It is not safe for concurrent use.
type codec interface {
	name() string
	// append appends the compressed block to dst.
	append(dst, block []byte) ([]byte, error)
}

func newCodec(name string) (codec, error) {
	switch name {
	case "", codecNull:
		return noCodec{}, nil
	case codecDeflate:
		return newDeflate()
	case codecSnappy:
		return snappyCodec{}, nil
	case codecBzip2:
		return &bzip2Codec{}, nil
	case codecZstd:
		e, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
		return zstdCodec{e}, err
	}
	return nil, &config.Error{Key: "avro.codec", Msg: fmt.Sprintf("Invalid value %s for configuration avro.codec: Unsupported codec. Use null, deflate, snappy, bzip2 or zstandard.", name)}
}

type noCodec struct{}

func (noCodec) name() string                             { return codecNull }
func (noCodec) append(dst, block []byte) ([]byte, error) { return append(dst, block...), nil }

// deflateCodec writes raw deflate (RFC 1951).
type deflateCodec struct {
	w   *flate.Writer
	out appender
}

// appender is an io.Writer onto the end of a slice.
type appender []byte

func (a *appender) Write(b []byte) (int, error) {
	*a = append(*a, b...)
	return len(b), nil
}

func newDeflate() (codec, error) {
	c := &deflateCodec{}
	var err error
	c.w, err = flate.NewWriter(&c.out, flate.DefaultCompression)
	return c, err
}

func (*deflateCodec) name() string { return codecDeflate }

func (c *deflateCodec) append(dst, block []byte) ([]byte, error) {
	c.out = dst
	c.w.Reset(&c.out)
	if _, err := c.w.Write(block); err != nil {
		return nil, err
	}
	err := c.w.Close()
	dst, c.out = c.out, nil
	return dst, err
}

// snappyCodec writes the raw form, then the checksum of the uncompressed block.
type snappyCodec struct{}

func (snappyCodec) name() string { return codecSnappy }

func (snappyCodec) append(dst, block []byte) ([]byte, error) {
	need := snappy.MaxEncodedLen(len(block))
	if need < 0 {
		return nil, fmt.Errorf("a block of %d bytes is too large for snappy", len(block))
	}
	n := len(dst)
	for cap(dst)-n < need {
		dst = append(dst[:cap(dst)], make([]byte, need)...)
	}
	dst = dst[:n+need]
	packed := snappy.Encode(dst[n:], block)
	return binary.BigEndian.AppendUint32(dst[:n+len(packed)], crc32.ChecksumIEEE(block)), nil
}

type zstdCodec struct{ e *zstd.Encoder }

func (zstdCodec) name() string { return codecZstd }

func (c zstdCodec) append(dst, block []byte) ([]byte, error) { return c.e.EncodeAll(block, dst), nil }
