package wafrules

import (
	"net/netip"
	"time"
)

// A Header is one header line of a request or response.
type Header struct {
	Name, Value string
}

// A Request is what the firewall sees. Its strings are only read, and only until
// Evaluate's Verdict is released.
type Request struct {
	Method  string
	Path    string // raw, with the stage as the client sent it
	Query   string // raw, without "?"
	Version string // such as "HTTP/1.1", for logs

	// Header has every line in the order in which the service would show them:
	// X-Forwarded-For, -Proto, -Port, Host and X-Amzn-Trace-Id first.
	Header []Header

	ClientIP netip.Addr
	JA3, JA4 string // "" when not known
	Time     time.Time

	// Body yields the body's beginning, or is nil for a request without one. It is asked
	// at most once, and only when a rule that is reached inspects the body.
	Body BodySource
}

// A BodySource lets the firewall look at a body before it is forwarded.
type BodySource interface {
	// Peek returns the first limit bytes of the body, fewer if it is shorter, and whether
	// more follow. The bytes stay valid and unchanged until the Verdict is released. An
	// error (the client broke off, say) ends the evaluation.
	Peek(limit int) (prefix []byte, more bool, err error)
}

// A CodedBody is a BodySource that shows what becomes of a body when its content coding is
// undone. Backends that do not decode read what was sent instead.
type CodedBody interface {
	BodySource
	// Sent returns the first limit bytes of the body as it was sent, nil when that is what
	// Peek returned. It is asked after Peek.
	Sent(limit int) ([]byte, error)
}

// Geography knows where addresses are.
type Geography interface {
	// Country returns the ISO 3166-1 code of the address's country and the ISO 3166-2 code of
	// its region without the country; "" for what is not known.
	Country(a netip.Addr) (country, region string)
	// ASN returns the autonomous system's number, 0 when the address is not mapped.
	ASN(a netip.Addr) uint32
}

// RateCounters keeps the counters of rate-based rules. They outlive ACLs, so that a change
// elsewhere in an ACL does not forget who was limited.
type RateCounters interface {
	// Counter returns the counter of the rule, made at first use. The ID covers
	// everything whose change starts a new count.
	Counter(rule RateRule) RateCounter
}

// A RateRule identifies a rate-based rule of one web ACL and tells how it counts.
type RateRule struct {
	ID     string
	Limit  int64         // requests allowed in a window
	Window time.Duration // 60 to 600 s
}

// A RateCounter counts the requests of one rule by key. It is safe for concurrent use.
type RateCounter interface {
	// Add counts a request and reports whether its key is over the limit, this request
	// included. addr is the address that is counted, or zero when the key is not an
	// address. key is not kept.
	Add(key string, addr netip.Addr, now time.Time) (limited bool)
}
