//go:build unix

package netio

import (
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// A Socket is the connection that TLS runs on. It differs from the net.Conn that it is
// made of in three ways.
//
// It can hold back what is written until there is a reason to send it, so that what TLS
// writes in small parts (a session ticket, an answer, the alert at the end) leaves in
// one system call. A Read that finds no input sends what is held before it waits, so
// the peer never waits for it.
//
// Deadlines cost nothing until something has to wait.
//
// Reading and writing do not announce themselves to the scheduler; see readNow.
//
// One goroutine at a time may read and one write. Everything else may be called from any.
type Socket struct {
	net.Conn
	raw     syscall.RawConn
	in, out half

	dst    []byte // where a Read puts what comes
	got    int
	inErr  error // how tryRead ended
	readFn func(fd uintptr) bool
	// inputFn is made when a connection is quiet for the first time.
	inputFn func(fd uintptr) bool

	mu      sync.Mutex // held while writing; guards what follows
	hold    bool
	held    []byte // pooled; what waits to be sent
	src     []byte // what is being sent
	outErr  error  // how tryWrite ended; sticks, since part of a record may have left
	writeFn func(fd uintptr) bool

	some atomic.Bool // there is something in held
}

// maxHeld is how many bytes are held at most.
const maxHeld = Small

// NewSocket returns a Socket over a TCP or Unix connection that has no deadlines, or nil
// when nc is something else. It holds nothing back before Hold.
func NewSocket(nc net.Conn) *Socket {
	raw := rawOf(nc)
	if raw == nil {
		return nil
	}
	s := &Socket{Conn: nc, raw: raw}
	s.in.set, s.out.set = nc.SetReadDeadline, nc.SetWriteDeadline
	s.readFn, s.writeFn = s.tryRead, s.tryWrite
	return s
}

// rawOf gives access to a real socket; nil for wrappers, which may hold bytes that they
// have read ahead.
func rawOf(nc net.Conn) (raw syscall.RawConn) {
	switch c := nc.(type) {
	case *net.TCPConn:
		raw, _ = c.SyscallConn()
	case *net.UnixConn:
		raw, _ = c.SyscallConn()
	case *accepted:
		raw = c.raw
	}
	return raw
}

// Hold lets Write keep small amounts until Release.
func (s *Socket) Hold() {
	s.mu.Lock()
	s.hold = true
	s.mu.Unlock()
}

// Release ends Hold and sends what was held, within the write deadline.
func (s *Socket) Release() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hold = false
	return s.flush()
}

// flush sends what is held. s.mu is held.
func (s *Socket) flush() error {
	if len(s.held) == 0 {
		return nil
	}
	b := s.held
	s.held = nil
	s.some.Store(false)
	_, err := s.send(b)
	PutBuffer(b)
	return err
}

// Write sends p, or keeps it while holding: then its errors are those of a later call.
func (s *Socket) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.hold && len(s.held)+len(p) <= maxHeld && s.outErr == nil {
		if s.held == nil {
			s.held = GetBuffer(maxHeld)[:0]
		}
		s.held = append(s.held, p...)
		s.some.Store(true)
		return len(p), nil
	}
	if err := s.flush(); err != nil {
		return 0, err
	}
	return s.send(p)
}

// send writes p within the deadline. s.mu is held.
func (s *Socket) send(p []byte) (int, error) {
	if s.outErr != nil {
		return 0, s.outErr
	}
	s.src = p
	err := s.out.run(s.raw.Write, s.writeFn)
	n := len(p) - len(s.src)
	s.src = nil
	if s.outErr == nil {
		s.outErr = err
	}
	return n, s.outErr
}

func (s *Socket) tryWrite(fd uintptr) bool {
	for len(s.src) > 0 {
		n, err := writeNow(fd, s.src)
		s.src = s.src[n:]
		switch err {
		case nil, syscall.EINTR:
		case syscall.EAGAIN:
			s.out.arm()
			return false
		default:
			s.outErr = os.NewSyscallError("write", err)
			return true
		}
	}
	return true
}

// Read reads what has come, or waits for it within the read deadline.
func (s *Socket) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	s.dst, s.got, s.inErr = p, 0, nil
	err := s.in.run(s.raw.Read, s.readFn)
	s.dst = nil
	if err == nil {
		err = s.inErr
	}
	return s.got, err
}

