package gateway

import (
	"context"
	"errors"
	"time"

	"gatehouse/internal/awsapi/sigv4"
	"gatehouse/internal/gateway/inspect"
	"gatehouse/internal/gateway/meter"
	"gatehouse/internal/hold"
	"gatehouse/internal/http1/upstream"
	"gatehouse/internal/lang/expression"
	"gatehouse/internal/lang/mapping"
	"gatehouse/internal/message"
	"gatehouse/internal/plan"
	"gatehouse/internal/trust"
)

// An exchange is one request on its way through the gateway. It belongs to the goroutine
// that serves the request and is reused afterwards: nothing may keep it or a slice of it.
type exchange struct {
	g           *Gateway
	plan        *plan.Plan
	req         *message.Request
	w           message.Writer
	entry       entry
	test        bool              // a Test: there is no client
	testContext map[string]string // values of $context that a test of an authorizer gives

	host     string // normalised
	verb     string // the request's method, or what overrides it
	domain   *plan.Domain
	endpoint *Endpoint      // VPC endpoint that the request came by; nil on public ways
	client   *trust.Verdict // of mutual TLS; nil on other domains
	stage    *plan.Stage
	method   *plan.Method
	params   plan.Params
	path     string // what follows stage or base path, raw
	base     string // base path of the mapping, without slashes
	rule     string // id of the routing rule that led here instead; "" for none

	requestID  string
	extendedID string
	trace      trace
	start      time.Time

	caller    *sigv4.Principal // who signed; nil for everyone else
	accessKey string
	signer    sigv4.SigningKey // who signed, to sign for; empty for everyone else
	auth      authorized       // what the method's authorizer said

	key        string // API key of a method that requires one
	grant      meter.Grant
	retryAfter time.Duration // of a limit that refused

	peeker inspect.Peeker
	waf    wafFacts
	log    *executionLog // nil when the method writes none

	bodyRead bool
	held     int64 // of Gateway.Memory
	claims   struct{ request, received, answer claim }
	up       upstream.Request
	answer   upstream.Response
	open     bool // answer must be closed
	streamed stream
	backend  backendFacts
	caching  cachingFacts
	inflater *inflater // of a body that came compressed; else nil

	asked, answered expression.BodyReader // what mappings read of the two bodies

	call mapping.Call // what the templates of the exchange share

	res     response
	refusal *Refusal
	record  Record // for observers

	buffers
}

// buffers are the byte slices that exchanges reuse.
type buffers struct {
	body     []byte // of the request
	target   []byte // of the backend's request
	query    []byte
	rendered []byte // by the request template
	received []byte // from the backend
	peeked   []byte // of the request's body, for the web ACL
	cacheKey []byte
	packed   []byte         // the answer, compressed
	fields   message.Header // of an event
	identity []byte         // what an authorizer's answer is kept under, before it is hashed
	log      executionLog
}

// maxKept is the largest buffer that is kept for the next exchange, in bytes: one large
// body must not stay in memory for ever.
const maxKept = hold.Free

// run is the sequence of a request (request-lifecycle, section 1). What is not built yet
// is not stubbed: the compiler marks methods and stages that need it, and serve refuses
// them.
func (x *exchange) run(ctx context.Context) {
	err := x.arrive(ctx) // TLS and client certificate, host, mapping, stage
	if err == nil {
		err = x.decode() // Content-Encoding of the request
	}
	if err == nil {
		err = x.inspect() // web ACL
	}
	if err == nil {
		err = x.route(ctx) // resource and method
	}
	if err == nil {
		err = x.offered() // refuses what needs a step that does not exist
	}
	if err == nil {
		err = x.throttle() // method, stage and account limits
	}
	if err == nil {
		err = x.authorize(ctx) // resource policy and IAM
	}
	if err == nil {
		err = x.meter() // API key, usage plan and quota
	}
	if err == nil && x.log != nil {
		err = x.logStart()
	}
	if err == nil {
		err = x.validate() // parameters, then body
	}
	if err == nil {
		err = x.fulfil(ctx) // cache, or integration request, call, integration response
	}
	if err == nil && !x.res.lent {
		err = x.claim(&x.claims.answer, len(x.res.body)) // a slow client may take its time
	}
	if err != nil {
		x.refuse(err)
	}
	x.respond()
	x.observe()
}

// begin readies x for a request.
func (x *exchange) begin(g *Gateway, p *plan.Plan, req *message.Request, w message.Writer, e entry) {
	x.g, x.plan, x.req, x.w, x.entry = g, p, req, w, e
	x.start = req.Received
	if x.start.IsZero() {
		x.start = g.now()
	}
	if chosen := req.Header.Get("X-Amzn-Requestid"); chosen == "" {
		x.requestID, x.extendedID = newIDs()
	} else {
		x.requestID, x.extendedID = requestIDOf(chosen), newExtendedID()
	}
}

// end forgets the request, keeping buffers for the next one.
func (x *exchange) end() {
	if x.open {
		x.answer.Close()
	}
	if s := x.streamed.fn; s != nil {
		s.close()
	}
	x.g.Memory.Give(x.held)
	x.unpeek()
	x.undecode()
	buffers, body := x.buffers, x.res.own()
	header, sent, answered := emptied(x.res.header), emptied(x.up.Header), emptied(x.answer.Header)
	*x = exchange{} // in place: a copy of it is 3 KB
	x.buffers, x.res.body, x.res.header, x.up.Header, x.answer.Header = buffers, body, header, sent, answered
	for _, b := range []*[]byte{&x.body, &x.target, &x.query, &x.rendered, &x.received, &x.peeked, &x.cacheKey, &x.packed, &x.identity} {
		*b = kept(*b)
	}
	x.fields = emptied(x.fields)
	x.buffers.log.reset()
}

func kept(b []byte) []byte {
	if cap(b) > maxKept {
		return nil
	}
	return b[:0]
}

// emptied returns h without its fields, so that no string outlives its request.
func emptied(h message.Header) message.Header {
	clear(h[:cap(h)])
	return h[:0]
}

// refuse makes err the outcome of the exchange.
func (x *exchange) refuse(err error) {
	var r *Refusal
	if !errors.As(err, &r) {
		r = &Refusal{Type: plan.Default5XX, Status: 500, Message: "Internal server error",
			Kind: "InternalServerErrorException", Executing: true, Reason: "internal", Cause: err}
	}
	x.refusal = r
	x.render(r)
}

// offered refuses methods that are configured with something that this
// version does not do.
func (x *exchange) offered() error {
	if why := x.method.Refusal; why != "" {
		return notOffered(why)
	}
	return nil
}

// requestIDOf returns the client's x-amzn-RequestId when it is a UUID. A bad one is replaced
// with a suffix that says so (request-lifecycle, section 2.2).
func requestIDOf(chosen string) string {
	if isRequestID(chosen) {
		return chosen
	}
	return newRequestID() + "_REPLACED_INVALID_REQUEST_ID"
}

// traceHeader returns the X-Amzn-Trace-Id that backends get.
func (x *exchange) traceHeader() string {
	if x.trace.header == "" {
		x.trace = newTrace(x.req.Header.Get("X-Amzn-Trace-Id"), x.start)
	}
	return x.trace.header
}
