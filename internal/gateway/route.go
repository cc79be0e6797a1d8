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

// unrouted is the answer to a path or method that the API does not have. The service reads
// Authorization before it gives up (request-lifecycle, section 4.2): a caller who sent something
// else than a signature in it is told so, and one who signed is told more.
func (x *exchange) unrouted(ctx context.Context) error {
	if x.g.Verifier == nil || !x.req.Header.Has("Authorization") && !strings.Contains(x.req.RawQuery, "X-Amz-") {
		return errNoRoute
	}
	req := sigv4.FromMessage(x.req)
	if _, signed := sigv4.Peek(req); signed {
		return x.unroutedCaller(ctx)
	}
	_, err := x.g.Verifier.Verify(ctx, &x.g.ExecuteAPI, req)
	var e *sigv4.Error
	if !errors.As(err, &e) || e.Kind != sigv4.Incomplete {
		return errNoRoute
	}
	return unverified(e)
}

// unroutedCaller is the answer to a signed request for what the API does not have: the
// signature and the caller's permission are judged as those of an AWS_IAM method, and only who
// may call the path learns that it is not there. That is the description of the type
// RESOURCE_NOT_FOUND taken by its word; no recording confirms it, nor the text of the 404.
func (x *exchange) unroutedCaller(ctx context.Context) error {
	err := x.authenticate(ctx)
	x.auth.authenticate.note(err)
	if err != nil {
		return err
	}
	err = x.authorizeCaller(x.stage.Policy)
	x.auth.authorize.note(err)
	if err != nil {
		return err
	}
	return errNotFound
}
