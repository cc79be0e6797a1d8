package netio

import (
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

// Accepting makes connections as ln does, for TLS to run on: Sockets can be made of them.
// Accepting one is not announced to the scheduler either (see readNow), and closing it is
// once for many. It has TCP_NODELAY and no keep-alive probes. Accepting takes ln over,
// and returns it as it is when it is not TCP.
func Accepting(ln net.Listener) (net.Listener, error) {
	t, ok := ln.(*net.TCPListener)
	if !ok {
		return ln, nil
	}
	f, err := t.File()
	if err != nil {
		return nil, fmt.Errorf("listener %s: %w", ln.Addr(), err)
	}
	l := &listener{TCPListener: t, file: f}
	if l.raw, err = f.SyscallConn(); err == nil {
		var set error
		err = l.raw.Control(func(fd uintptr) {
			set = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1) // what it accepts inherits that
		})
		err = errors.Join(err, set)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("listener %s: %w", ln.Addr(), err)
	}
	l.try = l.tryAccept
	if a, ok := t.Addr().(*net.TCPAddr); ok && !a.IP.IsUnspecified() {
		l.local = a
	}
	return l, nil
}

// A listener accepts through a second descriptor of its socket, as Go does not let one
// wait on the first.
type listener struct {
	*net.TCPListener
	file  *os.File
	raw   syscall.RawConn
	local *net.TCPAddr // of all connections; nil when they differ

	mu   sync.Mutex // held by Accept; guards what follows
	try  func(fd uintptr) bool
	fd   uintptr
	from syscall.RawSockaddrAny
	err  syscall.Errno
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.raw.Read(l.try); err != nil {
		return nil, &net.OpError{Op: "accept", Net: "tcp", Addr: l.Addr(), Err: net.ErrClosed} // nothing else ends the wait
	}
	if l.err != 0 {
		return nil, &net.OpError{Op: "accept", Net: "tcp", Addr: l.Addr(), Err: os.NewSyscallError("accept4", l.err)}
	}
	c := &accepted{file: os.NewFile(l.fd, "tcp"), remote: address(&l.from), local: l.local}
	if c.local == nil {
		c.local = localAddress(l.fd)
	}
	var err error
	if c.raw, err = c.file.SyscallConn(); err == nil {
		err = c.file.SetDeadline(time.Time{}) // fails when it could not be made pollable
	}
	if err != nil || c.remote == nil || c.local == nil {
		c.file.Close()
		return nil, &net.OpError{Op: "accept", Net: "tcp", Addr: l.Addr(), Err: errors.Join(err, errors.New("connection cannot be used"))}
	}
	return c, nil
}

func (l *listener) tryAccept(fd uintptr) bool {
	for {
		size := uint32(unsafe.Sizeof(l.from))
		l.fd, _, l.err = syscall.RawSyscall6(syscall.SYS_ACCEPT4, fd, uintptr(unsafe.Pointer(&l.from)), uintptr(unsafe.Pointer(&size)),
			syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0, 0)
		switch l.err {
		case syscall.EINTR, syscall.ECONNABORTED: // the client left before it was accepted
		case syscall.EAGAIN:
			return false
		default:
			return true
		}
	}
}

// Close implements net.Listener.
func (l *listener) Close() error {
	return errors.Join(l.file.Close(), l.TCPListener.Close())
}

// address returns the address in sa, nil when it is of no TCP connection.
func address(sa *syscall.RawSockaddrAny) *net.TCPAddr {
	switch sa.Addr.Family {
	case syscall.AF_INET:
		a := (*syscall.RawSockaddrInet4)(unsafe.Pointer(sa))
		p := (*[2]byte)(unsafe.Pointer(&a.Port))
		return &net.TCPAddr{IP: append(net.IP(nil), a.Addr[:]...), Port: int(p[0])<<8 | int(p[1])}
	case syscall.AF_INET6:
		a := (*syscall.RawSockaddrInet6)(unsafe.Pointer(sa))
		p := (*[2]byte)(unsafe.Pointer(&a.Port))
		return &net.TCPAddr{IP: append(net.IP(nil), a.Addr[:]...), Port: int(p[0])<<8 | int(p[1])}
	}
	return nil
}

