package avro

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Bounds of what a header may hold, so that a damaged one does not take all memory.
const (
	maxHeaderEntries = 10_000
	maxHeaderValue   = 64 << 20
)

// readSchema returns avro.schema of a header.
func readSchema(r io.Reader) (string, error) {
	in := bufio.NewReader(r)
	var m [len(magic)]byte
	if _, err := io.ReadFull(in, m[:]); err != nil {
		return "", cut(err)
	}
	if string(m[:]) != magic {
		return "", fmt.Errorf("it is no Avro file: it begins with %q, not with %q", m[:], magic)
	}
	for entries := int64(0); ; {
		n, err := readCount(in)
		if err != nil {
			return "", err
		}
		if n == 0 {
			return "", fmt.Errorf("it has no %s", schemaKey)
		}
		if entries += n; entries > maxHeaderEntries {
			return "", fmt.Errorf("it has more than %d entries", maxHeaderEntries)
		}
		for range n {
			key, err := readValue(in)
			if err != nil {
				return "", err
			}
			value, err := readValue(in)
			if err != nil {
				return "", err
			}
			if key == schemaKey {
				return value, nil
			}
		}
	}
}

// readCount reads how many entries follow; a negative count comes with their size.
func readCount(in *bufio.Reader) (int64, error) {
	n, err := binary.ReadVarint(in)
	if err != nil || n >= 0 {
		return n, cut(err)
	}
	if n < -maxHeaderEntries {
		return 0, fmt.Errorf("it has %d entries", n)
	}
	_, err = binary.ReadVarint(in)
	return -n, cut(err)
}

func readValue(in *bufio.Reader) (string, error) {
	n, err := binary.ReadVarint(in)
	if err != nil {
		return "", cut(err)
	}
	if n < 0 || n > maxHeaderValue {
		return "", fmt.Errorf("it has a value of %d bytes", n)
	}
	b, err := io.ReadAll(io.LimitReader(in, n))
	if err == nil && int64(len(b)) < n {
		err = io.ErrUnexpectedEOF
	}
	return string(b), cut(err)
}

// cut words the end of the file in the middle of the header.
func cut(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("it is cut off: %w", io.ErrUnexpectedEOF)
	}
	return err
}
