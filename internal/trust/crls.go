package trust

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"time"

	"gatehouse/internal/trust/crl"
	"gatehouse/internal/trust/dn"
)

// CRLs are the revocation lists that count for one bundle: each is signed by a member of
// the bundle. The set is immutable.
type CRLs struct {
	bundle   *Bundle
	byIssuer map[string][]*signedList
	lists    int
}

// A signedList is a list with the members of the bundle whose key signed it.
type signedList struct {
	*crl.List
	signers []*node
}

// A CRLProblem tells of a list that was left out.
type CRLProblem struct {
	List   *crl.List
	Reason string
}

// maxSigners bounds the keys that are tried on one list.
const maxSigners = 64

// NewCRLs keeps those lists that a member of b signed and may sign, and among lists of the
// same issuer, key and scope the newest. The order of lists does not matter.
func NewCRLs(b *Bundle, lists []*crl.List) (*CRLs, []CRLProblem) {
	c := &CRLs{bundle: b, byIssuer: map[string][]*signedList{}}
	var problems []CRLProblem
	for _, l := range lists {
		s, why := b.signersOf(l)
		if why != "" {
			problems = append(problems, CRLProblem{l, why})
			continue
		}
		c.insert(&signedList{l, s})
	}
	return c, problems
}

// signersOf finds the members that signed l. why is set when there is none.
func (b *Bundle) signersOf(l *crl.List) (signers []*node, why string) {
	tried, noUsage := 0, false
	for _, n := range b.bySubject[l.IssuerKey] {
		if len(l.AuthorityKeyID) > 0 && len(n.cert.SubjectKeyId) > 0 && !bytes.Equal(l.AuthorityKeyID, n.cert.SubjectKeyId) {
			continue
		}
		if tried++; tried > maxSigners {
			break
		}
		if n.flaw != nil || l.CheckSignature(n.cert) != nil {
			continue
		}
		if n.cert.KeyUsage != 0 && n.cert.KeyUsage&x509.KeyUsageCRLSign == 0 {
			noUsage = true
			continue
		}
		signers = append(signers, n)
	}
	switch {
	case len(signers) > 0:
		return signers, ""
	case noUsage:
		return nil, "its signer's key usage lacks cRLSign"
	case tried == 0:
		return nil, "its issuer is not in the trust store"
	}
	return nil, "its signature is not that of its issuer in the trust store"
}

// insert adds a list in place of an older one of the same kind.
func (c *CRLs) insert(s *signedList) {
	lists := c.byIssuer[s.IssuerKey]
	for i, old := range lists {
		if old.sameKind(s) {
			if s.Supersedes(old.List) {
				lists[i] = s
			}
			return
		}
	}
	c.byIssuer[s.IssuerKey] = append(lists, s)
	c.lists++
}

// sameKind reports whether two lists of one issuer speak about the same certificates
// by the same key.
func (s *signedList) sameKind(t *signedList) bool {
	return (s.Base == nil) == (t.Base == nil) && s.sameKey(t) && s.Scope.Key() == t.Scope.Key()
}

func (s *signedList) sameKey(t *signedList) bool {
	return bytes.Equal(s.signers[0].cert.RawSubjectPublicKeyInfo, t.signers[0].cert.RawSubjectPublicKeyInfo)
}

// Len returns the number of lists and of their entries.
func (c *CRLs) Len() (lists, entries int) {
	if c == nil {
		return 0, 0
	}
	for _, ls := range c.byIssuer {
		for _, l := range ls {
			entries += l.List.Len()
		}
	}
	return c.lists, entries
}

// All calls yield for each list in use.
func (c *CRLs) All(yield func(*crl.List) bool) {
	if c == nil {
		return
	}
	for _, ls := range c.byIssuer {
		for _, l := range ls {
			if !yield(l.List) {
				return
			}
		}
	}
}

