package counter

import (
	"sync"
	"sync/atomic"
	"time"
)

// CountOnly is the Limit of an Allowance that refuses nothing: usage is counted by day
// for reports. It is never shared.
const CountOnly = -1

// A Quota admits a number of requests per calendar period, exactly: when the limit is
// n, precisely n calls of Spend succeed in a period, however many run at once.
// Quotas come from Set.Quota.
type Quota struct {
	key  string
	set  *Set
	span atomic.Pointer[span]

	// dirty and next put the quota on the set's list of counts to be recorded, once.
	dirty atomic.Bool
	next  *Quota

	mu   sync.Mutex // guards what follows, and changes of span
	spec Allowance
	past *span // the day before the present one: a late Spend may still count on it
}

// A span is one day of a period: usage is kept by day, limits by period.
type span struct {
	day  int32
	end  int64        // wall time of the first moment after the day
	used atomic.Int64 // admitted by this node on this day
	term *term

	recorded int64 // used as the ledger has it; guarded by Quota.mu
}

// A term is one period of a quota. Units are spent from it; it never begins anew,
// the next period has its own.
type term struct {
	start, end int64        // wall time
	allowed    atomic.Int64 // the limit and what was added to it; negative: no limit
	spent      atomic.Int64 // by everybody, without a server; retired once dropped
	others     int64        // the part of spent that other nodes recorded before this process began
	units      *unitLease   // nil without a server

	limit, extra, extraAt int64 // guarded by Quota.mu
	unsaved               bool  // Extra changed since it was recorded; guarded by Quota.mu
}

// retired is the spent of a term whose quota was dropped, and the tokens of a lease
// whose bucket was.
const retired = -1 << 62

// Spend takes one unit of the period that now is in and reports whether one was left.
// With a shared server it may wait for a first lease; see lease.go.
func (q *Quota) Spend(now Instant) bool {
	for {
		s := q.span.Load()
		if now.Wall >= s.end {
			q = q.turn(now)
			continue
		}
		ok, gone := s.term.spend(now)
		if gone {
			q = q.turn(now)
			continue
		}
		if ok {
			s.used.Add(1)
			q.soil()
		}
		return ok
	}
}

func (t *term) spend(now Instant) (ok, gone bool) {
	if t.units != nil {
		return t.units.spend(now)
	}
	for {
		n := t.spent.Load()
		if n < 0 {
			return false, true
		}
		if allowed := t.allowed.Load(); allowed >= 0 && n >= allowed {
			return false, false
		}
		if t.spent.CompareAndSwap(n, n+1) {
			return true, false
		}
	}
}

// Left returns how many units of the present period are left, as far as this node
// knows: exactly without a shared server.
func (q *Quota) Left(now Instant) int64 {
	s := q.span.Load()
	if now.Wall >= s.end {
		q = q.turn(now)
		s = q.span.Load()
	}
	t := s.term
	if t.units != nil {
		return t.units.visible()
	}
	return max(0, t.allowed.Load()-max(0, t.spent.Load()))
}

// Reset returns when the present period ends.
func (q *Quota) Reset() time.Time { return time.Unix(0, q.span.Load().term.end).UTC() }

// Allowance returns the quota's present settings.
func (q *Quota) Allowance() Allowance {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.spec
}

// soil puts the quota on the list of counts to be recorded.
func (q *Quota) soil() {
	if q.dirty.Load() || !q.dirty.CompareAndSwap(false, true) {
		return
	}
	for {
		head := q.set.soiled.Load()
		q.next = head
		if q.set.soiled.CompareAndSwap(head, q) {
			return
		}
	}
}

