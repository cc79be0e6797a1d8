//go:build unix

package netio_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"net"
	"os"
	"testing"
	"time"

	"gatehouse/internal/http1/netio"
)

// socketPair returns a Socket and its peer.
func socketPair(t *testing.T) (*netio.Socket, *net.TCPConn) {
	t.Helper()
	peer, nc := tcpPair(t)
	s := netio.NewSocket(nc)
	if s == nil {
		t.Fatal("a TCP connection makes no Socket")
	}
	return s, peer
}

// nothing checks that the peer has not been sent anything. What was written to loopback is
// there when the write returns, so a look is enough.
func nothing(t *testing.T, peer net.Conn) {
	t.Helper()
	if !netio.NewConn(peer).Quiet() {
		t.Error("something was sent, want it held")
	}
}

func receive(t *testing.T, peer net.Conn, want string) {
	t.Helper()
	b := make([]byte, len(want))
	peer.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.ReadFull(peer, b); err != nil || string(b) != want {
		t.Errorf("received %q and %v, want %q", b, err, want)
	}
}

func TestSocketHolds(t *testing.T) {
	t.Run("release", func(t *testing.T) {
		s, peer := socketPair(t)
		s.Hold()
		s.Write([]byte("one "))
		s.Write([]byte("two"))
		nothing(t, peer)
		if err := s.Release(); err != nil {
			t.Fatal(err)
		}
		receive(t, peer, "one two")
		s.Write([]byte("three"))
		receive(t, peer, "three")
	})
	t.Run("read that waits", func(t *testing.T) {
		s, peer := socketPair(t)
		s.Hold()
		s.Write([]byte("question"))
		go func() {
			receive(t, peer, "question")
			peer.Write([]byte("answer"))
		}()
		b := make([]byte, 16)
		s.SetReadDeadline(time.Now().Add(10 * time.Second))
		if n, err := s.Read(b); err != nil || string(b[:n]) != "answer" {
			t.Errorf("read %q and %v", b[:n], err)
		}
		s.Write([]byte("more"))
		nothing(t, peer) // still holding
	})
	t.Run("read that has input", func(t *testing.T) {
		s, peer := socketPair(t)
		peer.Write([]byte("request"))
		s.Hold()
		s.Write([]byte("ticket "))
		if n, err := s.Read(make([]byte, 16)); n != 7 || err != nil {
			t.Fatal(n, err)
		}
		nothing(t, peer)
		s.Write([]byte("answer"))
		s.Release()
		receive(t, peer, "ticket answer")
	})
	t.Run("more than it may hold", func(t *testing.T) {
		s, peer := socketPair(t)
		s.Hold()
		long := bytes.Repeat([]byte("x"), netio.Small)
		s.Write([]byte("head "))
		if n, err := s.Write(long); n != len(long) || err != nil {
			t.Fatal(n, err)
		}
		receive(t, peer, "head "+string(long))
	})
	t.Run("close", func(t *testing.T) {
		s, peer := socketPair(t)
		s.Hold()
		s.Write([]byte("bye"))
		s.SetWriteDeadline(time.Unix(1, 0)) // as TLS leaves it
		s.Close()
		receive(t, peer, "bye")
		if n, err := peer.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("%d bytes and %v after the end", n, err)
		}
	})
}

// TestSocketDeadlines checks that the deadline that counts is the last that was set,
// whenever that was.
func TestSocketDeadlines(t *testing.T) {
	const soon, never = 30 * time.Millisecond, time.Hour
	b := make([]byte, 1)
	s, peer := socketPair(t)
	if err := s.SetDeadline(time.Now().Add(-time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Read(b); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("reading after the deadline: %v", err)
	}
	s.SetDeadline(time.Now().Add(soon))
	if _, err := s.Read(b); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("waiting until the deadline: %v", err)
	}
	// The connection below still has the deadline that passed.
	s.SetDeadline(time.Now().Add(never))
	go peer.Write([]byte("a"))
	if _, err := s.Read(b); err != nil {
		t.Errorf("reading before a new deadline: %v", err)
	}
	s.SetDeadline(time.Time{})
	go peer.Write([]byte("b"))
	if _, err := s.Read(b); err != nil {
		t.Errorf("reading without a deadline: %v", err)
	}
	// Set by another goroutine while the reader waits, and before.
	for range 200 {
		s.SetReadDeadline(time.Now().Add(never))
		done := make(chan error)
		go func() { _, err := s.Read(b); done <- err }()
		s.SetReadDeadline(time.Unix(1, 0))
		if err := <-done; !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("a reader that was told to stop ended with %v", err)
		}
	}
}

