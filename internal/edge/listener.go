package edge

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"gatehouse/internal/edge/proxyproto"
	"gatehouse/internal/http1/netio"
	"gatehouse/internal/message"
	"gatehouse/internal/trust"
)

// An Engine serves one established connection until it ends, and closes it. ctx ends
// when handlers are to give up. Both HTTP engines are one.
type Engine interface {
	ServeConn(ctx context.Context, nc net.Conn, info *message.Conn) error
}

// Settings of a Listener can be changed while it runs. Zero fields have the default.
type Settings struct {
	// ProxyFrom lists the networks that must send a PROXY protocol header; a connection
	// from them without one is closed. From all others a header is refused: its octets are
	// no TLS and no HTTP.
	ProxyFrom []netip.Prefix
	// MaxConns bounds the connections of the listener; more are closed at once.
	// Default 100,000.
	MaxConns int
	// MaxPerAddress bounds the connections of one client address, after the PROXY
	// header. Default: no bound.
	MaxPerAddress int
	// HandshakeTimeout bounds PROXY header and TLS handshake together. Default 10 s.
	HandshakeTimeout time.Duration
}

func (s Settings) withDefaults() *Settings {
	if s.MaxConns == 0 {
		s.MaxConns = 100_000
	}
	if s.HandshakeTimeout == 0 {
		s.HandshakeTimeout = 10 * time.Second
	}
	return &s
}

// A Listener serves one kind of data socket. Its fields must be set before Serve.
type Listener struct {
	Kind message.Listener
	// Endpoint names the VPC endpoint that the listener stands for; "" for public ports.
	Endpoint string
	HTTP1    Engine
	// TLS is nil for plain listeners, which speak HTTP/1 only.
	TLS *Terminator
	// HTTP2 serves connections that chose "h2".
	HTTP2 Engine
	// Logger gets accept errors; single connections at level Debug. Nil: slog.Default.
	Logger *slog.Logger
	// Failed, when set, is told of each connection that ended before an engine had it.
	Failed func(remote netip.AddrPort, f Failure, err error)

	settings atomic.Pointer[Settings]
	stats    counters

	mu      sync.Mutex
	stopped bool
	sockets map[net.Listener]bool
	pending map[net.Conn]bool // not yet with an engine
	perAddr map[netip.Addr]int
	opening *workers       // as long as there are sockets
	serving *workers       // likewise
	conns   sync.WaitGroup // connections and workers
}

// Update puts new settings in force. Sockets and connections stay.
func (l *Listener) Update(s Settings) { l.settings.Store(s.withDefaults()) }

// current returns the settings in force, the defaults before Update.
func (l *Listener) current() *Settings {
	if s := l.settings.Load(); s != nil {
		return s
	}
	l.settings.CompareAndSwap(nil, Settings{}.withDefaults())
	return l.settings.Load()
}

// Serve accepts connections of ln and hands them to the engines until Stop, which makes
// it return nil, or until ln fails for good. It closes ln, and returns when no goroutine
// of its connections is left. ctx is the context of the connections, not of accepting.
//
// A graceful end is: Stop, drain the engines, end ctx. Serve may run for several
// sockets at once, and a socket that is inherited may be served anew by another Listener.
func (l *Listener) Serve(ctx context.Context, ln net.Listener) error {
	if l.TLS != nil {
		quiet, err := netio.Accepting(ln)
		if err != nil {
			ln.Close()
			if l.isStopped() {
				return nil
			}
			return err
		}
		ln = quiet
	}
	if !l.enter(ln) {
		ln.Close()
		return nil
	}
	defer l.leave(ln)
	var pause time.Duration
	for {
		nc, err := ln.Accept()
		if err == nil {
			pause = 0
			l.admit(ctx, nc)
			continue
		}
		if l.isStopped() {
			return nil
		}
		if errors.Is(err, net.ErrClosed) {
			return fmt.Errorf("listener %s was closed: %w", ln.Addr(), err)
		}
		// Out of file descriptors, or a client that was gone before it was accepted:
		// neither may end the listener.
		pause = min(max(2*pause, 5*time.Millisecond), time.Second)
		l.stats.acceptErrors.Add(1)
		l.logger().Warn("accepting a connection failed", "listener", ln.Addr().String(), "error", err, "retry", pause)
		if !sleep(ctx, pause) {
			return ctx.Err()
		}
	}
}

