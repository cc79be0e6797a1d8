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

	// What serveBuffered left for serve to go on with.
	step    func() bool // c.serveBuffered, made once
	parsed  bool        // the head of a request was read
	headErr error       // reading it failed
	sendErr error       // sending a response failed

	broken bool // the client must see that the response is not complete

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
	c.step = c.serveBuffered
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
	defer c.close()
	for {
		if err = c.await(); err != nil {
			if err == io.EOF || err == netio.ErrKicked || netio.IsTimeout(err) {
				return nil
			}
			return err
		}
		switch {
		case c.headErr != nil:
			return c.refuse(c.headErr)
		case c.sendErr != nil:
			return c.sendErr
		case c.last && !c.parsed: // serveBuffered answered the last request
			c.linger()
			return nil
		case !c.parsed:
			if err = c.readHead(); err != nil {
				return c.refuse(err)
			}
		}
		c.parsed = false
		if err = c.exchange(); err != nil {
			return err
		}
		if c.last {
			c.linger()
			return nil
		}
	}
}

// serveBuffered serves the requests that are in the buffer with all that belongs to
// them, and reports whether nothing is left and the connection is idle again. It is
// called while the socket is waited on and must not read from it.
func (c *conn) serveBuffered() bool {
	for {
		if !c.activate() {
			c.last = true
			return false
		}
		end, _, err := wire.HeadEnd(c.in.Buffered(), 0)
		if err != nil || end == 0 {
			return false
		}
		if c.headErr = c.readHead(); c.headErr != nil {
			return false
		}
		if c.resp.mayUpgrade || !c.body.buffered() {
			c.parsed = true
			return false
		}
		if c.sendErr = c.exchange(); c.last || c.sendErr != nil {
			return false
		}
		if len(c.in.Buffered()) == 0 {
			return c.idle()
		}
	}
}

// fail makes the connection unusable and its end a reset. Closing it is left to serve,
// as it might be waited on.
func (c *conn) fail() {
	c.last, c.broken = true, true
	c.io.Kill()
}

// close gives everything back.
func (c *conn) close() {
	c.in.Drop()
	if c.broken {
		c.io.Break()
	} else {
		c.io.End()
	}
}

// await waits for the first bytes of a request, holding no buffer meanwhile. Requests
// that can be served on the spot are.
func (c *conn) await() error {
	if len(c.in.Buffered()) == 0 {
		if !c.idle() {
			return netio.ErrKicked
		}
		if err := c.io.Await(&c.in, c.step); err != nil {
			return err
		}
	}
	if !c.activate() {
		// The request crossed the drain's decision to end an idle connection. It was
		// not acted upon, so the client may repeat it elsewhere.
		return netio.ErrKicked
	}
	return nil
}

// idle begins the wait between two requests. It is false when the connection must end.
func (c *conn) idle() bool {
	if !c.state.CompareAndSwap(active, idle) && c.state.Load() == ending {
		return false
	}
	c.forget()
	c.io.SetReadDeadline(netio.Now().Add(c.server.timeouts.Idle))
	return true
}

// forget drops what the last request holds on to: an idle connection keeps no head, and
// no array made for an unusually long one.
func (c *conn) forget() {
	clear(c.req.Header)
	if c.req.Header = c.req.Header[:0]; cap(c.req.Header) > 32 {
		c.req.Header = nil
	}
	c.req.Method, c.req.Target, c.req.Path, c.req.RawQuery, c.req.Host = "", "", "", "", ""
	c.req.Trailer, c.body.chunked.Trailer, c.resp.trailer = nil, nil, nil
}

// activate ends the wait. It is false when the connection was told to end before.
func (c *conn) activate() bool {
	return c.state.CompareAndSwap(idle, active) || c.state.Load() == active
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
	if c.resp.head == handedOver || c.body.done() && len(c.in.Buffered()) == 0 && c.io.Quiet() || c.io.Gone() {
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
