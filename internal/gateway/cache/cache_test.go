package cache

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatehouse/internal/counter"
	"gatehouse/internal/message"
)

var (
	start  = counter.Instant{Mono: int64(time.Hour), Wall: 0}
	minute = Options{TTL: time.Minute}
)

func response(body string) *Response {
	return &Response{Status: 200, Header: message.Header{{Name: "Content-Type", Value: "text/plain"}, {Name: "X", Value: ""}}, Body: []byte(body), Traced: true}
}

// keep puts an answer under key, as a request does that finds none.
func keep(t testing.TB, c *Cache, key string, r *Response, o Options, now counter.Instant) {
	t.Helper()
	got, f := c.Look([]byte(key), now)
	if got != nil || !f.Leads() {
		t.Fatalf("%s: found %v, want a flight to lead", key, got)
	}
	f.Land(r, o, now)
}

// has reports whether key is there; it leaves no flight behind.
func has(c *Cache, key string, now counter.Instant) bool {
	r, f := c.Look([]byte(key), now)
	if f != nil {
		f.End()
	}
	return r != nil
}

func TestAnswersExpire(t *testing.T) {
	for _, sealed := range []bool{false, true} {
		s := New(1 << 20)
		c := s.Stage(Name{"r", "a", "s"}, Generation{Bytes: 1 << 20})
		keep(t, c, "k", response("body"), Options{TTL: time.Minute, Sealed: sealed}, start)
		r, _ := c.Look([]byte("k"), start.Add(time.Minute-1))
		if diff := cmp.Diff(response("body"), r); diff != "" {
			t.Errorf("sealed %v: %s", sealed, diff)
		}
		if has(c, "k", start.Add(time.Minute)) {
			t.Errorf("sealed %v: found after its time", sealed)
		}
		if s.Bytes() != 0 {
			t.Errorf("sealed %v: %d bytes are still counted", sealed, s.Bytes())
		}
	}
}

// An answer that is to be encrypted does not lie in memory as it is, and is bound to its key.
func TestSealedAnswers(t *testing.T) {
	s := New(1 << 20)
	sealed := s.seal(response("a secret of the backend"), "k")
	if bytes.Contains(sealed, []byte("secret")) || bytes.Contains(sealed, []byte("text/plain")) {
		t.Errorf("readable: %q", sealed)
	}
	if _, ok := s.open(sealed, []byte("another")); ok {
		t.Error("opened under another key")
	}
	if r, ok := s.open(sealed, []byte("k")); !ok || string(r.Body) != "a secret of the backend" {
		t.Errorf("opened: %+v, %v", r, ok)
	}
}

// The least recently used answers go first, and a cache never holds more than its size.
func TestBoundedByItsSize(t *testing.T) {
	s := New(1 << 30)
	const size = 1 << 20
	c := s.Stage(Name{"r", "a", "s"}, Generation{Bytes: size})
	body := strings.Repeat("x", 10_000)
	keep(t, c, "kept", response(body), minute, start)
	for n := range 1000 {
		now := start.Add(time.Duration(n) * time.Millisecond)
		keep(t, c, fmt.Sprint("k", n), response(body), minute, now)
		if got := s.Bytes(); got > size {
			t.Fatalf("%d bytes are kept, want at most %d", got, size)
		}
		if r, _ := c.Look([]byte("kept"), now); r == nil {
			t.Fatalf("what is used all the time was forgotten after %d others", n)
		}
	}
	if has(c, "k0", start) || !has(c, "k999", start) {
		t.Error("the oldest is there, or the newest is not")
	}
	keep(t, c, "big", &Response{Body: make([]byte, MaxBody+1)}, minute, start)
	if has(c, "big", start) {
		t.Error("a body above the limit is kept")
	}
}

// All stages share what the node has: the largest cache gives way.
func TestBoundedByTheNode(t *testing.T) {
	s := New(1 << 20)
	big := s.Stage(Name{"r", "a", "big"}, Generation{Bytes: 1 << 30})
	small := s.Stage(Name{"r", "a", "small"}, Generation{Bytes: 1 << 30})
	body := strings.Repeat("x", 10_000)
	keep(t, small, "k", response(body), minute, start)
	for n := range 500 {
		keep(t, big, fmt.Sprint(n), response(body), minute, start)
		if got := s.Bytes(); got > 1<<20 {
			t.Fatalf("%d bytes are kept, want at most %d", got, 1<<20)
		}
	}
	if !has(small, "k", start) {
		t.Error("the small cache was emptied for the large one")
	}
}

// What nobody asks for any more is forgotten while others are kept, without need for room.
func TestExpiredAnswersAreSwept(t *testing.T) {
	s := New(1 << 30)
	c := s.Stage(Name{"r", "a", "s"}, Generation{Bytes: 1 << 30})
	for n := range 1000 {
		keep(t, c, fmt.Sprint("old", n), response("body"), minute, start)
	}
	full, later := s.Bytes(), start.Add(2*time.Minute)
	for n := range 1000 {
		keep(t, c, fmt.Sprint("new", n), response("body"), minute, later)
	}
	if got := s.Bytes(); got > full+full/10 {
		t.Errorf("%d bytes are kept, %d before the first thousand expired", got, full)
	}
}

