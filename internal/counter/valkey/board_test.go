package valkey_test

import (
	"log/slog"
	"net/netip"
	"testing"
	"time"

	"gatehouse/internal/counter/countertest"
	"gatehouse/internal/counter/valkey"
	"gatehouse/internal/lang/wafrules"
	"gatehouse/internal/lang/wafrules/ratecount"
)

func newBoard(t *testing.T, s *countertest.Server) *valkey.Board {
	t.Helper()
	server, err := valkey.New("redis://" + s.Addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	return server.Board()
}

func TestBoard(t *testing.T) {
	t.Parallel()
	server := countertest.StartServer(t)
	a, b := newBoard(t, server), newBoard(t, server)
	show := func(board *valkey.Board, node, text string, keep time.Duration) []ratecount.Shown {
		t.Helper()
		shown, err := board.Exchange(t.Context(), node, []ratecount.Sheet{{Name: "", Keep: keep}, {Name: "rule", Text: []byte(text), Keep: keep}})
		if err != nil || len(shown) != 2 {
			t.Fatalf("%v, %v", shown, err)
		}
		return shown[1]
	}
	if got := show(a, "a", "1\x00\xff\r\n", time.Minute); got != nil {
		t.Errorf("the first node reads %+v", got)
	}
	show(b, "b", "2", time.Minute)
	show(b, "b", "3", time.Minute) // in place of its earlier one
	got := show(a, "a", "1", time.Minute)
	if len(got) != 1 || got[0].Node != "b" || string(got[0].Text) != "3" || got[0].Age < 0 || got[0].Age > patience {
		t.Errorf("the other node's sheet: %+v", got)
	}
	if got := show(b, "b", "3", time.Minute); len(got) != 1 || string(got[0].Text) != "1" {
		t.Errorf("the first node's sheet: %+v", got)
	}
	// A sheet that is not replaced is dropped.
	for until := time.Now().Add(patience); len(show(b, "b", "3", 20*time.Millisecond)) > 0; {
		if time.Now().After(until) {
			t.Fatal("an old sheet is still there")
		}
	}
	// An emptied server is as good as before with the next exchange.
	server.Kill()
	if _, err := a.Exchange(t.Context(), "a", []ratecount.Sheet{{Name: "rule", Keep: time.Minute}}); err == nil {
		t.Error("an exchange with a server that is away succeeds")
	}
	server.Start()
	show(a, "a", "again", time.Minute)
	if got := show(b, "b", "3", time.Minute); len(got) != 1 || string(got[0].Text) != "again" {
		t.Errorf("after the server's restart: %+v", got)
	}
}

// TestRateBasedRulesOfSeveralNodes is the whole way: two nodes, one server.
func TestRateBasedRulesOfSeveralNodes(t *testing.T) {
	t.Parallel()
	server := countertest.StartServer(t)
	rule := wafrules.RateRule{ID: "acl/rule", Limit: 10, Window: time.Minute}
	var counters []wafrules.RateCounter
	for _, name := range []string{"a", "b"} {
		store := ratecount.NewStore()
		store.Share([]byte("secret"))
		counters = append(counters, store.Counter(rule))
		ended := make(chan error, 1)
		ctx := t.Context()
		go func() { ended <- store.RunShared(ctx, newBoard(t, server), name, slog.New(slog.DiscardHandler)) }()
		t.Cleanup(func() {
			if err := <-ended; err != nil {
				t.Error(err)
			}
		})
	}
	addr := netip.MustParseAddr("192.0.2.1")
	for range 10 {
		if counters[0].Add("k", addr, time.Now()) {
			t.Fatal("a request within the limit is limited")
		}
	}
	for until := time.Now().Add(patience); !counters[1].Add("k", addr, time.Now()); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(until) {
			t.Fatal("the other node does not count what this one did")
		}
	}
	if counters[1].Add("other", netip.MustParseAddr("192.0.2.2"), time.Now()) {
		t.Error("another address is limited")
	}
}
