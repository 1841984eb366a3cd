package cli

import (
	"errors"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/penstock-io/penstock/internal/kafkatest"
)

// unreachable makes a worker give up soon on a port where nothing listens.
var unreachable = []string{"--override", "bootstrap.servers=127.0.0.1:1", "--override", "default.api.timeout.ms=300",
	"--override", "request.timeout.ms=200", "--override", "listeners=http://127.0.0.1:0"}

const goodExample = "../../examples/connect-distributed.properties"

func checkExit(t *testing.T, args []string, code int, wants ...string) {
	t.Helper()
	err := testProgram().Run(args, io.Discard)
	if got := exitCode(err); got != code {
		t.Fatalf("exit code %d, want %d: %v", got, code, err)
	}
	for _, want := range wants {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in: %v", want, err)
		}
	}
}

func TestWrongCommandLines(t *testing.T) {
	for name, test := range map[string]struct {
		args  []string
		wants []string
	}{
		"nothing":             {nil, []string{"worker distributed <worker.properties>"}},
		"unknown command":     {[]string{"frobnicate"}, []string{`unknown command "frobnicate"`, "worker distributed"}},
		"no file":             {[]string{"distributed"}, []string{"distributed needs a properties file"}},
		"no file, standalone": {[]string{"standalone"}, []string{"standalone needs a properties file"}},
		"missing file":        {[]string{"standalone", "nowhere.properties"}, []string{"nowhere.properties", "no such file"}},
		"two files":           {[]string{"distributed", goodExample, "x.json"}, []string{"one properties file, not 2"}},
		"unknown flag":        {[]string{"distributed", goodExample, "--frob"}, []string{"-frob"}},
		"override without =":  {[]string{"distributed", goodExample, "--override", "group.id"}, []string{`"group.id" is not key=value`}},
		"override without key": {[]string{"distributed", "--override", "=x", goodExample},
			[]string{`"=x" is not key=value`}},
		"override of nothing":       {[]string{"distributed", goodExample, "--override"}, []string{"flag needs an argument"}},
		"plugins with file":         {[]string{"plugins", "x"}, []string{"plugins takes no files"}},
		"another program's command": {[]string{"quickstart"}, []string{`unknown command "quickstart"`}},
	} {
		t.Run(name, func(t *testing.T) { checkExit(t, test.args, exitConfig, test.wants...) })
	}
}

// TestAllWrongPropertiesAreReportedAtOnce wants one line per problem and no more.
func TestAllWrongPropertiesAreReportedAtOnce(t *testing.T) {
	tests := map[string][]string{
		"missing": {`"bootstrap.servers"`, `"group.id"`, `"key.converter"`, `"value.converter"`,
			`"offset.storage.topic"`, `"config.storage.topic"`, `"status.storage.topic"`},
		"wrong": {"'bootstrap.servers' must not be empty", "Invalid value zero for configuration config.storage.replication.factor",
			"-3 for configuration offset.storage.partitions", `"ftp://:8083" in listeners`},
		"converters": {"org.example.MyConverter for configuration key.converter: Class org.example.MyConverter could not be found",
			"HdfsSinkConnector for configuration value.converter", "org.example.MyHeaders for configuration header.converter"},
		"refused": {`"listeners.https.ssl.keystore.location": the listener https://:8443 needs a key`, `"ssl.keystore.location": the listener https://:8444 needs a key`,
			"org.example.BasicAuth for configuration rest.extension.classes: Class org.example.BasicAuth could not be found"},
		"secure": {"listeners.https.ssl.keystore.location: cannot be read", "admin.listeners.https.ssl.protocol: Use TLSv1.3",
			"Failed to retrieve JAAS configuration"},
		"provider": {"org.example.VaultConfigProvider for configuration config.providers.vault.class"},
	}
	files, err := filepath.Glob("testdata/*.bad.properties")
	if err != nil || len(files) != len(tests) {
		t.Fatalf("%d files for %d tests: %v", len(files), len(tests), err)
	}
	for _, file := range files {
		wants := tests[strings.TrimSuffix(filepath.Base(file), ".bad.properties")]
		t.Run(file, func(t *testing.T) {
			checkExit(t, []string{"distributed", file}, exitConfig, wants...)
			if lines := strings.Split(testProgram().Run([]string{"distributed", file}, io.Discard).Error(), "\n"); len(lines) != len(wants) {
				t.Errorf("%d problems, want %d:\n%s", len(lines), len(wants), strings.Join(lines, "\n"))
			}
		})
	}
}

