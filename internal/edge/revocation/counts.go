package revocation

import (
	"sync/atomic"
	"time"

	"gatehouse/internal/trust"
)

// Counts are verdicts by what revocation data said, since the domain was first applied.
// A verdict is made once per connection and change, not per request.
type Counts struct {
	Good       int64 `json:"good"`
	Revoked    int64 `json:"revoked"`
	Unknown    int64 `json:"unknown"`    // no answer; refused, or SoftFailed
	Stale      int64 `json:"stale"`      // of Unknown: there was an answer, but too old
	SoftFailed int64 `json:"softFailed"` // of Unknown: let through
	Denied     int64 `json:"denied"`     // by a deny-list, or for want of a place on an allow-list
}

type counts struct {
	m      *Manager
	domain string

	good, revoked, unknown, stale, softFailed, denied atomic.Int64
	told                                              atomic.Int64 // Unix time of the last line about a soft failure
}

// tellEvery bounds how often soft failures of one domain are logged.
const tellEvery = time.Minute

// judged counts a verdict; it is trust.Revocation.Judged.
func (c *counts) judged(v *trust.Verdict) {
	if r := v.Refusal; r != nil && (r.Reason == trust.Denied || r.Reason == trust.NotAllowed) {
		c.denied.Add(1)
		return
	}
	f := v.Revocation
	switch f.Status {
	case trust.StatusGood:
		c.good.Add(1)
	case trust.StatusRevoked:
		c.revoked.Add(1)
	case trust.StatusUnknown:
		c.unknown.Add(1)
		if f.Stale {
			c.stale.Add(1)
		}
		if f.SoftFailed {
			c.softFailed.Add(1)
			c.tell(f)
		}
	}
}

// tell logs that clients are let through without an answer: now and then, not for each.
func (c *counts) tell(f trust.Finding) {
	now, last := c.m.opts.Now().Unix(), c.told.Load()
	if now-last >= int64(tellEvery/time.Second) && c.told.CompareAndSwap(last, now) {
		c.m.opts.Logger.Warn("client certificates are accepted without knowing whether they are revoked (soft-fail)",
			"domain", c.domain, "reason", f.Detail, "so far", c.softFailed.Load())
	}
}

func (c *counts) read() Counts {
	return Counts{
		Good: c.good.Load(), Revoked: c.revoked.Load(), Unknown: c.unknown.Load(),
		Stale: c.stale.Load(), SoftFailed: c.softFailed.Load(), Denied: c.denied.Load(),
	}
}
