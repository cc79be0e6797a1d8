package counter

import (
	"math"
	"sync/atomic"
	"time"
)

// A Limit is a token bucket's settings in the service's terms
// (throttling-and-usage-plans.md section 1).
type Limit struct {
	Rate  float64 // tokens per second that flow back; fractions allowed; 0 for none
	Burst int64   // tokens that the bucket holds when full; 0 admits nothing
}

// Unlimited reports whether the limit is switched off, which the service writes as a
// negative rate or burst (-1). There is no bucket for such a limit.
func (l Limit) Unlimited() bool { return l.Rate < 0 || l.Burst < 0 || math.IsNaN(l.Rate) }

// longest bounds the time in which a bucket fills: 73 years, so that sums of times
// cannot overflow. A rate of 0 becomes one token in the longest time.
const longest = int64(1) << 61

// spacing returns the nanoseconds between two tokens at the limit's rate, and how
// many nanoseconds a full bucket is worth. Rounding to whole nanoseconds changes a
// rate by at most half a nanosecond per token: 5 parts in a million at 10,000 per second.
func (l Limit) spacing() (interval, capacity int64) {
	burst := max(l.Burst, 1)
	interval = longest / burst
	if l.Rate > 0 {
		if ns := math.Round(1e9 / l.Rate); ns < float64(interval) {
			interval = max(1, int64(ns))
		}
	}
	return interval, interval * l.Burst
}

// A Bucket is a token bucket. Buckets come from Set.Bucket.
type Bucket struct {
	key   string
	set   *Set
	state atomic.Pointer[gcra]
}

// gcra is a token bucket as one number, the generic cell rate algorithm's theoretical
// arrival time: the moment at which the bucket will be full again. A token moves it
// ahead by interval; it may be at most capacity ahead of now. That is the classic
// bucket with continuous refill, exactly, in one compare-and-swap.
//
// A state whose tat is moved has been replaced (the limit changed) or dropped (the
// bucket was full and idle); Bucket.follow finds its successor. Because tat is the
// only word that admission changes, moving it is a fence: no token taken before is
// forgotten and none is given twice.
type gcra struct {
	limit              Limit
	interval, capacity int64
	tat                atomic.Int64
	lease              *lease // nil without a shared server
}

const (
	moved = math.MaxInt64
	never = math.MinInt64 / 4 // tat of a bucket that nobody has used: full
)

func newGCRA(l Limit, tat int64, shared *lease) *gcra {
	g := &gcra{limit: l, lease: shared}
	g.interval, g.capacity = l.spacing()
	g.tat.Store(tat)
	return g
}

// take is the decision; gone means that the state has a successor.
func (g *gcra) take(now int64) (ok, gone bool) {
	for {
		tat := g.tat.Load()
		if tat == moved {
			return false, true
		}
		next := max(tat, now) + g.interval
		if next-now > g.capacity {
			return false, false
		}
		if g.tat.CompareAndSwap(tat, next) {
			return true, false
		}
	}
}

// tokens returns how many tokens, with fractions, the bucket holds at now.
func (g *gcra) tokens(now int64) float64 {
	return float64(g.capacity-ahead(g.tat.Load(), now)) / float64(g.interval)
}

func ahead(tat, now int64) int64 {
	if tat == moved {
		return 0
	}
	return max(tat-now, 0)
}

// tatFor returns the tat of a bucket that holds the given tokens at now.
func (g *gcra) tatFor(tokens float64, now int64) int64 {
	tokens = max(min(tokens, float64(g.limit.Burst)), 0)
	return now + g.capacity - int64(tokens*float64(g.interval))
}

// Take takes one token and reports whether there was one. It never waits without a
// shared server; with one, the first requests at a cold bucket may wait up to a
// millisecond for its lease.
func (b *Bucket) Take(now Instant) bool {
	for {
		s := b.state.Load()
		var ok, gone bool
		if s.lease != nil {
			ok, gone = s.lease.take(s, now)
		} else {
			ok, gone = s.take(now.Mono)
		}
		if !gone {
			return ok
		}
		b.follow()
	}
}

// Limit returns the bucket's present limit.
func (b *Bucket) Limit() Limit { return b.state.Load().limit }

// Key returns the name of the bucket.
func (b *Bucket) Key() string { return b.key }

// Tokens returns how many whole tokens can be taken at now; with a shared server,
// how many are known to be left to this node.
func (b *Bucket) Tokens(now Instant) int64 {
	s := b.state.Load()
	if s.lease != nil {
		return s.lease.visible()
	}
	return int64(s.tokens(now.Mono))
}

// Wait returns how long after now the next token is there when nobody else takes it;
// zero when there is one.
func (b *Bucket) Wait(now Instant) time.Duration {
	s := b.state.Load()
	if s.limit.Burst < 1 {
		return time.Duration(longest)
	}
	if s.lease != nil {
		return s.lease.wait(s, now)
	}
	return time.Duration(max(0, ahead(s.tat.Load(), now.Mono)+s.interval-s.capacity))
}

// follow replaces a state that has moved by its successor: the one of the bucket
// that the set holds under this key, or a new full one when it was dropped for being
// full and idle.
func (b *Bucket) follow() {
	sh := b.set.shard(b.key)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	old := b.state.Load()
	if old.tat.Load() != moved {
		return
	}
	if holder := sh.buckets[b.key]; holder != nil && holder != b {
		b.state.Store(holder.state.Load())
		return
	}
	b.state.Store(b.set.freshState(b.key, old.limit))
	sh.buckets[b.key] = b
}

// retune gives the bucket another limit and keeps its tokens, as many as the new
// burst allows: a changed rate neither refills a bucket nor empties one. The caller
// holds the shard's lock, and b is the bucket that the shard holds.
func (b *Bucket) retune(l Limit, now int64) {
	old := b.state.Load()
	if old.limit == l {
		return
	}
	tat := old.tat.Swap(moved)
	next := newGCRA(l, never, old.lease)
	if tat != moved {
		had := float64(old.capacity-ahead(tat, now)) / float64(old.interval)
		if old.limit.Burst < 1 {
			had = 0
		}
		next.tat.Store(next.tatFor(had, now))
	}
	if next.lease != nil {
		next.lease.retune(l)
	}
	b.state.Store(next)
}

// drop retires a bucket that is full, hence no different from a new one. It reports
// whether it did. The caller holds the shard's lock.
func (b *Bucket) drop(now int64) bool {
	s := b.state.Load()
	if s.lease != nil {
		return s.lease.drop(s)
	}
	tat := s.tat.Load()
	return tat != moved && tat <= now && s.tat.CompareAndSwap(tat, moved)
}
