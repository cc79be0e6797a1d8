// Package throttle holds requests to the limits that apply to everybody: those of an
// account in a Region, and those of a stage's methods. The gateway calls Method.Admit
// before the authorizer runs (DESIGN, order of limits); the compiler asks a Throttle
// for each method's limits.
//
// Buckets are named by account, Region, API, stage and method alone. Every domain,
// mapping, listener and deployment of a stage uses the same ones, and a compiled plan
// that replaces another finds their tokens as they were.
//
// Everything here is safe for concurrent use; Admit neither locks nor allocates.
package throttle

import (
	"strings"
	"time"

	"gatehouse/internal/counter"
	"gatehouse/internal/ratelimit"
)

// The refusal that every throttle sends (throttling-and-usage-plans.md section 8).
const (
	Throttled       = "THROTTLED"
	TooManyRequests = "Too Many Requests"
)

// A Refusal says why a request was not admitted. The zero value refuses nothing.
type Refusal struct {
	Type    string // the gateway response type; "" when the request was admitted
	Message string // for the caller

	Limit      counter.Limit // the limit that was exceeded
	RetryAfter time.Duration // when a token may be there; callers are told where a stage's tag asks for it
}

// Refused reports whether r refuses.
func (r Refusal) Refused() bool { return r.Type != "" }

// Over returns the refusal of a request for which b had no token.
func Over(b *counter.Bucket, now counter.Instant) Refusal {
	return Refusal{Type: Throttled, Message: TooManyRequests, Limit: b.Limit(), RetryAfter: b.Wait(now)}
}

// PolicyOf tells callers of a bucket under a name.
func PolicyOf(name string, b *counter.Bucket, now counter.Instant) ratelimit.Policy {
	l := b.Limit()
	p := ratelimit.Policy{Name: name, Limit: l.Burst, Left: min(b.Tokens(now), l.Burst)}
	if l.Rate > 0 {
		p.Window = time.Duration(float64(l.Burst) / l.Rate * float64(time.Second))
		p.Reset = time.Duration(float64(l.Burst-p.Left) / l.Rate * float64(time.Second))
	}
	return p
}

// A Stage names a stage: what its limits belong to.
type Stage struct {
	Account, Region, API, Name string
}

// A Throttle makes the limiters of methods. Make it with New.
type Throttle struct {
	counters *counter.Set
	account  counter.Limit
}

// New returns a Throttle that keeps its buckets in counters. account is what one
// account may use in one Region, all its APIs together; an unlimited one switches it off.
func New(counters *counter.Set, account counter.Limit) *Throttle {
	return &Throttle{counters: counters, account: account}
}

// A Method is the limiter of one method of one stage. The zero value admits everything.
type Method struct {
	own, account *counter.Bucket // nil: no limit
}

// Method returns the limiter of a method: resource is the resource's path with its
// variables ("/pets/{id}"), method its HTTP method as configured ("GET", "ANY"), and
// settings are the stage's method settings by their keys. Asking again, for another
// deployment or with changed settings, gives the same buckets under the new limits.
func (t *Throttle) Method(s Stage, resource, method string, settings map[string]counter.Limit) Method {
	m := Method{account: t.counters.Bucket("account/"+s.Region+"/"+s.Account, t.account)}
	if l, ok := Resolve(settings, resource, method); ok {
		m.own = t.counters.Bucket("stage/"+s.Region+"/"+s.API+"/"+s.Name+"/"+method+" "+resource, l)
	}
	return m
}

// Limited reports whether any limit applies, so that a plan may leave the step out.
func (m *Method) Limited() bool { return m.own != nil || m.account != nil }

// Admit takes a token from the method's bucket, then from the account's. A token taken
// from the first stays taken when the second refuses, as in the service.
func (m *Method) Admit(now counter.Instant) Refusal {
	if m.own != nil && !m.own.Take(now) {
		return Over(m.own, now)
	}
	if m.account != nil && !m.account.Take(now) {
		return Over(m.account, now)
	}
	return Refusal{}
}

// AppendPolicies appends what is left of the method's own limit. The account's is not
// told: it would show one API's callers how busy the others are.
func (m *Method) AppendPolicies(dst []ratelimit.Policy, now counter.Instant) []ratelimit.Policy {
	if m.own == nil {
		return dst
	}
	return append(dst, PolicyOf("method", m.own, now))
}

// Resolve finds the throttle settings of a method among a stage's method settings: its
// own, else those for all methods of its resource, else "*/*". Each method then has a
// bucket of its own, whichever setting it came from.
func Resolve(settings map[string]counter.Limit, resource, method string) (l counter.Limit, ok bool) {
	best := -1
	for key, setting := range settings {
		path, verb := SettingKey(key)
		rank := 0
		switch path {
		case strings.Trim(resource, "/"):
			rank = 2
		case "*":
		default:
			continue
		}
		switch verb {
		case method:
			rank++
		case "*":
		default:
			continue
		}
		if rank > best {
			best, l = rank, setting
		}
	}
	return l, best >= 0
}

// SettingKey splits a method setting's key into the resource's path, without slashes
// around it, and the method. The service writes keys as "pets/{id}/GET" and "*/*";
// patch paths and older clients write the path with a slash before it, or with "~1" for
// slashes (RFC 6901); the root's path is empty.
func SettingKey(key string) (path, method string) {
	i := strings.LastIndexByte(key, '/')
	if i < 0 {
		return "", key
	}
	path = strings.ReplaceAll(strings.ReplaceAll(key[:i], "~1", "/"), "~0", "~")
	return strings.Trim(path, "/"), key[i+1:]
}
