// Package netio is the connection under both HTTP/1 engines: a socket, or TLS over
// one, with deadlines that cost nothing while traffic flows, a wait for input that
// holds no buffer, and a look at whether the peer is still there.
//
// A Conn belongs to one goroutine, except that Kick and Close may be called from
// any.
package netio
