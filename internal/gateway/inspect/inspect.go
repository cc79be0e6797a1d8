// Package inspect runs a stage's web ACL over a request, before everything else that the
// stage asks for.
//
// The compiler makes one Guard per stage with a web ACL; the gateway calls Inspect when a
// request has arrived at its stage. What a Guard sees is told to a Recorder, which keeps
// samples and writes logs. A Guard is immutable and safe for concurrent use.
//
// Behaviour: reference/wafv2.md sections 7.1 and 8. If the evaluation itself fails, the
// request is refused; what AWS does then is not documented.
package inspect

import (
	"errors"
	"time"

	"gatehouse/internal/lang/wafrules"
	"gatehouse/internal/lang/wafrules/record"
	"gatehouse/internal/message"
)

// A Guard is a web ACL at the door of a stage.
type Guard struct {
	ACL *wafrules.ACL
	// Source names the stage in logs: "account:api:stage".
	Source string
	// Metric is the web ACL's own metric name, under which samples of the default
	// action are kept.
	Metric string
	// Account salts the hashes of protected values.
	Account string
	// Protections hide parts of requests in samples and logs.
	Protections []record.Protection
	// Logging is nil when the web ACL does not log.
	Logging *Logging
	// Geography names the countries of clients in logs; nil leaves them out.
	Geography wafrules.Geography
	// Recorder is told about every request; nil forgets them.
	Recorder Recorder
}

// Logging says what a web ACL logs, and where.
type Logging struct {
	Destination string // ARN
	Redaction   record.Redaction
	Filter      *record.Filter // nil keeps all
	// ExplainKey, when not nil, adds to each record what made rules match, with the
	// matched bytes as a hash under this key.
	ExplainKey []byte
}

// A Recorder keeps what the firewall saw. Its methods must not block and are called by
// many goroutines; it owns what it is given.
type Recorder interface {
	// Wants counts a request for samples of a web ACL under a metric's name, and reports
	// whether a sample of it is to be kept.
	Wants(acl, metric string, at time.Time) bool
	// Sample keeps a sample.
	Sample(acl, metric string, s record.Sample)
	// Log writes a log record.
	Log(to *Logging, l *record.Log)
	// Explain keeps why rules matched the request with this extended id.
	Explain(id string, x *record.Explanation)
}

// A Subject is a request as the gateway hands it over.
type Subject struct {
	Request   *message.Request
	Path      string // raw, with the stage as the client sent it
	Trace     string // X-Amzn-Trace-Id
	RequestID string
	Time      time.Time
	// Body lets the firewall look at the body, which the integration reads later.
	Body *Peeker
	// Decoded says that Body is no longer in the coding of which Content-Encoding tells: the
	// gateway has undone it for all steps.
	Decoded bool
}

// An Outcome is what became of a request. It owns its memory.
type Outcome struct {
	// Allowed says that the request goes on, with Insert added to its header.
	Allowed bool
	Insert  []wafrules.Header
	// Blocked says that the web ACL refused it; otherwise the client has to solve a
	// puzzle first.
	Blocked bool
	// Response answers a request that does not go on; nil means the gateway's own
	// WAF_FILTERED.
	Response *wafrules.Response
	Rule     string // that decided, for logs
	// Why explains a refusal to operators: rule, statement, component and place of the
	// match, never the matched bytes.
	Why string
}

// The answers to clients without a token. The pages that let a browser get one are the
// service's own; a REST client sees status and header.
var (
	captcha   = &wafrules.Response{Status: 405, Header: []wafrules.Header{{Name: "x-amzn-waf-action", Value: "captcha"}, {Name: "Cache-Control", Value: "no-store"}}}
	challenge = &wafrules.Response{Status: 202, Header: []wafrules.Header{{Name: "x-amzn-waf-action", Value: "challenge"}, {Name: "Cache-Control", Value: "no-store"}}}
)

// Inspect evaluates one request. An error means that no decision was reached; it wraps
// the body's error if that was the reason.
func (g *Guard) Inspect(s *Subject) (Outcome, error) {
	scratch := wafrules.AcquireScratch()
	defer scratch.Release()
	d := describers.Get().(*describer)
	defer d.release()
	r := d.describe(s)
	v, err := g.ACL.Evaluate(r, scratch)
	if err != nil {
		return Outcome{}, err
	}
	out := Outcome{Rule: v.Rule, Insert: v.Insert}
	switch v.Action {
	case wafrules.Allow:
		out.Allowed = true
		out.Insert = append([]wafrules.Header(nil), v.Insert...)
	case wafrules.Block:
		out.Blocked, out.Response, out.Insert = true, v.Response, nil
	case wafrules.Captcha:
		out.Response, out.Insert = captcha, nil
	default:
		out.Response, out.Insert = challenge, nil
	}
	if !out.Allowed {
		out.Why = explain(v)
	}
	g.record(s, r, v, &out)
	return out, nil
}

// status is what the client is sent, 0 for a request that goes on.
func (o *Outcome) status() int {
	switch {
	case o.Allowed:
		return 0
	case o.Response != nil:
		return o.Response.Status
	}
	return 403
}

// record tells the recorder, if anybody wants to know.
func (g *Guard) record(s *Subject, r *wafrules.Request, v *wafrules.Verdict, out *Outcome) {
	if g.Recorder == nil {
		return
	}
	wants := func(metric string) bool { return g.Recorder.Wants(g.ACL.ARN(), metric, r.Time) }
	if len(v.Rules) == 0 && g.Logging == nil {
		// No rule matched, as with nearly all requests: only the default action may want it.
		if v.Rule != wafrules.DefaultActionRule || !wants(g.Metric) {
			return
		}
		wants = func(string) bool { return true }
	}
	e := record.Event{Request: r, Verdict: v, WebACL: g.ACL.ARN(), Source: g.Source, RequestID: s.RequestID, Status: out.status()}
	if g.Geography != nil {
		e.Country, _ = g.Geography.Country(r.ClientIP)
	}
	for metric, sample := range record.Samples(&e, g.Metric, wants) {
		sample.Protect(g.Account, g.Protections)
		g.Recorder.Sample(e.WebACL, metric, sample)
	}
	if len(v.Rules) > 0 {
		x := record.NewExplanation(&e)
		x.Protect(g.Account, g.Protections)
		g.Recorder.Explain(s.RequestID, x)
	}
	if g.Logging == nil || !g.Logging.Filter.Keeps(v) {
		return
	}
	l := record.New(&e)
	if g.Logging.ExplainKey != nil {
		x := record.NewExplanation(&e)
		x.Protect(g.Account, g.Protections)
		l.Explanation = x.Show(g.Logging.ExplainKey, false).Matches
	}
	l.Protect(g.Account, g.Protections)
	l.Redact(g.Logging.Redaction)
	g.Recorder.Log(g.Logging, l)
}

// IsBody reports whether an error of Inspect came from the client's body rather than
// from the firewall, and which it was.
func IsBody(err error) (cause error, ok bool) {
	if e, found := errors.AsType[*bodyError](err); found {
		return e.err, true
	}
	return nil, false
}
