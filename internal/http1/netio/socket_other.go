//go:build !unix

package netio

import (
	"errors"
	"net"
	"syscall"
)

// A Socket is made on Unix systems only.
type Socket struct {
	net.Conn
	raw syscall.RawConn
}

// NewSocket returns nil on this system.
func NewSocket(net.Conn) *Socket { return nil }

// Hold is not called on this system.
func (s *Socket) Hold() {}

// Release is not called on this system.
func (s *Socket) Release() error { return nil }

func (s *Socket) awaitInput() error { return nil }

func (c *Conn) awaitSocket(b *Reader, _ func() bool) error { return c.awaitByte(b) }

func (c *Conn) readSocket(p []byte) (int, error)  { return c.nc.Read(p) }
func (c *Conn) writeSocket(p []byte) (int, error) { return c.nc.Write(p) }

// ErrStale is returned by Swap.
var ErrStale = errors.New("idle connection is not quiet any more")

// Swap leaves the work to Write and Read on this system.
func (c *Conn) Swap(out []byte, b *Reader) (wrote int, err error) { return 0, nil }

// Gone reports whether the peer is known to have closed the connection; on this
// system that is found out only by reading.
func (c *Conn) Gone() bool { return false }

// Quiet reports whether the connection may be reused, as far as this system can tell
// without reading.
func (c *Conn) Quiet() bool { return true }

type polled struct{}
