package connecttest_test

import (
	"context"
	"fmt"
	"maps"
	"testing"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/config"
	"github.com/penstock-io/penstock/connect/connecttest"
	"github.com/penstock-io/penstock/connect/data"
)

// Total is a sink that adds up numbers and prints the sum when offsets are committed.
type Total struct{ props map[string]string }

func (s *Total) Version() string        { return "1.0" }
func (s *Total) ConfigDef() *config.Def { return config.NewDef() }
func (s *Total) TaskClass() string      { return "com.example.TotalTask" }
func (s *Total) Start(_ context.Context, _ connect.ConnectorContext, props map[string]string) error {
	s.props = maps.Clone(props)
	return nil
}
func (s *Total) TaskConfigs(int) ([]map[string]string, error) {
	return []map[string]string{maps.Clone(s.props)}, nil
}
func (s *Total) Stop(context.Context) error { return nil }
func (s *Total) NewTask() connect.SinkTask  { return &totalTask{} }

type totalTask struct{ sum int64 }

func (t *totalTask) Version() string { return "1.0" }
func (t *totalTask) Start(context.Context, connect.SinkTaskContext, map[string]string) error {
	return nil
}
func (t *totalTask) Open(context.Context, []connect.TopicPartition) error { return nil }
func (t *totalTask) Put(_ context.Context, records []connect.SinkRecord) error {
	for i := range records {
		v, err := records[i].Value.Value()
		if err != nil {
			return err
		}
		n, _ := v.(int64)
		t.sum += n
	}
	return nil
}
func (t *totalTask) PreCommit(_ context.Context, offsets map[connect.TopicPartition]int64) (map[connect.TopicPartition]int64, error) {
	fmt.Println("sum:", t.sum)
	return offsets, nil
}
func (t *totalTask) Close(context.Context, []connect.TopicPartition) error { return nil }
func (t *totalTask) Stop(context.Context) error                            { return nil }

// A sink is run step by step.
func ExampleOpenSink() {
	ctx := context.Background()
	run, err := connecttest.OpenSink(ctx, &Total{}, map[string]string{"topics": "amounts"}, connecttest.Options{})
	if err != nil {
		panic(err)
	}
	defer run.Stop(ctx)
	amounts := connect.TopicPartition{Topic: "amounts"}
	task := run.Tasks[0]
	if err := task.Open(ctx, amounts); err != nil {
		panic(err)
	}
	for offset, amount := range []int64{30, 12} {
		if err := task.Put(ctx, connecttest.NewRecord(amounts, int64(offset), data.Int64Schema, amount)); err != nil {
			panic(err)
		}
	}
	offsets, err := task.Commit(ctx)
	if err != nil {
		panic(err)
	}
	fmt.Println("committed:", offsets[amounts])
	// Output:
	// sum: 42
	// committed: 2
}

// The suite, in a test of the connector.
func ExampleRunSink() {
	testTotal := func(t *testing.T) {
		connecttest.RunSink(t, connecttest.Sink{
			New:   func() connect.SinkConnector { return &Total{} },
			Props: func(testing.TB) map[string]string { return map[string]string{"topics": "connecttest"} },
			Record: func(tp connect.TopicPartition, offset int64) connect.SinkRecord {
				return connecttest.NewRecord(tp, offset, data.Int64Schema, offset)
			},
		})
	}
	_ = testTotal // func TestTotal(t *testing.T)
}
