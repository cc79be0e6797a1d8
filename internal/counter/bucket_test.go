package counter_test

import (
	"math"
	"math/big"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gatehouse/internal/counter"
	"gatehouse/internal/counter/countertest"
)

var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

func openSet(t testing.TB, o counter.Options) *counter.Set {
	t.Helper()
	s, err := counter.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// exact is the bucket of the reference: tokens in rational numbers, continuous refill.
type exact struct {
	tokens, rate, burst *big.Rat
	at                  int64
}

func newExact(l counter.Limit, now int64) *exact {
	// The bucket's pace is a whole number of nanoseconds; see Limit.
	interval := int64(math.Round(1e9 / l.Rate))
	return &exact{
		tokens: new(big.Rat).SetInt64(l.Burst), burst: new(big.Rat).SetInt64(l.Burst),
		rate: big.NewRat(1, interval), at: now,
	}
}

func (e *exact) refill(now int64) {
	e.tokens.Add(e.tokens, new(big.Rat).Mul(e.rate, new(big.Rat).SetInt64(now-e.at)))
	if e.tokens.Cmp(e.burst) > 0 {
		e.tokens.Set(e.burst)
	}
	e.at = now
}

func (e *exact) take(now int64) bool {
	e.refill(now)
	one := big.NewRat(1, 1)
	if e.tokens.Cmp(one) < 0 {
		return false
	}
	e.tokens.Sub(e.tokens, one)
	return true
}

func TestBucketDecidesAsTheExactModel(t *testing.T) {
	t.Parallel()
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 7))
		l := counter.Limit{Rate: math.Exp(r.Float64()*16 - 4), Burst: 1 + r.Int64N(40)}
		clock := countertest.NewClock(noon)
		b := openSet(t, counter.Options{Clock: clock}).Bucket("b", l)
		now := clock.Now()
		model := newExact(l, now.Mono)
		pace := 1e9 / l.Rate
		for i := range 400 {
			now = now.Add(time.Duration(r.ExpFloat64() * pace * [4]float64{0, 0.3, 1, 20}[r.IntN(4)]))
			if got, want := b.Take(now), model.take(now.Mono); got != want {
				t.Fatalf("seed %d, limit %+v, request %d at %d: admitted %v, the model %v", seed, l, i, now.Mono, got, want)
			}
			whole := new(big.Int).Quo(model.tokens.Num(), model.tokens.Denom()).Int64()
			if got := b.Tokens(now); got != whole {
				t.Fatalf("seed %d, limit %+v, request %d: %d tokens, the model %d", seed, l, i, got, whole)
			}
		}
	}
}

// A rate is per second. A bucket that took its refill for milliseconds would admit a
// thousand times as much, or as little.
func TestRateIsPerSecond(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		limit   counter.Limit
		seconds int
		want    int
	}{
		{counter.Limit{Rate: 5, Burst: 10}, 60, 10 + 5*60},
		{counter.Limit{Rate: 0.1, Burst: 1}, 100, 1 + 10},
		{counter.Limit{Rate: 10000, Burst: 5000}, 2, 5000 + 20000},
		{counter.Limit{Rate: 0, Burst: 3}, 60, 3},
		{counter.Limit{Rate: 100, Burst: 0}, 60, 0},
	} {
		clock := countertest.NewClock(noon)
		b := openSet(t, counter.Options{Clock: clock}).Bucket("b", tt.limit)
		admitted := 0
		const step = 50 * time.Microsecond
		for range tt.seconds * int(time.Second/step) / 10 {
			for range 10 {
				if b.Take(clock.Now()) {
					admitted++
				}
			}
			clock.Advance(10 * step)
		}
		for b.Take(clock.Now()) {
			admitted++
		}
		if admitted != tt.want {
			t.Errorf("%+v for %d s: admitted %d, want %d", tt.limit, tt.seconds, admitted, tt.want)
		}
	}
}

func TestBucketIsExactUnderConcurrency(t *testing.T) {
	clock := countertest.NewClock(noon)
	s := openSet(t, counter.Options{Clock: clock})
	var admitted atomic.Int64
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 5000 {
				if s.Bucket("b", counter.Limit{Rate: 1, Burst: 1000}).Take(clock.Now()) {
					admitted.Add(1)
				}
			}
		})
	}
	wg.Wait()
	if got := admitted.Load(); got != 1000 {
		t.Errorf("admitted %d of 40000 at one moment, want the burst of 1000", got)
	}
}

