package gateway

import (
	"time"

	"gatehouse/internal/plan"
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

	IntegrationLatency time.Duration
	IntegrationStatus  int

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
	r := Record{
		Stage: x.stage, Method: x.method, RequestID: x.requestID, ExtendedID: x.extendedID, HTTPMethod: x.req.Method,
		Host: x.req.Host, Path: x.req.Path, Status: x.res.status, Sent: x.res.sent, Start: x.start, Latency: x.g.now().Sub(x.start),
		IntegrationLatency: x.backend.latency, IntegrationStatus: x.backend.status, x: x,
	}
	if x.refusal != nil {
		r.Reason = x.refusal.Reason
		if x.refusal.Cause != nil {
			r.Cause = x.refusal.Cause.Error()
		}
	} else if x.backend.problem != "" {
		r.Reason, r.Cause = "answer-broken-off", x.backend.problem
	}
	x.g.Observer.Done(&r)
}
