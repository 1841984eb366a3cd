package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/penstock-io/penstock/integration-tests/stack"
	"github.com/penstock-io/penstock/rest/client"
)

// shared is a way of a record that both workers have the connectors for: it is measured
// with the JVM worker and with ours, in the same run and with the same config.
type shared struct {
	id, what string
	config   map[string]string
	// sink reads the topic of path a; otherwise the connector is a source that writes o.records.
	sink bool
	// lines: the source reads a file of o.records lines.
	lines bool
}

// flushInterval bounds by how much the end of a sink's run is seen too late.
const flushInterval = "500"

const transforms = "org.apache.kafka.connect.transforms."

var sharedPaths = []shared{
	{id: "f", what: "lines of a file → topic (FileStreamSource)", lines: true, config: map[string]string{"connector.class": "FileStreamSource"}},
	{id: "v", what: "numbers → topic (VerifiableSource, unthrottled)", config: map[string]string{
		"connector.class": "org.apache.kafka.connect.tools.VerifiableSourceConnector", "throughput": "-1",
		"value.converter": "org.apache.kafka.connect.converters.LongConverter", "key.converter": "org.apache.kafka.connect.converters.IntegerConverter"}},
	{id: "s", what: "topic → file (FileStreamSink), JSON", sink: true, config: jsonSink()},
	{id: "t", what: "the same with three transforms", sink: true, config: with(jsonSink(), map[string]string{
		"transforms":                        "mask,rename,insert",
		"transforms.mask.type":              transforms + "MaskField$Value",
		"transforms.mask.fields":            "user",
		"transforms.rename.type":            transforms + "ReplaceField$Value",
		"transforms.rename.renames":         "page:url",
		"transforms.insert.type":            transforms + "InsertField$Value",
		"transforms.insert.timestamp.field": "written",
	})},
}

func jsonSink() map[string]string {
	return map[string]string{"connector.class": "FileStreamSink", "value.converter": jsonConverter, "value.converter.schemas.enable": "false"}
}

func with(base, more map[string]string) map[string]string {
	all := maps.Clone(base)
	maps.Copy(all, more)
	return all
}

// target is one of the two workers.
type target struct {
	who  string
	pid  int
	base string
	stop func() error
}

func startOurs(ctx context.Context, k *stack.KafkaCluster, dir, binary, id string) (*target, error) {
	w, err := startWorker(ctx, k, dir, binary, id, "offset.flush.interval.ms="+flushInterval)
	if err != nil {
		return nil, err
	}
	return &target{who: "**Penstock**", pid: w.cmd.Process.Pid, base: w.base, stop: w.stop}, nil
}

func startJVM(ctx context.Context, k *stack.KafkaCluster, dir, id string) (*target, error) {
	group := "bench-jvm-" + id
	j, err := stack.StartJVMWorker(ctx, dir, map[string]string{
		"bootstrap.servers": k.Bootstrap, "group.id": group, "key.converter": stringConverter, "value.converter": stringConverter,
		"config.storage.topic": group + "-configs", "offset.storage.topic": group + "-offsets", "status.storage.topic": group + "-status",
		"config.storage.replication.factor": "1", "offset.storage.replication.factor": "1", "status.storage.replication.factor": "1",
		"offset.flush.interval.ms": flushInterval,
	})
	if err != nil {
		return nil, err
	}
	return &target{who: "JVM worker", pid: j.PID(), base: j.URL, stop: j.Stop}, nil
}

// runShared measures a path with both workers, one after the other.
func runShared(ctx context.Context, k *stack.KafkaCluster, dir string, p shared, o options) (rows string, err error) {
	if p.lines {
		if err := writeLines(filepath.Join(dir, "lines"), o.records); err != nil {
			return "", err
		}
	}
	for _, start := range []func() (*target, error){
		func() (*target, error) { return startJVM(ctx, k, filepath.Join(dir, "jvm-"+p.id), p.id) },
		func() (*target, error) { return startOurs(ctx, k, filepath.Join(dir, "worker-"+p.id), o.worker, p.id) },
	} {
		t, err := start()
		if err != nil {
			return "", err
		}
		var all []figures
		for i := range o.runs + 1 {
			f, err := t.measure(ctx, k, dir, p, o, i)
			if err != nil {
				return "", errors.Join(err, t.stop())
			}
			fmt.Printf("path %s, %s, run %d: %.0f records/s, %.2f µs CPU per record, %.0f MB\n", p.id, t.who, i, f.perSecond, f.cpuMicros, f.rssMB)
			if i > 0 {
				all = append(all, f)
			}
		}
		rows += row(p.id, t.who+", "+p.what, all)
		if err := t.stop(); err != nil {
			return "", err
		}
	}
	return rows, nil
}

