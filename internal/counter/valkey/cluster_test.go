package valkey_test

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gatehouse/internal/counter"
	"gatehouse/internal/counter/countertest"
	"gatehouse/internal/counter/valkey"
)

// openFlaky returns a node whose exchanges fail as told.
func (c *cluster) openFlaky(t *testing.T, loss float64) (*counter.Set, *countertest.Flaky) {
	t.Helper()
	server, err := valkey.New("valkey://" + c.server.Addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	n := nodes.Add(1)
	flaky := countertest.NewFlaky(server, loss, uint64(n))
	s, err := counter.Open(t.Context(), counter.Options{Clock: c.clock, Ledger: &c.ledger, Server: flaky, Node: fmt.Sprint("node", n)})
	if err != nil {
		t.Fatal(err)
	}
	return s, flaky
}

// patience is how long a test waits for what must happen, however busy the machine is.
const patience = 30 * time.Second

// overload takes from a bucket at every node without pause for d, and until each node
// was admitted least times, and returns what each admitted. A node that is not in
// patience returns with less.
func overload(sets []*counter.Set, clock counter.Clock, l counter.Limit, d time.Duration, least int) []int {
	got := make([]int, len(sets))
	var content atomic.Int64 // nodes that have their least
	var wg sync.WaitGroup
	for i, s := range sets {
		wg.Go(func() {
			b := s.Bucket("b", l)
			n := 0
			if least == 0 {
				content.Add(1)
			}
			for start := time.Now(); ; runtime.Gosched() {
				if b.Take(clock.Now()) {
					if n++; n == least {
						content.Add(1)
					}
				}
				passed := time.Since(start)
				if passed > patience || passed > d && content.Load() == int64(len(sets)) {
					break
				}
			}
			got[i] = n
		})
	}
	wg.Wait()
	return got
}

func sum(ns []int) (total int) {
	for _, n := range ns {
		total += n
	}
	return total
}

// spendUp spends a quota at every node until want were admitted together and then
// nobody for a second, which is when more would have been; or nobody for patience.
func spendUp(sets []*counter.Set, clock counter.Clock, a counter.Allowance, want int) []int {
	got := make([]int, len(sets))
	var total, last atomic.Int64
	last.Store(time.Now().UnixNano())
	var wg sync.WaitGroup
	for i, s := range sets {
		wg.Go(func() {
			q := s.Quota("q", a)
			for {
				if q.Spend(clock.Now()) {
					got[i]++
					total.Add(1)
					last.Store(time.Now().UnixNano())
					continue
				}
				quiet := time.Duration(time.Now().UnixNano() - last.Load())
				if quiet > patience || quiet > time.Second && total.Load() >= int64(want) {
					return
				}
				time.Sleep(time.Millisecond)
			}
		})
	}
	wg.Wait()
	return got
}

func TestClusterKeepsOneRate(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	var sets []*counter.Set
	for range 3 {
		s, _ := c.run(t)
		sets = append(sets, s)
	}
	gather(t, sets)
	l := counter.Limit{Rate: 2000, Burst: 200}
	c.watch()
	start := time.Now()
	got := overload(sets, c.clock, l, 3*time.Second, 200)
	alone := c.alone(l)
	bucket := float64(l.Burst) + l.Rate*time.Since(start).Seconds()
	n := float64(sum(got))
	if n > 1.02*bucket+alone {
		t.Errorf("three nodes admitted %v, together %.0f; want at most %.0f, and %.0f that late answers explain", got, n, 1.02*bucket, alone)
	}
	if countertest.Long() && n < 0.6*bucket {
		t.Errorf("three nodes admitted %v, together %.0f; want not much less than %.0f", got, n, bucket)
	}
	for _, n := range got {
		if n < 200 || countertest.Long() && n < sum(got)/10 {
			t.Errorf("three nodes admitted %v under the same load: one starved", got)
		}
	}
}

func TestClusterQuotaIsExact(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	var sets []*counter.Set
	for range 3 {
		s, _ := c.run(t)
		sets = append(sets, s)
	}
	got := spendUp(sets, c.clock, counter.Allowance{Limit: 5000, Period: counter.Month}, 5000)
	if sum(got) != 5000 {
		t.Errorf("three nodes admitted %v, together %d, want 5000", got, sum(got))
	}
}

// Answers that get lost after the server acted cost no unit and count none twice.
func TestLostAnswersChangeNoQuota(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	var sets []*counter.Set
	for range 2 {
		s, _ := c.openFlaky(t, 0.3)
		countertest.Run(t, s)
		sets = append(sets, s)
	}
	got := spendUp(sets, c.clock, counter.Allowance{Limit: 500, Period: counter.Month}, 500)
	if sum(got) != 500 {
		t.Errorf("two nodes admitted %v, together %d, want 500", got, sum(got))
	}
}

// take waits until one unit could be spent.
func take(t *testing.T, q *counter.Quota, clock counter.Clock) {
	t.Helper()
	for until := time.Now().Add(patience); !q.Spend(clock.Now()); time.Sleep(time.Millisecond) {
		if time.Now().After(until) {
			t.Fatalf("no unit could be spent in %v", patience)
		}
	}
}

// waitAway waits until the node knows that the server is away.
func waitAway(t *testing.T, s *counter.Set) {
	t.Helper()
	for until := time.Now().Add(patience); !s.Away(); time.Sleep(time.Millisecond) {
		if time.Now().After(until) {
			t.Fatal("a node does not notice that the server is away")
		}
	}
}

func TestDrainReturnsLeases(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	a := counter.Allowance{Limit: 100, Period: counter.Month}
	first, stop := c.run(t)
	take(t, first.Quota("q", a), c.clock)
	stop()
	second, _ := c.run(t)
	if got := spendUp([]*counter.Set{second}, c.clock, a, 99); got[0] > 99 || got[0] < 99 && !c.failed() {
		t.Errorf("after a node that used 1 of 100 units drained, the other admitted %d, want 99", got[0])
	}
}

// What a crashed node had leased stays used: nobody knows what it admitted.
func TestCrashedNodesLeaseCountsAsUsed(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	a := counter.Allowance{Limit: 1000, Period: counter.Month}
	crashing, link := c.openFlaky(t, 0)
	stop := countertest.Run(t, crashing)
	q := crashing.Quota("q", a)
	var spent int64
	for spent < 50 || q.Left(c.clock.Now()) == 0 { // until it holds a lease that can be lost
		take(t, q, c.clock)
		spent++
	}
	link.Cut()
	waitAway(t, crashing) // it has taken in the last answer
	held := q.Left(c.clock.Now())
	other, _ := c.run(t)
	want := 1000 - spent - held
	got := int64(spendUp([]*counter.Set{other}, c.clock, a, int(want))[0])
	// A node that is kept waiting may have wanted to give its lease back, and not been heard.
	if got > want || got != want && held > 0 {
		t.Errorf("a node that admitted %d crashed with %d units leased; the other admitted %d, want %d", spent, held, got, want)
	}
	// The part that it may still spend, should it live, is what makes this right.
	lone := 0
	for q.Spend(c.clock.Now()) {
		lone++
	}
	if int64(lone) > held {
		t.Errorf("the cut node spent %d units of a lease of %d", lone, held)
	}
	stop()
}

// An emptied server is refilled from the ledger before it grants anything: the quota
// holds across its restart, to the unit.
func TestEmptiedServerIsRefilled(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	a := counter.Allowance{Limit: 3000, Period: counter.Month}
	var sets []*counter.Set
	for range 2 {
		s, _ := c.run(t)
		sets = append(sets, s)
	}
	total := 0
	for range 3 {
		for _, s := range sets {
			q := s.Quota("q", a)
			for range 200 {
				take(t, q, c.clock)
				total++
			}
		}
		c.server.Kill()
		c.server.Start()
	}
	total += sum(spendUp(sets, c.clock, a, 3000-total))
	if total != 3000 {
		t.Errorf("admitted %d across three restarts of an empty server, want 3000", total)
	}
}

// A server that comes back with what it saved long ago is corrected too.
func TestRolledBackServerIsCorrected(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	a := counter.Allowance{Limit: 2000, Period: counter.Month}
	s, _ := c.run(t)
	q := s.Quota("q", a)
	for range 100 {
		take(t, q, c.clock)
	}
	c.command(t, "SAVE")
	for range 700 {
		take(t, q, c.clock)
	}
	c.server.Kill()
	c.server.Start()
	late, _ := c.run(t) // a node that knows nothing of the time before
	total := 800 + sum(spendUp([]*counter.Set{late, s}, c.clock, a, 2000-800))
	if total != 2000 {
		t.Errorf("admitted %d across a restart with old data, want 2000", total)
	}
}

// FLUSHALL empties a server without a restart.
func TestFlushedServerIsRefilled(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	a := counter.Allowance{Limit: 500, Period: counter.Month}
	s, _ := c.run(t)
	q := s.Quota("q", a)
	for range 300 {
		take(t, q, c.clock)
	}
	c.command(t, "FLUSHALL")
	total := 300 + sum(spendUp([]*counter.Set{s}, c.clock, a, 500-300))
	if total != 500 {
		t.Errorf("admitted %d across FLUSHALL, want 500", total)
	}
	b := s.Bucket("b", counter.Limit{Rate: 0.001, Burst: 100})
	n := 0
	for until := time.Now().Add(patience); n < 100 && time.Now().Before(until); {
		if b.Take(c.clock.Now()) {
			n++
		}
	}
	c.command(t, "FLUSHALL")
	for until := time.Now().Add(500 * time.Millisecond); time.Now().Before(until); {
		if b.Take(c.clock.Now()) {
			n++
		}
	}
	if n > 100 || n < 100 && !c.failed() {
		t.Errorf("a bucket of 100 admitted %d across FLUSHALL", n)
	}
}

// With the server away quotas are refused once leases are used up, rates run on local
// shares, and no request waits for anything.
func TestServerAway(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	var sets []*counter.Set
	for range 2 {
		s, _ := c.run(t)
		sets = append(sets, s)
	}
	a := counter.Allowance{Limit: 1 << 40, Period: counter.Month}
	l := counter.Limit{Rate: 100, Burst: 50}
	for _, s := range sets {
		take(t, s.Quota("q", a), c.clock)
	}
	gather(t, sets)
	overload(sets, c.clock, l, 2*time.Second, 0)
	c.server.Kill()
	held := int64(0) // in leases, to be spent besides
	for _, s := range sets {
		waitAway(t, s)
		held += s.Bucket("b", l).Tokens(c.clock.Now())
	}
	start := time.Now()
	got := sum(overload(sets, c.clock, l, 2*time.Second, 25))
	end := time.Now()
	// The local shares' rate, and what they gained while nobody asked.
	if most := 100*end.Sub(start).Seconds() + 55 + float64(held); float64(got) > most || got < 50 {
		t.Errorf("with the server away two nodes admitted %d, want some and at most %.0f", got, most)
	}
	for _, s := range sets {
		q := s.Quota("q", a)
		for q.Spend(c.clock.Now()) {
		}
		for range 1000 {
			if q.Spend(c.clock.Now()) {
				t.Fatal("a unit was spent that was not leased")
			}
		}
		fresh := s.Quota("fresh", a)
		if fresh.Spend(c.clock.Now()) {
			t.Error("a quota without a lease was spent while the server was away")
		}
	}
	// Back again, empty: no burst, and quotas go on.
	c.server.Start()
	c.watch()
	got = sum(overload(sets, c.clock, l, 3*time.Second, 50))
	alone := c.alone(l)
	// The shares went on to fill since they were last asked.
	if most := 1.02*100*time.Since(end).Seconds() + 10 + alone; float64(got) > most || got < 100 {
		t.Errorf("after the server came back empty two nodes admitted %d, want at most %.0f, %.0f of it alone, and not nothing", got, most, alone)
	}
	for _, s := range sets {
		take(t, s.Quota("q", a), c.clock)
	}
}

// A server that hangs holds up no request: decisions go on, bounded by patience.
func TestServerHangs(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	s, _ := c.run(t)
	l := counter.Limit{Rate: 1000, Burst: 100}
	overload([]*counter.Set{s}, c.clock, l, 200*time.Millisecond, 0)
	start := time.Now()
	c.server.Freeze()
	got := sum(overload([]*counter.Set{s}, c.clock, l, 2*time.Second, 500))
	end := time.Now()
	elapsed := end.Sub(start)
	c.server.Thaw()
	if most := 1000*elapsed.Seconds() + 250; float64(got) > most || got < 500 {
		t.Errorf("with the server hanging for %v, %d were admitted, want at most %.0f and most of them", elapsed, got, most)
	}
	got = sum(overload([]*counter.Set{s}, c.clock, l, time.Second, 0))
	if most := 1000*time.Since(end).Seconds() + 110; float64(got) > most {
		t.Errorf("after the server went on, %d were admitted in %v, want at most %.0f: no burst", got, time.Since(end), most)
	}
}

// The server's clock may be wrong, and may change: a bucket's time in the server's future
// does not close it, and one in its past does not fill it.
func TestServerWithAWrongClock(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	s, _ := c.run(t)
	l := counter.Limit{Rate: 200, Burst: 100}
	overload([]*counter.Set{s}, c.clock, l, time.Second, 0)
	for _, at := range []string{"1", "4102444800000000"} {
		start := time.Now() // the bucket has been filling since the last request
		c.watch()
		c.command(t, "HSET", "gatehouse:rate:b", "at", at)
		got := sum(overload([]*counter.Set{s}, c.clock, l, time.Second, 100))
		alone := c.alone(l)
		if most := 200*1.02*time.Since(start).Seconds() + 20 + alone; float64(got) > most || got < 100 {
			t.Errorf("bucket last seen at %s: admitted %d in %v, want at most %.0f, %.0f of it alone, and not nothing",
				at, got, time.Since(start), most, alone)
		}
	}
}

// One hot key must not keep others from their leases.
func TestHotKeyStarvesNobody(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	s, _ := c.run(t)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		hot := s.Bucket("hot", counter.Limit{Rate: 10, Burst: 10})
		for ctx.Err() == nil {
			hot.Take(c.clock.Now())
			runtime.Gosched()
		}
	})
	for i := range 50 {
		b := s.Bucket(fmt.Sprint("calm", i), counter.Limit{Rate: 10, Burst: 10})
		admitted := 0
		for range 5 {
			if b.Take(c.clock.Now()) {
				admitted++
			}
		}
		if admitted != 5 {
			t.Errorf("calm bucket %d admitted %d of 5", i, admitted)
		}
	}
	cancel()
	wg.Wait()
}
