package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// eventSchema is the schema of a page view, in the form of Connect's JSON converter.
const eventSchema = `{"type":"struct","name":"PageView","optional":false,"fields":[` +
	`{"field":"time","type":"int64","name":"org.apache.kafka.connect.data.Timestamp","version":1,"optional":false},` +
	`{"field":"user","type":"string","optional":false},` +
	`{"field":"page","type":"string","optional":false},` +
	`{"field":"country","type":"string","optional":true},` +
	`{"field":"millis","type":"int32","optional":false},` +
	`{"field":"price","type":"double","optional":true}]}`

// pageView is one plain JSON event; events lie in the last hours, so that some
// directories appear.
func pageView(r *rand.Rand, now time.Time) []byte {
	pages := []string{"/", "/search", "/item/4711", "/item/815", "/cart", "/checkout", "/help"}
	countries := []string{`"DE"`, `"FR"`, `"IT"`, `"PL"`, `"ES"`, `"US"`, `"JP"`, "null"}
	at := now.Add(-time.Duration(r.IntN(150)) * time.Minute)
	price := "null"
	if r.IntN(4) == 0 {
		price = fmt.Sprintf("%d.%02d", r.IntN(200), r.IntN(100))
	}
	return fmt.Appendf(nil, `{"time":%d,"user":"user-%04d","page":"%s","country":%s,"millis":%d,"price":%s}`,
		at.UnixMilli(), r.IntN(5000), pages[r.IntN(len(pages))], countries[r.IntN(len(countries))], 5+r.IntN(900), price)
}

func createQuickTopic(ctx context.Context, bootstrap string) error {
	c, err := kgo.NewClient(kgo.SeedBrokers(bootstrap))
	if err != nil {
		return err
	}
	defer c.Close()
	req := kmsg.NewPtrCreateTopicsRequest()
	t := kmsg.NewCreateTopicsRequestTopic()
	t.Topic, t.NumPartitions, t.ReplicationFactor = quickTopic, 4, 1
	req.Topics = append(req.Topics, t)
	resp, err := req.RequestWith(ctx, c)
	if err != nil {
		return err
	}
	if err := kerr.ErrorForCode(resp.Topics[0].ErrorCode); err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
		return fmt.Errorf("create topic %s: %w", quickTopic, err)
	}
	return nil
}

// produceEvents writes events for some seconds, with a progress line, and returns how many.
func (q *quickstart) produceEvents(ctx context.Context) (int, error) {
	const perTick, tick = 400, 100 * time.Millisecond
	c, err := kgo.NewClient(kgo.SeedBrokers(q.bootstrap), kgo.DefaultProduceTopic(quickTopic))
	if err != nil {
		return 0, err
	}
	defer c.Close()
	r := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // made-up events
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	produced := 0
	for range q.seconds * int(time.Second/tick) {
		records := make([]*kgo.Record, perTick)
		for i := range records {
			records[i] = &kgo.Record{Value: pageView(r, time.Now())}
		}
		if err := c.ProduceSync(ctx, records...).FirstErr(); err != nil {
			return produced, fmt.Errorf("produce events: %w", err)
		}
		produced += perTick
		if q.terminal {
			fmt.Fprintf(q.out, "\r4. Events     %d page views produced", produced)
		}
		select {
		case <-ctx.Done():
			return produced, ctx.Err()
		case <-ticker.C:
		}
	}
	if q.terminal {
		fmt.Fprintln(q.out)
	} else {
		q.say("4. Events     %d page views produced", produced)
	}
	return produced, nil
}
