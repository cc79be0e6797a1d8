package gateway

import (
	"context"
	"errors"
	"time"

	"gatehouse/internal/message"
	"gatehouse/internal/plan"
)

// An exchange is one request on its way through the gateway. It belongs to the goroutine
// that serves the request and is reused afterwards: nothing may keep it or a slice of it.
type exchange struct {
	g     *Gateway
	plan  *plan.Plan
	req   *message.Request
	w     message.Writer
	entry entry

	host   string // normalised
	domain *plan.Domain
	stage  *plan.Stage
	method *plan.Method
	params plan.Params
	path   string // what follows stage or base path, raw
	base   string // base path of the mapping, without slashes

	requestID  string
	extendedID string
	trace      trace
	start      time.Time

	res      response
	refusal  *Refusal
	backend  backendFacts
	identity identity
}

// run is the sequence of a request (request-lifecycle, section 1). What is not built yet
// is not stubbed: the compiler marks methods and stages that need it, and serve refuses
// them.
func (x *exchange) run(ctx context.Context) {
	err := x.arrive() // TLS and client certificate, host, mapping, stage
	if err == nil {
		err = x.route() // resource and method
	}
	if err == nil {
		err = x.offered() // refuses what needs a step that does not exist
	}
	if err == nil {
		err = x.integrate(ctx) // integration request, call, integration response
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
	x.requestID = requestIDOf(req)
	x.extendedID = newExtendedID()
}

// end forgets the request, keeping buffers for the next one.
func (x *exchange) end() {
	x.params.Reset()
	header := x.res.header[:0]
	clear(header[:cap(header)])
	params := x.params
	*x = exchange{params: params, res: response{header: header}}
}

// refuse makes err the outcome of the exchange.
func (x *exchange) refuse(err error) {
	var r *Refusal
	if !errors.As(err, &r) {
		r = &Refusal{Type: plan.Default5XX, Status: 500, Message: "Internal server error",
			Error: "InternalServerErrorException", Executing: true, Reason: "internal", Cause: err}
	}
	x.refusal = r
	x.render(r)
}

// offered refuses methods and stages that are configured with something that this
// version does not do.
func (x *exchange) offered() error {
	if why := x.stage.Refusal; why != "" {
		return notOffered(why)
	}
	if why := x.method.Refusal; why != "" {
		return notOffered(why)
	}
	return nil
}

// requestIDOf returns the client's x-amzn-RequestId when it is a UUID, else a new id. A
// bad one is replaced with a suffix that says so (request-lifecycle, section 2.2).
func requestIDOf(req *message.Request) string {
	chosen := req.Header.Get("X-Amzn-Requestid")
	switch {
	case chosen == "":
		return newRequestID()
	case isRequestID(chosen):
		return chosen
	}
	return newRequestID() + "_REPLACED_INVALID_REQUEST_ID"
}
