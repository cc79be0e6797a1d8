package observe

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"gatehouse/internal/gateway"
)

// methods counts the requests of each method whose stage has detailed metrics
// (metricsEnabled; logging-and-metrics, section 3). The label values are those of the service's
// dimensions: the method's own verb, ANY included, and its resource's path template.
type methods struct {
	requests *prometheus.CounterVec
	latency  *prometheus.HistogramVec
}

func newMethods(r *prometheus.Registry, buckets []float64) *methods {
	labels := []string{"api", "stage", "method", "resource"}
	m := &methods{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "gatehouse_method_requests_total", Help: "Requests answered, by method and status, of methods with metricsEnabled."}, append(labels, "status")),
		latency:  prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "gatehouse_method_request_duration_seconds", Help: "Time from a request's head to the end of its answer, of methods with metricsEnabled.", Buckets: buckets}, labels),
	}
	r.MustRegister(m.requests, m.latency)
	return m
}

// done counts a finished request.
func (m *methods) done(r *gateway.Record) {
	if r.Method == nil || !r.Method.Metrics {
		return
	}
	api, stage, verb, resource := r.Stage.API.ID, r.Stage.Name, r.Method.Name, r.Method.Resource.Path
	m.requests.WithLabelValues(api, stage, verb, resource, strconv.Itoa(r.Status)).Inc()
	m.latency.WithLabelValues(api, stage, verb, resource).Observe(r.Latency.Seconds())
}
