package netio

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"time"
)

// A Conn is a connection with lazily armed deadlines. Setting a deadline only stores
// it; the timer in the runtime is touched when it would fire too late, or has fired
// too early. A connection that is busy re-arms about once per timeout instead of
// several times per request.
type Conn struct {
	// WriteSlack is how much later than asked a write deadline may fire. NewConn sets
	// 30 s: the larger it is, the more rarely a timer is touched.
	WriteSlack time.Duration

	nc     net.Conn
	sock   syscall.RawConn // of the socket at the bottom; nil when there is none to be had
	plain  bool            // nc is the socket itself
	under  *Socket         // what TLS runs on, if that is one
	hold   bool            // under may hold what was written
	last   bool            // under is to hold what is written
	kicked atomic.Bool
	killed atomic.Bool

	readBy, readArmed Time
	writeArmed        Time

	one  [1]byte // first byte of a TLS record awaited without a buffer
	vec  [2][]byte
	vecs net.Buffers

	// Closures for the raw socket, made once, and what they work on.
	await func(fd uintptr) bool
	swap  func(fd uintptr) bool
	peek  func(fd uintptr)
	read  func(fd uintptr) bool
	write func(fd uintptr) bool
	polled
	stepped bool // step has returned true before
	into    *Reader
	step    func() bool
	out     []byte
	got     int
	wrote   int
	err     error
	dst     []byte
	src     []byte
	wrErr   error
}

// NewConn returns a Conn over nc, which is a TCP or Unix socket, a *tls.Conn whose
// handshake is done, or anything else that is a net.Conn.
func NewConn(nc net.Conn) *Conn {
	c := &Conn{WriteSlack: 30 * time.Second}
	c.Reset(nc)
	return c
}

// Reset makes c a Conn over nc.
func (c *Conn) Reset(nc net.Conn) {
	c.nc = nc
	c.sock, c.plain, c.stepped = nil, false, false
	c.under, c.hold, c.last = nil, false, false
	bottom := nc
	if t, ok := nc.(*tls.Conn); ok {
		bottom = t.NetConn()
	}
	// Only the real sockets: a wrapper that embeds one may hold bytes that it read ahead.
	switch s := bottom.(type) {
	case *net.TCPConn:
		c.sock, _ = s.SyscallConn()
	case *net.UnixConn:
		c.sock, _ = s.SyscallConn()
	case *Socket:
		c.sock = s.raw
		c.under, c.hold = s, true // it may hold the end of the handshake
		return
	}
	c.plain = c.sock != nil && bottom == nc
}

// NetConn returns the connection underneath.
func (c *Conn) NetConn() net.Conn { return c.nc }

// Plain reports whether the connection is a bare socket: writing several buffers
// is one system call and needs no copy.
func (c *Conn) Plain() bool { return c.plain }

// ErrKicked is returned by reads after Kick, and by everything after Kill.
var ErrKicked = errors.New("connection was asked to end")

// ErrTimeout is returned when a deadline has passed.
var ErrTimeout = os.ErrDeadlineExceeded

// IsTimeout reports whether err is a deadline that passed.
func IsTimeout(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }

// SetReadDeadline makes reads fail with ErrTimeout from t on; zero means never.
func (c *Conn) SetReadDeadline(t Time) { c.readBy = t }

// Kick makes the current and all later reads and waits return ErrKicked. It may be
// called from any goroutine.
func (c *Conn) Kick() {
	c.kicked.Store(true)
	c.nc.SetReadDeadline(time.Unix(1, 0))
}

// Kill makes all reading and writing fail from now on. It may be called from any
// goroutine and does not wait for the one that owns the connection, as Close would.
func (c *Conn) Kill() {
	c.kicked.Store(true)
	c.killed.Store(true)
	c.nc.SetDeadline(time.Unix(1, 0))
}

// Close closes the connection. It may be called from any goroutine.
func (c *Conn) Close() error { return c.nc.Close() }

// Last announces that the next Write is the last one, so that over TLS it leaves
// together with the alert that CloseWrite or End sends.
func (c *Conn) Last() {
	if c.under != nil {
		c.under.Hold()
		c.hold, c.last = true, true
	}
}

// End closes the connection in an orderly way. Unlike Close it belongs to the owner alone.
func (c *Conn) End() error {
	if c.last {
		c.CloseWrite()
	}
	return c.nc.Close()
}

// Break closes the connection so that the peer sees it reset, and over TLS no orderly
// end.
func (c *Conn) Break() error {
	bottom := c.nc
	if t, ok := bottom.(*tls.Conn); ok {
		bottom = t.NetConn()
	}
	if c.under != nil {
		bottom = c.under.Conn // what is held is not sent
	}
	if t, ok := bottom.(interface{ SetLinger(int) error }); ok {
		t.SetLinger(0)
	}
	return bottom.Close()
}

// CloseWrite tells the peer that nothing more comes, and leaves reading open.
func (c *Conn) CloseWrite() error {
	h, ok := c.nc.(interface{ CloseWrite() error })
	if !ok {
		return errors.ErrUnsupported
	}
	err := h.CloseWrite()
	if !c.hold || err != nil {
		return err
	}
	// TLS leaves a write deadline behind that has passed.
	c.hold, c.last = false, false
	c.under.SetWriteDeadline(max(c.writeArmed, Now().Add(closeTimeout)).wall())
	if c.killed.Load() {
		return ErrKicked
	}
	return c.under.Release()
}

// closeTimeout is the least time that a peer has to take the end of a connection.
const closeTimeout = 5 * time.Second

