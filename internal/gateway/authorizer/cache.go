package authorizer

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"sync"
	"time"
)

// A Key stands for what an answer is kept under: the digest of KeyOf's arguments, so that
// no token is kept in memory.
type Key [sha256.Size]byte

// A KeyBuilder puts a Key together without allocating for values of usual length.
type KeyBuilder struct{ text []byte }

// NewKey begins a key in scratch, which may be nil. memory names authorizer and stage.
func NewKey(scratch []byte, memory string) KeyBuilder {
	b := KeyBuilder{scratch[:0]}
	b.Add(memory)
	return b
}

// Begin announces how many values the next identity source has.
func (b *KeyBuilder) Begin(values int) { b.text = binary.AppendUvarint(b.text, uint64(values)) }

// Add appends a value of an identity source. Values are told apart whatever they contain:
// ("ab", "") and ("a", "b") are different keys.
func (b *KeyBuilder) Add(value string) {
	b.text = binary.AppendUvarint(b.text, uint64(len(value)))
	b.text = append(b.text, value...)
}

// Bytes returns what was added, for use as scratch of the next key.
func (b *KeyBuilder) Bytes() []byte { return b.text }

// Key returns the key of what was added.
func (b *KeyBuilder) Key() Key { return sha256.Sum256(b.text) }

// A Cache keeps the answers of Lambda authorizers. Its memory is bounded: what was not used
// for longest goes first. The zero value is not usable: see NewCache.
type Cache struct {
	shards [shardCount]shard
}

const shardCount = 16

// DefaultCacheBytes is how much memory answers take at most, by estimate.
const DefaultCacheBytes = 64 << 20

// NewCache returns a cache of about limit bytes; 0 means DefaultCacheBytes.
func NewCache(limit int) *Cache {
	if limit <= 0 {
		limit = DefaultCacheBytes
	}
	c := &Cache{}
	for i := range c.shards {
		s := &c.shards[i]
		s.limit = limit / shardCount
		s.entries = map[Key]*entry{}
		s.flights = map[flightKey]*flight{}
		s.ring.next, s.ring.prev = &s.ring, &s.ring
	}
	return c
}

// A shard is a part of the cache with a lock of its own. ring joins its entries, the one
// that was used last first.
type shard struct {
	mu      sync.Mutex
	entries map[Key]*entry
	ring    entry
	bytes   int
	limit   int
	flights map[flightKey]*flight
}

type entry struct {
	key        Key
	answer     *Answer
	until      time.Time
	next, prev *entry
}

// A flightKey joins requests that one call may serve: those with the same key, for the same
// method. The function sees which method is called, so that what it says when it refuses
// (an error, which is not kept) holds for that one alone.
type flightKey struct {
	key    Key
	method string
}

// A flight is a call under way that several requests wait for.
type flight struct {
	done   chan struct{}
	answer *Answer
	err    error
}

// cost estimates the memory of an entry in bytes: the compiled policy is a few times its
// text.
func (e *entry) cost() int { return 512 + 6*e.answer.size }

func (c *Cache) shard(k *Key) *shard { return &c.shards[k[0]%shardCount] }

// Get returns the answer kept under key, nil when there is none any more.
func (c *Cache) Get(key Key, now time.Time) *Answer {
	s := c.shard(&key)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.get(key, now)
}

func (s *shard) get(key Key, now time.Time) *Answer {
	e := s.entries[key]
	if e == nil {
		return nil
	}
	if !now.Before(e.until) {
		s.remove(e)
		return nil
	}
	e.unlink()
	e.linkAfter(&s.ring)
	return e.answer
}

// ErrAbandoned is what requests get that waited for a call which ended without a result: the
// one that made it panicked.
var ErrAbandoned = errors.New("the authorizer's call was abandoned")

// Ask returns the answer kept under key, or what ask says, which is then kept for ttl. Of
// requests for the same method that come meanwhile, one asks and the others wait for it;
// shared tells that another asked. Errors are not kept. ask is called by the calling
// goroutine and must return in bounded time; waiting ends with ctx.
func (c *Cache) Ask(ctx context.Context, key Key, method string, ttl time.Duration, now func() time.Time, ask func() (*Answer, error)) (a *Answer, shared bool, err error) {
	s := c.shard(&key)
	fk := flightKey{key, method}
	s.mu.Lock()
	if a := s.get(key, now()); a != nil {
		s.mu.Unlock()
		return a, true, nil
	}
	if f := s.flights[fk]; f != nil {
		s.mu.Unlock()
		select {
		case <-f.done:
			return f.answer, true, f.err
		case <-ctx.Done():
			return nil, true, ctx.Err()
		}
	}
	f := &flight{done: make(chan struct{}), err: ErrAbandoned}
	s.flights[fk] = f
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.flights, fk)
		if f.err == nil {
			s.put(&entry{key: key, answer: f.answer, until: now().Add(ttl)})
		}
		s.mu.Unlock()
		close(f.done)
	}()
	f.answer, f.err = ask()
	return f.answer, false, f.err
}

// put keeps e, and drops what was not used for longest until the shard is within its limit.
func (s *shard) put(e *entry) {
	if old := s.entries[e.key]; old != nil {
		s.remove(old)
	}
	s.entries[e.key] = e
	s.bytes += e.cost()
	e.linkAfter(&s.ring)
	for s.bytes > s.limit && s.ring.prev != &s.ring {
		s.remove(s.ring.prev)
	}
}

func (s *shard) remove(e *entry) {
	delete(s.entries, e.key)
	s.bytes -= e.cost()
	e.unlink()
}

func (e *entry) unlink() { e.prev.next, e.next.prev = e.next, e.prev }

func (e *entry) linkAfter(at *entry) {
	e.prev, e.next = at, at.next
	at.next.prev, at.next = e, e
}

// Size returns how many answers are kept, and the memory that they are estimated to take.
func (c *Cache) Size() (answers, bytes int) {
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		answers += len(s.entries)
		bytes += s.bytes
		s.mu.Unlock()
	}
	return answers, bytes
}
