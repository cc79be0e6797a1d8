package counter

import (
	"context"
	"maps"
	"slices"
	"sync/atomic"
	"time"
)

// The condition of the server, as requests see it.
const (
	well int32 = iota // answers quickly
	slow              // answers, but not in time for a request that waits
	away              // does not answer
)

const (
	beat         = time.Second            // a node calls at least this often
	slowAfter    = 20 * time.Millisecond  // an exchange that takes longer makes the server slow
	exchangeTime = 300 * time.Millisecond // an exchange that takes longer makes it away
	retryEvery   = 250 * time.Millisecond // how often a server that is away is tried
	batchSize    = 256                    // asks in one exchange
)

// settlement is the part of a Set that settles accounts with the server. One
// goroutine does it, so exchanges of a node never overtake each other.
type settlement struct {
	asking    atomic.Pointer[account] // accounts that want to be settled
	nudged    chan struct{}
	state     atomic.Int32
	nodeCount atomic.Int64

	// outages counts changes between away and not away: a lease that has not asked
	// since the last one tells the server what it believes to be left.
	outages atomic.Int64

	pending []*account            // asked for, not settled yet; settling goroutine
	held    map[*account]struct{} // leases that may have something to give back; settling goroutine
}

func (t *settlement) init() {
	t.nudged = make(chan struct{}, 1)
	t.held = make(map[*account]struct{})
	t.nodeCount.Store(1)
}

func (s *Set) condition() int32 { return s.state.Load() }

// Away reports whether the set has a server that does not answer, for health reports.
func (s *Set) Away() bool { return s.server != nil && s.condition() == away }

// Nodes returns how many nodes share the counters, as last heard.
func (s *Set) Nodes() int { return s.nodes() }

func (s *Set) nodes() int { return int(max(1, s.nodeCount.Load())) }

func (s *Set) nudge() {
	select {
	case s.nudged <- struct{}{}:
	default:
	}
}

// settleUntil settles accounts until ctx ends, then gives everything back.
func (s *Set) settleUntil(ctx context.Context, grace time.Duration) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	var lastBeat time.Time
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
			s.giveBack(last)
			cancel()
			return
		case <-s.nudged:
		case <-timer.C:
		}
		if s.condition() == away {
			// An empty exchange finds out whether the server is back; nothing can get lost in it.
			if time.Since(lastBeat) >= retryEvery {
				lastBeat = time.Now()
				s.exchange(ctx, nil, false)
			}
			if s.condition() == away {
				timer.Reset(retryEvery)
				continue
			}
		}
		if time.Since(lastBeat) >= beat {
			lastBeat = time.Now()
			s.recall()
			if len(s.pending) == 0 && s.asking.Load() == nil {
				s.exchange(ctx, nil, false)
			}
		}
		timer.Reset(s.settleDue(ctx))
	}
}

// recall queues the leases that have had no exchange for a while, so that idle ones
// are given back.
func (s *Set) recall() {
	now := s.clock.Now().Mono
	for a := range s.held {
		if a.hand.Load() < 0 {
			delete(s.held, a)
		} else if now-a.settled > int64(a.keep()) {
			a.ask()
		}
	}
}

// settleDue settles all accounts that are due and returns when to look again.
func (s *Set) settleDue(ctx context.Context) time.Duration {
	s.collect()
	now := s.clock.Now().Mono
	var due []*account
	wait := beat
	later := s.pending[:0]
	for _, a := range s.pending {
		if left := time.Duration(a.dryUntil.Load() - now); left > 0 {
			wait = min(wait, left)
			later = append(later, a)
		} else {
			due = append(due, a)
		}
	}
	clear(s.pending[len(later):])
	s.pending = later
	for batch := range slices.Chunk(due, batchSize) {
		if s.condition() == away {
			s.pending = append(s.pending, batch...)
			wait = retryEvery
			continue
		}
		s.exchange(ctx, batch, false)
	}
	return max(wait, time.Millisecond)
}

// collect moves the accounts that ask to pending.
func (s *Set) collect() {
	for a := s.asking.Swap(nil); a != nil; {
		next := a.next
		a.next = nil
		s.pending = append(s.pending, a)
		a = next
	}
}

// giveBack settles a last time: all leases return to the server.
func (s *Set) giveBack(ctx context.Context) {
	s.collect()
	for _, a := range s.pending {
		s.held[a] = struct{}{}
	}
	s.pending = nil
	all := slices.Collect(maps.Keys(s.held))
	for batch := range slices.Chunk(all, batchSize) {
		if s.condition() != away {
			s.exchange(ctx, batch, true)
		}
	}
	if err := s.server.Leave(ctx, s.node); err != nil {
		s.log.Warn("counters: leaving the shared server", "error", err)
	}
}

