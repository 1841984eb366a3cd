package stack

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
)

// ProxiedListener is a port of 127.0.0.1 at which a broker listens and tells its clients
// that it listens at another one, that of the proxy they came through.
type ProxiedListener struct{ Port, AdvertisedPort int }

// Listener is a port of localhost with a protocol of its own; its settings are
// listener.name.<name in lower case>.….
type Listener struct {
	Name     string // e.g. SASL
	Protocol string // security protocol, e.g. SASL_SSL
	Port     int
}

// controllerID is the node id of a separate controller.
const controllerID = 100

// roles returns the settings of a broker that is also a controller, or has one beside it,
// and the listeners of both.
func (o KafkaOptions) roles(port, controllerPort int) string {
	roles, listen := "broker,controller", fmt.Sprintf("PLAINTEXT://%s,CONTROLLER://%s", hostPort(port), hostPort(controllerPort))
	if o.SeparateController {
		roles, listen = "broker", "PLAINTEXT://"+hostPort(port)
	}
	advertise := "PLAINTEXT://" + hostPort(port)
	protocols := "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT"
	for i, l := range o.Proxied {
		name := fmt.Sprintf("PROXIED%d", i+1)
		listen += fmt.Sprintf(",%s://%s", name, hostPort(l.Port))
		advertise += fmt.Sprintf(",%s://%s", name, hostPort(l.AdvertisedPort))
		protocols += "," + name + ":PLAINTEXT"
	}
	for _, l := range o.Listeners {
		// 127.0.0.1, but advertised by the name that certificates and principals have.
		listen += fmt.Sprintf(",%s://%s", l.Name, hostPort(l.Port))
		advertise += fmt.Sprintf(",%s://localhost:%d", l.Name, l.Port)
		protocols += "," + l.Name + ":" + l.Protocol
	}
	return fmt.Sprintf("process.roles=%s\nlisteners=%s\nadvertised.listeners=%s\nlistener.security.protocol.map=%s\n"+
		"controller.listener.names=CONTROLLER\n", roles, listen, advertise, protocols)
}

// startController formats and starts the controller of a cluster that has a separate one.
func (k *KafkaCluster) startController(ctx context.Context, o KafkaOptions, port int) error {
	dir := filepath.Join(o.Dir, "controller")
	// A session is longer than any test lets a broker hang: one that lost its session has
	// partitions without a leader (SeparateController). One that was killed returns after it.
	properties := fmt.Sprintf(`node.id=%d
process.roles=controller
controller.quorum.voters=%d@%s
listeners=CONTROLLER://%s
controller.listener.names=CONTROLLER
broker.session.timeout.ms=15000
log.dirs=%s/data
`, controllerID, controllerID, hostPort(port), hostPort(port), dir)
	p, err := k.node(ctx, "kafka controller", dir, properties, port, o)
	if err != nil {
		return err
	}
	k.Controller = p
	return p.Start(ctx)
}

// node writes the files of a broker or controller and formats its storage.
func (k *KafkaCluster) node(ctx context.Context, name, dir, properties string, port int, o KafkaOptions) (*Process, error) {
	if err := writeFiles(dir, map[string]string{"server.properties": properties, "log4j2.properties": log4j2Properties}); err != nil {
		return nil, err
	}
	conf := filepath.Join(dir, "server.properties")
	log4j := "-Dlog4j2.configurationFile=" + filepath.Join(dir, "log4j2.properties")
	format := java(k.Lib, 256, nil, log4j, "kafka.tools.StorageTool", "format", "-t", "cGVuc3RvY2stc3RhY2stMQ", "-c", conf)
	format = append(format, o.FormatArgs...)
	if out, err := exec.CommandContext(ctx, format[0], format[1:]...).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("format the storage of %s: %w\n%s", name, err, out)
	}
	return &Process{
		Name: name, LogPath: filepath.Join(dir, "broker.log"), dir: dir, detached: o.Detached,
		args:  java(k.Lib, 512, nil, append(slices.Clone(o.JVMArgs), log4j, "kafka.Kafka", conf)...),
		Ready: func() bool { return accepts(port) },
	}, nil
}
