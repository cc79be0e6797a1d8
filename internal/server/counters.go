package server

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"gatehouse/internal/compile"
	"gatehouse/internal/counter"
	"gatehouse/internal/counter/valkey"
	"gatehouse/internal/gateway/cache"
	"gatehouse/internal/gateway/meter"
	"gatehouse/internal/gateway/throttle"
	"gatehouse/internal/keyhash"
)

// countersGrace bounds how long leases may take to be given back when the server stops.
const countersGrace = 5 * time.Second

// streamRate is what AWS lets pass of a stream after its first 10 MB, in bytes per second: it acts
// with quotas: aws only.
const streamRate = 2 << 20

// accountLimit is AWS's default for an account in a Region: it acts with quotas: aws only.
var accountLimit = counter.Limit{Rate: 10_000, Burst: 5_000}

// openCounters opens the counters, in memory or shared, over the store's ledger.
func (s *Server) openCounters(ctx context.Context) error {
	s.clock = counter.NewCoarse()
	o := counter.Options{Clock: s.clock, Ledger: s.store.Usage(), Log: s.log}
	if url := s.config.Counters.Reveal(); url != "" {
		shared, err := valkey.New(url)
		if err != nil {
			return fmt.Errorf("counters: %w", err)
		}
		o.Server, o.Node = shared, rand.Text()
		s.sharedCounters = shared
	}
	var err error
	if s.counters, err = counter.Open(ctx, o); err != nil {
		return fmt.Errorf("counters: %w", err)
	}
	s.hasher = keyhash.New(s.store.KeyedHash("api-key-values", []byte("key of the hashes of API keys")))
	return nil
}

// closeCounters ends what openCounters began, after the set has run out.
func (s *Server) closeCounters() {
	if s.sharedCounters != nil {
		s.sharedCounters.Close()
	}
	s.clock.Stop()
}

// limits gives the compiler what outlives plans.
func (s *Server) limits() compile.Limits {
	account := counter.Limit{Rate: -1, Burst: -1}
	if s.config.Quotas == "aws" {
		account = accountLimit
	}
	caches := cache.New(s.config.Limits.CacheMemory)
	s.metrics.Gauge("gatehouse_cache_bytes", "Bytes of answers in the caches of all stages.", func() float64 { return float64(caches.Bytes()) })
	return compile.Limits{Throttle: throttle.New(s.counters, account), Meter: meter.New(s.counters, s.hasher), Caches: caches}
}
