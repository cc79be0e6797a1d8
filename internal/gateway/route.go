package gateway

import (
	"context"
	"errors"
	"strings"

	"gatehouse/internal/awsapi/sigv4"
	"gatehouse/internal/plan"
)

// route finds the resource and method of the request.
func (x *exchange) route(ctx context.Context) error {
	if !x.match() {
		return x.unrouted(ctx)
	}
	return nil
}

// match is route without an answer for what the API does not have. X-HTTP-Method-Override
// replaces the request's method (routing-and-integrations, section 1).
func (x *exchange) match() bool {
	x.verb = x.req.Method
	if override := x.req.Header.Get("X-HTTP-Method-Override"); override != "" {
		x.verb = override
	}
	x.method = x.stage.Root.Match(x.path, plan.IndexMethod(x.verb), &x.params)
	if x.method == nil {
		return false
	}
	if x.method.Log != plan.LogOff {
		x.openLog()
	}
	return true
}

// unrouted is the answer to a path or method that the API does not have. A caller who
// sent something else than a signature in Authorization is told so (request-lifecycle, section
// 4.2): the service reads the header before it gives up.
func (x *exchange) unrouted(ctx context.Context) error {
	text := x.req.Header.Get("Authorization")
	if text == "" || strings.HasPrefix(text, "AWS4-") || x.g.Verifier == nil {
		return errNoRoute
	}
	_, err := x.g.Verifier.Verify(ctx, &x.g.ExecuteAPI, sigv4.FromMessage(x.req))
	var e *sigv4.Error
	if !errors.As(err, &e) || e.Kind != sigv4.Incomplete {
		return errNoRoute
	}
	return unverified(e)
}
