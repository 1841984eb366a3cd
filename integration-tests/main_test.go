//go:build integration

package integration

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/penstock-io/penstock/integration-tests/stack"
)

// The stack that all tests share; each uses topics, connectors and folders of its own.
var (
	kafkaCluster *stack.KafkaCluster
	hdfsCluster  *stack.HDFSCluster
	workerBinary = os.Getenv("PENSTOCK_WORKER")
	python       = os.Getenv("PENSTOCK_PYTHON")
)

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	if os.Getenv(writerURL) != "" {
		return runWriter()
	}
	if os.Getenv("REQUIRE_STACK") != "1" {
		fmt.Println("SKIP: these tests start real Kafka and HDFS; run them with: make integration")
		return 0
	}
	if workerBinary == "" || python == "" {
		fmt.Println("PENSTOCK_WORKER and PENSTOCK_PYTHON must name the worker and a Python with fastavro; run: make integration")
		return 1
	}
	dir, err := os.MkdirTemp("", "penstock-integration-")
	if err != nil {
		fmt.Println(err)
		return 1
	}
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Minute)
	defer cancel()
	if err := startStack(ctx, dir); err != nil {
		fmt.Println("start the stack:", err)
		return 1
	}
	code := m.Run()
	stopStack()
	if code == 0 {
		os.RemoveAll(dir)
	} else {
		fmt.Println("logs and data are kept in", dir)
	}
	return code
}

// authorizer lets everybody do everything except with what deny has reserved.
var authorizer = map[string]string{
	"authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer", "allow.everyone.if.no.acl.found": "true",
}

func startStack(ctx context.Context, dir string) (err error) {
	start := time.Now()
	if kafkaCluster, err = stack.StartKafka(ctx, stack.KafkaOptions{Dir: filepath.Join(dir, "kafka"), Settings: authorizer}); err != nil {
		return err
	}
	if hdfsCluster, err = stack.StartHDFS(ctx, stack.HDFSOptions{Dir: filepath.Join(dir, "hdfs")}); err != nil {
		return err
	}
	fmt.Printf("Kafka at %s, HDFS at %s after %.1f s\n", kafkaCluster.Bootstrap, hdfsCluster.URL, time.Since(start).Seconds())
	return nil
}

func stopStack() {
	stopSystemWorkers()
	stopSecureKafka()
	if hdfsCluster != nil {
		hdfsCluster.Stop()
	}
	if kafkaCluster != nil {
		kafkaCluster.Stop()
	}
}
