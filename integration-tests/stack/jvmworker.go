package stack

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// JVMWorker is Apache Kafka's own Connect worker, the reference for every
// comparison; it has the FileStream and the test connectors (Mock, Verifiable, Schema).
type JVMWorker struct {
	*Process
	URL string // its first listener, e.g. http://127.0.0.1:port
}

// StartJVMWorker starts a worker with the given properties; listeners is added unless they
// hold it, and then the first must be one of http, which is asked whether the worker is
// ready. With connector files it is a standalone worker, else a distributed one.
func StartJVMWorker(ctx context.Context, dir string, props map[string]string, connectorFiles ...string) (*JVMWorker, error) {
	lib, err := Jars(ctx, Connect)
	if err != nil {
		return nil, err
	}
	ports, err := FreePorts(1)
	if err != nil {
		return nil, err
	}
	// connect-file must be on plugin.path and not on the class path; for the test connectors
	// it is the other way round.
	plugins := filepath.Join(dir, "plugins")
	jars, err := filepath.Glob(filepath.Join(lib, "*.jar"))
	if err != nil {
		return nil, err
	}
	var classPath []string
	for _, jar := range jars {
		name := filepath.Base(jar)
		if !strings.HasPrefix(name, "connect-file-") {
			classPath = append(classPath, jar)
			continue
		}
		if err := os.MkdirAll(plugins, 0o755); err != nil {
			return nil, err
		}
		if err := os.Symlink(jar, filepath.Join(plugins, name)); err != nil && !os.IsExist(err) {
			return nil, err
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "listeners=http://%s\nplugin.path=%s\n", hostPort(ports[0]), plugins)
	for k, v := range props {
		fmt.Fprintf(&b, "%s=%s\n", k, v)
	}
	if err := writeFiles(dir, map[string]string{"worker.properties": b.String(),
		"log4j2.properties": strings.Replace(log4j2Properties, "rootLogger.level=WARN", "rootLogger.level=INFO", 1)}); err != nil {
		return nil, err
	}
	class := "org.apache.kafka.connect.cli.ConnectDistributed"
	if len(connectorFiles) > 0 {
		class = "org.apache.kafka.connect.cli.ConnectStandalone"
	}
	w := &JVMWorker{URL: "http://" + hostPort(ports[0])}
	if listeners, ok := props["listeners"]; ok {
		w.URL, _, _ = strings.Cut(listeners, ",")
	}
	w.Process = &Process{
		Name: "JVM worker", LogPath: filepath.Join(dir, "worker.log"), dir: dir,
		args: append([]string{"java", "-Xmx512m", "-cp", strings.Join(classPath, ":"),
			"-Dlog4j2.configurationFile=" + filepath.Join(dir, "log4j2.properties"), class, filepath.Join(dir, "worker.properties")}, connectorFiles...),
		Ready: func() bool { return answers(ctx, w.URL+"/health") },
	}
	return w, w.Start(ctx)
}

// answers tells that a GET is answered with 200.
func answers(ctx context.Context, url string) bool {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}
