package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/penstock-io/penstock/connect/cli"
	"github.com/penstock-io/penstock/connect/settings"
	"github.com/penstock-io/penstock/connectors/hdfssink/filesystem"
	"github.com/penstock-io/penstock/connectors/hdfssink/filesystem/hdfsfs"
	"github.com/penstock-io/penstock/connectors/hdfssink/filesystem/localfs"
	"github.com/penstock-io/penstock/internal/logging"
	"github.com/penstock-io/penstock/rest/api"
	"github.com/penstock-io/penstock/rest/client"
)

// quickstart shows a whole pipeline in one process: a Kafka, a distributed worker, an HDFS
// sink made through REST, events, and the files they become.
type quickstart struct {
	bootstrap string // "": an in-process Kafka
	store     string // file://… or hdfs://…
	dir       string // local files: log, and the default store
	seconds   int
	keep      bool
	terminal  bool // progress can be written over itself
	out       io.Writer

	base string // REST
	rest *client.Client
}

const (
	quickTopic     = "page-views"
	quickConnector = "page-views-to-hdfs"
)

func runQuickstart(ctx context.Context, args []string, out io.Writer) error {
	q := quickstart{out: out, rest: client.New(nil)}
	if info, err := os.Stdout.Stat(); err == nil {
		q.terminal = info.Mode()&os.ModeCharDevice != 0
	}
	fs := flag.NewFlagSet("quickstart", flag.ContinueOnError)
	fs.StringVar(&q.bootstrap, "bootstrap", "", "a Kafka to use instead of the in-process one")
	fs.StringVar(&q.store, "store", "", "where files go: file:///dir or hdfs://host:port")
	fs.StringVar(&q.dir, "dir", "quickstart-data", "folder of local files; it is emptied")
	fs.IntVar(&q.seconds, "seconds", 5, "how long events are produced")
	fs.BoolVar(&q.keep, "keep", false, "leave the worker running at the end")
	if files, err := cli.ParseFlags(fs, args); err != nil {
		return err
	} else if len(files) > 0 {
		return cli.UsageError("quickstart takes no files")
	}
	err := q.run(ctx)
	if ctx.Err() != nil {
		return nil //nolint:nilerr // told to stop meanwhile
	}
	return err
}

func (q *quickstart) run(ctx context.Context) error {
	if err := q.prepareDir(); err != nil {
		return err
	}
	if q.bootstrap == "" {
		cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
		if err != nil {
			return &cli.EnvironmentError{Err: fmt.Errorf("start the in-process Kafka: %w", err)}
		}
		defer cluster.Close()
		q.bootstrap = strings.Join(cluster.ListenAddrs(), ",")
		q.say("1. Kafka      in process at %s", q.bootstrap)
	} else {
		q.say("1. Kafka      %s", q.bootstrap)
	}
	stop, err := q.startWorker(ctx)
	if err != nil {
		return err
	}
	defer stop()
	if err := q.createConnector(ctx); err != nil {
		return err
	}
	produced, err := q.produceEvents(ctx)
	if err != nil {
		return err
	}
	if err := q.showFiles(ctx, produced); err != nil {
		return err
	}
	if q.keep {
		return q.stay(ctx)
	}
	q.say("\nThat was it. KEEP=1 make quickstart leaves the worker running; STACK=real uses real Kafka and real HDFS.")
	return nil
}

// prepareDir empties the folder of an earlier quick start, and nothing else.
func (q *quickstart) prepareDir() error {
	marker := filepath.Join(q.dir, ".penstock-quickstart")
	if entries, err := os.ReadDir(q.dir); err == nil && len(entries) > 0 {
		if _, err := os.Stat(marker); err != nil {
			return cli.UsageError(fmt.Sprintf("%s exists and is not from an earlier quick start: name another folder with -dir", q.dir))
		}
		if err := os.RemoveAll(q.dir); err != nil {
			return err
		}
	}
	abs, err := filepath.Abs(q.dir)
	if err != nil {
		return err
	}
	q.dir = abs
	if err := os.MkdirAll(q.dir, 0o755); err != nil {
		return err
	}
	if q.store == "" {
		q.store = "file://" + q.dir
	}
	return os.WriteFile(marker, nil, 0o644)
}

