package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"time"

	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"gatehouse/internal/awsapi"
	"gatehouse/internal/config"
	"gatehouse/internal/control/functions"
	"gatehouse/internal/control/identities"
	"gatehouse/internal/invoke"
	"gatehouse/internal/invoke/remote"
	"gatehouse/internal/runtime"
)

// apiGatewayService is the service principal in whose name functions are called.
const apiGatewayService = "apigateway.amazonaws.com"

// backplaneSession is the session name of roles that API Gateway assumes
// (routing-and-integrations.md, section 4.3).
const backplaneSession = "BackplaneAssumeRoleSession"

// An invoker calls functions for the gateway. It implements invoke.Invoker.
type invoker struct {
	functions  *functions.Functions
	identities *identities.Service
	remote     *remote.Router // functions that run elsewhere
}

// Invoker calls functions as the gateway does.
func (s *Server) Invoker() invoke.Invoker {
	return &invoker{functions: s.functions, identities: s.identities, remote: s.remote}
}

// functionRoutes makes the configured routes of functions that run elsewhere, with the keys of
// their profiles.
func functionRoutes(ctx context.Context, configured []config.FunctionRoute) (routes []remote.Route, err error) {
	for i, r := range configured {
		to := remote.Route{Function: r.Function, Lambda: r.Lambda, Region: r.Region, HTTP: r.HTTP}
		switch {
		case r.Lambda == "":
		case r.AccessKeyID != "":
			to.Credentials = credentials.NewStaticCredentialsProvider(r.AccessKeyID, r.SecretAccessKey.Reveal(), r.SessionToken.Reveal())
		default:
			var options []func(*awsconfig.LoadOptions) error
			if r.Profile != "" {
				options = append(options, awsconfig.WithSharedConfigProfile(r.Profile))
			}
			c, err := awsconfig.LoadDefaultConfig(ctx, options...)
			if err != nil {
				return nil, fmt.Errorf("functions.routes[%d]: %w", i, err)
			}
			to.Credentials = c.Credentials
		}
		routes = append(routes, to)
	}
	return routes, nil
}

// Invoke implements invoke.Invoker.
func (v *invoker) Invoke(ctx context.Context, c *invoke.Call) (*invoke.Result, error) {
	to := v.remote.Find(c.Function)
	req, err := v.admit(ctx, c, to)
	if err != nil {
		return nil, err
	}
	if to != nil {
		return v.remote.Invoke(ctx, to, c)
	}
	if c.Async {
		id, err := v.functions.CallAsync(ctx, c.Function, req)
		if err != nil {
			return nil, notInvoked(c, err)
		}
		return &invoke.Result{Status: 202, RequestID: id}, nil
	}
	return v.call(ctx, c, req)
}

// call makes a permitted call.
func (v *invoker) call(ctx context.Context, c *invoke.Call, req runtime.Request) (*invoke.Result, error) {
	res, err := v.functions.Call(ctx, c.Function, req)
	if err != nil {
		return nil, notInvoked(c, err)
	}
	return &invoke.Result{
		Status: 200, RequestID: res.RequestID, Version: res.Version, Payload: res.Payload, FunctionError: res.FunctionError,
		LogTail: res.LogTail, Took: res.Took,
	}, nil
}

// Stream implements invoke.Invoker.
func (v *invoker) Stream(ctx context.Context, c *invoke.Call) (*invoke.Stream, error) {
	to := v.remote.Find(c.Function)
	req, err := v.admit(ctx, c, to)
	if err != nil {
		return nil, err
	}
	if to != nil {
		return v.remote.Stream(ctx, to, c)
	}
	return v.stream(ctx, c, req)
}

// stream makes a permitted call whose answer is read as it comes.
func (v *invoker) stream(ctx context.Context, c *invoke.Call, req runtime.Request) (*invoke.Stream, error) {
	s, err := v.functions.CallStream(ctx, c.Function, req)
	if err != nil {
		return nil, notInvoked(c, err)
	}
	return &invoke.Stream{
		RequestID: s.RequestID, Version: s.Version, ContentType: s.ContentType, FunctionError: s.FunctionError, Body: &streamBody{s.Body},
	}, nil
}

// streamBody gives the runtime's failures of streams as those of package invoke.
type streamBody struct{ io.ReadCloser }

func (b *streamBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if failed, ok := errors.AsType[*runtime.StreamError](err); ok {
		err = &invoke.StreamError{Payload: failed.Payload}
	}
	return n, err
}

