// Package http2 serves HTTP/2 connections through the handler that the HTTP/1 engine
// serves too. Frames, HPACK and flow control are the standard library's; the package
// adds what it leaves open: one rule for Host and :authority, the limits and answers of
// the HTTP/1 engine, and a meter that ends connections which send control frames
// instead of requests.
//
// Server methods may be called from any goroutine. A connection takes a few goroutines
// and every stream one; the standard library starts them and ends them with the
// connection.
package http2
