package upstream_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"gatehouse/internal/http1/upstream"
	"gatehouse/internal/message"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

// exchange sends a GET and returns the body and the kind of the error.
func exchange(t *testing.T, c *upstream.Client, tg *upstream.Target) (string, upstream.Kind) {
	t.Helper()
	var resp upstream.Response
	err := c.Do(t.Context(), tg, get(), &resp)
	if err != nil {
		return "", upstream.KindOf(err)
	}
	defer resp.Close()
	body, err := resp.ReadAll(1 << 20)
	return string(body), upstream.KindOf(err)
}

// TestReuse checks which connections carry a second request.
func TestReuse(t *testing.T) {
	tests := []struct {
		name   string
		answer string
		then   func(c net.Conn) // what the backend does after its first answer
		pause  time.Duration
		conns  int32 // wanted after two requests
	}{
		{"kept", ok, nil, 0, 1},
		{"asked to close", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", nil, 0, 2},
		{"HTTP/1.0", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", nil, 0, 2},
		{"HTTP/1.0 kept", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok", nil, 0, 1},
		{"closed meanwhile", ok, func(c net.Conn) { c.Close() }, 20 * time.Millisecond, 2},
		{"half closed meanwhile", ok, func(c net.Conn) { c.(*net.TCPConn).CloseWrite() }, 20 * time.Millisecond, 2},
		{"reset meanwhile", ok, func(c net.Conn) { c.(*net.TCPConn).SetLinger(0); c.Close() }, 20 * time.Millisecond, 2},
		{"spoke meanwhile", ok, func(c net.Conn) { io.WriteString(c, "HTTP/1.1 408 Timeout\r\n\r\n") }, 20 * time.Millisecond, 2},
		{"told a short timeout", "HTTP/1.1 200 OK\r\nKeep-Alive: max=5, timeout=0\r\nContent-Length: 2\r\n\r\nok", nil, 0, 1},
		{"told a timeout of 1 s", "HTTP/1.1 200 OK\r\nKeep-Alive: timeout=1\r\nContent-Length: 2\r\n\r\nok", nil, 600 * time.Millisecond, 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var conns atomic.Int32
			var once sync.Once
			acted := make(chan struct{}) // the backend did what it does after its first answer
			url := scripted(t, func(c net.Conn) {
				first := conns.Add(1) == 1
				for readUntil(c, "\r\n\r\n") != "" {
					io.WriteString(c, tt.answer)
					if first && tt.then != nil {
						once.Do(func() { tt.then(c); close(acted) })
					}
				}
			})
			c, tg := newClient(t), target(t, url, nil)
			for range 2 {
				if body, kind := exchange(t, c, tg); body != "ok" {
					t.Fatalf("got %q, %v", body, kind)
				}
				if tt.then != nil {
					<-acted
				}
				time.Sleep(tt.pause)
			}
			if n := conns.Load(); n != tt.conns {
				t.Errorf("%d connections, want %d", n, tt.conns)
			}
		})
	}
}

// TestLimit checks that no more connections are made than allowed, that waiting
// requests get those that become free, and that waiting ends at the deadline.
func TestLimit(t *testing.T) {
	var open, most atomic.Int32
	block := make(chan struct{})
	url := scripted(t, func(c net.Conn) {
		n := open.Add(1)
		defer open.Add(-1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		for readUntil(c, "\r\n\r\n") != "" {
			<-block
			io.WriteString(c, ok)
		}
	})
	c, tg := newClient(t), target(t, url, nil)
	c.MaxConns = 2
	results := make(chan string, 10)
	for range 10 {
		go func() {
			body, kind := exchange(t, c, tg)
			results <- fmt.Sprint(body, kind)
		}()
	}
	for open.Load() < 2 {
		time.Sleep(time.Millisecond)
	}
	req := get()
	req.Deadline = time.Now().Add(10 * time.Millisecond)
	var resp upstream.Response
	if kind := upstream.KindOf(c.Do(t.Context(), tg, req, &resp)); kind != upstream.Overload {
		t.Errorf("with all connections in use: %v, want %v", kind, upstream.Overload)
	}
	close(block)
	for range 10 {
		if r := <-results; r != "okunknown" {
			t.Errorf("got %q", r)
		}
	}
	if n := most.Load(); n != 2 {
		t.Errorf("%d connections at once, want 2", n)
	}
}

// names is a resolver whose answer can be changed.
type names struct {
	mu    sync.Mutex
	addrs []netip.Addr
	calls int
}

func (n *names) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.calls++
	return n.addrs, nil
}

func (n *names) set(addrs ...string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.addrs = nil
	for _, a := range addrs {
		n.addrs = append(n.addrs, netip.MustParseAddr(a))
	}
}

// TestResolveAgain moves a host to another address and checks that Run retires the
// idle connection to the old one.
func TestResolveAgain(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, r.Context().Value(http.LocalAddrContextKey).(net.Addr).String())
	}))
	s.Listener.Close()
	ln, err := net.Listen("tcp", "0.0.0.0:0") // 127.0.0.1 and 127.0.0.2 alike
	if err != nil {
		t.Fatal(err)
	}
	s.Listener = ln
	s.Start()
	defer s.Close()
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	var n names
	n.set("127.0.0.1")
	c := newClient(t)
	c.Resolver, c.ResolveAgain = &n, 10*time.Millisecond
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { c.Run(ctx); close(done) }()
	defer func() { cancel(); <-done }()
	tg := target(t, "http://backend.test:"+port, nil)
	if body, kind := exchange(t, c, tg); body != "127.0.0.1:"+port {
		t.Fatalf("got %q, %v", body, kind)
	}
	n.set("127.0.0.2")
	deadline := time.Now().Add(10 * time.Second)
	for {
		body, kind := exchange(t, c, tg)
		if body == "127.0.0.2:"+port {
			break
		}
		if kind != 0 || time.Now().After(deadline) {
			t.Fatalf("got %q, %v; want the new address", body, kind)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// TestHappyEyeballs checks that an address that does not accept does not stand in the
// way of one that does, and that the policy is asked for each address.
func TestHappyEyeballs(t *testing.T) {
	url := scripted(t, func(c net.Conn) {
		for readUntil(c, "\r\n\r\n") != "" {
			io.WriteString(c, ok)
		}
	})
	_, port, _ := net.SplitHostPort(strings.TrimPrefix(url, "http://"))
	var n names
	n.set("127.0.0.3", "::1", "127.0.0.1", "192.0.2.1") // 127.0.0.3 and ::1 refuse
	var asked []string
	c := newClient(t)
	c.Resolver = &n
	c.Control = func(network string, addr netip.AddrPort) error {
		asked = append(asked, network+" "+addr.Addr().String())
		if addr.Addr() == netip.MustParseAddr("192.0.2.1") {
			return fmt.Errorf("no such network")
		}
		return nil
	}
	if body, kind := exchange(t, c, target(t, "http://backend.test:"+port, nil)); body != "ok" {
		t.Fatalf("got %q, %v", body, kind)
	}
	if len(asked) != 4 || !strings.HasPrefix(asked[0], "tcp ") {
		t.Errorf("the policy was asked for %q", asked)
	}
}

// TestEarlyAnswer checks that an answer which comes while a long body is being sent is
// returned, whether the backend reads on, stops reading, or closes.
func TestEarlyAnswer(t *testing.T) {
	const refusal = "HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno"
	for name, then := range map[string]func(c net.Conn){
		"reads on":   func(c net.Conn) { io.Copy(io.Discard, c) },
		"stalls":     func(c net.Conn) { <-t.Context().Done() },
		"half close": func(c net.Conn) { c.(*net.TCPConn).CloseWrite(); io.Copy(io.Discard, c) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := scripted(t, func(c net.Conn) {
				readUntil(c, "\r\n\r\n")
				io.WriteString(c, refusal)
				then(c)
			})
			for _, length := range []int64{64 << 20, -1} {
				req := get()
				req.Method, req.Body, req.Length = "POST", io.LimitReader(zeros{}, 64<<20), length
				var resp upstream.Response
				c := newClient(t)
				if err := c.Do(t.Context(), target(t, url, nil), req, &resp); err != nil {
					t.Fatal(err)
				}
				body, err := resp.ReadAll(100)
				resp.Close()
				if resp.Status != 413 || string(body) != "no" {
					t.Errorf("got %d %q, %v", resp.Status, body, err)
				}
			}
		})
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// TestBodyLimits checks what becomes of bodies that are too large, too slow or not read.
func TestBodyLimits(t *testing.T) {
	stalled := scripted(t, func(c net.Conn) {
		readUntil(c, "\r\n\r\n")
		io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab")
		io.Copy(io.Discard, c)
	})
	large := scripted(t, func(c net.Conn) {
		for readUntil(c, "\r\n\r\n") != "" {
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"+strings.Repeat("x", 100000))
		}
	})
	chunked := scripted(t, func(c net.Conn) {
		for readUntil(c, "\r\n\r\n") != "" {
			io.WriteString(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"+strings.Repeat("3e8\r\n"+strings.Repeat("x", 1000)+"\r\n", 100)+"0\r\nX-T: v\r\n\r\n")
		}
	})
	c := newClient(t)
	var resp upstream.Response
	for _, url := range []string{large, chunked} {
		tg := target(t, url, nil)
		for _, limit := range []int64{99999, 100000} {
			if err := c.Do(t.Context(), tg, get(), &resp); err != nil {
				t.Fatal(err)
			}
			body, err := resp.ReadAll(limit)
			if limit == 100000 && len(body) != 100000 || limit == 99999 && upstream.KindOf(err) != upstream.TooLarge {
				t.Errorf("with limit %d: %d bytes, %v", limit, len(body), err)
			}
			resp.Close()
		}
		if err := c.Do(t.Context(), tg, get(), &resp); err != nil {
			t.Fatal(err)
		}
		resp.Close() // unread
		if _, err := resp.Read(make([]byte, 1)); err == nil {
			t.Error("a closed response can be read")
		}
		if body, kind := exchange(t, c, tg); len(body) != 100000 {
			t.Errorf("after an unread one: %d bytes, %v", len(body), kind)
		}
	}
	req := get()
	req.Deadline = time.Now().Add(30 * time.Millisecond)
	if err := c.Do(t.Context(), target(t, stalled, nil), req, &resp); err != nil {
		t.Fatal(err)
	}
	defer resp.Close()
	if _, err := resp.ReadAll(100); upstream.KindOf(err) != upstream.Timeout {
		t.Errorf("a stalled body: %v", err)
	}
}

func TestInformational(t *testing.T) {
	url := scripted(t, func(c net.Conn) {
		readUntil(c, "\r\n\r\n")
		io.WriteString(c, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"+ok)
	})
	var got []string
	req := get()
	req.Informational = func(status int, h message.Header) { got = append(got, fmt.Sprint(status, h)) }
	var resp upstream.Response
	if err := newClient(t).Do(t.Context(), target(t, url, nil), req, &resp); err != nil {
		t.Fatal(err)
	}
	resp.Close()
	if fmt.Sprint(got) != "[100 [] 103 [{Link x}]]" || resp.Status != 200 {
		t.Errorf("got %v, then %d", got, resp.Status)
	}
}

// TestRequestBytes checks what is sent, byte for byte.
func TestRequestBytes(t *testing.T) {
	got := make(chan string, 1)
	url := scripted(t, func(c net.Conn) {
		head := readUntil(c, "\r\n\r\n")
		if strings.Contains(head, "chunked") {
			head += readUntil(c, "0\r\nX-T: v\r\n\r\n")
		}
		got <- head
		io.WriteString(c, ok)
	})
	tg := target(t, url, nil)
	h := message.Header{{Name: "x-B", Value: "1"}, {Name: "Connection", Value: "x"}, {Name: "Content-Length", Value: "9"}, {Name: "A", Value: ""},
		{Name: "host", Value: "evil"}, {Name: "TE", Value: "x"}, {Name: "Transfer-Encoding", Value: "x"}, {Name: "Expect", Value: "x"},
		{Name: "keep-alive", Value: "x"}, {Name: "Proxy-Connection", Value: "x"}, {Name: "X-b", Value: "2"}}
	tests := []struct {
		req  upstream.Request
		want string
	}{
		{upstream.Request{Method: "GET", Target: "/a b#c\"\xff%20?x={y}|z", Header: h},
			"GET /a%20b%23c%22%FF%20?x=%7By%7D%7Cz HTTP/1.1\r\nHost: " + tg.Host() + "\r\nx-B: 1\r\nA: \r\nX-b: 2\r\n\r\n"},
		{upstream.Request{Method: "PATCH", Target: "/", Host: "h:1"}, "PATCH / HTTP/1.1\r\nHost: h:1\r\nContent-Length: 0\r\n\r\n"},
		{upstream.Request{Method: "DELETE", Target: "/", Host: "h:1", Body: strings.NewReader("abc"), Length: -1,
			Trailer: func() message.Header { return message.Header{{Name: "X-T", Value: "v"}} }},
			"DELETE / HTTP/1.1\r\nHost: h:1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-T: v\r\n\r\n"},
	}
	c := newClient(t)
	var resp upstream.Response
	for _, tt := range tests {
		tt.req.Deadline = time.Now().Add(10 * time.Second)
		if err := c.Do(t.Context(), tg, &tt.req, &resp); err != nil {
			t.Fatal(err)
		}
		resp.Close()
		if sent := <-got; sent != tt.want {
			t.Errorf("sent %q\nwant %q", sent, tt.want)
		}
		c.CloseIdle()
	}
}

func TestNewTarget(t *testing.T) {
	tests := []struct{ scheme, authority, name, host string }{
		{"http", "Backend.Test", "http://backend.test:80", "Backend.Test"},
		{"HTTPS", "b:443", "https://b:443", "b"},
		{"https", "b:80", "https://b:80", "b:80"},
		{"http", "[::1]:8080", "http://[::1]:8080", "[::1]:8080"},
		{"http", "b.", "http://b:80", "b."},
		{"ftp", "b", "", ""}, {"http", "u@b", "", ""}, {"http", "b/x", "", ""}, {"http", "b:0", "", ""}, {"http", "b:65536", "", ""}, {"http", "", "", ""}, {"http", "[::g]", "", ""}, {"http", "[1.2]", "", ""},
	}
	for _, tt := range tests {
		tg, err := upstream.NewTarget(tt.scheme, tt.authority, nil)
		if tt.name == "" {
			if err == nil {
				t.Errorf("%s %s is accepted as %v", tt.scheme, tt.authority, tg)
			}
			continue
		}
		if err != nil || tg.String() != tt.name || tg.Host() != tt.host {
			t.Errorf("%s %s: %v, %v; want %s, %s", tt.scheme, tt.authority, tg, err, tt.name, tt.host)
		}
	}
}

// TestContention sends many requests at once over few connections that the backend
// closes now and then, and checks that each gets its own answer.
func TestContention(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "7") {
			w.Header().Set("Connection", "close")
		}
		io.Copy(w, r.Body)
		io.WriteString(w, r.URL.Path)
	}))
	defer s.Close()
	c, tg := newClient(t), target(t, s.URL, nil)
	c.MaxConns = 8
	var wg sync.WaitGroup
	for i := range 32 {
		wg.Go(func() {
			var resp upstream.Response
			for j := range 30 {
				req := get()
				req.Method, req.Target = "POST", fmt.Sprintf("/%d/%d", i, j)
				req.Content = []byte(req.Target)
				if err := c.Do(t.Context(), tg, req, &resp); err != nil {
					t.Error(err)
					return
				}
				if body, err := resp.ReadAll(1000); string(body) != req.Target+req.Target {
					t.Errorf("%s: got %q, %v", req.Target, body, err)
				}
				resp.Close()
			}
		})
	}
	wg.Wait()
}