// Stop ends accepting and closes connections that have not reached an engine. It does
// not wait.
func (l *Listener) Stop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stopped = true
	for ln := range l.sockets {
		ln.Close()
	}
	for nc := range l.pending {
		nc.Close()
	}
}

func (l *Listener) enter(ln net.Listener) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stopped {
		return false
	}
	if l.sockets == nil {
		l.sockets = map[net.Listener]bool{}
		l.pending = map[net.Conn]bool{}
		l.perAddr = map[netip.Addr]int{}
	}
	if len(l.sockets) == 0 {
		l.opening, l.serving = newWorkers(arrival.establish), newWorkers(arrival.serve)
	}
	l.sockets[ln] = true
	return true
}

func (l *Listener) leave(ln net.Listener) {
	ln.Close()
	l.mu.Lock()
	delete(l.sockets, ln)
	last := len(l.sockets) == 0
	if last {
		close(l.opening.ended)
		close(l.serving.ended)
	}
	l.mu.Unlock()
	if last {
		l.conns.Wait()
	}
}

func (l *Listener) isStopped() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.stopped
}

func (l *Listener) logger() *slog.Logger {
	if l.Logger != nil {
		return l.Logger
	}
	return slog.Default()
}

func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// admit starts the life of an accepted connection, when there is room.
func (l *Listener) admit(ctx context.Context, nc net.Conn) {
	l.stats.accepted.Add(1)
	c := &conn{l: l, raw: nc, info: &message.Conn{Listener: l.Kind, Endpoint: l.Endpoint, Remote: addrPort(nc.RemoteAddr()), Local: addrPort(nc.LocalAddr())}}
	if l.stats.open.Add(1) > int64(l.current().MaxConns) {
		l.stats.open.Add(-1)
		nc.Close()
		l.fail(c.info.Remote, TooManyConnections, nil)
		return
	}
	l.mu.Lock()
	if l.stopped {
		l.mu.Unlock()
		l.stats.open.Add(-1)
		nc.Close()
		return
	}
	l.pending[nc] = true
	l.conns.Add(1)
	w := l.opening
	c.serving = l.serving
	l.mu.Unlock()
	l.give(w, arrival{ctx: ctx, c: c})
}

// give hands a to w, whose goroutines are counted among the connections.
func (l *Listener) give(w *workers, a arrival) {
	w.give(a, func() { l.conns.Add(1) }, l.conns.Done)
}

func addrPort(a net.Addr) netip.AddrPort {
	if t, ok := a.(*net.TCPAddr); ok {
		ap := t.AddrPort()
		return netip.AddrPortFrom(ap.Addr().Unmap().WithZone(""), ap.Port())
	}
	return netip.AddrPort{}
}

// A conn is a connection on its way to an engine.
type conn struct {
	l       *Listener
	raw     net.Conn
	serving *workers      // those of its socket
	under   *netio.Socket // over raw and under TLS; nil when raw is no socket
	info    *message.Conn
	counted bool // in perAddr
}

// establish reads the PROXY header, does the handshake and starts the engine.
func (a arrival) establish() {
	c := a.c
	nc, failure, err := c.open()
	if failure != 0 {
		if c.under != nil {
			c.under.Release() // the alert
		}
		if failure == NoClientCertificate {
			linger(c.raw)
		}
		c.raw.Close()
		c.l.fail(c.info.Remote, failure, err)
		c.established()
		c.end()
		return
	}
	c.established()
	// A handshake grows the stack well beyond what an idle connection needs, so the
	// engine gets another goroutine.
	c.l.give(c.serving, arrival{a.ctx, c, nc})
}

// established takes the connection off the list of those that Stop closes.
func (c *conn) established() {
	c.l.mu.Lock()
	delete(c.l.pending, c.raw)
	c.l.mu.Unlock()
}

// lingerTime bounds how long a client has to read the alert that ended its handshake.
const lingerTime = 500 * time.Millisecond

// linger waits for the client to have read our alert. In TLS 1.3 it believes the
// handshake done and has sent a request; closing with that unread would reset the connection,
// and the alert, which tells what was missing, could be lost.
func linger(nc net.Conn) {
	t, ok := nc.(interface {
		net.Conn
		CloseWrite() error
	})
	if !ok || t.CloseWrite() != nil || t.SetReadDeadline(time.Now().Add(lingerTime)) != nil {
		return
	}
	io.Copy(io.Discard, io.LimitReader(t, 64<<10))
}