func writeLines(path string, n int) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	b := bufio.NewWriterSize(f, 1<<20)
	for i := range n {
		if _, err := b.WriteString(plain(i) + "\n"); err != nil {
			return err
		}
	}
	return errors.Join(b.Flush(), f.Close())
}

// measure runs one connector from its creation until all records are where they belong.
func (t *target) measure(ctx context.Context, k *stack.KafkaCluster, dir string, p shared, o options, run int) (figures, error) {
	c, err := kgo.NewClient(kgo.SeedBrokers(k.Bootstrap))
	if err != nil {
		return figures{}, err
	}
	defer c.Close()
	admin := kadm.NewClient(c)
	name := fmt.Sprintf("both-%s-%d-%d", p.id, t.pid, run)
	config := with(p.config, map[string]string{"tasks.max": "1", "name": name})
	progress := func() (int64, error) { return groupProgress(ctx, admin, "connect-"+name) }
	if p.sink {
		config["topics"], config["file"] = "bench-a", filepath.Join(dir, "out")
		defer os.Remove(config["file"])
	} else {
		config["topic"] = name
		if p.lines {
			config["file"] = filepath.Join(dir, "lines")
		}
		if _, err := admin.CreateTopic(ctx, int32(o.partitions), 1, nil, name); err != nil {
			return figures{}, err
		}
		progress = func() (int64, error) { return topicEnd(ctx, admin, name) }
		defer admin.DeleteTopic(ctx, name) //nolint:errcheck // the data goes with the broker
	}
	cpu, err := cpuTime(t.pid)
	if err != nil {
		return figures{}, err
	}
	rest, start := client.New(nil), time.Now()
	if err := rest.JSON(ctx, http.MethodPut, client.ConnectorURL(t.base, name, "config"), config, nil); err != nil {
		return figures{}, err
	}
	done, err := awaitProgress(ctx, progress, int64(o.records))
	if err != nil {
		return figures{}, fmt.Errorf("%s, path %s: %w", t.who, p.id, err)
	}
	wall := time.Since(start)
	after, err := cpuTime(t.pid)
	if err != nil {
		return figures{}, err
	}
	rss, err := peakRSS(t.pid)
	if err != nil {
		return figures{}, err
	}
	return figures{
		perSecond: float64(done) / wall.Seconds(), cpuMicros: float64((after - cpu).Microseconds()) / float64(done), rssMB: rss,
	}, rest.JSON(ctx, http.MethodDelete, client.ConnectorURL(t.base, name), nil, nil)
}

// awaitProgress waits until want records are done; an endless source may have done more.
func awaitProgress(ctx context.Context, progress func() (int64, error), want int64) (int64, error) {
	var n int64
	for deadline := time.Now().Add(10 * time.Minute); time.Now().Before(deadline) && ctx.Err() == nil; time.Sleep(20 * time.Millisecond) {
		var err error
		if n, err = progress(); err != nil {
			return n, err
		}
		if n >= want {
			return n, nil
		}
	}
	return n, fmt.Errorf("only %d of %d records are there", n, want)
}

func topicEnd(ctx context.Context, admin *kadm.Client, topic string) (n int64, err error) {
	ends, err := admin.ListEndOffsets(ctx, topic)
	if err != nil {
		return 0, err
	}
	ends.Each(func(o kadm.ListedOffset) { n += o.Offset })
	return n, ends.Error()
}

// groupProgress sums the committed offsets, which a sink may commit for what it has
// written only.
func groupProgress(ctx context.Context, admin *kadm.Client, group string) (n int64, err error) {
	offsets, err := admin.FetchOffsets(ctx, group)
	if err != nil {
		return 0, err
	}
	offsets.Each(func(o kadm.OffsetResponse) { n += max(o.At, 0) })
	return n, nil
}
