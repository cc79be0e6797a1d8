// Package ratecount counts requests for the firewall's rate-based rules, in memory.
//
// The server makes one Store and gives it to the compiler of web ACLs; evaluations of
// requests add to its counters; the control plane lists who is limited. Counters
// outlive the ACLs that use them: their identity is the rule's.
//
// A rule's window slides in steps of a thirtieth. Counts are exact while the active keys of a
// rule are well below maxKeys. Beyond that, the key with the fewest requests among
// its neighbours is forgotten, so that a flood of addresses with one request each costs
// bounded memory and cannot hide those who send many. Everything is safe for concurrent use.
//
// Several nodes count together through a Board (see share.go): within a second, a key is
// limited everywhere by what it sent to all of them.
//
// Behaviour: reference/wafv2.md section 7.6; memory and precision are ours.
package ratecount

import (
	"cmp"
	"hash/maphash"
	"net/netip"
	"slices"
	"sync"
	"time"
	"weak"

	"gatehouse/internal/lang/wafrules"
)

const (
	slots    = 30      // of a window
	ways     = 8       // keys that compete for a place
	minSets  = 8       // of a new counter
	maxSets  = 1 << 13 // 65,536 keys, about 11 MB, per rule
	maxKeys  = maxSets * ways
	listable = 10_000 // addresses that one rule limits at a time
)

// A Store holds the counters of all rules.
type Store struct {
	mu       sync.Mutex
	counters map[string]*counter
	// idle are counters that were not used for a window. They live on while a web ACL
	// has them.
	idle    map[string]weak.Pointer[counter]
	sharing *sharing // nil while nodes count alone; set once, by Share
}

// NewStore returns an empty Store.
func NewStore() *Store {
	return &Store{counters: map[string]*counter{}, idle: map[string]weak.Pointer[counter]{}}
}

// Counter returns the counter of a rule, made at first use.
func (s *Store) Counter(rule wafrules.RateRule) wafrules.RateCounter {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.counters[rule.ID]
	if c == nil {
		c = s.idle[rule.ID].Value()
	}
	if c == nil {
		c = newCounter(rule)
		c.store, c.sharing = s, s.sharing
		if s.sharing != nil {
			c.shared = s.sharing.identify(rule.ID)
		}
		s.counters[rule.ID] = c
	}
	return c
}

// Limited returns the addresses that the rule limits at this time, the most active first,
// at most 10,000. It is empty for an unknown rule.
func (s *Store) Limited(id string, now time.Time) []netip.Addr {
	s.mu.Lock()
	c := s.counters[id]
	if c == nil {
		c = s.idle[id].Value()
	}
	s.mu.Unlock()
	if c == nil {
		return nil
	}
	return c.limited(now)
}

// Sweep empties the counters that were not used for a whole window, and forgets those of
// rules that no longer exist. A counter that is used again is known again.
func (s *Store) Sweep(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, c := range s.counters {
		if c.retire(now) {
			delete(s.counters, id)
			s.idle[id] = weak.Make(c)
		}
	}
	for id, c := range s.idle {
		if c.Value() == nil {
			delete(s.idle, id)
		}
	}
}

// restore takes a counter in again that was idle and is used.
func (s *Store) restore(c *counter) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.counters[c.id] == nil {
		s.counters[c.id] = c
		delete(s.idle, c.id)
	}
}

// A counter counts for one rule.
type counter struct {
	id     string
	shared uint64 // of the rule on all nodes; 0 while nodes count alone
	store  *Store
	limit  int64
	window time.Duration
	step   time.Duration
	seed   maphash.Seed

	mu      sync.Mutex
	sets    []set // none before the first request
	used    int   // keys in sets, roughly: those that ran out of their window are counted
	last    int64 // step of the latest request
	swept   bool  // out of the store
	sharing *sharing
	elsewhere
}

// A set is the places for which the keys that hash to it compete.
type set [ways]entry

// An entry counts one key. The zero value is free.
type entry struct {
	hash   uint64 // never 0 when used
	id     uint64 // of the key on all nodes; 0 while nodes count alone
	addr   netip.Addr
	total  int64 // of all slots that are in the window
	others int64 // what other nodes count
	head   int64 // the step that slot[head%slots] counts
	slot   [slots]uint32
}

func newCounter(rule wafrules.RateRule) *counter {
	return &counter{id: rule.ID, limit: rule.Limit, window: rule.Window, step: rule.Window / slots, seed: maphash.MakeSeed()}
}

// Add counts a request. The limit is passed by the request after the last allowed one.
func (c *counter) Add(key string, addr netip.Addr, now time.Time) bool {
	limited, swept := c.add(key, addr, now)
	if swept {
		c.store.restore(c)
	}
	return limited
}

