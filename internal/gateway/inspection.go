package gateway

import (
	"errors"
	"time"

	"gatehouse/internal/gateway/inspect"
	"gatehouse/internal/lang/variable"
	"gatehouse/internal/message"
	"gatehouse/internal/plan"
)

// wafFacts is what the web ACL left for logs: $context.waf*.
type wafFacts struct {
	response string // WAF_ALLOW, WAF_BLOCK or ""
	status   int64
	latency  time.Duration
	problem  string
	body     bool // the request's body was replaced by the exchange's peeker
}

// inspect asks the stage's web ACL, before everything else (wafv2, section 7.1). What it
// inserts is part of the request from here on.
func (x *exchange) inspect() error {
	g := x.stage.Guard
	if g == nil {
		return nil
	}
	began := x.g.now()
	out, err := g.Inspect(x.subject(g))
	x.waf.latency = x.g.now().Sub(began)
	if err != nil {
		return x.uninspected(err)
	}
	if out.Allowed {
		x.waf.response, x.waf.status = "WAF_ALLOW", 200
		for _, h := range out.Insert {
			x.req.Header.Set(h.Name, h.Value)
		}
		return nil
	}
	if out.Blocked {
		x.waf.response = "WAF_BLOCK"
	}
	x.waf.status = 403
	r := &Refusal{Type: plan.WAFFiltered, Message: "Forbidden", Reason: "waf", Custom: out.Response, Cause: errors.New(out.Why)}
	if r.Custom == nil {
		r.Kind = "ForbiddenException"
	}
	return r
}

// subject shows the request to the web ACL. Its body is looked at through the exchange's
// peeker, which the integration then reads.
func (x *exchange) subject(g *inspect.Guard) *inspect.Subject {
	path := x.req.Path
	if x.entry.named {
		path = string(x.appendRawPath(nil))
	}
	s := &inspect.Subject{Request: x.req, Path: path, Trace: x.traceHeader(), RequestID: x.extendedID, Time: x.start, Decoded: x.inflater != nil}
	if g.ACL.UsesBody() && x.req.ContentLength != 0 {
		x.peeker.Reset(x.req.Body, x.peeked)
		x.req.Body = &x.peeker
		x.waf.body = true
		s.Body = &x.peeker
	}
	return s
}

// unpeek gives the engine its body back and keeps the peeker's memory.
func (x *exchange) unpeek() {
	if x.waf.body {
		x.peeked = x.peeker.Buffer()
		x.req.Body = x.peeker.Source()
	}
}

// uninspected refuses a request that the web ACL could not decide about: as the body's
// own fault, else closed.
func (x *exchange) uninspected(err error) error {
	x.waf.problem = err.Error()
	cause, ofBody := inspect.IsBody(err)
	switch {
	case !ofBody:
		x.waf.status = 500
		return &Refusal{Type: plan.Default5XX, Status: 500, Message: "Internal server error", Kind: "InternalServerErrorException", Reason: "waf-error", Cause: err}
	case errors.Is(cause, message.ErrBodyTooLarge):
		return errBodyTooLarge
	case refusalIn(cause) != nil:
		return refusalIn(cause)
	}
	return &Refusal{Type: plan.Default4XX, Status: 400, Message: "Bad Request", Kind: "BadRequestException", Reason: "body-unreadable", Cause: cause}
}

// wafText gives $context.waf* that are strings.
func (x *exchange) wafText(id variable.ID) (string, bool) {
	if x.stage == nil || x.stage.Guard == nil {
		return "", false
	}
	switch id {
	case variable.WAFResponseCode:
		return x.waf.response, true
	case variable.WAFError:
		return x.waf.problem, true
	case variable.WebACLARN:
		return x.stage.Guard.ACL.ARN(), true
	}
	return "", false
}

// wafNumber gives those that are numbers.
func (x *exchange) wafNumber(id variable.ID) (int64, bool) {
	guarded := x.stage != nil && x.stage.Guard != nil
	switch id {
	case variable.WAFStatus:
		return x.waf.status, guarded && x.waf.status != 0
	case variable.WAFLatency:
		return x.waf.latency.Milliseconds(), guarded
	}
	return 0, false
}