// armRead makes sure that a read ends no later than readBy.
func (c *Conn) armRead() error {
	if c.readBy == c.readArmed || (c.readArmed != 0 && c.readBy != 0 && c.readArmed < c.readBy) {
		return nil // fires in time, or early and is then armed again
	}
	return c.rearmRead()
}

func (c *Conn) rearmRead() error {
	c.readArmed = c.readBy
	var t time.Time
	if c.readBy != 0 {
		t = c.readBy.wall()
	}
	if err := c.nc.SetReadDeadline(t); err != nil {
		return err
	}
	if c.kicked.Load() { // Kick came in between: its deadline must win
		c.nc.SetReadDeadline(time.Unix(1, 0))
		return ErrKicked
	}
	return nil
}

// tooEarly reports whether err is a deadline that was armed for an earlier moment than
// the one that now counts; it has then been armed again and the caller repeats its call.
func (c *Conn) tooEarly(err *error) bool {
	if !IsTimeout(*err) {
		return false
	}
	if c.kicked.Load() {
		*err = ErrKicked
		return false
	}
	if c.readBy != 0 && Now() >= c.readBy {
		return false
	}
	if e := c.rearmRead(); e != nil {
		*err = e
		return false
	}
	return true
}

// Read reads within the read deadline.
func (c *Conn) Read(p []byte) (int, error) {
	if err := c.armRead(); err != nil {
		return 0, err
	}
	for {
		var n int
		var err error
		if c.plain {
			n, err = c.readSocket(p)
		} else {
			n, err = c.nc.Read(p)
		}
		if n > 0 || err == nil || !c.tooEarly(&err) {
			return n, err
		}
	}
}

// Await waits until there is something to read and reads it into b, which must be
// empty. While it waits, b holds no buffer.
//
// On a plain socket, step is called with what was read. When it returns true, having
// emptied b, Await goes on waiting: the socket is then not asked for input that
// cannot be there, which saves a system call per request. Otherwise Await returns nil.
// step must not read from the connection nor close it; it may write. On other
// connections step is not called.
func (c *Conn) Await(b *Reader, step func() bool) error {
	b.Release()
	if err := c.armRead(); err != nil {
		return err
	}
	for {
		var err error
		if c.plain {
			err = c.awaitSocket(b, step)
		} else if err = c.awaitByte(b); err == errQuiet {
			if err = c.rearmRead(); err == nil { // what is armed has fired
				err = c.under.awaitInput()
			}
			if err == nil {
				continue
			}
		}
		if err == nil || !c.tooEarly(&err) {
			return err
		}
	}
}

// settleAfter is how long a TLS connection waits for input inside crypto/tls. Then it is
// quiet, and waits on its socket.
var settleAfter = 2 * time.Second // shorter in tests

// awaitByte waits with a buffer of one byte, as it must when something lies between us
// and the socket. The rest of a TLS record stays with the TLS connection, which holds
// its encrypted form anyway, and comes with the next read.
//
// A read inside crypto/tls takes a stack of 8 KiB for as long as it waits, the wait on a socket
// half of that: every frame between is counted, so Await has it. But input may already be inside,
// where nothing tells of it: only a read that ended for want of time has shown that
// there is none. awaitByte then returns errQuiet.
func (c *Conn) awaitByte(b *Reader) error {
	if c.under == nil {
		return c.readByte(b)
	}
	by := c.readBy
	soon := Now().Add(settleAfter)
	if by != 0 && by <= soon {
		return c.readByte(b)
	}
	c.readBy = soon
	err := c.readByte(b)
	c.readBy = by
	if err != nil && IsTimeout(err) {
		return errQuiet
	}
	return err
}

var errQuiet = errors.New("no input for a while")

func (c *Conn) readByte(b *Reader) error {
	n, err := c.Read(c.one[:])
	if n == 0 {
		if err == nil {
			err = io.ErrNoProgress
		}
		return err
	}
	b.Space(Small)[0] = c.one[0]
	b.Wrote(1)
	return nil
}

// armWrite makes sure that a write that begins now ends by t or somewhat
// later. A write deadline must not fire early: it would leave a TLS connection unusable.
func (c *Conn) armWrite(t Time) error {
	if c.writeArmed >= t && c.writeArmed <= t.Add(c.WriteSlack) {
		return nil
	}
	c.writeArmed = t.Add(c.WriteSlack)
	if err := c.nc.SetWriteDeadline(c.writeArmed.wall()); err != nil {
		return err
	}
	if c.killed.Load() { // Kill came in between: its deadline must win
		c.nc.SetWriteDeadline(time.Unix(1, 0))
		return ErrKicked
	}
	return nil
}

// Write writes p and gives up between by and WriteSlack later.
func (c *Conn) Write(p []byte, by Time) (int, error) {
	if err := c.armWrite(by); err != nil {
		return 0, err
	}
	if c.plain {
		return c.writeSocket(p)
	}
	n, err := c.nc.Write(p)
	return n, c.release(err)
}

// release sends what a write that ended with err has left below TLS.
func (c *Conn) release(err error) error {
	if c.hold && !c.last && err == nil {
		c.hold = false
		err = c.under.Release()
	}
	return err
}

// WriteTwo writes a and then b, in one system call on a plain socket.
func (c *Conn) WriteTwo(a, b []byte, by Time) (int, error) {
	if err := c.armWrite(by); err != nil {
		return 0, err
	}
	c.vec[0], c.vec[1] = a, b
	c.vecs = c.vec[:]
	n, err := c.vecs.WriteTo(c.nc)
	c.vec[0], c.vec[1], c.vecs = nil, nil, nil
	return int(n), c.release(err)
}
