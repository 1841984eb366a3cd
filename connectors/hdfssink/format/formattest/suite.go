package formattest

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"testing"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/data"
	"github.com/penstock-io/penstock/connectors/hdfssink/format"
)

// Suite is a format and what it is tested with.
type Suite struct {
	// New returns the format as a new task gets it.
	New func(t testing.TB) format.Format
	// Extension is what file names end with.
	Extension string
	// Schema is that of all values, nil when they have none.
	Schema *data.Schema
	// Values can be written; Bad are *connect.DataError.
	Values, Bad []any
	// Big returns a value that takes about n bytes.
	Big func(n int) any
	// Read returns the records of a complete file, each as a text, or fails the test.
	Read func(t testing.TB, file []byte) []string
	// Want are those texts for Values.
	Want []string
	// KeepsSchema tells that ReadSchema returns Schema, not nil.
	KeepsSchema bool
}

// Run runs the suite.
func (s *Suite) Run(t *testing.T) {
	t.Run("files hold what was written", s.roundTrip)
	t.Run("files of one task may be open together", s.interleaved)
	t.Run("a bad record leaves the file intact", s.badRecord)
	t.Run("an error of the store is not the record's", s.storeError)
	t.Run("memory is bounded and writes are big", s.bounded)
	t.Run("close writes the rest, once", s.closed)
	t.Run("the schema can be read back", s.schema)
}

// sink is a file that can fail.
type sink struct {
	bytes.Buffer
	writes int
	room   int // bytes until it fails; negative: never
}

var errStore = errors.New("the store is gone")

func (s *sink) Write(b []byte) (int, error) {
	s.writes++
	if s.room >= 0 {
		if len(b) > s.room {
			n, _ := s.Buffer.Write(b[:s.room])
			s.room = 0
			return n, errStore
		}
		s.room -= len(b)
	}
	return s.Buffer.Write(b)
}

func endless() *sink { return &sink{room: -1} }