func (s *Socket) tryRead(fd uintptr) bool {
	for {
		n, err := readNow(fd, s.dst)
		switch {
		case err == syscall.EINTR:
			continue
		case err == syscall.EAGAIN:
			return !s.beforeWait()
		case err != nil:
			s.inErr = os.NewSyscallError("read", err)
		case n == 0:
			s.inErr = io.EOF
		}
		s.got = n
		return true
	}
}

// awaitInput waits within the read deadline until there is input, or the peer has closed the
// connection, and reads nothing.
func (s *Socket) awaitInput() error {
	s.inErr = nil
	if s.inputFn == nil {
		s.inputFn = s.hasInput
	}
	if err := s.in.run(s.raw.Read, s.inputFn); err != nil {
		return err
	}
	return s.inErr
}

func (s *Socket) hasInput(fd uintptr) bool {
	var one [1]byte
	_, err := peekNow(fd, one[:])
	for err == syscall.EINTR {
		_, err = peekNow(fd, one[:])
	}
	return err != syscall.EAGAIN || !s.beforeWait() // a failure is told by the next read
}

// beforeWait does what must be done before a Read waits. It is false when the wait is
// not worth while. Input that comes meanwhile ends the wait at once.
func (s *Socket) beforeWait() bool {
	if s.some.Load() {
		s.mu.Lock()
		err := s.flush()
		s.mu.Unlock()
		if err != nil {
			// Not wrapped: a write that timed out is no timeout of the reader's.
			s.inErr = fmt.Errorf("sending what was held: %v", err)
			return false
		}
	}
	s.in.arm()
	return true
}

// Close closes the connection. What is held is sent if that needs no waiting.
func (s *Socket) Close() error {
	if s.some.Load() && s.mu.TryLock() {
		if len(s.held) > 0 && s.outErr == nil {
			s.raw.Control(func(fd uintptr) { writeNow(fd, s.held) })
		}
		PutBuffer(s.held)
		s.held, s.outErr = nil, net.ErrClosed
		s.some.Store(false)
		s.mu.Unlock()
	}
	return s.Conn.Close()
}

// SetDeadline implements net.Conn.
func (s *Socket) SetDeadline(t time.Time) error {
	s.in.setDeadline(t)
	s.out.setDeadline(t)
	return nil
}

// SetReadDeadline implements net.Conn.
func (s *Socket) SetReadDeadline(t time.Time) error {
	s.in.setDeadline(t)
	return nil
}

// SetWriteDeadline implements net.Conn. What is held is not sent for it.
func (s *Socket) SetWriteDeadline(t time.Time) error {
	s.out.setDeadline(t)
	return nil
}

// A half is the deadline of one direction. It is put into force on the connection below
// when somebody waits.
type half struct {
	set func(time.Time) error // of the connection below
	by  atomic.Int64          // a Time

	mu      sync.Mutex
	armed   Time // what the connection below has
	waiting bool
}

func (h *half) setDeadline(t time.Time) {
	var by Time
	if !t.IsZero() {
		by = At(t)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.by.Store(int64(by))
	if h.waiting {
		h.put(by)
	}
}

// arm puts the deadline into force before a wait.
func (h *half) arm() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.waiting = true
	h.put(Time(h.by.Load()))
}

// put sets the deadline of the connection below. h.mu is held. It fails when the
// connection is closed, and the wait then fails by itself.
func (h *half) put(by Time) {
	if by == h.armed {
		return
	}
	h.armed = by
	var t time.Time
	if by != 0 {
		t = by.wall()
	}
	h.set(t)
}

// run calls op, which is Read or Write of the raw connection, with f. It repeats that
// when an earlier deadline than the one that counts has ended it.
func (h *half) run(op func(func(uintptr) bool) error, f func(uintptr) bool) error {
	for {
		if by := Time(h.by.Load()); by != 0 && Now() >= by {
			return ErrTimeout
		}
		err := op(f)
		if err == nil && !h.waiting { // only arm, on this goroutine, makes it true
			return nil
		}
		h.mu.Lock()
		h.waiting = false
		early := err != nil && IsTimeout(err) && Time(h.by.Load()) != h.armed
		if early {
			h.put(Time(h.by.Load()))
		}
		h.mu.Unlock()
		if !early {
			return err
		}
	}
}
