package gateway

import (
	"context"
	"errors"
	"slices"

	"gatehouse/internal/gateway/userpool"
	"gatehouse/internal/lang/iampolicy"
	"gatehouse/internal/plan"
)

// Tokens verifies the tokens of user pools.
type Tokens interface {
	// Verify judges a token, which must be of one of the pools, named by their ARNs. Errors
	// are a *userpool.Error.
	Verify(ctx context.Context, pools []string, token string) (*userpool.Token, error)
}

// errTokenExpired is the one refusal of tokens that says why (authorizers, section 2).
var errTokenExpired = &Refusal{Type: plan.Unauthorized, Message: "The incoming token has expired", Kind: "UnauthorizedException", Reason: "token-expired"}

func errToken(cause error) *Refusal {
	return &Refusal{Type: plan.Unauthorized, Message: "Unauthorized", Kind: "UnauthorizedException", Reason: "token", Cause: cause}
}

// authorizeByToken verifies the caller's token, and then asks the API's policy alone, which
// must allow where there is one (authorizers, section 4.2).
func (x *exchange) authorizeByToken(ctx context.Context, policy *iampolicy.Policy) error {
	if len(x.methodARN(x.stage.Account)) > maxMethodARN {
		return errURITooLong
	}
	err := x.verifyToken(ctx, x.method.Authorizer)
	x.auth.call.note(err)
	x.auth.authenticate.note(err)
	if err != nil || policy == nil {
		return err
	}
	return x.authorizeByPolicy(policy)
}

// verifyToken verifies the token in the authorizer's header and keeps its claims.
func (x *exchange) verifyToken(ctx context.Context, a *plan.Authorizer) error {
	x.auth.call.asked = true
	if x.log != nil {
		x.logLine("Starting authorizer: ", a.ID, " for request: ", x.requestID)
	}
	n, text := x.sourceValues(&a.Sources[0], nil)
	if n != 1 || text == "" {
		return errNoIdentity
	}
	if x.log != nil {
		x.logIdentity(a, text)
	}
	token, err := x.g.Tokens.Verify(ctx, a.Pools, text)
	x.logAt(x.g.now()) // keys may have been fetched
	if err != nil {
		return x.refuseToken(err)
	}
	if err := accepts(x.method, token); err != nil && !x.test {
		return errToken(err)
	}
	if x.log != nil {
		x.logLine("Successfully completed authorizer execution")
	}
	x.auth.claims = token.Claims
	return nil
}

// refuseToken words a token that was not verified.
func (x *exchange) refuseToken(err error) error {
	var e *userpool.Error
	switch {
	case errors.As(err, &e) && e.Kind == userpool.Expired:
		return errTokenExpired
	case errors.As(err, &e) && e.Kind == userpool.Invalid:
		return errToken(err)
	}
	x.logProblem("Execution failed due to an internal error")
	return authorizerFailed("token-keys-unavailable", err)
}

// accepts judges a verified token by what the method wants of it (authorizers, section 2):
// without scopes it must be an identity token, with scopes an access token that has one of
// them. A validation expression is about the audience, which access tokens do not have.
func accepts(m *plan.Method, t *userpool.Token) error {
	switch {
	case len(m.Scopes) == 0 && t.Access:
		return errors.New("an access token where an identity token is wanted: the method has no scopes")
	case len(m.Scopes) > 0 && !t.Access:
		return errors.New("an identity token where an access token is wanted: the method has scopes")
	case len(m.Scopes) > 0 && !t.HasScope(m.Scopes):
		return errors.New("the token has none of the method's scopes")
	}
	if v := m.Authorizer.Validation; v != nil && (t.Access || !slices.ContainsFunc(t.Audience, v.MatchString)) {
		return errors.New("the token's audience does not match the validation expression")
	}
	return nil
}
