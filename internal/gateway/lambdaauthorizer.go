package gateway

import (
	"context"
	"errors"
	"strconv"
	"time"

	"gatehouse/internal/gateway/authorizer"
	"gatehouse/internal/gateway/meter"
	"gatehouse/internal/invoke"
	"gatehouse/internal/lang/expression"
	"gatehouse/internal/lang/iampolicy"
	"gatehouse/internal/message"
	"gatehouse/internal/plan"
)

// authorizerTimeout is how long the function of an authorizer may take (authorizers, section
// 1.4); its own limit ends it earlier.
const authorizerTimeout = 10 * time.Second

// maxMethodARN is the longest ARN of a call that is authorized, in bytes (quotas).
const maxMethodARN = 1600

// The refusals of authorizers (authorizers, section 1.4).
var (
	errNoIdentity   = &Refusal{Type: plan.Unauthorized, Message: "Unauthorized", Kind: "UnauthorizedException", Reason: "identity-source"}
	errUnauthorized = &Refusal{Type: plan.Unauthorized, Message: "Unauthorized", Kind: "UnauthorizedException", Reason: "authorizer-unauthorized"}
	errURITooLong   = &Refusal{Type: plan.Default4XX, Status: 414, Message: "Request URI too long", Reason: "method-arn-too-long"}
)

// authorizerBroken is the answer when an authorizer cannot be asked, or what it says cannot
// be used: its owner's fault. The log has said why already.
func authorizerBroken(reason string, cause error) *Refusal {
	return &Refusal{Type: plan.AuthorizerConfigurationError, Null: true, Kind: "AuthorizerConfigurationException", Reason: reason, Cause: cause}
}

// authorizerFailed is the answer when Gatehouse itself could not ask.
func authorizerFailed(reason string, cause error) *Refusal {
	return &Refusal{Type: plan.AuthorizerFailure, Null: true, Kind: "AuthorizerFailureException", Reason: reason, Cause: cause}
}

// authorizeByLambda asks the method's Lambda authorizer and judges the request by its policy
// together with the API's (authorizers, section 4.2): what the API's policy denies is refused
// without asking.
func (x *exchange) authorizeByLambda(ctx context.Context, policy *iampolicy.Policy) error {
	arn := x.methodARN(x.stage.Account)
	if len(arn) > maxMethodARN {
		return errURITooLong
	}
	q := iampolicy.Request{Action: invokeAction, Resource: arn, Spellings: x.spellings(), Keys: conditionKeys{x}}
	if v := policy.Evaluate(&q); v.Effect == iampolicy.ExplicitDeny {
		return x.refuseUnless(iampolicy.Decision{Effect: v.Effect, By: iampolicy.ResourceType, Verdict: v}, anonymous)
	}
	if policy.NamesCallers() {
		return x.refuseUnless(iampolicy.Decision{By: iampolicy.ResourceType}, anonymous)
	}
	answer, err := x.askLambda(ctx, x.method.Authorizer, arn)
	if err == nil {
		a := &x.auth
		a.lambda, a.principal, a.context, a.usageKey = true, answer.Principal, answer.Context, answer.UsageKey
		err = x.judgeAnswer(answer, policy, &q)
	}
	x.auth.call.note(err)
	return err
}

// askLambda returns what the authorizer says about the caller: remembered, or asked anew.
// Only callers who show an identity are remembered.
func (x *exchange) askLambda(ctx context.Context, a *plan.Authorizer, arn string) (*authorizer.Answer, error) {
	x.auth.call.asked = true
	if x.log != nil {
		x.logLine("Starting authorizer: ", a.ID, " for request: ", x.requestID)
	}
	key := authorizer.NewKey(x.buffers.identity, a.Memory)
	token, err := x.identify(a, &key)
	x.buffers.identity = key.Bytes()
	if err != nil {
		return nil, err
	}
	if x.log != nil {
		x.logIdentity(a, token)
	}
	if a.Broken != "" {
		return nil, x.brokenAuthorizer("authorizer-broken", configurationError(a.Broken))
	}
	if a.TTL <= 0 || len(a.Sources) == 0 {
		return x.callAuthorizer(ctx, a, token, arn)
	}
	sum := key.Key()
	if answer := x.g.Answers.Get(sum, x.start); answer != nil {
		return answer, nil
	}
	answer, _, err := x.g.Answers.Ask(ctx, sum, arn, a.TTL, x.g.now, func() (*authorizer.Answer, error) {
		// Others may wait for this answer: it must not be lost with this client.
		return x.callAuthorizer(context.WithoutCancel(ctx), a, token, arn)
	})
	return answer, err
}

