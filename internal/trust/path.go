package trust

import (
	"bytes"
	"crypto/x509"
	"slices"
	"time"
)

// Bounds on the work of one verification, whatever the trust store holds: checks
// of signatures (about 0.1 ms each) and steps of the search.
const (
	maxSignatureChecks = 128
	maxSearchSteps     = 8192
)

// A Path is a verified way from a client certificate to a root.
type Path struct {
	// Chain has the leaf first and the root last; a listed self-signed leaf stands
	// alone. It must not be modified.
	Chain []*x509.Certificate
	// NotBefore and NotAfter enclose the time in which the whole chain is valid.
	NotBefore, NotAfter time.Time

	nodes []*node
}

// validAt reports whether the whole chain is valid at now.
func (p *Path) validAt(now time.Time) bool {
	return !now.Before(p.NotBefore) && !now.After(p.NotAfter)
}

// Verify builds and checks a path for a client certificate from the bundle's content
// alone: what the client sent beside its leaf has no part in it, so that an
// incomplete trust store stays incomplete (reference mutual-tls.md A3.1). Revocation is
// not looked at. The work is bounded. It returns a *Refusal as error when no path is
// good, with the reason of the path that came furthest.
//
// It may be called concurrently.
func (b *Bundle) Verify(leaf *x509.Certificate, now time.Time) (*Path, error) {
	n := newNode(leaf)
	if p := b.paths.get(n.sum); p != nil && p.validAt(now) {
		return p, nil
	}
	if i, ok := b.bySum[n.sum]; ok {
		n = b.nodes[i]
	}
	p, err := b.search(n, now)
	if err != nil {
		return nil, err
	}
	b.paths.put(n.sum, p)
	return p, nil
}

func (b *Bundle) search(leaf *node, now time.Time) (*Path, error) {
	if leaf.flaw != nil {
		return nil, leaf.flaw
	}
	for _, r := range []*Refusal{leaf.validAt(now, 0), leaf.usableByClient(true)} {
		if r != nil {
			return nil, r
		}
	}
	s := newSearch(b, leaf, now)
	if leaf.anchor {
		return s.result(), nil
	}
	if s.extend() {
		return s.result(), nil
	}
	if s.refusal == nil {
		s.refusal = leaf.refuse(UnknownIssuer, "")
		if leaf.selfSigned() {
			s.refusal.Reason = SelfSigned
		}
	}
	return nil, s.refusal
}

// A search looks depth first for a path; path is the part found so far, leaf first.
type search struct {
	bundle *Bundle
	now    time.Time
	path   []*node

	anyPurpose bool // the leaf is no client certificate

	checks, steps, comparisons int // what may still be spent
	refusal                    *Refusal
}

func newSearch(b *Bundle, leaf *node, now time.Time) *search {
	s := &search{bundle: b, now: now, path: make([]*node, 1, 8), checks: maxSignatureChecks, steps: maxSearchSteps, comparisons: maxComparisons}
	s.path[0] = leaf
	return s
}

// extend tries every issuer of the last certificate of the path and reports
// whether the path was completed.
func (s *search) extend() bool {
	child := s.path[len(s.path)-1]
	for _, parent := range s.bundle.issuersOf(child) {
		if s.steps--; s.steps < 0 {
			s.note(child.refuse(TooMuchWork, "too many paths"), len(s.path)-1)
			return false
		}
		if s.onPath(parent) || !s.fits(child, parent) {
			continue
		}
		s.path = append(s.path, parent)
		if parent.anchor {
			if s.checkPath() {
				return true
			}
		} else if s.extend() {
			return true
		}
		s.path = s.path[:len(s.path)-1]
	}
	return false
}

// onPath reports whether a certificate of the same name and key is on the path: such
// a loop cannot make a path better (RFC 4158 section 2.4.2).
func (s *search) onPath(parent *node) bool {
	for _, n := range s.path {
		if n.subject == parent.subject && bytes.Equal(n.cert.RawSubjectPublicKeyInfo, parent.cert.RawSubjectPublicKeyInfo) {
			return true
		}
	}
	return false
}

// fits reports whether parent may and did issue child. The signature comes last: it is
// the expensive part.
func (s *search) fits(child, parent *node) bool {
	depth := len(s.path)
	if limit := s.bundle.maxCAs; limit > 0 && depth > limit {
		return s.note(child.refuse(ChainTooLong, ""), depth-1)
	}
	for _, r := range []*Refusal{parent.flaw, parent.mayIssue(), parent.validAt(s.now, depth)} {
		if r != nil {
			return s.note(r, depth)
		}
	}
	if r := parent.usableByClient(false); r != nil && !s.anyPurpose {
		return s.note(r, depth)
	}
	if !keyFits(child.cert, parent.cert) {
		return false
	}
	signed, known := s.bundle.links.get(child, parent)
	if !known {
		if s.checks--; s.checks < 0 {
			return s.note(child.refuse(TooMuchWork, "too many signatures to check"), depth-1)
		}
		signed = signedBy(child.cert, parent.cert)
		s.bundle.links.put(child, parent, signed)
	}
	if !signed {
		return s.note(child.refuse(BadSignature, ""), depth-1)
	}
	return true
}

// note keeps the refusal that tells most: one found on a longer path, or a later kind on
// the same length, wins. It returns false for its callers' convenience.
func (s *search) note(r *Refusal, depth int) bool {
	if s.refusal == nil || depth > s.refusal.Depth || depth == s.refusal.Depth && s.refusal.Reason == BadSignature {
		found := *r
		found.Depth = depth
		s.refusal = &found
	}
	return false
}

// checkPath applies what depends on the whole path: path lengths, name constraints,
// policies.
func (s *search) checkPath() bool {
	room := len(s.path)
	for i := len(s.path) - 1; i > 0; i-- {
		n := s.path[i]
		if i < len(s.path)-1 && !n.selfIssued() {
			if room == 0 {
				return s.note(n.refuse(PathLength, ""), i)
			}
			room--
		}
		if c := n.cert; c.MaxPathLen > 0 || c.MaxPathLen == 0 && c.MaxPathLenZero {
			room = min(room, c.MaxPathLen)
		}
		if r := s.checkNames(n, i); r != nil {
			return s.note(r, i)
		}
	}
	if r := checkPolicies(s.path); r != nil {
		return s.note(r, 0)
	}
	return true
}

// checkNames applies the name constraints of the issuer at place i to everything
// below it. Self-issued certificates are exempt unless they are the last (RFC 5280
// section 6.1.3 (b)).
func (s *search) checkNames(issuer *node, i int) *Refusal {
	if issuer.within == nil {
		return nil
	}
	for j := i - 1; j >= 0; j-- {
		n := s.path[j]
		if j > 0 && n.selfIssued() {
			continue
		}
		if err := issuer.within.allows(n, &s.comparisons); err == errComparisons {
			return n.refuse(TooMuchWork, err.Error())
		} else if err != nil {
			return n.refuse(NameConstraint, err.Error())
		}
	}
	return nil
}

func (s *search) result() *Path {
	p := &Path{nodes: slices.Clone(s.path)}
	for i, n := range s.path {
		p.Chain = append(p.Chain, n.cert)
		if i == 0 || n.cert.NotBefore.After(p.NotBefore) {
			p.NotBefore = n.cert.NotBefore
		}
		if i == 0 || n.cert.NotAfter.Before(p.NotAfter) {
			p.NotAfter = n.cert.NotAfter
		}
	}
	return p
}
