package trust

import (
	"context"
	"crypto/x509"
	"fmt"
	"time"
)

// A Mode says what becomes of a certificate whose status is not known (reference
// mutual-tls.md B3). Without Revocation in the snapshot nothing is asked.
type Mode uint8

// The modes.
const (
	SoftFail Mode = iota // accepted, logged and counted
	HardFail             // refused
)

// Revocation is what is known about revoked certificates of one domain, and how it
// is used. It is immutable once a Snapshot holds it.
type Revocation struct {
	Mode Mode
	// LeafOnly leaves intermediate CAs out.
	LeafOnly bool
	// Deny refuses listed certificates whatever else is known; Allow, when set, refuses
	// all that are not listed. Both look at the leaf alone.
	Deny, Allow *Lists
	// DenyMissing says that there should be a deny-list, but it was never read: HardFail
	// then refuses everybody.
	DenyMissing bool
	// CRLs are those at hand.
	CRLs *CRLs
	// Source gets what is not at hand; may be nil.
	Source Responder
	// Grace is how long a CRL is relied upon after its nextUpdate.
	Grace time.Duration
	// MaxAge is how long a CRL or OCSP response without nextUpdate is relied upon.
	MaxAge time.Duration
	// AcceptUncovered accepts, in HardFail, a certificate for which no source exists: no
	// CRL by its issuer, no distribution point, no OCSP responder.
	AcceptUncovered bool
	// Judged, when set, is told of each verdict that is made anew, for counting and the log.
	// It must not block.
	Judged func(*Verdict)
}

// A Responder asks others about certificates of verified paths. Its methods may wait,
// bounded by ctx, and may be called concurrently.
type Responder interface {
	// Covers reports whether Status or Discover could find out about cert, from its
	// extensions or the configuration. It does not wait.
	Covers(cert *x509.Certificate) bool
	// Status asks OCSP about cert. It returns StatusUnknown when there is no answer that can be
	// relied upon at now.
	Status(ctx context.Context, cert, issuer *x509.Certificate, now time.Time) Finding
	// Discover gets CRLs from distribution points of a chain, leaf first, that were not known, and reports
	// whether the Store has a new snapshot for that.
	Discover(ctx context.Context, chain []*x509.Certificate) bool
}

// A Status is what is known about one certificate. A greater one is worse.
type Status uint8

// The statuses.
const (
	StatusNotAsked Status = iota
	StatusGood
	StatusUnknown
	StatusRevoked
)

var statusNames = [...]string{"not asked", "good", "unknown", "revoked"}

// String names the status for logs and metrics.
func (s Status) String() string {
	if int(s) < len(statusNames) {
		return statusNames[s]
	}
	return "invalid"
}

// A Finding is a status with its origin.
type Finding struct {
	Status Status
	// Source is "CRL" or "OCSP"; "" for StatusUnknown and StatusNotAsked.
	Source string
	// Detail explains, for the log.
	Detail string
	// Stale tells that an answer was there, but too old.
	Stale bool
	// SoftFailed tells that the status is StatusUnknown and the client was let through.
	SoftFailed bool
	// Depth counts from the leaf (0) to the certificate that the finding is about.
	Depth int
	// Until is when the answer has to be looked for again; zero means at once.
	Until time.Time
}

// unknownLife is how long an unknown status stands. Whoever learns more before calls
// Store.Touch or Store.Swap.
const unknownLife = 10 * time.Second

// apply adds what revocation says to the verdict on a good path.
func (r *Revocation) apply(ctx context.Context, v *Verdict, now time.Time) {
	r.check(ctx, v, now)
	if r.Judged != nil {
		r.Judged(v)
	}
}

func (r *Revocation) check(ctx context.Context, v *Verdict, now time.Time) {
	nodes := v.Path.nodes
	if r.Deny != nil {
		if why, ok := r.Deny.match(nodes[0]); ok {
			v.Refusal = nodes[0].refuse(Denied, why)
			return
		}
	}
	if r.DenyMissing && r.Mode == HardFail {
		v.Refusal = nodes[0].refuse(RevocationUnknown, "the deny-list was never read")
		v.until = now.Add(unknownLife)
		return
	}
	if r.Allow != nil {
		if _, ok := r.Allow.match(nodes[0]); !ok {
			v.Refusal = nodes[0].refuse(NotAllowed, "")
			return
		}
	}
	end := len(nodes) - 1 // the anchor is trusted because it is listed
	if r.LeafOnly {
		end = min(end, 1)
	}
	for depth := range end {
		f := r.finding(ctx, nodes[depth], nodes[depth+1], nodes[len(nodes)-1], now)
		f.Depth = depth
		r.judge(v, f, nodes[depth], now)
		if v.Refusal != nil {
			return
		}
	}
}

// finding asks the CRLs, then OCSP. The first that says good or revoked decides.
func (r *Revocation) finding(ctx context.Context, n, issuer, anchor *node, now time.Time) Finding {
	q := crlQuery{crls: r.CRLs, now: now, grace: r.Grace, maxAge: r.MaxAge}
	f := q.status(n, issuer, anchor)
	if f.Status != StatusUnknown || r.Source == nil {
		return f
	}
	o := r.Source.Status(ctx, n.cert, issuer.cert, now)
	if o.Status == StatusUnknown && f.Stale {
		o.Stale = true
	}
	if o.Status == StatusNotAsked {
		return f
	}
	return o
}

// judge lets a finding about one certificate act on the verdict.
func (r *Revocation) judge(v *Verdict, f Finding, n *node, now time.Time) {
	if f.Status == StatusUnknown {
		f.Until = now.Add(unknownLife)
		switch {
		case r.Mode == SoftFail:
			f.SoftFailed = true
		case r.AcceptUncovered && !r.CRLs.covers(n) && (r.Source == nil || !r.Source.Covers(n.cert)):
			f.Detail = "no source of revocation data covers the certificate"
		default:
			v.Refusal = &Refusal{Reason: RevocationUnknown, Depth: f.Depth, Subject: n.name.String(), Detail: f.Detail}
		}
	}
	if f.Status == StatusRevoked {
		v.Refusal = &Refusal{Reason: Revoked, Depth: f.Depth, Subject: n.name.String(), Detail: fmt.Sprintf("by %s, %s", f.Source, f.Detail)}
	}
	if f.Status >= v.Revocation.Status {
		v.Revocation = f
	}
	if f.Until.Before(v.until) {
		v.until = f.Until
	}
}
