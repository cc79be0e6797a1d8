package edge

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"time"
)

// TicketPeriod is how long tickets are sealed with one key. They are opened for one
// period more, so that a session can be resumed for at most two.
const TicketPeriod = 12 * time.Hour

// Tickets derives the keys that seal TLS session tickets from one secret. A key belongs to
// a scope (a domain with its certificate, policy and trust store version) and a period of
// time. Whatever differs in one of these cannot open the other's tickets: a session made
// where no client certificate was asked for, or by another trust store, is never resumed
// (golang/go#77217, CVE-2025-68121, nginx CVE-2025-23419). As keys are derived, a
// table that is built anew for other reasons keeps its sessions, and nodes that share the
// secret resume each other's.
type Tickets struct {
	secret []byte
}

// NewTickets uses secret, of 32 octets or more. Nil makes a random one: sessions
// then end with the process.
func NewTickets(secret []byte) (*Tickets, error) {
	if secret == nil {
		secret = make([]byte, 32)
		rand.Read(secret)
	}
	if len(secret) < 32 {
		return nil, fmt.Errorf("session ticket secret has %d octets, want at least 32", len(secret))
	}
	return &Tickets{secret: secret}, nil
}

// period numbers the periods of time.
func (t *Tickets) period(now time.Time) int64 {
	return now.Unix() / int64(TicketPeriod/time.Second)
}

// keys returns the keys of a scope in a period: the one that seals, then the one that
// still opens.
func (t *Tickets) keys(scope string, period int64) [][32]byte {
	return [][32]byte{t.key(scope, period), t.key(scope, period-1)}
}

func (t *Tickets) key(scope string, period int64) (key [32]byte) {
	info := fmt.Sprintf("gatehouse session tickets\n%d\n%s", period, scope)
	b, err := hkdf.Key(sha256.New, t.secret, nil, info, len(key))
	if err != nil {
		panic("hkdf refuses 32 octets of SHA-256: " + err.Error()) // its own promise
	}
	copy(key[:], b)
	return key
}
