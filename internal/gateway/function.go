package gateway

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"net/netip"
	"strconv"

	"gatehouse/internal/invoke"
	"gatehouse/internal/lang/expression"
	"gatehouse/internal/message"
	"gatehouse/internal/plan"
)

// answerFromFunction runs an AWS_PROXY integration: the function gets the request as an event
// and its result is the answer (routing-and-integrations, section 8).
func (x *exchange) answerFromFunction(ctx context.Context, i *plan.Integration) error {
	body, err := x.readBody()
	if err != nil {
		return err
	}
	if len(body) > invoke.MaxPayload { // the event is larger still: it need not be written
		return errEventTooLarge
	}
	event := x.appendProxyEvent(make([]byte, 0, eventSize+len(body)+len(body)/2), body)
	call := x.functionCall(i, event)
	call.WellFormed = true
	if i.Stream {
		return x.streamFromFunction(ctx, i, call)
	}
	res, err := x.invoke(ctx, i, call)
	if err != nil {
		return err
	}
	if res.FunctionError != "" {
		return x.functionFailed(res)
	}
	out, err := decodeOutput(string(res.Payload))
	if err != nil {
		return x.malformed(err)
	}
	return x.answerWith(out)
}

// eventSize is room for the event of a plain request, in bytes.
const eventSize = 4 << 10

// answerWith makes a function's output the client's answer. The output's own Content-Type
// plays no part in whether its body is decoded (aws-behaviour-recorded, section 26).
func (x *exchange) answerWith(out *functionOutput) error {
	x.backend.answered = out.status
	x.res.status = out.status
	x.res.traced = true
	x.setOutputHeader(out.header)
	if !out.encoded || !x.acceptsBinary() {
		x.res.setBody(out.body)
		return nil
	}
	body, err := decodeBase64([]byte(out.body))
	if err != nil {
		return err
	}
	x.res.body = append(x.res.body[:0], body...)
	return nil
}

// setOutputHeader passes a function's header fields on, remapped and dropped as the
// service does.
func (x *exchange) setOutputHeader(h message.Header) {
	for _, f := range h {
		switch fateOf(functionResponse, f.Name) {
		case pass:
			x.res.header = append(x.res.header, f)
		case remap:
			x.res.header.Add(remapped(f.Name), f.Value)
		}
	}
	switch types := x.res.header.Values("Content-Type"); len(types) {
	case 0:
		x.res.header.Add("Content-Type", "application/json")
	case 1:
	default:
		x.res.header.Set("Content-Type", types[len(types)-1]) // one answer has one type
	}
}

// functionCall makes the call of an integration's function.
func (x *exchange) functionCall(i *plan.Integration, payload []byte) *invoke.Call {
	f := i.Function
	return &invoke.Call{
		Function: f.ARN, Payload: payload, TraceID: x.traceHeader(),
		By: invoke.Authority{
			Source: f.Source, Account: x.stage.Account, Credentials: f.Credentials,
			Caller: x.caller, Client: x.clientAddr(),
		},
	}
}

// clientAddr is the client's address; the zero Addr when there is no client.
func (x *exchange) clientAddr() netip.Addr {
	if x.test {
		return netip.Addr{}
	}
	return x.req.Conn.Remote.Addr()
}

// invoke calls a function within the integration's timeout. The function may go on longer:
// nobody waits for it any more.
func (x *exchange) invoke(ctx context.Context, i *plan.Integration, call *invoke.Call) (*invoke.Result, error) {
	if err := x.checkInvocation(i); err != nil {
		return nil, err
	}
	began := x.g.now()
	x.logAt(began)
	ctx, cancel := context.WithTimeout(ctx, i.Timeout)
	defer cancel()
	if x.log != nil {
		x.logInvoking(i, call)
	}
	res, err := x.g.Functions.Invoke(ctx, call)
	x.backend.called = true
	x.backend.latency = x.g.now().Sub(began)
	x.logAt(began.Add(x.backend.latency))
	if err != nil {
		return nil, x.notInvoked(err)
	}
	x.backend.status, x.backend.requestID = res.Status, res.RequestID
	if x.log != nil {
		x.lambdaAnswer(res)
		x.logReceived()
		x.logChunk(res.Payload)
	}
	return res, nil
}

// checkInvocation refuses every call of an integration whose method is not Lambda's
// (aws-behaviour-recorded, section 22).
func (x *exchange) checkInvocation(i *plan.Integration) error {
	method := i.HTTPMethod
	if method == "" {
		method = x.verb
	}
	if method == "POST" {
		return nil
	}
	x.backend.problem = "The integration's HTTP method is " + method + ": Lambda takes POST"
	return invocationFailed(403, "", errors.New(x.backend.problem))
}

