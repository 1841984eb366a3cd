package cli

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/penstock-io/penstock/connect/config/provider"
	"github.com/penstock-io/penstock/connect/plugin"
	"github.com/penstock-io/penstock/rest/extension"
)

// KafkaVersion is the version of Kafka Connect that is imitated: the answer of GET / and
// of every plugin that stands for one of Kafka's.
const KafkaVersion = "4.3.1"

// Program is what the binary of a worker is made of. It is not changed while it runs.
type Program struct {
	// Name is how the usage calls the binary; "" = worker.
	Name string
	// Version and Commit tell which build it is; "" = dev and unknown.
	Version, Commit string
	// Plugins are the classes that the worker can run. plugin.Builtin has Kafka's own.
	Plugins plugin.Set
	// ConfigProviders are config providers beside Kafka's, by class name: config.providers in
	// the worker's properties chooses them.
	ConfigProviders map[string]func() provider.Provider
	// RESTExtensions are extensions of the REST interface beside the basic authentication, by class
	// name: rest.extension.classes in the worker's properties chooses them.
	RESTExtensions map[string]func() extension.Extension
	// Commands are commands beside those that every worker has.
	Commands []Command
}

// Command is a command of a Program's own.
type Command struct {
	// Name is the first argument that chooses the command, Help its line in the usage.
	Name, Help string
	// Run works until ctx ends, which SIGTERM and SIGINT make happen. args are those behind
	// the name. The error decides about the exit code, see UsageError and EnvironmentError.
	Run func(ctx context.Context, args []string, out io.Writer) error
}

// Main runs the command that the process's arguments name and ends the process with one
// of the exit codes 0 (stopped), 1 (failed), 2 (wrong command line or configuration),
// 3 (Kafka or a port could not be had at the start), or 128 and the number of a second
// signal.
func Main(p Program) { exit(p.Run(os.Args[1:], os.Stdout)) }

// Run is Main with given arguments: it returns instead of ending the process.
func (p Program) Run(args []string, out io.Writer) error {
	if len(args) == 0 {
		return UsageError(p.usage())
	}
	ctx, stop := signalContext()
	defer stop()
	switch args[0] {
	case "distributed", "standalone":
		return p.runWorker(ctx, args[0], args[1:])
	case "plugins":
		return p.runPlugins(args[1:], out)
	case "version", "--version":
		fmt.Fprintf(out, "penstock %s (commit %s), compatible with Kafka Connect %s\n", p.version(), p.commit(), KafkaVersion)
		return nil
	case "help", "--help", "-h":
		fmt.Fprint(out, p.usage())
		return nil
	}
	for _, c := range p.Commands {
		if c.Name == args[0] {
			return c.Run(ctx, args[1:], out)
		}
	}
	return UsageError(fmt.Sprintf("unknown command %q\n\n%s", args[0], p.usage()))
}

func (p Program) usage() string {
	name := cmp.Or(p.Name, "worker")
	var b strings.Builder
	b.WriteString("Penstock, a Kafka Connect-compatible worker.\n\n")
	line := func(args, help string) { fmt.Fprintf(&b, "  %-61s %s\n", name+" "+args, help) }
	line("distributed <worker.properties>", "a worker of a cluster")
	line("standalone <worker.properties> [<connector file> ...]", "a worker of its own; files are .properties or .json")
	for _, c := range p.Commands {
		line(c.Name, c.Help)
	}
	line("plugins", "what can be run")
	line("version", "")
	b.WriteString("\n  --override key=value  replaces a worker property; may be repeated\n")
	return b.String()
}

func (p Program) version() string { return cmp.Or(p.Version, "dev") }
func (p Program) commit() string  { return cmp.Or(p.Commit, "unknown") }

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

// ParseFlags parses the arguments of a command and returns those that are no flags, such
// as files; flags may stand before, between and behind them. The error is a UsageError.
func ParseFlags(fs *flag.FlagSet, args []string) (files []string, err error) {
	fs.SetOutput(io.Discard)
	for {
		if err := fs.Parse(args); err != nil {
			return nil, UsageError(err.Error())
		}
		if fs.NArg() == 0 {
			return files, nil
		}
		files, args = append(files, fs.Arg(0)), fs.Args()[1:]
	}
}
