// Package message holds the request and response types of one HTTP exchange, as
// every engine fills them and the gateway reads them. Neither side knows the other:
// the HTTP/1.1 engine, the HTTP/2 adapter and the control port's path forms all
// produce the same Request and hand over the same Writer.
//
// A Request and its Writer belong to the goroutine that serves the exchange, and
// only until Handler.Serve returns: an engine reuses both, and the slices in them,
// for the next exchange. Strings are different: they never alias a reused buffer and
// may be kept. Use slices.Clone on a Header that must outlive the exchange.
package message

import (
	"context"
	"crypto/tls"
	"io"
	"net/netip"
	"time"
)

// A Handler answers one exchange. It returns when the answer is complete; the
// engine then ends the response. The context ends when the server gives up draining
// and, with HTTP/2, when the client is gone; with HTTP/1 ask Request.Gone.
// A panic in Serve is caught by the engine: the connection (or stream) is broken off
// unless nothing was sent yet, when the client gets a plain 500.
type Handler interface {
	Serve(ctx context.Context, req *Request, w Writer)
}

// A Request is the head of one parsed request and a bounded reader of its body.
type Request struct {
	Method   string // as sent; a token, RFC 9110 section 9
	Target   string // request target in origin form, raw: "/a%2Fb?x=1"
	Path     string // the part of Target before "?", raw, still escaped
	RawQuery string // the part of Target after "?", raw; "" also when "?" ends it
	Host     string // Host header, or :authority, as sent (port included)
	Proto    Proto

	// Header has every line in order, Host included for HTTP/1. An HTTP/2 request
	// has no Host line; its names are in lower case as they arrived, sorted by name.
	// Framing is done: Content-Length, Transfer-Encoding, Connection and Expect may be
	// listed, but mean nothing any more.
	Header Header

	// ContentLength is the number of body bytes when declared, 0 without a body,
	// -1 when the body's end is found by reading (chunked, HTTP/2 without length).
	ContentLength int64

	// Body is never nil. It yields io.EOF at the end, ErrBodyTooLarge when a limit is
	// passed, and another error when the client broke off or framed it wrongly.
	Body io.Reader

	// Trailer is filled when Body has returned io.EOF.
	Trailer Header

	// Received is when the request's head was complete.
	Received time.Time

	// Gone reports, without blocking, whether the client has closed or reset its side
	// since the request arrived. A caller that waits long for something else polls it
	// a few times per second instead of keeping a goroutine. It is nil when the engine
	// tells by cancelling the context instead.
	Gone func() bool

	Conn *Conn
}

// Proto is the protocol version of a request.
type Proto uint8

// The protocols that can reach the gateway.
const (
	HTTP11 Proto = iota // "HTTP/1.1", the zero value
	HTTP10              // "HTTP/1.0"
	HTTP2               // "HTTP/2.0"
)

// String returns the version as logs write it.
func (p Proto) String() string {
	switch p {
	case HTTP10:
		return "HTTP/1.0"
	case HTTP2:
		return "HTTP/2.0"
	}
	return "HTTP/1.1"
}

// A Conn tells what is known about the connection that a request came by. It is
// shared by all requests of the connection and read-only but for Trust.
type Conn struct {
	Listener Listener

	// Endpoint is the VPC endpoint whose listener accepted the connection, "vpce-…"; "" for
	// the public ports.
	Endpoint string

	Remote netip.AddrPort // the client, after a PROXY protocol header
	Local  netip.AddrPort // our side of the socket

	// TLS is nil on plain connections. PeerCertificates holds what the client sent,
	// unverified: Trust gives the verdict.
	TLS *tls.ConnectionState

	// ServerName is the SNI host in lower case without a trailing dot; "" without TLS
	// or SNI.
	ServerName string

	// Trust keeps the verdict on the client certificate between requests. The package
	// that judges certificates owns what is in it; it is nil on plain connections.
	Trust any
}

// Listener names the kind of socket a connection was accepted on.
type Listener uint8

// The kinds of listeners.
const (
	PlainListener   Listener = iota // --http
	TLSListener                     // --https
	ControlListener                 // --control
)

// A Writer sends the response of one exchange. Its methods are called by one
// goroutine. Once a method has failed, the client is gone and later calls fail too.
type Writer interface {
	// WriteInformational sends a 1xx response before the final one.
	WriteInformational(status int, h Header) error

	// WriteHead sends the status line and header of the final response. length is
	// the number of body bytes that follow, -1 when it is not known (the engine then
	// frames the body). Framing fields (Content-Length, Transfer-Encoding, Connection)
	// in h are the engine's and ignored; Date is added when absent. The header is not
	// kept after the call. It is called exactly once.
	WriteHead(status int, h Header, length int64) error

	// Write sends a part of the body, after WriteHead. For HEAD requests and
	// statuses without a body the bytes are counted and dropped.
	Write(p []byte) (int, error)

	// Flush sends what is buffered.
	Flush() error

	// WriteTrailer sends trailer fields after the last Write, where the framing
	// has room for them; elsewhere they are dropped.
	WriteTrailer(h Header) error

	// Abort breaks the connection (HTTP/1) or resets the stream (HTTP/2): the client
	// must see that the response is not complete.
	Abort()
}
