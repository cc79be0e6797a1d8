package gateway

import (
	"context"
	"encoding/hex"
	"errors"
	"strings"

	"gatehouse/internal/awsapi/sigv4"
	"gatehouse/internal/lang/iampolicy"
	"gatehouse/internal/plan"
)

// Identities knows who signs requests and what they may do.
type Identities interface {
	// Policies returns the policies of a principal whose signature was verified; false
	// when the principal is gone since.
	Policies(p *sigv4.Principal) (iampolicy.Set, bool)

	// Key returns what a principal has for a condition key, whose name is in lower case, the
	// zero Value for nothing; false for keys that are not about principals.
	Key(p *sigv4.Principal, name string) (iampolicy.Value, bool)
}

// invokeAction is the action of calling a method.
const invokeAction = "execute-api:Invoke"

// anonymous is how messages call a caller that no signature names.
const anonymous = "anonymous"

// authorize decides whether the caller may call the method: by its signature (AWS_IAM), a
// Lambda authorizer or a user pool's token, by the API's resource policy, and by both together
// (authorizers, section 4.2). A method of type NONE without a resource policy costs nothing.
func (x *exchange) authorize(ctx context.Context) error {
	if x.method.Authorization == plan.AuthorizeNone && x.stage.Policy == nil && x.endpoint == nil {
		return nil
	}
	err := x.admit(ctx)
	if refused, ok := err.(*Refusal); err == nil || ok && refused.Type == plan.AccessDenied {
		x.auth.authorize.note(err)
	}
	return err
}

// admit asks whoever decides about callers of the method.
func (x *exchange) admit(ctx context.Context) error {
	policy := x.stage.Policy
	if x.method.Authorization == plan.AuthorizeIAM {
		err := x.authenticate(ctx)
		x.auth.authenticate.note(err)
		if err != nil {
			return err
		}
		return x.authorizeCaller(policy)
	}
	if err := x.authorizeByEndpoint(nil); err != nil {
		return err
	}
	switch x.method.Authorization {
	case plan.AuthorizeLambda:
		return x.authorizeByLambda(ctx, policy)
	case plan.AuthorizeUserPool:
		return x.authorizeByToken(ctx, policy)
	}
	if policy == nil {
		return nil
	}
	return x.authorizeByPolicy(policy)
}

// authorizeByPolicy judges a caller without a signature by the API's policy alone: it must
// allow. A policy that names callers admits nobody that way, whatever else it says: the
// service then wants a signature on every method (authorizers, section 4).
func (x *exchange) authorizeByPolicy(policy *iampolicy.Policy) error {
	v := policy.Evaluate(x.question(nil))
	if v.Effect == iampolicy.Allow && policy.NamesCallers() {
		v = iampolicy.Verdict{Statement: -1}
	}
	return x.refuseUnless(iampolicy.Decision{Effect: v.Effect, By: iampolicy.ResourceType, Verdict: v}, anonymous)
}

// authenticate verifies the request's signature. The body is read first: its hash is part
// of what is signed.
func (x *exchange) authenticate(ctx context.Context) error {
	service := x.g.ExecuteAPI
	service.Region = func(region string) bool { return region == x.stage.API.Region }
	req := sigv4.FromMessage(x.req)
	if n := x.req.ContentLength; n < 0 || n > maxKept { // a large body is not read for nothing
		if err := x.g.Verifier.Expect(ctx, &service, req); err != nil {
			return unverified(err)
		}
	}
	body, err := x.readBody()
	if err != nil {
		return err
	}
	sum := x.bodySum(body)
	req.Body, req.PayloadHash = nil, hex.EncodeToString(sum[:])
	result, err := x.g.Verifier.Verify(ctx, &service, req)
	if err != nil {
		return unverified(err)
	}
	x.caller = &result.Credential.Principal
	x.accessKey = result.AccessKeyID
	x.signer = sigv4.SigningKey{AccessKeyID: result.AccessKeyID, Secret: result.Credential.Secret, Token: result.SessionToken}
	return nil
}

// unverified words a refused signature (request-lifecycle, section 4.4).
func unverified(err error) error {
	var e *sigv4.Error
	if !errors.As(err, &e) {
		return &Refusal{Type: plan.AuthorizerFailure, Message: "Internal server error", Kind: "InternalServerErrorException", Reason: "signature-unavailable", Cause: err}
	}
	r := &Refusal{Type: plan.InvalidSignature, Message: e.Message, Kind: e.Code, Reason: "signature", Cause: e.Cause}
	switch e.Kind {
	case sigv4.Missing:
		return errNoRoute // the same words: "Missing Authentication Token"
	case sigv4.TokenExpired:
		r.Type = plan.ExpiredToken
	case sigv4.Incomplete, sigv4.UnknownKey:
		r.Type, r.Status = plan.Default4XX, 403
	case sigv4.TooLarge:
		return errBodyTooLarge
	case sigv4.Unavailable:
		r.Type, r.Message, r.Kind = plan.AuthorizerFailure, "Internal server error", "InternalServerErrorException"
	}
	return r
}

