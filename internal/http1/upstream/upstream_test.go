package upstream_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatehouse/internal/http1/upstream"
	"gatehouse/internal/message"
)

// target returns a target for the URL of a test server.
func target(t testing.TB, url string, identity *upstream.TLS) *upstream.Target {
	t.Helper()
	scheme, authority, _ := strings.Cut(url, "://")
	tg, err := upstream.NewTarget(scheme, authority, identity)
	if err != nil {
		t.Fatal(err)
	}
	return tg
}

// newClient returns a client whose idle connections are closed at the end of the test.
func newClient(t testing.TB) *upstream.Client {
	c := new(upstream.Client)
	t.Cleanup(c.CloseIdle)
	return c
}

// scripted serves every connection with f, and returns the URL.
func scripted(t testing.TB, f func(c net.Conn)) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				f(c)
			}()
		}
	}()
	return "http://" + ln.Addr().String()
}

// readUntil reads from c until the end of what was read is tail.
func readUntil(c net.Conn, tail string) string {
	var got []byte
	b := make([]byte, 1)
	for !bytes.HasSuffix(got, []byte(tail)) {
		if _, err := c.Read(b); err != nil {
			break
		}
		got = append(got, b[0])
	}
	return string(got)
}

func get() *upstream.Request {
	return &upstream.Request{Method: "GET", Target: "/", Deadline: time.Now().Add(10 * time.Second)}
}

func TestRoundTrip(t *testing.T) {
	var conns atomic.Int32
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("X-Method", r.Method)
		w.Header().Set("X-Length", strconv.FormatInt(r.ContentLength, 10))
		w.Header().Set("X-Host", r.Host)
		w.Header().Set("X-URI", r.RequestURI)
		w.Header().Set("X-Sum", r.Trailer.Get("X-Sum"))
		w.Write(body)
	}))
	s.Config.ConnState = func(_ net.Conn, st http.ConnState) {
		if st == http.StateNew {
			conns.Add(1)
		}
	}
	s.Start()
	defer s.Close()
	c, tg := newClient(t), target(t, s.URL, nil)
	big := strings.Repeat("0123456789abcdef", 1<<16)
	tests := []struct {
		name   string
		req    upstream.Request
		body   string
		length string
	}{
		{"GET", upstream.Request{Method: "GET", Target: "/a?b=c"}, "", "0"},
		{"POST nothing", upstream.Request{Method: "POST", Target: "/a?b=c"}, "", "0"},
		{"content", upstream.Request{Method: "POST", Target: "/a?b=c", Content: []byte("abc")}, "abc", "3"},
		{"big content", upstream.Request{Method: "POST", Target: "/a?b=c", Content: []byte(big)}, big, "1048576"},
		{"body", upstream.Request{Method: "PUT", Target: "/a?b=c", Body: strings.NewReader("abcdef"), Length: 3}, "abc", "3"},
		{"big body", upstream.Request{Method: "PUT", Target: "/a?b=c", Body: strings.NewReader(big), Length: 1 << 20}, big, "1048576"},
		{"chunked", upstream.Request{Method: "PUT", Target: "/a?b=c", Body: strings.NewReader("abc"), Length: -1}, "abc", "-1"},
		{"big chunked", upstream.Request{Method: "PUT", Target: "/a?b=c", Body: strings.NewReader(big), Length: -1}, big, "-1"},
	}
	var resp upstream.Response
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.req.Deadline = time.Now().Add(10 * time.Second)
			if err := c.Do(t.Context(), tg, &tt.req, &resp); err != nil {
				t.Fatal(err)
			}
			defer resp.Close()
			body, err := resp.ReadAll(2 << 20)
			if err != nil {
				t.Fatal(err)
			}
			if string(body) != tt.body {
				t.Errorf("body of %d bytes, want %d", len(body), len(tt.body))
			}
			got := []string{resp.Header.Get("X-Method"), resp.Header.Get("X-Length"), resp.Header.Get("X-Uri"), resp.Header.Get("X-Host")}
			want := []string{tt.req.Method, tt.length, "/a?b=c", strings.TrimPrefix(s.URL, "http://")}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
	if n := conns.Load(); n != 1 {
		t.Errorf("%d connections were made, want 1", n)
	}
}

