package countertest

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gatehouse/internal/counter"
)

// A Kind makes sets of one way of keeping counters, on a real clock.
type Kind struct {
	// Open returns a set that shares its counters with the others of the test, if this
	// kind shares at all, and is run until close is called. A set that shares has a node name
	// of its own.
	Open func(t *testing.T) (s *counter.Set, close func())

	// Clock is the clock of all sets of the test.
	Clock *counter.Coarse
}

// settle is how long the suite waits for counters that come true in the background.
const settle = 10 * time.Second

// Suite checks what every kind owes. fresh makes a kind with nothing counted yet.
func Suite(t *testing.T, fresh func(t *testing.T) Kind) {
	for _, tt := range []struct {
		name string
		test func(t *testing.T, k Kind)
	}{
		{"a burst is admitted once", burstOnce},
		{"a burst is admitted once under concurrency", burstConcurrent},
		{"tokens flow back at the rate", rateHolds},
		{"counters with other names are others", namesDoNotLeak},
		{"a changed limit refills nothing", retunes},
		{"a closed bucket stays closed", closedBucket},
		{"a quota is exact under concurrency", quotaExact},
		{"a quota begins anew with its period", quotaTurns},
		{"units made to remain remain", quotaExtends},
		{"a restart keeps counts", quotaSurvives},
		{"usage is reported by day", usageReported},
	} {
		t.Run(tt.name, func(t *testing.T) { tt.test(t, fresh(t)) })
	}
}

// exhaust takes from b until it has refused for a while, and returns what it gave.
func exhaust(b *counter.Bucket, clock counter.Clock) (n int) {
	for last := time.Now(); time.Since(last) < 300*time.Millisecond; {
		if b.Take(clock.Now()) {
			n++
			last = time.Now()
		}
	}
	return n
}

// exhaustQuota does the same with a quota, patiently: leases of the last units are small.
func exhaustQuota(q *counter.Quota, clock counter.Clock) (n int) {
	for last := time.Now(); time.Since(last) < 1500*time.Millisecond; {
		if q.Spend(clock.Now()) {
			n++
			last = time.Now()
		} else {
			time.Sleep(time.Millisecond)
		}
	}
	return n
}

func burstOnce(t *testing.T, k Kind) {
	s, done := k.Open(t)
	defer done()
	if n := exhaust(s.Bucket("b", counter.Limit{Rate: 0, Burst: 500}), k.Clock); n != 500 {
		t.Errorf("admitted %d, want the burst of 500", n)
	}
}

func burstConcurrent(t *testing.T, k Kind) {
	s, done := k.Open(t)
	defer done()
	var total atomic.Int64
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() { total.Add(int64(exhaust(s.Bucket("b", counter.Limit{Rate: 0, Burst: 3000}), k.Clock))) })
	}
	wg.Wait()
	if n := total.Load(); n != 3000 {
		t.Errorf("admitted %d, want the burst of 3000", n)
	}
}

func rateHolds(t *testing.T, k Kind) {
	s, done := k.Open(t)
	defer done()
	b := s.Bucket("b", counter.Limit{Rate: 1000, Burst: 100})
	start := time.Now()
	n := 0
	for time.Since(start) < time.Second {
		if b.Take(k.Clock.Now()) {
			n++
		}
		runtime.Gosched()
	}
	elapsed := time.Since(start).Seconds()
	if most := 100 + 1000*elapsed + 10; float64(n) > most {
		t.Errorf("admitted %d in %.2f s, want at most %.0f", n, elapsed, most)
	}
	if least := 500 * elapsed; float64(n) < least {
		t.Errorf("admitted %d in %.2f s, want %.0f or more", n, elapsed, least)
	}
}

func namesDoNotLeak(t *testing.T, k Kind) {
	s, done := k.Open(t)
	defer done()
	l, a := counter.Limit{Rate: 0, Burst: 5}, counter.Allowance{Limit: 5, Period: counter.Month}
	for _, name := range []string{"a", "b", "a/b", "a:b", "{a}", "a b", "ä", "plan/r/p/k"} {
		if n := exhaust(s.Bucket(name, l), k.Clock); n != 5 {
			t.Errorf("bucket %q admitted %d, want 5", name, n)
		}
		if n := exhaustQuota(s.Quota(name, a), k.Clock); n != 5 {
			t.Errorf("quota %q admitted %d, want 5", name, n)
		}
	}
}

