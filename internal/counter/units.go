package counter

import (
	"sync/atomic"
	"time"
)

// unitLease is the account of one period of a quota with the server.
type unitLease struct {
	account
	quota *Quota
	term  *term

	// own is how many units this node has taken and not given back: all grants seen.
	// safe is the part of it that the ledger has.
	own, safe atomic.Int64

	// warm is set while units were granted and not all returned for want of use: what
	// comes after them is on its way before they run out.
	warm atomic.Bool

	serial int64 // of the last ask; settling goroutine
	refill *Refill
	remain atomic.Pointer[remaining]
	gone   atomic.Bool
}

// remaining is a request to make so many units remain, and where its outcome goes.
type remaining struct {
	units int64
	done  chan error
}

func newUnitLease(q *Quota, t *term) *unitLease {
	u := &unitLease{quota: q, term: t}
	u.set, u.account.quota = q.set, u
	return u
}

// spend takes one leased unit; see lease.go.
func (u *unitLease) spend(now Instant) (ok, gone bool) {
	if u.account.spend() {
		return true, false
	}
	if u.hand.Load() < 0 {
		return false, true
	}
	u.refused.Add(1)
	if now.Mono < u.dryUntil.Load() {
		u.ask()
		return false, false
	}
	patience := coldPatience
	if u.warm.Load() && u.set.condition() == slow {
		patience = warmPatience
	}
	// A settlement may bring fewer units than there are requests that wait: as long as the
	// server has more, those that got none wait for the next.
	for end := time.Now().Add(patience); u.set.condition() != away; {
		u.await(time.Until(end))
		if u.account.spend() {
			return true, false
		}
		if u.hand.Load() < 0 {
			return false, true
		}
		if now.Mono < u.dryUntil.Load() || !time.Now().Before(end) {
			return false, false
		}
	}
	u.ask()
	return false, false
}

func (u *unitLease) visible() int64 { return max(0, u.hand.Load()) }

func (u *unitLease) wakeUp() {
	u.dryUntil.Store(0)
	u.ask()
}

// abandon ends the lease: the quota's settings have begun another count.
func (u *unitLease) abandon() {
	u.gone.Store(true)
	u.ask()
}

// taken is what the ledger should have for this node. A nil lease has none.
func (u *unitLease) taken() int64 { return u.own.Load() }

func (u *unitLease) unsaved() bool { return u != nil && u.own.Load() != u.safe.Load() }

func (u *unitLease) saved(taken int64) { u.safe.Store(taken) }

// compose makes the ask of the next exchange. Units to be given back leave the hand
// and own here: Taken replaces what the server has, so nothing hangs on its answer.
func (u *unitLease) compose(now int64, final bool) QuotaAsk {
	hand := u.hand.Load()
	seen, perSecond := u.demand(hand, now)
	u.serial++
	t, q := u.term, u.quota
	q.mu.Lock()
	limit := t.limit
	q.mu.Unlock()
	ask := QuotaAsk{Key: q.key, Start: t.start / 1e9, End: t.end / 1e9, Limit: limit, Serial: u.serial, Refill: u.refill}
	over := final || u.gone.Load() || u.set.clock.Now().Wall >= t.end
	target := int64(perSecond*unitHorizon.Seconds()) + 1
	switch {
	case over, seen == 0 && now-u.used > int64(u.keep()):
		u.warm.Store(false)
		u.own.Add(-u.draw(hand))
	case hand > 4*target:
		u.own.Add(-u.draw(hand - target))
	default:
		ask.Want = max(0, target-hand)
	}
	if r := u.remain.Load(); r != nil && !over {
		ask.Remaining = &r.units
	}
	ask.Taken = u.own.Load()
	return ask
}

// granted takes in the answer to an ask. Units are not in the hand yet: activate
// puts them there when the ledger has them. again asks for another exchange at once.
func (u *unitLease) granted(ask QuotaAsk, g QuotaGrant, now int64) (again bool) {
	switch {
	case g.Unknown:
		return true
	case g.Stale:
		u.serial += 1 << 20
		return true
	}
	u.refill = nil
	u.own.Add(g.Units)
	if g.Units < ask.Want && g.Left < 1 {
		u.dryUntil.Store(now + int64(drySpell))
	} else {
		u.dryUntil.Store(0)
	}
	q := u.quota
	q.mu.Lock()
	if g.ExtraAt > u.term.extraAt {
		u.term.setExtra(g.Extra, g.ExtraAt)
		q.soil()
	}
	q.mu.Unlock()
	if r := u.remain.Load(); r != nil && ask.Remaining == &r.units {
		u.remain.CompareAndSwap(r, nil)
		u.dryUntil.Store(0)
		r.done <- nil
	}
	return false
}

// activate lets the units of a grant be spent.
func (u *unitLease) activate(g QuotaGrant, now int64) {
	if g.Units > 0 {
		u.warm.Store(true)
	}
	u.put(g.Units, now)
	u.release()
}

// failed notes that an ask got no answer. Whatever it was granted there is taken
// back by the next ask's Taken.
func (u *unitLease) failed(now int64, err error) {
	u.given, u.settled = u.hand.Load(), now
	if r := u.remain.Swap(nil); r != nil {
		r.done <- err
	}
	u.release()
}