// TestSocketWriteWaits checks writes that do not fit into the buffers of the kernel.
func TestSocketWriteWaits(t *testing.T) {
	s, peer := socketPair(t)
	want := bytes.Repeat([]byte("0123456789abcdef"), 1<<20)
	got := make(chan []byte)
	go func() {
		b, _ := io.ReadAll(peer)
		got <- b
	}()
	s.Hold()
	s.Write(want[:100])
	if n, err := s.Write(want[100:]); n != len(want)-100 || err != nil {
		t.Fatal(n, err)
	}
	s.Close()
	if b := <-got; !bytes.Equal(b, want) {
		t.Errorf("%d bytes arrived, or others, want %d", len(b), len(want))
	}

	s, _ = socketPair(t)
	s.SetWriteDeadline(time.Now().Add(30 * time.Millisecond))
	if n, err := s.Write(want); !errors.Is(err, os.ErrDeadlineExceeded) || n == len(want) {
		t.Errorf("a peer that does not read: %d bytes and %v", n, err)
	}
	s.SetWriteDeadline(time.Time{})
	if _, err := s.Write(want[:1]); err == nil {
		t.Error("a stream with a gap was continued")
	}
	s.Hold()
	if _, err := s.Write(want[:1]); err == nil {
		t.Error("a stream with a gap was continued, held")
	}
}

func TestSocketClosed(t *testing.T) {
	s, _ := socketPair(t)
	done := make(chan error)
	go func() { _, err := s.Read(make([]byte, 1)); done <- err }()
	s.Close()
	if err := <-done; !errors.Is(err, net.ErrClosed) {
		t.Errorf("a read ended with %v", err)
	}
	if _, err := s.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
		t.Errorf("a write ended with %v", err)
	}
}

// TestLastWithAlert checks that a last answer over TLS and the alert behind it arrive
// together, after what a write before left.
func TestLastWithAlert(t *testing.T) {
	for i := range 4 {
		slow, half := i&1 != 0, i&2 != 0 // the answer follows a long one; reading goes on
		s, peer := socketPair(t)
		client := tls.Client(peer, &tls.Config{InsecureSkipVerify: true})
		s.Hold()
		server := tls.Server(s, &tls.Config{Certificates: []tls.Certificate{certificate(t)}})
		shaken := make(chan error)
		go func() { shaken <- client.Handshake() }()
		if err := errors.Join(server.Handshake(), <-shaken); err != nil {
			t.Fatal(err)
		}
		c := netio.NewConn(server)
		by := netio.Now().Add(10 * time.Second)
		big := make([]byte, 8<<20)
		if slow {
			go c.Write(big, by)
			if _, err := io.ReadFull(client, big); err != nil {
				t.Fatal(err)
			}
		}
		c.Last()
		if _, err := c.Write([]byte("answer"), by); err != nil {
			t.Fatal(err)
		}
		nothing(t, peer)
		end := c.End
		if half {
			end = c.CloseWrite
		}
		if err := end(); err != nil {
			t.Fatal(err)
		}
		client.SetReadDeadline(time.Now().Add(10 * time.Second))
		b, err := io.ReadAll(client) // an error would be the missing alert
		if string(b) != "answer" || err != nil {
			t.Errorf("slow %t, half %t: the client read %q and %v", slow, half, b, err)
		}
	}
}

func certificate(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}
