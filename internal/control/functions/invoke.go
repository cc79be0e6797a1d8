package functions

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"time"

	"gatehouse/internal/awsapi"
	"gatehouse/internal/awsapi/gen/lambda"
	"gatehouse/internal/control/operation"
	"gatehouse/internal/control/opt"
	"gatehouse/internal/lang/iampolicy"
	"gatehouse/internal/model"
	"gatehouse/internal/runtime"
	"gatehouse/internal/store"
)

// ErrNoFunction means that an ARN leads to no function.
var ErrNoFunction = errors.New("function not found")

// ErrNotPermitted means that a function's policy does not let a service call it.
var ErrNotPermitted = errors.New("invalid permissions on Lambda function")

// A Caller is a service that calls functions in the name of one of its resources, as
// API Gateway does for a method.
type Caller struct {
	Service       string // "apigateway.amazonaws.com"
	SourceARN     string // of the method or authorizer
	SourceAccount string
}

// Value implements iampolicy.Keys.
func (c Caller) Value(name string) iampolicy.Value {
	switch name {
	case "aws:sourcearn":
		return iampolicy.Text(c.SourceARN)
	case "aws:sourceaccount":
		return iampolicy.Text(c.SourceAccount)
	}
	return iampolicy.Value{}
}

// Permits reports whether the policy of the function, version or alias with an ARN lets
// the service call it: ErrNoFunction or ErrNotPermitted otherwise. The policy is that of
// exactly what the ARN names; that of the function does not stand in for an alias.
func (f *Functions) Permits(c Caller, arn string) error {
	sc, name, qualifier, ok := splitARN(arn)
	if !ok {
		return ErrNoFunction
	}
	e := f.find(sc, name)
	if e == nil {
		return ErrNoFunction
	}
	if v, _ := version(&e.fn, qualifier); v == nil {
		return ErrNoFunction
	}
	r := &iampolicy.Request{Action: "lambda:InvokeFunction", Resource: arn, Principal: &iampolicy.Principal{Service: c.Service}, Keys: c}
	if e.policies[qualifier].Evaluate(r).Effect != iampolicy.Allow {
		return ErrNotPermitted
	}
	return nil
}

// Call invokes the function with an ARN and waits for its answer. Errors are ErrNoFunction
// and those of runtime.Runner. Whoever calls has judged the permission (Permits, or an
// identity's policies).
func (f *Functions) Call(ctx context.Context, arn string, req runtime.Request) (runtime.Result, error) {
	sc, name, qualifier, ok := splitARN(arn)
	if !ok {
		return runtime.Result{}, ErrNoFunction
	}
	t, err := f.target(ctx, sc, name, qualifier)
	if err != nil {
		return runtime.Result{}, err
	}
	return t.invoke(ctx, f, req)
}

// CallStream is Call for an answer that is read as it comes.
func (f *Functions) CallStream(ctx context.Context, arn string, req runtime.Request) (*runtime.Stream, error) {
	sc, name, qualifier, ok := splitARN(arn)
	if !ok {
		return nil, ErrNoFunction
	}
	t, err := f.target(ctx, sc, name, qualifier)
	if err != nil {
		return nil, err
	}
	return t.stream(ctx, f, req)
}

// refused reports whether a Runner did not begin a call: with an error other than that its
// caller left meanwhile.
func refused(ctx context.Context, err error) bool { return err != nil && err != ctx.Err() }

// CallAsync accepts an event for the function with an ARN and returns its request id.
func (f *Functions) CallAsync(ctx context.Context, arn string, req runtime.Request) (requestID string, err error) {
	sc, name, qualifier, ok := splitARN(arn)
	if !ok {
		return "", ErrNoFunction
	}
	t, err := f.target(ctx, sc, name, qualifier)
	if err != nil {
		return "", err
	}
	return f.queue.Add(ctx, t.event(req))
}

// A target is the version that a call goes to.
type target struct {
	entry     *entry
	version   *model.FunctionVersion
	qualifier string
	run       *runtime.Function
	active    *atomic.Int64 // calls under way of all versions
}

