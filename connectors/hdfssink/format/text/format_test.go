package text_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/data"
	"github.com/penstock-io/penstock/connectors/hdfssink/format"
	"github.com/penstock-io/penstock/connectors/hdfssink/format/formattest"
	"github.com/penstock-io/penstock/connectors/hdfssink/format/text"
)

func lines(t testing.TB, file []byte) []string {
	t.Helper()
	if len(file) > 0 && file[len(file)-1] != '\n' {
		t.Error("the last line is not ended")
	}
	list := strings.Split(string(file), "\n")
	return list[:len(list)-1]
}

func TestSuite(t *testing.T) {
	s := formattest.Suite{
		New:       func(testing.TB) format.Format { return text.New(text.Options{}) },
		Extension: ".txt",
		Schema:    data.OptionalString,
		Values:    []any{"one", "", "zwei €", "half \xed\xa0\xbd", "d😀"},
		Want:      []string{"one", "", "zwei €", "half ?", "d😀"},
		Bad:       []any{int32(5), nil, []byte("x")},
		Big:       func(n int) any { return strings.Repeat("x", n) },
		Read:      lines,
	}
	s.Run(t)
}

func TestFilesAreThoseOfTheJVM(t *testing.T) {
	compared := 0
	for _, c := range formattest.Cases(t) {
		for _, name := range c.Files("string") {
			t.Run(name, func(t *testing.T) {
				want, err := os.ReadFile(filepath.Join("testdata/java", name))
				if err != nil {
					t.Fatal(err)
				}
				var file bytes.Buffer
				w, err := text.New(text.Options{}).NewWriter(&file, c.Schema)
				if err != nil {
					t.Fatal(err)
				}
				for i, v := range c.Values {
					var d data.Datum
					d.SetValue(c.Schema, v)
					if i%2 == 1 { // the other half as it comes from the StringConverter
						d.SetRaw(c.Schema, []byte(v.(string)), data.UTF8, nil, nil)
					}
					if err := w.Write(&connect.SinkRecord{}, &d); err != nil {
						t.Fatal(err)
					}
				}
				if err := w.Close(); err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(file.Bytes(), want) {
					t.Errorf("file is\n%s\nnot\n%s", file.Bytes(), want)
				}
			})
			compared++
		}
	}
	if compared < 4 {
		t.Errorf("only %d files were compared", compared)
	}
}

func TestLineSeparator(t *testing.T) {
	var file bytes.Buffer
	w, err := text.New(text.Options{LineSeparator: "\r\n"}).NewWriter(&file, nil)
	if err != nil {
		t.Fatal(err)
	}
	var d data.Datum
	d.SetValue(nil, "a")
	if err := w.Write(&connect.SinkRecord{}, &d); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil || file.String() != "a\r\n" {
		t.Errorf("file is %q, error %v", file.String(), err)
	}
}

type discard struct{}

func (discard) Write(b []byte) (int, error) { return len(b), nil }

func BenchmarkRaw(b *testing.B) {
	w, err := text.New(text.Options{}).NewWriter(discard{}, nil)
	if err != nil {
		b.Fatal(err)
	}
	raw := []byte(strings.Repeat("x", 200))
	var rec connect.SinkRecord
	rec.Value.SetRaw(data.OptionalString, raw, data.UTF8, nil, nil)
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		if err := w.Write(&rec, &rec.Value); err != nil {
			b.Fatal(err)
		}
	}
}
