package netio_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"gatehouse/internal/http1/netio"
)

// tcpPair returns both ends of a loopback connection.
func tcpPair(t *testing.T) (a, b *net.TCPConn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	c, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	s, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(); s.Close() })
	return c.(*net.TCPConn), s.(*net.TCPConn)
}

// counting counts how often deadlines are set.
type counting struct {
	net.Conn
	reads, writes int
}

func (c *counting) SetReadDeadline(t time.Time) error  { c.reads++; return c.Conn.SetReadDeadline(t) }
func (c *counting) SetWriteDeadline(t time.Time) error { c.writes++; return c.Conn.SetWriteDeadline(t) }

// TestLazyDeadlines checks that deadlines that move with every message are hardly ever
// armed, and that the last one holds nevertheless.
func TestLazyDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := net.Pipe()
		defer client.Close()
		under := &counting{Conn: server}
		c := netio.NewConn(under)
		go func() {
			b := make([]byte, 1)
			for range 1000 {
				client.Write(b)
				client.Read(b)
				time.Sleep(100 * time.Millisecond)
			}
		}()
		b := make([]byte, 1)
		for range 1000 { // for 100 s
			c.SetReadDeadline(netio.Now().Add(30 * time.Second))
			if _, err := c.Read(b); err != nil {
				t.Fatal(err)
			}
			if _, err := c.Write(b, netio.Now().Add(30*time.Second)); err != nil {
				t.Fatal(err)
			}
		}
		if under.reads > 10 || under.writes > 10 {
			t.Errorf("armed %d times for reading and %d for writing, want about 4", under.reads, under.writes)
		}
		begin := time.Now()
		c.SetReadDeadline(netio.Now().Add(30 * time.Second))
		_, err := c.Read(b)
		if took := time.Since(begin); !netio.IsTimeout(err) || took.Round(time.Second) != 30*time.Second {
			t.Errorf("%v after %v, want a timeout after 30s", err, took)
		}
		begin = time.Now()
		c.SetReadDeadline(netio.Now().Add(time.Second)) // sooner than what is armed
		_, err = c.Read(b)
		if took := time.Since(begin); !netio.IsTimeout(err) || took.Round(time.Second) != time.Second {
			t.Errorf("%v after %v, want a timeout after 1s", err, took)
		}
		c.Close()
	})
}

func TestKick(t *testing.T) {
	a, b := tcpPair(t)
	c := netio.NewConn(b)
	done := make(chan error)
	go func() {
		var r netio.Reader
		r.Reset(c)
		done <- c.Await(&r, func() bool { return true })
	}()
	c.Kick()
	if err := <-done; err != netio.ErrKicked {
		t.Errorf("a wait ended with %v", err)
	}
	c.SetReadDeadline(netio.Now().Add(time.Hour))
	if _, err := c.Read(make([]byte, 1)); err != netio.ErrKicked {
		t.Errorf("a later read ended with %v", err)
	}
	if _, err := c.Write([]byte("x"), netio.Now().Add(time.Hour)); err != nil {
		t.Errorf("a write failed: %v", err)
	}
	c.Kill()
	if _, err := c.Write([]byte("x"), netio.Now().Add(10*time.Hour)); err == nil {
		t.Error("a write succeeded after Kill")
	}
	a.Close()
}

// TestAwait checks that steps see every message, and that input which fills the buffer
// is not forgotten.
func TestAwait(t *testing.T) {
	a, b := tcpPair(t)
	c := netio.NewConn(b)
	var r netio.Reader
	r.Reset(c)
	const rounds, size = 200, 5000 // more than one buffer
	go func() {
		for i := range rounds {
			a.Write(bytes.Repeat([]byte{byte(i)}, 1+i%2*(size-1)))
			if i%7 == 0 {
				time.Sleep(time.Millisecond)
			}
		}
		a.CloseWrite()
	}()
	total := 0
	err := c.Await(&r, func() bool {
		total += len(r.Buffered())
		r.Discard(len(r.Buffered()))
		return true
	})
	if want := rounds/2 + rounds/2*size; err != io.EOF || total != want {
		t.Errorf("%d bytes and %v, want %d and EOF", total, err, want)
	}
}

