package cache

import (
	"cmp"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"hash/maphash"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"gatehouse/internal/counter"
)

// A Store has the caches of all stages of a node. Make it with New.
type Store struct {
	max  int64 // bytes
	used atomic.Int64
	seed maphash.Seed
	aead cipher.AEAD

	mu     sync.Mutex
	stages map[Name]stage
}

// A Name names a stage.
type Name struct{ Region, API, Stage string }

// A Generation tells one life of a stage's cache from the next: what was kept in another is
// not served.
type Generation struct {
	Bytes   int64     // the cluster's size
	Flushes int64     // how often the cache was flushed
	Created time.Time // of the stage: another stage of the same name has another cache
}

type stage struct {
	generation Generation
	cache      *Cache
}

// New returns a store that keeps at most max bytes. Answers that are to be encrypted are
// sealed with a key that nothing but the store's memory has.
func New(max int64) *Store {
	var key [32]byte
	rand.Read(key[:]) // never fails (crypto/rand)
	block, err := aes.NewCipher(key[:])
	if err != nil {
		panic(err) // the length is right: a promise of crypto/aes
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic(err) // AES has the block size that GCM needs
	}
	return &Store{max: max, seed: maphash.MakeSeed(), aead: aead, stages: map[Name]stage{}}
}

// Stage returns the cache of a generation of a stage. While the generation is the same, so is
// the cache; another one closes it.
func (s *Store) Stage(n Name, g Generation) *Cache {
	s.mu.Lock()
	defer s.mu.Unlock()
	old, ok := s.stages[n]
	if ok && old.generation == g {
		return old.cache
	}
	if ok {
		old.cache.close()
	}
	c := newCache(s, g.Bytes)
	s.stages[n] = stage{g, c}
	return c
}

// Drop forgets the cache of a stage that is gone, or has none any more.
func (s *Store) Drop(n Name) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if old, ok := s.stages[n]; ok {
		old.cache.close()
		delete(s.stages, n)
	}
}

// Bytes returns how much is kept.
func (s *Store) Bytes() int64 { return s.used.Load() }

// relieve makes room on the node: the largest cache gives first.
func (s *Store) relieve(now counter.Instant) {
	s.mu.Lock()
	defer s.mu.Unlock()
	want := s.max - s.max/16
	all := make([]*Cache, 0, len(s.stages))
	for _, st := range s.stages {
		all = append(all, st.cache)
	}
	slices.SortFunc(all, func(a, b *Cache) int { return cmp.Compare(b.used.Load(), a.used.Load()) })
	for _, c := range all {
		over := s.used.Load() - want
		if over <= 0 {
			return
		}
		c.relieve(max(c.used.Load()-over, 0), now)
	}
}
