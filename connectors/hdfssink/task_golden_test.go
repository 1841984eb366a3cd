package hdfssink

import (
	"bufio"
	"bytes"
	"encoding/hex"
	stdjson "encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-io/penstock/connect"
	jsonconv "github.com/penstock-io/penstock/connect/convert/json"
	"github.com/penstock-io/penstock/connect/data"
	"github.com/penstock-io/penstock/connectors/hdfssink/filesystem"
	"github.com/penstock-io/penstock/connectors/hdfssink/filesystem/memfs"
	"github.com/penstock-io/penstock/connectors/hdfssink/format"
	"github.com/penstock-io/penstock/connectors/hdfssink/format/json"
	"github.com/penstock-io/penstock/connectors/hdfssink/writer"
)

// golden is one case or scenario.
type golden struct {
	Name      string            `json:"name"`
	Topic     string            `json:"topic"`
	Root      string            `json:"root"`
	Config    map[string]string `json:"config"`
	Converter struct {
		Class string `json:"class"`
	} `json:"converter"`
	Steps     []goldenStep `json:"steps"`
	KilledRun []goldenStep `json:"killed_run"`
	Restart   []goldenStep `json:"restart"`
	NextRun   []goldenStep `json:"next_run"`
}

type goldenStep struct {
	Do struct {
		Op      string         `json:"op"`
		TPs     [][2]any       `json:"tps"`
		Records []goldenRecord `json:"records"`
		MS      int64          `json:"ms"`
		Path    string         `json:"path"`
		From    string         `json:"from"`
		To      string         `json:"to"`
		Hex     string         `json:"hex"`
	} `json:"do"`
	Result struct {
		Listing stdjson.RawMessage `json:"listing"`
		Context []string           `json:"context"`
		Error   *struct{ Class, Message string }
		Result  map[string]int64 `json:"result"`
	} `json:"result"`
}

type goldenRecord struct {
	Topic     string  `json:"topic"`
	Partition int32   `json:"partition"`
	Offset    int64   `json:"offset"`
	Timestamp int64   `json:"timestamp"`
	Value     *string `json:"value"`
	Envelope  *struct {
		Schema  string             `json:"schema"`
		Payload stdjson.RawMessage `json:"payload"`
	} `json:"value_envelope"`
}

