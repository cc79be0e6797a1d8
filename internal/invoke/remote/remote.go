// Package remote calls functions that run elsewhere: at an AWS Lambda endpoint, or as a
// service of one's own that takes events by HTTP. The server's invoker asks a Router first
// and runs what no route leads away itself.
//
// A Router is safe for concurrent use and is not modified.
package remote

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"gatehouse/internal/invoke"
)

// A Route says where functions run. Exactly one of Lambda and HTTP is set.
type Route struct {
	// Function is a pattern for names of functions, or for ARNs when it begins with "arn:";
	// "*" stands for any text. An ARN pattern is held against the ARN with its qualifier and
	// without.
	Function string

	Lambda      string // URL of a Lambda endpoint: "https://lambda.eu-west-1.amazonaws.com"
	Region      string // that calls are signed for; "" means that of the function's ARN
	Credentials aws.CredentialsProvider

	HTTP string // URL that takes events as POST requests
}

// Options say how a Router connects. The zero value connects anywhere.
type Options struct {
	// Control has the last word on each connection, after the name was resolved; may be nil.
	Control func(network string, to netip.AddrPort) error

	// Timeout bounds a call altogether; 0 means 15 minutes, as long as a function may run.
	Timeout time.Duration
}

// A Router finds the route of a function and calls by it. Make it with New.
type Router struct {
	routes  []Route
	client  *http.Client
	signer  *v4.Signer
	timeout time.Duration
}

// connectTime bounds connecting to where a function runs.
const connectTime = 5 * time.Second

// New returns a Router; the first route whose pattern fits is taken.
func New(routes []Route, o Options) *Router {
	d := &net.Dialer{Timeout: connectTime}
	if o.Control != nil {
		d.ControlContext = func(_ context.Context, network, address string, _ syscall.RawConn) error {
			to, err := netip.ParseAddrPort(address)
			if err != nil {
				return fmt.Errorf("address %q: %w", address, err)
			}
			return o.Control(network, to)
		}
	}
	r := &Router{routes: routes, signer: v4.NewSigner(), timeout: o.Timeout}
	if r.timeout == 0 {
		r.timeout = 15 * time.Minute
	}
	r.client = &http.Client{
		Transport: &http.Transport{
			DialContext: d.DialContext, TLSHandshakeTimeout: connectTime, MaxIdleConnsPerHost: 256, IdleConnTimeout: 90 * time.Second,
			ForceAttemptHTTP2: true, DisableCompression: true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return r
}

// Close lets go of idle connections.
func (r *Router) Close() { r.client.CloseIdleConnections() }

// Find returns the route of a function's ARN, nil when it runs here.
func (r *Router) Find(arn string) *Route {
	if len(r.routes) == 0 {
		return nil
	}
	f, ok := parse(arn)
	if !ok {
		return nil
	}
	for i := range r.routes {
		pattern := r.routes[i].Function
		if strings.HasPrefix(pattern, "arn:") {
			if matches(pattern, arn) || f.qualifier != "" && matches(pattern, strings.TrimSuffix(arn, ":"+f.qualifier)) {
				return &r.routes[i]
			}
		} else if matches(pattern, f.name) {
			return &r.routes[i]
		}
	}
	return nil
}

// function is an ARN taken apart.
type function struct{ region, name, qualifier string }

func parse(arn string) (function, bool) {
	p := strings.Split(arn, ":")
	if len(p) < 7 || len(p) > 8 || p[0] != "arn" || p[2] != "lambda" || p[5] != "function" || p[6] == "" {
		return function{}, false
	}
	f := function{region: p[3], name: p[6]}
	if len(p) == 8 {
		f.qualifier = p[7]
	}
	return f, true
}

// matches reports whether text fits a pattern in which "*" stands for any text. It takes time
// proportional to the lengths' product at most.
func matches(pattern, text string) bool {
	head, rest, wild := strings.Cut(pattern, "*")
	if !wild {
		return pattern == text
	}
	if !strings.HasPrefix(text, head) {
		return false
	}
	text = text[len(head):]
	for {
		part, more, wild := strings.Cut(rest, "*")
		if !wild {
			return strings.HasSuffix(text, part)
		}
		i := strings.Index(text, part)
		if i < 0 {
			return false
		}
		text, rest = text[i+len(part):], more
	}
}

// Invoke calls a function by its route. Errors are as of invoke.Invoker.
func (r *Router) Invoke(ctx context.Context, to *Route, c *invoke.Call) (*invoke.Result, error) {
	res, cancel, err := r.send(ctx, to, c)
	if err != nil {
		return nil, err
	}
	defer cancel()
	defer res.Body.Close()
	if to.Lambda != "" && res.StatusCode >= 300 {
		return nil, refused(res)
	}
	out := &invoke.Result{Status: http.StatusOK, RequestID: requestID(res), Version: res.Header.Get("X-Amz-Executed-Version"), FunctionError: res.Header.Get("X-Amz-Function-Error")}
	if c.Async && res.StatusCode < 300 {
		out.Status = http.StatusAccepted
		return out, nil
	}
	payload, err := io.ReadAll(io.LimitReader(res.Body, invoke.MaxPayload+1))
	switch {
	case err != nil:
		return nil, unreachable(ctx, err)
	case len(payload) > invoke.MaxPayload:
		out.FunctionError = "Unhandled"
		payload = failure("Function.ResponseSizeTooLarge", fmt.Sprintf("Response payload size exceeded maximum allowed payload size (%d bytes).", invoke.MaxPayload))
	case to.HTTP != "" && res.StatusCode >= 300:
		out.FunctionError = "Unhandled"
		if !isFailure(payload) {
			payload = failure(fmt.Sprintf("Http.Status%d", res.StatusCode), fmt.Sprintf("the service answered %s, want a status from 200 to 299", res.Status))
		}
	}
	out.Payload = payload
	if tail, err := base64.StdEncoding.DecodeString(res.Header.Get("X-Amz-Log-Result")); err == nil && len(tail) > 0 {
		out.LogTail = tail
	}
	return out, nil
}

// Stream is Invoke for an answer that is read as it comes from a service; that of a Lambda
// endpoint comes in one piece.
func (r *Router) Stream(ctx context.Context, to *Route, c *invoke.Call) (*invoke.Stream, error) {
	if to.HTTP == "" {
		res, err := r.Invoke(ctx, to, c)
		if err != nil {
			return nil, err
		}
		return &invoke.Stream{RequestID: res.RequestID, Version: res.Version, FunctionError: res.FunctionError, Body: io.NopCloser(bytes.NewReader(res.Payload))}, nil
	}
	res, cancel, err := r.send(ctx, to, c)
	if err != nil {
		return nil, err
	}
	s := &invoke.Stream{
		RequestID: requestID(res), ContentType: res.Header.Get("Content-Type"), FunctionError: res.Header.Get("X-Amz-Function-Error"),
		Body: &body{ReadCloser: res.Body, cancel: cancel},
	}
	if res.StatusCode >= 300 {
		s.FunctionError = "Unhandled"
	}
	return s, nil
}

// body ends the call when it is closed.
type body struct {
	io.ReadCloser
	cancel context.CancelFunc
}

// Read gives a stream that breaks off as a function's failure.
func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		err = &invoke.StreamError{Payload: failure("Runtime.TruncatedResponse", err.Error())}
	}
	return n, err
}