func (c *conn) open() (net.Conn, Failure, error) {
	s := c.l.current()
	proxied := contains(s.ProxyFrom, c.info.Remote.Addr())
	if c.l.TLS == nil && !proxied {
		return c.raw, c.countAddress(s), nil
	}
	by := time.Now().Add(s.HandshakeTimeout)
	if proxied {
		if err := c.readProxyHeader(by); err != nil {
			return nil, ProxyHeader, err
		}
	}
	if f := c.countAddress(s); f != 0 {
		return nil, f, nil
	}
	nc := c.raw
	if c.l.TLS != nil {
		t, err := c.handshake(by)
		if err != nil {
			return nil, classify(err), err
		}
		nc = t
	}
	return nc, 0, nil
}

// readProxyHeader replaces the addresses of the connection by those of a PROXY header,
// which must have come by the given time.
func (c *conn) readProxyHeader(by time.Time) error {
	if err := c.raw.SetDeadline(by); err != nil {
		return err
	}
	h, err := proxyproto.Read(c.raw)
	if err != nil {
		return err
	}
	if h.Source.IsValid() {
		c.info.Remote, c.info.Local = h.Source, h.Destination
	}
	return c.raw.SetDeadline(time.Time{})
}

// handshake finishes TLS by the given time and notes what the connection proved. The
// deadline and Stop, which closes pending connections, end it early; a context would cost a
// goroutine. What ends the handshake is held, to be sent with the first answer.
func (c *conn) handshake(by time.Time) (*tls.Conn, error) {
	nc := c.raw
	if c.under = netio.NewSocket(c.raw); c.under != nil {
		nc = c.under
		c.under.Hold()
	}
	if err := nc.SetDeadline(by); err != nil {
		return nil, err
	}
	t := tls.Server(nc, c.l.TLS.base)
	if err := t.Handshake(); err != nil {
		return nil, err
	}
	if err := nc.SetDeadline(time.Time{}); err != nil {
		return nil, err
	}
	state := t.ConnectionState()
	c.info.TLS = &state
	c.info.ServerName = trust.NormalHost(state.ServerName)
	c.info.Trust = trust.NewSession(state.PeerCertificates)
	return t, nil
}

// serve lets an engine serve the connection to its end.
func (a arrival) serve() {
	defer a.c.end()
	engine := a.c.engine()
	if engine == nil {
		a.nc.Close() // the handshake was the answer
		return
	}
	if err := engine.ServeConn(a.ctx, a.nc, a.c.info); err != nil {
		a.c.report(err) // apart: what it needs would lie on the stack of every idle connection
	}
}

// engine picks who serves the connection; nil for handshakes that answer a challenge.
func (c *conn) engine() Engine {
	if c.info.TLS == nil {
		return c.l.HTTP1
	}
	switch c.info.TLS.NegotiatedProtocol {
	case challengeProtocol:
		return nil
	case "h2":
		if c.l.HTTP2 == nil {
			break
		}
		if c.under != nil {
			c.under.Release() // its reader and its writers are different goroutines
		}
		return c.l.HTTP2
	}
	return c.l.HTTP1
}

//go:noinline
func (c *conn) report(err error) {
	c.l.logger().Debug("connection ended", "remote", c.info.Remote, "error", err)
}

// end takes the connection out of all counts.
func (c *conn) end() {
	if c.counted {
		c.l.mu.Lock()
		a := c.info.Remote.Addr()
		if c.l.perAddr[a]--; c.l.perAddr[a] == 0 {
			delete(c.l.perAddr, a)
		}
		c.l.mu.Unlock()
	}
	c.l.stats.open.Add(-1)
	c.l.conns.Done()
}

// countAddress takes a place among the connections of the client's address.
func (c *conn) countAddress(s *Settings) Failure {
	if s.MaxPerAddress <= 0 {
		return 0
	}
	c.l.mu.Lock()
	defer c.l.mu.Unlock()
	a := c.info.Remote.Addr()
	if c.l.perAddr[a] >= s.MaxPerAddress {
		return TooManyOfAddress
	}
	c.l.perAddr[a]++
	c.counted = true
	return 0
}

func contains(networks []netip.Prefix, a netip.Addr) bool {
	for _, n := range networks {
		if n.Contains(a) {
			return true
		}
	}
	return false
}
