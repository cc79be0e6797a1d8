package netio_test

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"runtime"
	"testing"
	"time"

	"gatehouse/internal/http1/netio"
	"gatehouse/internal/trust/pkitest"
)

// halves sends what is written in two parts, the second when it is told to.
type halves struct {
	net.Conn
	split bool
	rest  []byte
}

func (h *halves) Write(p []byte) (int, error) {
	if !h.split {
		return h.Conn.Write(p)
	}
	h.rest = bytes.Clone(p[len(p)/2:])
	_, err := h.Conn.Write(p[:len(p)/2])
	return len(p), err
}

// secured returns a TLS connection over loopback: the client's end, what lies beneath it, and the
// server's as a Conn, over a Socket.
func secured(t *testing.T) (client *tls.Conn, below *halves, server *netio.Conn) {
	t.Helper()
	a, b := tcpPair(t)
	below = &halves{Conn: a}
	cert := pkitest.Root(t, "CA", pkitest.Real).Server(t, "a.example.com").TLS()
	client = tls.Client(below, &tls.Config{InsecureSkipVerify: true})
	own := tls.Server(netio.NewSocket(b), &tls.Config{Certificates: []tls.Certificate{cert}})
	done := make(chan error, 1)
	go func() { done <- own.Handshake() }()
	if err := client.Handshake(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	return client, below, netio.NewConn(own)
}

// quiet waits until a connection waits on its socket.
func quiet(t *testing.T) {
	t.Helper()
	buf := make([]byte, 1<<20)
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if bytes.Contains(buf[:runtime.Stack(buf, true)], []byte("netio.(*Socket).awaitInput(")) {
			return
		}
	}
	t.Fatal("no connection waits on its socket")
}

// A TLS connection that has gone quiet sees all that happens to it.
func TestQuietTLS(t *testing.T) {
	defer netio.SetSettleAfter(5 * time.Millisecond)()
	for _, c := range []struct {
		name string
		act  func(t *testing.T, client *tls.Conn, below *halves, server *netio.Conn) error
		want error
	}{
		{"input", func(t *testing.T, client *tls.Conn, _ *halves, _ *netio.Conn) error {
			_, err := client.Write([]byte("hello"))
			return err
		}, nil},
		{"half a record, and quiet again", func(t *testing.T, client *tls.Conn, below *halves, _ *netio.Conn) error {
			below.split = true
			if _, err := client.Write([]byte("hello")); err != nil {
				return err
			}
			time.Sleep(20 * time.Millisecond) // it looks at the half and goes on waiting
			_, err := below.Conn.Write(below.rest)
			return err
		}, nil},
		{"orderly end", func(_ *testing.T, client *tls.Conn, _ *halves, _ *netio.Conn) error { return client.Close() }, io.EOF},
		{"torn", func(_ *testing.T, _ *tls.Conn, below *halves, _ *netio.Conn) error { return below.Conn.Close() }, io.EOF},
		{"kicked", func(_ *testing.T, _ *tls.Conn, _ *halves, server *netio.Conn) error { server.Kick(); return nil }, netio.ErrKicked},
	} {
		t.Run(c.name, func(t *testing.T) {
			client, below, server := secured(t)
			var r netio.Reader
			r.Reset(server)
			server.SetReadDeadline(netio.Now().Add(time.Minute))
			ended := make(chan error, 1)
			go func() { ended <- server.Await(&r, nil) }()
			quiet(t)
			if err := c.act(t, client, below, server); err != nil {
				t.Fatal(err)
			}
			select {
			case err := <-ended:
				if err != c.want {
					t.Fatalf("Await: %v, want %v", err, c.want)
				}
			case <-time.After(10 * time.Second):
				t.Fatal("Await goes on waiting")
			}
			if c.want != nil {
				return
			}
			rest := make([]byte, 4)
			if _, err := io.ReadFull(server, rest); err != nil || string(r.Buffered())+string(rest) != "hello" {
				t.Errorf("read %q%q and %v, want hello", r.Buffered(), rest, err)
			}
		})
	}
}

// The deadline holds in both kinds of waiting.
func TestQuietTLSDeadline(t *testing.T) {
	defer netio.SetSettleAfter(5 * time.Millisecond)()
	for _, limit := range []time.Duration{time.Millisecond, 50 * time.Millisecond} {
		_, _, server := secured(t)
		var r netio.Reader
		r.Reset(server)
		begin := netio.Now()
		server.SetReadDeadline(begin.Add(limit))
		if err := server.Await(&r, nil); !netio.IsTimeout(err) || netio.Now().Sub(begin) < limit {
			t.Errorf("deadline after %v: %v after %v", limit, err, netio.Now().Sub(begin))
		}
	}
}

// Records that came together are all seen: what lies within crypto/tls is read before the
// socket is waited on.
func TestRecordsTogether(t *testing.T) {
	defer netio.SetSettleAfter(5 * time.Millisecond)()
	client, below, server := secured(t)
	var r netio.Reader
	r.Reset(server)
	server.SetReadDeadline(netio.Now().Add(10 * time.Second))
	const records = 50
	together := &gather{Conn: below.Conn}
	below.Conn = together
	for i := range records {
		if _, err := client.Write([]byte{byte(i)}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := together.Conn.Write(together.buf.Bytes()); err != nil {
		t.Fatal(err)
	}
	for i := range records {
		if err := server.Await(&r, nil); err != nil || len(r.Buffered()) != 1 || r.Buffered()[0] != byte(i) {
			t.Fatalf("record %d: %v, %v", i, r.Buffered(), err)
		}
		r.Discard(1)
	}
}

// gather keeps what is written.
type gather struct {
	net.Conn
	buf bytes.Buffer
}

func (g *gather) Write(p []byte) (int, error) { return g.buf.Write(p) }