// A flush, another size or another stage of the same name is another cache, and what a
// request of the old one brings later is not kept.
func TestGenerations(t *testing.T) {
	s := New(1 << 20)
	n, g := Name{"r", "a", "s"}, Generation{Bytes: 1 << 20, Created: time.Unix(1, 0)}
	c := s.Stage(n, g)
	keep(t, c, "k", response("old"), minute, start)
	if s.Stage(n, g) != c {
		t.Fatal("the same generation has another cache")
	}
	_, late := c.Look([]byte("late"), start)
	for name, change := range map[string]func(*Generation){
		"flush":  func(g *Generation) { g.Flushes++ },
		"resize": func(g *Generation) { g.Bytes *= 2 },
		"anew":   func(g *Generation) { g.Created = time.Unix(2, 0) },
	} {
		next := g
		change(&next)
		if has(s.Stage(n, next), "k", start) {
			t.Errorf("%s: what was kept before is found", name)
		}
	}
	late.Land(response("late"), minute, start)
	if has(c, "late", start) || s.Bytes() != 0 {
		t.Errorf("a closed cache keeps an answer: %d bytes", s.Bytes())
	}
	s.Drop(n)
	if s.Stage(n, g) == c {
		t.Error("a dropped cache came back")
	}
}

// Of many requests for one answer, one makes it and all get it.
func TestOneFlight(t *testing.T) {
	s := New(1 << 20)
	c := s.Stage(Name{"r", "a", "s"}, Generation{Bytes: 1 << 20})
	_, leader := c.Look([]byte("k"), start)
	var wg sync.WaitGroup
	waiting := make(chan struct{}, 50)
	for range cap(waiting) {
		wg.Go(func() {
			r, f := c.Look([]byte("k"), start)
			if r == nil && f.Leads() {
				t.Error("a second leader")
			}
			waiting <- struct{}{}
			if r := f.Wait(t.Context(), time.Minute, nil); r == nil || string(r.Body) != "once" {
				t.Errorf("a waiting request got %+v", r)
			}
		})
	}
	for range cap(waiting) {
		<-waiting
	}
	leader.Land(response("once"), minute, start)
	wg.Wait()
}

// A leader that fails lets the others go at once, each to its own attempt; one that waits
// gives up with its client or its context.
func TestFlightWithoutAnswer(t *testing.T) {
	s := New(1 << 20)
	c := s.Stage(Name{"r", "a", "s"}, Generation{Bytes: 1 << 20})
	_, leader := c.Look([]byte("k"), start)
	_, follower := c.Look([]byte("k"), start)
	if r := follower.Wait(t.Context(), time.Minute, func() bool { return true }); r != nil {
		t.Error("an answer for a client that is gone")
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if r := follower.Wait(ended, time.Minute, nil); r != nil {
		t.Error("an answer after the context ended")
	}
	if r := follower.Wait(t.Context(), time.Millisecond, nil); r != nil {
		t.Error("an answer before there is one")
	}
	leader.End()
	leader.End()
	if r := follower.Wait(t.Context(), time.Minute, nil); r != nil {
		t.Error("an answer of a leader that failed")
	}
	if _, f := c.Look([]byte("k"), start); !f.Leads() {
		t.Error("the failed flight is still there")
	}
}

// A renewed answer is not overwritten by one that was on its way before.
func TestRenewalOvertakes(t *testing.T) {
	s := New(1 << 20)
	c := s.Stage(Name{"r", "a", "s"}, Generation{Bytes: 1 << 20})
	_, slow := c.Look([]byte("k"), start)
	_, waiting := c.Look([]byte("k"), start)
	fresh := c.Renew([]byte("k"))
	_, later := c.Look([]byte("k"), start)
	fresh.Land(response("new"), minute, start)
	slow.Land(response("old"), minute, start)
	if r, _ := c.Look([]byte("k"), start); r == nil || string(r.Body) != "new" {
		t.Errorf("kept: %+v", r)
	}
	if r := later.Wait(t.Context(), time.Minute, nil); string(r.Body) != "new" {
		t.Errorf("who came after the renewal got %q", r.Body)
	}
	if r := waiting.Wait(t.Context(), time.Minute, nil); string(r.Body) != "old" {
		t.Errorf("who came before it got %q", r.Body)
	}
	c.Renew([]byte("k")).End()
	if has(c, "k", start) {
		t.Error("a renewal that failed leaves the old answer")
	}
}

// Written and read again, an answer is the same; anything else is refused or reads as some
// answer, without panic.
func FuzzParse(f *testing.F) {
	f.Add(response("body").append(nil))
	f.Add([]byte{200, 1, 0, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		r, ok := parse(bytes.Clone(b))
		if !ok {
			return
		}
		again, ok := parse(r.append(nil))
		if diff := cmp.Diff(r, again); !ok || diff != "" {
			t.Errorf("%v %s", ok, diff)
		}
	})
}

func BenchmarkHit(b *testing.B) {
	for _, sealed := range []bool{false, true} {
		b.Run(fmt.Sprintf("sealed=%v", sealed), func(b *testing.B) {
			s := New(1 << 30)
			c := s.Stage(Name{"r", "a", "s"}, Generation{Bytes: 1 << 30})
			for n := range 10_000 {
				keep(b, c, fmt.Sprint("key", n), response(strings.Repeat("x", 1024)), Options{TTL: time.Minute, Sealed: sealed}, start)
			}
			key := []byte("key77")
			b.ReportAllocs()
			for b.Loop() {
				if r, _ := c.Look(key, start); r == nil {
					b.Fatal("a miss")
				}
			}
		})
	}
}