// turn brings the quota to the day of now, and returns the quota to go on with: the
// one that the set holds under this key.
func (q *Quota) turn(now Instant) *Quota {
	sh := q.set.shard(q.key)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	holder := sh.quotas[q.key]
	if holder == nil {
		holder, sh.quotas[q.key] = q, q
	}
	holder.mu.Lock()
	defer holder.mu.Unlock()
	if holder != q {
		// Dropped, and asked for again by somebody else meanwhile: this handle stays a
		// shadow of the new one, always looking at its days.
		holder.begin(now)
		q.span.Store(&span{end: holder.span.Load().end, term: forwarding})
		return holder
	}
	q.begin(now)
	return q
}

// forwarding is the term of a quota that another one has replaced.
var forwarding = func() *term {
	t := new(term)
	t.spent.Store(retired)
	return t
}()

// begin makes the span that now is in the current one. The caller holds q.mu.
func (q *Quota) begin(now Instant) {
	old := q.span.Load()
	var t *term
	if old != nil {
		if now.Wall < old.end && old.term.spent.Load() != retired {
			return
		}
		t, q.past = old.term, old
	}
	if t == nil || now.Wall >= t.end || t.spent.Load() == retired {
		t = q.newTerm(now)
	}
	day := dayOf(now.Wall)
	s := &span{day: day, end: startOfDay(day + 1), term: t}
	for _, e := range q.set.remembered(q.key) {
		if e.Node == q.set.node && e.Day == day {
			s.used.Store(e.Used)
			s.recorded = e.Used
		}
	}
	q.span.Store(s)
}

// newTerm returns the period that now is in, with what the ledger knew of it when the
// process began.
func (q *Quota) newTerm(now Instant) *term {
	start, end := q.spec.Span(now.Time())
	t := &term{start: start.UnixNano(), end: end.UnixNano(), limit: q.spec.Limit}
	shares, extra, extraAt := tally(q.set.remembered(q.key), start.Unix())
	own := shares[q.set.node]
	for _, n := range shares {
		t.others += n
	}
	t.others -= own
	t.spent.Store(t.others + own)
	t.extra, t.extraAt = extra, extraAt
	t.allow()
	if q.set.server != nil && q.spec.Limit >= 0 {
		t.units = newUnitLease(q, t)
	}
	return t
}

// allow computes what the period admits. The caller holds Quota.mu, or owns t.
func (t *term) allow() {
	if t.limit < 0 {
		t.allowed.Store(CountOnly)
		return
	}
	t.allowed.Store(max(0, t.limit+t.extra))
}

// tally sums up the entries of one period: the units that each node has taken, and
// the latest addition to the limit.
func tally(entries []Entry, start int64) (shares map[string]int64, extra, extraAt int64) {
	shares = make(map[string]int64)
	last := make(map[string]int32)
	for _, e := range entries {
		if e.Start != start {
			continue
		}
		if day, seen := last[e.Node]; !seen || e.Day >= day {
			last[e.Node], shares[e.Node] = e.Day, e.Taken
		}
		if e.ExtraAt > extraAt {
			extra, extraAt = e.Extra, e.ExtraAt
		}
	}
	return shares, extra, extraAt
}

// retune changes the settings. A new limit acts at once on the present period, which
// keeps its count; a new kind of period or offset begins a new count.
func (q *Quota) retune(a Allowance, now Instant) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.spec == a {
		return
	}
	old := q.spec
	q.spec = a
	s := q.span.Load()
	sameKind := old.Period == a.Period && old.Offset == a.Offset && (old.Limit < 0) == (a.Limit < 0)
	if !sameKind {
		if s.term.units != nil {
			s.term.units.abandon()
		}
		next := &span{day: s.day, end: s.end, term: q.newTerm(now)}
		next.used.Store(s.used.Load())
		next.recorded = s.recorded
		q.span.Store(next)
		return
	}
	s.term.limit = a.Limit
	s.term.allow()
	if s.term.units != nil {
		s.term.units.wakeUp()
	}
}

