package netio_test

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"syscall"
	"testing"
	"time"

	"gatehouse/internal/http1/netio"
)

// accepting returns a listener on addr.
func accepting(t *testing.T, addr string) net.Listener {
	t.Helper()
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	ln, err = netio.Accepting(ln)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	return ln
}

// meet returns both ends of a connection to ln.
func meet(t *testing.T, ln net.Listener) (client *net.TCPConn, server net.Conn) {
	t.Helper()
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	c, err := net.Dial("tcp4", "127.0.0.1:"+port)
	if err != nil {
		t.Fatal(err)
	}
	server, err = ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	c.SetDeadline(time.Now().Add(10 * time.Second))
	t.Cleanup(func() { c.Close(); server.Close() })
	return c.(*net.TCPConn), server
}

func TestAccepting(t *testing.T) {
	for _, addr := range []string{"127.0.0.1:0", "0.0.0.0:0", ":0"} { // the last takes IPv6 too, where there is some
		client, server := meet(t, accepting(t, addr))
		unmapped := func(a net.Addr) netip.AddrPort {
			ap := a.(*net.TCPAddr).AddrPort()
			return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
		}
		if got, want := unmapped(server.RemoteAddr()), unmapped(client.LocalAddr()); got != want {
			t.Errorf("%s: remote address %v, want %v", addr, got, want)
		}
		if got, want := unmapped(server.LocalAddr()), unmapped(client.RemoteAddr()); got != want {
			t.Errorf("%s: local address %v, want %v", addr, got, want)
		}
		raw, err := server.(syscall.Conn).SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		raw.Control(func(fd uintptr) {
			if v, err := syscall.GetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_NODELAY); v == 0 || err != nil {
				t.Errorf("%s: TCP_NODELAY is %d, %v", addr, v, err)
			}
		})
		s := netio.NewSocket(server)
		if s == nil {
			t.Fatal("an accepted connection makes no Socket")
		}
		client.Write([]byte("question"))
		b := make([]byte, 16)
		if n, err := s.Read(b); err != nil || string(b[:n]) != "question" {
			t.Errorf("%s: read %q and %v", addr, b[:n], err)
		}
		s.Write([]byte("answer"))
		if n, err := client.Read(b); err != nil || string(b[:n]) != "answer" {
			t.Errorf("%s: the client read %q and %v", addr, b[:n], err)
		}
	}
}

// TestAcceptedClose checks that a closed connection has ended for everybody at once, and
// that descriptors come back.
func TestAcceptedClose(t *testing.T) {
	ln := accepting(t, "127.0.0.1:0")
	before := descriptors(t)
	for range 300 {
		client, server := meet(t, ln)
		s := netio.NewSocket(server)
		reader := make(chan error)
		go func() { _, err := s.Read(make([]byte, 1)); reader <- err }()
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := client.Read(make([]byte, 1)); err != io.EOF {
			t.Fatalf("the client read %v after the end", err)
		}
		if err := <-reader; err == nil {
			t.Fatal("a reader of a closed connection read something")
		}
		if _, err := s.Write([]byte("x")); err == nil {
			t.Fatal("a closed connection was written to")
		}
		if err := s.Close(); !errors.Is(err, net.ErrClosed) {
			t.Fatalf("closing it again: %v", err)
		}
		client.Close()
	}
	for deadline := time.Now().Add(10 * time.Second); descriptors(t) > before; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d descriptors, %d before", descriptors(t), before)
		}
	}
}

func descriptors(t *testing.T) int {
	t.Helper()
	d, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(d)
}

func TestAcceptedEnds(t *testing.T) {
	ln := accepting(t, "127.0.0.1:0")
	client, server := meet(t, ln)
	if err := server.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the client read %v behind the end", err)
	}
	client.Write([]byte("x"))
	if n, err := server.Read(make([]byte, 1)); n != 1 || err != nil {
		t.Errorf("the other direction: %d, %v", n, err)
	}

	client, server = meet(t, ln)
	if err := server.(interface{ SetLinger(int) error }).SetLinger(0); err != nil {
		t.Fatal(err)
	}
	server.Close()
	if _, err := client.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the client read %v, want a reset", err)
	}

	done := make(chan error)
	go func() { _, err := ln.Accept(); done <- err }()
	ln.Close()
	if err := <-done; !errors.Is(err, net.ErrClosed) {
		t.Errorf("accepting from a closed listener: %v", err)
	}
}
