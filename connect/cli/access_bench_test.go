package cli

import (
	"fmt"
	"testing"

	"github.com/penstock-io/penstock/connect/plugin"
)

// BenchmarkMask is what GET /connectors?expand=info costs per connector for who may not edit it.
func BenchmarkMask(b *testing.B) {
	registry, err := plugin.New(testProgram().Plugins)
	if err != nil {
		b.Fatal(err)
	}
	s := newSecrets(registry)
	for i := range 200 {
		s.Add(fmt.Sprintf("s3cret-%d", i))
	}
	config := sinkConfig("/data", "orders", 4)
	for i := range 20 {
		config[fmt.Sprint("some.key.", i)] = "some value of medium length"
	}
	config["transforms"], config["transforms.m.type"] = "m", "org.apache.kafka.connect.transforms.MaskField$Value"
	b.ReportAllocs()
	for b.Loop() {
		s.mask(config, config)
	}
}
