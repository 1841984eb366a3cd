package filestream_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/connecttest"
	"github.com/penstock-io/penstock/connectors/filestream"
)

// A file is read, and read on where the last run stopped.
func ExampleNewSource() {
	dir, err := os.MkdirTemp("", "filestream")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "orders.csv")
	if err := os.WriteFile(path, []byte("1,apples\n2,pears\n3,unfini"), 0o600); err != nil {
		panic(err)
	}
	ctx, offsets := context.Background(), &connecttest.Offsets{}
	read := func(lines int) {
		run, err := connecttest.OpenSource(ctx, filestream.NewSource("4.3.1"),
			map[string]string{"file": path, "topic": "orders", "batch.size": "1"}, connecttest.Options{Offsets: offsets})
		if err != nil {
			panic(err)
		}
		defer run.Stop(ctx)
		records, err := run.Tasks[0].Poll(ctx, lines)
		if err != nil {
			panic(err)
		}
		for _, r := range records {
			value, _ := r.Value.Value()
			fmt.Println(value, r.SourceOffset)
		}
		if err := run.Tasks[0].Ack(ctx, records...); err != nil {
			panic(err)
		}
	}
	read(1)
	fmt.Println("again:")
	read(1)
	// Output:
	// 1,apples {position=9}
	// again:
	// 2,pears {position=17}
}

// Records become lines.
func ExampleNewSink() {
	dir, err := os.MkdirTemp("", "filestream")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "out.txt")
	ctx := context.Background()
	run, err := connecttest.OpenSink(ctx, filestream.NewSink("4.3.1"), map[string]string{"file": path}, connecttest.Options{})
	if err != nil {
		panic(err)
	}
	defer run.Stop(ctx)
	tp := connect.TopicPartition{Topic: "orders"}
	task := run.Tasks[0]
	if err := task.Open(ctx, tp); err != nil {
		panic(err)
	}
	if err := task.Put(ctx, connecttest.NewRecord(tp, 0, nil, "apples"), connecttest.NewRecord(tp, 1, nil, nil)); err != nil {
		panic(err)
	}
	offsets, err := task.Commit(ctx)
	if err != nil {
		panic(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		panic(err)
	}
	fmt.Printf("%scommitted: %d\n", text, offsets[tp])
	// Output:
	// apples
	// null
	// committed: 2
}
