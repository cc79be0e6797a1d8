package upstream_test

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"gatehouse/internal/http1/upstream"
)

// TestRetire: connections of a retired identity are closed, in use or not, and later exchanges
// of old targets get connections of their own; others are left alone.
func TestRetire(t *testing.T) {
	var conns atomic.Int32
	entered, leave := make(chan struct{}), make(chan struct{})
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/wait" {
			close(entered)
			<-leave
		}
		fmt.Fprint(w, "ok")
	}))
	s.Config.ConnState = func(_ net.Conn, st http.ConnState) {
		if st == http.StateNew {
			conns.Add(1)
		}
	}
	s.StartTLS()
	t.Cleanup(s.Close)
	cfg := &tls.Config{RootCAs: s.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs, ServerName: "example.com"}
	c := newClient(t)
	of := func(identity string) *upstream.Target {
		return target(t, s.URL, &upstream.TLS{Config: cfg, Identity: identity})
	}
	old, other := of("client=old;"), of("client=other;")
	ask := func(tg *upstream.Target, want int32) {
		t.Helper()
		if body, kind := exchange(t, c, tg); body != "ok" || conns.Load() != want {
			t.Errorf("got %q, %v over %d connections, want ok over %d", body, kind, conns.Load(), want)
		}
	}
	ask(old, 1)
	ask(other, 2)
	ask(old, 2)
	done := make(chan error)
	go func() {
		var resp upstream.Response
		req := get()
		req.Target = "/wait"
		err := c.Do(t.Context(), old, req, &resp)
		if err == nil {
			_, err = resp.ReadAll(10)
			resp.Close()
		}
		done <- err
	}()
	<-entered
	c.Retire(func(identity string) bool { return strings.HasPrefix(identity, "client=old;") })
	close(leave)
	if err := <-done; err != nil {
		t.Errorf("an exchange under way was broken: %v", err)
	}
	ask(old, 3) // by the target that remembers the retired pool
	ask(old, 4)
	ask(other, 4)
}

// TestVia: the connection goes elsewhere, name and Host stay.
func TestVia(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.TLS.ServerName, " ", r.Host)
	}))
	s.StartTLS()
	t.Cleanup(s.Close)
	cfg := &tls.Config{RootCAs: s.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs}
	c := newClient(t)
	for _, authority := range []string{"example.com", "example.com:444", "www.example.com"} {
		tg, err := target(t, "https://"+authority, &upstream.TLS{Config: cfg}).Via(strings.TrimPrefix(s.URL, "https://"))
		if err != nil {
			t.Fatal(err)
		}
		name, _, _ := strings.Cut(authority, ":")
		if body, kind := exchange(t, c, tg); body != name+" "+authority {
			t.Errorf("%s: got %q, %v; want %q", authority, body, kind, name+" "+authority)
		}
	}
	if _, err := target(t, "http://example.com", nil).Via("10.0.0.7:x"); err == nil {
		t.Error("a bad address was taken")
	}
}
