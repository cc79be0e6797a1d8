package upstream

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"

	"gatehouse/internal/http1/netio"
)

// Kind is what went wrong with a request, as the answer to the caller depends on it.
type Kind uint8

// The kinds of errors, in the order in which a request can meet them.
const (
	InvalidRequest   Kind = iota + 1 // method, target, host or header cannot be sent; nothing was
	RequestBody                      // reading Request.Body failed; Err is its error
	Canceled                         // the context ended or the client is gone
	Overload                         // all connections of the target stayed in use
	Unresolved                       // the host name has no address
	Denied                           // the egress policy forbids every address
	Unreachable                      // no address accepted a connection
	ConnectTimeout                   // no address accepted a connection in time
	Untrusted                        // the server's certificate was not accepted
	HandshakeFailed                  // TLS failed in another way
	HandshakeTimeout                 // TLS was not finished in time
	Timeout                          // the response was not complete in time
	Lost                             // the connection broke after it was established
	Malformed                        // the response is not valid HTTP/1, or ambiguous
	TooLarge                         // the response exceeds a limit
)

var kindNames = [...]string{
	InvalidRequest: "request cannot be sent", RequestBody: "request body cannot be read",
	Canceled: "canceled", Overload: "no free connection", Unresolved: "host not resolved",
	Denied: "address denied by policy", Unreachable: "connection not accepted",
	ConnectTimeout: "connection timed out", Untrusted: "certificate not trusted",
	HandshakeFailed: "TLS handshake failed", HandshakeTimeout: "TLS handshake timed out",
	Timeout: "response timed out", Lost: "connection lost", Malformed: "malformed response",
	TooLarge: "response too large",
}

// String returns what the kind means, for logs.
func (k Kind) String() string {
	if int(k) < len(kindNames) && kindNames[k] != "" {
		return kindNames[k]
	}
	return "unknown"
}

// An Error is returned by Client.Do and by the methods of Response.
type Error struct {
	Kind   Kind
	Target string // scheme, host and port
	Err    error  // the cause; may be nil

	// Written tells that some of the request had been sent: the backend may have
	// acted on it. Received tells that some of the response had come.
	Written, Received bool
}

// Error returns target, kind and cause.
func (e *Error) Error() string {
	s := e.Target + ": " + e.Kind.String()
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// KindOf returns the kind of err when it is or wraps an *Error, else 0.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return 0
}

// handshakeKind tells why a TLS handshake failed.
func handshakeKind(err error) Kind {
	var verify *tls.CertificateVerificationError
	var authority x509.UnknownAuthorityError
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	switch {
	case errors.As(err, &verify), errors.As(err, &authority), errors.As(err, &name), errors.As(err, &invalid):
		return Untrusted
	case errors.Is(err, context.DeadlineExceeded), netio.IsTimeout(err):
		return HandshakeTimeout
	case errors.Is(err, context.Canceled):
		return Canceled
	}
	return HandshakeFailed
}
