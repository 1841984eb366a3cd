package kafka

import "github.com/rcrowley/go-metrics"

// noMetrics is a registry that keeps nothing. sarama has about ten histograms of
// 25 KB per connection and a process-wide ticker goroutine behind its meters; with
// hundreds of clients that is more memory than their data. metrics.UseNilMetrics
// does the same but for the whole process, also for embedders of ours.
type noMetrics struct{}

var _ metrics.Registry = noMetrics{}

// GetOrRegister returns a metric of the wanted kind that does nothing. sarama
// passes constructors (checked by TestSaramaMetricsAreOff); anything else is
// handed back unregistered.
func (noMetrics) GetOrRegister(_ string, metric any) any {
	switch m := metric.(type) {
	case func() metrics.Meter:
		return metrics.NilMeter{}
	case func() metrics.Histogram:
		return metrics.NilHistogram{}
	case func() metrics.Counter:
		return metrics.NilCounter{}
	case func() metrics.Gauge:
		return metrics.NilGauge{}
	case func() metrics.Timer:
		return metrics.NilTimer{}
	default:
		return m
	}
}

func (noMetrics) Each(func(string, any))            {}
func (noMetrics) Get(string) any                    { return nil }
func (noMetrics) GetAll() map[string]map[string]any { return nil }
func (noMetrics) Register(string, any) error        { return nil }
func (noMetrics) RunHealthchecks()                  {}
func (noMetrics) Unregister(string)                 {}
func (noMetrics) UnregisterAll()                    {}