// target finds what a name and qualifier lead to, choosing by weight where an alias leads
// to two versions.
func (f *Functions) target(ctx context.Context, sc store.Scope, name, qualifier string) (*target, error) {
	e := f.find(sc, name)
	if e == nil {
		return nil, ErrNoFunction
	}
	v, a := version(&e.fn, qualifier)
	if v == nil {
		return nil, ErrNoFunction
	}
	if a != nil && len(a.Weights) > 0 {
		at := rand.Float64()
		for _, other := range slices.Sorted(maps.Keys(a.Weights)) {
			if at -= a.Weights[other]; at < 0 {
				v, _ = version(&e.fn, other)
				break
			}
		}
	}
	run, err := f.runnable(ctx, e, v, qualifier)
	if err != nil {
		return nil, err
	}
	active, _ := f.active.LoadOrStore(e.key, new(atomic.Int64))
	return &target{entry: e, version: v, qualifier: qualifier, run: run, active: active.(*atomic.Int64)}, nil
}

// runnable is a version as the runtime takes it, its code laid out.
func (f *Functions) runnable(ctx context.Context, e *entry, v *model.FunctionVersion, qualifier string) (*runtime.Function, error) {
	as := calledAs{v.Version, qualifier}
	if run, ok := e.runnable.Load(as); ok {
		return run.(*runtime.Function), nil
	}
	code, err := f.code.folder(ctx, part{e.key, v.CodeSHA256})
	if err != nil {
		return nil, err
	}
	opt, err := f.code.folder(ctx, layerParts(e.key.Scope(), v.Layers)...)
	if err != nil {
		return nil, err
	}
	role, name := v.Role, e.fn.Name
	run := &runtime.Function{
		Key: e.runKey(v), ARN: arnOf(e.key.Region, e.key.Account, name, qualifier), Name: name, Version: v.Version,
		Runtime: v.Runtime, Handler: v.Handler, Code: code, Layers: opt, Env: v.Environment,
		Memory: v.Memory, Storage: v.Storage, Timeout: time.Duration(v.Timeout) * time.Second,
		Region: e.key.Region, LogGroup: logGroup(&e.fn, v),
		Credentials: func(ctx context.Context) (runtime.Credentials, error) { return f.Credentials(ctx, role, name) },
	}
	e.runnable.Store(as, run)
	return run, nil
}

// enter counts a call against the function's reserved concurrency.
func (t *target) enter() bool {
	n := t.active.Add(1)
	if r := t.entry.fn.Reserved; r != nil && n > int64(*r) {
		t.active.Add(-1)
		return false
	}
	return true
}

func (t *target) leave() { t.active.Add(-1) }

// invoke makes a call and counts it until it ends, which may be after the caller left.
func (t *target) invoke(ctx context.Context, f *Functions, req runtime.Request) (runtime.Result, error) {
	if !t.enter() {
		return runtime.Result{}, runtime.ErrThrottled
	}
	req.Ended = t.leave
	res, err := f.Runner.Invoke(ctx, t.run, req)
	if refused(ctx, err) {
		t.leave()
	}
	return res, err
}

// stream is invoke for an answer that is read as it comes.
func (t *target) stream(ctx context.Context, f *Functions, req runtime.Request) (*runtime.Stream, error) {
	if !t.enter() {
		return nil, runtime.ErrThrottled
	}
	req.Ended = t.leave
	s, err := f.Runner.InvokeStream(ctx, t.run, req)
	if refused(ctx, err) {
		t.leave()
	}
	return s, err
}

// event is an asynchronous call with the function's settings for those.
//
// The function, version and settings are looked up again at each try and at the end.
func (t *target) event(req runtime.Request) runtime.Event {
	e := runtime.Event{Function: t.run, Request: req, Retries: runtime.DefaultRetries}
	if s, ok := t.entry.fn.Events[eventsOf(t.qualifier)]; ok {
		if s.Retries != nil {
			e.Retries = *s.Retries
		}
		if s.MaxAge != nil {
			e.MaxAge = time.Duration(*s.MaxAge) * time.Second
		}
	}
	return e
}

