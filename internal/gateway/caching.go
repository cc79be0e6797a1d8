package gateway

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"strings"

	"gatehouse/internal/gateway/cache"
	"gatehouse/internal/lang/expression"
	"gatehouse/internal/lang/iampolicy"
	"gatehouse/internal/message"
	"gatehouse/internal/plan"
)

// CacheOutcome tells what the response cache did for a request.
type CacheOutcome uint8

// The outcomes.
const (
	Uncached  CacheOutcome = iota // the method has no cache
	CacheHit                      // answered from the cache, or with the answer of a request before it
	CacheMiss                     // answered by the integration
)

// cachingFacts is what the cache left for the answer, logs and metrics.
type cachingFacts struct {
	outcome CacheOutcome
	warn    bool // the client asked for a new answer and may not have it: it is told so
}

// fulfil answers the request: from the cache, or else by the integration, whose answer the
// cache then keeps (routing-and-integrations, section 14).
func (x *exchange) fulfil(ctx context.Context) error {
	x.forgetCoding()
	c := x.method.Caching
	if c == nil || c.OnlyGET && x.verb != "GET" {
		return x.integrate(ctx)
	}
	if c.Mapped() { // a mapping may read the body
		if err := x.checkBodyMappings(x.method.Integration); err != nil {
			return err
		}
	}
	x.cacheKey = x.appendCaller(x.appendCacheKey(x.cacheKey[:0], c))
	renew, err := x.renews(c)
	if err != nil {
		return err
	}
	flight, hit := x.look(ctx, c, renew)
	if hit {
		x.caching.outcome = CacheHit
		return nil
	}
	x.caching.outcome = CacheMiss
	if flight == nil {
		err = x.integrate(ctx)
	} else {
		err = x.lead(ctx, c, flight)
	}
	if err == nil && x.caching.warn {
		x.res.header.Add("Warning", unauthorizedWarning)
	}
	return err
}

// look finds the answer, waiting for a request that is making it. Without one it returns the
// flight that x leads, or nil when x is on its own.
func (x *exchange) look(ctx context.Context, c *plan.Caching, renew bool) (*cache.Flight, bool) {
	if renew {
		return c.Cache.Renew(x.cacheKey), false
	}
	r, flight := c.Cache.Look(x.cacheKey, x.g.Clock.Now())
	if r == nil && !flight.Leads() {
		if r = flight.Wait(ctx, x.method.Integration.Timeout, x.req.Gone); r == nil {
			return nil, false
		}
	}
	if r == nil {
		return flight, false
	}
	x.res.status, x.res.traced = r.Status, r.Traced
	x.res.header = append(x.res.header[:0], r.Header...)
	x.res.lend(r.Body)
	if x.caching.warn {
		x.res.header.Add("Warning", unauthorizedWarning)
	}
	return nil, true
}

// lead calls the integration for all who wait for its answer. They are let go whatever
// happens, a panic included.
func (x *exchange) lead(ctx context.Context, c *plan.Caching, flight *cache.Flight) error {
	defer flight.End()
	if err := x.integrate(ctx); err != nil {
		return err
	}
	if !x.keepable(c) || !x.collect() {
		return nil
	}
	body := slices.Clone(x.res.body)
	flight.Land(&cache.Response{Status: x.res.status, Header: slices.Clone(x.res.header), Body: body, Traced: x.res.traced}, c.Options, x.g.Clock.Now())
	return nil
}

// keepable reports whether an answer may be given to others. The service keeps every status;
// a part of a body, or "not modified", answers only the request that asked for it, and a
// coded body only those that accept the coding.
func (x *exchange) keepable(c *plan.Caching) bool {
	if x.res.status == 206 || x.res.status == 304 || x.up.Method == "HEAD" && x.res.stream != nil {
		return false
	}
	return !x.res.header.Has("Content-Encoding") || slices.ContainsFunc(c.Parameters, func(p plan.CacheParameter) bool {
		return p.Of.Place == expression.Header && message.EqualName(p.Of.Name, "Accept-Encoding")
	})
}

