package partitioner

import (
	"strconv"

	"github.com/penstock-io/penstock/connect"
)

// defaultPartitioner names the Kafka partition (Java: DefaultPartitioner).
type defaultPartitioner struct {
	encoded []string // by partition
}

// Encode implements Partitioner.
func (d *defaultPartitioner) Encode(rec *connect.SinkRecord, _ int64) (string, error) {
	p := int(rec.Partition)
	if uint(p) < uint(len(d.encoded)) && d.encoded[p] != "" {
		return d.encoded[p], nil
	}
	name := "partition=" + strconv.Itoa(p)
	if uint(p) < 1<<20 { // more than a topic can have
		for len(d.encoded) <= p {
			d.encoded = append(d.encoded, "")
		}
		d.encoded[p] = name
	}
	return name, nil
}
