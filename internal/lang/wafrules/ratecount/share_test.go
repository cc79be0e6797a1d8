package ratecount

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse/internal/lang/wafrules"
)

// A wall is a Board in memory.
type wall struct {
	mu     sync.Mutex
	now    time.Time
	away   bool
	sheets map[string]map[string]pinned // by name and node
}

type pinned struct {
	Sheet
	at time.Time
}

func (w *wall) Exchange(_ context.Context, node string, sheets []Sheet) ([][]Shown, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.away {
		return nil, errors.New("away")
	}
	shown := make([][]Shown, len(sheets))
	for i, s := range sheets {
		if w.sheets == nil {
			w.sheets = map[string]map[string]pinned{}
		}
		if w.sheets[s.Name] == nil {
			w.sheets[s.Name] = map[string]pinned{}
		}
		w.sheets[s.Name][node] = pinned{s, w.now}
		for other, p := range w.sheets[s.Name] {
			if age := w.now.Sub(p.at); other != node && age <= p.Keep {
				shown[i] = append(shown[i], Shown{other, p.Text, age})
			}
		}
	}
	return shown, nil
}

// team are nodes that count together for one rule.
type team struct {
	t        *testing.T
	wall     *wall
	stores   []*Store
	counters []wafrules.RateCounter
	nodes    []*exchanger
}

func newTeam(t *testing.T, size int, rule wafrules.RateRule) *team {
	m := &team{t: t, wall: &wall{now: start}}
	for i := range size {
		s := NewStore()
		s.Share([]byte("secret"))
		m.stores = append(m.stores, s)
		m.counters = append(m.counters, s.Counter(rule))
		m.nodes = append(m.nodes, &exchanger{store: s, board: m.wall, node: fmt.Sprint("node ", i), nodes: 1})
	}
	return m
}

// exchange lets every node show and read, and then read again what the last ones showed.
func (m *team) exchange() {
	m.t.Helper()
	for range 2 {
		for _, n := range m.nodes {
			if err := n.exchange(m.t.Context(), m.wall.now); (err != nil) != m.wall.away {
				m.t.Fatal(err)
			}
		}
	}
}

var perMinute = wafrules.RateRule{ID: "r", Limit: 90, Window: time.Minute}

func TestNodesCountTogether(t *testing.T) {
	m := newTeam(t, 3, perMinute)
	for i := range 30 {
		for n, c := range m.counters {
			if add(c, address(1), start) {
				t.Fatalf("request %d of 30 to node %d is limited", i+1, n)
			}
		}
	}
	m.exchange()
	for n, c := range m.counters {
		if !add(c, address(1), start) {
			t.Errorf("request 91 is not limited by node %d", n)
		}
		if add(c, address(2), start) {
			t.Errorf("another address is limited by node %d", n)
		}
	}
	// Who was never seen by a node is limited by what others saw.
	for range 91 {
		add(m.counters[0], address(3), start)
	}
	m.exchange()
	if !add(m.counters[2], address(3), start) {
		t.Error("an address that is over the limit at another node is not limited by its first request here")
	}
	if got := m.stores[1].Limited("r", start); !slices.Contains(got, address(3)) || !slices.Contains(got, address(1)) || slices.Contains(got, address(2)) {
		t.Errorf("limited, as a node tells that one of them did not come to: %v", got)
	}
	// Everything is forgotten with the window.
	m.wall.now = start.Add(2 * time.Minute)
	m.exchange()
	for n, c := range m.counters {
		if add(c, address(1), m.wall.now) || add(c, address(3), m.wall.now) {
			t.Errorf("node %d limits after the window", n)
		}
	}
}

// TestIdleNodesReadToo holds that who was limited elsewhere does not begin anew at a node
// that was idle, even one whose counter was swept.
func TestIdleNodesReadToo(t *testing.T) {
	m := newTeam(t, 2, perMinute)
	later := start.Add(time.Hour)
	m.stores[1].Sweep(later)
	m.wall.now = later
	for range 91 {
		add(m.counters[0], address(1), later)
	}
	m.exchange() // shows what is counted
	m.exchange() // and this one reads what the idle node did not know of
	if !add(m.counters[1], address(1), later) {
		t.Error("the first request to an idle node is not limited")
	}
	if got := m.stores[1].Limited("r", later); len(got) != 1 {
		t.Errorf("limited: %v", got)
	}
}

