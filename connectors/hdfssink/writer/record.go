package writer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"unicode/utf8"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/data"
	"github.com/penstock-io/penstock/connectors/hdfssink/filesystem"
)

// put writes one record. When the partition is not writing afterwards the store failed
// and the record is read again.
func (p *Partition) put(ctx context.Context, rec *connect.SinkRecord, now int64) error {
	if rec.Offset < p.expect {
		return p.repeated(rec)
	}
	if rec.Topic != p.tp.Topic {
		return p.renamed(rec)
	}
	if p.next < 0 || p.resync {
		p.next, p.resync = rec.Offset, false
	}
	if schema := rec.Value.Schema(); !p.seenValid || schema != p.seen {
		if ok, err := p.changeSchema(ctx, rec, now); !ok {
			return err
		}
	}
	if err := p.timers.record(p.cfg, rec, now); err != nil {
		return p.skip(rec, err)
	}
	if p.due(now) {
		if p.commit(ctx, now); p.state != writing {
			return nil
		}
	}
	encoded, err := p.cfg.Partitioner.Encode(rec, now)
	if err != nil {
		return p.skip(rec, err)
	}
	f := p.last
	if f == nil || f.encoded != encoded {
		var bad bool
		if f, bad, err = p.file(ctx, encoded, now); bad {
			return p.skip(rec, err)
		}
		if err != nil {
			p.fail(err, now)
		}
		if p.state != writing {
			return nil
		}
		p.last = f
	}
	value := &rec.Value
	if p.seenChange == project {
		if err := p.projectValue(rec); err != nil {
			return p.skip(rec, err)
		}
		value = &p.projected
	}
	if err := f.writer.Write(rec, value); err != nil {
		if isDataError(err) {
			return p.skip(rec, err)
		}
		p.fail(err, now)
		return nil
	}
	if f.records == 0 {
		f.start = rec.Offset
	}
	f.end = rec.Offset
	f.records++
	if p.count == 0 {
		p.timers.firstAt = now
	}
	p.count++
	p.expect = rec.Offset + 1
	return nil
}

// file returns the open file of an encoded partition. Too many open files are all
// committed first: memory stays bounded.
func (p *Partition) file(ctx context.Context, encoded string, now int64) (f *tempFile, bad bool, err error) {
	if f := p.files[encoded]; f != nil {
		return f, false, nil
	}
	if len(p.files) >= p.cfg.maxOpenFiles() {
		if p.commit(ctx, now); p.state != writing {
			return nil, false, nil
		}
	}
	return p.openFile(ctx, encoded)
}

// due reports whether the open files are to be committed before the next record.
func (p *Partition) due(now int64) bool {
	if p.count >= p.cfg.FlushSize || p.timers.due(p.cfg, now) {
		return true
	}
	return p.cfg.FlushInterval > 0 && p.count > 0 && now-p.timers.firstAt >= p.cfg.FlushInterval
}

// repeated handles a record from before the last one.
func (p *Partition) repeated(rec *connect.SinkRecord) error {
	if p.resync || rec.Offset >= p.next {
		return nil
	}
	return &connect.Error{Msg: fmt.Sprintf("Topic partition %s delivers offset %d, but records up to offset %d are committed already. "+
		"The topic was deleted and created again, or lost its records. To write it from the start, move the directory %s and the log %s away "+
		"(or set other topics.dir and logs.dir) and restart the task.",
		p.tp, rec.Offset, p.next-1, p.dirs.committedRoot(p.tp.Topic), p.logPath)}
}

// renamed: names and log are those of the topic that was read, so a record of another
// topic has no place (the JVM fails with a NullPointerException).
func (p *Partition) renamed(rec *connect.SinkRecord) error {
	return &connect.Error{Msg: fmt.Sprintf("Record of topic partition %s at offset %d came with topic %q. "+
		"Remove the transformation that changes the topic, such as RegexRouter, and use topics.dir to choose the directory.",
		p.tp, rec.Offset, rec.Topic)}
}

