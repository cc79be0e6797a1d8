package upstream

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"gatehouse/internal/http1/netio"
)

// Pools of targets that nobody asks any more are forgotten; a target that was kept asks on.
func TestPoolsAreForgotten(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.Write([]byte("ok")) }))
	t.Cleanup(s.Close)
	c := new(Client)
	t.Cleanup(c.CloseIdle)
	tg, err := NewTarget("http", s.Listener.Addr().String(), nil)
	if err != nil {
		t.Fatal(err)
	}
	ask := func() {
		t.Helper()
		var resp Response
		if err := c.Do(t.Context(), tg, &Request{Method: "GET", Target: "/", Deadline: time.Now().Add(10 * time.Second)}, &resp); err != nil {
			t.Fatal(err)
		}
		if body, err := resp.ReadAll(10); string(body) != "ok" {
			t.Fatalf("%q, %v", body, err)
		}
		resp.Close()
	}
	sweeps := func(after time.Duration, pools int, what string) {
		t.Helper()
		c.sweep(t.Context(), netio.Now().Add(after))
		if got := len(c.allPools()); got != pools {
			t.Errorf("%s: %d pools, want %d", what, got, pools)
		}
	}
	ask()
	sweeps(0, 1, "with a connection")
	c.CloseIdle()
	sweeps(0, 1, "just emptied")
	sweeps(keepEmpty/2, 1, "empty for a while")
	ask()
	sweeps(2*keepEmpty, 1, "used again: the connection, too old, is closed")
	sweeps(2*keepEmpty, 1, "the time begins anew")
	sweeps(4*keepEmpty, 0, "empty for long")
	ask()
	sweeps(0, 1, "the same target asks again")
}
