package counter

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// recordEvery is how often counts go to the ledger: half of the second that a crash
// may cost, so that the other half is there for the ledger's answer.
const recordEvery = 500 * time.Millisecond

// sweepEvery is how often counters that are no different from new ones are dropped.
const sweepEvery = time.Minute

// recordBatch bounds the entries of one call to the ledger.
const recordBatch = 500

// Options say what a Set works with.
type Options struct {
	Clock  Clock        // required
	Ledger Ledger       // where quota counts are kept; nil for nowhere
	Server Server       // shares counters with other nodes; nil for this process alone
	Node   string       // this process' name among the nodes, never used before; required with Server
	Log    *slog.Logger // nil for none
}

// A Set holds a process' counters by key. Open makes it and Run keeps it; counters
// work as soon as it is open.
type Set struct {
	clock  Clock
	ledger Ledger
	server Server
	node   string
	log    *slog.Logger
	loaded map[string][]Entry // what the ledger had at start; read-only

	seed   maphash.Seed
	shards [64]shard

	soiled    atomic.Pointer[Quota] // quotas with counts to be recorded
	recording sync.Mutex            // orders entries of the same quota in the ledger

	settlement // the part that talks with the server; see settle.go
}

type shard struct {
	mu      sync.Mutex
	buckets map[string]*Bucket
	quotas  map[string]*Quota
}

// Open returns a set that knows what the ledger recorded of the periods that are not
// over. It fails only when the ledger does.
func Open(ctx context.Context, o Options) (*Set, error) {
	s := &Set{clock: o.Clock, ledger: o.Ledger, server: o.Server, log: o.Log, seed: maphash.MakeSeed()}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.ledger == nil {
		s.ledger = noLedger{}
	}
	if s.server != nil {
		if o.Node == "" {
			return nil, errors.New("counters shared by a server: want a name for this node, found none")
		}
		s.node = o.Node
	}
	for i := range s.shards {
		s.shards[i].buckets = make(map[string]*Bucket)
		s.shards[i].quotas = make(map[string]*Quota)
	}
	s.settlement.init()
	entries, err := s.ledger.Load(ctx, "", dayOf(s.clock.Now().Wall)-31)
	if err != nil {
		return nil, fmt.Errorf("reading recorded quota counts: %w", err)
	}
	s.loaded = make(map[string][]Entry)
	for _, e := range entries {
		s.loaded[e.Quota] = append(s.loaded[e.Quota], e)
	}
	return s, nil
}

// Now returns the time by the set's clock, which finds the periods of quotas.
func (s *Set) Now() time.Time { return s.clock.Now().Time() }

func (s *Set) remembered(key string) []Entry { return s.loaded[key] }

func (s *Set) shard(key string) *shard {
	return &s.shards[maphash.String(s.seed, key)%uint64(len(s.shards))]
}

// Bucket returns the bucket called key with the given limit: a full one when nobody
// asked for it before, else the same one, with its tokens, under the new limit.
// An unlimited limit has no bucket: Bucket returns nil.
func (s *Set) Bucket(key string, l Limit) *Bucket {
	if l.Unlimited() {
		return nil
	}
	sh := s.shard(key)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	b := sh.buckets[key]
	if b == nil {
		b = &Bucket{key: key, set: s}
		b.state.Store(s.freshState(key, l))
		sh.buckets[key] = b
		return b
	}
	b.retune(l, s.clock.Now().Mono)
	return b
}

// freshState is a full bucket.
func (s *Set) freshState(key string, l Limit) *gcra {
	g := newGCRA(l, never, nil)
	if s.server != nil {
		g.lease = newLease(s, key, l)
	}
	return g
}

// Quota returns the quota called key with the given settings, and what was counted
// under this name before in the same period.
func (s *Set) Quota(key string, a Allowance) *Quota {
	now := s.clock.Now()
	sh := s.shard(key)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	q := sh.quotas[key]
	if q == nil {
		q = &Quota{key: key, set: s, spec: a}
		q.begin(now)
		sh.quotas[key] = q
		return q
	}
	q.retune(a, now)
	return q
}

