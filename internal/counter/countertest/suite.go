package countertest

import (
	"context"
	"fmt"
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

	// Failed reports whether a shared server failed to answer a node in time, as it may
	// on a busy machine. Tokens and units of such an exchange may be lost: no more may be
	// admitted, but less. Nil for a kind that cannot fail.
	Failed func() bool
}

// admitted checks that n requests were admitted where want are owed.
func (k Kind) admitted(t *testing.T, n, want int, what string) {
	t.Helper()
	switch {
	case n == want:
	case n < want && k.Failed != nil && k.Failed():
		t.Logf("%s: admitted %d of %d; the server failed to answer in between", what, n, want)
	default:
		t.Errorf("%s: admitted %d, want %d", what, n, want)
	}
}

// settle is how long the suite waits for counters that come true in the background.
const settle = 10 * time.Second

// Suite checks what every kind owes. fresh makes a kind with nothing counted yet.
func Suite(t *testing.T, fresh func(t *testing.T) Kind) {
	run := func(t *testing.T, test func(t *testing.T, k Kind)) {
		k := fresh(t)
		now := k.Clock.Now().Time()
		k.Clock.Shift(now.Truncate(24*time.Hour).AddDate(0, 0, 1).Add(12 * time.Hour).Sub(now)) // no midnight in between
		test(t, k)
	}
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
		t.Run(tt.name, func(t *testing.T) { run(t, tt.test) })
	}
}

// drained calls take until it gave want and then refused for a while, or refused for
// long, and returns what it gave.
func drained(want int, pause time.Duration, take func() bool) (n int) {
	quiet := func() time.Duration {
		if n < want {
			return settle
		}
		return 300 * time.Millisecond
	}
	for last := time.Now(); time.Since(last) < quiet(); {
		if take() {
			n++
			last = time.Now()
		} else if pause > 0 {
			time.Sleep(pause)
		}
	}
	return n
}

func (k Kind) exhaust(b *counter.Bucket, want int) int {
	return drained(want, 0, func() bool { return b.Take(k.Clock.Now()) })
}

func (k Kind) exhaustQuota(q *counter.Quota, want int) int {
	return drained(want, time.Millisecond, func() bool { return q.Spend(k.Clock.Now()) })
}

// together calls take from several goroutines until they got want between them and
// were then refused for a while.
func together(want int64, take func() bool) int {
	var total atomic.Int64
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for last := time.Now(); ; {
				if take() {
					total.Add(1)
					last = time.Now()
					continue
				}
				quiet := time.Since(last)
				if quiet > settle || quiet > 300*time.Millisecond && total.Load() >= want {
					return
				}
				runtime.Gosched()
			}
		})
	}
	wg.Wait()
	return int(total.Load())
}

func burstOnce(t *testing.T, k Kind) {
	s, done := k.Open(t)
	defer done()
	n := k.exhaust(s.Bucket("b", counter.Limit{Rate: 0, Burst: 500}), 500)
	k.admitted(t, n, 500, "a burst")
}

func burstConcurrent(t *testing.T, k Kind) {
	s, done := k.Open(t)
	defer done()
	n := together(3000, func() bool { return s.Bucket("b", counter.Limit{Rate: 0, Burst: 3000}).Take(k.Clock.Now()) })
	k.admitted(t, n, 3000, "a burst")
}

func rateHolds(t *testing.T, k Kind) {
	s, done := k.Open(t)
	defer done()
	const enough = 600
	b := s.Bucket("b", counter.Limit{Rate: 1000, Burst: 100})
	start := time.Now()
	n := 0
	for passed := time.Duration(0); passed < time.Second || n < enough && passed < settle; passed = time.Since(start) {
		if b.Take(k.Clock.Now()) {
			n++
		}
		runtime.Gosched()
	}
	elapsed := time.Since(start).Seconds()
	if most := 100 + 1000*elapsed + 10; float64(n) > most {
		t.Errorf("admitted %d in %.2f s, want at most %.0f", n, elapsed, most)
	}
	if n < enough {
		t.Errorf("admitted %d in %.2f s, want %d or more", n, elapsed, enough)
	}
	if least := 500 * elapsed; Long() && float64(n) < least {
		t.Errorf("admitted %d in %.2f s, want %.0f or more", n, elapsed, least)
	}
}

