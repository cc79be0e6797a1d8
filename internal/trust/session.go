package trust

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// A Session is what one connection proved about its client, and the last verdict
// on it. It lies in message.Conn.Trust. It may be used concurrently: the streams of an
// HTTP/2 connection share it.
type Session struct {
	leaf *x509.Certificate
	kept atomic.Pointer[Verdict]
}

// NewSession makes the session of a connection whose handshake ended with these peer
// certificates, leaf first; none when the client sent none. Only the leaf is used:
// crypto/tls has checked that the client holds its key.
func NewSession(peer []*x509.Certificate) *Session {
	s := new(Session)
	if len(peer) > 0 {
		s.leaf = peer[0]
	}
	return s
}

// none stands for connections without TLS.
var none = new(Session)

// From returns the Session in message.Conn.Trust; one without a certificate when
// there is none.
func From(v any) *Session {
	if s, ok := v.(*Session); ok && s != nil {
		return s
	}
	return none
}

// Leaf returns the certificate that the client proved to own, judged or not; nil
// without one.
func (s *Session) Leaf() *x509.Certificate { return s.leaf }

// A Verdict is the judgement on one certificate by one Snapshot.
type Verdict struct {
	// Refusal is nil when the client is let through.
	Refusal *Refusal
	// Leaf is the client's certificate; nil when none was presented.
	Leaf *x509.Certificate
	// Path leads from Leaf to a root; nil when there is no good one, and without Leaf.
	Path *Path
	// Revocation tells what the revocation data said; the zero value when it was not asked.
	Revocation Finding
	// Candidate is what the trust store in roll-out says: nil when it agrees to trust, or
	// when there is none. HasCandidate tells these apart.
	Candidate    *Refusal
	HasCandidate bool

	// SHA256 is the digest of the leaf, zero without one. It spares its users hashing.
	SHA256 [32]byte

	memo     sync.Map
	snapshot *Snapshot
	from     time.Time // the verdict stands from here
	until    time.Time // to here
}

// Trusted reports whether the request may go on.
func (v *Verdict) Trusted() bool { return v.Refusal == nil }

// CandidateStore is the trust store in roll-out that Candidate is about; nil without one.
func (v *Verdict) CandidateStore() *Bundle {
	if v.snapshot == nil {
		return nil
	}
	return v.snapshot.Candidate
}

// Memo returns what make returned for key the first time: forms of the certificate that
// every request of the connection needs. make must not depend on the request.
func (v *Verdict) Memo(key any, make func() any) any {
	if kept, ok := v.memo.Load(key); ok {
		return kept
	}
	kept, _ := v.memo.LoadOrStore(key, make())
	return kept
}

// Judge returns the verdict of the store's current snapshot at now. While neither the
// snapshot nor the verdict's time has passed, it costs one atomic load and two comparisons
// of time. It may wait for an OCSP answer, bounded by ctx, when the snapshot
// wants one.
func (s *Session) Judge(ctx context.Context, store *Store, now time.Time) *Verdict {
	snapshot := store.Load()
	if v := s.kept.Load(); v != nil && v.snapshot == snapshot && !now.Before(v.from) && now.Before(v.until) {
		return v
	}
	v := snapshot.judgeApart(ctx, s.leaf, now)
	if v.Revocation.Status == StatusUnknown && snapshot.Revocation.Source != nil && snapshot.Revocation.Source.Discover(ctx, v.Path.Chain) {
		if snapshot = store.Load(); snapshot != nil {
			v = snapshot.judge(ctx, s.leaf, now)
		}
	}
	if s != none {
		s.kept.Store(v)
	}
	return v
}

// judgeApart is judge on a stack of its own: checking signatures needs more of it than anything
// that the connection's goroutine does later, and would leave each idle connection with
// a stack twice as large.
func (s *Snapshot) judgeApart(ctx context.Context, leaf *x509.Certificate, now time.Time) (v *Verdict) {
	if leaf == nil {
		return s.judge(ctx, leaf, now)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			if p := recover(); p != nil { // a fault of ours must neither open the door nor end the process
				v = &Verdict{Leaf: leaf, snapshot: s, from: now, until: now.Add(refusalLife), Refusal: &Refusal{Reason: Malformed, Detail: fmt.Sprint("judging failed: ", p)}}
			}
		}()
		v = s.judge(ctx, leaf, now)
	}()
	<-done
	return v
}

func (s *Snapshot) judge(ctx context.Context, leaf *x509.Certificate, now time.Time) *Verdict {
	v := &Verdict{Leaf: leaf, snapshot: s, until: forever}
	switch {
	case s == nil || s.Bundle == nil:
		v.Refusal = &Refusal{Reason: UnknownIssuer, Detail: "the domain has no trust store"}
		return v
	case leaf == nil:
		if !s.Optional {
			v.Refusal = &Refusal{Reason: NoCertificate}
		}
		return v
	}
	v.SHA256 = sha256.Sum256(leaf.Raw)
	if s.Candidate != nil {
		_, err := s.Candidate.Verify(leaf, now)
		v.Candidate, v.HasCandidate = asRefusal(err), true
	}
	path, err := s.Bundle.Verify(leaf, now)
	if err != nil {
		v.Refusal = asRefusal(err)
		// Time can mend a refusal: a certificate that is not valid yet, an issuer whose
		// successor becomes valid.
		v.from, v.until = now, now.Add(refusalLife)
		return v
	}
	v.Path, v.from, v.until = path, path.NotBefore, path.NotAfter
	if s.Revocation != nil {
		s.Revocation.apply(ctx, v, now)
	}
	return v
}

// refusalLife is how long a refusal stands without being looked at again.
const refusalLife = time.Second

func asRefusal(err error) *Refusal {
	if err == nil {
		return nil
	}
	if r, ok := err.(*Refusal); ok {
		return r
	}
	return &Refusal{Reason: Malformed, Detail: err.Error()}
}
