//go:build unix

package netio

import (
	"errors"
	"io"
	"syscall"
	"time"
)

// awaitSocket reads from the socket into b, which gets a buffer only for as long as
// an attempt takes. The runtime tells only of input that comes after the call, so
// there is always one attempt before the first wait.
func (c *Conn) awaitSocket(b *Reader, step func() bool) error {
	if c.await == nil {
		c.await = c.tryAwait
	}
	c.into, c.step = b, step
	err := c.sock.Read(c.await)
	c.step = nil
	if err != nil {
		return err
	}
	return c.err
}

// tryAwait reads from the socket fd and steps until it must wait (false) or the caller
// of Await must act (true).
func (c *Conn) tryAwait(fd uintptr) bool {
	for {
		size := c.tryRead(fd)
		if c.err == syscall.EAGAIN {
			c.into.Release()
			return false
		}
		if c.err != nil {
			return true
		}
		got := c.got
		more := c.step() // which may use got and err for looks at the connection
		if c.err = nil; !more {
			return true
		}
		known := c.stepped
		c.stepped = true
		if c.err = c.armCheck(known); c.err != nil {
			return true
		}
		if known && got < size {
			c.into.Release()
			return false
		}
	}
}

// checkAfter is how long the end of a peer's sending side may go unnoticed.
const checkAfter = time.Second

// armCheck arms the read deadline for the next wait. After a read that did not fill its
// buffer the socket was empty, and what comes wakes us; but the peer may have
// closed its side just behind those bytes, and that news has been used up with theirs. Peers
// that do so mostly send one request, so after the first step of a connection it is
// found out by another read, and later ones, when unsure, by one after checkAfter.
func (c *Conn) armCheck(unsure bool) error {
	by := c.readBy
	if soon := Now().Add(checkAfter); unsure && (by == 0 || soon < by) {
		c.readBy = soon
	}
	err := c.armRead()
	c.readBy = by
	return err
}

// tryRead reads once from the socket fd into c.into, leaving the outcome in got and err.
// It returns how much could have been read.
func (c *Conn) tryRead(fd uintptr) (size int) {
	room := c.into.Space(Small)
	c.got, c.err = readNow(fd, room)
	for c.err == syscall.EINTR {
		c.got, c.err = readNow(fd, room)
	}
	switch {
	case c.err != nil:
	case c.got == 0:
		c.err = io.EOF
	default:
		c.into.Wrote(c.got)
	}
	return len(room)
}

// ErrStale is returned by Swap when the connection was closed, or spoken on, before
// anything was written.
var ErrStale = errors.New("idle connection is not quiet any more")

// Swap writes out and waits for the answer, the beginning of which it reads into b: a
// look at the connection, the write and the read are all the system calls it takes. It
// works on plain sockets only. wrote may be less than all of out when the socket's
// buffer is full; err is then nil and nothing was read. A wait that ends early is
// reported as nil, too: the caller goes on with Write and Read.
func (c *Conn) Swap(out []byte, b *Reader) (wrote int, err error) {
	if c.swap == nil {
		c.swap = c.trySwap
	}
	if err := c.armRead(); err != nil {
		return 0, err
	}
	c.into, c.out, c.wrote = b, out, -1
	err = c.sock.Read(c.swap)
	c.out = nil
	wrote = max(c.wrote, 0)
	switch {
	case err != nil && c.wrote < 0 && c.tooEarly(&err):
		return c.Swap(out, b) // the deadline had passed before the first look
	case IsTimeout(err) && c.wrote >= 0:
		return wrote, nil
	case err != nil:
		return wrote, err
	}
	return wrote, c.err
}

func (c *Conn) trySwap(fd uintptr) bool {
	c.tryRead(fd)
	if c.wrote >= 0 {
		if c.err == syscall.EAGAIN {
			c.into.Release()
			return false
		}
		return true
	}
	if c.err != syscall.EAGAIN {
		c.err = ErrStale
		return true
	}
	c.wrote, c.err = writeNow(fd, c.out)
	for c.err == syscall.EINTR {
		c.wrote, c.err = writeNow(fd, c.out)
	}
	c.wrote = max(c.wrote, 0)
	if c.err == syscall.EAGAIN {
		c.err = nil
	}
	return c.err != nil || c.wrote < len(c.out)
}

// readSocket is Read on a plain socket.
func (c *Conn) readSocket(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if c.read == nil {
		c.read = func(fd uintptr) bool {
			for {
				if c.got, c.err = readNow(fd, c.dst); c.err != syscall.EINTR {
					return c.err != syscall.EAGAIN
				}
			}
		}
	}
	c.dst = p
	err := c.sock.Read(c.read)
	c.dst = nil
	switch {
	case err != nil:
		return 0, err
	case c.err != nil:
		return 0, c.err
	case c.got == 0:
		return 0, io.EOF
	}
	return c.got, nil
}

// writeSocket is Write on a plain socket.
func (c *Conn) writeSocket(p []byte) (int, error) {
	if c.write == nil {
		c.write = func(fd uintptr) bool {
			for len(c.src) > 0 {
				n, err := writeNow(fd, c.src)
				c.src = c.src[n:]
				switch err {
				case nil, syscall.EINTR:
				case syscall.EAGAIN:
					return false
				default:
					c.wrErr = err
					return true
				}
			}
			return true
		}
	}
	c.src, c.wrErr = p, nil
	err := c.sock.Write(c.write)
	n := len(p) - len(c.src)
	c.src = nil
	if err == nil {
		err = c.wrErr
	}
	return n, err
}

// Quiet reports whether the connection is open and nothing has come that was not
// read: what an idle upstream connection must be.
func (c *Conn) Quiet() bool {
	return c.look() == lookQuiet
}

type lookResult uint8

const (
	lookQuiet lookResult = iota
	lookInput
	lookClosed
)

func (c *Conn) look() (r lookResult) {
	if c.sock == nil {
		return lookQuiet
	}
	if c.peek == nil {
		c.peek = func(fd uintptr) {
			c.got, c.err = peekNow(fd, c.one[:])
		}
	}
	if err := c.sock.Control(c.peek); err != nil {
		return lookClosed
	}
	switch {
	case c.err == syscall.EAGAIN || c.err == syscall.EINTR:
		return lookQuiet
	case c.err != nil || c.got == 0:
		return lookClosed
	}
	return lookInput
}