// authorizeCaller judges a signed request by the caller's policies and the API's.
func (x *exchange) authorizeCaller(policy *iampolicy.Policy) error {
	set, known := x.g.Identities.Policies(x.caller)
	if !known {
		return &Refusal{Type: plan.Default4XX, Status: 403, Message: "The security token included in the request is invalid.", Kind: "UnrecognizedClientException", Reason: "caller-gone"}
	}
	set.Resource = policy
	set.CrossAccount = x.caller.Account != x.stage.Account
	principal := &iampolicy.Principal{ARN: x.caller.ARN, Account: x.caller.Account, RoleARN: x.caller.RoleARN, ID: x.caller.ID}
	if err := x.authorizeByEndpoint(principal); err != nil {
		return err
	}
	return x.refuseUnless(set.Decide(x.question(principal)), principal.ARN)
}

// question is what policies are asked.
func (x *exchange) question(principal *iampolicy.Principal) *iampolicy.Request {
	return &iampolicy.Request{Action: invokeAction, Resource: x.methodARN(x.stage.Account), Spellings: x.spellings(), Principal: principal, Keys: conditionKeys{x}}
}

// spellings are the ARNs under which a policy may mean the same path: without the slash at its
// end, which routes do not count, and with its escapes, dot segments and empty segments taken
// out, as many a backend reads it. A path in its plain form has none.
func (x *exchange) spellings() []string {
	var all []string
	for _, path := range otherSpellings(strings.TrimLeft(x.path, "/")) {
		all = append(all, x.arnOf(x.stage.Account, path))
	}
	return all
}

// refuseUnless words the refusal of a decision that does not allow.
func (x *exchange) refuseUnless(d iampolicy.Decision, who string) error {
	if d.Effect == iampolicy.Allow {
		return nil
	}
	return x.accessDenied(who, "policy-"+strings.ReplaceAll(strings.ToLower(d.Effect.String()), " ", "-"), d.Reason(invokeAction))
}

// accessDenied is the refusal of who by a policy (request-lifecycle, section 4.3).
func (x *exchange) accessDenied(who, reason, suffix string) *Refusal {
	return &Refusal{
		Type: plan.AccessDenied, Kind: "AccessDeniedException", Reason: reason,
		Message: "User: " + who + " is not authorized to perform: " + invokeAction + " on resource: " + x.methodARN(masked(x.stage.Account)) + suffix,
	}
}

// masked hides an account but for its last four digits.
func masked(account string) string {
	if len(account) < 4 {
		return "********"
	}
	return "********" + account[len(account)-4:]
}

// methodARN is the ARN of the call: the concrete verb and path, raw (authorizers, section
// 1.3).
func (x *exchange) methodARN(account string) string {
	return x.arnOf(account, strings.TrimLeft(x.path, "/"))
}

func (x *exchange) arnOf(account, path string) string {
	return "arn:aws:execute-api:" + x.stage.API.Region + ":" + account + ":" + x.stage.API.ID + "/" + x.stage.Name + "/" + x.verb + "/" + path
}

// conditionKeys gives policies the facts of the request (authorizers, section 4.1).
type conditionKeys struct{ x *exchange }

// Value implements iampolicy.Keys.
func (k conditionKeys) Value(name string) iampolicy.Value {
	x := k.x
	switch name {
	case "aws:sourceip":
		if x.endpoint != nil {
			return iampolicy.Value{}
		}
		return iampolicy.Addr(x.req.Conn.Remote.Addr())
	case "aws:securetransport":
		return iampolicy.Bool(x.req.Conn.TLS != nil)
	case "aws:currenttime":
		return iampolicy.Time(x.start)
	case "aws:epochtime":
		return iampolicy.Number(x.start.Unix())
	case "aws:useragent":
		return present(x.req.Header.Get("User-Agent"))
	case "aws:referer":
		return present(x.req.Header.Get("Referer"))
	}
	if x.endpoint != nil && strings.Contains(name, "vpc") {
		return k.vpcKey(name)
	}
	if x.caller != nil {
		if v, ok := x.g.Identities.Key(x.caller, name); ok {
			return v
		}
	}
	return k.certificate(name)
}

// certificate gives the keys of a client certificate that mutual TLS verified.
func (k conditionKeys) certificate(name string) iampolicy.Value {
	switch values := k.x.client.ConditionKey(name); len(values) {
	case 0:
		return iampolicy.Value{}
	case 1:
		return iampolicy.Text(values[0])
	default:
		return iampolicy.Texts(values)
	}
}

func present(s string) iampolicy.Value {
	if s == "" {
		return iampolicy.Value{}
	}
	return iampolicy.Text(s)
}
