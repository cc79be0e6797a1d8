package edge

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync/atomic"
)

// A Failure says why a connection ended before an engine had it.
type Failure uint8

// The failures. 0 is none.
const (
	_ Failure = iota
	TooManyConnections
	TooManyOfAddress
	ProxyHeader
	NoClientCertificate
	HandshakeTimeout
	HandshakeFailed
	numFailures
)

var failureNames = [numFailures]string{"", "too_many_connections", "too_many_of_address", "proxy_header", "no_client_certificate", "handshake_timeout", "handshake_failed"}

// String is a metric label: one of a bounded set.
func (f Failure) String() string {
	if f < numFailures {
		return failureNames[f]
	}
	return "unknown"
}

// classify tells apart what an operator looks for among failed handshakes.
func classify(err error) Failure {
	var ne net.Error
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &ne) && ne.Timeout():
		return HandshakeTimeout
	// crypto/tls has no type for this; the text is checked by a test.
	case strings.Contains(err.Error(), "client didn't provide a certificate"):
		return NoClientCertificate
	}
	return HandshakeFailed
}

type counters struct {
	accepted, open, acceptErrors atomic.Int64
	failures                     [numFailures]atomic.Int64
}

// Stats are the counts of one Listener since it was made.
type Stats struct {
	Accepted     int64
	Open         int64 // now
	AcceptErrors int64
	Failures     map[Failure]int64 // those that happened
}

// Stats returns the counts.
func (l *Listener) Stats() Stats {
	s := Stats{
		Accepted: l.stats.accepted.Load(), Open: l.stats.open.Load(),
		AcceptErrors: l.stats.acceptErrors.Load(), Failures: map[Failure]int64{},
	}
	for f := Failure(1); f < numFailures; f++ {
		if n := l.stats.failures[f].Load(); n > 0 {
			s.Failures[f] = n
		}
	}
	return s
}

func (l *Listener) fail(remote netip.AddrPort, f Failure, err error) {
	l.stats.failures[f].Add(1)
	if l.Failed != nil {
		l.Failed(remote, f, err)
	}
}
