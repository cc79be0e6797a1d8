package counter

import (
	"sync"
	"sync/atomic"
	"time"
)

// With a shared server, a node spends leases.
//
// A bucket's lease is a number of tokens that the server's bucket has given up. A
// node asks for more when its lease runs low, sized by recent demand, gives back what
// it does not need, and refuses when the server has none: the cluster never admits
// more than one bucket would. When the server is slow, a first request waits up to
// patience and is then decided by the local share (rate and burst divided by the
// number of nodes), and the tokens are owed to the server. When it is away, every
// node runs on its local share, which begins with no more than what the node last
// knew to be left; when it is back, its bucket is set to what the nodes have left.
//
// A quota's lease is a number of units that the server has written down for this
// node. Only leased units are spent. A lease is recorded in the ledger before its
// units are spent, so that an emptied server can be refilled with everything that any
// node may have spent: by the first node that meets it, from the ledger, after
// quarantine. What a crashed node did not give back stays taken. A first lease is waited
// for up to coldPatience, also when the server is slow: without one the answer would be a
// refusal that nobody earned. With the server away, a lease that is used up means refusal.
const (
	patience      = time.Millisecond       // a request waits for a bucket's lease at most
	warmPatience  = time.Millisecond       // for more units of a quota when the server is slow
	coldPatience  = 100 * time.Millisecond // for units otherwise
	dryPause      = 50 * time.Millisecond  // between asks for a bucket that the server has emptied
	drySpell      = 200 * time.Millisecond // the same for quotas
	idleAfter     = time.Second            // a lease that nobody uses is given back
	idleAfterSlow = 30 * time.Second       // the same for quotas when the server is slow
	horizon       = 250 * time.Millisecond // how much demand a bucket's lease covers
	unitHorizon   = time.Second            // the same for quotas, whose leases cost a ledger entry
	window        = 10 * time.Millisecond  // demand is measured over this at least
	quarantine    = 500 * time.Millisecond // no refill sooner after the server changed; see activate
	recordWithin  = 200 * time.Millisecond // bound of the ledger's answer before units are spent
)

// lease is a bucket's account with the server.
type lease struct {
	account
	key   string
	share atomic.Pointer[gcra] // decides alone when the server does not
	debt  atomic.Int64

	mu    sync.Mutex
	limit Limit

	sent    int64 // monotonic time of the last ask; settling goroutine
	outages int64 // of the set at the last ask; settling goroutine
}

func newLease(s *Set, key string, l Limit) *lease {
	le := &lease{key: key, limit: l}
	le.set, le.rate = s, le
	le.outages = s.outages.Load()
	le.share.Store(newGCRA(shareOf(l, s.nodes()), never, nil))
	return le
}

// shareOf returns a node's part of a limit: at least one token of burst, so that a
// small bucket does not close altogether.
func shareOf(l Limit, nodes int) Limit {
	if nodes <= 1 || l.Burst < 1 {
		return l
	}
	n := int64(nodes)
	return Limit{Rate: l.Rate / float64(nodes), Burst: max(1, (l.Burst+n-1)/n)}
}

// take decides one request; s is the state of the bucket, whose tat tells whether it
// has been replaced.
func (l *lease) take(s *gcra, now Instant) (ok, gone bool) {
	if l.spend() {
		return true, false
	}
	if l.hand.Load() < 0 || s.tat.Load() == moved {
		return false, true
	}
	l.refused.Add(1)
	switch l.set.condition() {
	case away:
		l.ask()
		return l.takeShare(now.Mono), false
	case well:
		if now.Mono < l.dryUntil.Load() {
			l.ask()
			return false, false
		}
		l.await(patience)
		if l.spend() {
			return true, false
		}
		if l.hand.Load() < 0 {
			return false, true
		}
		if l.dryUntil.Load() > now.Mono {
			return false, false
		}
	case slow:
		l.ask()
		if now.Mono < l.dryUntil.Load() {
			return false, false
		}
	}
	return l.borrow(now.Mono), false
}

