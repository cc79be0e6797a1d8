// Package upstream is the HTTP/1.1 client that integrations call backends with.
//
// A Target is made once, when a plan is compiled, and says where requests go and with
// which TLS identity. Client.Do sends one request, built anew from its parts, over a
// pooled connection of that target, and fills a Response from which the body streams.
// Connections are shared by requests with equal host, port and TLS identity only.
//
// Responses are read as strictly as the server engine reads requests: a backend whose
// framing is doubtful loses its connection, and nothing that it sent can become
// part of another response. A request is sent again only when not one byte of it had
// been handed to the kernel.
//
// Client and Target methods may be called from any goroutine. A Request and a
// Response belong to one goroutine at a time.
package upstream
