//go:build integration

package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// TestAStandaloneWorkerGoesOnWithTheOffsetFileOfTheJVMs reads a file with the JVM's
// standalone worker, then with ours, which is killed and started again: each goes on where
// the one before stopped.
func TestAStandaloneWorkerGoesOnWithTheOffsetFileOfTheJVMs(t *testing.T) {
	const topic, name = "standalone-lines", "standalone-source"
	dir := t.TempDir()
	in, offsets, connector := filepath.Join(dir, "in"), filepath.Join(dir, "offsets"), filepath.Join(dir, "source.properties")
	createTopic(t, kafkaClient(t), topic, 1)
	writeProperties(t, connector, with(fileSource(in, topic), "name", name))
	w := newWorker(t, "unused", nil)
	props := map[string]string{
		"bootstrap.servers": kafkaCluster.Bootstrap, "listeners": w.base, "offset.storage.file.filename": offsets, "offset.flush.interval.ms": "200",
		"key.converter": "org.apache.kafka.connect.storage.StringConverter", "value.converter": "org.apache.kafka.connect.storage.StringConverter",
	}
	writeProperties(t, w.props, props)
	w.mode, w.files = "standalone", []string{connector}
	lines := &lineWriter{t: t, path: in}
	lines.append(1000)

	delete(props, "listeners")
	jvm := startJVM(t, props, connector)
	r := readTopic(t, topic, kgo.ReadUncommitted())
	r.untilLines(time.Minute, 1000)
	if err := jvm.Stop(); err != nil {
		t.Fatal(err)
	}

	w.start()
	w.awaitRunning(name, time.Minute)
	lines.append(1000)
	r.untilLines(time.Minute, 2000)
	if code := w.stop(); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	checkEachOnce(t, r.untilLines(time.Minute, 2000), 2000)
	if _, err := os.Stat(offsets + ".jvm"); err != nil {
		t.Errorf("no copy of the JVM's file is kept: %v", err)
	}
	if text, err := os.ReadFile(offsets); err != nil || !strings.Contains(string(text), in) {
		t.Errorf("the offset file does not tell of %s: %s, %v", in, text, err)
	}

	w.start()
	for range 3 {
		lines.append(500)
		w.kill()
		w.start()
		w.awaitRunning(name, time.Minute)
	}
	got := r.untilLines(time.Minute, 3500)
	t.Logf("%d lines came again after kills", checkNoGap(t, got, 3500))
}