func (c *counter) add(key string, addr netip.Addr, now time.Time) (limited, swept bool) {
	hash := maphash.String(c.seed, key) | 1
	c.mu.Lock()
	defer c.mu.Unlock()
	swept, c.swept = c.swept, false
	step := c.stepAt(now)
	c.last = max(c.last, step)
	e := c.find(hash, step)
	if e.total == 0 && e.id == 0 && c.sharing != nil {
		e.id = c.sharing.identify(key)
		e.others = c.of(e.id)
	}
	e.addr = addr
	e.slot[e.head%slots]++
	e.total++
	return c.everywhere(e) > c.limit, swept
}

// stepAt numbers the steps of the window. Time does not go back for a counter.
func (c *counter) stepAt(now time.Time) int64 {
	return max(now.UnixNano()/int64(c.step), c.last)
}

// find returns the key's entry, advanced to step; a new key takes the place of the least
// active one.
func (c *counter) find(hash uint64, step int64) *entry {
	if c.sets == nil {
		c.sets = make([]set, minSets)
	}
	s := c.place(hash)
	// Among equals goes the first that is looked at. Where looking begins differs from key to
	// key, else each new key would drive out the one before it, and nobody be counted twice.
	begin := int(hash >> 8 & 0xffff)
	weakest := &s[begin%ways]
	for i := range ways {
		e := &s[(begin+i)%ways]
		if e.hash == hash {
			e.advance(step)
			return e
		}
		if e.hash != 0 {
			e.advance(step)
		}
		if e.total < weakest.total || e.hash == 0 && weakest.hash != 0 && weakest.total == 0 {
			weakest = e
		}
	}
	if weakest.hash == 0 {
		c.used++
	} else if weakest.total > 0 && len(c.sets) < maxSets && c.used > len(c.sets) {
		c.grow(step)
		return c.find(hash, step)
	}
	*weakest = entry{hash: hash, head: step}
	return weakest
}

func (c *counter) place(hash uint64) *set {
	return &c.sets[hash>>32&uint64(len(c.sets)-1)]
}

// grow doubles the number of places and drops the keys whose window has passed.
func (c *counter) grow(step int64) {
	old := c.sets
	c.sets = make([]set, 2*len(old))
	c.used = 0
	for i := range old {
		for j := range old[i] {
			e := &old[i][j]
			if e.hash == 0 {
				continue
			}
			if e.advance(step); e.total == 0 {
				continue
			}
			s := c.place(e.hash)
			free := slices.IndexFunc(s[:], func(e entry) bool { return e.hash == 0 })
			s[free] = *e // the ways of an old set spread over two: there is always room
			c.used++
		}
	}
}

// advance moves the window so that it ends with step.
func (e *entry) advance(step int64) {
	if step-e.head >= slots {
		*e = entry{hash: e.hash, id: e.id, addr: e.addr, others: e.others, head: step}
		return
	}
	for e.head < step {
		e.head++
		gone := &e.slot[e.head%slots]
		e.total -= int64(*gone)
		*gone = 0
	}
}

func (c *counter) limited(now time.Time) []netip.Addr {
	type active struct {
		addr  netip.Addr
		total int64
	}
	var over []active
	c.mu.Lock()
	seen := make(map[uint64]bool)
	step := c.stepAt(now)
	for i := range c.sets {
		for j := range c.sets[i] {
			e := &c.sets[i][j]
			if e.hash == 0 {
				continue
			}
			if e.advance(step); e.total > 0 && e.addr.IsValid() {
				seen[e.id] = true
				if total := c.everywhere(e); total > c.limit {
					over = append(over, active{e.addr, total})
				}
			}
		}
	}
	for id, o := range c.counts { // who sends to other nodes alone
		if total := c.of(id); total > c.limit && o.addr.IsValid() && !seen[id] {
			over = append(over, active{o.addr, total})
		}
	}
	c.mu.Unlock()
	slices.SortFunc(over, func(a, b active) int {
		if a.total != b.total {
			return cmp.Compare(b.total, a.total)
		}
		return a.addr.Compare(b.addr)
	})
	addrs := make([]netip.Addr, 0, min(len(over), listable))
	for _, a := range over[:min(len(over), listable)] {
		addrs = append(addrs, a.addr)
	}
	return addrs
}

func (c *counter) idle(now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stepAt(now)-c.last >= slots
}

// retire empties an idle counter; it reports whether it is one.
func (c *counter) retire(now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stepAt(now)-c.last < slots {
		return false
	}
	c.sets, c.used, c.elsewhere, c.swept = nil, 0, elsewhere{}, true
	return true
}