func TestCountsOfANodeThatWentFade(t *testing.T) {
	m := newTeam(t, 2, perMinute)
	for range 80 {
		add(m.counters[0], address(1), start)
	}
	m.exchange()
	m.nodes = m.nodes[1:] // the first one crashed
	counted := func(after time.Duration) int64 {
		m.wall.now = start.Add(after)
		add(m.counters[1], address(1), m.wall.now) // its counter is in use
		m.exchange()
		c := m.counters[1].(*counter)
		return c.of(c.sharing.identify(address(1).String()))
	}
	if got := counted(time.Second); got != 80 {
		t.Errorf("a second later: %d of 80", got)
	}
	if got := counted(33 * time.Second); got != 40 {
		t.Errorf("half a window later: %d, want 40", got)
	}
	if got := counted(61 * time.Second); got != 0 {
		t.Errorf("a window later: %d, want 0", got)
	}
}

// TestWithoutTheBoardNodesTakeTheirShare holds that losing the shared server opens no door:
// after a window of silence a node allows its part of the limit.
func TestWithoutTheBoardNodesTakeTheirShare(t *testing.T) {
	m := newTeam(t, 3, perMinute)
	add(m.counters[0], address(9), start)
	m.exchange()
	m.wall.away = true
	for s := range 3 { // silence, with the counter in use
		m.wall.now = start.Add(time.Duration(s+1) * 30 * time.Second)
		add(m.counters[0], address(9), m.wall.now)
		m.exchange()
	}
	allowed := 0
	for !add(m.counters[0], address(1), m.wall.now) {
		allowed++
	}
	if allowed != 30 {
		t.Errorf("alone, a node of three allows %d of 90, want 30", allowed)
	}
	m.wall.away = false
	m.exchange()
	for !add(m.counters[0], address(2), m.wall.now) {
		allowed++
	}
	if allowed != 30+90 {
		t.Errorf("with the board again: %d allowed, want 90", allowed-30)
	}
}

// TestSprayingIsBoundedOnTheBoard holds that a flood of addresses neither fills the board
// nor hides who sends much to several nodes.
func TestSprayingIsBoundedOnTheBoard(t *testing.T) {
	m := newTeam(t, 2, wafrules.RateRule{ID: "r", Limit: 100, Window: time.Minute})
	for i := range uint32(100_000) {
		add(m.counters[0], address(1000+i), start)
		if i%2000 == 0 {
			add(m.counters[0], address(1), start)
			add(m.counters[1], address(1), start)
		}
	}
	m.exchange()
	for _, p := range m.wall.sheets["r"] {
		if len(p.Text) > sheetKeys*itemSize {
			t.Errorf("a sheet of %d bytes, want at most %d", len(p.Text), sheetKeys*itemSize)
		}
	}
	limited := false
	for range 2 {
		limited = add(m.counters[1], address(1), start)
	}
	if !limited {
		t.Error("50 requests to each of two nodes, and two more, are within a limit of 100")
	}
}

func TestSharedNamesNeedTheSecret(t *testing.T) {
	a, same, b := sharing{[]byte("a")}, sharing{[]byte("a")}, sharing{[]byte("b")}
	if a.identify("key") == b.identify("key") || a.identify("key") == a.identify("kez") || a.identify("key") != same.identify("key") {
		t.Error("names depend on something else than key and secret")
	}
}

func TestRunSharedEndsWithItsContext(t *testing.T) {
	m := newTeam(t, 1, perMinute)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := m.stores[0].RunShared(ctx, m.wall, "n", nil); err != nil {
		t.Error(err)
	}
}

// FuzzAddSheet holds that a sheet adds what it says, for whole items and at most so many.
func FuzzAddSheet(f *testing.F) {
	f.Add(binary.LittleEndian.AppendUint64(nil, 7))
	f.Add([]byte(strings.Repeat("x", 3*itemSize+5)))
	f.Fuzz(func(t *testing.T, text []byte) {
		counts := map[uint64]foreign{}
		addSheet(counts, text, 1000)
		var sum, want int64
		for _, c := range counts {
			sum += c.count
		}
		for i := range min(len(text)/itemSize, sheetKeys) {
			want += int64(binary.LittleEndian.Uint32(text[i*itemSize+8:]))
		}
		if sum != want || len(counts) > sheetKeys || sum > sheetKeys*math.MaxUint32 {
			t.Errorf("%d keys with %d in all, want %d", len(counts), sum, want)
		}
	})
}
