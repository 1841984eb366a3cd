package writer_test

import (
	"context"
	"io"
	"sync/atomic"

	"github.com/penstock-io/penstock/connectors/hdfssink/filesystem"
)

// paused calls do once, before its call number at: what happens while the process sleeps.
type paused struct {
	filesystem.FS
	at    int64
	calls atomic.Int64
	do    func()
}

func (p *paused) tick() {
	if p.calls.Add(1)-1 == p.at {
		p.do()
	}
}

func (p *paused) Create(ctx context.Context, name string) (filesystem.File, error) {
	p.tick()
	f, err := p.FS.Create(ctx, name)
	if err != nil {
		return nil, err
	}
	return &pausedFile{f, p}, nil
}

func (p *paused) Append(ctx context.Context, name string) (filesystem.File, error) {
	p.tick()
	f, err := p.FS.Append(ctx, name)
	if err != nil {
		return nil, err
	}
	return &pausedFile{f, p}, nil
}

func (p *paused) Open(ctx context.Context, name string) (io.ReadCloser, error) {
	p.tick()
	return p.FS.Open(ctx, name)
}

func (p *paused) Rename(ctx context.Context, from, to string) error {
	p.tick()
	return p.FS.Rename(ctx, from, to)
}

func (p *paused) Remove(ctx context.Context, name string) error {
	p.tick()
	return p.FS.Remove(ctx, name)
}

func (p *paused) MkdirAll(ctx context.Context, dir string) error {
	p.tick()
	return p.FS.MkdirAll(ctx, dir)
}

func (p *paused) Stat(ctx context.Context, name string) (filesystem.Info, error) {
	p.tick()
	return p.FS.Stat(ctx, name)
}

func (p *paused) List(ctx context.Context, dir string) ([]filesystem.Info, error) {
	p.tick()
	return p.FS.List(ctx, dir)
}

func (p *paused) RecoverLease(ctx context.Context, name string) error {
	p.tick()
	return p.FS.RecoverLease(ctx, name)
}

type pausedFile struct {
	filesystem.File
	p *paused
}

func (f *pausedFile) Write(b []byte) (int, error) {
	f.p.tick()
	return f.File.Write(b)
}

func (f *pausedFile) Close() error {
	f.p.tick()
	return f.File.Close()
}
