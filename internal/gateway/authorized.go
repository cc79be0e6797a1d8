package gateway

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"gatehouse/internal/gateway/authorizer"
	"gatehouse/internal/lang/ojson"
	"gatehouse/internal/lang/variable"
)

// authorized is what the authorizer of a method said about the caller: $context.authorizer
// in templates, mappings, logs and gateway responses, and requestContext.authorizer in the
// events of functions. The zero value is that of a method without an authorizer. Its slices
// are shared with other exchanges and are not modified.
type authorized struct {
	lambda    bool              // a Lambda authorizer answered
	principal string            // principalId
	context   []authorizer.Pair // in the order of the answer
	usageKey  string            // usageIdentifierKey

	claims []authorizer.Pair // of a token, in its order; nil for other authorizers

	call authorizerCall

	authenticate, authorize outcome // of signature or token, and of policies
}

// outcome is what a step left for access logs; the zero value is that of a step that was not
// taken.
type outcome struct {
	status  int // 200, 401, 403, 500
	problem string
}

// note keeps how the step ended.
func (o *outcome) note(err error) {
	o.status = http.StatusOK
	if err == nil {
		return
	}
	var r *Refusal
	if !errors.As(err, &r) {
		r = authorizerFailed("authorizer-abandoned", err)
	}
	o.status, o.problem = r.status(), r.Message
	if r.Null && r.Cause != nil {
		o.problem = r.Cause.Error()
	}
}

// authorizerCall is what asking an authorizer left for logs.
type authorizerCall struct {
	outcome
	asked     bool
	latency   time.Duration // of the function; 0 when its answer was remembered
	invoked   int           // status of the Lambda API; 0 when it was not called
	requestID string        // of the function's call
}

// integrationLatency is the name under which templates and events see how long the
// authorizer's function took, in milliseconds.
const integrationLatency = "integrationLatency"

// authorizerText gives the variables below $context.authorizer, and those of the steps
// authenticate and authorize, which log the same outcome.
func (x *exchange) authorizerText(id variable.ID, arg string) (string, bool) {
	a := &x.auth
	switch id {
	case variable.PrincipalID:
		return a.principal, a.lambda
	case variable.Claim:
		return authorizer.Find(a.claims, arg)
	case variable.AuthorizerValue:
		if !a.lambda {
			return "", false
		}
		if arg == integrationLatency {
			return strconv.FormatInt(a.call.latency.Milliseconds(), 10), true
		}
		return authorizer.Find(a.context, arg)
	case variable.AuthorizerError:
		return a.call.problem, a.call.problem != ""
	case variable.AuthenticateError:
		return a.authenticate.problem, a.authenticate.problem != ""
	case variable.AuthorizeError:
		return a.authorize.problem, a.authorize.problem != ""
	case variable.AuthorizerRequestID:
		return a.call.requestID, a.call.requestID != ""
	}
	return "", false
}

// authorizerNumber gives the numbers below $context.authorizer, which access logs show.
func (x *exchange) authorizerNumber(id variable.ID) (int64, bool) {
	c := &x.auth.call
	switch id {
	case variable.AuthorizerStatus:
		return int64(c.status), c.asked
	case variable.AuthenticateStatus:
		return int64(x.auth.authenticate.status), x.auth.authenticate.status != 0
	case variable.AuthorizeStatus:
		return int64(x.auth.authorize.status), x.auth.authorize.status != 0
	case variable.AuthorizerLatency, variable.AuthorizerIntegrationLatency:
		return c.latency.Milliseconds(), c.asked
	case variable.AuthorizerIntegrationStatus:
		return int64(c.invoked), c.invoked != 0
	}
	return 0, false
}

// AuthorizerKeys implements mapping.Context.
func (x *exchange) AuthorizerKeys() []string {
	if !x.auth.lambda {
		return nil
	}
	keys := make([]string, 0, len(x.auth.context)+2)
	keys = append(keys, "principalId", integrationLatency)
	return append(keys, names(x.auth.context)...)
}

// ClaimKeys implements mapping.Context.
func (x *exchange) ClaimKeys() []string {
	if x.auth.claims == nil {
		return nil
	}
	return names(x.auth.claims)
}

func names(pairs []authorizer.Pair) []string {
	out := make([]string, len(pairs))
	for i := range pairs {
		out[i] = pairs[i].Name
	}
	return out
}

// appendAuthorizer appends requestContext.authorizer of a function's event, a JSON object
// (routing-and-integrations, section 8.1); false when the method has no authorizer.
func (x *exchange) appendAuthorizer(dst []byte) ([]byte, bool) {
	a := &x.auth
	switch {
	case a.lambda:
		dst = append(dst, `{"principalId":`...)
		dst = ojson.AppendQuoted(dst, a.principal, ojson.Smart)
		dst = append(dst, `,"integrationLatency":`...)
		dst = strconv.AppendInt(dst, a.call.latency.Milliseconds(), 10)
		for _, p := range a.context {
			dst = appendMember(append(dst, ','), p)
		}
		return append(dst, '}'), true
	case a.claims != nil:
		dst = append(dst, `{"claims":{`...)
		for i, p := range a.claims {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendMember(dst, p)
		}
		return append(dst, "}}"...), true
	}
	return dst, false
}

func appendMember(dst []byte, p authorizer.Pair) []byte {
	dst = ojson.AppendQuoted(dst, p.Name, ojson.Smart)
	dst = append(dst, ':')
	return ojson.AppendQuoted(dst, p.Value, ojson.Smart)
}