// collect reads an answer that would be passed on as it arrives, so that a client that reads
// slowly keeps nobody waiting. It reports false when the answer is not one that is kept: too
// large, broken off, or with a trailer. What was read is then sent before the rest.
func (x *exchange) collect() bool {
	s := x.res.stream
	if s == nil {
		return len(x.res.body) <= cache.MaxBody
	}
	if s.length > cache.MaxBody {
		return false
	}
	b := x.res.body[:0]
	for {
		chunk, err := s.next()
		b = append(b, chunk...)
		if x.log != nil {
			x.logChunk(chunk)
		}
		switch {
		case err != nil && (!errors.Is(err, io.EOF) || len(s.trailer()) > 0), len(b) > cache.MaxBody:
			s.before, s.ended, s.logged = b, err, true
			x.res.body = nil // it belongs to the stream now
			return false
		case err != nil:
			x.res.body, x.res.stream = b, nil
			return true
		}
	}
}

// appendCacheKey appends what an answer is kept under. Each part comes with its length, so
// that no two requests can write the same key by moving text from one part to another.
// Values are taken as the client wrote them, all of them, and header names without regard
// to case: two requests that a backend could tell apart by a key parameter never share an
// answer.
func (x *exchange) appendCacheKey(b []byte, c *plan.Caching) []byte {
	b = appendPart(b, c.Deployment)
	b = appendPart(b, c.Namespace)
	b = appendPart(b, x.verb)
	for i := range c.Parameters {
		p := &c.Parameters[i]
		b = appendPart(b, p.Name)
		switch {
		case p.Mapped != nil:
			v, _ := x.mappedValue(p.Mapped)
			b = appendPart(b, v)
		case p.Of.Place == expression.Path:
			v, _ := x.params.Get(p.Of.Name)
			b = appendPart(b, v)
		case p.Of.Place == expression.Query:
			for k, v := range pairs(x.req.RawQuery) {
				if unescapeQuery(k) == p.Of.Name {
					b = appendPart(b, v)
				}
			}
		case p.Of.Place == expression.Header:
			for j := range x.req.Header {
				if f := &x.req.Header[j]; message.EqualName(f.Name, p.Of.Name) {
					b = appendPart(b, f.Value)
				}
			}
		}
		b = append(b, 0) // a part of no length: the values end
	}
	return b
}

// appendPart appends a text behind its length, which is never zero.
func appendPart(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))+1), s...)
}

// invalidateAction is the action of having an answer made anew.
const invalidateAction = "execute-api:InvalidateCache"

// unauthorizedWarning tells a client that it may not.
const unauthorizedWarning = "199 Cache-control headers were ignored because the caller was unauthorized."

// renews reports whether the client asks for a new answer and may have it. What becomes of
// one that may not is the method's setting.
func (x *exchange) renews(c *plan.Caching) (bool, error) {
	if !asksAnew(x.req.Header) {
		return false, nil
	}
	if c.Anyone {
		return true, nil
	}
	d, who := x.decideInvalidation()
	switch {
	case d.Effect == iampolicy.Allow:
		return true, nil
	case c.OnUnauthorized == plan.UnauthorizedRefuse:
		return false, &Refusal{Type: plan.AccessDenied, Kind: "AccessDeniedException", Reason: "cache-invalidation",
			Message: "User: " + who + " is not authorized to perform: " + invalidateAction + " on resource: " + x.methodARN(masked(x.stage.Account)) + d.Reason(invalidateAction)}
	}
	x.caching.warn = c.OnUnauthorized == plan.UnauthorizedWarn
	return false, nil
}

// asksAnew reports whether Cache-Control has max-age=0.
func asksAnew(h message.Header) bool {
	for i := range h {
		if message.EqualName(h[i].Name, "Cache-Control") && message.HasToken(strings.ReplaceAll(h[i].Value, " ", ""), "max-age=0") {
			return true
		}
	}
	return false
}

// decideInvalidation judges by the policies of whoever signed the request and the API's. No
// policy lets a caller of another account, or one who is not known, invalidate.
func (x *exchange) decideInvalidation() (iampolicy.Decision, string) {
	if x.caller == nil {
		return iampolicy.Decision{Effect: iampolicy.ImplicitDeny}, "anonymous"
	}
	set, known := x.g.Identities.Policies(x.caller)
	if !known || x.caller.Account != x.stage.Account {
		return iampolicy.Decision{Effect: iampolicy.ImplicitDeny}, x.caller.ARN
	}
	set.Resource = x.stage.Policy
	q := x.question(&iampolicy.Principal{ARN: x.caller.ARN, Account: x.caller.Account, RoleARN: x.caller.RoleARN, ID: x.caller.ID})
	q.Action = invalidateAction
	return set.Decide(q), x.caller.ARN
}