// lambdaAnswer fills x.answer with the header of Lambda's own answer, which response mappings
// and the execution log show (aws-behaviour-recorded, section 16).
func (x *exchange) lambdaAnswer(res *invoke.Result) {
	h := x.answer.Header[:0]
	h.Add("Date", x.g.now().UTC().Format(http.TimeFormat))
	if len(res.Payload) > 0 {
		h.Add("Content-Type", "application/json")
	}
	h.Add("Content-Length", strconv.Itoa(len(res.Payload)))
	h.Add("Connection", "keep-alive")
	h.Add("x-amzn-RequestId", res.RequestID)
	if res.FunctionError != "" {
		h.Add("X-Amz-Function-Error", res.FunctionError)
	}
	h.Add("x-amzn-Remapped-Content-Length", "0")
	if res.Version != "" {
		h.Add("X-Amz-Executed-Version", res.Version)
	}
	h.Add("X-Amzn-Trace-Id", x.traceHeader())
	x.answer.Status, x.answer.Header = res.Status, h
}

// notInvoked words a call that did not come to a function (request-lifecycle, section 5).
func (x *exchange) notInvoked(err error) error {
	x.backend.problem = err.Error()
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		r := *errTimeout
		r.Cause = err
		return &r
	case errors.Is(err, context.Canceled):
		return &Refusal{Type: plan.Default5XX, Status: 499, Message: "Client closed the connection", Executing: true, Reason: "client-gone", Cause: err}
	}
	var e *invoke.Error
	if !errors.As(err, &e) {
		return invocationFailed(500, "", err)
	}
	x.backend.status, x.backend.requestID = e.Status, e.RequestID
	switch e.Kind {
	case invoke.NotPermitted:
		r := misconfigured("function-not-permitted", e.Message)
		if e.Cause != nil {
			r.Cause = joinCause(r.Cause, e.Cause)
		}
		return r
	case invoke.TooLarge:
		r := *errEventTooLarge
		r.Cause = e
		return &r
	}
	return invocationFailed(e.Status, e.RequestID, e)
}

// invocationFailed is the answer when Lambda itself failed: never Lambda's own 429.
func invocationFailed(status int, requestID string, cause error) *Refusal {
	return &Refusal{Type: plan.IntegrationFailure, Status: 500, Message: "Internal server error", Kind: "InternalServerErrorException",
		Executing: true, Reason: "function-not-called", Cause: cause,
		Line: "Lambda invocation failed with status: " + strconv.Itoa(status) + ". Lambda request id: " + requestID}
}

// functionFailed is the answer to an unhandled error of a function behind AWS_PROXY.
func (x *exchange) functionFailed(res *invoke.Result) error {
	_, text := res.Failure()
	x.backend.problem = "The Lambda function returned the following error: " + text
	r := badOutput("function-error", errors.New("function error: "+text))
	r.Line = "Lambda execution failed with status " + strconv.Itoa(res.Status) + " due to customer function error: " + text + ". Lambda request id: " + res.RequestID
	return r
}

// malformed is the answer to a result that is no answer.
func (x *exchange) malformed(cause error) error {
	x.backend.problem = "Malformed Lambda proxy response: " + cause.Error()
	return badOutput("malformed-output", joinCause(configurationError("Malformed Lambda proxy response"), cause))
}

func badOutput(reason string, cause error) *Refusal {
	return &Refusal{Type: plan.Default5XX, Status: 502, Message: "Internal server error", Kind: "InternalServerErrorException",
		Executing: true, Reason: reason, Cause: cause}
}

// callFunction runs an AWS integration with a function: the event is what mappings and
// templates say, the answer what the selected integration response makes of the result.
func (x *exchange) callFunction(ctx context.Context, i *plan.Integration) error {
	t, err := x.requestTemplate(i)
	if err != nil {
		return err
	}
	body, err := x.requestPayload(i, t)
	if err != nil {
		return err
	}
	call := x.functionCall(i, append([]byte(nil), body...)) // the function may outlive the exchange
	if err := x.mapInvocation(i, call); err != nil {
		return err
	}
	res, err := x.invoke(ctx, i, call)
	if refused := rejectedPayload(err); refused != nil {
		x.backend.problem, err = "", nil
		res = refused
	}
	if err != nil {
		return err
	}
	x.res.traced = true
	x.lambdaAnswer(res)
	x.setInvocationHeader(call, res)
	r, err := selectFunctionResponse(i, res)
	if err != nil {
		return err
	}
	return x.finish(r, httpSource{&x.answer, res.Payload})
}

// rejectedPayload is the answer of Lambda to an event that is not JSON, which integration
// responses see as any other; nil when err is something else.
func rejectedPayload(err error) *invoke.Result {
	var e *invoke.Error
	if !errors.As(err, &e) || e.Kind != invoke.BadRequest {
		return nil
	}
	document := appendText([]byte(`{"Type":"User","message":`), e.Message)
	return &invoke.Result{Status: e.Status, RequestID: e.RequestID, Payload: append(document, '}')}
}