func readGolden(t *testing.T, name string) (cases []golden) {
	t.Helper()
	f, err := os.Open("testdata/java/writer/" + name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for s := bufio.NewReader(f); ; {
		line, err := s.ReadBytes('\n')
		if len(bytes.TrimSpace(line)) > 0 {
			var c golden
			if err := stdjson.Unmarshal(line, &c); err != nil {
				t.Fatal(err)
			}
			cases = append(cases, c)
		}
		if errors.Is(err, io.EOF) {
			return cases
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// payloads is a format that writes the payloads of the golden records as texts, for all
// formats but JSON, whose files can be compared. Like Avro it can keep the schema.
type payloads struct {
	extension string
	schemas   *[]*data.Schema
	texts     map[string]string
}

func textKey(r *connect.SinkRecord) string {
	return fmt.Sprint(r.Topic, "-", r.Partition, "-", r.Offset)
}

func (p *payloads) Extension() string { return p.extension }

func (p *payloads) keepsSchema() bool { return p.extension == ".avro" || p.extension == ".parquet" }

func (p *payloads) NewWriter(w io.Writer, s *data.Schema) (format.RecordWriter, error) {
	if p.keepsSchema() {
		*p.schemas = append(*p.schemas, s)
		if _, err := fmt.Fprintln(w, len(*p.schemas)-1); err != nil {
			return nil, err
		}
	}
	return &payloadWriter{p, w}, nil
}

func (p *payloads) ReadSchema(r io.Reader) (*data.Schema, error) {
	if !p.keepsSchema() {
		return nil, nil
	}
	line, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		return nil, err
	}
	n, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		return nil, err
	}
	return (*p.schemas)[n], nil
}

type payloadWriter struct {
	p *payloads
	w io.Writer
}

func (p *payloadWriter) Write(rec *connect.SinkRecord, _ *data.Datum) error {
	_, err := fmt.Fprintln(p.w, p.p.texts[textKey(rec)])
	return err
}
func (p *payloadWriter) Close() error  { return nil }
func (p *payloadWriter) Buffered() int { return 0 }

// player runs the steps of one golden case against our task.
type player struct {
	t         *testing.T
	c         golden
	store     *memfs.Store
	schemas   map[string]stdjson.RawMessage
	schemaIDs []*data.Schema
	convert   *jsonconv.Converter
	texts     map[string]string
	now       int64

	task    *task
	context *recordingContext
	fs      filesystem.FS
	tps     []connect.TopicPartition
	failed  error

	starts int
	ours   *difference // what is expected in place of the JVM's results, nil for nothing
}

func newPlayer(t *testing.T, c golden) *player {
	t.Helper()
	p := &player{t: t, c: c, store: memfs.NewStore(), texts: map[string]string{}, convert: jsonconv.New(),
		now: 1_700_000_000_000}
	b, err := os.ReadFile("testdata/java/writer/schemas.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := stdjson.Unmarshal(b, &p.schemas); err != nil {
		t.Fatal(err)
	}
	if err := p.convert.Configure(map[string]string{"schemas.enable": "true"}, false); err != nil {
		t.Fatal(err)
	}
	return p
}

// local turns ~ into the root of the case.
func (p *player) local(s string) string { return strings.Replace(s, "~", p.c.Root, 1) }

func (p *player) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

func (p *player) write(name string, b []byte) {
	p.t.Helper()
	f, err := p.store.Client().Create(p.t.Context(), name)
	p.must(err)
	_, err = f.Write(b)
	p.must(err)
	p.must(f.Close())
}

func (p *player) start(tps []connect.TopicPartition) error {
	p.context = newRecordingContext()
	p.fs = p.store.Client()
	p.task = newTestTask(p.fs, func() int64 { return p.now })
	p.task.newFormat = func(*Config) (format.Format, error) {
		ext := map[string]string{"AvroFormat": ".avro", "JsonFormat": ".json", "StringFormat": ".txt", "ParquetFormat": ".parquet"}
		class := p.c.Config["format.class"]
		if strings.HasSuffix(class, ".JsonFormat") {
			return json.New(json.Options{}), nil
		}
		return &payloads{ext[class[strings.LastIndexByte(class, '.')+1:]], &p.schemaIDs, p.texts}, nil
	}
	props := maps.Clone(p.c.Config)
	props["name"], props["task.id"] = "golden", "0"
	props["format.class"] = "io.confluent.connect.hdfs.json.JsonFormat" // Parquet is refused
	if err := p.task.Start(p.t.Context(), p.context, props); err != nil {
		return err
	}
	p.tps = tps
	return p.task.Open(p.t.Context(), tps)
}

func (p *player) records(in []goldenRecord) (out []connect.SinkRecord) {
	for _, g := range in {
		r := connect.SinkRecord{Record: connect.Record{Topic: g.Topic, Partition: g.Partition, Offset: g.Offset, Timestamp: g.Timestamp}, Original: connect.TopicPartition{Topic: g.Topic, Partition: g.Partition}}
		switch {
		case g.Envelope != nil:
			text := []byte(`{"schema":` + string(p.schemas[g.Envelope.Schema]) + `,"payload":` + string(g.Envelope.Payload) + `}`)
			p.must(p.convert.ToConnect(g.Topic, text, &r.Value))
			var compact bytes.Buffer
			p.must(stdjson.Compact(&compact, g.Envelope.Payload))
			p.texts[textKey(&r)] = compact.String()
		case g.Value != nil && strings.HasSuffix(p.c.Converter.Class, "JsonConverter"):
			p.must(p.convert.ToConnect(g.Topic, []byte(*g.Value), &r.Value))
			p.texts[textKey(&r)] = *g.Value
		case g.Value != nil:
			s, err := data.NewBuilder(data.String).Optional().Build()
			p.must(err)
			r.Value.SetValue(s, *g.Value)
			p.texts[textKey(&r)] = *g.Value
		default:
			p.texts[textKey(&r)] = "null"
		}
		out = append(out, r)
	}
	return out
}

// play runs steps until one fails as it did in the JVM.
func (p *player) play(steps []goldenStep) {
	p.t.Helper()
	for i, s := range steps {
		if p.failed != nil {
			return
		}
		var err error
		switch s.Do.Op {
		case "start":
			var tps []connect.TopicPartition
			for _, x := range s.Do.TPs {
				tps = append(tps, connect.TopicPartition{Topic: x[0].(string), Partition: int32(x[1].(float64))})
			}
			err = p.start(tps)
		case "put":
			p.context.calls = nil
			err = p.put(p.records(s.Do.Records))
		case "preCommit":
			if p.ours == nil {
				p.preCommit(i, s)
			}
		case "close":
			err = p.task.Close(p.t.Context(), p.tps)
		case "stop":
			err = p.task.Stop(p.t.Context())
		case "sleep":
			p.now += s.Do.MS
		case "mkdir":
			p.must(p.store.Client().MkdirAll(p.t.Context(), p.local(s.Do.Path)))
		case "mkfile":
			b, err := hex.DecodeString(s.Do.Hex)
			p.must(err)
			p.write(p.local(s.Do.Path), b)
		case "rm":
			p.must(p.store.Client().Remove(p.t.Context(), p.local(s.Do.Path)))
		case "mv":
			p.must(p.store.Client().Rename(p.t.Context(), p.local(s.Do.From), p.local(s.Do.To)))
		case "ls", "cat", "copy", "recoverLease":
		default:
			p.t.Fatalf("unknown step %s", s.Do.Op)
		}
		if p.ours != nil {
			p.failed = err
			p.compareOurs(s)
			continue
		}
		if wrong := s.Do.Op != "copy" && s.Result.Error != nil; (err != nil) != wrong {
			p.t.Errorf("step %d %s: error %v, the JVM had %v", i, s.Do.Op, err, s.Result.Error)
		}
		if p.failed = err; err != nil {
			return
		}
		p.compare(i, s)
	}
}

// put hands records over one topic partition after the other, as the runtime does.
func (p *player) put(records []connect.SinkRecord) error {
	slices.SortStableFunc(records, func(a, b connect.SinkRecord) int { return a.Original.Compare(b.Original) })
	if err := p.task.Put(p.t.Context(), records); err != nil {
		return err
	}
	return nil
}

func (p *player) preCommit(i int, s goldenStep) {
	p.t.Helper()
	asked := map[connect.TopicPartition]int64{}
	for _, tp := range p.tps {
		asked[tp] = 1 << 60
	}
	told, err := p.task.PreCommit(p.t.Context(), asked)
	p.must(err)
	got := map[string]int64{}
	for tp, o := range told {
		got[tp.String()] = o
	}
	want := s.Result.Result
	if want == nil {
		want = map[string]int64{}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		p.t.Errorf("step %d preCommit: %s", i, diff)
	}
}

// committedOnly keeps what readers see: logs and temp files are compared elsewhere, since
// ours are there at other times.
func committedOnly(listing []string) (files []string) {
	for _, line := range listing {
		name, _, _ := strings.Cut(line, " ")
		if !strings.HasSuffix(name, "/") && !strings.Contains(name, "/+tmp/") && !logName.MatchString(name) {
			files = append(files, line)
		}
	}
	slices.Sort(files)
	return files
}

var logName = regexp.MustCompile(`/\d+/log(\.1)?$`)

func (p *player) compare(i int, s goldenStep) {
	p.t.Helper()
	if len(s.Result.Context) > 0 || s.Do.Op == "start" {
		var want []string
		for _, call := range s.Result.Context {
			if strings.HasPrefix(call, "offset(") {
				want = append(want, call)
			}
		}
		if diff := cmp.Diff(want, p.context.calls); diff != "" {
			p.t.Errorf("step %d %s: context calls: %s", i, s.Do.Op, diff)
		}
	}
	var want []string
	if stdjson.Unmarshal(s.Result.Listing, &want) != nil {
		return
	}
	got, want := p.listing(), committedOnly(want)
	if !strings.HasSuffix(p.c.Config["format.class"], "JsonFormat") || p.c.Config["schema.compatibility"] != "" {
		withoutLength(got)
		withoutLength(want)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		p.t.Errorf("step %d %s: committed files: %s", i, s.Do.Op, diff)
	}
}

// difference is a case in which the JVM connector errs and this one does not.
type difference struct {
	why     string
	start   int      // number of the start that differs, from 0
	offset  int64    // asked for there; 0 for none
	files   []string // committed after the start, by offsets
	failure string   // the start fails with this text
	end     []string // committed in the end; nil: not compared
}

func (p *player) compareOurs(s goldenStep) {
	p.t.Helper()
	if s.Do.Op != "start" {
		return
	}
	if p.starts++; p.starts-1 != p.ours.start {
		return
	}
	if d := p.ours; d.failure != "" {
		if p.failed == nil || !strings.Contains(p.failed.Error(), d.failure) {
			p.t.Errorf("start: error %v, want %s", p.failed, d.failure)
		}
		return
	}
	if p.failed != nil {
		p.t.Errorf("start: %v", p.failed)
	}
	var want []string
	if p.ours.offset > 0 {
		want = []string{fmt.Sprintf("offset(%s-0,%d)", p.c.Topic, p.ours.offset)}
	}
	if diff := cmp.Diff(want, p.context.calls); diff != "" {
		p.t.Errorf("start: context calls: %s", diff)
	}
	if diff := cmp.Diff(p.ours.files, p.offsets()); diff != "" {
		p.t.Errorf("start: committed files: %s", diff)
	}
}

func (p *player) compareEnd() {
	p.t.Helper()
	if p.ours == nil || p.ours.end == nil {
		return
	}
	if diff := cmp.Diff(p.ours.end, p.offsets()); diff != "" {
		p.t.Errorf("in the end: committed files: %s", diff)
	}
}

// offsets gives the committed files as 0-9.
func (p *player) offsets() (all []string) {
	for _, line := range p.listing() {
		name, _, _ := strings.Cut(line, " ")
		if n, ok := writer.ParseCommittedName(path.Base(name)); ok {
			all = append(all, fmt.Sprintf("%d-%d", n.Start, n.End))
		}
	}
	slices.Sort(all)
	return all
}

func withoutLength(lines []string) {
	for i := range lines {
		lines[i], _, _ = strings.Cut(lines[i], " ")
	}
}

func (p *player) listing() []string {
	var lines []string
	var walk func(dir string)
	fs := p.store.Client()
	walk = func(dir string) {
		infos, err := fs.List(p.t.Context(), dir)
		if errors.Is(err, filesystem.ErrNotExist) {
			return
		}
		p.must(err)
		for _, info := range infos {
			if info.Dir {
				walk(info.Path)
				continue
			}
			lines = append(lines, fmt.Sprintf("~%s %d", strings.TrimPrefix(info.Path, p.c.Root), info.Size))
		}
	}
	walk(p.c.Root)
	return committedOnly(lines)
}

// restore makes the files of a listing, with as many bytes; logs come from the raw files.
func (p *player) restore(listing []string) {
	p.t.Helper()
	for _, line := range listing {
		name, size, ok := strings.Cut(line, " ")
		if !ok || logName.MatchString(name) {
			continue
		}
		n, err := strconv.Atoi(size)
		p.must(err)
		p.write(p.local(name), bytes.Repeat([]byte("x"), n))
	}
	b, err := os.ReadFile(path.Join("wal/testdata/java", p.c.Name, "1-after-kill.log"))
	if errors.Is(err, os.ErrNotExist) {
		return
	}
	p.must(err)
	p.write(p.local("~/logs/"+p.c.Topic+"/0/log"), b)
}