// identify reads the identity sources into key, and returns the token of a TOKEN
// authorizer. A source without a value refuses the request; so does a token that comes
// twice, since a backend could read the other.
func (x *exchange) identify(a *plan.Authorizer, key *authorizer.KeyBuilder) (token string, err error) {
	for i := range a.Sources {
		s := &a.Sources[i]
		n, last := x.sourceValues(s, nil)
		if n == 0 || last == "" || n > 1 && a.Kind != plan.RequestAuthorizer {
			return "", errNoIdentity
		}
		key.Begin(n)
		x.sourceValues(s, key)
		token = last
	}
	if a.Kind == plan.TokenAuthorizer && a.Validation != nil && !a.Validation.MatchString(token) {
		return "", errNoIdentity
	}
	return token, nil
}

// sourceValues counts the values of an identity source and returns the last, which is the
// one that mappings would see; all are added to key, unless it is nil. Names of headers have
// no case here (authorizers, section 1.6).
func (x *exchange) sourceValues(s *plan.IdentitySource, key *authorizer.KeyBuilder) (n int, last string) {
	add := func(v string) {
		n++
		last = v
		if key != nil {
			key.Add(v)
		}
	}
	switch s.Source {
	case expression.Header, expression.MultiHeader:
		for i := range x.req.Header {
			if message.EqualName(x.req.Header[i].Name, s.Name) {
				add(x.req.Header[i].Value)
			}
		}
	case expression.Query, expression.MultiQuery:
		for k, v := range pairs(x.req.RawQuery) {
			if unescapeQuery(k) == s.Name {
				add(unescapeQuery(v))
			}
		}
	default:
		if v, ok := x.testContext[s.Name]; ok && s.Source == expression.Context {
			add(v)
		} else if v, ok := x.value(s.Expression); ok {
			add(v)
		}
	}
	return n, last
}

// callAuthorizer calls the authorizer's function and reads its answer. Errors are refusals.
func (x *exchange) callAuthorizer(ctx context.Context, a *plan.Authorizer, token, arn string) (*authorizer.Answer, error) {
	var event []byte
	if a.Kind == plan.TokenAuthorizer {
		event = appendTokenEvent(nil, token, arn)
	} else {
		event = x.appendRequestEvent(nil, arn)
	}
	if x.log != nil {
		x.logAuthorizerCall(a, event)
	}
	ctx, cancel := context.WithTimeout(ctx, authorizerTimeout)
	defer cancel()
	began := x.g.now()
	res, err := x.g.Functions.Invoke(ctx, &invoke.Call{
		Function: a.Function, Payload: event, TraceID: x.traceHeader(),
		By: invoke.Authority{Source: a.ARN, Account: x.stage.Account, Credentials: a.Credentials},
	})
	x.auth.call.latency = x.g.now().Sub(began)
	x.logAt(began.Add(x.auth.call.latency))
	if err != nil {
		return nil, x.authorizerNotCalled(err)
	}
	x.auth.call.invoked, x.auth.call.requestID = res.Status, res.RequestID
	return x.readVerdict(res)
}

// authorizerNotCalled words a call that came to no answer.
func (x *exchange) authorizerNotCalled(err error) error {
	var e *invoke.Error
	switch {
	case errors.As(err, &e) && e.Kind == invoke.Unavailable:
		x.logProblem("Execution failed due to an internal error")
		return authorizerFailed("authorizer-unavailable", err)
	case errors.As(err, &e):
		x.auth.call.invoked = e.Status
		if e.Kind == invoke.Throttled {
			x.logProblem("Lambda invocation failed with status: " + strconv.Itoa(e.Status) + ". Lambda request id: " + e.RequestID)
			return x.brokenAuthorizer("authorizer-throttled", err)
		}
		return x.brokenAuthorizer("authorizer-not-called", configurationError(e.Message))
	case errors.Is(err, context.DeadlineExceeded):
		x.logProblem("Execution failed due to a timeout error")
		return x.brokenAuthorizer("authorizer-timeout", err)
	}
	return authorizerFailed("authorizer-unavailable", err)
}

// readVerdict reads what the function returned. A function refuses a caller by failing with
// the message "Unauthorized" exactly.
func (x *exchange) readVerdict(res *invoke.Result) (*authorizer.Answer, error) {
	if res.FunctionError != "" {
		_, text := res.Failure()
		if text == "Unauthorized" {
			return nil, errUnauthorized
		}
		x.logProblem("Lambda execution failed with status " + strconv.Itoa(res.Status) + " due to customer function error: " + text + ". Lambda request id: " + res.RequestID)
		return nil, x.brokenAuthorizer("authorizer-function-error", errors.New("the function failed: "+text))
	}
	if x.log != nil && x.log.trace {
		x.logBody("Authorizer result body before parsing: ", res.Payload)
	}
	if len(res.Payload) > authorizer.MaxAnswer {
		return nil, x.brokenAuthorizer("authorizer-answer", configurationError("Invalid JSON in response: the answer is larger than "+strconv.Itoa(authorizer.MaxAnswer)+" bytes"))
	}
	answer, err := authorizer.ParseAnswer(string(res.Payload))
	if err != nil {
		var bad *authorizer.Error
		if errors.As(err, &bad) {
			x.logProblem("Execution failed due to configuration error: " + bad.Log)
		}
		return nil, x.brokenAuthorizer("authorizer-answer", err)
	}
	return answer, nil
}

