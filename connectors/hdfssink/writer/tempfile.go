package writer

import (
	"context"
	"errors"
	"fmt"
	"path"

	"go.uber.org/zap"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connectors/hdfssink/filesystem"
	"github.com/penstock-io/penstock/connectors/hdfssink/format"
)

// tempFile is the open file of one encoded partition.
type tempFile struct {
	encoded    string
	url, path  string
	out        output
	writer     format.RecordWriter
	start, end int64 // offsets of the first and the last record
	records    int
}

// output makes the file at its first byte: a record that no file can be begun with
// leaves none behind.
type output struct {
	create func() (filesystem.File, error)
	file   filesystem.File
}

// Write implements io.Writer.
func (o *output) Write(b []byte) (int, error) {
	if err := o.open(); err != nil {
		return 0, err
	}
	return o.file.Write(b)
}

func (o *output) open() (err error) {
	if o.file == nil {
		o.file, err = o.create()
	}
	return err
}

// close ends the file, which is durable then.
func (f *tempFile) close() error {
	if err := f.writer.Close(); err != nil {
		return err
	}
	file := f.out.file
	f.out.file = nil
	return file.Close()
}

// release gives up a file that is dropped.
func (f *tempFile) release() {
	if f.out.file != nil {
		f.out.file.Close() //nolint:errcheck // it will be deleted
		f.out.file = nil
	}
}

// openFile begins a file for an encoded partition. The error is the record's when bad
// is set, else the store's.
func (p *Partition) openFile(ctx context.Context, encoded string) (f *tempFile, bad bool, err error) {
	f = &tempFile{encoded: encoded}
	f.url = p.dirs.temp(p.tp.Topic, encoded) + "/" + tempName(p.tp.Partition, p.owner, p.extension)
	f.path = pathOf(f.url)
	if len(f.path) > maxPath {
		return nil, true, &connect.DataError{Msg: fmt.Sprintf("Error encoding partition. Its directory has %d bytes, more than the %d possible", len(f.path), maxPath)}
	}
	created := false
	f.out.create = func() (file filesystem.File, err error) {
		created = true
		err = p.call(ctx, func(ctx context.Context) (err error) {
			file, err = p.cfg.FS.Create(ctx, f.path)
			return err
		})
		return file, err
	}
	f.writer, err = p.cfg.Format.NewWriter(&f.out, p.schema)
	bad = isDataError(err)
	if err == nil {
		err = f.out.open()
	}
	if err != nil {
		if created {
			p.garbage = append(p.garbage, f.path)
			p.abandoned = append(p.abandoned, f)
		}
		return nil, bad, err
	}
	p.log.Info("Opening record writer for: "+f.url, zap.String("path", f.path))
	p.files[encoded] = f
	p.order = append(p.order, f)
	return f, false, nil
}

// maxPath leaves room for the committed file's name in the 8000 bytes that HDFS takes.
// The rest of a directory's rules is the partitioner's to check.
const maxPath = 7000

func isDataError(err error) bool {
	var e *connect.DataError
	return errors.As(err, &e)
}

// dropEmpty deletes open files without a record: they were begun for records that
// turned out to be bad.
func (p *Partition) dropEmpty(ctx context.Context) {
	kept := p.order[:0]
	var empty []string
	for _, f := range p.order {
		if f.records > 0 {
			kept = append(kept, f)
			continue
		}
		f.release()
		delete(p.files, f.encoded)
		empty = append(empty, f.path)
		if p.last == f {
			p.last = nil
		}
	}
	clear(p.order[len(kept):])
	p.order = kept
	p.garbage = append(p.garbage, p.removeAll(ctx, empty)...)
}

// call bounds one call of the store.
func (p *Partition) call(ctx context.Context, f func(context.Context) error) error {
	d := p.cfg.callTimeout()
	ctx, cancel := context.WithTimeoutCause(ctx, d, fmt.Errorf("not done within %s", d))
	defer cancel()
	return f(ctx)
}

// removeAll deletes files and returns those that it could not; after one failure it
// does not try the others, since the store is likely to be down.
func (p *Partition) removeAll(ctx context.Context, paths []string) (left []string) {
	for i, name := range paths {
		if err := p.call(ctx, func(ctx context.Context) error { return p.cfg.FS.Remove(ctx, name) }); err != nil {
			p.log.Warn("temp files could not be deleted yet", zap.String("path", path.Dir(name)), zap.Int("files", len(paths)-i), zap.Error(err))
			return paths[i:]
		}
	}
	return nil
}
