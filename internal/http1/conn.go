package http1

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime/debug"
	"sync/atomic"
	"time"

	"gatehouse/internal/http1/netio"
	"gatehouse/internal/http1/wire"
	"gatehouse/internal/message"
)

// A conn is one connection being served. Everything in it belongs to the goroutine of
// serve, but for state and what drain uses.
type conn struct {
	server *Server
	ctx    context.Context
	cancel context.CancelFunc
	info   *message.Conn
	io     *netio.Conn
	in     netio.Reader
	state  atomic.Int32

	req  message.Request
	body body
	resp writer

	// last is set when the connection must not carry another request: the client
	// asked so, the server drains, or what follows in the stream is not known.
	last bool
}

// States of a connection, as drain sees them.
const (
	idle   int32 = iota // between requests: may be ended at once
	active              // in an exchange
	ending              // told to end
)

func newConn(s *Server, ctx context.Context, cancel context.CancelFunc, nc net.Conn, info *message.Conn) *conn {
	c := &conn{server: s, ctx: ctx, cancel: cancel, info: info, io: netio.NewConn(nc)}
	c.in.Reset(c.io)
	c.body.conn = c
	c.resp.conn = c
	c.req.Conn = info
	c.req.Gone = c.io.Gone
	return c
}

// drain makes the connection end at the next occasion. It is called from other
// goroutines.
func (c *conn) drain() {
	if c.state.Swap(ending) == idle {
		c.io.Kick()
	}
}

// serve runs the connection to its end.
func (c *conn) serve() (err error) {
	defer c.io.Close()
	defer c.in.Drop()
	for {
		if err = c.await(); err != nil {
			if err == io.EOF || err == netio.ErrKicked || netio.IsTimeout(err) {
				return nil
			}
			return err
		}
		if err = c.readHead(); err != nil {
			return c.refuse(err)
		}
		if err = c.exchange(); err != nil {
			return err
		}
		if c.last {
			c.linger()
			return nil
		}
	}
}

// await waits for the first bytes of a request, holding no buffer meanwhile.
func (c *conn) await() error {
	if len(c.in.Buffered()) == 0 {
		if !c.state.CompareAndSwap(active, idle) && c.state.Load() == ending {
			return netio.ErrKicked
		}
		c.io.SetReadDeadline(netio.Now().Add(c.server.timeouts.Idle))
		if err := c.io.Await(&c.in); err != nil {
			return err
		}
	}
	if !c.state.CompareAndSwap(idle, active) && c.state.Load() == ending {
		// The request crossed the drain's decision to end an idle connection. It was
		// not acted upon, so the client may repeat it elsewhere.
		return netio.ErrKicked
	}
	return nil
}

// exchange runs the handler for the request that was read, and completes its response.
func (c *conn) exchange() error {
	c.handle()
	if err := c.resp.finish(); err != nil {
		c.last = true
		return err
	}
	if c.resp.head == handedOver {
		c.last = true
		return nil
	}
	if !c.last {
		c.last = !c.body.discard()
	}
	if c.state.Load() == ending {
		c.last = true
	}
	return nil
}

// handle calls the handler and survives its panic.
func (c *conn) handle() {
	defer func() {
		v := recover()
		if v == nil {
			return
		}
		c.last = true
		c.server.Logger.Error("handler panicked", "panic", fmt.Sprint(v), "stack", string(debug.Stack()))
		c.resp.panicked()
	}()
	c.server.Handler.Serve(c.ctx, &c.req, &c.resp)
}

// linger lets the client read the last answer before the connection is closed. Closing
// a socket with unread input resets it, and a reset destroys what the client has not
// read yet (RFC 9112 section 9.6).
func (c *conn) linger() {
	if c.resp.head == handedOver || c.io.Gone() || c.body.done() && len(c.in.Buffered()) == 0 && c.io.Quiet() {
		return
	}
	if c.io.CloseWrite() != nil {
		return
	}
	const limit, patience = 256 << 10, 2 * time.Second
	c.in.Drop()
	c.io.SetReadDeadline(netio.Now().Add(patience))
	for n := 0; n < limit; {
		if c.in.Fill(netio.Small) != nil {
			return
		}
		n += len(c.in.Buffered())
		c.in.Discard(len(c.in.Buffered()))
	}
}

// refuse ends the connection because of err, which came from reading a head. Where the
// client can be told, it is.
func (c *conn) refuse(err error) error {
	var e *wire.Error
	switch {
	case errors.As(err, &e):
	case netio.IsTimeout(err):
		e = errHeadTimeout
	default:
		c.tell(0, "connection ended in the middle of a head")
		return err
	}
	c.tell(e.Status, e.Reason)
	c.last = true
	if werr := c.resp.refusal(e); werr != nil {
		return werr
	}
	c.linger()
	return err
}

func (c *conn) tell(status int, reason string) {
	if c.server.Refused != nil {
		c.server.Refused(c.info, status, reason)
	}
}
