package testing_test

import (
	"context"
	"fmt"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/connecttest"
	"github.com/penstock-io/penstock/connectors/testing"
)

// lines prints what the connectors write, without the time.
type lines struct{}

func (lines) Write(p []byte) (int, error) {
	const timeDigits = 13
	out := make([]byte, 0, len(p))
	for i := 0; i < len(p); i++ {
		if p[i] == '1' && i+timeDigits < len(p) && p[i+timeDigits] == ',' {
			out = append(out, '?')
			i += timeDigits - 1
			continue
		}
		out = append(out, p[i])
	}
	fmt.Print(string(out))
	return len(p), nil
}

// The source prints a line for each record, and one more when it is in Kafka.
func ExampleNewVerifiableSource() {
	ctx := context.Background()
	run, err := connecttest.OpenSource(ctx, testing.NewVerifiableSource("4.3.1", lines{}),
		map[string]string{"name": "numbers", "topic": "t", "throughput": "1"}, connecttest.Options{})
	if err != nil {
		panic(err)
	}
	defer run.Stop(ctx)
	records, err := run.Tasks[0].Poll(ctx, 1)
	if err != nil {
		panic(err)
	}
	if err := run.Tasks[0].Ack(ctx, records...); err != nil {
		panic(err)
	}
	// Output:
	// {"task":0,"seqno":0,"time_ms":?,"name":"numbers","topic":"t"}
	// {"committed":true,"task":0,"seqno":0,"time_ms":?,"name":"numbers","topic":"t"}
}

// The sink prints a line for each record, and one more when its offset is committed.
func ExampleNewVerifiableSink() {
	ctx := context.Background()
	run, err := connecttest.OpenSink(ctx, testing.NewVerifiableSink("4.3.1", lines{}), map[string]string{"name": "check"}, connecttest.Options{})
	if err != nil {
		panic(err)
	}
	defer run.Stop(ctx)
	tp := connect.TopicPartition{Topic: "t"}
	task := run.Tasks[0]
	if err := task.Open(ctx, tp); err != nil {
		panic(err)
	}
	if err := task.Put(ctx, connecttest.NewRecord(tp, 0, nil, int64(42))); err != nil {
		panic(err)
	}
	if _, err := task.Commit(ctx); err != nil {
		panic(err)
	}
	// Output:
	// {"task":null,"seqno":42,"offset":0,"time_ms":?,"name":"check","topic":"t","sinkTask":0}
	// {"task":null,"seqno":42,"offset":0,"time_ms":?,"name":"check","topic":"t","sinkTask":0,"flushed":true}
}