func retunes(t *testing.T, k Kind) {
	s, done := k.Open(t)
	defer done()
	exhaust(s.Bucket("b", counter.Limit{Rate: 0, Burst: 50}), k.Clock)
	if n := exhaust(s.Bucket("b", counter.Limit{Rate: 0, Burst: 500}), k.Clock); n != 0 {
		t.Errorf("a greater burst gave %d tokens at once", n)
	}
	slow := s.Bucket("b", counter.Limit{Rate: 1, Burst: 5})
	if n := exhaust(slow, k.Clock); n > 1 {
		t.Errorf("another rate gave %d tokens at once", n)
	}
	for until := time.Now().Add(settle); !slow.Take(k.Clock.Now()); time.Sleep(time.Millisecond) {
		if time.Now().After(until) {
			t.Fatal("no token came at the new rate")
		}
	}
}

func closedBucket(t *testing.T, k Kind) {
	s, done := k.Open(t)
	defer done()
	if n := exhaust(s.Bucket("b", counter.Limit{Rate: 1e6, Burst: 0}), k.Clock); n != 0 {
		t.Errorf("a bucket without burst admitted %d", n)
	}
	if n := exhaustQuota(s.Quota("q", counter.Allowance{Limit: 0, Period: counter.Day}), k.Clock); n != 0 {
		t.Errorf("a quota of none admitted %d", n)
	}
}

func quotaExact(t *testing.T, k Kind) {
	s, done := k.Open(t)
	defer done()
	var total atomic.Int64
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			total.Add(int64(exhaustQuota(s.Quota("q", counter.Allowance{Limit: 2000, Period: counter.Month}), k.Clock)))
		})
	}
	wg.Wait()
	if n := total.Load(); n != 2000 {
		t.Errorf("admitted %d, want 2000", n)
	}
}

func quotaTurns(t *testing.T, k Kind) {
	s, done := k.Open(t)
	defer done()
	a := counter.Allowance{Limit: 20, Period: counter.Day}
	q := s.Quota("q", a)
	for day := range 3 {
		if n := exhaustQuota(q, k.Clock); n != 20 {
			t.Errorf("day %d: admitted %d, want 20", day, n)
		}
		k.Clock.Shift(24 * time.Hour)
	}
}

func quotaExtends(t *testing.T, k Kind) {
	s, done := k.Open(t)
	defer done()
	a := counter.Allowance{Limit: 10, Period: counter.Month}
	q := s.Quota("q", a)
	exhaustQuota(q, k.Clock)
	if err := s.SetRemaining(t.Context(), "q", a, 7); err != nil {
		t.Fatal(err)
	}
	if n := exhaustQuota(q, k.Clock); n != 7 {
		t.Errorf("admitted %d after 7 were made to remain", n)
	}
	if err := s.SetRemaining(t.Context(), "q", a, 0); err != nil {
		t.Fatal(err)
	}
	if n := exhaustQuota(q, k.Clock); n != 0 {
		t.Errorf("admitted %d after none were made to remain", n)
	}
}

func quotaSurvives(t *testing.T, k Kind) {
	a := counter.Allowance{Limit: 100, Period: counter.Month}
	total := 0
	for range 3 {
		s, done := k.Open(t)
		q := s.Quota("q", a)
		for got := 0; got < 40; got++ {
			for until := time.Now().Add(1500 * time.Millisecond); time.Now().Before(until); time.Sleep(time.Millisecond) {
				if q.Spend(k.Clock.Now()) {
					total++
					break
				}
			}
			if total == 100 {
				break
			}
		}
		done()
	}
	s, done := k.Open(t)
	defer done()
	total += exhaustQuota(s.Quota("q", a), k.Clock)
	if total != 100 {
		t.Errorf("admitted %d over four lives, want 100: units that were not spent return when a set ends", total)
	}
}

func usageReported(t *testing.T, k Kind) {
	s, done := k.Open(t)
	defer done()
	a := counter.Allowance{Limit: 50, Period: counter.Day}
	q := s.Quota("q", a)
	today := k.Clock.Now().Time()
	used := 0
	for until := time.Now().Add(settle); used < 7 && time.Now().Before(until); {
		if q.Spend(k.Clock.Now()) {
			used++
		}
	}
	got, err := s.Usage(context.Background(), "q", a, today.Add(-24*time.Hour), today)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 || got[0].Used != 0 || got[0].Remaining != 50 || got[1].Used != 7 || got[1].Remaining != 43 {
		t.Errorf("usage of yesterday and today: %+v, want 0 of 50 and 7 with 43 left", got)
	}
}

// Run runs s until the returned function is called, which waits for its end.
func Run(t *testing.T, s *counter.Set) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx, 5*time.Second) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			if err := <-done; err != nil {
				t.Errorf("running the counters: %v", err)
			}
		})
	}
	t.Cleanup(stop)
	return stop
}
