// Package cache keeps the answers of methods (routing-and-integrations, section 14). The
// gateway asks the cache of a request's stage after validation and before the integration;
// the compiler asks a Store for the stage's cache, which outlives plans, and names another
// generation of it when the stage was flushed or resized.
//
// A stage's cache is bounded by its cluster size, and all caches of a node together by the
// Store: what was not used for longest goes first. Requests for the same key that arrive
// while one of them is being answered wait for it (Flight).
//
// Everything here is safe for concurrent use. A hit copies no body.
package cache

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"

	"gatehouse/internal/counter"
)

// MaxBody is the largest body that is kept, in bytes (quotas). Larger answers are served
// and not kept.
const MaxBody = 1 << 20

// shards is how many parts a cache has, each with its own lock.
const shards = 16

// A Cache keeps the answers of one generation of one stage.
type Cache struct {
	store  *Store
	max    int64 // bytes
	used   atomic.Int64
	closed atomic.Bool
	shards [shards]shard
}

// A shard is a part of a cache: its entries by key, in order of their last use.
type shard struct {
	mu      sync.Mutex
	entries map[string]*entry
	flights map[string]*Flight
	ring    entry // newest.next ... oldest.prev; the ring itself holds nothing
	swept   int64 // when expired entries were last looked for
}

// An entry is an answer in the cache.
type entry struct {
	key        string
	expires    int64 // monotonic nanoseconds, as touched
	touched    int64 // when it was last used
	size       int64
	plain      *Response // nil when the answer is sealed
	sealed     []byte
	prev, next *entry
}

func newCache(s *Store, max int64) *Cache {
	c := &Cache{store: s, max: max}
	for i := range c.shards {
		sh := &c.shards[i]
		sh.entries, sh.flights = map[string]*entry{}, map[string]*Flight{}
		sh.ring.prev, sh.ring.next = &sh.ring, &sh.ring
	}
	return c
}

func (c *Cache) shardOf(key []byte) *shard {
	return &c.shards[maphash.Bytes(c.store.seed, key)%shards]
}

// Look returns the answer kept under key. Without one it returns a flight: the caller leads
// it (Flight.Leads) and must end it, or waits for it. The answer must not be changed.
func (c *Cache) Look(key []byte, now counter.Instant) (*Response, *Flight) {
	sh := c.shardOf(key)
	sh.mu.Lock()
	e := sh.entries[string(key)]
	if e != nil && now.Mono < e.expires {
		sh.touch(e, now)
		plain, sealed := e.plain, e.sealed
		sh.mu.Unlock()
		if plain != nil {
			return plain, nil
		}
		if r, ok := c.store.open(sealed, key); ok {
			return r, nil
		}
		sh.mu.Lock()
		e = sh.entries[string(key)]
	}
	defer sh.mu.Unlock()
	if e != nil {
		c.drop(sh, e)
	}
	if f := sh.flights[string(key)]; f != nil {
		return nil, &Flight{shared: f.shared}
	}
	return nil, sh.fly(c, string(key))
}

// Renew forgets what is kept under key and returns a flight that the caller leads: a client
// asked for the answer anew, and who comes later waits for that one.
func (c *Cache) Renew(key []byte) *Flight {
	sh := c.shardOf(key)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if e := sh.entries[string(key)]; e != nil {
		c.drop(sh, e)
	}
	return sh.fly(c, string(key))
}

// fly begins a flight; sh is locked.
func (sh *shard) fly(c *Cache, key string) *Flight {
	f := &Flight{cache: c, key: key, shared: &landing{done: make(chan struct{})}}
	sh.flights[key] = f
	return f
}

