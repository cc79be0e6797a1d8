package edge

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse/internal/message"
	"gatehouse/internal/trust/pkitest"
)

var loopback = netip.MustParsePrefix("127.0.0.0/8")

// plain runs a plain listener and returns its address.
func plain(t testing.TB, l *Listener) string {
	t.Helper()
	engine := newNetEngine(t, func() *Table { return nil })
	l.Kind, l.HTTP1 = message.PlainListener, engine
	return serve(t, l, engine)
}

// exchange writes in on a new connection and returns what comes back until it ends.
func exchange(t testing.TB, addr, in string) string {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if err := nc.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(nc, in); err != nil {
		return ""
	}
	out, _ := io.ReadAll(nc)
	return string(out)
}

const request = "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

func TestProxyProtocolOnPlainListener(t *testing.T) {
	const header = "PROXY TCP4 192.0.2.7 203.0.113.5 4711 80\r\n"
	listed, unlisted := &Listener{}, &Listener{}
	listed.Update(Settings{ProxyFrom: []netip.Prefix{loopback}})
	unlisted.Update(Settings{ProxyFrom: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}})
	listedAddr, unlistedAddr := plain(t, listed), plain(t, unlisted)
	for _, c := range []struct{ name, addr, in, want, not string }{
		{"listed with header", listedAddr, header + request, "Remote: 192.0.2.7:4711", ""},
		{"listed without header", listedAddr, request, "", "HTTP/1.1"},
		{"listed with two headers", listedAddr, header + header + request, "400 Bad Request", "Remote:"},
		{"listed, LOCAL", listedAddr, "\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00" + request, "Remote: 127.0.0.1:", ""},
		{"unlisted without header", unlistedAddr, request, "Remote: 127.0.0.1:", ""},
		{"unlisted with header", unlistedAddr, header + request, "400 Bad Request", "Remote:"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := exchange(t, c.addr, c.in)
			if !strings.Contains(got, c.want) || c.not != "" && strings.Contains(got, c.not) {
				t.Errorf("got %q, want it to hold %q and not %q", got, c.want, c.not)
			}
		})
	}
	if n := listed.Stats().Failures[ProxyHeader]; n != 1 {
		t.Errorf("%d failures for the header, want 1", n)
	}
}

func TestProxyProtocolBeforeTLS(t *testing.T) {
	s := newSite(t, func(l *Listener) { l.Update(Settings{ProxyFrom: []netip.Prefix{loopback}}) })
	s.publish(s.open("a.example.com"))
	get := func(header string) (string, error) {
		nc, err := net.Dial("tcp", s.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		if _, err := io.WriteString(nc, header); err != nil {
			t.Fatal(err)
		}
		tc := tls.Client(nc, &tls.Config{RootCAs: s.pool, ServerName: "a.example.com", NextProtos: []string{"http/1.1"}})
		if err := tc.Handshake(); err != nil {
			return "", err
		}
		if _, err := io.WriteString(tc, "GET / HTTP/1.1\r\nHost: a.example.com\r\n\r\n"); err != nil {
			return "", err
		}
		resp, err := http.ReadResponse(bufio.NewReader(tc), nil)
		if err != nil {
			return "", err
		}
		defer resp.Body.Close()
		return resp.Header.Get("Remote"), nil
	}
	if got, err := get("PROXY TCP6 2001:db8::1 2001:db8::2 99 443\r\n"); err != nil || got != "[2001:db8::1]:99" {
		t.Errorf("with header: got %q, %v", got, err)
	}
	if got, err := get(""); err == nil {
		t.Errorf("without header: got %q, want the connection closed", got)
	}
	s.listener.Update(Settings{})
	if got, err := get(""); err != nil || !strings.HasPrefix(got, "127.0.0.1:") {
		t.Errorf("after the reload, without header: got %q, %v", got, err)
	}
	if got, err := get("PROXY TCP6 2001:db8::1 2001:db8::2 99 443\r\n"); err == nil {
		t.Errorf("after the reload, with header: got %q, want a failed handshake", got)
	}
}

func TestLimitsOfConnections(t *testing.T) {
	for _, c := range []struct {
		name     string
		settings Settings
		want     Failure
	}{
		{"all", Settings{MaxConns: 2}, TooManyConnections},
		{"one address", Settings{MaxPerAddress: 2}, TooManyOfAddress},
	} {
		t.Run(c.name, func(t *testing.T) {
			failed := make(chan Failure, 1)
			l := &Listener{Failed: func(_ netip.AddrPort, f Failure, _ error) { failed <- f }}
			l.Update(c.settings)
			addr := plain(t, l)
			var held []net.Conn
			for range 2 {
				nc, err := net.Dial("tcp", addr)
				if err != nil {
					t.Fatal(err)
				}
				defer nc.Close()
				if _, err := io.WriteString(nc, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
					t.Fatal(err)
				}
				if _, err := http.ReadResponse(bufio.NewReader(nc), nil); err != nil {
					t.Fatal(err)
				}
				held = append(held, nc)
			}
			if got := exchange(t, addr, request); got != "" {
				t.Errorf("the third: got %q, want it closed", got)
			}
			if f := <-failed; f != c.want {
				t.Errorf("failure %v, want %v", f, c.want)
			}
			held[0].Close()
			for range 100 { // the server notices the end in its own time
				if exchange(t, addr, request) != "" {
					return
				}
				<-failed
			}
			t.Error("a place that became free was not given again")
		})
	}
}

func TestSlowHandshakeIsEnded(t *testing.T) {
	for _, in := range []string{"", "\x16\x03\x01", "PROXY TCP4 1"} {
		failed := make(chan Failure, 1)
		s := newSite(t, func(l *Listener) {
			l.Failed = func(_ netip.AddrPort, f Failure, err error) { failed <- f }
			set := Settings{HandshakeTimeout: 50 * time.Millisecond}
			if strings.HasPrefix(in, "PROXY") {
				set.ProxyFrom = []netip.Prefix{loopback}
			}
			l.Update(set)
		})
		exchange(t, s.addr, in)
		if f := <-failed; f != HandshakeTimeout && f != ProxyHeader {
			t.Errorf("%q: failure %v, want a timeout", in, f)
		}
	}
}

func TestFailuresAreToldApart(t *testing.T) {
	failed := make(chan Failure, 8)
	s := newSite(t, func(l *Listener) { l.Failed = func(_ netip.AddrPort, f Failure, _ error) { failed <- f } })
	s.publish(s.mutual("a.example.com", pkitest.Root(t, "Root", pkitest.Real)))
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		s.client(clientOptions{sni: "a.example.com", version: version, http1: true}).get(t, "a.example.com")
		if f := <-failed; f != NoClientCertificate {
			t.Errorf("%s without a certificate: %v", tls.VersionName(version), f)
		}
	}
	exchange(t, s.addr, "GET / HTTP/1.1\r\n\r\n")
	if f := <-failed; f != HandshakeFailed {
		t.Errorf("HTTP on the TLS port: %v", f)
	}
}

