// Package observe turns finished requests into what operators look at: metrics, log lines
// and recent records. The server hands it to the gateway and the engines; nothing in it
// blocks a request.
package observe

import (
	"net/http"
	"strconv"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"gatehouse/internal/gateway"
	"gatehouse/internal/message"
	"gatehouse/internal/plan"
)

// Metrics counts requests for /_gatehouse/metrics. Label values come from bounded sets:
// stages and statuses, never paths or keys. It is safe for concurrent use.
type Metrics struct {
	handler  http.Handler
	requests *prometheus.CounterVec
	latency  *prometheus.HistogramVec
	backend  *prometheus.HistogramVec
	refusals *prometheus.CounterVec
	engine   *prometheus.CounterVec
	revision prometheus.Gauge
	clients  *prometheus.CounterVec
	cache    *prometheus.CounterVec
	days     *prometheus.GaugeVec
	registry *prometheus.Registry
	methods  *methods

	series sync.Map // *plan.Stage to *stageSeries: children are resolved once per stage
}

// stageSeries are the children of one stage, resolved.
type stageSeries struct {
	api, stage string
	latency    prometheus.Observer
	backend    prometheus.Observer
	hits       lazyCounter
	misses     lazyCounter
	statuses   [600]lazyCounter
}

// lazyCounter is a counter that is resolved when it first counts.
type lazyCounter struct {
	once    sync.Once
	counter prometheus.Counter
}

func (c *lazyCounter) inc(resolve func() prometheus.Counter) {
	c.once.Do(func() { c.counter = resolve() })
	c.counter.Inc()
}

// NewMetrics returns metrics with a registry of their own.
func NewMetrics() *Metrics {
	r := prometheus.NewRegistry()
	buckets := []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}
	m := &Metrics{
		registry: r,
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "gatehouse_requests_total", Help: "Requests answered, by API, stage and status."}, []string{"api", "stage", "status"}),
		latency:  prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "gatehouse_request_duration_seconds", Help: "Time from a request's head to the end of its answer.", Buckets: buckets}, []string{"api", "stage"}),
		backend:  prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "gatehouse_integration_duration_seconds", Help: "Time until the head of the backend's answer.", Buckets: buckets}, []string{"api", "stage"}),
		refusals: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "gatehouse_refusals_total", Help: "Requests that the gateway answered itself, by reason."}, []string{"reason"}),
		engine:   prometheus.NewCounterVec(prometheus.CounterOpts{Name: "gatehouse_engine_refusals_total", Help: "Messages that an HTTP engine refused, by status and reason; status 0 was dropped without an answer."}, []string{"status", "reason"}),
		clients:  prometheus.NewCounterVec(prometheus.CounterOpts{Name: "gatehouse_client_certificate_refusals_total", Help: "Requests refused for their client certificate, by reason code."}, []string{"code"}),
		cache:    prometheus.NewCounterVec(prometheus.CounterOpts{Name: "gatehouse_cache_requests_total", Help: "Requests to methods whose answers are kept, by outcome: hit or miss."}, []string{"api", "stage", "outcome"}),
		revision: prometheus.NewGauge(prometheus.GaugeOpts{Name: "gatehouse_plan_revision", Help: "Store revision of the plan that is served."}),
		days:     prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "gatehouse_certificate_expiry_timestamp_seconds", Help: "When a domain's certificate ends, in Unix seconds."}, []string{"domain"}),
	}
	r.MustRegister(m.clients, m.cache, m.requests, m.latency, m.backend, m.refusals, m.engine, m.revision, m.days, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.methods = newMethods(r, buckets)
	m.handler = promhttp.HandlerFor(r, promhttp.HandlerOpts{})
	return m
}

// ServeHTTP answers with all metrics in Prometheus' text form.
func (m *Metrics) ServeHTTP(w http.ResponseWriter, r *http.Request) { m.handler.ServeHTTP(w, r) }

// Gauge adds a gauge whose value f gives when metrics are read.
func (m *Metrics) Gauge(name, help string, f func() float64) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, f))
}

// Counter adds a counter whose value f gives when metrics are read.
func (m *Metrics) Counter(name, help string, f func() float64) {
	m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, f))
}

// Done counts a finished request. It implements gateway.Observer.
func (m *Metrics) Done(r *gateway.Record) {
	if r.Reason != "" {
		m.refusals.WithLabelValues(r.Reason).Inc()
	}
	if r.Client != nil && r.Client.Refusal != nil {
		m.clients.WithLabelValues(r.Client.Refusal.Reason.Code()).Inc()
	}
	m.methods.done(r)
	s := m.of(r.Stage)
	s.latency.Observe(r.Latency.Seconds())
	if r.IntegrationStatus != 0 {
		s.backend.Observe(r.IntegrationLatency.Seconds())
	}
	switch r.Cache {
	case gateway.CacheHit:
		s.hits.inc(func() prometheus.Counter { return m.cache.WithLabelValues(s.api, s.stage, "hit") })
	case gateway.CacheMiss:
		s.misses.inc(func() prometheus.Counter { return m.cache.WithLabelValues(s.api, s.stage, "miss") })
	}
	if r.Status >= 0 && r.Status < len(s.statuses) {
		s.statuses[r.Status].inc(func() prometheus.Counter { return m.requests.WithLabelValues(s.api, s.stage, strconv.Itoa(r.Status)) })
	}
}

// nowhere stands for requests that reached no stage.
var nowhere = &plan.Stage{}

func (m *Metrics) of(s *plan.Stage) *stageSeries {
	if s == nil {
		s = nowhere
	}
	if v, ok := m.series.Load(s); ok {
		return v.(*stageSeries)
	}
	n := &stageSeries{api: s.API.ID, stage: s.Name, latency: m.latency.WithLabelValues(s.API.ID, s.Name), backend: m.backend.WithLabelValues(s.API.ID, s.Name)}
	v, _ := m.series.LoadOrStore(s, n)
	return v.(*stageSeries)
}

// Refused counts a message that an engine refused.
func (m *Metrics) Refused(_ *message.Conn, status int, reason string) {
	m.engine.WithLabelValues(strconv.Itoa(status), reason).Inc()
}

// Plan tells which plan is served, and forgets what belongs to stages that are not in it.
func (m *Metrics) Plan(p *plan.Plan) {
	m.revision.Set(float64(p.Revision))
	forgetStages(&m.series, p)
	m.days.Reset()
	for d := range p.Domains {
		if c := d.Certificate; c != nil && c.Leaf != nil {
			m.days.WithLabelValues(d.Name).Set(float64(c.Leaf.NotAfter.Unix()))
		}
	}
}
