package writer

import (
	"context"
	"errors"
	"fmt"
	"path"

	"go.uber.org/zap"

	"github.com/penstock-io/penstock/connectors/hdfssink/filesystem"
	"github.com/penstock-io/penstock/connectors/hdfssink/wal"
)

// commit goes once round the states from writing to writing, or to recovering or
// fenced when a step fails. Without records it only begins the intervals anew.
func (p *Partition) commit(ctx context.Context, now int64) {
	p.timers.reset(p.cfg, now)
	if p.count == 0 {
		p.dropEmpty(ctx)
		return
	}
	p.state = rotating
	for p.state != writing {
		var err error
		switch p.state {
		case rotating:
			err = p.closeTempFiles(ctx)
		case tempClosed:
			err = p.appendLog(ctx)
		case walAppended:
			err = p.renameFiles(ctx)
		case committed:
			p.finishCommit()
		default:
			return
		}
		if err != nil {
			p.fail(err, now)
			return
		}
	}
}

// closeTempFiles is the step out of rotating.
func (p *Partition) closeTempFiles(ctx context.Context) error {
	p.dropEmpty(ctx)
	p.log.Debug(fmt.Sprintf("Starting commit and rotation for topic partition %s", p.tp),
		zap.Int("files", len(p.order)), zap.Int("records", p.count))
	for _, f := range p.order {
		if err := f.close(); err != nil {
			return fmt.Errorf("close temp file %s: %w", f.path, err)
		}
	}
	p.state = tempClosed
	return nil
}

// appendLog is the step out of tempClosed.
func (p *Partition) appendLog(ctx context.Context) error {
	p.pending = make([]wal.Entry, len(p.order))
	for i, f := range p.order {
		name := CommittedName{Topic: p.tp.Topic, Partition: p.tp.Partition, Start: f.start, End: f.end, Extension: p.extension}
		p.pending[i] = wal.Entry{Temp: f.url, Final: p.dirs.committed(p.tp.Topic, f.encoded) + "/" + name.Format(p.cfg.PadWidth)}
	}
	if err := p.wal.Commit(ctx, p.pending); err != nil {
		return err
	}
	p.state = walAppended
	return nil
}

// renameFiles is the step out of walAppended.
func (p *Partition) renameFiles(ctx context.Context) error {
	for i, f := range p.order {
		if err := p.renameFile(ctx, f.path, pathOf(p.pending[i].Final)); err != nil {
			return err
		}
	}
	p.state = committed
	return nil
}

// maxMadeDirs bounds the memory of directories that exist.
const maxMadeDirs = 10_000

// renameFile gives a file its final name. A file that has it already is kept: it has
// the same offsets, hence the same records.
func (p *Partition) renameFile(ctx context.Context, temp, final string) error {
	dir := path.Dir(final)
	for second := false; ; second = true {
		if _, ok := p.made[dir]; !ok {
			if err := p.call(ctx, func(ctx context.Context) error { return p.cfg.FS.MkdirAll(ctx, dir) }); err != nil {
				return err
			}
			if len(p.made) >= maxMadeDirs {
				clear(p.made)
			}
			p.made[dir] = struct{}{}
		}
		err := p.call(ctx, func(ctx context.Context) error { return p.cfg.FS.Rename(ctx, temp, final) })
		switch {
		case errors.Is(err, filesystem.ErrNotExist) && !second:
			delete(p.made, dir) // removed since, or the temp file is gone
			continue
		case errors.Is(err, filesystem.ErrExist):
			p.log.Warn("a committed file of this name exists already and is kept", zap.String("path", final))
			p.garbage = append(p.garbage, temp)
			return nil
		case err != nil:
			return err
		}
		return nil
	}
}

// finishCommit is the step out of committed.
func (p *Partition) finishCommit() {
	for i, f := range p.order {
		p.log.Info(fmt.Sprintf("Committed %s for %s", p.pending[i].Final, p.tp), zap.Int("records", f.records))
	}
	p.newestFile = ""
	p.lastSchema, p.schemaKnown = p.schema, true
	p.next = p.expect
	p.forgetFiles()
	p.fences = 0
	p.state = writing
}
