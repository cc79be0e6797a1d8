// Package edge owns the data sockets: it accepts connections, reads PROXY protocol
// headers, finishes TLS, and hands each established connection with its message.Conn to an
// HTTP engine.
//
// The server makes one Terminator (TLS for all HTTPS listeners) and one Listener per
// socket, and publishes a Table of domains to the Terminator whenever the plan changes:
//
//	accept → PROXY header, where one is due → TLS by SNI → engine by ALPN
//
// Which certificate, protocol versions and suites a handshake gets, and whether a client
// certificate is asked for, depends on the server name alone, by one look-up in an
// immutable table behind one pointer. A client certificate is never judged in the handshake:
// the connection carries a trust.Session, and the gateway asks it on each request. That
// way a refused client gets its 403, and a trust store or revocation list that changes
// acts on open connections (DESIGN, "Mutual TLS").
//
// Session tickets are sealed with keys that belong to one domain, one server certificate, one
// security policy and one trust store version; see tickets.go.
//
// Listener, Terminator and Tickets may be used concurrently; Table and Domain are
// immutable after they were made.
package edge
