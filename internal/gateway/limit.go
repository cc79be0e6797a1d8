package gateway

import (
	"gatehouse/internal/gateway/meter"
	"gatehouse/internal/gateway/throttle"
	"gatehouse/internal/plan"
	"gatehouse/internal/ratelimit"
)

// The refusals of limits (throttling-and-usage-plans, section 8).
var (
	errThrottled = &Refusal{Type: plan.Throttled, Message: throttle.TooManyRequests, Kind: "TooManyRequestsException", Reason: "throttled"}
	errQuota     = &Refusal{Type: plan.QuotaExceeded, Message: "Limit Exceeded", Kind: "LimitExceededException", Reason: "quota-exceeded"}
	errAPIKey    = &Refusal{Type: plan.InvalidAPIKey, Message: "Forbidden", Kind: "ForbiddenException", Reason: "api-key"}
)

// throttle holds the request to the limits of its method, stage and account.
func (x *exchange) throttle() error {
	if !x.method.Throttle.Limited() {
		return nil
	}
	if r := x.method.Throttle.Admit(x.g.Clock.Now()); r.Refused() {
		x.retryAfter = r.RetryAfter
		return errThrottled
	}
	return nil
}

// meter finds the holder of the request's API key and holds it to its usage plan.
func (x *exchange) meter() error {
	if x.method.Keys == nil {
		return nil
	}
	if x.stage.KeyFromAuthorizer {
		x.key = x.auth.usageKey // the client's own key means nothing then
	} else {
		x.key = x.req.Header.Get("X-API-Key")
		if x.key != "" && x.req.Header.Count("X-API-Key") > 1 {
			return errAPIKey // two keys could be read in two ways
		}
	}
	if x.log != nil {
		x.logVerifying()
	}
	grant, refusal := x.method.Keys.Check(x.g.Clock.Now(), x.key)
	x.grant = grant
	if !refusal.Refused() {
		return nil
	}
	x.retryAfter = refusal.RetryAfter
	shared := errAPIKey
	switch refusal.Type {
	case throttle.Throttled:
		shared = errThrottled
	case meter.QuotaExceeded:
		shared = errQuota
	}
	r := *shared
	r.Cause = configurationError(refusal.Log(x.key))
	return &r
}

// tellLimits writes what is left of the limits into the answer, where the stage asks for
// it. Requests that were refused before a limit was looked at are not told of it.
func (x *exchange) tellLimits() {
	if x.stage == nil || x.stage.RateLimitHeaders == ratelimit.None || x.method == nil {
		return
	}
	var room [4]ratelimit.Policy
	now := x.g.Clock.Now()
	policies := x.method.Throttle.AppendPolicies(room[:0], now)
	policies = x.grant.AppendPolicies(policies, now)
	ratelimit.Set(&x.res.header, x.stage.RateLimitHeaders, policies)
	if x.retryAfter > 0 {
		ratelimit.SetRetryAfter(&x.res.header, x.retryAfter)
	}
}