// brokenAuthorizer writes the lines that follow every fault of an authorizer, after that of
// cause when it has words for the log, and refuses the request.
func (x *exchange) brokenAuthorizer(reason string, cause error) error {
	if text, ok := cause.(configurationError); ok {
		x.logProblem("Execution failed due to configuration error: " + string(text))
		cause = errors.New(string(text)) // it has been told
	}
	x.logProblem("Execution failed due to configuration error: Authorizer error")
	x.logProblem("AuthorizerConfigurationException")
	return authorizerBroken(reason, cause)
}

// logProblem writes a line that explains a failure, where there is a log.
func (x *exchange) logProblem(line string) {
	if x.log != nil {
		x.logFailure(line)
	}
}

// judgeAnswer decides by the authorizer's policy and the API's. It is done for each request:
// a remembered answer that allows one method says nothing about another.
func (x *exchange) judgeAnswer(answer *authorizer.Answer, policy *iampolicy.Policy, q *iampolicy.Request) error {
	var d iampolicy.Decision
	if policy == nil {
		v := answer.Policy.Evaluate(q)
		d = iampolicy.Decision{Effect: v.Effect, By: iampolicy.IdentityType, Verdict: v}
	} else {
		set := iampolicy.Set{Identity: []*iampolicy.Policy{answer.Policy}, Resource: policy}
		if d = set.Decide(q); d.Effect == iampolicy.ExplicitDeny && d.By == iampolicy.ResourceType {
			return x.refuseUnless(d, anonymous)
		}
	}
	if d.Effect == iampolicy.Allow {
		if x.log != nil {
			x.logLine("Using valid authorizer policy for principal: ", meter.Mask(answer.Principal))
			x.logLine("Successfully completed authorizer execution")
		}
		return nil
	}
	r := &Refusal{Type: plan.AccessDenied, Kind: "AccessDeniedException", Reason: "authorizer-implicit-deny", Message: "User is not authorized to access this resource"}
	if d.Effect == iampolicy.ExplicitDeny {
		r.Reason = "authorizer-explicit-deny"
		r.Message += " with an explicit deny in an identity-based policy"
	}
	return r
}

// appendTokenEvent appends the event of a TOKEN authorizer (authorizers, section 1.1).
func appendTokenEvent(dst []byte, token, arn string) []byte {
	dst = appendText(append(dst, `{"type":"TOKEN","authorizationToken":`...), token)
	return append(appendText(append(dst, `,"methodArn":`...), arn), '}')
}

// appendRequestEvent appends the event of a REQUEST authorizer (authorizers, section 1.2).
func (x *exchange) appendRequestEvent(dst []byte, arn string) []byte {
	dst = appendText(append(dst, `{"type":"REQUEST","methodArn":`...), arn)
	dst = appendText(append(dst, `,"resource":`...), x.method.Resource.Path)
	dst = appendText(append(dst, `,"path":`...), x.eventPath())
	dst = appendText(append(dst, `,"httpMethod":`...), x.verb)
	dst = appendEventHeader(append(dst, ','), x.eventHeader(), emptyIsObject)
	dst = x.appendEventQuery(append(dst, ','), emptyIsObject)
	dst = x.appendEventPath(append(dst, ','), emptyIsObject)
	dst = x.appendEventStageVariables(append(dst, ','), emptyIsObject)
	dst = x.appendRequestContext(append(dst, `,"requestContext":`...), false)
	return append(dst, '}')
}

// logIdentity tells what the authorizer goes by, masked (authorizers, section 1.9).
func (x *exchange) logIdentity(a *plan.Authorizer, token string) {
	if a.Kind != plan.RequestAuthorizer {
		x.logLine("Incoming identity: ", meter.Mask(token))
		return
	}
	x.log.add("Incoming identity: {")
	for i := range a.Sources {
		if i > 0 {
			x.log.add(", ")
		}
		_, last := x.sourceValues(&a.Sources[i], nil)
		x.log.add(a.Sources[i].Text, "=", meter.Mask(last))
	}
	x.logLine("}")
}

// logAuthorizerCall tells what goes to the function.
func (x *exchange) logAuthorizerCall(a *plan.Authorizer, event []byte) {
	url := "https://lambda." + x.stage.API.Region + ".amazonaws.com/2015-03-31/functions/" + a.Function + "/invocations"
	if x.log.trace {
		x.logLine("Endpoint request URI: ", url)
		x.logLine("Endpoint request headers: {x-amzn-lambda-integration-tag=", x.requestID, ", x-amzn-apigateway-api-id=", x.stage.API.ID,
			", X-Amz-Source-Arn=", a.ARN, ", Accept=application/json, User-Agent=AmazonAPIGateway_", x.stage.API.ID, "}")
		x.logBody("Endpoint request body after transformations: ", event)
	}
	x.logLine("Sending request to ", url)
}
