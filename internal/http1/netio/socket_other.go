//go:build !unix

package netio

func (c *Conn) awaitSocket(b *Reader) error { return c.awaitByte(b) }

// Gone reports whether the peer is known to have closed the connection; on this
// system that is found out only by reading.
func (c *Conn) Gone() bool { return false }

// Quiet reports whether the connection may be reused, as far as this system can tell
// without reading.
func (c *Conn) Quiet() bool { return true }