// setRemaining makes n units remain in the present period, without a server.
func (q *Quota) setRemaining(n int64, now Instant) {
	q.mu.Lock()
	defer q.mu.Unlock()
	t := q.span.Load().term
	if t.limit < 0 {
		return
	}
	t.setExtra(n+max(0, t.spent.Load())-t.limit, now.Wall)
	q.soil()
}

// setExtra adds to the limit for this period. The caller holds Quota.mu.
func (t *term) setExtra(extra, at int64) {
	t.extra, t.extraAt, t.unsaved = extra, max(at, t.extraAt+1), true
	t.allow()
}

// entries appends what has to be recorded. The caller then calls recorded.
func (q *Quota) entries(es []Entry) []Entry {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, s := range []*span{q.past, q.span.Load()} {
		if s == nil || s.term == forwarding {
			continue
		}
		if s.used.Load() != s.recorded || s.term.unsaved || s.term.units.unsaved() {
			es = append(es, q.entry(s))
		}
	}
	return es
}

// entry tells the state of a span. The caller holds q.mu.
func (q *Quota) entry(s *span) Entry {
	t := s.term
	e := Entry{
		Quota: q.key, Node: q.set.node, Day: s.day, Used: s.used.Load(), Start: t.start / int64(time.Second),
		Extra: t.extra, ExtraAt: t.extraAt, Limit: t.limit,
	}
	if t.units != nil {
		e.Taken = t.units.taken()
	} else {
		e.Taken = max(0, t.spent.Load()-t.others)
	}
	return e
}

// wasRecorded notes that the ledger has an entry of this quota.
func (q *Quota) wasRecorded(e Entry) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, s := range []*span{q.past, q.span.Load()} {
		if s == nil || s.day != e.Day || s.term == forwarding {
			continue
		}
		s.recorded = e.Used
		if e.ExtraAt == s.term.extraAt {
			s.term.unsaved = false
		}
		if s.term.units != nil {
			s.term.units.saved(e.Taken)
		}
	}
}

// drop retires a quota of which nothing was spent in the period of now, so that it is no
// different from a new one. The caller holds the shard's lock.
func (q *Quota) drop(now Instant) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	s := q.span.Load()
	t := s.term
	if q.dirty.Load() || t.units != nil {
		return false
	}
	if now.Wall >= t.end {
		t.spent.Store(retired)
		return true
	}
	return t.extraAt == 0 && t.spent.CompareAndSwap(0, retired)
}

// A DayUsage is one day of a usage report.
type DayUsage struct {
	Day       time.Time // 00:00 UTC
	Used      int64     // requests admitted
	Remaining int64     // units left of the period at the end of the day; 0 for CountOnly
}

// report lays entries out by day. Days without one repeat what remained of their
// period, which is the whole limit of a when nothing was spent before.
func report(a Allowance, entries []Entry, from, to int32) []DayUsage {
	type sum struct{ used, limit int64 }
	days := make(map[int32]*sum)
	at := make(map[int32]int64)
	for _, e := range entries {
		d := days[e.Day]
		if d == nil {
			d = &sum{limit: e.Limit}
			days[e.Day] = d
		}
		d.used += e.Used
		if e.ExtraAt >= at[e.Day] {
			d.limit, at[e.Day] = e.Limit+e.Extra, e.ExtraAt
		}
	}
	start, _ := a.Span(time.Unix(0, startOfDay(from)))
	var spent, period int64
	limit := a.Limit
	var out []DayUsage
	for day := dayOf(start.UnixNano()); day <= to; day++ {
		if begin, _ := a.Span(time.Unix(0, startOfDay(day))); begin.Unix() != period {
			period, spent, limit = begin.Unix(), 0, a.Limit
		}
		var used int64
		if d := days[day]; d != nil {
			used, limit = d.used, d.limit
		}
		spent += used
		if day >= from {
			out = append(out, DayUsage{Day: time.Unix(0, startOfDay(day)).UTC(), Used: used, Remaining: max(0, limit-spent)})
		}
	}
	return out
}
