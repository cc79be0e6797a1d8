package http2

import (
	"context"
	"errors"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"gatehouse/internal/http1"
	"gatehouse/internal/message"
)

// A Server answers HTTP/2 requests on connections that it is given. Its fields must
// not be changed once ServeConn was called.
type Server struct {
	Handler message.Handler

	// Limits and Timeouts are those of the HTTP/1 engine, with the same defaults and
	// answers. A stream whose client does not take the answer is reset: one that fits
	// into a window six minutes after the request, a longer one at most two Stalls
	// later than the bytes may take. A connection that takes nothing is closed.
	Limits   http1.Limits
	Timeouts http1.Timeouts

	// Streams is how many requests a connection may have open; default 128.
	Streams int

	// Floods bounds the frames that ask for work without being a request.
	Floods Floods

	Logger  *slog.Logger                                        // nil means slog.Default
	Refused func(conn *message.Conn, status int, reason string) // as in http1.Server
	Answer  func(conn *message.Conn, status int) message.Header // as in http1.Server

	once     sync.Once
	limits   http1.Limits
	timeouts http1.Timeouts
	server   *http.Server
	conns    chan net.Conn
	closed   chan struct{}
	ended    chan error
}

// ErrDraining is returned by ServeConn when Drain was called before.
var ErrDraining = errors.New("server is draining")

// answerTime is until when, from its request, a stream's answer must be sent unless its
// writer asks for more. It is longer than any integration may take.
const answerTime = 6 * time.Minute

// connKey is the context key of the *conn that a request came by.
type connKey struct{}

func (s *Server) init() {
	s.once.Do(func() {
		s.limits = s.Limits.WithDefaults()
		s.Floods = s.Floods.withDefaults()
		s.timeouts = s.Timeouts.WithDefaults()
		if s.Streams == 0 {
			s.Streams = 128
		}
		if s.Logger == nil {
			s.Logger = slog.Default()
		}
		s.conns, s.closed, s.ended = make(chan net.Conn), make(chan struct{}), make(chan error, 1)
		var protocols http.Protocols
		// The standard library is given the decrypted stream, so that the meter can
		// stand in between; it takes that for HTTP/2 without TLS.
		protocols.SetUnencryptedHTTP2(true)
		s.server = &http.Server{
			Handler: (*adapter)(s),

			DisableGeneralOptionsHandler: true, // "OPTIONS *" is ours to refuse
			Protocols:                    &protocols,
			ReadHeaderTimeout:            s.timeouts.Head,
			WriteTimeout:                 answerTime,
			IdleTimeout:                  s.timeouts.Idle,
			// The library counts 32 bytes per field on top (RFC 9113 section 6.5.2), so
			// our own limit and its answer come first.
			MaxHeaderBytes: s.limits.Header + s.limits.Target + 40*s.limits.Lines,
			ErrorLog:       log.New(io.Discard, "", 0),
			HTTP2: &http.HTTP2Config{
				MaxConcurrentStreams:          s.Streams,
				MaxReadFrameSize:              16 << 10,
				MaxReceiveBufferPerConnection: 1 << 20,
				MaxReceiveBufferPerStream:     256 << 10,
				SendPingTimeout:               s.timeouts.Idle,
				PingTimeout:                   15 * time.Second,
			},
			ConnContext: func(ctx context.Context, c net.Conn) context.Context {
				return context.WithValue(ctx, connKey{}, c)
			},
		}
		go func() { s.ended <- s.server.Serve((*listener)(s)) }()
	})
}

// ServeConn serves nc, a *tls.Conn whose handshake chose "h2" or a connection that
// speaks HTTP/2 without TLS, until it ends, and closes it. When ctx ends, the connection
// is closed. The error is nil when it was served.
func (s *Server) ServeConn(ctx context.Context, nc net.Conn, info *message.Conn) error {
	s.init()
	c := &conn{combiner: combiner{Conn: nc, stall: s.timeouts.Stall}, server: s, info: info, meter: newMeter(s.Floods), done: make(chan struct{})}
	defer context.AfterFunc(ctx, func() { c.Close() })()
	select {
	case s.conns <- c:
	case <-s.closed:
		nc.Close()
		return ErrDraining
	case <-ctx.Done():
		nc.Close()
		return ctx.Err()
	}
	<-c.done
	return nil
}

// Drain tells all clients to go away, lets the open streams end and returns when all
// connections are closed. When ctx ends before, the rest is closed and its error is
// returned. Drain may be called once.
func (s *Server) Drain(ctx context.Context) error {
	s.init()
	err := s.server.Shutdown(ctx)
	if err != nil {
		s.server.Close()
	}
	<-s.ended
	return err
}

// listener hands over what ServeConn was given.
type listener Server

func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close is called once per Shutdown or Close of the server.
func (l *listener) Close() error {
	select {
	case <-l.closed:
	default:
		close(l.closed)
	}
	return nil
}

func (l *listener) Addr() net.Addr { return &net.TCPAddr{} }

// A conn is a connection on its way through the standard library.
type conn struct {
	combiner
	server *Server
	info   *message.Conn
	meter  meter
	once   sync.Once
	done   chan struct{}
}

// Read passes on what the client sent while the meter allows.
func (c *conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 {
		if reason := c.meter.count(p[:n], time.Now()); reason != "" {
			c.server.tell(c.info, 0, reason)
			c.Close()
			return 0, net.ErrClosed
		}
	}
	return n, err
}

// Close closes the connection and lets ServeConn return.
func (c *conn) Close() error {
	err := c.combiner.Close()
	c.once.Do(func() { close(c.done) })
	return err
}

func (s *Server) tell(info *message.Conn, status int, reason string) {
	if s.Refused != nil {
		s.Refused(info, status, reason)
	}
}