// Invoke calls a function.
func (f *Functions) Invoke(ctx context.Context, in *lambda.InvokeInput) (*lambda.InvokeOutput, error) {
	if err := unsupported(map[string]bool{"DurableExecutionName": in.DurableExecutionName != nil, "TenantId": in.TenantId != nil}); err != nil {
		return nil, err
	}
	t, req, err := f.called(ctx, in.FunctionName, in.Qualifier, in.ClientContext, in.Payload)
	if err != nil {
		return nil, err
	}
	switch opt.Text(in.InvocationType) {
	case string(lambda.InvocationTypeDryRun):
		return &lambda.InvokeOutput{StatusCode: opt.Of(int32(204))}, nil
	case string(lambda.InvocationTypeEvent):
		if _, err := f.queue.Add(ctx, t.event(req)); err != nil {
			return nil, refusal(err)
		}
		return &lambda.InvokeOutput{StatusCode: opt.Of(int32(202))}, nil
	}
	req.Tail = opt.Text(in.LogType) == string(lambda.LogTypeTail)
	res, err := t.invoke(ctx, f, req)
	if err != nil {
		return nil, refusal(err)
	}
	out := &lambda.InvokeOutput{
		StatusCode: opt.Of(int32(200)), Payload: res.Payload, FunctionError: opt.NonZero(res.FunctionError), ExecutedVersion: &t.version.Version,
	}
	if req.Tail {
		out.LogResult = opt.Of(base64.StdEncoding.EncodeToString(res.LogTail))
	}
	return out, nil
}

// called reads what the calls that invoke have in common. The function's request id is
// that of the call.
func (f *Functions) called(ctx context.Context, function, apart, client *string, payload []byte) (*target, runtime.Request, error) {
	name, qualifier, err := named(ctx, function, apart)
	if err != nil {
		return nil, runtime.Request{}, err
	}
	req := runtime.Request{ID: awsapi.CallFrom(ctx).RequestID, Payload: payload, InvokedARN: functionARN(ctx, name, qualifier)}
	if len(payload) > 0 && !json.Valid(payload) {
		return nil, req, lambda.InvalidRequestContentException("Could not parse request body into json: the payload is not valid JSON")
	}
	if client != nil {
		b, err := base64.StdEncoding.DecodeString(*client)
		if err != nil || !json.Valid(b) {
			return nil, req, lambda.InvalidRequestContentException("Client context must be a valid Base64-encoded JSON object.")
		}
		req.ClientContext = string(b)
	}
	t, err := f.target(ctx, operation.Scope(ctx), name, qualifier)
	if errors.Is(err, ErrNoFunction) {
		err = notFound(ctx, name, qualifier)
	}
	return t, req, err
}

// InvokeAsync is the old form of an asynchronous call.
func (f *Functions) InvokeAsync(ctx context.Context, in *lambda.InvokeAsyncInput) (*lambda.InvokeAsyncOutput, error) {
	defer in.InvokeArgs.Close()
	payload, err := io.ReadAll(io.LimitReader(in.InvokeArgs, runtime.MaxAsyncPayload+1))
	if err != nil {
		return nil, lambda.InvalidRequestContentException("The request body could not be read")
	}
	event := lambda.InvocationTypeEvent
	if _, err := f.Invoke(ctx, &lambda.InvokeInput{FunctionName: in.FunctionName, InvocationType: &event, Payload: payload}); err != nil {
		return nil, err
	}
	return &lambda.InvokeAsyncOutput{Status: opt.Of(int32(202))}, nil
}

// refusal is the runtime's error in Lambda's terms.
func refusal(err error) error {
	var contained *runtime.NotContainedError
	var unknown *runtime.RuntimeError
	switch {
	case errors.Is(err, runtime.ErrThrottled):
		return lambda.TooManyRequestsException("Rate Exceeded.").With("Reason", string(lambda.ThrottleReasonReservedFunctionConcurrentInvocationLimitExceeded))
	case errors.Is(err, runtime.ErrQueueFull):
		return lambda.TooManyRequestsException("Rate Exceeded.").With("Reason", string(lambda.ThrottleReasonConcurrentInvocationLimitExceeded))
	case errors.Is(err, runtime.ErrPayloadTooLarge):
		return lambda.RequestTooLargeException(fmt.Sprintf("Request must be smaller than %d bytes for the InvokeFunction operation", runtime.MaxPayload))
	case errors.As(err, &contained), errors.As(err, &unknown):
		return lambda.InvalidRuntimeException(err.Error())
	case errors.Is(err, runtime.ErrClosed):
		return lambda.ServiceException("The server is shutting down.")
	case errors.Is(err, errNotKept):
		return lambda.ServiceException("The event could not be stored.")
	}
	return err
}
