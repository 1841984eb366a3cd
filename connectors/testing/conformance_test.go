package testing

import (
	"io"
	"testing"

	"go.uber.org/goleak"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/connecttest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// props returns a config for every test.
func props(keyValues ...string) func(testing.TB) map[string]string {
	return func(testing.TB) map[string]string {
		p := map[string]string{}
		for i := 0; i < len(keyValues); i += 2 {
			p[keyValues[i]] = keyValues[i+1]
		}
		return p
	}
}

func bad(keyValues ...string) (all []map[string]string) {
	for i := 0; i < len(keyValues); i += 2 {
		all = append(all, map[string]string{keyValues[i]: keyValues[i+1]})
	}
	return all
}

func TestVerifiableSourceConforms(t *testing.T) {
	for _, throughput := range []string{"-1", "20000"} {
		connecttest.RunSource(t, connecttest.Source{
			New:     func() connect.SourceConnector { return NewVerifiableSource("4.3.1", io.Discard) },
			Props:   props("name", "c", "topic", "t", "throughput", throughput),
			Bad:     bad("topic", connecttest.Missing, "throughput", "x", "throughput", connecttest.Missing),
			Records: 2500, MaxTasks: 2,
		})
	}
}

func TestSchemaSourceConforms(t *testing.T) {
	connecttest.RunSource(t, connecttest.Source{
		New:   func() connect.SourceConnector { return NewSchemaSource("4.3.1", io.Discard) },
		Props: props("name", "c", "topic", "t", "throughput", "-1", "num.messages", "100", "partition.count", "7"),
		Bad: bad("topic", connecttest.Missing, "throughput", "x", "num.messages", connecttest.Missing, "num.messages", "1.5",
			"partition.count", "0", "partition.count", "3000000000"),
		Records: 100, MaxTasks: 2,
	})
}

func TestVerifiableSinkConforms(t *testing.T) {
	connecttest.RunSink(t, connecttest.Sink{
		New:   func() connect.SinkConnector { return NewVerifiableSink("4.3.1", io.Discard) },
		Props: props("name", "c"),
	})
}

func TestMockSourceConforms(t *testing.T) {
	for _, mode := range []string{"connector-failure", "task-failure", "none"} {
		connecttest.RunSource(t, connecttest.Source{
			New:   func() connect.SourceConnector { return NewMockSource("4.3.1") },
			Props: props("mock_mode", mode, "delay_ms", "60000"),
			Bad:   badDelay(mode),
		})
	}
}

func TestMockSinkConforms(t *testing.T) {
	for _, mode := range []string{"connector-failure", "task-failure", "none"} {
		connecttest.RunSink(t, connecttest.Sink{
			New:   func() connect.SinkConnector { return NewMockSink("4.3.1") },
			Props: props("mock_mode", mode, "delay_ms", "60000"),
			Bad:   badDelay(mode),
		})
	}
}

// badDelay is wrong where the delay is looked at.
func badDelay(mode string) []map[string]string {
	if mode == "none" {
		return nil
	}
	return bad("delay_ms", "soon")
}
