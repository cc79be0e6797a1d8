package observe

import (
	"strings"

	"github.com/prometheus/client_golang/prometheus"
)

// A vec is a family of metrics that is made when metrics are read.
type vec struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
	read func(emit func(value float64, labels ...string))
}

// Gauges adds a family of gauges: read emits each with a value for every label.
func (m *Metrics) Gauges(name, help string, labels []string, read func(emit func(value float64, labels ...string))) {
	m.registry.MustRegister(&vec{prometheus.NewDesc(name, help, labels, nil), prometheus.GaugeValue, read})
}

// Counters is Gauges for values that only grow.
func (m *Metrics) Counters(name, help string, labels []string, read func(emit func(value float64, labels ...string))) {
	m.registry.MustRegister(&vec{prometheus.NewDesc(name, help, labels, nil), prometheus.CounterValue, read})
}

// Describe implements prometheus.Collector.
func (v *vec) Describe(to chan<- *prometheus.Desc) { to <- v.desc }

// Collect implements prometheus.Collector. Text from certificates need not be UTF-8.
func (v *vec) Collect(to chan<- prometheus.Metric) {
	v.read(func(value float64, labels ...string) {
		for i := range labels {
			labels[i] = strings.ToValidUTF8(labels[i], "?")
		}
		to <- prometheus.MustNewConstMetric(v.desc, v.kind, value, labels...)
	})
}