// put keeps an answer that f brought, unless f was overtaken by a renewal or the cache was
// closed.
func (c *Cache) put(f *Flight, r *Response, o Options, now counter.Instant) {
	e := &entry{key: f.key, touched: now.Mono, expires: now.Mono + int64(o.TTL)}
	if o.Sealed {
		e.sealed = c.store.seal(r, f.key)
		e.size = int64(len(e.sealed))
	} else {
		e.plain = r
		e.size = r.size()
	}
	e.size += int64(len(e.key)) + overhead
	if len(r.Body) > MaxBody || !c.reserve(e.size, now) {
		return
	}
	sh := c.shardOf([]byte(f.key))
	c.sweep(sh, now)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.flights[f.key] != f || c.closed.Load() {
		c.release(e.size)
		return
	}
	if old := sh.entries[e.key]; old != nil {
		c.drop(sh, old)
	}
	sh.entries[e.key] = e
	sh.link(e)
}

// overhead is what an entry costs beside its texts, in bytes: the maps and the lists.
const overhead = 320

// reserve takes size bytes of the cache's and the node's share, forgetting what was not used
// for longest where there is no room. It reports false when there can be none.
func (c *Cache) reserve(size int64, now counter.Instant) bool {
	if c.closed.Load() || size > c.max {
		return false
	}
	c.used.Add(size)
	c.store.used.Add(size)
	if c.used.Load() > c.max {
		c.relieve(c.max-c.max/16, now)
	}
	if c.store.used.Load() > c.store.max {
		c.store.relieve(now)
	}
	if c.used.Load() > c.max || c.store.used.Load() > c.store.max {
		c.release(size)
		return false
	}
	return true
}

func (c *Cache) release(size int64) {
	c.used.Add(-size)
	c.store.used.Add(-size)
}

// relieve forgets expired entries and then those that were not used for longest until not
// more than want bytes are used, or nothing is left.
func (c *Cache) relieve(want int64, now counter.Instant) {
	for i := range c.shards {
		c.sweep(&c.shards[i], now)
	}
	for c.used.Load() > want && c.dropOldest() {
	}
}

// dropOldest forgets the entry that was not used for longest; it reports false when there is
// none.
func (c *Cache) dropOldest() bool {
	var in *shard
	var least int64
	for i := range c.shards {
		sh := &c.shards[i]
		sh.mu.Lock()
		if e := sh.ring.prev; e != &sh.ring && (in == nil || e.touched < least) {
			in, least = sh, e.touched
		}
		sh.mu.Unlock()
	}
	if in == nil {
		return false
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	if e := in.ring.prev; e != &in.ring {
		c.drop(in, e)
	}
	return true
}

// sweepEvery is how often a shard is searched for expired entries while it is written to.
const sweepEvery = time.Minute

// sweep forgets the expired entries of a shard, at most once in a while.
func (c *Cache) sweep(sh *shard, now counter.Instant) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if now.Mono-sh.swept < int64(sweepEvery) {
		return
	}
	sh.swept = now.Mono
	for e := sh.ring.prev; e != &sh.ring; {
		older := e
		e = e.prev
		if now.Mono >= older.expires {
			c.drop(sh, older)
		}
	}
}

// close forgets everything, for good.
func (c *Cache) close() {
	c.closed.Store(true)
	for i := range c.shards {
		sh := &c.shards[i]
		sh.mu.Lock()
		for sh.ring.prev != &sh.ring {
			c.drop(sh, sh.ring.prev)
		}
		sh.mu.Unlock()
	}
}

// drop forgets an entry; sh is locked.
func (c *Cache) drop(sh *shard, e *entry) {
	delete(sh.entries, e.key)
	e.prev.next, e.next.prev = e.next, e.prev
	c.release(e.size)
}

// touch makes e the newest; sh is locked.
func (sh *shard) touch(e *entry, now counter.Instant) {
	e.touched = now.Mono
	if sh.ring.next == e {
		return
	}
	e.prev.next, e.next.prev = e.next, e.prev
	sh.link(e)
}

func (sh *shard) link(e *entry) {
	e.prev, e.next = &sh.ring, sh.ring.next
	e.prev.next, e.next.prev = e, e
}
