// Command bench measures the worker as its users would: records in a real Kafka, files
// in a real HDFS, CPU and memory of the worker's process. make bench runs it.
//
// A run counts the records of committed files (their offsets), not the worker's own
// counters. The CPU is what the process used between the creation of the connector and
// the last commit. A bare consumer of the same Kafka client, in a process of its own, is
// the floor.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/penstock-io/penstock/integration-tests/stack"
)

// Set by the linker.
var version, commit = "dev", "unknown"

type options struct {
	worker     string
	records    int
	runs       int
	paths      string
	tasks      int
	flushSize  int
	out        string
	profile    string
	partitions int
	scale      scaleOptions
}

func main() {
	if len(os.Args) == 4 && os.Args[1] == "consume" {
		exit(consume(context.Background(), os.Args[2], os.Args[3]))
	}
	var o options
	flag.StringVar(&o.worker, "worker", "bin/worker", "the worker's binary")
	flag.IntVar(&o.records, "records", 2_000_000, "records of each path")
	flag.IntVar(&o.runs, "runs", 5, "counted runs of each path, after one that is not")
	flag.StringVar(&o.paths, "paths", "abcfvst", "which paths to run; C is a cluster with many connectors")
	flag.IntVar(&o.tasks, "tasks", 4, "tasks.max")
	flag.IntVar(&o.flushSize, "flush-size", 100_000, "flush.size")
	flag.StringVar(&o.out, "out", "", "also write the table to this file")
	flag.StringVar(&o.profile, "profile", "", "folder for a CPU profile of each path's last run")
	o.scale.flags()
	flag.Parse()
	o.partitions = 4
	exit(run(context.Background(), o))
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// figures are what one run measured.
type figures struct {
	perSecond float64
	cpuMicros float64 // per record
	rssMB     float64 // peak of the process so far
}

func run(ctx context.Context, o options) error {
	dir, err := os.MkdirTemp("", "penstock-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	k, err := stack.StartKafka(ctx, stack.KafkaOptions{Dir: filepath.Join(dir, "kafka")})
	if err != nil {
		return err
	}
	defer k.Stop()
	if o.paths == "C" {
		report, err := runScale(ctx, k, dir, o)
		return errors.Join(err, publish(report, o))
	}
	report := header(o)
	if report, err = runHDFS(ctx, k, dir, o, report); err != nil {
		return err
	}
	if report, err = runBoth(ctx, k, dir, o, report); err != nil {
		return err
	}
	if strings.Contains(o.paths, "C") {
		rows, err := runScale(ctx, k, dir, o)
		if err != nil {
			return err
		}
		report += "\n" + rows
	}
	return publish(report, o)
}

func publish(report string, o options) error {
	fmt.Print(report)
	if o.out == "" {
		return nil
	}
	return os.WriteFile(o.out, []byte(report), 0o644)
}

// runHDFS measures the paths into HDFS beside a bare consumer.
func runHDFS(ctx context.Context, k *stack.KafkaCluster, dir string, o options, report string) (string, error) {
	if !strings.ContainsAny(o.paths, "abc") {
		return report, nil
	}
	h, err := stack.StartHDFS(ctx, stack.HDFSOptions{Dir: filepath.Join(dir, "hdfs")})
	if err != nil {
		return report, err
	}
	defer h.Stop()
	for _, p := range paths {
		if !strings.Contains(o.paths, p.id) {
			continue
		}
		fmt.Printf("path %s: producing %d records of about %d bytes\n", p.id, o.records, len(p.value(0)))
		if err := produce(ctx, k.Bootstrap, "bench-"+p.id, o, p.value); err != nil {
			return report, err
		}
		floor, err := runFloor(ctx, k.Bootstrap, "bench-"+p.id, o)
		if err != nil {
			return report, err
		}
		sink, err := runSink(ctx, k, h, dir, p, o)
		if err != nil {
			return report, err
		}
		report += p.rows(floor, sink)
	}
	return report, nil
}

// runBoth measures the paths that the JVM worker can run, too.
func runBoth(ctx context.Context, k *stack.KafkaCluster, dir string, o options, report string) (string, error) {
	produced := strings.Contains(o.paths, "a")
	for _, p := range sharedPaths {
		if !strings.Contains(o.paths, p.id) {
			continue
		}
		if p.sink && !produced {
			if err := produce(ctx, k.Bootstrap, "bench-a", o, plain); err != nil {
				return report, err
			}
			produced = true
		}
		rows, err := runShared(ctx, k, dir, p, o)
		if err != nil {
			return report, err
		}
		report += rows
	}
	return report, nil
}

func header(o options) string {
	return fmt.Sprintf(`# Benchmark of %s (commit %s), %s

%s. %d records a run, 4 partitions, tasks.max=%d, flush.size=%d, %d counted runs after a warm-up;
one Kafka 4.3.1 broker and one HDFS 3.4.2 DataNode on the same machine. Minimum / median / maximum.
The JVM rows of paths a and b are reference figures of the JVM worker 4.3 with the JVM HDFS connector, warm, on the same kind
of machine; those of the other paths were measured in this run, tasks.max=1.

| path | what | records/s | CPU µs per record | peak RSS MB |
|---|---|---|---|---|
`, version, commit, time.Now().UTC().Format("2006-01-02"), machine(), o.records, o.tasks, o.flushSize, o.runs)
}

// row prints the spread of runs.
func row(id, what string, runs []figures) string {
	return fmt.Sprintf("| %s | %s | %s | %s | %s |\n", id, what,
		spread(runs, "%.0f", func(f figures) float64 { return f.perSecond }),
		spread(runs, "%.2f", func(f figures) float64 { return f.cpuMicros }),
		spread(runs, "%.0f", func(f figures) float64 { return f.rssMB }))
}

func spread(runs []figures, format string, of func(figures) float64) string {
	var v []float64
	for _, f := range runs {
		v = append(v, of(f))
	}
	slices.Sort(v)
	return fmt.Sprintf(format+" / "+format+" / "+format, v[0], v[len(v)/2], v[len(v)-1])
}