func (b *body) Close() error {
	defer b.cancel()
	return b.ReadCloser.Close()
}

// send makes the request of a call and returns when the answer begins. The caller closes the
// body, then cancels.
func (r *Router) send(ctx context.Context, to *Route, c *invoke.Call) (*http.Response, context.CancelFunc, error) {
	limited, cancel := context.WithTimeout(ctx, r.timeout)
	req, err := r.request(limited, to, c)
	if err == nil {
		var res *http.Response
		if res, err = r.client.Do(req); err == nil {
			return res, cancel, nil
		}
		err = unreachable(ctx, err)
	}
	cancel()
	return nil, nil, err
}

func (r *Router) request(ctx context.Context, to *Route, c *invoke.Call) (*http.Request, error) {
	payload := c.Payload
	if len(payload) == 0 {
		payload = []byte("{}")
	}
	target, f := to.HTTP, function{}
	if to.Lambda != "" {
		var ok bool
		if f, ok = parse(c.Function); !ok {
			return nil, invoke.Errorf(invoke.BadRequest, nil, "%q is not the ARN of a function", c.Function)
		}
		target = strings.TrimSuffix(to.Lambda, "/") + "/2015-03-31/functions/" + url.PathEscape(f.name) + "/invocations"
		if f.qualifier != "" {
			target += "?Qualifier=" + url.QueryEscape(f.qualifier)
		}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(payload))
	if err != nil {
		return nil, invoke.Errorf(invoke.Unavailable, err, "the function's route cannot be used")
	}
	h := req.Header
	h.Set("Content-Type", "application/json")
	h.Set("X-Amz-Invocation-Type", "RequestResponse")
	if c.Async {
		h.Set("X-Amz-Invocation-Type", "Event")
	}
	if c.TraceID != "" {
		h.Set("X-Amzn-Trace-Id", c.TraceID)
	}
	if c.ClientContext != "" {
		h.Set("X-Amz-Client-Context", base64.StdEncoding.EncodeToString([]byte(c.ClientContext)))
	}
	if to.Lambda == "" {
		h.Set("Lambda-Runtime-Invoked-Function-Arn", c.Function)
		return req, nil
	}
	if !c.Async {
		h.Set("X-Amz-Log-Type", "Tail")
	}
	region := to.Region
	if region == "" {
		region = f.region
	}
	credentials, err := to.Credentials.Retrieve(ctx)
	if err != nil {
		return nil, invoke.Errorf(invoke.Unavailable, err, "no credentials for the function's Lambda endpoint")
	}
	sum := sha256.Sum256(payload)
	if err := r.signer.SignHTTP(ctx, credentials, req, hex.EncodeToString(sum[:]), "lambda", region, time.Now()); err != nil {
		return nil, invoke.Errorf(invoke.Unavailable, err, "the call could not be signed")
	}
	return req, nil
}

func requestID(res *http.Response) string { return res.Header.Get("X-Amzn-Requestid") }

// unreachable says that no answer came; ctx's own end stays what it is.
func unreachable(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return invoke.Errorf(invoke.Unavailable, err, "the function's endpoint did not answer")
}

// kinds are Lambda's refusals by status.
var kinds = map[int]invoke.Kind{
	400: invoke.BadRequest, 403: invoke.NotPermitted, 404: invoke.NotFound, 413: invoke.TooLarge, 429: invoke.Throttled, 502: invoke.NotRunnable,
}

// refused is Lambda's refusal of a call.
func refused(res *http.Response) error {
	text, err := io.ReadAll(io.LimitReader(res.Body, 64<<10))
	if err != nil {
		text = nil
	}
	kind, _, _ := strings.Cut(res.Header.Get("X-Amzn-Errortype"), ":")
	e := invoke.Errorf(kinds[res.StatusCode], errors.New(res.Status), "%s", message(text, kind))
	e.Status, e.RequestID = res.StatusCode, requestID(res)
	if kind != "" {
		e.Type = kind
	}
	return e
}
