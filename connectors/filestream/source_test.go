package filestream

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/config"
	"github.com/penstock-io/penstock/connect/connecttest"
	"github.com/penstock-io/penstock/connect/data"
)

// source is a running source of one file.
type source struct {
	t    *testing.T
	run  *connecttest.SourceRun
	logs *observer.ObservedLogs
	path string
}

func startSource(t *testing.T, path string, offsets *connecttest.Offsets, more ...string) *source {
	t.Helper()
	props := map[string]string{"file": path, "topic": "lines"}
	for i := 0; i < len(more); i += 2 {
		props[more[i]] = more[i+1]
	}
	core, logs := observer.New(zap.WarnLevel)
	return &source{t, connecttest.StartSource(t, NewSource("4.3.1"), props, connecttest.Options{Offsets: offsets, Logger: zap.New(core)}), logs, path}
}

// poll makes one Poll and returns its lines.
func (s *source) poll() []string {
	s.t.Helper()
	records, err := s.run.Tasks[0].Task.Poll(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	return values(s.t, records)
}

func (s *source) want(lines ...string) {
	s.t.Helper()
	if got := s.poll(); !slices.Equal(got, lines) {
		s.t.Fatalf("lines %q, want %q", got, lines)
	}
}

func values(t *testing.T, records []connect.SourceRecord) (lines []string) {
	t.Helper()
	for i := range records {
		v, err := records[i].Value.Value()
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, v.(string))
	}
	return lines
}

func appendTo(t *testing.T, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
}

func position(t *testing.T, r connect.SourceRecord) int64 {
	t.Helper()
	v, _ := r.SourceOffset.Get("position")
	n, ok := v.(int64)
	if !ok {
		t.Fatalf("position %v", v)
	}
	return n
}

func committed(t *testing.T, path string, position any) *connecttest.Offsets {
	t.Helper()
	offsets := &connecttest.Offsets{}
	offset := data.NewMap(1)
	offset.Put("position", position)
	if err := offsets.Set(partitionOf(path), offset); err != nil {
		t.Fatal(err)
	}
	return offsets
}

func TestRecordsAreThoseOfTheJVM(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	appendTo(t, path, "one\ntwo\r\n\rgrün\n")
	before := time.Now().UnixMilli()
	records, err := startSource(t, path, nil).run.Tasks[0].Poll(t.Context(), 4)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []struct {
		text     string
		position int64
	}{{"one", 4}, {"two", 9}, {"", 10}, {"grün", 16}} { // ü is two bytes
		r := records[i]
		v, _ := r.Value.Value()
		if v != want.text || position(t, r) != want.position || r.SourceOffset.Len() != 1 {
			t.Errorf("%v at %s, want %v", v, r.SourceOffset, want)
		}
		if r.SourcePartition.String() != "{filename="+path+"}" || r.Topic != "lines" || r.Partition != connect.AnyPartition ||
			!r.Key.Null() || r.Key.Schema() != nil || r.Value.Schema() != data.StringSchema || r.Timestamp < before || r.Timestamp > time.Now().UnixMilli() {
			t.Errorf("%+v", r)
		}
	}
}

func TestTextIsReadAsItGrows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "f")
		s := startSource(t, path, nil)
		start := time.Now()
		s.want()
		s.want()
		if waited := time.Since(start); waited != 2*time.Second {
			t.Errorf("two looks for a missing file took %s", waited)
		}
		if n := s.logs.FilterMessageSnippet("Couldn't find file").Len(); n != 1 {
			t.Errorf("%d warnings about the missing file", n)
		}
		appendTo(t, path, "first\nunfini")
		s.want("first")
		s.want()
		appendTo(t, path, "shed\nhalf an end\r")
		s.want("unfinished")
		s.want()
		appendTo(t, path, "\nnext\r")
		s.want("half an end")
		appendTo(t, path, "x\n")
		s.want("next", "x")
	})
}

func TestAnIdlePollEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, exists := range []bool{false, true} {
			path := filepath.Join(t.TempDir(), "f")
			if exists {
				appendTo(t, path, "")
			}
			s := startSource(t, path, nil)
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
			start := time.Now()
			records, err := s.run.Tasks[0].Task.Poll(ctx)
			cancel()
			if len(records) > 0 || err != nil && !errors.Is(err, ctx.Err()) || time.Since(start) != 10*time.Millisecond {
				t.Errorf("%d records, %v after %s", len(records), err, time.Since(start))
			}
		}
	})
}

func TestBatchSizeBoundsAPoll(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	appendTo(t, path, "1\n2\n3\n4\n5\n")
	s := startSource(t, path, nil, "batch.size", "2")
	s.want("1", "2")
	s.want("3", "4")
	s.want("5") // also without new text in the file
	s = startSource(t, path, nil, "batch.size", "0")
	s.want("1")
}

func TestPositionsAreThoseOfTheJVMForASCII(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	appendTo(t, path, "one\ntwo\nthree\n")
	startSource(t, path, committed(t, path, int64(4))).want("two", "three")
}

// The JVM's connector counts characters: its position of the second line of this file is
// 5, where 6 bytes were read. Text is repeated, none is left out.
func TestAPositionInCharactersRepeatsText(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	appendTo(t, path, "grün\nnext\n")
	s := startSource(t, path, committed(t, path, int64(5)))
	s.want("", "next")
	if s.logs.FilterMessageSnippet("within a line").Len() != 1 {
		t.Errorf("logs %v", s.logs.All())
	}
}

func TestAPositionOfAnotherTypeIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	appendTo(t, path, "x\n")
	s := startSource(t, path, committed(t, path, "4"))
	_, err := s.run.Tasks[0].Task.Poll(t.Context())
	var own *connect.Error
	if !errors.As(err, &own) || !strings.HasPrefix(own.Msg, "Offset position is the incorrect type") || !strings.Contains(own.Msg, path) {
		t.Errorf("%v", err)
	}
	startSource(t, path, committed(t, path, nil)).want("x")       // as the JVM writes it for stdin
	startSource(t, path, committed(t, path, int64(-3))).want("x") // nothing skips backwards
}

func TestAFileThatBecameShorterIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "f")
		appendTo(t, path, "new\n")
		s := startSource(t, path, committed(t, path, int64(10)))
		s.want()
		s.want()
		if s.logs.FilterMessageSnippet("shorter than the position").Len() != 1 {
			t.Errorf("logs %v", s.logs.All())
		}
		appendTo(t, path, "567890after\n")
		s.want("after")
	})
}

func TestADirectoryIsNoFile(t *testing.T) {
	dir := t.TempDir()
	_, err := startSource(t, dir, nil).run.Tasks[0].Task.Poll(t.Context())
	if err == nil || !strings.Contains(err.Error(), dir) || !errors.Is(err, syscall.EISDIR) {
		t.Errorf("%v", err)
	}
}

func TestAFailedReadIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "f")
		appendTo(t, path, "x\n")
		s := startSource(t, path, nil)
		s.want("x")
		task := s.run.Tasks[0].Task.(*sourceTask)
		task.in.file.Close() // stands for a disk that is gone
		start := time.Now()
		_, err := task.Poll(t.Context())
		var retriable *connect.RetriableError
		if !errors.As(err, &retriable) || !strings.Contains(err.Error(), path) || time.Since(start) != time.Second {
			t.Errorf("%v after %s", err, time.Since(start))
		}
		task.in = nil
	})
}

func TestAPipeIsReadAsItComes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Skip(err)
	}
	s := startSource(t, path, nil)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := s.run.Tasks[0].Task.Poll(ctx); err != nil && ctx.Err() == nil { // nobody writes
		t.Fatal(err)
	}
	w, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	fmt.Fprint(w, "a\nb\n")
	s.want("a", "b")
}