// admit judges a call and makes the runtime's of it. What a route leads away has no policy
// here that could be asked: that the operator configured the route stands in for it.
func (v *invoker) admit(ctx context.Context, c *invoke.Call, to *remote.Route) (runtime.Request, error) {
	if to != nil && c.By.Credentials == "" {
		// permitted by configuration
	} else if err := v.permit(ctx, c); err != nil {
		return runtime.Request{}, err
	}
	if limit := maxPayload(c); len(c.Payload) > limit {
		return runtime.Request{}, invoke.Errorf(invoke.TooLarge, nil, "payload of %d bytes: want at most %d", len(c.Payload), limit)
	}
	if len(c.Payload) > 0 && !c.WellFormed && !json.Valid(c.Payload) {
		return runtime.Request{}, invoke.Errorf(invoke.BadRequest, nil, "Could not parse request body into json: the payload is not valid JSON")
	}
	return runtime.Request{Payload: c.Payload, ClientContext: c.ClientContext, TraceID: c.TraceID, InvokedARN: c.Function, Tail: c.Tail}, nil
}

func maxPayload(c *invoke.Call) int {
	if c.Async {
		return invoke.MaxAsyncPayload
	}
	return invoke.MaxPayload
}

// permit judges whether the authority of a call lets it reach the function.
func (v *invoker) permit(ctx context.Context, c *invoke.Call) error {
	source := functions.Caller{Service: apiGatewayService, SourceARN: c.By.Source, SourceAccount: c.By.Account}
	switch c.By.Credentials {
	case "":
		if err := v.functions.Permits(source, c.Function); err != nil {
			return invoke.Errorf(invoke.NotPermitted, err, invoke.NotPermittedMessage)
		}
		return nil
	case invoke.CallerCredentials:
		if c.By.Caller == nil {
			return invoke.Errorf(invoke.NotPermitted, nil, "Credentials of the caller are to be used, and the request is not signed")
		}
		return v.authorize(ctx, c, identities.IdentityOf(c.By.Caller), c.By.Client)
	}
	role, err := v.identities.ActAs(c.By.Credentials, backplaneSession, apiGatewayService, source)
	if err != nil {
		return invoke.Errorf(invoke.NotPermitted, err, "API Gateway does not have permission to assume the provided role %s", c.By.Credentials)
	}
	return v.authorize(ctx, c, identities.IdentityOf(&role), netip.Addr{})
}

// authorize judges a call by the policies of an identity and of the function. Conditions on
// aws:SourceIp fail without a client.
func (v *invoker) authorize(ctx context.Context, c *invoke.Call, id awsapi.Identity, client netip.Addr) error {
	call := &awsapi.Call{
		Account: id.Account, Region: regionOf(c.Function), Service: "lambda", Identity: id, Received: time.Now(), Source: client, TLS: true,
	}
	err := v.identities.Authorize(ctx, awsapi.Access{Call: call, Action: "lambda:InvokeFunction", Resource: awsapi.OfPartition(c.Function)})
	if err != nil {
		return invoke.Errorf(invoke.NotPermitted, err, invoke.NotPermittedMessage)
	}
	return nil
}

// regionOf is the region in an ARN; "" when it has none.
func regionOf(arn string) string {
	parts := strings.SplitN(arn, ":", 5)
	if len(parts) < 5 {
		return ""
	}
	return parts[3]
}

// notInvoked says why a permitted call came to nothing, in the gateway's terms.
func notInvoked(c *invoke.Call, err error) error {
	_, notContained := errors.AsType[*runtime.NotContainedError](err)
	_, noRuntime := errors.AsType[*runtime.RuntimeError](err)
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.Is(err, functions.ErrNoFunction):
		return invoke.Errorf(invoke.NotFound, nil, "Function not found: %s", c.Function)
	case errors.Is(err, runtime.ErrThrottled), errors.Is(err, runtime.ErrQueueFull):
		return invoke.Errorf(invoke.Throttled, nil, "Rate Exceeded.")
	case errors.Is(err, runtime.ErrPayloadTooLarge):
		return invoke.Errorf(invoke.TooLarge, nil, "%v", err)
	case notContained, noRuntime:
		return invoke.Errorf(invoke.NotRunnable, nil, "%v", err)
	case errors.Is(err, runtime.ErrClosed):
		return invoke.Errorf(invoke.Unavailable, nil, "%v", err)
	}
	return invoke.Errorf(invoke.Unavailable, err, "the function could not be called")
}
