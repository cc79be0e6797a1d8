package valkey_test

import (
	"context"
	"testing"

	"gatehouse/internal/counter"
	"gatehouse/internal/counter/countertest"
	"gatehouse/internal/counter/valkey"
)

// What nodes gave out ahead of their leases is taken from the bucket down to one burst and
// a second's refill below nothing, and paid back before anybody gets a token.
func TestDebtsAreNotForgiven(t *testing.T) {
	server, err := valkey.New("redis://" + countertest.StartServer(t).Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	limit := counter.Limit{Rate: 50, Burst: 100}
	ask := func(debt, want int64) counter.RateGrant {
		t.Helper()
		// Since is 0: by the node's own clock no time passes, so nothing is refilled.
		ans, err := server.Exchange(context.Background(), counter.Batch{Node: "n", Rates: []counter.RateAsk{
			{Key: "b", Limit: limit, Debt: debt, Want: want, Demand: 1, Since: 0, Known: 100},
		}})
		if err != nil {
			t.Fatal(err)
		}
		return ans.Rates[0]
	}
	if g := ask(0, 0); g.Left != 0 {
		t.Fatalf("a bucket that the server lost, asked again at once, holds %v tokens, want none", g.Left)
	}
	for _, c := range []struct {
		debt int64
		left float64
	}{{30, -30}, {100, -130}, {19, -149}, {500, -150}} {
		if g := ask(c.debt, 10); g.Left != c.left || g.Tokens != 0 {
			t.Errorf("owing %d more: %v tokens left and %d granted, want %v and none", c.debt, g.Left, g.Tokens, c.left)
		}
	}
}
