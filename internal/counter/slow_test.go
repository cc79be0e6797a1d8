package counter_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/internal/counter"
)

// farServer answers every exchange after a while, and always grants.
type farServer struct {
	delay time.Duration
	left  int64
}

func (s *farServer) Exchange(_ context.Context, b counter.Batch) (counter.Answer, error) {
	time.Sleep(s.delay)
	ans := counter.Answer{Nodes: 1, Settled: time.Hour}
	for _, ask := range b.Quotas {
		grant := min(ask.Want, s.left-ask.Taken)
		ans.Quotas = append(ans.Quotas, counter.QuotaGrant{Units: grant, Left: s.left - ask.Taken - grant})
	}
	return ans, nil
}

func (s *farServer) Leave(context.Context, string) error { return nil }

// With a server that is far away, a partner who calls now and then is not refused while
// units are left: a first lease is waited for, and the next ones are kept.
func TestQuotaWithAFarServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		clock := counter.NewCoarse()
		defer clock.Stop()
		s := openSet(t, counter.Options{Clock: clock, Server: &farServer{delay: 40 * time.Millisecond, left: 50}, Node: "n"})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- s.Run(ctx, time.Second) }()
		q := s.Quota("q", counter.Allowance{Limit: 50, Period: counter.Month})
		var waited []time.Duration
		for i := range 50 {
			start := time.Now()
			if !q.Spend(clock.Now()) {
				t.Fatalf("request %d was refused with %d units left", i, 50-i)
			}
			waited = append(waited, time.Since(start))
			time.Sleep(5 * time.Second)
		}
		for i, d := range waited[2:] {
			if d > time.Millisecond {
				t.Errorf("request %d waited %v, want no more than the first", i+2, d)
			}
		}
		if q.Spend(clock.Now()) {
			t.Error("a unit too many was admitted")
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// Many requests that meet a quota without a lease all wait for units, not only as many as
// the first settlement brings.
func TestFirstRequestsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		clock := counter.NewCoarse()
		defer clock.Stop()
		s := openSet(t, counter.Options{Clock: clock, Server: &farServer{delay: 5 * time.Millisecond, left: 1000}, Node: "n"})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- s.Run(ctx, time.Second) }()
		q := s.Quota("q", counter.Allowance{Limit: 1000, Period: counter.Month})
		for round := range 5 {
			var refused atomic.Int64
			var wg sync.WaitGroup
			for i := range 100 {
				wg.Go(func() {
					time.Sleep(time.Duration(i%7) * time.Millisecond)
					if !q.Spend(clock.Now()) {
						refused.Add(1)
					}
				})
			}
			wg.Wait()
			if n := refused.Load(); n > 0 {
				t.Errorf("round %d: %d of 100 were refused with %d units left", round, n, 1000-100*round)
			}
			time.Sleep(3 * time.Second) // the lease is given back
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}
