package http1

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"

	"gatehouse/internal/message"
)

// A Server answers HTTP/1 requests on connections that it is given. Its fields must
// not be changed once ServeConn was called.
type Server struct {
	Handler  message.Handler
	Limits   Limits
	Timeouts Timeouts

	// Logger gets what an operator must know: panics of the handler. Nil means
	// slog.Default.
	Logger *slog.Logger

	// Refused, when set, is told of every request that the engine answered itself or
	// dropped: with status 0 when the connection just ended in the middle of a head.
	// reason holds nothing that the client sent. It is called on the goroutine of
	// the connection.
	Refused func(conn *message.Conn, status int, reason string)

	// Answer, when set, gives header fields for those answers, request ids for example.
	Answer func(conn *message.Conn, status int) message.Header

	once     sync.Once
	limits   Limits
	timeouts Timeouts

	mu       sync.Mutex
	conns    map[*conn]struct{}
	draining bool
	empty    chan struct{} // closed when draining and no connection is left
}

// ErrDraining is returned by ServeConn when Drain was called before.
var ErrDraining = errors.New("server is draining")

func (s *Server) init() {
	s.once.Do(func() {
		s.limits = s.Limits.WithDefaults()
		s.timeouts = s.Timeouts.WithDefaults()
		s.conns = make(map[*conn]struct{})
		s.empty = make(chan struct{})
		if s.Logger == nil {
			s.Logger = slog.Default()
		}
	})
}

// ServeConn serves nc until it ends, and closes it. nc is a socket or a *tls.Conn whose
// handshake is done. info describes it; the engine hands it to the handler with every
// request and does not change it. Handlers get a context derived from ctx.
//
// The error is nil when the connection ended between two requests, by whichever side.
func (s *Server) ServeConn(ctx context.Context, nc net.Conn, info *message.Conn) error {
	s.init()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	c := newConn(s, ctx, cancel, nc, info)
	if !s.enter(c) {
		nc.Close()
		return ErrDraining
	}
	defer s.leave(c)
	return c.serve()
}

func (s *Server) enter(c *conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.draining {
		return false
	}
	s.conns[c] = struct{}{}
	return true
}

func (s *Server) leave(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
	if s.draining && len(s.conns) == 0 {
		close(s.empty)
	}
}

// Count returns how many connections are being served.
func (s *Server) Count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

// Drain ends all connections in an orderly way: idle ones at once, the others after
// the exchange they are in, whose answer says "Connection: close". Connections that
// come later are closed. Drain returns when none is left; when ctx ends before, the
// contexts of the remaining handlers end, their connections fail, and the error
// of ctx is returned without waiting for them. Drain may be called once.
func (s *Server) Drain(ctx context.Context) error {
	s.init()
	s.mu.Lock()
	s.draining = true
	for c := range s.conns {
		c.drain()
	}
	if len(s.conns) == 0 {
		close(s.empty)
	}
	s.mu.Unlock()

	select {
	case <-s.empty:
		return nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	for c := range s.conns {
		c.cancel()
		c.io.Kill()
	}
	s.mu.Unlock()
	return ctx.Err()
}
