package stack

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
)

// HDFSCluster is a NameNode with one or more DataNodes.
type HDFSCluster struct {
	NameNode  *Process
	DataNodes []*Process
	URL       string // hdfs://127.0.0.1:port
	ConfDir   string // core-site.xml and hdfs-site.xml for clients
	HTTPPort  int    // NameNode's HTTP (WebHDFS, jmx)
}

// HDFSOptions says what to start.
type HDFSOptions struct {
	DataNodes int    // 1 or 3; 0 = 1
	Dir       string // data and logs, required
	Detached  bool   // go on when this program ends
	// Settings are added to hdfs-site.xml.
	Settings map[string]string
}

// StartHDFS formats and starts a new cluster and waits until all DataNodes have registered.
func StartHDFS(ctx context.Context, o HDFSOptions) (*HDFSCluster, error) {
	lib, err := Jars(ctx, HDFS)
	if err != nil {
		return nil, err
	}
	n := max(o.DataNodes, 1)
	ports, err := FreePorts(2 + 3*n)
	if err != nil {
		return nil, err
	}
	h := &HDFSCluster{URL: "hdfs://" + hostPort(ports[0]), ConfDir: filepath.Join(o.Dir, "namenode"), HTTPPort: ports[1]}
	if err := hadoopConf(h.ConfDir, h.URL, o.Settings, map[string]string{
		"dfs.replication": fmt.Sprint(min(n, 3)), "dfs.namenode.name.dir": filepath.Join(o.Dir, "name"),
		"dfs.namenode.rpc-address": hostPort(ports[0]), "dfs.namenode.http-address": hostPort(ports[1]),
		"dfs.permissions.enabled": "false", "dfs.namenode.fs-limits.min-block-size": "4096",
		"dfs.namenode.safemode.extension": "0", "dfs.namenode.decommission.interval": "3",
		"dfs.namenode.heartbeat.recheck-interval": "2000",
	}); err != nil {
		return nil, err
	}
	format := hadoopJava(lib, h.ConfDir, "org.apache.hadoop.hdfs.server.namenode.NameNode", "-format", "-force", "-nonInteractive")
	if out, err := exec.CommandContext(ctx, format[0], format[1:]...).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("format the NameNode: %w\n%s", err, out)
	}
	h.NameNode = &Process{Name: "namenode", LogPath: filepath.Join(o.Dir, "namenode.log"), dir: o.Dir, detached: o.Detached,
		args:  hadoopJava(lib, h.ConfDir, "org.apache.hadoop.hdfs.server.namenode.NameNode"),
		Ready: func() bool { return accepts(ports[0]) && accepts(ports[1]) }}
	if err := h.NameNode.Start(ctx); err != nil {
		return nil, err
	}
	if err := h.startDataNodes(ctx, lib, o, ports[2:]); err != nil {
		h.Stop() //nolint:errcheck // the start error says it all
		return nil, err
	}
	return h, nil
}

func (h *HDFSCluster) startDataNodes(ctx context.Context, lib string, o HDFSOptions, ports []int) error {
	for i := range max(o.DataNodes, 1) {
		name := fmt.Sprintf("datanode-%d", i+1)
		conf := filepath.Join(o.Dir, name)
		if err := hadoopConf(conf, h.URL, o.Settings, map[string]string{
			"dfs.datanode.data.dir": filepath.Join(o.Dir, name+"-data"),
			"dfs.datanode.address":  hostPort(ports[3*i]), "dfs.datanode.ipc.address": hostPort(ports[3*i+1]),
			"dfs.datanode.http.address": hostPort(ports[3*i+2]), "dfs.datanode.hostname": "127.0.0.1",
			"dfs.heartbeat.interval": "1",
		}); err != nil {
			return err
		}
		p := &Process{Name: name, LogPath: filepath.Join(o.Dir, name+".log"), dir: o.Dir, detached: o.Detached,
			args:  hadoopJava(lib, conf, "org.apache.hadoop.hdfs.server.datanode.DataNode"),
			Ready: func() bool { return h.liveDataNodes(context.WithoutCancel(ctx)) > i }} // for later starts too
		h.DataNodes = append(h.DataNodes, p)
		if err := p.Start(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Stop stops all processes.
func (h *HDFSCluster) Stop() error {
	var errs []error
	for _, p := range append(h.DataNodes, h.NameNode) {
		errs = append(errs, p.Stop())
	}
	return errors.Join(errs...)
}

func hadoopConf(dir, url string, settings ...map[string]string) error {
	var b strings.Builder
	b.WriteString("<configuration>\n")
	for _, m := range settings {
		for k, v := range m {
			fmt.Fprintf(&b, "  <property><name>%s</name><value>%s</value></property>\n", k, v)
		}
	}
	b.WriteString("</configuration>\n")
	core := "<configuration>\n  <property><name>fs.defaultFS</name><value>" + url + "</value></property>\n</configuration>\n"
	return writeFiles(dir, map[string]string{
		"core-site.xml": core, "hdfs-site.xml": b.String(),
		"log4j.properties": "log4j.rootLogger=WARN,stdout\nlog4j.appender.stdout=org.apache.log4j.ConsoleAppender\n" +
			"log4j.appender.stdout.layout=org.apache.log4j.PatternLayout\nlog4j.appender.stdout.layout.ConversionPattern=%d %p %c: %m%n\n",
		// Hadoop looks for these folders on the class path.
		"webapps/hdfs/.keep": "", "webapps/datanode/.keep": "",
	})
}

func hadoopJava(lib, conf string, more ...string) []string {
	opens := []string{"java.lang", "java.nio", "sun.nio.ch", "java.util.concurrent"}
	var args []string
	for _, p := range opens {
		args = append(args, "--add-opens=java.base/"+p+"=ALL-UNNAMED")
	}
	return java(lib, 512, []string{conf}, append(args, more...)...)
}