// A flakyListener fails some times before it yields to a real one.
type flakyListener struct {
	net.Listener
	failures int
}

func (f *flakyListener) Accept() (net.Conn, error) {
	if f.failures > 0 {
		f.failures--
		return nil, errors.New("too many open files")
	}
	return f.Listener.Accept()
}

func TestAcceptErrorsDoNotEndTheListener(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	engine := newNetEngine(t, func() *Table { return nil })
	l := &Listener{HTTP1: engine}
	done := make(chan error)
	go func() { done <- l.Serve(context.Background(), &flakyListener{ln, 3}) }()
	if got := exchange(t, ln.Addr().String(), request); !strings.Contains(got, "200 OK") {
		t.Errorf("got %q, want an answer", got)
	}
	if n := l.Stats().AcceptErrors; n != 3 {
		t.Errorf("%d accept errors counted, want 3", n)
	}
	l.Stop()
	if err := <-done; err != nil {
		t.Errorf("Serve: %v", err)
	}
}

// blockingEngine holds connections until ctx ends.
type blockingEngine struct{ started chan *message.Conn }

func (e blockingEngine) ServeConn(ctx context.Context, nc net.Conn, info *message.Conn) error {
	e.started <- info
	<-ctx.Done()
	return nc.Close()
}

func TestStopLeavesNothingBehind(t *testing.T) {
	before := runtime.NumGoroutine()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	tickets, err := NewTickets(nil)
	if err != nil {
		t.Fatal(err)
	}
	cert := pkitest.Root(t, "CA", pkitest.Real).Server(t, "a.example.com").TLS()
	engine := blockingEngine{make(chan *message.Conn)}
	l := &Listener{Kind: message.TLSListener, HTTP1: engine, TLS: NewTerminator(tickets, func(string) (*tls.Certificate, error) { return &cert, nil })}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- l.Serve(ctx, ln) }()

	served, err := tls.Dial("tcp", ln.Addr().String(), &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer served.Close()
	info := <-engine.started
	if info.TLS == nil || info.Trust == nil || !info.Remote.IsValid() || !info.Local.IsValid() {
		t.Errorf("connection is told as %+v", info)
	}
	waiting, err := net.Dial("tcp", ln.Addr().String()) // never says anything
	if err != nil {
		t.Fatal(err)
	}
	defer waiting.Close()
	for l.Stats().Open < 2 {
		runtime.Gosched()
	}
	l.Stop()
	if _, err := waiting.Read(make([]byte, 1)); err == nil {
		t.Error("a connection without a handshake survived Stop")
	}
	select {
	case err := <-done:
		t.Fatalf("Serve returned %v while a connection was served", err)
	default:
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Serve: %v", err)
	}
	if err := l.Serve(context.Background(), ln); err != nil {
		t.Errorf("Serve after Stop: %v", err)
	}
	for range 1000 {
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Errorf("%d goroutines, %d before", runtime.NumGoroutine(), before)
}

// TestSocketSurvivesReload: settings and tables change under load, and no request fails.
func TestSocketSurvivesReload(t *testing.T) {
	s := newSite(t, nil)
	root := pkitest.Root(t, "Root", pkitest.Real)
	cert := root.Client(t, "c", pkitest.Real)
	s.publish(s.mutual("a.example.com", root))
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			cl := s.client(clientOptions{sni: "a.example.com", http1: i%2 == 0, cert: cert})
			for {
				select {
				case <-stop:
					return
				default:
				}
				if got := cl.get(t, "a.example.com"); !strings.HasPrefix(got, "200") {
					t.Errorf("got %q", got)
					return
				}
			}
		})
	}
	for i := range 50 {
		s.publish(s.mutual("a.example.com", root, pkitest.Root(t, fmt.Sprint("Other ", i), pkitest.Real)))
		s.listener.Update(Settings{MaxConns: 100 + i})
	}
	close(stop)
	wg.Wait()
}
