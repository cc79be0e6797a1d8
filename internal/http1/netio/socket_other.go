//go:build !unix

package netio

import "errors"

func (c *Conn) awaitSocket(b *Reader, _ func() bool) error { return c.awaitByte(b) }

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
