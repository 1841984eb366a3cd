package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

// Set by the linker, see the Makefile.
var version, commit = "dev", "unknown"

// kafkaVersion is the version of Kafka Connect that is imitated: the answer of GET / and of
// every plugin that stands for one of Kafka's.
const kafkaVersion = "4.3.1"

const usage = `Penstock, a Kafka Connect-compatible worker.

  worker distributed <worker.properties>                        a worker of a cluster
  worker standalone <worker.properties> [<connector file> ...]  a worker of its own; files are .properties or .json
  worker quickstart                                             Kafka, worker and Avro files, in one process
  worker plugins                                                what can be run
  worker version

  --override key=value  replaces a worker property; may be repeated
`

func main() { exit(run(os.Args[1:], os.Stdout)) }

func run(args []string, out io.Writer) error {
	if len(args) == 0 {
		return usageError(usage)
	}
	ctx, stop := signalContext()
	defer stop()
	switch args[0] {
	case "distributed", "standalone":
		return runWorker(ctx, args[0], args[1:])
	case "quickstart":
		return runQuickstart(ctx, args[1:], out)
	case "plugins":
		return runPlugins(args[1:], out)
	case "version", "--version":
		fmt.Fprintf(out, "penstock %s (commit %s), compatible with Kafka Connect %s\n", version, commit, kafkaVersion)
		return nil
	case "help", "--help", "-h":
		fmt.Fprint(out, usage)
		return nil
	}
	return usageError(fmt.Sprintf("unknown command %q\n\n%s", args[0], usage))
}

// signalContext ends at the first SIGTERM or SIGINT; the second one ends the process.
// stop ends the watch and waits for it.
func signalContext() (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	ended, watched := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(watched)
		for n := 1; ; n++ {
			select {
			case <-ended:
				return
			case s := <-signals:
				cancel()
				if n == 2 {
					fmt.Fprintln(os.Stderr, "second signal: ending at once; records that were not committed are read again")
					os.Exit(exitSignal + int(s.(syscall.Signal)))
				}
			}
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		cancel()
		close(ended)
		<-watched
	}
}

// overrides collects --override key=value.
type overrides map[string]string

func (o overrides) String() string { return "" }

func (o overrides) Set(text string) error {
	k, v, ok := strings.Cut(text, "=")
	if !ok || strings.TrimSpace(k) == "" {
		return fmt.Errorf("%q is not key=value", text)
	}
	o[strings.TrimSpace(k)] = v
	return nil
}

// parseFlags accepts flags before, between and after the files.
func parseFlags(fs *flag.FlagSet, args []string) (files []string, err error) {
	fs.SetOutput(io.Discard)
	for {
		if err := fs.Parse(args); err != nil {
			return nil, usageError(err.Error() + "\n\n" + usage)
		}
		if fs.NArg() == 0 {
			return files, nil
		}
		files, args = append(files, fs.Arg(0)), fs.Args()[1:]
	}
}