// Header fields of Lambda's Invoke that integrations map (Lambda API, Invoke).
const (
	invocationType = "X-Amz-Invocation-Type"
	clientContext  = "X-Amz-Client-Context"
	logType        = "X-Amz-Log-Type"
)

// mapInvocation applies what mappings and overrides say about the call itself. Other header
// fields mean nothing to Lambda.
func (x *exchange) mapInvocation(i *plan.Integration, call *invoke.Call) error {
	req := &x.up
	req.Header = req.Header[:0]
	if err := x.mapHeader(i, req); err != nil {
		return err
	}
	if err := x.overrideHeader(req); err != nil {
		return err
	}
	switch kind := req.Header.Get(invocationType); kind {
	case "", "RequestResponse":
	case "Event":
		call.Async = true
	default: // DryRun among them: a call that must not reach the function
		x.backend.problem = "X-Amz-Invocation-Type " + kind + ": want Event or RequestResponse"
		return invocationFailed(400, "", errors.New(x.backend.problem))
	}
	if text := req.Header.Get(clientContext); text != "" {
		data, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			x.backend.problem = "X-Amz-Client-Context is not base64"
			return invocationFailed(400, "", errors.Join(errors.New(x.backend.problem), err))
		}
		call.ClientContext = string(data)
	}
	call.Tail = req.Header.Get(logType) == "Tail" && !call.Async
	return x.mapQualifier(i, call)
}

// mapQualifier lets the query parameter Qualifier choose the version or alias, when the
// integration maps one and its URI names none.
func (x *exchange) mapQualifier(i *plan.Integration, call *invoke.Call) error {
	name, ok := x.overridden(expression.ToQuery, "Qualifier")
	for n := range i.Parameters {
		if m := &i.Parameters[n]; !ok && m.To == expression.ToQuery && m.Name == "Qualifier" {
			name, ok = x.mappedValue(m)
		}
	}
	if !ok {
		return nil
	}
	if i.Function.Qualified || !isQualifier(name) {
		x.backend.problem = "Qualifier " + strconv.Quote(name) + ": want one version or alias"
		return invocationFailed(400, "", errors.New(x.backend.problem))
	}
	call.Function += ":" + name
	return nil
}

// isQualifier reports whether s can be a version or an alias.
func isQualifier(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c != '-' && c != '_' && (c < '0' || c > '9') && (lower(c) < 'a' || lower(c) > 'z') && (c != '$' || s != "$LATEST") {
			return false
		}
	}
	return s != "" && len(s) <= 128
}

// setInvocationHeader adds what the call's own header asked for.
func (x *exchange) setInvocationHeader(call *invoke.Call, res *invoke.Result) {
	if call.Tail && len(res.LogTail) > 0 {
		x.answer.Header.Add("X-Amz-Log-Result", base64.StdEncoding.EncodeToString(res.LogTail))
	}
}

// selectFunctionResponse finds the integration response for a function's result: patterns are
// for the errorMessage of a failed function, every other result takes the default
// (aws-behaviour-recorded, section 23).
func selectFunctionResponse(i *plan.Integration, res *invoke.Result) (*plan.IntegrationResponse, error) {
	if res.FunctionError != "" {
		_, text := res.Failure()
		return selectResponse(i, text, res.Status)
	}
	if i.Default == nil {
		return nil, noOutputMapping(res.Status)
	}
	return i.Default, nil
}

// logInvoking tells what goes to the function. The call is not signed: it never leaves
// Gatehouse, and the header shows no signature.
func (x *exchange) logInvoking(i *plan.Integration, call *invoke.Call) {
	f := i.Function
	if x.log.trace {
		x.logLine("Endpoint request URI: ", f.URL)
		h := message.Header{
			{Name: "x-amzn-lambda-integration-tag", Value: x.requestID},
			{Name: "X-Amz-Date", Value: x.g.now().UTC().Format("20060102T150405Z")},
			{Name: "x-amzn-apigateway-api-id", Value: x.stage.API.ID},
			{Name: "X-Amz-Source-Arn", Value: f.Source},
			{Name: "Accept", Value: "application/json"},
			{Name: "User-Agent", Value: "AmazonAPIGateway_" + x.stage.API.ID},
			{Name: "Host", Value: f.Host},
			{Name: "X-Amzn-Trace-Id", Value: call.TraceID},
			{Name: "Content-Type", Value: "application/json"},
		}
		if call.Async {
			h.Add(invocationType, "Event")
		}
		x.logHeader("Endpoint request headers: ", h, nil)
		x.logBody("Endpoint request body after transformations: ", call.Payload)
	}
	x.logLine("Sending request to ", f.URL)
}