func localAddress(fd uintptr) *net.TCPAddr {
	var sa syscall.RawSockaddrAny
	size := uint32(unsafe.Sizeof(sa))
	if _, _, errno := syscall.RawSyscall(syscall.SYS_GETSOCKNAME, fd, uintptr(unsafe.Pointer(&sa)), uintptr(unsafe.Pointer(&size))); errno != 0 {
		return nil
	}
	return address(&sa)
}

// accepted is a connection that a listener made.
type accepted struct {
	file          *os.File
	raw           syscall.RawConn
	local, remote *net.TCPAddr
	abrupt        atomic.Bool // SetLinger was called
	closed        atomic.Bool
}

func (c *accepted) Read(p []byte) (int, error)         { return c.file.Read(p) }
func (c *accepted) Write(p []byte) (int, error)        { return c.file.Write(p) }
func (c *accepted) LocalAddr() net.Addr                { return c.local }
func (c *accepted) RemoteAddr() net.Addr               { return c.remote }
func (c *accepted) SetDeadline(t time.Time) error      { return c.file.SetDeadline(t) }
func (c *accepted) SetReadDeadline(t time.Time) error  { return c.file.SetReadDeadline(t) }
func (c *accepted) SetWriteDeadline(t time.Time) error { return c.file.SetWriteDeadline(t) }

// SyscallConn implements syscall.Conn.
func (c *accepted) SyscallConn() (syscall.RawConn, error) { return c.raw, nil }

// CloseWrite ends sending.
func (c *accepted) CloseWrite() error { return c.shutdown(syscall.SHUT_WR) }

func (c *accepted) shutdown(how uintptr) error {
	var errno syscall.Errno
	if err := c.raw.Control(func(fd uintptr) { _, _, errno = syscall.RawSyscall(syscall.SYS_SHUTDOWN, fd, how, 0) }); err != nil {
		return err
	}
	if errno != 0 {
		return os.NewSyscallError("shutdown", errno)
	}
	return nil
}

// SetLinger is like that of net.TCPConn.
func (c *accepted) SetLinger(sec int) error {
	c.abrupt.Store(true)
	l := syscall.Linger{Onoff: 1, Linger: int32(sec)}
	if sec < 0 {
		l = syscall.Linger{}
	}
	var set error
	err := c.raw.Control(func(fd uintptr) { set = syscall.SetsockoptLinger(int(fd), syscall.SOL_SOCKET, syscall.SO_LINGER, &l) })
	return errors.Join(err, set)
}

// Close ends the connection at once; its descriptor is given back a little later, with
// those of others.
func (c *accepted) Close() error {
	if c.closed.Swap(true) {
		return net.ErrClosed
	}
	if c.abrupt.Load() || c.shutdown(syscall.SHUT_RDWR) != nil {
		return c.file.Close() // to be reset, or reset already by the peer
	}
	graves.add(c.file)
	return nil
}

// graves holds the descriptors that are to be closed.
var graves graveyard

type graveyard struct {
	mu    sync.Mutex
	files []*os.File
}

// Descriptors are closed after buryAfter, or when there are buryAt.
const (
	buryAfter = 10 * time.Millisecond
	buryAt    = 64
)

func (g *graveyard) add(f *os.File) {
	g.mu.Lock()
	g.files = append(g.files, f)
	n := len(g.files)
	g.mu.Unlock()
	switch n {
	case 1:
		time.AfterFunc(buryAfter, g.bury)
	case buryAt:
		g.bury()
	}
}

func (g *graveyard) bury() {
	g.mu.Lock()
	files := g.files
	g.files = nil
	g.mu.Unlock()
	for _, f := range files {
		f.Close()
	}
}
