package gateway

import (
	"time"

	"gatehouse/internal/plan"
	"gatehouse/internal/trust"
)

// A Record is what is known about an exchange when its answer was sent. It is valid
// during Observer.Done only.
type Record struct {
	Stage      *plan.Stage  // nil when the request reached none
	Method     *plan.Method // nil when the request was not routed
	RequestID  string
	ExtendedID string
	HTTPMethod string
	Host       string
	Path       string
	Status     int
	Sent       int64  // body bytes
	Reason     string // why the gateway answered itself, from a bounded set; "" when it did not
	Cause      string // for the log only; "" when there is none
	Start      time.Time
	Latency    time.Duration

	// Client is the verdict on the client's certificate; nil where none was asked for.
	Client *trust.Verdict

	IntegrationLatency time.Duration
	IntegrationStatus  int

	// Cache tells what the response cache did.
	Cache CacheOutcome

	x *exchange
}

// AppendAccessLog appends the stage's access log line; ok is false when it has none.
func (r *Record) AppendAccessLog(dst []byte) (line []byte, ok bool) {
	if r.Stage == nil || r.Stage.AccessLog == nil {
		return dst, false
	}
	return r.Stage.AccessLog.Format.Append(dst, r.x, r.x), true
}

// observe tells the observer about the finished exchange.
func (x *exchange) observe() {
	if x.g.Observer == nil {
		return
	}
	x.attribute()
	end := x.g.now()
	x.logAt(end)
	if x.log != nil {
		x.finishLog()
	}
	r := &x.record
	*r = Record{
		Stage: x.stage, Method: x.method, RequestID: x.requestID, ExtendedID: x.extendedID, HTTPMethod: x.req.Method,
		Host: x.req.Host, Path: x.req.Path, Status: x.res.status, Sent: x.res.sent, Start: x.start, Latency: end.Sub(x.start),
		Client: x.client, IntegrationLatency: x.backend.latency, IntegrationStatus: x.backend.status, Cache: x.caching.outcome, x: x,
	}
	if x.refusal != nil {
		r.Reason = x.refusal.Reason
		if x.refusal.Cause != nil {
			r.Cause = x.refusal.Cause.Error()
		}
	} else if x.backend.problem != "" {
		r.Reason, r.Cause = "answer-broken-off", x.backend.problem
	}
	x.g.Observer.Done(r)
}

// ExecutionLog calls yield with each event of the execution log, without the prefix that all
// have, and with its time; there is none when the method logs nothing, or level ERROR had no
// failure. message is valid until the next.
func (r *Record) ExecutionLog(yield func(at time.Time, message []byte) bool) {
	if r.x.log != nil {
		r.x.log.each(len(r.RequestID)+len("() "), yield)
	}
}

// AppendExecutionPrefix appends what each event of the execution log begins with.
func (r *Record) AppendExecutionPrefix(dst []byte) []byte {
	return append(append(append(dst, '('), r.RequestID...), ") "...)
}

// HasExecutionLog reports whether ExecutionLog may have events.
func (r *Record) HasExecutionLog() bool { return r.x != nil && r.x.log != nil }

// attribute finds the API that a request was for whose client certificate was refused: its
// answer does not depend on that, but it is logged for the API that the domain maps to
// (logging-and-metrics, section 1).
func (x *exchange) attribute() {
	if x.stage != nil || x.client == nil || x.client.Refusal == nil {
		return
	}
	if x.domain = x.plan.Host(x.host).Domain; x.domain != nil && x.arriveByMapping() == nil {
		x.match()
	}
}
