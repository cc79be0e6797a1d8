package gateway

import (
	"bytes"
	"context"
	"errors"
	"net/netip"
	"time"

	"gatehouse/internal/gateway/authorizer"
	"gatehouse/internal/gateway/meter"
	"gatehouse/internal/message"
	"gatehouse/internal/plan"
)

// An AuthorizerTest is a request that somebody tries an authorizer with.
type AuthorizerTest struct {
	Stage      *plan.Stage // without resources: what the authorizer's settings need
	Authorizer *plan.Authorizer

	Path   string // raw
	Query  string // raw
	Header message.Header
	Body   []byte

	// Context are values of $context that identity sources read, by their path.
	Context map[string]string
}

// An AuthorizerResult is what an authorizer said in a test.
type AuthorizerResult struct {
	Status    int    // that the client would get; 0 when the authorizer succeeded, whatever its policy says
	Principal string // of a Lambda authorizer
	Policy    string // of a Lambda authorizer, as JSON; "" without one
	Claims    []authorizer.Pair
	Latency   time.Duration
	Log       string
}

// What a test of an authorizer has in place of a request's id and resource.
const (
	testRequestID    = "test-request"
	testResourceID   = "test-invoke-resource-id"
	testResourcePath = "/test-invoke-resource-path"
)

// TestAuthorizer asks an authorizer as a request would. What it says is not remembered, and
// what was remembered is not used.
func (g *Gateway) TestAuthorizer(ctx context.Context, t *AuthorizerTest) *AuthorizerResult {
	target := t.Path
	if t.Query != "" {
		target += "?" + t.Query
	}
	req := &message.Request{
		Method: "GET", Target: target, Path: t.Path, RawQuery: t.Query, Host: testHost, Header: t.Header,
		ContentLength: int64(len(t.Body)), Body: bytes.NewReader(t.Body), Received: g.now(),
		Conn: &message.Conn{Listener: message.ControlListener, Remote: netip.AddrPortFrom(netip.IPv4Unspecified(), 0)},
	}
	dropReserved(&req.Header) // a test verifies no client certificate either
	x := &exchange{test: true, testContext: t.Context}
	x.begin(g, g.plan.Load(), req, &testWriter{}, entry{})
	defer x.end()
	a := *t.Authorizer
	a.TTL = 0
	x.requestID = testRequestID
	x.stage, x.verb, x.path = t.Stage, "GET", t.Path
	x.method = &plan.Method{Name: "GET", Resource: &plan.Resource{ID: testResourceID, Path: testResourcePath}, Authorizer: &a}
	x.log = &x.buffers.log
	x.log.level, x.log.trace, x.log.at = plan.LogInfo, true, x.start

	out, err := x.tryAuthorizer(ctx, &a)
	var r *Refusal
	if errors.As(err, &r) {
		out.Status = r.status()
		if line := r.executionLine(x.contentType(), x.requestID); line != "" {
			x.logFailure(line)
		}
	}
	out.Latency, out.Log = g.now().Sub(x.start), x.testLog()
	return out
}

// tryAuthorizer asks without judging: there is no method that a policy or scopes could be
// held against.
func (x *exchange) tryAuthorizer(ctx context.Context, a *plan.Authorizer) (*AuthorizerResult, error) {
	if a.Kind == plan.UserPoolAuthorizer {
		err := x.verifyToken(ctx, a)
		return &AuthorizerResult{Claims: x.auth.claims}, err
	}
	answer, err := x.askLambda(ctx, a, x.methodARN(x.stage.Account))
	if err != nil {
		return &AuthorizerResult{}, err
	}
	x.logLine("Using valid authorizer policy for principal: ", meter.Mask(answer.Principal))
	x.logLine("Successfully completed authorizer execution")
	return &AuthorizerResult{Principal: answer.Principal, Policy: answer.Document}, nil
}