func TestStandardInputHasNoOffsets(t *testing.T) {
	for _, props := range []map[string]string{{"topic": "t"}, {"topic": "t", "file": ""}} {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		task := newSourceTask("4.3.1")
		task.stdin = r
		tc := connecttest.StartSource(t, NewSource("4.3.1"), map[string]string{"topic": "t", "file": "x"}, connecttest.Options{}).Tasks[0].Context
		if err := task.Start(t.Context(), tc, props); err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(w, "one\ntw")
		records, err := task.Poll(t.Context())
		if err != nil || !slices.Equal(values(t, records), []string{"one"}) {
			t.Fatalf("%v, %v", records, err)
		}
		wantPartition := "{filename=null}"
		if _, ok := props["file"]; ok {
			wantPartition = "{filename=}"
		}
		if records[0].SourcePartition.String() != wantPartition || records[0].SourceOffset.String() != "{position=null}" {
			t.Errorf("partition %s, offset %s", records[0].SourcePartition, records[0].SourceOffset)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		start := time.Now()
		if records, err := task.Poll(ctx); len(records) > 0 || err != nil || time.Since(start) > 900*time.Millisecond {
			t.Errorf("%d records, %v after %s", len(records), err, time.Since(start))
		}
		w.Close()
		if err := task.Stop(t.Context()); err != nil {
			t.Error(err)
		}
		if _, err := r.Stat(); err != nil {
			t.Errorf("the standard input was closed: %v", err)
		}
		r.Close()
	}
}

func TestExactlyOnceNeedsAFile(t *testing.T) {
	c := NewSource("4.3.1")
	if !c.SupportsExactlyOnce(map[string]string{"file": "x"}) || c.SupportsExactlyOnce(nil) || c.SupportsExactlyOnce(map[string]string{"file": ""}) {
		t.Error("exactly-once support is that of a file")
	}
}

func mapOf(kv ...any) *data.Map {
	m := data.NewMap(len(kv) / 2)
	for i := 0; i < len(kv); i += 2 {
		m.Put(kv[i], kv[i+1])
	}
	return m
}

func TestOffsetsSetByHandAreChecked(t *testing.T) {
	file := map[string]string{"topic": "t", "file": "f"}
	good := mapOf("filename", "f")
	for _, test := range []struct {
		props             map[string]string
		partition, offset *data.Map
		want              string
	}{
		{file, good, mapOf("position", int64(0)), ""},
		{file, mapOf("x", "y"), nil, ""},
		{file, nil, nil, ""},
		{map[string]string{"topic": "t"}, good, nil, "Offsets cannot be modified if the 'file' configuration is unspecified. " +
			"This is because stdin is used for input and offsets are not tracked."},
		{file, good, mapOf("pos", int64(1)), "Offset objects should either be null or contain the key 'position'"},
		{file, good, mapOf("position", "1"), "The value for the 'position' key in the offset is expected to be a Long value"},
		{file, good, mapOf("position", nil), "The value for the 'position' key in the offset is expected to be a Long value"},
		{file, good, mapOf("position", int64(-1)), "The value for the 'position' key in the offset should be a non-negative value"},
		{file, nil, mapOf("position", int64(1)), "Partition objects cannot be null"},
		{file, mapOf("file", "f"), mapOf("position", int64(1)), "Partition objects should contain the key 'filename'"},
	} {
		err := NewSource("4.3.1").AlterOffsets(test.props, []connect.SourceOffset{{Partition: test.partition, Offset: test.offset}})
		if got := fmt.Sprint(err); test.want == "" && err != nil || test.want != "" && got != test.want {
			t.Errorf("%v, want %q", err, test.want)
		}
	}
	var bad *config.Error
	if err := NewSource("4.3.1").AlterOffsets(map[string]string{"file": "f"}, nil); !errors.As(err, &bad) || bad.Key != "topic" {
		t.Errorf("%v", err)
	}
}

func BenchmarkSource(b *testing.B) {
	path := filepath.Join(b.TempDir(), "f")
	line := strings.Repeat("x", 99) + "\n"
	if err := os.WriteFile(path, []byte(strings.Repeat(line, 100_000)), 0o600); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.SetBytes(int64(len(line)))
	var task connect.SourceTask
	left := 0
	for n := 0; n < b.N; {
		if left == 0 {
			task = connecttest.StartSource(b, NewSource("4.3.1"), map[string]string{"file": path, "topic": "t"}, connecttest.Options{}).Tasks[0].Task
			left = 100_000
		}
		records, err := task.Poll(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		n, left = n+len(records), left-len(records)
	}
}