func TestWrongConnectorFilesAreReportedWithTheProperties(t *testing.T) {
	bad := writeText(t, "sink.json", `{"topics":"t"}`)
	checkExit(t, []string{"standalone", "testdata/missing.bad.properties", bad, "nowhere.properties"}, exitConfig,
		`"bootstrap.servers"`, bad+": it has no name", "connector file nowhere.properties")
}

func TestOverridesCountBeforeAndAfterTheFile(t *testing.T) {
	value := []string{"--override", "config.storage.replication.factor=-7"}
	const want = "-7 for configuration config.storage.replication.factor"
	checkExit(t, append([]string{"distributed", goodExample}, value...), exitConfig, want)
	checkExit(t, append([]string{"distributed"}, append(value, goodExample)...), exitConfig, want)
	checkExit(t, []string{"distributed", "--override=listeners=ftp://:1", goodExample, "--override", "status.storage.partitions=x"}, exitConfig,
		"listeners", "status.storage.partitions")
	over := overrides{}
	if err := over.Set(" sasl.jaas.config = a=b; "); err != nil || over["sasl.jaas.config"] != " a=b; " {
		t.Errorf("only the first = separates: %v, %v", over, err)
	}
}

func TestKafkaOutOfReach(t *testing.T) {
	for _, file := range []string{goodExample, "../../examples/connect-standalone.properties"} {
		command := "distributed"
		if strings.Contains(file, "standalone") {
			command = "standalone"
		}
		checkExit(t, append([]string{command, file}, unreachable...), exitEnvironment, "127.0.0.1:1", "bootstrap.servers", "default.api.timeout.ms")
	}
}

func TestPortInUse(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	props := distributedProps(kafkatest.New(t))
	props["listeners"] = "http://" + l.Addr().String()
	checkExit(t, []string{"distributed", writeProperties(t, "w.properties", props)}, exitEnvironment,
		l.Addr().String(), "listeners", "address already in use")
}

func TestProfilesOnAPortInUse(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	t.Setenv(pprofVariable, l.Addr().String())
	checkExit(t, append([]string{"distributed", goodExample}, unreachable...), exitEnvironment, l.Addr().String(), pprofVariable)
}

func TestPrintingCommands(t *testing.T) {
	for command, want := range map[string]string{
		"version": "compatible with Kafka Connect " + KafkaVersion,
		"help":    "worker standalone",
		"plugins": "io.confluent.connect.hdfs.HdfsSinkConnector",
	} {
		var out strings.Builder
		if err := testProgram().Run([]string{command}, &out); err != nil || !strings.Contains(out.String(), want) {
			t.Errorf("%s: %v, no %q in %s", command, err, want, out.String())
		}
	}
}

func TestAnyOtherErrorIsAFailure(t *testing.T) {
	if code := exitCode(errors.New("lost")); code != exitFailed {
		t.Errorf("exit code %d, want %d", code, exitFailed)
	}
	if code := exitCode(nil); code != exitStopped {
		t.Errorf("exit code %d, want %d", code, exitStopped)
	}
}

// TestATopicThatWouldLoseItsRecords checks that it counts as wrong configuration, also
// where only the herder finds it.
func TestATopicThatWouldLoseItsRecords(t *testing.T) {
	for _, topic := range []string{"connect-configs", "connect-offsets", "connect-status"} {
		t.Run(topic, func(t *testing.T) {
			c := kafkatest.New(t)
			c.Topic(topic, 1, "cleanup.policy", "delete")
			checkExit(t, []string{"distributed", writeProperties(t, "w.properties", distributedProps(c))}, exitConfig,
				topic, "cleanup.policy=delete", strings.TrimPrefix(strings.TrimSuffix(topic, "s"), "connect-"))
		})
	}
}

// TestAStoreThatDoesNotStart checks that the herder's failure before it ever worked counts
// as one of the environment.
func TestAStoreThatDoesNotStart(t *testing.T) {
	c := kafkatest.New(t)
	c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.CreateTopics}, Topic: "connect-status", Err: kerr.PolicyViolation})
	checkExit(t, []string{"distributed", writeProperties(t, "w.properties", distributedProps(c))}, exitEnvironment,
		"start the status store", "connect-status")
}