// borrow takes from the local share a token that is owed to the server. The lock makes
// the token and the debt one step, so that setShare sees both or neither.
func (l *lease) borrow(now int64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if ok, _ := l.share.Load().take(now); !ok {
		return false
	}
	l.debt.Add(1)
	return true
}

func (l *lease) takeShare(now int64) bool {
	for {
		if ok, gone := l.share.Load().take(now); !gone {
			return ok
		}
	}
}

// setShare makes the local share fit the number of nodes and hold at most the given
// tokens, less what this node owes: those tokens the server still counts as left.
// Negative tokens keep what the share holds.
func (l *lease) setShare(tokens float64, now int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	old := l.share.Load()
	tat := old.tat.Swap(moved)
	next := newGCRA(shareOf(l.limit, l.set.nodes()), never, nil)
	if tokens < 0 {
		tokens = float64(old.capacity-ahead(tat, now)) / float64(old.interval)
	} else {
		tokens -= float64(l.debt.Load())
	}
	next.tat.Store(next.tatFor(tokens, now))
	l.share.Store(next)
}

func (l *lease) retune(limit Limit) {
	l.mu.Lock()
	l.limit = limit
	l.mu.Unlock()
	l.dryUntil.Store(0)
	l.setShare(-1, l.set.clock.Now().Mono)
	l.ask()
}

func (l *lease) visible() int64 { return max(0, l.hand.Load()) }

// wait is the time until a token may be there: one at the bucket's own pace.
func (l *lease) wait(s *gcra, now Instant) time.Duration {
	if l.hand.Load() > 0 {
		return 0
	}
	return max(time.Duration(s.interval), time.Duration(l.dryUntil.Load()-now.Mono))
}

func (l *lease) idle() bool { return l.hand.Load() <= 0 && l.debt.Load() == 0 && !l.asked.Load() }

// drop retires the lease of a bucket that has been idle for long.
func (l *lease) drop(s *gcra) bool {
	if !l.idle() || l.refused.Load() != 0 || !l.hand.CompareAndSwap(0, retired) {
		return false
	}
	s.tat.Store(moved)
	return true
}

// compose makes the ask of the next exchange. Tokens to be given back leave the hand
// here: should the answer get lost, they are lost too.
func (l *lease) compose(now int64, final bool) RateAsk {
	hand := l.hand.Load()
	seen, perSecond := l.demand(hand, now)
	l.mu.Lock()
	ask := RateAsk{Key: l.key, Limit: l.limit, Demand: perSecond, Debt: l.debt.Swap(0), Since: -1, Known: -1}
	l.mu.Unlock()
	if n := l.set.outages.Load(); n != l.outages {
		l.outages = n
		ask.Known = max(0, l.share.Load().tokens(now)) * float64(l.set.nodes())
		ask.Debt = 0
	}
	if l.sent != 0 {
		ask.Since = time.Duration(now-l.sent) + 5*time.Millisecond
	}
	l.sent = now
	target := min(int64(perSecond*horizon.Seconds())+1, ask.Limit.Burst)
	switch {
	case final || seen == 0 && now-l.used > int64(l.keep()):
		ask.Back = l.draw(hand)
	case hand > 2*target:
		ask.Back = l.draw(hand - target)
	default:
		ask.Want = max(0, target-hand)
	}
	return ask
}

// granted takes in the answer to an ask.
func (l *lease) granted(ask RateAsk, g RateGrant, now int64) {
	if g.Tokens < ask.Want && g.Left < 1 {
		l.dryUntil.Store(now + int64(dryPause))
	} else {
		l.dryUntil.Store(0)
	}
	// What was spent ahead of the lease is paid from it first.
	owed := l.debt.Swap(0)
	paid := min(owed, g.Tokens)
	if owed > paid {
		l.debt.Add(owed - paid)
	}
	l.put(g.Tokens-paid, now)
	l.setShare(max(0, g.Left)/float64(l.set.nodes()), now)
	l.release()
}

// failed notes that an ask got no answer.
func (l *lease) failed(ask RateAsk, now int64) {
	l.given, l.settled = l.hand.Load(), now
	if l.set.condition() != away {
		l.debt.Add(ask.Debt)
	}
	l.release()
}