// SetRemaining makes n units remain to the quota in its present period, whatever was
// spent; the next period has its usual limit. With a server it needs the server, and other
// nodes follow within a second.
func (s *Set) SetRemaining(ctx context.Context, key string, a Allowance, n int64) error {
	if a.Limit < 0 {
		return fmt.Errorf("quota %s: it has no limit that could be extended", key)
	}
	q := s.Quota(key, a)
	now := s.clock.Now()
	q.Left(now) // enter the present period
	if s.server == nil {
		q.setRemaining(n, now)
		return nil
	}
	u := q.span.Load().term.units
	r := &remaining{units: n, done: make(chan error, 1)}
	if !u.remain.CompareAndSwap(nil, r) {
		return fmt.Errorf("quota %s: another change of what remains is under way", key)
	}
	u.ask()
	select {
	case err := <-r.done:
		return err
	case <-ctx.Done():
		u.remain.CompareAndSwap(r, nil)
		return ctx.Err()
	}
}

// Usage reports the days from one to another, both included, of the quota called key
// as all nodes recorded it, this node's part up to the moment.
func (s *Set) Usage(ctx context.Context, key string, a Allowance, from, to time.Time) ([]DayUsage, error) {
	if err := s.Record(ctx); err != nil {
		return nil, err
	}
	first, last := dayOf(from.UnixNano()), dayOf(to.UnixNano())
	start, _ := a.Span(from)
	entries, err := s.ledger.Load(ctx, key, dayOf(start.UnixNano()))
	if err != nil {
		return nil, fmt.Errorf("reading the usage of %s: %w", key, err)
	}
	return report(a, entries, first, last), nil
}

// Run keeps the set until ctx ends: it records counts, settles leases, and drops idle
// counters. When ctx ends it gives leases back and records a last time, within
// the given grace.
func (s *Set) Run(ctx context.Context, grace time.Duration) error {
	var wg sync.WaitGroup
	if s.server != nil {
		wg.Go(func() { s.settleUntil(ctx, grace) })
	}
	s.keep(ctx)
	wg.Wait()
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	return s.Record(last)
}

func (s *Set) keep(ctx context.Context) {
	record := time.NewTicker(recordEvery)
	defer record.Stop()
	sweep := time.NewTicker(sweepEvery)
	defer sweep.Stop()
	healthy := true
	for {
		select {
		case <-ctx.Done():
			return
		case <-sweep.C:
			s.Sweep()
		case <-record.C:
			err := s.Record(ctx)
			if err != nil && healthy && ctx.Err() == nil {
				s.log.Error("quota counts are not recorded; a crash would lose them", "error", err)
			}
			healthy = err == nil
		}
	}
}

// Record writes all counts that the ledger does not have. What could not be written
// is tried again the next time.
func (s *Set) Record(ctx context.Context) error {
	var qs []*Quota
	for q := s.soiled.Swap(nil); q != nil; {
		next := q.next
		q.dirty.Store(false)
		qs = append(qs, q)
		q = next
	}
	for batch := range slices.Chunk(qs, recordBatch) {
		if err := s.recordBatch(ctx, batch); err != nil {
			for _, q := range qs {
				q.soil()
			}
			return fmt.Errorf("recording quota counts: %w", err)
		}
	}
	return nil
}

func (s *Set) recordBatch(ctx context.Context, qs []*Quota) error {
	s.recording.Lock()
	defer s.recording.Unlock()
	var entries []Entry
	owner := make([]*Quota, 0, len(qs))
	for _, q := range qs {
		n := len(entries)
		entries = q.entries(entries)
		for range len(entries) - n {
			owner = append(owner, q)
		}
	}
	if len(entries) == 0 {
		return nil
	}
	if err := s.ledger.Record(ctx, entries); err != nil {
		return err
	}
	for i, q := range owner {
		q.wasRecorded(entries[i])
	}
	return nil
}

// Sweep drops counters that are no different from new ones: full buckets, and quotas
// of which nothing was spent in the present period. Whoever still has one goes on
// with it, or with the one that took its place. Run calls it.
func (s *Set) Sweep() {
	now := s.clock.Now()
	for i := range s.shards {
		sh := &s.shards[i]
		sh.mu.Lock()
		for k, b := range sh.buckets {
			if b.drop(now.Mono) {
				delete(sh.buckets, k)
			}
		}
		for k, q := range sh.quotas {
			if q.drop(now) {
				delete(sh.quotas, k)
			}
		}
		sh.mu.Unlock()
	}
}

// Len returns how many buckets and quotas the set holds.
func (s *Set) Len() (buckets, quotas int) {
	for i := range s.shards {
		sh := &s.shards[i]
		sh.mu.Lock()
		buckets += len(sh.buckets)
		quotas += len(sh.quotas)
		sh.mu.Unlock()
	}
	return buckets, quotas
}
