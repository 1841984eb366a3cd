package worker

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/data"
	"github.com/penstock-io/penstock/connect/plugin"
	"github.com/penstock-io/penstock/connect/settings"
	"github.com/penstock-io/penstock/storage"
	"github.com/penstock-io/penstock/storage/memstore"
	"github.com/penstock-io/penstock/storage/records"
)

// plainSource is a source connector; altererSource is told of changes of its offsets.
type plainSource struct{ *fakeConnector }

func (plainSource) NewTask() connect.SourceTask { return nil }

type altererSource struct {
	plainSource
	alter func(offsets []connect.SourceOffset) error
}

func (a *altererSource) AlterOffsets(_ map[string]string, offsets []connect.SourceOffset) error {
	return a.alter(offsets)
}

// brokenStore fails to store.
type brokenStore struct {
	storage.OffsetStore
	err error
}

func (s brokenStore) Put(context.Context, ...storage.OffsetEntry) error { return s.err }
func (s brokenStore) Partitions(context.Context, string) ([]*data.Map, error) {
	return nil, s.err
}

// offsetRig is a worker that has sinks and sources, and whose source may be told.
type offsetRig struct {
	*Worker
	source *altererSource
}

func newOffsetRig(t *testing.T, mode settings.Mode, store storage.OffsetStore, props map[string]string) *offsetRig {
	t.Helper()
	tr := &trace{}
	r := &offsetRig{source: &altererSource{plainSource: plainSource{&fakeConnector{trace: tr}}}}
	set := plugin.Builtin("4.3.1")
	set.Connectors = []plugin.Plugin[connect.Connector]{
		{Class: "io.example.TestSinkConnector", New: func() connect.Connector { return &fakeConnector{trace: tr} }},
		{Class: "io.example.PlainSourceConnector", New: func() connect.Connector { return r.source.plainSource }},
		{Class: "io.example.TestSourceConnector", New: func() connect.Connector { return r.source }},
	}
	plugins, err := plugin.New(set)
	if err != nil {
		t.Fatal(err)
	}
	s, err := settings.ParseWorker(props, mode)
	if err != nil {
		t.Fatal(err)
	}
	r.Worker = New(Options{Settings: s, Plugins: plugins, Log: zap.NewNop(), Offsets: store,
		Resolve: func(props map[string]string) (map[string]string, error) { return props, nil }})
	t.Cleanup(r.Close)
	return r
}

func standaloneRig(t *testing.T, store storage.OffsetStore) *offsetRig {
	t.Helper()
	return newOffsetRig(t, settings.Standalone, store, map[string]string{"bootstrap.servers": "k:1", "key.converter": "StringConverter",
		"value.converter": "JsonConverter", "offset.storage.file.filename": "f"})
}

func startedStore(t *testing.T) *memstore.OffsetStore {
	t.Helper()
	store := memstore.NewOffsetStore()
	if err := store.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return store
}

func sourceConfig(class string, pairs ...string) map[string]string {
	c := map[string]string{"name": "s", "connector.class": class}
	for i := 0; i < len(pairs); i += 2 {
		c[pairs[i]] = pairs[i+1]
	}
	return c
}