// exchange settles the given accounts in one round trip.
func (s *Set) exchange(ctx context.Context, accounts []*account, final bool) {
	b := Batch{Node: s.node}
	var rates []*lease
	var quotas []*unitLease
	for _, a := range accounts {
		a.asked.Store(false)
		now := s.clock.Now().Mono
		switch {
		case a.hand.Load() < 0:
		case a.rate != nil:
			rates = append(rates, a.rate)
			b.Rates = append(b.Rates, a.rate.compose(now, final))
		default:
			quotas = append(quotas, a.quota)
			b.Quotas = append(b.Quotas, a.quota.compose(now, final))
		}
	}
	ans, err := s.call(ctx, b)
	now := s.clock.Now().Mono
	if err != nil {
		for i, l := range rates {
			l.failed(b.Rates[i], now)
		}
		for _, u := range quotas {
			u.failed(now, err)
		}
		return
	}
	for i, l := range rates {
		l.granted(b.Rates[i], ans.Rates[i], now)
		s.hold(&l.account, l.hand.Load() > 0)
	}
	s.takeUnits(ctx, quotas, b.Quotas, ans)
}

// call makes one exchange and judges the server by it.
func (s *Set) call(ctx context.Context, b Batch) (Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, exchangeTime)
	defer cancel()
	late := time.AfterFunc(slowAfter, func() { s.state.CompareAndSwap(well, slow) })
	defer late.Stop()
	start := time.Now()
	ans, err := s.server.Exchange(ctx, b)
	if err != nil {
		if s.state.Swap(away) != away {
			s.outages.Add(1)
			s.log.Error("counters: the shared server does not answer; rates run on local shares, quotas on leases", "error", err)
		}
		return ans, err
	}
	if n := int64(max(1, ans.Nodes)); s.nodeCount.Swap(n) != n {
		s.log.Info("counters: nodes that share them", "nodes", n)
	}
	next := well
	if time.Since(start) > slowAfter {
		next = slow
	}
	if s.state.Swap(next) == away {
		s.outages.Add(1)
		s.log.Info("counters: the shared server answers again")
	}
	return ans, nil
}

// takeUnits takes in the grants of quotas: it refills what the server does not know, and
// records leases before their units are spent.
func (s *Set) takeUnits(ctx context.Context, us []*unitLease, asks []QuotaAsk, ans Answer) {
	var leased []*Quota
	now := s.clock.Now().Mono
	for i, u := range us {
		g := ans.Quotas[i]
		if u.granted(asks[i], g, now) {
			if g.Unknown && !s.refillFor(ctx, u, ans.Settled) {
				u.dryUntil.Store(s.clock.Now().Mono + int64(retryEvery)/2)
				u.release()
			}
			u.account.ask()
			continue
		}
		if g.Units > 0 {
			leased = append(leased, u.quota)
		}
	}
	if len(leased) > 0 {
		bounded, cancel := context.WithTimeout(ctx, recordWithin)
		if err := s.recordBatch(bounded, leased); err != nil {
			// Serving goes on without the ledger (DESIGN, static stability). What it lacks
			// matters only if the server is emptied before the next attempt.
			s.log.Warn("counters: a quota's lease is not recorded", "error", err)
			for _, q := range leased {
				q.soil()
			}
		}
		cancel()
	}
	now = s.clock.Now().Mono
	for i, u := range us {
		if g := ans.Quotas[i]; !g.Unknown && !g.Stale {
			u.activate(g, now)
			if asks[i].Taken+g.Units != u.safe.Load() {
				u.quota.soil()
			}
			s.hold(&u.account, u.hand.Load() > 0)
		}
	}
}

// refillFor reads what the ledger knows of a quota, to be told to a server that does
// not. It reports whether there is something to tell.
//
// A server that has just begun to answer may have been emptied while another node's
// grant was on its way to the ledger. That takes recordWithin at most, so that after
// quarantine the ledger has everything that was ever granted.
func (s *Set) refillFor(ctx context.Context, u *unitLease, settled time.Duration) bool {
	if settled < quarantine {
		return false
	}
	bounded, cancel := context.WithTimeout(ctx, recordWithin)
	defer cancel()
	entries, err := s.ledger.Load(bounded, u.quota.key, dayOf(u.term.start))
	if err != nil {
		s.log.Error("counters: the shared server lacks a quota and the ledger does not have it", "error", err)
		return false
	}
	shares, extra, extraAt := tally(entries, u.term.start/int64(time.Second))
	u.refill = &Refill{Shares: shares, Extra: extra, ExtraAt: extraAt}
	return true
}

func (s *Set) hold(a *account, holds bool) {
	if holds {
		s.held[a] = struct{}{}
	} else {
		delete(s.held, a)
	}
}
