//go:build integration

package integration

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/colinmarc/hdfs/v2"
	"github.com/linkedin/goavro/v2"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/penstock-io/penstock/rest/client"
)

// numbers is a producer that writes numbered records, the same ones to each partition.
type numbers struct {
	c    *chaos
	stop chan struct{}
	done sync.WaitGroup
	n    int
}

// produce begins to write about a thousand records a second.
func (c *chaos) produce() *numbers {
	p := &numbers{c: c, stop: make(chan struct{})}
	p.done.Go(func() {
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-p.stop:
				return
			case <-tick.C:
				p.write(2)
			}
		}
	})
	return p
}

func (p *numbers) write(n int) {
	for ; n > 0; n-- {
		for partition := range int32(chaosPartitions) {
			r := &kgo.Record{Topic: chaosTopic, Partition: partition, Value: []byte(event(partition, p.n))}
			p.c.client.Produce(p.c.t.Context(), r, func(_ *kgo.Record, err error) {
				if err != nil {
					p.c.problem("the test's own producer: %v", err)
				}
			})
		}
		p.n++
	}
}

// finish returns how many records each partition has when all are acknowledged.
func (p *numbers) finish() int {
	close(p.stop)
	p.done.Wait()
	if err := p.c.client.Flush(p.c.t.Context()); err != nil {
		p.c.t.Fatal(err)
	}
	return p.n
}

func (c *chaos) awaitHealth(w *chaosWorker, timeout time.Duration) {
	c.t.Helper()
	eventually(c.t, timeout, w.name+" is healthy", func() error {
		ctx, cancel := context.WithTimeout(c.t.Context(), 10*time.Second)
		defer cancel()
		return c.rest.JSON(ctx, http.MethodGet, w.base+"/health", nil, nil)
	})
}

// awaitHealthy waits until all workers are healthy and agree that everything runs.
func (c *chaos) awaitHealthy(timeout time.Duration) {
	c.t.Helper()
	for _, w := range c.workers() {
		c.awaitHealth(w, timeout)
	}
	for _, con := range c.connectors {
		for _, w := range con.workers {
			eventually(c.t, timeout, con.name+" runs", func() error { return c.runs(w, con) })
		}
	}
}

// checkSink waits until all records are committed and reads them back.
func (c *chaos) checkSink(n int, timeout time.Duration) {
	c.t.Helper()
	h, dir := hdfsClient(c.t), fmt.Sprintf("/chaos-%d/data", c.seed)
	eventually(c.t, timeout, "all records are committed", func() error {
		return reachedOffset(c.t, h, dir, chaosTopic, chaosPartitions, int64(n))
	})
	eventually(c.t, time.Minute, "the consumer group has the offsets", func() error {
		offsets, err := committed(c.t.Context(), c.client, "connect-chaos-sink")
		if err != nil {
			return err
		}
		for tp, offset := range offsets {
			if offset != int64(n) {
				return fmt.Errorf("%s is at %d, not at %d", tp, offset, n)
			}
		}
		return nil
	})
	byPartition := map[int][]string{}
	for _, p := range dataFiles(c.t, h, dir, chaosTopic) {
		f := parseName(c.t, p)
		byPartition[f.partition] = append(byPartition[f.partition], p)
	}
	for partition := range chaosPartitions {
		c.checkPartition(h, partition, byPartition[partition], int64(n))
	}
	eventually(c.t, time.Minute, "nothing is left in +tmp", func() error {
		if left := tempFiles(c.t, h, dir); len(left) > 0 {
			return fmt.Errorf("%d files: %v", len(left), left)
		}
		return nil
	})
}

// checkPartition checks that the files of a partition, in the order of their offsets, hold
// the records 0..n-1; the number of a record is its offset.
func (c *chaos) checkPartition(h *hdfs.Client, partition int, paths []string, n int64) {
	c.t.Helper()
	slices.SortFunc(paths, func(a, b string) int {
		return cmp.Compare(parseName(c.t, a).start, parseName(c.t, b).start)
	})
	var next int64
	last := "(none)"
	for _, p := range paths {
		f := parseName(c.t, p)
		if f.start != next {
			c.t.Errorf("partition %d: the file %s begins at %d, but the one before it, %s, ends before %d\n%s",
				partition, path.Base(p), f.start, path.Base(last), next, c.whoWrote(p, last))
		}
		got, err := readNumbers(h, p)
		if err != nil {
			c.t.Errorf("read %s: %v\n%s", p, err, c.whoWrote(p))
		}
		want := f.start
		for _, r := range got {
			if r.partition != partition || r.number != want {
				c.t.Errorf("partition %d: %s has record %d of partition %d where %d belongs\n%s", partition, path.Base(p), r.number, r.partition, want, c.whoWrote(p))
				break
			}
			want++
		}
		if want != f.end+1 {
			c.t.Errorf("partition %d: %s has %d records\n%s", partition, path.Base(p), len(got), c.whoWrote(p))
		}
		next, last = f.end+1, p
	}
	if next != n {
		c.t.Errorf("partition %d: the files end at %d, want %d", partition, next, n)
	}
}

// whoWrote tells what the workers' logs say about files.
func (c *chaos) whoWrote(paths ...string) string {
	var lines []string
	for _, p := range paths {
		for _, w := range c.once {
			lines = append(lines, w.mentions(strings.TrimSuffix(path.Base(p), path.Ext(p)), 3)...)
		}
	}
	return strings.Join(lines, "\n")
}

// numbered is a record as event wrote it.
type numbered struct {
	partition int
	number    int64
}