// covers reports whether there is a list by the issuer of n at all.
func (c *CRLs) covers(n *node) bool { return c != nil && len(c.byIssuer[n.issuer]) > 0 }

// Knows reports whether there is a list that answers for one of the distribution points of
// cert, fresh or not.
func (c *CRLs) Knows(cert *x509.Certificate) bool {
	n := newNode(cert)
	for _, p := range pointsOf(n) {
		if c == nil {
			return false
		}
		for _, l := range c.byIssuer[n.issuer] {
			if l.Base == nil && answersFor(l.List, p, n) {
				return true
			}
		}
	}
	return false
}

var oidDistributionPoints = asn1.ObjectIdentifier{2, 5, 29, 31}

// pointsOf returns the distribution points of a certificate, and the implicit one that
// bears its issuer's name (RFC 5280 section 6.3.3, last paragraph).
func pointsOf(n *node) []crl.Point {
	issuer, err := dn.Parse(n.cert.RawIssuer)
	if err != nil {
		return nil
	}
	var points []crl.Point
	for _, e := range n.cert.Extensions {
		if e.Id.Equal(oidDistributionPoints) {
			if points, err = crl.ParsePoints(e.Value, issuer); err != nil {
				points = nil
			}
		}
	}
	implicit := crl.Point{Names: []dn.GeneralName{{Form: dn.DirectoryName, Directory: issuer}}, Reasons: crl.AllReasons}
	return append(points, implicit)
}

// answersFor reports whether a list speaks about a certificate as one had at point p
// (RFC 5280 section 6.3.3 (b)). A scope that excludes the certificate gives no answer.
func answersFor(l *crl.List, p crl.Point, n *node) bool {
	s := &l.Scope
	isCA := n.cert.BasicConstraintsValid && n.cert.IsCA
	if s.Indirect || s.OnlyAttributes || s.OnlyUser && isCA || s.OnlyCA && !isCA {
		return false
	}
	if len(p.Issuers) > 0 && !namesDirectory(p.Issuers, l.IssuerKey) {
		return false // the list of another issuer is wanted
	}
	if len(s.Names) == 0 {
		return true
	}
	want := p.Names
	if len(want) == 0 {
		want = p.Issuers
	}
	for _, a := range s.Names {
		for _, b := range want {
			if a.Equal(b) {
				return true
			}
		}
	}
	return false
}

func namesDirectory(names []dn.GeneralName, key string) bool {
	for _, g := range names {
		if g.Form == dn.DirectoryName && g.Directory.Key() == key {
			return true
		}
	}
	return false
}

// A crlQuery asks the lists about certificates of one verified path.
type crlQuery struct {
	crls   *CRLs
	now    time.Time
	grace  time.Duration
	maxAge time.Duration
	depth  int // of signers whose own status is being looked for
}

// maxSignerDepth bounds the chain of CRL signers that vouch for CRL signers.
const maxSignerDepth = 3

// status asks about n, issued by issuer, in a path that ends in anchor.
func (q crlQuery) status(n, issuer, anchor *node) Finding {
	if q.crls == nil {
		return Finding{Status: StatusUnknown, Detail: "no revocation list"}
	}
	found := Finding{Status: StatusUnknown, Detail: "no revocation list covers the certificate", Until: forever}
	var covered crl.Reasons
	for _, p := range pointsOf(n) {
		for _, l := range q.crls.byIssuer[n.issuer] {
			if l.Base != nil || !answersFor(l.List, p, n) {
				continue
			}
			listed, why := q.entry(l, n)
			signer, doubt := q.signerStatus(l, issuer, anchor)
			if listed && signer != StatusRevoked {
				return Finding{Status: StatusRevoked, Source: "CRL", Detail: why, Until: forever}
			}
			switch {
			case signer != StatusGood:
				found.Detail = doubt
			case l.Doubt != "":
				found.Detail = l.Doubt
			case !l.FreshAt(q.now, q.grace, q.maxAge):
				found.Detail, found.Stale = staleText(l.List), true
			default:
				covered |= p.Reasons & l.Scope.Reasons
				if e := l.Expires(q.grace, q.maxAge); e.Before(found.Until) {
					found.Until = e
				}
			}
		}
		if covered == crl.AllReasons {
			return Finding{Status: StatusGood, Source: "CRL", Until: found.Until}
		}
	}
	if covered != 0 {
		found.Detail = "revocation lists do not cover all reasons"
	}
	return found
}

