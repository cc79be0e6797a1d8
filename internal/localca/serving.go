package localca

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// Serving holds a certificate of the authority for a fixed list of names, and renews it
// when two thirds of its life are over. Its method Certificate is what an edge takes for
// names that have no certificate of their own. It may be used concurrently.
type Serving struct {
	authority *Authority
	names     []string
	now       func() time.Time

	current atomic.Pointer[issued]
	mu      sync.Mutex // held while renewing
}

type issued struct {
	cert  *tls.Certificate
	renew time.Time
}

// Serve makes the first certificate for names. now is the clock; nil means time.Now.
func (a *Authority) Serve(names []string, now func() time.Time) (*Serving, error) {
	if now == nil {
		now = time.Now
	}
	s := &Serving{authority: a, names: names, now: now}
	return s, s.renew()
}

// Certificate returns the current certificate, whatever the name: a client that asks for a
// name that is not ours learns from the certificate that it is not.
func (s *Serving) Certificate(string) (*tls.Certificate, error) {
	c := s.current.Load()
	if s.now().Before(c.renew) {
		return c.cert, nil
	}
	// One handshake renews, the others go on with the old certificate, which still
	// has a third of its life.
	if s.mu.TryLock() {
		defer s.mu.Unlock()
		if s.current.Load() == c {
			if err := s.renewLocked(); err != nil {
				slog.Error("renewing the certificate of the local CA failed", "error", err)
				return c.cert, nil
			}
		}
	}
	return s.current.Load().cert, nil
}

// NotAfter returns the end of the current certificate.
func (s *Serving) NotAfter() time.Time { return s.current.Load().cert.Leaf.NotAfter }

func (s *Serving) renew() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.renewLocked()
}

func (s *Serving) renewLocked() error {
	now := s.now()
	key, err := NewKey(P256)
	if err != nil {
		return fmt.Errorf("local CA: %w", err)
	}
	der, err := s.authority.Issue(Request{
		Names: s.names, Key: key.Public(), NotBefore: now.Add(-backdate), NotAfter: now.Add(LeafLifetime),
	})
	if err != nil {
		return err
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return fmt.Errorf("local CA: reading what it signed: %w", err)
	}
	s.current.Store(&issued{
		cert:  &tls.Certificate{Certificate: [][]byte{der, s.authority.cert.Raw}, PrivateKey: key, Leaf: leaf},
		renew: now.Add(LeafLifetime * 2 / 3),
	})
	return nil
}
