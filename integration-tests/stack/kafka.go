package stack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

const log4j2Properties = `status=error
rootLogger.level=WARN
rootLogger.appenderRef.stdout.ref=STDOUT
appender.console.type=Console
appender.console.name=STDOUT
appender.console.layout.type=PatternLayout
appender.console.layout.pattern=[%d] %p %m (%c)%n
`

// KafkaCluster is a Kafka of one or more brokers, each broker and controller at once.
type KafkaCluster struct {
	Brokers    []*Process
	Controller *Process // nil: the brokers are controllers
	Bootstrap  string
	Lib        string
}

// KafkaOptions says what to start.
type KafkaOptions struct {
	Brokers  int    // 1 or 3; 0 = 1
	Dir      string // data and logs, required
	Detached bool   // go on when this program ends
	// Settings are added to every broker's server.properties.
	Settings map[string]string
	// Proxied are more listeners of a single broker.
	Proxied []ProxiedListener
	// Listeners are further ones of a single broker, at localhost.
	Listeners []Listener
	// FormatArgs and JVMArgs are added to those of the storage tool and of the broker.
	FormatArgs, JVMArgs []string
	// SeparateController gives a single broker a controller in a process of its own. Kafka
	// 4.3's transaction coordinator takes partitions without a leader to be deleted and never
	// ends a transaction there (KRaftMetadataCache.getPartitionLeaderEndpoint): readers of
	// committed records then wait for ever. A broker that is its own controller meets that when
	// it was killed, because it acts before it has read all metadata again.
	SeparateController bool
}

// StartKafka formats and starts a new cluster.
func StartKafka(ctx context.Context, o KafkaOptions) (*KafkaCluster, error) {
	lib, err := Jars(ctx, Kafka)
	if err != nil {
		return nil, err
	}
	n := max(o.Brokers, 1)
	ports, err := FreePorts(2 * n)
	if err != nil {
		return nil, err
	}
	k := &KafkaCluster{Lib: lib, Bootstrap: hostPort(ports[0])}
	var voters []string
	for i := range n {
		voters = append(voters, fmt.Sprintf("%d@%s", i+1, hostPort(ports[n+i])))
		if i > 0 {
			k.Bootstrap += "," + hostPort(ports[i])
		}
	}
	if o.SeparateController {
		voters = []string{fmt.Sprintf("%d@%s", controllerID, hostPort(ports[n]))}
		if err := k.startController(ctx, o, ports[n]); err != nil {
			return nil, err
		}
	}
	started := make(chan error, n)
	for i := range n {
		p, err := k.broker(ctx, o, i, ports[i], ports[n+i], strings.Join(voters, ","))
		if err != nil {
			return nil, err
		}
		k.Brokers = append(k.Brokers, p)
		go func() { started <- p.Start(ctx) }()
	}
	for range n {
		err = errors.Join(err, <-started)
	}
	if err != nil {
		k.Stop() //nolint:errcheck // the start error says it all
		return nil, err
	}
	return k, nil
}

func (k *KafkaCluster) broker(ctx context.Context, o KafkaOptions, i, port, controllerPort int, voters string) (*Process, error) {
	dir := filepath.Join(o.Dir, fmt.Sprintf("kafka-%d", i+1))
	rf := min(max(o.Brokers, 1), 3)
	var b strings.Builder
	fmt.Fprintf(&b, `node.id=%d
controller.quorum.voters=%s
%slog.dirs=%s/data
offsets.topic.replication.factor=%d
offsets.topic.num.partitions=5
transaction.state.log.replication.factor=%d
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=5
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=true
num.partitions=1
log.retention.ms=-1
`, i+1, voters, o.roles(port, controllerPort), dir, rf, rf)
	for key, v := range o.Settings {
		fmt.Fprintf(&b, "%s=%s\n", key, v)
	}
	return k.node(ctx, fmt.Sprintf("kafka broker %d", i+1), dir, b.String(), port, o)
}

// Stop stops all brokers.
func (k *KafkaCluster) Stop() error {
	var errs []error
	for _, p := range k.Brokers {
		errs = append(errs, p.Stop())
	}
	if k.Controller != nil {
		errs = append(errs, k.Controller.Stop())
	}
	return errors.Join(errs...)
}

// Tool runs a main class of Kafka's tools with input on stdin and returns its output.
func (k *KafkaCluster) Tool(ctx context.Context, input string, class string, args ...string) (string, error) {
	return k.run(ctx, strings.NewReader(input), class, args...)
}

func (k *KafkaCluster) run(ctx context.Context, stdin *strings.Reader, class string, args ...string) (string, error) {
	a := java(k.Lib, 256, nil, append([]string{class}, args...)...)
	cmd := exec.CommandContext(ctx, a[0], a[1:]...)
	cmd.Stdin = stdin
	cmd.Dir = os.TempDir()
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s: %w\n%s", class, err, out)
	}
	return string(out), nil
}
