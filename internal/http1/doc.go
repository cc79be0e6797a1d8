// Package http1 is the server engine for HTTP/1.0 and HTTP/1.1 (RFC 9110, RFC 9112).
//
// Whoever owns the sockets hands it one established connection after another, plain
// or with TLS, through Server.ServeConn; the engine reads requests from it, calls the
// message.Handler for each in order of arrival and sends the answers. One goroutine
// serves one connection and there is no other: not for requests, not for timeouts.
//
// The engine is strict. A message that two parsers could read differently is answered
// with 400 and the connection is closed; the handler never sees it. Limits have the
// answers of the service that Gatehouse stands for: 413, 414 and 431 as plain text.
// docs/engine.md lists what is refused and why.
//
// Server methods may be called from any goroutine.
package http1
