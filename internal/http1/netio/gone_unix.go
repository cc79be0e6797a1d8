//go:build unix && !linux

package netio

// Gone reports, without blocking, whether the peer has closed or reset the connection.
// On this system it sees a close only when the input before it has been read.
func (c *Conn) Gone() bool {
	return c.look() == lookClosed
}

type polled struct{}
