//go:build unix

package netio

import (
	"io"
	"syscall"
)

// awaitSocket reads from the socket into b, which gets a buffer only for as long as
// an attempt takes. The runtime tells only of input that comes after the call, so
// there is always one attempt before the wait.
func (c *Conn) awaitSocket(b *Reader) error {
	if c.await == nil {
		c.await = c.tryRead
	}
	c.into = b
	if err := c.sock.Read(c.await); err != nil {
		return err
	}
	if c.err == nil && c.got == 0 {
		return io.EOF
	}
	return c.err
}

// tryRead reads once from the socket fd; it returns false when there is nothing.
func (c *Conn) tryRead(fd uintptr) bool {
	room := c.into.Space(Small)
	c.got, c.err = syscall.Read(int(fd), room)
	for c.err == syscall.EINTR {
		c.got, c.err = syscall.Read(int(fd), room)
	}
	if c.err == syscall.EAGAIN {
		c.into.Release()
		return false
	}
	if c.err == nil {
		c.into.Wrote(c.got)
	}
	return true
}

// Gone reports, without blocking, whether the peer has closed or reset the connection.
// On a plain socket it sees a close only when the input before it has been read. On
// TLS a pending close alert does not count yet, the close of the socket does.
func (c *Conn) Gone() bool {
	return c.look() == lookClosed
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
			n, _, err := syscall.Recvfrom(int(fd), c.one[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
			c.got, c.err = n, err
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
