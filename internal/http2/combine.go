package http2

import (
	"net"
	"runtime"
	"sync"
	"time"

	"gatehouse/internal/http1/netio"
)

// A combiner gathers what is written to a connection while other streams are about to
// write too, and sends it at once. The standard library writes each stream's frames by
// themselves; over TLS that is a record and a system call for every small answer,
// the largest part of what an exchange costs.
//
// Write copies and returns; a goroutine that first lets the runnable ones run sends. So
// combining adds no delay beyond the work that is ready, and an idle connection sends
// at once. Errors come with the next Write and close the connection. Methods may be
// called from any goroutine.
type combiner struct {
	net.Conn
	stall time.Duration // how long the client may take no byte

	mu      sync.Mutex
	pending []byte // pooled; nil when empty
	running bool   // a goroutine is about to send
	armed   time.Time
	err     error // sticks
}

// enough is how much is sent without waiting for more: a few TLS records.
const enough = netio.Medium

// Write takes p over. It blocks while more than enough is waiting to be sent.
func (c *combiner) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for n < len(p) && c.err == nil {
		if c.pending == nil {
			c.pending = netio.GetBuffer(enough)[:0]
		}
		m := min(len(p)-n, enough-len(c.pending))
		c.pending = append(c.pending, p[n:n+m]...)
		if n += m; len(c.pending) == enough {
			c.send()
		}
	}
	if len(c.pending) > 0 && !c.running && c.err == nil {
		c.running = true
		go c.sendLater()
	}
	return n, c.err
}

// sendLater sends what is pending after all goroutines that can run have run.
func (c *combiner) sendLater() {
	runtime.Gosched()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.running = false
	c.send()
}

// send sends what is pending. The lock is held: a client that does not read makes all
// writers wait, for stall at most.
func (c *combiner) send() {
	if len(c.pending) == 0 {
		return
	}
	if c.err == nil {
		c.arm()
		_, c.err = c.Conn.Write(c.pending)
	}
	netio.PutBuffer(c.pending)
	c.pending = nil
	if c.err != nil {
		c.Conn.Close()
	}
}

// arm makes a write that begins now end between stall and twice that from now.
func (c *combiner) arm() {
	if now := time.Now(); c.armed.Sub(now) < c.stall {
		c.armed = now.Add(2 * c.stall)
		c.Conn.SetWriteDeadline(c.armed)
	}
}

// SetWriteDeadline does nothing: the deadline is for the sending, not for Write.
func (c *combiner) SetWriteDeadline(time.Time) error { return nil }

// SetDeadline sets the read deadline alone.
func (c *combiner) SetDeadline(t time.Time) error { return c.Conn.SetReadDeadline(t) }

// Close sends what is pending, unless that is being tried already, and closes the
// connection.
func (c *combiner) Close() error {
	if c.mu.TryLock() {
		c.send()
		c.mu.Unlock()
	}
	return c.Conn.Close()
}
