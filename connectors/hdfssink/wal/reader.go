package wal

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// FormatError tells that a file is not a log that we can read: another magic, or a
// version from the future. Unlike damage it is not passed over, because the file is
// somebody's and may promise files that were never renamed.
type FormatError struct{ Msg string }

func (e *FormatError) Error() string { return e.Msg }

// Contents is what a log says.
type Contents struct {
	// Last is the last complete block with entries; nil when there is none.
	Last []Entry
	// Previous is the complete block with entries before Last.
	Previous []Entry
	// Older has entries of still earlier blocks (and of Previous) that the keep
	// function of Read wanted and whose temp name did not come up again.
	Older []Entry
	// Settled: something was appended after Last, so its files had their final names by
	// then; they may have been moved away since.
	Settled bool
	// Rotated: this is log.1, whose blocks were replayed before the log was moved there.
	Rotated bool
	// Damage is why reading ended before the end of the file, nil when it did not. A
	// writer that died leaves a short block at the end.
	Damage error
}

// Read reads a log. A short or damaged tail ends it: what stands before is valid, since
// blocks are appended in order. keep selects the entries for Older, nil none; a writer
// that renames all files of a block before the next block needs none. The error is a
// *FormatError or that of r.
func Read(r io.Reader, keep func(Entry) bool) (Contents, error) {
	p := parser{r: bufio.NewReader(r), keep: keep, older: map[string]int{}}
	err := p.run()
	var bad *damage
	if errors.As(err, &bad) {
		p.c.Damage, err = bad, nil
	}
	if len(p.older) < len(p.c.Older) {
		kept := p.c.Older[:0]
		for i, e := range p.c.Older {
			if at, ok := p.older[e.Temp]; ok && at == i {
				kept = append(kept, e)
			}
		}
		p.c.Older = kept
	}
	return p.c, err
}

// damage ends a log.
type damage struct {
	at  int64
	msg string
}

func (d *damage) Error() string { return fmt.Sprintf("%s at byte %d", d.msg, d.at) }

type parser struct {
	r      *bufio.Reader
	pos    int64
	marker Marker
	buf    []byte
	keep   func(Entry) bool
	c      Contents
	older  map[string]int // temp name: index in c.Older of its latest use
}

func (p *parser) run() error {
	if err := p.header(); err != nil {
		return err
	}
	var pending []Entry
	for {
		key, value, err := p.record()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case key == beginKey && value == "":
			pending, p.c.Settled = nil, p.c.Last != nil
		case key == endKey && value == "":
			p.block(pending) // Java applies it also without a BEGIN
			pending = nil
		default:
			pending = append(pending, Entry{Temp: key, Final: value})
		}
	}
}

func (p *parser) block(entries []Entry) {
	if len(entries) == 0 {
		return
	}
	for _, e := range p.c.Last {
		if p.keep != nil && p.keep(e) {
			p.older[e.Temp] = len(p.c.Older)
			p.c.Older = append(p.c.Older, e)
		}
	}
	if len(p.older) > 0 {
		for _, e := range entries {
			delete(p.older, e.Temp)
		}
	}
	// Entries that came up again go when they are the larger part, so that the memory
	// needed does not grow with the log.
	if len(p.c.Older) > 2*len(p.older)+64 {
		kept := p.c.Older[:0]
		for i, e := range p.c.Older {
			if at, ok := p.older[e.Temp]; ok && at == i {
				p.older[e.Temp] = len(kept)
				kept = append(kept, e)
			}
		}
		p.c.Older = kept
	}
	p.c.Previous, p.c.Last, p.c.Settled = p.c.Last, entries, false
}

func (p *parser) header() error {
	var h [headerSize]byte
	n, err := io.ReadFull(p.r, h[:])
	if n > 0 && !bytes.HasPrefix([]byte("WAL"), h[:min(n, 3)]) {
		return &FormatError{Msg: "not a WALFile: it starts with other bytes than WAL"}
	}
	if n > 3 && h[3] != 0 {
		return &FormatError{Msg: fmt.Sprintf("WAL version %d, this program reads version 0", h[3])}
	}
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return &damage{0, "short header"}
	case err != nil:
		return err
	}
	copy(p.marker[:], h[4:])
	p.pos = headerSize
	return nil
}

// record returns the next record behind any number of sync marks, io.EOF at the end.
func (p *parser) record() (key, value string, err error) {
	for {
		start := p.pos
		var word [4]byte
		if n, err := io.ReadFull(p.r, word[:]); err != nil {
			if n == 0 && errors.Is(err, io.EOF) {
				return "", "", io.EOF
			}
			return "", "", p.short(start, err)
		}
		p.pos += 4
		total := binary.BigEndian.Uint32(word[:])
		if total != syncEscape {
			return p.body(start, total)
		}
		var m Marker
		if _, err := io.ReadFull(p.r, m[:]); err != nil {
			return "", "", p.short(start, err)
		}
		if m != p.marker {
			return "", "", &damage{start, "wrong sync mark"}
		}
		p.pos += int64(len(m))
	}
}

func (p *parser) body(start int64, total uint32) (key, value string, err error) {
	if total < 2 || total > maxRecord {
		return "", "", &damage{start, fmt.Sprintf("record length %d", int32(total))}
	}
	if cap(p.buf) < int(total)+4 {
		p.buf = make([]byte, total+4)
	}
	b := p.buf[:total+4]
	if _, err := io.ReadFull(p.r, b); err != nil {
		return "", "", p.short(start, err)
	}
	keyLen := binary.BigEndian.Uint32(b)
	b = b[4:]
	if keyLen > total {
		return "", "", &damage{start, fmt.Sprintf("key length %d in a record of %d", int32(keyLen), total)}
	}
	key, ok := readText(b[:keyLen])
	value, ok2 := readText(b[keyLen:])
	if !ok || !ok2 {
		return "", "", &damage{start, "garbled record"}
	}
	p.pos = start + 8 + int64(total)
	return key, value, nil
}

func (p *parser) short(start int64, err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return &damage{start, "short record"}
	}
	return err
}