// TestLyingBackend gives the client answers that are wrong, or right with something
// behind them, and checks that the next answer is never made of it.
func TestLyingBackend(t *testing.T) {
	const ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
	const evil = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
	tests := []struct {
		name   string
		answer string
		kind   upstream.Kind // of the error, 0 for none
		body   string
	}{
		{"good", ok, 0, "ok"},
		{"chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-A: b\r\n\r\n", 0, "ok"},
		{"until close", "HTTP/1.0 200 OK\r\n\r\nok", 0, "ok"},
		{"without reason", "HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok", 0, "ok"},
		{"interim", "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + ok, 0, "ok"},
		{"second answer behind", ok + evil, 0, "ok"},
		{"behind chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n" + evil, 0, "ok"},
		{"body of a 204", "HTTP/1.1 204 No Content\r\nContent-Length: 44\r\n\r\n" + evil, 0, ""},
		{"body of a 304", "HTTP/1.1 304 Not Modified\r\nContent-Length: 44\r\n\r\n" + evil, 0, ""},
		{"length twice", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok", upstream.Malformed, ""},
		{"length and coding", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", upstream.Malformed, ""},
		{"length list", "HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nok", upstream.Malformed, ""},
		{"coding gzip", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", upstream.Malformed, ""},
		{"coding in 1.0", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", upstream.Malformed, ""},
		{"coding with 204", "HTTP/1.1 204 No\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", upstream.Malformed, ""},
		{"bare LF", "HTTP/1.1 200 OK\nContent-Length: 2\r\n\r\nok", upstream.Malformed, ""},
		{"folded", "HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 2\r\n\r\nok", upstream.Malformed, ""},
		{"space before colon", "HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\nok", upstream.Malformed, ""},
		{"switches protocols", "HTTP/1.1 101 Switching Protocols\r\n\r\n", upstream.Malformed, ""},
		{"status 600", "HTTP/1.1 600 X\r\nContent-Length: 2\r\n\r\nok", upstream.Malformed, ""},
		{"not HTTP", "SSH-2.0-OpenSSH_9.2\r\n", upstream.Malformed, ""},
		{"HTTP/2", "HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\nok", upstream.Malformed, ""},
		{"nothing", "", upstream.Lost, ""},
		{"half a head", "HTTP/1.1 200 OK\r\nConte", upstream.Lost, ""},
		{"half a body", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok", upstream.Lost, ""},
		{"bad chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\nok\r\n0\r\n\r\n", upstream.Malformed, ""},
		{"half a chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nok", upstream.Lost, ""},
		{"endless head", "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("a", 70<<10), upstream.TooLarge, ""},
		{"endless interim", strings.Repeat("HTTP/1.1 102 Processing\r\n\r\n", 20), upstream.Malformed, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var n atomic.Int32
			url := scripted(t, func(c net.Conn) {
				first := n.Add(1) == 1
				for readUntil(c, "\r\n\r\n") != "" {
					if !first {
						io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nclean")
						continue
					}
					first = false
					io.WriteString(c, tt.answer)
					if tt.kind != 0 || strings.HasPrefix(tt.answer, "HTTP/1.0") {
						return
					}
				}
			})
			c, tg := newClient(t), target(t, url, nil)
			var resp upstream.Response
			err := c.Do(t.Context(), tg, get(), &resp)
			var body []byte
			if err == nil {
				body, err = resp.ReadAll(1 << 20)
				resp.Close()
			}
			if upstream.KindOf(err) != tt.kind || string(body) != tt.body {
				t.Errorf("got %q, %v; want %q, %v", body, err, tt.body, tt.kind)
			}
			if err = c.Do(t.Context(), tg, get(), &resp); err != nil {
				t.Fatal(err)
			}
			if body, err = resp.ReadAll(1 << 20); string(body) != "clean" {
				t.Errorf("next answer is %q, %v; want %q", body, err, "clean")
			}
			resp.Close()
		})
	}
}

func TestErrors(t *testing.T) {
	silent := scripted(t, func(c net.Conn) { io.Copy(io.Discard, c) })
	secure := httptest.NewUnstartedServer(http.NotFoundHandler())
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	defer secure.Close()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	refused := "http://" + closed.Addr().String()
	closed.Close()
	denied := errors.New("policy")
	unknown := resolverFunc(func() ([]netip.Addr, error) { return nil, errors.New("no such host") })
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	tests := []struct {
		name   string
		client *upstream.Client
		url    string
		ctx    context.Context
		change func(*upstream.Request)
		want   upstream.Kind
	}{
		{"refused", &upstream.Client{}, refused, nil, nil, upstream.Unreachable},
		{"denied", &upstream.Client{Control: func(string, netip.AddrPort) error { return denied }}, silent, nil, nil, upstream.Denied},
		{"unresolved", &upstream.Client{Resolver: unknown}, "http://backend.test", nil, nil, upstream.Unresolved},
		{"untrusted", &upstream.Client{}, secure.URL, nil, nil, upstream.Untrusted},
		{"plain server", &upstream.Client{}, strings.Replace(scripted(t, func(c net.Conn) {
			io.WriteString(c, "HTTP/1.1 400 Bad Request\r\n\r\n")
			io.Copy(io.Discard, c)
		}), "http:", "https:", 1), nil, nil, upstream.HandshakeFailed},
		{"handshake timeout", &upstream.Client{TLSTimeout: 20 * time.Millisecond}, strings.Replace(silent, "http:", "https:", 1), nil, nil, upstream.HandshakeTimeout},
		{"timeout", &upstream.Client{}, silent, nil, func(r *upstream.Request) { r.Deadline = time.Now().Add(20 * time.Millisecond) }, upstream.Timeout},
		{"context", &upstream.Client{}, silent, canceled, nil, upstream.Canceled},
		{"client gone", &upstream.Client{}, silent, nil, func(r *upstream.Request) { r.Gone = func() bool { return true } }, upstream.Canceled},
		{"bad method", &upstream.Client{}, silent, nil, func(r *upstream.Request) { r.Method = "G T" }, upstream.InvalidRequest},
		{"bad host", &upstream.Client{}, silent, nil, func(r *upstream.Request) { r.Host = "a\r\nb" }, upstream.InvalidRequest},
		{"bad value", &upstream.Client{}, silent, nil, func(r *upstream.Request) { r.Header.Add("X", "a\r\nb: c") }, upstream.InvalidRequest},
		{"bad name", &upstream.Client{}, silent, nil, func(r *upstream.Request) { r.Header.Add("X:", "a") }, upstream.InvalidRequest},
		{"body fails", &upstream.Client{}, silent, nil, func(r *upstream.Request) {
			r.Body, r.Length = io.MultiReader(strings.NewReader("a"), failing{}), -1
		}, upstream.RequestBody},
		{"body short", &upstream.Client{}, silent, nil, func(r *upstream.Request) {
			r.Body, r.Length = strings.NewReader("a"), 2
		}, upstream.RequestBody},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			defer tt.client.CloseIdle()
			req := get()
			if tt.change != nil {
				tt.change(req)
			}
			ctx := tt.ctx
			if ctx == nil {
				ctx = t.Context()
			}
			var resp upstream.Response
			err := tt.client.Do(ctx, target(t, tt.url, nil), req, &resp)
			if upstream.KindOf(err) != tt.want {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
}

type resolverFunc func() ([]netip.Addr, error)

func (f resolverFunc) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) { return f() }

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, message.ErrBodyTooLarge }

// TestIdentity checks that connections of one TLS identity never carry requests of
// another.
func TestIdentity(t *testing.T) {
	var conns atomic.Int32
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {}))
	s.Config.ConnState = func(_ net.Conn, st http.ConnState) {
		if st == http.StateNew {
			conns.Add(1)
		}
	}
	s.StartTLS()
	defer s.Close()
	c := newClient(t)
	cfg := &tls.Config{RootCAs: s.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs, ServerName: "example.com"}
	var resp upstream.Response
	for i, identity := range []string{"a", "b", "a", "b"} {
		if err := c.Do(t.Context(), target(t, s.URL, &upstream.TLS{Config: cfg, Identity: identity}), get(), &resp); err != nil {
			t.Fatal(i, err)
		}
		resp.Close()
	}
	if n := conns.Load(); n != 2 {
		t.Errorf("%d connections for two identities used twice, want 2", n)
	}
}
