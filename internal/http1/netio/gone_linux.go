package netio

import "golang.org/x/sys/unix"

// Gone reports, without blocking, whether the peer has closed its sending side or reset
// the connection, be there unread input before that or not. A TLS peer leaves its close
// alert unread, so looking for the end of the input would not do.
func (c *Conn) Gone() bool {
	if c.sock == nil {
		return false
	}
	if c.hup == nil {
		c.hup = func(fd uintptr) {
			c.poll[0] = unix.PollFd{Fd: int32(fd), Events: unix.POLLRDHUP}
			_, c.err = unix.Poll(c.poll[:], 0)
		}
	}
	if err := c.sock.Control(c.hup); err != nil {
		return true
	}
	return c.err == nil && c.poll[0].Revents&(unix.POLLRDHUP|unix.POLLHUP|unix.POLLERR|unix.POLLNVAL) != 0
}

// polled is what Gone works on.
type polled struct {
	hup  func(fd uintptr) // made once
	poll [1]unix.PollFd
}
