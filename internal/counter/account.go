package counter

import (
	"sync/atomic"
	"time"
)

// account is what both kinds of lease have: the amount at hand and the way to get more.
type account struct {
	set  *Set
	hand atomic.Int64 // tokens or units that can be spent now
	low  atomic.Int64 // at or below this much in hand, more is asked for

	refused  atomic.Int64 // demand that the hand could not meet since the last exchange
	dryUntil atomic.Int64 // monotonic time until which the server is known to have none
	asked    atomic.Bool  // on the set's list of accounts to be settled
	next     *account     // in that list

	waiting atomic.Pointer[chan struct{}] // closed at the next settlement

	// The rest belongs to the settling goroutine.
	given   int64 // hand after the last settlement
	settled int64 // when that was, monotonic; 0 before the first
	used    int64 // when demand was last seen, monotonic

	// One of these is the lease that the account belongs to.
	rate  *lease
	quota *unitLease
}

// spend takes one from the hand.
func (a *account) spend() bool {
	n := a.hand.Load()
	for n > 0 {
		if a.hand.CompareAndSwap(n, n-1) {
			if n-1 <= a.low.Load() {
				a.ask()
			}
			return true
		}
		n = a.hand.Load()
	}
	return false
}

// ask puts the account on the list of those to be settled soon.
func (a *account) ask() {
	if a.asked.Load() || !a.asked.CompareAndSwap(false, true) {
		return
	}
	for {
		head := a.set.asking.Load()
		a.next = head
		if a.set.asking.CompareAndSwap(head, a) {
			break
		}
	}
	a.set.nudge()
}

// await waits for the next settlement, at most d. The caller has not asked yet.
func (a *account) await(d time.Duration) {
	ch := a.waiting.Load()
	for ch == nil {
		fresh := make(chan struct{})
		if a.waiting.CompareAndSwap(nil, &fresh) {
			ch = &fresh
			break
		}
		ch = a.waiting.Load()
	}
	a.ask()
	if a.hand.Load() > 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-*ch:
	case <-t.C:
	}
}

// release lets those go on who wait for a settlement.
func (a *account) release() {
	if ch := a.waiting.Swap(nil); ch != nil {
		close(*ch)
	}
}

// keep is how long a lease is kept that nobody uses. Where units are refused without a
// lease, one that would be long in coming is kept longer.
func (a *account) keep() time.Duration {
	if a.quota != nil && a.set.condition() == slow {
		return idleAfterSlow
	}
	return idleAfter
}

// demand returns the requests seen since the last settlement, given what is in hand
// now, and the rate that makes per second.
func (a *account) demand(hand, now int64) (seen int64, perSecond float64) {
	seen = a.given - hand + a.refused.Swap(0)
	if seen > 0 {
		a.used = now
	}
	since := time.Duration(now - a.settled)
	if a.settled == 0 || since < window {
		since = window
	}
	return seen, float64(seen) / since.Seconds()
}

// put adds to the hand after a settlement.
func (a *account) put(n, now int64) {
	hand := a.hand.Add(n)
	a.given = hand
	a.settled = now
	a.low.Store(hand / 2)
}

// draw takes up to n from the hand.
func (a *account) draw(n int64) int64 {
	for {
		hand := a.hand.Load()
		take := min(hand, n)
		if take <= 0 {
			return 0
		}
		if a.hand.CompareAndSwap(hand, hand-take) {
			return take
		}
	}
}