// TestSwap checks the exchange over an idle connection in each of its ends.
func TestSwap(t *testing.T) {
	t.Run("answered", func(t *testing.T) {
		a, b := tcpPair(t)
		c := netio.NewConn(b)
		var r netio.Reader
		r.Reset(c)
		go io.Copy(a, a)
		for range 100 {
			c.SetReadDeadline(netio.Now().Add(10 * time.Second))
			if n, err := c.Swap([]byte("hello"), &r); n != 5 || err != nil || len(r.Buffered()) == 0 {
				t.Fatalf("%d, %v, %q", n, err, r.Buffered())
			}
			for len(r.Buffered()) < 5 {
				if err := r.Fill(netio.Small); err != nil {
					t.Fatal(err)
				}
			}
			r.Discard(5)
		}
	})
	t.Run("not in time", func(t *testing.T) {
		_, b := tcpPair(t)
		c := netio.NewConn(b)
		var r netio.Reader
		r.Reset(c)
		c.SetReadDeadline(netio.Now().Add(10 * time.Millisecond))
		if n, err := c.Swap([]byte("hello"), &r); n != 5 || err != nil || len(r.Buffered()) != 0 {
			t.Errorf("%d, %v, %q; want 5 and nothing read", n, err, r.Buffered())
		}
	})
	t.Run("buffer full", func(t *testing.T) {
		_, b := tcpPair(t)
		b.SetWriteBuffer(4096)
		c := netio.NewConn(b)
		var r netio.Reader
		r.Reset(c)
		c.SetReadDeadline(netio.Now().Add(time.Second))
		out := make([]byte, 32<<20)
		if n, err := c.Swap(out, &r); n == 0 || n == len(out) || err != nil {
			t.Errorf("%d of %d, %v; want a part", n, len(out), err)
		}
	})
	for name, spoil := range map[string]func(*net.TCPConn){
		"closed":      func(a *net.TCPConn) { a.Close() },
		"half closed": func(a *net.TCPConn) { a.CloseWrite() },
		"reset":       func(a *net.TCPConn) { a.SetLinger(0); a.Close() },
		"spoken on":   func(a *net.TCPConn) { a.Write([]byte("x")) },
	} {
		t.Run(name, func(t *testing.T) {
			a, b := tcpPair(t)
			c := netio.NewConn(b)
			var r netio.Reader
			r.Reset(c)
			spoil(a)
			for c.Quiet() {
				time.Sleep(time.Millisecond)
			}
			if n, err := c.Swap([]byte("hello"), &r); n != 0 || err != netio.ErrStale {
				t.Errorf("%d, %v; want stale", n, err)
			}
		})
	}
}

func TestGone(t *testing.T) {
	a, b := tcpPair(t)
	c := netio.NewConn(b)
	if c.Gone() || !c.Quiet() {
		t.Error("gone or spoken on while open")
	}
	a.Write([]byte("x"))
	for c.Quiet() {
		time.Sleep(time.Millisecond)
	}
	if c.Gone() {
		t.Error("gone with input")
	}
	a.Close()
	for !c.Gone() {
		time.Sleep(time.Millisecond)
	}
}

func TestReader(t *testing.T) {
	const text = "0123456789"
	var r netio.Reader
	r.Reset(iotest.OneByteReader(strings.NewReader(strings.Repeat(text, 1000))))
	for len(r.Buffered()) < 5000 { // grows
		if err := r.Fill(netio.Medium); err != nil {
			t.Fatal(err)
		}
	}
	r.Discard(4000)
	got, err := io.ReadAll(&r)
	if err != nil || string(got) != strings.Repeat(text, 600) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	r.Reset(strings.NewReader(strings.Repeat("x", 5000)))
	for {
		if err = r.Fill(netio.Small); err != nil {
			break
		}
	}
	if len(r.Buffered()) != netio.Small || errors.Is(err, io.EOF) {
		t.Errorf("filled %d bytes, then %v", len(r.Buffered()), err)
	}
	r.Drop()
}