// startWorker runs a distributed worker in this process, on a free port, with its log in a file.
func (q *quickstart) startWorker(ctx context.Context) (stop func(), err error) {
	file, err := os.Create(filepath.Join(q.dir, "worker.log"))
	if err != nil {
		return nil, err
	}
	log, levels := logging.New(file)
	a, err := program().NewWorker(settings.Distributed, q.workerProperties(), log, levels)
	if err != nil {
		file.Close()
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	start := time.Now()
	go func() {
		defer cancel()
		done <- a.Run(ctx)
	}()
	stop = func() {
		cancel()
		if err := <-done; err != nil {
			q.say("the worker ended with: %v", err)
		}
		file.Close()
	}
	if q.base, err = a.URL(ctx); err != nil {
		cancel()
		if failed := <-done; failed != nil {
			err = failed
		}
		file.Close()
		return nil, err
	}
	if err := q.await(ctx, "the worker is ready", func() error {
		return q.rest.JSON(ctx, http.MethodGet, q.base+"health", nil, nil)
	}); err != nil {
		stop()
		return nil, err
	}
	q.say("2. Worker     %s ready after %.2f s, log in %s", q.base, time.Since(start).Seconds(), file.Name())
	return stop, nil
}

func (q *quickstart) workerProperties() map[string]string {
	return map[string]string{
		"bootstrap.servers": q.bootstrap, "group.id": "quickstart", "listeners": "http://127.0.0.1:0",
		"key.converter":        "org.apache.kafka.connect.storage.StringConverter",
		"value.converter":      "org.apache.kafka.connect.json.JsonConverter",
		"config.storage.topic": "quickstart-configs", "config.storage.replication.factor": "1",
		"offset.storage.topic": "quickstart-offsets", "offset.storage.replication.factor": "1", "offset.storage.partitions": "5",
		"status.storage.topic": "quickstart-status", "status.storage.replication.factor": "1",
		"offset.flush.interval.ms": "1000",
	}
}

// connectorConfig is what a user would post; the topic holds plain JSON, whose schema the
// converter is told.
func (q *quickstart) connectorConfig() map[string]string {
	return map[string]string{
		"connector.class": "io.confluent.connect.hdfs.HdfsSinkConnector", "tasks.max": "2", "topics": quickTopic,
		"store.url": q.store, "topics.dir": "topics", "logs.dir": "logs",
		"format.class": "io.confluent.connect.hdfs.avro.AvroFormat", "avro.codec": "snappy",
		"flush.size": "2000", "flush.interval.ms": "1500",
		"partitioner.class":              "io.confluent.connect.storage.partitioner.TimeBasedPartitioner",
		"partition.duration.ms":          "3600000",
		"path.format":                    "'dt'=YYYY-MM-dd/'hour'=HH",
		"locale":                         "en",
		"timezone":                       "UTC",
		"timestamp.extractor":            "RecordField",
		"timestamp.field":                "time",
		"value.converter":                "org.apache.kafka.connect.json.JsonConverter",
		"value.converter.schemas.enable": "true", "value.converter.schema.content": eventSchema,
	}
}

func (q *quickstart) createConnector(ctx context.Context) error {
	url := client.ConnectorURL(q.base, quickConnector, "config")
	if err := createQuickTopic(ctx, q.bootstrap); err != nil {
		return err
	}
	if err := q.rest.JSON(ctx, http.MethodPut, url, q.connectorConfig(), nil); err != nil {
		return err
	}
	err := q.await(ctx, "the connector runs", func() error {
		var st api.ConnectorStatus
		if err := q.rest.JSON(ctx, http.MethodGet, client.ConnectorURL(q.base, quickConnector, "status"), nil, &st); err != nil {
			return err
		}
		running := 0
		for _, t := range st.Tasks {
			if t.State == "FAILED" {
				return fmt.Errorf("task %d failed: %s", t.ID, t.Trace)
			}
			if t.State == "RUNNING" {
				running++
			}
		}
		if running < 2 {
			return fmt.Errorf("%d of 2 tasks run", running)
		}
		return nil
	})
	if err == nil {
		q.say("3. Connector  PUT %s: RUNNING with 2 tasks, Avro to %s", strings.TrimPrefix(url, strings.TrimSuffix(q.base, "/")), q.store)
	}
	return err
}

func (q *quickstart) openStore(ctx context.Context) (filesystem.FS, string, error) {
	if path, ok := strings.CutPrefix(q.store, "file://"); ok {
		fs := localfs.New("/")
		return fs, path, nil
	}
	fs, err := hdfsfs.New(ctx, hdfsfs.Options{URL: q.store})
	return fs, "", err
}

// stay leaves everything running and says what to try.
func (q *quickstart) stay(ctx context.Context) error {
	base := strings.TrimSuffix(q.base, "/")
	q.say(`
The worker keeps running; Ctrl-C ends it. Try:
  curl -s %[1]s/connectors?expand=status
  curl -s %[1]s/connectors/%[2]s/status
  curl -s -X PUT %[1]s/connectors/%[2]s/pause
  curl -s -X PUT %[1]s/connectors/%[2]s/resume
  curl -s -X POST '%[1]s/connectors/%[2]s/restart?includeTasks=true'
  curl -s %[1]s/connector-plugins
  curl -s -X DELETE %[1]s/connectors/%[2]s`, base, quickConnector)
	<-ctx.Done()
	return nil
}

func (q *quickstart) say(format string, args ...any) { fmt.Fprintf(q.out, format+"\n", args...) }

// await asks until check succeeds, for 30 s at most.
func (q *quickstart) await(ctx context.Context, what string, check func() error) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := check()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting in vain until %s: %w (see %s)", what, err, filepath.Join(q.dir, "worker.log"))
		case <-tick.C:
		}
	}
}