// raw returns what a store holds of connector s, as text.
func raw(t *testing.T, store storage.OffsetStore) map[string]string {
	t.Helper()
	partitions, err := store.Partitions(t.Context(), "s")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, p := range partitions {
		key, err := records.OffsetKey("s", p)
		if err != nil {
			t.Fatal(err)
		}
		values, err := store.Get(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		out[string(key)] = string(values[string(key)])
	}
	return out
}

func TestSourceOffsets(t *testing.T) {
	store := startedStore(t)
	r := standaloneRig(t, store)
	config := sourceConfig("PlainSource")
	if err := store.Put(t.Context(), storage.OffsetEntry{Key: []byte(`["other",{"f":"x"}]`), Value: []byte(`{"p":1}`)}); err != nil {
		t.Fatal(err)
	}
	told, err := r.AlterConnectorOffsets(t.Context(), "s", config, []connect.SourceOffset{
		// The JVM's HashMap has another order than the user's text.
		{Partition: mapOf("topic", "t", "partition", int64(0), "cluster", "c"), Offset: mapOf("offset", int64(5))},
		{Partition: mapOf("f", "a"), Offset: mapOf("p", int64(1))},
		{Partition: mapOf("f", "a"), Offset: mapOf("p", 1.5, "q", nil)}, // the last one counts
	})
	if err != nil || told {
		t.Fatalf("alter: %v, %v", told, err)
	}
	want := map[string]string{`["s",{"cluster":"c","partition":0,"topic":"t"}]`: `{"offset":5}`, `["s",{"f":"a"}]`: `{"p":1.5,"q":null}`}
	if diff := cmp.Diff(want, raw(t, store)); diff != "" {
		t.Errorf("stored (-want +got):\n%s", diff)
	}
	offsets, err := r.ConnectorOffsets(t.Context(), "s", config)
	if err != nil || len(offsets) != 2 {
		t.Fatalf("list: %v, %v", offsets, err)
	}
	if _, err := r.AlterConnectorOffsets(t.Context(), "s", config, []connect.SourceOffset{{Partition: mapOf("f", "a")}}); err != nil {
		t.Fatal(err)
	}
	delete(want, `["s",{"f":"a"}]`)
	if diff := cmp.Diff(want, raw(t, store)); diff != "" {
		t.Errorf("after one was forgotten (-want +got):\n%s", diff)
	}
	for range 2 { // also when there is nothing
		if told, err := r.ResetConnectorOffsets(t.Context(), "s", config); err != nil || told {
			t.Errorf("reset: %v, %v", told, err)
		}
		if got := raw(t, store); len(got) > 0 {
			t.Errorf("after a reset: %v", got)
		}
	}
	if left, err := store.Partitions(t.Context(), "other"); err != nil || len(left) != 1 {
		t.Errorf("of another connector: %v, %v", left, err)
	}
}

func TestOffsetsThatAreNoneAreRefused(t *testing.T) {
	store := startedStore(t)
	r := standaloneRig(t, store)
	r.source.alter = func([]connect.SourceOffset) error { t.Error("the connector was told"); return nil }
	for text, o := range map[string]connect.SourceOffset{
		"Offsets may only contain primitive types as values, but field a contains MAP":   {Partition: mapOf("a", mapOf())},
		"Offsets may only contain primitive types as values, but field b contains ARRAY": {Partition: mapOf("a", "x"), Offset: mapOf("b", []any{})},
	} {
		var bad *connect.DataError
		_, err := r.AlterConnectorOffsets(t.Context(), "s", sourceConfig("TestSource"), []connect.SourceOffset{{Partition: mapOf("a", "ok"), Offset: mapOf()}, o})
		if !errors.As(err, &bad) || bad.Msg != text {
			t.Errorf("got %v, want %s", err, text)
		}
	}
	if got := raw(t, store); len(got) > 0 {
		t.Errorf("stored: %v", got)
	}
}

func TestASourceIsToldOfAChange(t *testing.T) {
	store := startedStore(t)
	r := standaloneRig(t, store)
	config := sourceConfig("TestSource")
	var told []string
	var refuse error
	r.source.alter = func(offsets []connect.SourceOffset) error {
		for _, o := range offsets {
			told = append(told, fmt.Sprintf("%v=%v", o.Partition, o.Offset))
			o.Partition.Put("mine", true)
		}
		return refuse
	}
	change := []connect.SourceOffset{{Partition: mapOf("f", "a")}, {Partition: mapOf("f", "a"), Offset: mapOf("p", int64(1))}}
	if told, err := r.AlterConnectorOffsets(t.Context(), "s", config, change); err != nil || !told {
		t.Errorf("alter: %v, %v", told, err)
	}
	refuse = errors.New("The value for the 'position' key in the offset is expected to be a Long value")
	if _, err := r.ResetConnectorOffsets(t.Context(), "s", config); !errors.Is(err, refuse) || err.Error() != refuse.Error() {
		t.Errorf("refused: %v", err)
	}
	if diff := cmp.Diff(map[string]string{`["s",{"f":"a"}]`: `{"p":1}`}, raw(t, store)); diff != "" {
		t.Errorf("stored (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"{f=a}={p=1}", "{f=a}=<nil>"}, told); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
}

func TestErrorsOfAnOffsetStore(t *testing.T) {
	failure := errors.New("no broker")
	r := standaloneRig(t, brokenStore{memstore.NewOffsetStore(), failure})
	config := sourceConfig("PlainSource")
	change := []connect.SourceOffset{{Partition: mapOf("f", "a")}}
	for text, call := range map[string]func(ctx context.Context) error{
		"Failed to retrieve offsets for source connector s: no broker": func(ctx context.Context) error { _, err := r.ConnectorOffsets(ctx, "s", config); return err },
		"Failed to modify offsets for source connector s: no broker": func(ctx context.Context) error {
			_, err := r.AlterConnectorOffsets(ctx, "s", config, change)
			return err
		},
		"Failed to modify offsets for source connector s: no broker (reset)": func(ctx context.Context) error { _, err := r.ResetConnectorOffsets(ctx, "s", config); return err },
	} {
		if err := call(t.Context()); !errors.Is(err, failure) || err.Error() != strings.TrimSuffix(text, " (reset)") {
			t.Errorf("got %v, want %s", err, text)
		}
	}
	late, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.AlterConnectorOffsets(late, "s", config, change); err == nil ||
		!strings.HasPrefix(err.Error(), "Timed out while attempting to modify offsets for source connector s") {
		t.Errorf("got %v", err)
	}
	for name, config := range map[string]map[string]string{
		"Failed to find any class that implements Connector and which name matches Gone": sourceConfig("Gone"),
		"Failed to instantiate class for connector s":                                    sourceConfig("PlainSource", "connector.plugin.version", "[9,)"),
	} {
		if _, err := r.ConnectorOffsets(t.Context(), "s", config); err == nil || !strings.HasPrefix(err.Error(), name) {
			t.Errorf("got %v, want %s", err, name)
		}
	}
	none := standaloneRig(t, nil)
	if _, err := none.ConnectorOffsets(t.Context(), "s", config); err == nil {
		t.Error("offsets without a store")
	}
}