// readNumbers reads an Avro or JSON file of the sink.
func readNumbers(h *hdfs.Client, p string) (all []numbered, err error) {
	content, err := h.ReadFile(p)
	if err != nil {
		return nil, err
	}
	if strings.HasSuffix(p, ".json") {
		for d := json.NewDecoder(bytes.NewReader(content)); ; {
			var r struct {
				P int
				I int64
			}
			if err := d.Decode(&r); err == io.EOF {
				return all, nil
			} else if err != nil {
				return all, err
			}
			all = append(all, numbered{r.P, r.I})
		}
	}
	ocf, err := goavro.NewOCFReader(bytes.NewReader(content))
	if err != nil {
		return nil, err
	}
	for ocf.Scan() {
		v, err := ocf.Read()
		if err != nil {
			return all, err
		}
		m := v.(map[string]any)
		all = append(all, numbered{int(m["p"].(int32)), m["i"].(int64)})
	}
	return all, ocf.Err()
}

// checkOnce stops the exactly-once source, so that its topic gets an end, and checks what a
// reader of committed records sees.
func (c *chaos) checkOnce() {
	c.t.Helper()
	w := c.once[0]
	eventually(c.t, time.Minute, "the exactly-once source can be stopped", func() error {
		return c.rest.JSON(c.t.Context(), http.MethodPut, client.ConnectorURL(w.base, "chaos-once", "stop"), nil, nil)
	})
	eventually(c.t, time.Minute, "the exactly-once source has stopped", func() error {
		var st struct {
			Connector struct{ State string }
			Tasks     []any
		}
		err := c.rest.JSON(c.t.Context(), http.MethodGet, client.ConnectorURL(w.base, "chaos-once", "status"), nil, &st)
		if err == nil && (st.Connector.State != "STOPPED" || len(st.Tasks) > 0) {
			err = fmt.Errorf("%+v", st)
		}
		return err
	})
	all := c.readAll(chaosOnceTopic, kgo.ReadCommitted())
	if len(all) == 0 {
		c.t.Error("the exactly-once source wrote nothing")
	}
	checkSeqnos(c.t, all, true)
}

// checkLines checks that no line of the file is missing.
func (c *chaos) checkLines(n int) {
	c.t.Helper()
	var got []string
	eventually(c.t, time.Minute, "the last line is in the topic", func() error {
		got = got[:0]
		for _, r := range c.readAll(chaosLinesTopic, kgo.ReadUncommitted()) {
			got = append(got, string(r.Value))
		}
		if !slices.Contains(got, line(n-1)) {
			return fmt.Errorf("%d records, the last is %q", len(got), got[max(0, len(got)-1):])
		}
		return nil
	})
	c.log("%d lines, %d records repeated", n, checkNoGap(c.t, got, n))
}

// readAll reads a topic to its end. With committed records, that is where no transaction is
// open any more: one that nobody ends would hide what comes after it.
func (c *chaos) readAll(topic string, isolation kgo.IsolationLevel) (all []*kgo.Record) {
	c.t.Helper()
	k := c.newClient(kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(isolation), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	defer k.Close()
	ctx, cancel := context.WithTimeout(c.t.Context(), 2*time.Minute)
	defer cancel()
	for open, quiet := true, 0; open || quiet < 10; {
		poll, done := context.WithTimeout(ctx, 500*time.Millisecond)
		fetches := k.PollFetches(poll)
		done()
		if ctx.Err() != nil {
			c.t.Fatalf("%s does not come to an end: %d records were read, a transaction is open: %v", topic, len(all), open)
		}
		quiet++
		fetches.EachPartition(func(p kgo.FetchTopicPartition) {
			all = append(all, p.Records...)
			if len(p.Records) > 0 {
				quiet = 0
			}
		})
		open = isolation == kgo.ReadCommitted() && c.openTransaction(topic)
	}
	return all
}

// checkFootprints looks for what workers have not given back.
func (c *chaos) checkFootprints() {
	const mostFiles, mostMB = 250, 600
	for _, w := range c.workers() {
		fds, mb := w.footprint()
		c.t.Logf("%s: %d open files, %d MB", w.name, fds, mb)
		if fds == 0 || fds > mostFiles || mb > mostMB {
			c.t.Errorf("%s has %d open files and %d MB", w.name, fds, mb)
		}
	}
}

// openTransaction tells that readers of committed records do not see all of a topic yet.
func (c *chaos) openTransaction(topic string) bool {
	var ends [2]int64
	for isolation := range int8(2) {
		req := kmsg.NewPtrListOffsetsRequest()
		req.ReplicaID, req.IsolationLevel = -1, isolation
		rt := kmsg.NewListOffsetsRequestTopic()
		rt.Topic = topic
		for partition := range int32(2) {
			rp := kmsg.NewListOffsetsRequestTopicPartition()
			rp.Partition, rp.Timestamp, rp.CurrentLeaderEpoch = partition, -1, -1
			rt.Partitions = append(rt.Partitions, rp)
		}
		req.Topics = append(req.Topics, rt)
		resp, err := req.RequestWith(c.t.Context(), c.client)
		if err != nil {
			c.t.Fatal(err)
		}
		for _, p := range resp.Topics[0].Partitions {
			if p.ErrorCode != 0 {
				c.t.Fatalf("the end of %s-%d: error code %d", topic, p.Partition, p.ErrorCode)
			}
			ends[isolation] += p.Offset
		}
	}
	return ends[0] != ends[1]
}
