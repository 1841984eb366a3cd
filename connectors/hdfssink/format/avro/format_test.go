package avro_test

import (
	"bytes"
	"compress/bzip2"
	"compress/flate"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/linkedin/goavro/v2"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/data"
	"github.com/penstock-io/penstock/connectors/hdfssink/format"
	"github.com/penstock-io/penstock/connectors/hdfssink/format/avro"
	"github.com/penstock-io/penstock/connectors/hdfssink/format/formattest"
)

// container is a file taken apart by the specification, independent of the writer.
type container struct {
	schema, codec string
	keys          []string
	counts        []int64
	blocks        [][]byte // as they are in the file
}

func parseContainer(t testing.TB, file []byte) container {
	t.Helper()
	var c container
	if !bytes.HasPrefix(file, []byte("Obj\x01")) {
		t.Fatalf("no Avro file: %.20q", file)
	}
	b := file[4:]
	long := func() int64 {
		n, size := binary.Varint(b)
		if size <= 0 {
			t.Fatal("the file is cut off")
		}
		b = b[size:]
		return n
	}
	take := func(n int64) []byte {
		if n < 0 || n > int64(len(b)) {
			t.Fatalf("%d bytes of %d", n, len(b))
		}
		part := b[:n]
		b = b[n:]
		return part
	}
	for n := long(); n != 0; n = long() {
		for range n {
			key, value := string(take(long())), string(take(long()))
			c.keys = append(c.keys, key)
			switch key {
			case "avro.schema":
				c.schema = value
			case "avro.codec":
				c.codec = value
			}
		}
	}
	sync := take(16)
	for len(b) > 0 {
		c.counts = append(c.counts, long())
		c.blocks = append(c.blocks, take(long()))
		if !bytes.Equal(take(16), sync) {
			t.Fatal("a block does not end with the sync marker")
		}
	}
	return c
}

// plain returns the blocks uncompressed.
func (c *container) plain(t testing.TB) []byte {
	t.Helper()
	var out []byte
	for _, block := range c.blocks {
		var part []byte
		var err error
		switch c.codec {
		case "null":
			part = block
		case "deflate":
			part, err = io.ReadAll(flate.NewReader(bytes.NewReader(block)))
		case "bzip2":
			part, err = io.ReadAll(bzip2.NewReader(bytes.NewReader(block)))
		case "snappy":
			part, err = snappy.Decode(nil, block[:len(block)-4])
			if sum := binary.BigEndian.Uint32(block[len(block)-4:]); sum != crc32.ChecksumIEEE(part) {
				t.Error("wrong checksum")
			}
		case "zstandard":
			var d *zstd.Decoder
			if d, err = zstd.NewReader(nil); err == nil {
				part, err = d.DecodeAll(block, nil)
				d.Close()
			}
		default:
			t.Fatalf("codec %s", c.codec)
		}
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, part...)
	}
	return out
}

