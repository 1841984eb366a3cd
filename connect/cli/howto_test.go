package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/config"
	"github.com/penstock-io/penstock/connect/plugin"
	"github.com/penstock-io/penstock/connect/settings"
	"github.com/penstock-io/penstock/connectors/filestream"
	"github.com/penstock-io/penstock/internal/kafkatest"
)

var block = regexp.MustCompile("(?ms)^```(properties|console|log)\n(.*?)^```$")

// step is a command of a document with the output that follows it.
type step struct{ command, output string }

// steps splits a console block: commands begin with "$ " and go on to the end of a here
// document.
func steps(text string) (all []step) {
	var here bool
	for line := range strings.Lines(text) {
		switch command, isCommand := strings.CutPrefix(line, "$ "); {
		case isCommand:
			all = append(all, step{command: command})
			here = strings.Contains(command, "<<'END'")
		case here:
			all[len(all)-1].command += line
			here = line != "END\n"
		default:
			all[len(all)-1].output += line
		}
	}
	return all
}

// The document is run as it stands, in a folder and at a port of the test's own.
func TestHowToKeepSecretsOutOfConfigs(t *testing.T) {
	for _, tool := range []string{"curl", "jq", "bash"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("needs %s: %v", tool, err)
		}
	}
	document, err := os.ReadFile(filepath.Join("..", "..", "docs", "how-to", "keep-secrets-out-of-configs.md"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "secrets"), 0o700); err != nil {
		t.Fatal(err)
	}
	c := kafkatest.New(t)
	c.Topic("orders", 1)
	var w *testWorker
	for _, m := range block.FindAllStringSubmatch(string(document), -1) {
		text := strings.NewReplacer("/etc/penstock", dir, "/tmp/", dir+"/", "ttl.ms=10000", "ttl.ms=100").Replace(m[2])
		switch m[1] {
		case "properties":
			w = howToWorker(t, c, text)
		case "console":
			text = strings.ReplaceAll(text, "http://localhost:8083/", w.url)
			for _, s := range steps(text) {
				eventually(t, "the output of "+s.command+" is as in the document", func() error { return s.run(t.Context(), dir) })
			}
		case "log":
			for line := range strings.Lines(text) {
				eventually(t, "the log has "+line, func() error {
					if !strings.Contains(w.log.String(), strings.TrimSpace(line)) {
						return errNotYet
					}
					return nil
				})
			}
		}
	}
	for _, secret := range []string{"tr0ub4dor", "c0rrect-horse"} {
		if strings.Contains(w.log.String(), secret) {
			t.Errorf("%s stands in the log", secret)
		}
	}
}

func howToWorker(t *testing.T, c *kafkatest.Cluster, text string) *testWorker {
	t.Helper()
	own, err := config.ParseProperties(text)
	if err != nil {
		t.Fatal(err)
	}
	props := distributedProps(c)
	for k, v := range own {
		props[k] = v
	}
	p := testProgram()
	p.Plugins.Connectors = append(p.Plugins.Connectors, plugin.Plugin[connect.Connector]{
		Class: filestream.SinkClass, New: func() connect.Connector { return filestream.NewSink(KafkaVersion) }})
	w, a := launchProgram(t, p, settings.Distributed, props)
	w.await(a)
	return w
}

func (s step) run(ctx context.Context, dir string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-ec", s.command)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%w: %s", err, out)
	} else if string(out) != s.output {
		err = errors.New(string(out))
	}
	return err
}
