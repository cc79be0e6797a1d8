package ratecount

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatehouse/internal/lang/wafrules"
)

var start = time.Unix(1_700_000_000, 0)

func address(n uint32) netip.Addr {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], n)
	return netip.AddrFrom4(b)
}

func add(c wafrules.RateCounter, a netip.Addr, at time.Time) bool {
	return c.Add(a.String(), a, at)
}

func TestLimitIsPassedByTheNextRequest(t *testing.T) {
	c := NewStore().Counter(wafrules.RateRule{ID: "r", Limit: 10, Window: time.Minute})
	for i := range 10 {
		if add(c, address(1), start) {
			t.Fatalf("request %d of 10 is limited", i+1)
		}
	}
	if !add(c, address(1), start) {
		t.Error("request 11 is not limited")
	}
	if add(c, address(2), start) {
		t.Error("another address is limited")
	}
}

// TestAgainstNaiveWindow compares with a list of times, within the precision of a step.
func TestAgainstNaiveWindow(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for _, window := range []time.Duration{60, 120, 300, 600} {
		window *= time.Second
		c := NewStore().Counter(wafrules.RateRule{ID: "r", Limit: 20, Window: window})
		step := window / slots
		var times []time.Time
		now := start
		for range 2000 {
			now = now.Add(time.Duration(r.Int64N(int64(window / 10))))
			times = append(times, now)
			within := func(span time.Duration) (n int64) {
				for _, at := range times {
					if now.Sub(at) < span {
						n++
					}
				}
				return n
			}
			got := c.Add("k", netip.Addr{}, now)
			if got && within(window) <= 20 || !got && within(window-step) > 20 {
				t.Fatalf("window %v: limited %v with %d requests in it and %d in all but its last step",
					window, got, within(window), within(window-step))
			}
		}
	}
}

func TestSprayingForgetsNobodyWhoSendsMuch(t *testing.T) {
	store := NewStore()
	c := store.Counter(wafrules.RateRule{ID: "r", Limit: 100, Window: 5 * time.Minute}).(*counter)
	heavy := address(0xffffffff)
	for i := range uint32(300_000) {
		add(c, address(i), start)
		if i%1000 == 0 {
			add(c, heavy, start)
		}
	}
	if !add(c, heavy, start) {
		t.Error("the heavy sender was forgotten")
	}
	if n := len(c.sets) * ways; n > maxKeys {
		t.Errorf("room for %d keys, want at most %d", n, maxKeys)
	}
	if diff := cmp.Diff([]netip.Addr{heavy}, store.Limited("r", start), cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		t.Error(diff)
	}
}

func TestGrowingKeepsCounts(t *testing.T) {
	c := NewStore().Counter(wafrules.RateRule{ID: "r", Limit: 3, Window: time.Minute})
	const n = 5000
	for round := range 4 {
		for i := range uint32(n) {
			if got := add(c, address(i), start); got != (round == 3) {
				t.Fatalf("round %d, address %d: limited %v", round, i, got)
			}
		}
	}
}

func TestSweep(t *testing.T) {
	s := NewStore()
	rule := wafrules.RateRule{ID: "r", Limit: 1, Window: time.Minute}
	add(s.Counter(rule), address(1), start)
	add(s.Counter(rule), address(1), start)
	s.Sweep(start.Add(59 * time.Second))
	if got := s.Limited("r", start.Add(30*time.Second)); len(got) != 1 {
		t.Errorf("limited after half a window: %v, want one address", got)
	}
	s.Sweep(start.Add(2 * time.Minute))
	if len(s.counters) != 0 {
		t.Error("an idle counter survived")
	}
}

// TestSweptCounterComesBack holds that a web ACL's counter is known again when it is used
// after a sweep: a web ACL keeps the one that it was compiled with.
func TestSweptCounterComesBack(t *testing.T) {
	s := NewStore()
	c := s.Counter(wafrules.RateRule{ID: "r", Limit: 1, Window: time.Minute})
	add(c, address(1), start)
	later := start.Add(time.Hour)
	s.Sweep(later)
	add(c, address(1), later)
	add(c, address(1), later)
	if got := s.Limited("r", later); len(got) != 1 {
		t.Errorf("limited: %v, want one address", got)
	}
	if s.Counter(wafrules.RateRule{ID: "r", Limit: 1, Window: time.Minute}) != c {
		t.Error("a plan compiled later gets another counter")
	}
}

func TestConcurrentUse(t *testing.T) {
	s := NewStore()
	var wg sync.WaitGroup
	var mu sync.Mutex
	limited := 0
	for range 8 {
		wg.Go(func() {
			c := s.Counter(wafrules.RateRule{ID: "r", Limit: 1000, Window: time.Minute})
			for i := range 500 {
				c.Add(strconv.Itoa(i%10), netip.Addr{}, start)
				if c.Add("all", netip.Addr{}, start) {
					mu.Lock()
					limited++
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	if limited != 3000 {
		t.Errorf("%d of 4000 requests limited, want 3000", limited)
	}
}

func BenchmarkAdd(b *testing.B) {
	c := NewStore().Counter(wafrules.RateRule{ID: "r", Limit: 1000, Window: 5 * time.Minute})
	key := "0123456789abcdef"
	b.ReportAllocs()
	for b.Loop() {
		c.Add(key, netip.Addr{}, start)
	}
}

// TestSprayingDoesNotStarveNewSenders holds that who begins to send while addresses are sprayed
// is soon counted: among keys that are equally weak, it is not always the latest that goes.
func TestSprayingDoesNotStarveNewSenders(t *testing.T) {
	const senders, limit = 40, 5
	c := NewStore().Counter(wafrules.RateRule{ID: "r", Limit: limit, Window: time.Minute})
	now := time.Unix(1_700_000_000, 0)
	sprayed := 0
	spray := func(n int) {
		for range n {
			sprayed++
			c.Add("spray"+strconv.Itoa(sprayed), netip.Addr{}, now)
		}
	}
	spray(maxKeys)
	limited := 0
	for range limit + 15 {
		limited = 0
		for i := range senders {
			if c.Add("sender"+strconv.Itoa(i), netip.Addr{}, now) {
				limited++
			}
		}
		spray(ways * maxSets) // eight new keys for each place where a sender may be
	}
	if limited < senders*3/4 {
		t.Errorf("%d of %d senders are limited", limited, senders)
	}
}