func newFormat(t testing.TB, o avro.Options) *avro.Format {
	t.Helper()
	f, err := avro.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func defaults(codec string) avro.Options {
	return avro.Options{Codec: codec, EnhancedSchema: true, ConnectMetaData: true}
}

// readGoavro reads a file with an independent reader.
func readGoavro(t testing.TB, file []byte) []string {
	t.Helper()
	c := parseContainer(t, file)
	codec, err := goavro.NewCodec(c.schema)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	rest := c.plain(t)
	for len(rest) > 0 {
		var v any
		if v, rest, err = codec.NativeFromBinary(rest); err != nil {
			t.Fatal(err)
		}
		list = append(list, fmt.Sprint(v))
	}
	if c.codec != "bzip2" && c.codec != "zstandard" { // which goavro does not know
		r, err := goavro.NewOCFReader(bytes.NewReader(file))
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for ; r.Scan(); n++ {
			if v, err := r.Read(); err != nil || fmt.Sprint(v) != list[n] {
				t.Fatalf("record %d is %v, not %s: %v", n, v, list[n], err)
			}
		}
		if n != len(list) {
			t.Errorf("goavro sees %d records of %d", n, len(list))
		}
	}
	return list
}

func TestSuite(t *testing.T) {
	schema := data.NewStructSchema().Name("n.S").Version(3).
		Field("s", data.StringSchema).
		Field("n", data.OptionalInt64).
		Field("d", data.NewDecimal(2).Optional().MustBuild()).MustBuild()
	other := data.NewStructSchema().Name("n.S").Version(4).Field("s", data.StringSchema).MustBuild()
	record := func(s *data.Schema, values ...any) any { return data.StructOf(s, values) }
	for _, codec := range []string{"", "null", "deflate", "snappy", "bzip2", "zstandard"} {
		t.Run("codec "+codec, func(t *testing.T) {
			s := formattest.Suite{
				New:         func(t testing.TB) format.Format { return newFormat(t, defaults(codec)) },
				Extension:   ".avro",
				Schema:      schema,
				KeepsSchema: true,
				Values:      []any{record(schema, "a", nil, nil), record(schema, "é", int64(-1), data.NewDecimalInt(-12345, 2))},
				Want:        []string{"map[d:<nil> n:<nil> s:a]", "map[d:map[bytes.decimal:-2469/20] n:map[long:-1] s:é]"},
				Bad: []any{
					nil, "text", record(other, "a"), record(schema, nil, nil, nil), record(schema, "a", int32(1), nil),
					record(schema, "a", int64(1), data.NewDecimalInt(1, 3)),
				},
				Big: func(n int) any {
					return record(schema, strings.Repeat("x", n), nil, nil)
				},
				Read: readGoavro,
			}
			s.Run(t)
		})
	}
}

func TestValuesWithoutASchemaAreRefusedWithTheFix(t *testing.T) {
	var file bytes.Buffer
	_, err := newFormat(t, defaults("null")).NewWriter(&file, nil)
	var bad *connect.DataError
	if !errors.As(err, &bad) || !strings.Contains(err.Error(), "value.converter") || !strings.Contains(err.Error(), "format.class") {
		t.Errorf("the error is %v", err)
	}
	if file.Len() > 0 {
		t.Errorf("%d bytes were written", file.Len())
	}
}

// kinds are the directories of the golden files, with their options.
var kinds = map[string]avro.Options{
	"avro":         defaults(""),
	"avro-deflate": defaults("deflate"),
	"avro-snappy":  defaults("snappy"),
	"avro-bzip2":   defaults("bzip2"),
	"avro-plain":   {},
	"avro-optkeys": {EnhancedSchema: true, ConnectMetaData: true, AllowOptionalMapKeys: true},
}

func TestFilesAreThoseOfTheJVM(t *testing.T) {
	compared := 0
	for _, c := range formattest.Cases(t) {
		for kind, o := range kinds {
			for _, name := range c.Files(kind) {
				t.Run(kind+"/"+name, func(t *testing.T) {
					theirs, err := os.ReadFile(filepath.Join("testdata/java", kind, name))
					if err != nil {
						t.Fatal(err)
					}
					compareFiles(t, theirs, &c, newFormat(t, o))
				})
				compared++
			}
		}
	}
	if compared < 60 {
		t.Errorf("only %d files were compared", compared)
	}
}

func compareFiles(t *testing.T, theirs []byte, c *formattest.Case, f *avro.Format) {
	t.Helper()
	var file bytes.Buffer
	w, err := f.NewWriter(&file, c.Schema)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range c.Values {
		var d data.Datum
		d.SetValue(c.Schema, v)
		if err := w.Write(&connect.SinkRecord{}, &d); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	got, want := parseContainer(t, file.Bytes()), parseContainer(t, theirs)
	if d := cmp.Diff([]any{want.keys, want.codec, want.schema, want.counts}, []any{got.keys, got.codec, got.schema, got.counts}); d != "" {
		t.Errorf("header (-JVM +ours):\n%s", d)
	}
	if d := cmp.Diff(want.plain(t), got.plain(t)); d != "" {
		t.Errorf("records (-JVM +ours):\n%s", d)
	}
	if got.codec == "null" { // compressors differ
		if d := cmp.Diff(want.blocks, got.blocks); d != "" {
			t.Errorf("blocks (-JVM +ours):\n%s", d)
		}
	}
	ours, err := f.ReadSchema(&file)
	if err != nil {
		t.Fatal(err)
	}
	back, err := f.ReadSchema(bytes.NewReader(theirs))
	if err != nil {
		t.Fatal(err)
	}
	if !ours.Equal(back) {
		t.Error("the schema is read differently from the two files")
	}
	// Avro does not keep that keys are optional, nor the names of a union's fields: they are
	// full names here, while the converter of the case has made short ones.
	lossy := c.Name == "optkeymap" || c.Name == "a_union"
	if strings.Contains(want.schema, "connect.version") && !lossy && !back.Equal(c.Schema) {
		t.Errorf("the schema read from the file is not the one it was written with: %s", want.schema)
	}
}

func TestUnknownCodec(t *testing.T) {
	_, err := avro.New(avro.Options{Codec: "xz"})
	if err == nil || !strings.Contains(err.Error(), "Invalid value xz for configuration avro.codec") {
		t.Errorf("error is %v", err)
	}
}

func TestSchemaWithoutAFormIsTheRecordsFault(t *testing.T) {
	bad := data.NewStructSchema().Name("n.S").Field("a-b", data.Int32Schema).MustBuild()
	var file bytes.Buffer
	_, err := newFormat(t, defaults("")).NewWriter(&file, bad)
	if want := "Illegal character in: a-b"; err == nil || err.Error() != want || file.Len() != 0 {
		t.Errorf("error is %v, %d bytes were written", err, file.Len())
	}
}

func TestBlocksAreThoseOfJava(t *testing.T) {
	var file bytes.Buffer
	w, err := newFormat(t, defaults("")).NewWriter(&file, data.StringSchema)
	if err != nil {
		t.Fatal(err)
	}
	var d data.Datum
	d.SetValue(data.StringSchema, strings.Repeat("x", 998)) // 1000 bytes
	for range 130 {
		if err := w.Write(&connect.SinkRecord{}, &d); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if got := parseContainer(t, file.Bytes()).counts; !cmp.Equal(got, []int64{64, 64, 2}) {
		t.Errorf("blocks of %v records", got)
	}
}

func FuzzReadSchema(f *testing.F) {
	for kind := range kinds {
		names, _ := filepath.Glob(filepath.Join("testdata/java", kind, "*"))
		for _, name := range names {
			b, err := os.ReadFile(name)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(b)
		}
	}
	f.Add([]byte("Obj\x01\x03\x02"))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := newFormat(t, defaults("")).ReadSchema(bytes.NewReader(b))
		if err != nil {
			return
		}
		if _, err := newFormat(t, defaults("")).NewWriter(io.Discard, s); err == nil {
			return
		}
	})
}
