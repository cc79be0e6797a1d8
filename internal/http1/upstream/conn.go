package upstream

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"time"

	"gatehouse/internal/http1/netio"
	"gatehouse/internal/http1/wire"
)

// pollEvery is how often a wait looks whether anybody still wants the result.
const pollEvery = 250 * time.Millisecond

// A conn is one connection to a target. It is used by one exchange at a time.
type conn struct {
	pool *pool
	io   *netio.Conn
	in   netio.Reader
	addr netip.Addr

	made     netio.Time
	retireAt netio.Time // when idle: not to be used from then on
	reused   bool       // has carried an exchange before

	x        exchange // the current one
	written  bool     // some of its request was sent
	received bool     // some of its response was read
}

func newConn(p *pool, nc net.Conn, addr netip.Addr) *conn {
	cn := &conn{pool: p, io: netio.NewConn(nc), addr: addr, made: netio.Now()}
	cn.io.WriteSlack = pollEvery
	cn.in.Reset(cn)
	return cn
}

// usable reports whether an idle connection may carry another request. Of a plain
// socket, send finds out whether it is still open.
func (cn *conn) usable(now netio.Time) bool {
	return now < cn.retireAt && (cn.io.Plain() || cn.io.Quiet())
}

// discard closes the connection.
func (cn *conn) discard() {
	cn.in.Drop()
	cn.io.Close()
	cn.x = exchange{}
	cn.pool.closed()
}

// giveBack offers the connection for reuse.
func (cn *conn) giveBack() {
	if !cn.pool.put(cn) {
		cn.discard()
	}
}

// finish ends an exchange whose response was read to its end, and makes the connection
// available again. keepAlive is how long the backend said that it keeps it, 0 when it
// did not say.
func (cn *conn) finish(keepAlive time.Duration) {
	if len(cn.in.Buffered()) > 0 {
		cn.discard() // bytes that nobody asked for
		return
	}
	now := netio.Now()
	idle := cn.pool.client.IdleTimeout
	if keepAlive > 0 {
		// Stay clear of the moment when the backend closes.
		idle = min(idle, keepAlive-min(time.Second, keepAlive/2))
	}
	cn.retireAt = min(now.Add(idle), cn.made.Add(cn.pool.client.MaxAge))
	if cn.retireAt <= now {
		cn.discard()
		return
	}
	cn.in.Release()
	cn.reused = true
	cn.x = exchange{}
	cn.giveBack()
}

// errOver is returned by Read when the exchange must be given up; its kind is stored
// beside.
type errOver struct{ kind Kind }

func (e errOver) Error() string { return e.kind.String() }

// Read reads from the backend within the limits of the current exchange.
func (cn *conn) Read(p []byte) (int, error) {
	for {
		cn.pollSoon()
		n, err := cn.io.Read(p)
		if n > 0 {
			cn.received = true
			return n, nil
		}
		if err == nil || !netio.IsTimeout(err) {
			return n, err
		}
		if kind := cn.x.over(netio.Now()); kind != 0 {
			return 0, errOver{kind}
		}
	}
}

// pollSoon makes the next read end by the deadline of the exchange, and earlier to look
// whether it is still wanted.
func (cn *conn) pollSoon() {
	by := netio.Now().Add(pollEvery)
	if cn.x.deadline != 0 && cn.x.deadline < by {
		by = cn.x.deadline
	}
	cn.io.SetReadDeadline(by)
}

// fail wraps an error of reading or writing.
func (cn *conn) fail(err error) *Error {
	e := &Error{Kind: Lost, Target: cn.pool.name, Err: err, Written: cn.written, Received: cn.received}
	var over errOver
	var syntax *wire.Error
	switch {
	case errors.As(err, &over):
		e.Kind, e.Err = over.kind, nil
	case err == wire.ErrFieldsLarge || err == wire.ErrTooManyLines:
		e.Kind = TooLarge
	case errors.As(err, &syntax):
		e.Kind = Malformed
	case err == io.EOF:
		e.Err = io.ErrUnexpectedEOF
	}
	return e
}