// However often the configuration changes while requests run, a bucket neither gains
// nor loses tokens: with a rate of nearly nothing, the burst is admitted once.
func TestRetuningUnderLoadGivesNothingAway(t *testing.T) {
	clock := countertest.NewClock(noon)
	s := openSet(t, counter.Options{Clock: clock})
	limit := func(i int) counter.Limit { return counter.Limit{Rate: 1e-9 * float64(1+i%7), Burst: 20000} }
	first := s.Bucket("b", limit(0))
	var admitted atomic.Int64
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 20000 {
				if first.Take(clock.Now()) {
					admitted.Add(1)
				}
			}
		})
	}
	wg.Go(func() {
		for i := range 2000 {
			s.Bucket("b", limit(i))
			s.Sweep()
		}
	})
	wg.Wait()
	// Each change may round a part of a token away, never towards more.
	if got := admitted.Load(); got > 20000 || got < 18000 {
		t.Errorf("admitted %d, want 20000, less at most one token per change of the limit", got)
	}
}

func TestChangedLimitKeepsTokens(t *testing.T) {
	drain := func(b *counter.Bucket, now counter.Instant) (n int) {
		for b.Take(now) {
			n++
		}
		return n
	}
	for _, tt := range []struct {
		name          string
		before, after counter.Limit
		taken, left   int
	}{
		{"same limit after a redeployment", counter.Limit{Rate: 1, Burst: 10}, counter.Limit{Rate: 1, Burst: 10}, 7, 3},
		{"greater burst refills nothing", counter.Limit{Rate: 1, Burst: 10}, counter.Limit{Rate: 1, Burst: 100}, 10, 0},
		{"smaller burst caps", counter.Limit{Rate: 1, Burst: 100}, counter.Limit{Rate: 1, Burst: 5}, 20, 5},
		{"other rate keeps tokens", counter.Limit{Rate: 1, Burst: 10}, counter.Limit{Rate: 1000, Burst: 10}, 6, 4},
		{"closed and opened again", counter.Limit{Rate: 1, Burst: 0}, counter.Limit{Rate: 1, Burst: 10}, 0, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			clock := countertest.NewClock(noon)
			s := openSet(t, counter.Options{Clock: clock})
			old := s.Bucket("b", tt.before)
			for i := range tt.taken {
				if !old.Take(clock.Now()) {
					t.Fatalf("take %d refused", i)
				}
			}
			b := s.Bucket("b", tt.after)
			if got := drain(b, clock.Now()); got != tt.left {
				t.Errorf("%d tokens after the change, want %d", got, tt.left)
			}
			if drain(old, clock.Now()) != 0 {
				t.Error("a request that runs on the old configuration found tokens of its own")
			}
			now := clock.Advance(time.Duration(float64(time.Second) / tt.after.Rate))
			if !b.Take(now) || b.Take(now) {
				t.Error("one token per interval of the new rate was expected")
			}
		})
	}
}

func TestWaitTellsWhenTheNextTokenIsThere(t *testing.T) {
	clock := countertest.NewClock(noon)
	b := openSet(t, counter.Options{Clock: clock}).Bucket("b", counter.Limit{Rate: 4, Burst: 2})
	if w := b.Wait(clock.Now()); w != 0 {
		t.Errorf("full bucket: wait %v, want none", w)
	}
	b.Take(clock.Now())
	b.Take(clock.Now())
	w := b.Wait(clock.Now())
	if w != 250*time.Millisecond {
		t.Errorf("empty bucket: wait %v, want 250ms", w)
	}
	if b.Take(clock.Advance(w - 1)) {
		t.Error("admitted before the wait was over")
	}
	if !b.Take(clock.Advance(1)) {
		t.Error("refused after the wait")
	}
}

// Buckets that are full again are dropped, so that the set's size follows recent use and
// not everything that ever called; those that are not full stay.
func TestIdleBucketsAreDropped(t *testing.T) {
	clock := countertest.NewClock(noon)
	s := openSet(t, counter.Options{Clock: clock})
	for i := range 1000 {
		s.Bucket(string(rune('a'+i)), counter.Limit{Rate: 1, Burst: 5}).Take(clock.Now())
	}
	spent := s.Bucket("spent", counter.Limit{Rate: 0, Burst: 1})
	spent.Take(clock.Now())
	s.Sweep()
	if n, _ := s.Len(); n != 1001 {
		t.Errorf("%d buckets while none was full, want 1001", n)
	}
	clock.Advance(10 * time.Second)
	s.Sweep()
	if n, _ := s.Len(); n != 1 {
		t.Errorf("%d buckets after all but one were full, want 1", n)
	}
	if spent.Take(clock.Now()) {
		t.Error("sweeping refilled a bucket")
	}
}