func (s *Suite) open(t *testing.T, f format.Format, w io.Writer) format.RecordWriter {
	t.Helper()
	out, err := f.NewWriter(w, s.Schema)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func (s *Suite) write(w format.RecordWriter, v any) error {
	var d data.Datum
	d.SetValue(s.Schema, v)
	return w.Write(&connect.SinkRecord{Record: connect.Record{Topic: "t"}}, &d)
}

func (s *Suite) mustWrite(t *testing.T, w format.RecordWriter, values ...any) {
	t.Helper()
	for _, v := range values {
		if err := s.write(w, v); err != nil {
			t.Fatalf("write %v: %v", v, err)
		}
	}
}

func (s *Suite) closeAndCheck(t *testing.T, w format.RecordWriter, file *sink, want []string) {
	t.Helper()
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if got := s.Read(t, file.Bytes()); !slices.Equal(got, want) {
		t.Errorf("the file holds\n%q\nnot\n%q", got, want)
	}
}

func (s *Suite) roundTrip(t *testing.T) {
	f := s.New(t)
	if f.Extension() != s.Extension {
		t.Errorf("extension is %s, not %s", f.Extension(), s.Extension)
	}
	for range 3 { // buffers are used again
		file := endless()
		w := s.open(t, f, file)
		s.mustWrite(t, w, s.Values...)
		s.closeAndCheck(t, w, file, s.Want)
	}
}

func (s *Suite) interleaved(t *testing.T) {
	f := s.New(t)
	files := []*sink{endless(), endless(), endless()}
	writers := make([]format.RecordWriter, len(files))
	for i := range files {
		writers[i] = s.open(t, f, files[i])
	}
	for _, v := range s.Values {
		for _, w := range writers {
			s.mustWrite(t, w, v)
		}
	}
	for i, w := range writers {
		s.closeAndCheck(t, w, files[i], s.Want)
	}
}

func (s *Suite) badRecord(t *testing.T) {
	f := s.New(t)
	file := endless()
	w := s.open(t, f, file)
	for i, v := range s.Values {
		bad := s.Bad[i%len(s.Bad)]
		held, written := w.Buffered(), file.Len()
		err := s.write(w, bad)
		var e *connect.DataError
		if !errors.As(err, &e) {
			t.Fatalf("write of %v: error is %v, not a DataError", bad, err)
		}
		if w.Buffered() != held || file.Len() != written {
			t.Errorf("something of %v is in the file", bad)
		}
		s.mustWrite(t, w, v)
	}
	for _, bad := range s.Bad {
		if err := s.write(w, bad); err == nil {
			t.Errorf("%v was written", bad)
		}
	}
	s.closeAndCheck(t, w, file, s.Want)
}

// fill writes until the file fails, and returns the error.
func (s *Suite) fill(w format.RecordWriter) error {
	for range 8 {
		for _, v := range []any{s.Values[0], s.Big(50_000)} {
			if err := s.write(w, v); err != nil {
				return err
			}
		}
	}
	return w.Close()
}

func (s *Suite) storeError(t *testing.T) {
	f := s.New(t)
	whole := endless()
	if err := s.fill(s.open(t, f, whole)); err != nil {
		t.Fatal(err)
	}
	for room := 0; room < whole.Len(); room += 1 + whole.Len()/40 {
		w, err := f.NewWriter(&sink{room: room}, s.Schema)
		if err == nil {
			err = s.fill(w)
		}
		s.checkStoreError(t, room, err)
		if w == nil {
			continue
		}
		s.checkStoreError(t, room, s.write(w, s.Values[0]))
		s.checkStoreError(t, room, w.Close())
	}
	file := endless() // the next file does not suffer
	w := s.open(t, f, file)
	s.mustWrite(t, w, s.Values...)
	s.closeAndCheck(t, w, file, s.Want)
}

func (s *Suite) checkStoreError(t *testing.T, room int, err error) {
	t.Helper()
	var e *connect.DataError
	if !errors.Is(err, errStore) || errors.As(err, &e) {
		t.Fatalf("with room for %d bytes the error is %v", room, err)
	}
}

func (s *Suite) bounded(t *testing.T) {
	const size, records, most = 1000, 2000, 80_000
	f := s.New(t)
	file := endless()
	w := s.open(t, f, file)
	for range records {
		s.mustWrite(t, w, s.Big(size))
		if n := w.Buffered(); n > most {
			t.Fatalf("%d bytes are held", n)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if most := 2 + records*size*2/64000; file.writes > most {
		t.Errorf("%d writes for %d bytes", file.writes, file.Len())
	}
	if n := len(s.Read(t, file.Bytes())); n != records {
		t.Errorf("the file has %d records, not %d", n, records)
	}
}

func (s *Suite) closed(t *testing.T) {
	f := s.New(t)
	file := endless()
	w := s.open(t, f, file)
	s.mustWrite(t, w, s.Values[0])
	if w.Buffered() == 0 {
		t.Error("nothing is held after a record")
	}
	s.closeAndCheck(t, w, file, s.Want[:1])
	n := file.Len()
	if err := w.Close(); err != nil || file.Len() != n || w.Buffered() != 0 {
		t.Errorf("a second Close returns %v, writes %d bytes and leaves %d", err, file.Len()-n, w.Buffered())
	}
	if err := s.write(w, s.Values[0]); err == nil {
		t.Error("a closed file takes records")
	}
}

func (s *Suite) schema(t *testing.T) {
	f := s.New(t)
	file := endless()
	w := s.open(t, f, file)
	s.mustWrite(t, w, s.Values...)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	got, err := f.ReadSchema(bytes.NewReader(file.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	var want *data.Schema
	if s.KeepsSchema {
		want = s.Schema
	}
	if !got.Equal(want) {
		t.Errorf("schema is %v, not %v", got, want)
	}
}
