//go:build !linux

package netio

import (
	"net"
	"syscall"
)

// Accepting returns ln on this system.
func Accepting(ln net.Listener) (net.Listener, error) { return ln, nil }

// accepted is made on Linux only.
type accepted struct {
	net.Conn
	raw syscall.RawConn
}
