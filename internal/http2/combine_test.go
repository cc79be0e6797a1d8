package http2

import (
	"bytes"
	"io"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestCombiner checks that everything arrives in order, whoever sends it, and that
// small writes of one moment travel together.
func TestCombiner(t *testing.T) {
	client, server := net.Pipe()
	counted := &countingConn{Conn: server}
	c := &combiner{Conn: counted, stall: time.Second}
	var want []byte
	got := make(chan []byte)
	go func() {
		b, _ := io.ReadAll(client)
		got <- b
	}()
	for i := range 500 {
		p := bytes.Repeat([]byte{byte(i)}, i*i%5000)
		if i%100 == 99 {
			p = bytes.Repeat([]byte{byte(i)}, 3*enough+i)
		}
		want = append(want, p...)
		if n, err := c.Write(p); n != len(p) || err != nil {
			t.Fatal(n, err)
		}
	}
	c.Close()
	if b := <-got; !bytes.Equal(b, want) {
		t.Errorf("%d bytes arrived, %d were written", len(b), len(want))
	}
	if n := counted.count(); n >= 500 {
		t.Errorf("%d writes for 500", n)
	}
}

type countingConn struct {
	net.Conn
	mu sync.Mutex
	n  int
}

func (c *countingConn) Write(p []byte) (int, error) {
	c.mu.Lock()
	c.n++
	c.mu.Unlock()
	return c.Conn.Write(p)
}

func (c *countingConn) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.n
}

// TestCombinerStall checks that a client that takes nothing loses the connection, and
// that writers are told.
func TestCombinerStall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := net.Pipe()
		defer client.Close()
		c := &combiner{Conn: server, stall: 20 * time.Second}
		if _, err := c.Write(make([]byte, 10)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(41 * time.Second) // twice the patience, at most
		if _, err := client.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("the client reads %v, want EOF", err)
		}
		if _, err := c.Write(make([]byte, 10)); err == nil {
			t.Error("a write to a lost connection succeeds")
		}
	})
}