func namesDoNotLeak(t *testing.T, k Kind) {
	s, done := k.Open(t)
	defer done()
	l, a := counter.Limit{Rate: 0, Burst: 5}, counter.Allowance{Limit: 5, Period: counter.Month}
	for _, name := range []string{"a", "b", "a/b", "a:b", "{a}", "a b", "ä", "plan/r/p/k"} {
		k.admitted(t, k.exhaust(s.Bucket(name, l), 5), 5, "bucket "+name)
		k.admitted(t, k.exhaustQuota(s.Quota(name, a), 5), 5, "quota "+name)
	}
}

func retunes(t *testing.T, k Kind) {
	s, done := k.Open(t)
	defer done()
	k.exhaust(s.Bucket("b", counter.Limit{Rate: 0, Burst: 50}), 50)
	start := time.Now()
	if n := k.exhaust(s.Bucket("b", counter.Limit{Rate: 0, Burst: 500}), 0); n != 0 {
		t.Errorf("a greater burst gave %d tokens at once", n)
	}
	slow := s.Bucket("b", counter.Limit{Rate: 1, Burst: 5})
	if n := k.exhaust(slow, 0); float64(n) > 1+time.Since(start).Seconds() {
		t.Errorf("another rate gave %d tokens in %v", n, time.Since(start))
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
	if n := k.exhaust(s.Bucket("b", counter.Limit{Rate: 1e6, Burst: 0}), 0); n != 0 {
		t.Errorf("a bucket without burst admitted %d", n)
	}
	if n := k.exhaustQuota(s.Quota("q", counter.Allowance{Limit: 0, Period: counter.Day}), 0); n != 0 {
		t.Errorf("a quota of none admitted %d", n)
	}
}

func quotaExact(t *testing.T, k Kind) {
	s, done := k.Open(t)
	defer done()
	a := counter.Allowance{Limit: 2000, Period: counter.Month}
	n := together(2000, func() bool { return s.Quota("q", a).Spend(k.Clock.Now()) })
	k.admitted(t, n, 2000, "a quota")
}

func quotaTurns(t *testing.T, k Kind) {
	s, done := k.Open(t)
	defer done()
	q := s.Quota("q", counter.Allowance{Limit: 20, Period: counter.Day})
	for day := range 3 {
		k.admitted(t, k.exhaustQuota(q, 20), 20, fmt.Sprint("day ", day))
		k.Clock.Shift(24 * time.Hour)
	}
}

func quotaExtends(t *testing.T, k Kind) {
	s, done := k.Open(t)
	defer done()
	a := counter.Allowance{Limit: 10, Period: counter.Month}
	q := s.Quota("q", a)
	k.exhaustQuota(q, 10)
	if err := s.SetRemaining(t.Context(), "q", a, 7); err != nil {
		t.Fatal(err)
	}
	k.admitted(t, k.exhaustQuota(q, 7), 7, "with 7 made to remain")
	if err := s.SetRemaining(t.Context(), "q", a, 0); err != nil {
		t.Fatal(err)
	}
	k.admitted(t, k.exhaustQuota(q, 0), 0, "with none made to remain")
}

func quotaSurvives(t *testing.T, k Kind) {
	a := counter.Allowance{Limit: 100, Period: counter.Month}
	total := 0
	for range 3 {
		s, done := k.Open(t)
		q := s.Quota("q", a)
		want := min(total+40, 100)
		for until := time.Now().Add(settle); total < want && time.Now().Before(until); {
			if q.Spend(k.Clock.Now()) {
				total++
			} else {
				time.Sleep(time.Millisecond)
			}
		}
		done()
	}
	s, done := k.Open(t)
	defer done()
	total += k.exhaustQuota(s.Quota("q", a), 100-total)
	k.admitted(t, total, 100, "a quota over four lives, units that were not spent returned at each end")
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