// Who keeps a bucket that was dropped shares one with whoever asks for it anew.
func TestDroppedBucketIsOneBucketAgain(t *testing.T) {
	clock := countertest.NewClock(noon)
	s := openSet(t, counter.Options{Clock: clock})
	l := counter.Limit{Rate: 1, Burst: 4}
	old := s.Bucket("b", l)
	s.Sweep()
	fresh := s.Bucket("b", l)
	admitted := 0
	for range 10 {
		for _, b := range []*counter.Bucket{old, fresh} {
			if b.Take(clock.Now()) {
				admitted++
			}
		}
	}
	if admitted != 4 {
		t.Errorf("two holders took %d tokens, want the burst of 4", admitted)
	}
	s.Bucket("b", counter.Limit{Rate: 2, Burst: 4})
	now := clock.Advance(time.Second)
	if !old.Take(now) || !fresh.Take(now) || old.Take(now) || fresh.Take(now) {
		t.Error("after a change of rate the two holders do not share two tokens")
	}
}

// A late reading of the clock, from another core, must not give tokens or take them.
func TestClockReadingsOutOfOrder(t *testing.T) {
	clock := countertest.NewClock(noon)
	b := openSet(t, counter.Options{Clock: clock}).Bucket("b", counter.Limit{Rate: 10, Burst: 1})
	late := clock.Now()
	now := clock.Advance(time.Second)
	if !b.Take(now) || b.Take(late) {
		t.Error("the bucket of one token admitted by an old reading")
	}
	if !b.Take(now.Add(100 * time.Millisecond)) {
		t.Error("an old reading moved the bucket")
	}
}

func TestUnlimitedHasNoBucket(t *testing.T) {
	s := openSet(t, counter.Options{Clock: countertest.NewClock(noon)})
	for _, l := range []counter.Limit{{Rate: -1, Burst: -1}, {Rate: -1, Burst: 5}, {Rate: 5, Burst: -1}} {
		if s.Bucket("b", l) != nil {
			t.Errorf("%+v has a bucket", l)
		}
	}
}

// A frozen clock moves by what it is shifted, and goes on from there.
func TestCoarseClockFreezes(t *testing.T) {
	c := counter.NewCoarse()
	defer c.Stop()
	c.Freeze()
	before := c.Now()
	c.Shift(time.Minute)
	if now := c.Now(); now != before.Add(time.Minute) {
		t.Errorf("frozen at %v and shifted by a minute: %v", before, now)
	}
	c.Thaw()
	c.Shift(0)
	if d := c.Now().Time().Sub(before.Time()); d < time.Minute || d > time.Minute+10*time.Second {
		t.Errorf("%v have passed, want a minute and a little", d)
	}
}

func TestCoarseClockFollows(t *testing.T) {
	c := counter.NewCoarse()
	defer c.Stop()
	start, first := time.Now(), c.Now()
	for c.Now().Mono-first.Mono < int64(20*time.Millisecond) {
		if time.Since(start) > 10*time.Second {
			t.Fatal("the clock stands still while it is read")
		}
	}
	if passed := time.Since(start); passed < 10*time.Millisecond {
		t.Errorf("20 ms by the clock took %v", passed)
	}
	before := c.Now()
	c.Shift(time.Hour)
	if d := time.Duration(c.Now().Wall - before.Wall); d < time.Hour {
		t.Errorf("after a shift of an hour the wall clock is %v ahead", d)
	}
}

func BenchmarkBucket(b *testing.B) {
	clock := counter.NewCoarse()
	defer clock.Stop()
	bucket := openSet(b, counter.Options{Clock: clock}).Bucket("b", counter.Limit{Rate: 1e9, Burst: 1 << 30})
	b.Run("one", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			bucket.Take(clock.Now())
		}
	})
	b.Run("parallel", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				bucket.Take(clock.Now())
			}
		})
	})
}
