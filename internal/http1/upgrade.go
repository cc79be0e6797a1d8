package http1

import (
	"errors"
	"net"
	"time"

	"gatehouse/internal/http1/netio"
	"gatehouse/internal/message"
)

// An Upgrader is what the message.Writer of an HTTP/1.1 request also is. With it a
// handler takes the connection over for another protocol.
type Upgrader interface {
	// Upgrade answers 101 with h, which names the protocol in an Upgrade field, and
	// returns the connection. What the client sent behind its request is read from it
	// first. The handler speaks the new protocol before it returns from Serve: the
	// engine closes the connection then, and Drain waits for it as for any other
	// exchange. The deadlines of the connection are the handler's to set.
	//
	// It fails when the request did not ask for an upgrade (RFC 9110 section 7.8) or
	// the response was begun.
	Upgrade(h message.Header) (net.Conn, error)
}

var errNoUpgrade = errors.New("request does not ask for an upgrade")

// Upgrade implements Upgrader.
func (w *writer) Upgrade(h message.Header) (net.Conn, error) {
	switch {
	case w.err != nil:
		return nil, w.err
	case w.head != headOwed:
		return nil, errHeadTwice
	case !w.mayUpgrade || !w.conn.req.Header.Has("Upgrade"):
		return nil, errNoUpgrade
	}
	w.room(headSize(h))
	w.statusLine(101)
	for _, f := range h {
		if message.EqualName(f.Name, "Upgrade") || !IsEngineField(f.Name) {
			w.field(f)
		}
	}
	w.out = append(w.out, "Connection: Upgrade\r\n\r\n"...)
	if err := w.Flush(); err != nil {
		return nil, err
	}
	w.head = handedOver
	nc := w.conn.io.NetConn()
	if err := nc.SetDeadline(time.Time{}); err != nil {
		return nil, err
	}
	return &upgraded{Conn: nc, in: &w.conn.in}, nil
}

// upgraded is a connection some of whose input has been read already.
type upgraded struct {
	net.Conn
	in *netio.Reader
}

// Read returns what was read ahead before it reads from the connection.
func (u *upgraded) Read(p []byte) (int, error) {
	if len(u.in.Buffered()) > 0 {
		n := copy(p, u.in.Buffered())
		u.in.Discard(n)
		return n, nil
	}
	return u.Conn.Read(p)
}