func staleText(l *crl.List) string {
	if l.NextUpdate.IsZero() {
		return "revocation list without nextUpdate is too old"
	}
	return "revocation list is stale since " + l.NextUpdate.UTC().Format(time.RFC3339)
}

// entry looks a certificate up in a complete list and the newest delta that fits it.
func (q crlQuery) entry(l *signedList, n *node) (listed bool, why string) {
	reason, listed := l.Find(n.cert.SerialNumber)
	if d := q.deltaTo(l); d != nil {
		if r, ok := d.Find(n.cert.SerialNumber); ok {
			reason, listed = r, r != crl.RemoveFromCRL
		}
	}
	return listed && reason != crl.RemoveFromCRL, fmt.Sprintf("reason code %d", reason)
}

// deltaTo returns the newest fresh delta list that may be combined with l (RFC 5280
// section 5.2.4).
func (q crlQuery) deltaTo(l *signedList) *signedList {
	var best *signedList
	for _, d := range q.crls.byIssuer[l.IssuerKey] {
		if d.Base == nil || d.Number == nil || l.Number == nil || d.Doubt != "" || !d.sameKey(l) || d.Scope.Key() != l.Scope.Key() {
			continue
		}
		if d.Base.Cmp(l.Number) > 0 || d.Number.Cmp(l.Number) <= 0 || !d.FreshAt(q.now, q.grace, q.maxAge) {
			continue
		}
		if best == nil || d.Number.Cmp(best.Number) > 0 {
			best = d
		}
	}
	return best
}

// signerStatus tells whether the signer of a list may be believed about certificates of
// issuer: it has issuer's key, or is another member of the same name that chains to the
// same anchor and is not revoked itself.
func (q crlQuery) signerStatus(l *signedList, issuer, anchor *node) (Status, string) {
	for _, s := range l.signers {
		if bytes.Equal(s.cert.RawSubjectPublicKeyInfo, issuer.cert.RawSubjectPublicKeyInfo) {
			return StatusGood, ""
		}
	}
	worst, why := StatusUnknown, "the signer of the revocation list is not known to be good"
	if q.depth >= maxSignerDepth {
		return worst, why
	}
	next := q
	next.depth++
	for _, s := range l.signers {
		path, err := q.crls.bundle.anyPath(s, q.now)
		if err != nil || path[len(path)-1] != anchor {
			continue
		}
		switch next.pathStatus(path) {
		case StatusGood:
			return StatusGood, ""
		case StatusRevoked:
			worst, why = StatusRevoked, "the signer of the revocation list is revoked"
		}
	}
	return worst, why
}

// pathStatus is the worst status of the certificates of a path.
func (q crlQuery) pathStatus(path []*node) Status {
	worst := StatusGood
	for i := 0; i < len(path)-1; i++ {
		if f := q.status(path[i], path[i+1], path[len(path)-1]); f.Status > worst {
			worst = f.Status
		}
	}
	return worst
}

// anyPath finds a path for a member that need not be fit for client authentication.
func (b *Bundle) anyPath(n *node, now time.Time) ([]*node, error) {
	if n.anchor {
		return []*node{n}, nil
	}
	if r := n.validAt(now, 0); r != nil {
		return nil, r
	}
	s := newSearch(b, n, now)
	s.anyPurpose = true
	if !s.extend() {
		return nil, n.refuse(UnknownIssuer, "")
	}
	return s.path, nil
}
