package trust

import (
	"net"
	"strings"
)

// Access says what stands in the way of a host being reached by a connection that
// was made for another.
type Access struct {
	MutualTLS bool // the domain has a trust store
	Strict    bool // endpoint access mode STRICT
}

func (a Access) guarded() bool { return a.MutualTLS || a.Strict }

// A Reach says what becomes of a request for a host on a given connection.
type Reach uint8

// The outcomes. Serve is the zero value.
const (
	Serve       Reach = iota
	Forbidden         // 403, the answer of every refusal of mutual TLS
	Misdirected       // 421 (RFC 9110 section 15.5.20): the client opens a connection of its own
)

// MayReach decides on a request for host that came by a connection made for server
// name sni ("" without SNI), by DESIGN "Mutual TLS answers". forSNI and forHost describe the
// domains that the two names lead to; the zero value stands for names that lead to
// none. overTLS is false on plain listeners, which no guarded domain can be reached by.
//
// Names are compared exactly after NormalHost: two hosts of one wildcard domain differ.
// A connection without SNI made no claim that HTTP/2 could contradict: it is served like
// HTTP/1.1, unless the host is guarded.
func MayReach(sni, host string, forSNI, forHost Access, overTLS, http2 bool) Reach {
	if !overTLS {
		if forHost.guarded() {
			return Forbidden
		}
		return Serve
	}
	switch {
	case sni == host, NormalHost(sni) == NormalHost(host):
		return Serve
	case forSNI.guarded() || forHost.guarded():
		return Forbidden
	case http2 && sni != "":
		return Misdirected
	}
	return Serve
}

// NormalHost brings a Host header, :authority or server name to the form in which
// domains are looked up: lower case, without port, brackets and a trailing dot.
func NormalHost(host string) string {
	if strings.HasPrefix(host, "[") {
		if i := strings.IndexByte(host, ']'); i > 0 {
			return strings.ToLower(host[1:i])
		}
		return strings.ToLower(host)
	}
	if i := strings.LastIndexByte(host, ':'); i >= 0 && strings.IndexByte(host, ':') == i {
		host = host[:i]
	}
	host = strings.TrimSuffix(host, ".")
	if ip := net.ParseIP(host); ip != nil {
		return ip.String()
	}
	return strings.ToLower(host)
}