// changeSchema handles a record whose schema is not that of the record before. ok is
// false when the record is done with: skipped, or the store failed.
func (p *Partition) changeSchema(ctx context.Context, rec *connect.SinkRecord, now int64) (ok bool, err error) {
	if !p.schemaKnown {
		if p.schema, err = p.readSchema(ctx); err != nil {
			p.fail(err, now)
			return false, nil
		}
		p.schemaKnown, p.lastSchema = true, p.schema
	}
	schema, c := rec.Value.Schema(), same
	if p.count == 0 && p.schema == nil {
		p.dropEmpty(ctx) // begun for a bad record without a schema
		p.schema = schema
	} else if c, err = p.cfg.Compatibility.compare(schema, p.schema); err != nil {
		return false, p.skip(rec, err)
	}
	if c == rotate {
		if p.count > 0 {
			if err := p.timers.record(p.cfg, rec, now); err != nil {
				return false, p.skip(rec, err)
			}
			if p.commit(ctx, now); p.state != writing {
				return false, nil
			}
		}
		p.dropEmpty(ctx)
		p.schema, c = schema, same
	}
	p.seen, p.seenChange, p.seenValid = schema, c, true
	return true, nil
}

// readSchema returns the schema of the newest committed file, with which a connector
// with schema.compatibility goes on.
func (p *Partition) readSchema(ctx context.Context) (schema *data.Schema, err error) {
	if !p.needsVersion || p.newestFile == "" {
		return nil, nil
	}
	err = p.call(ctx, func(ctx context.Context) error {
		var r io.ReadCloser
		r, err := p.cfg.FS.Open(ctx, p.newestFile)
		if err != nil {
			return err
		}
		defer r.Close()
		if schema, err = p.cfg.Format.ReadSchema(r); err != nil {
			return fmt.Errorf("read the schema of %s: %w", p.newestFile, err)
		}
		return nil
	})
	if errors.Is(err, filesystem.ErrNotExist) {
		return nil, nil
	}
	return schema, err
}

func (p *Partition) projectValue(rec *connect.SinkRecord) error {
	v, err := rec.Value.Value()
	if err != nil {
		return err
	}
	if v, err = data.Project(rec.Value.Schema(), v, p.schema); err != nil {
		return err
	}
	p.projected.SetValue(p.schema, v)
	return nil
}

// skip reports a record that cannot be written. The error, if any, fails the task.
func (p *Partition) skip(rec *connect.SinkRecord, cause error) error {
	if err := p.cfg.Context.ReportErrant(rec, recordError(rec, cause)); err != nil {
		return err
	}
	p.expect = rec.Offset + 1
	if p.count == 0 {
		p.next = p.expect // nothing before it waits for a commit
	}
	return nil
}

// recordError says which record it was and what can be done.
func recordError(rec *connect.SinkRecord, cause error) error {
	return &connect.DataError{Err: cause, Msg: fmt.Sprintf("%s (topic %s, partition %d, offset %d, key %s). "+
		"Correct the producer, or set errors.tolerance=all to skip such records.",
		cause, rec.Topic, rec.Partition, rec.Offset, keyText(rec))}
}

// keyText shows a key that is a text or a number, and tells the size of others.
func keyText(rec *connect.SinkRecord) string {
	const shown = 100
	if rec.Key.Null() {
		return "null"
	}
	enc, raw := rec.Key.Raw()
	text := string(raw)
	if enc == data.Decoded {
		v, err := rec.Key.Value()
		if err != nil {
			return "not readable"
		}
		switch v := v.(type) {
		case string:
			text = v
		case bool, int8, int16, int32, int64, float32, float64:
			return fmt.Sprint(v)
		default:
			return fmt.Sprintf("of type %T", v)
		}
	}
	if enc != data.Decoded && enc != data.UTF8 && enc != data.JSON || !utf8.ValidString(text) {
		return fmt.Sprintf("of %d bytes", len(raw))
	}
	if len(text) > shown {
		return strconv.Quote(text[:shown]) + "..."
	}
	return strconv.Quote(text)
}
