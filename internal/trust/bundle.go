package trust

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"gatehouse/internal/trust/dn"
)

// Limits of a trust store (reference mutual-tls.md A1.2, A3.1).
const (
	MaxBundleSize         = 1 << 20 // octets
	MaxBundleCertificates = 1000
	DefaultMaxCAs         = 4
)

// Source tells where a bundle was read from. It is part of no decision.
type Source struct {
	URI     string // "s3://bucket/key"
	Version string // S3 version id; "" without versioning
	ETag    string
}

// Options tune how a bundle is read and used.
type Options struct {
	Source Source
	// MaxCAs is the number of CA certificates that a path may have above the leaf. 0
	// means DefaultMaxCAs, less than 0 no limit but that of the work.
	MaxCAs int
}

// A Bundle is a parsed trust store. Self-signed members are the trust anchors, all
// others only links to them.
type Bundle struct {
	// Source is where it came from.
	Source Source
	// SHA256 is the digest of the object's octets: the identity of the content.
	SHA256 [32]byte
	// Warnings lists what is wrong with members of an otherwise usable bundle, as it
	// stood when the bundle was read.
	Warnings []Warning

	maxCAs    int
	nodes     []*node
	bySubject map[string][]*node
	bySum     map[[32]byte]int
	links     linkCache
	paths     pathCache
}

// A Warning is one problem of a bundle that did not refuse it.
type Warning struct {
	Subject string // most specific first, RFC 4514; "" when it could not be read
	Problem string // "has expired", ...
	Place   string // "block 3, line 41"
}

// String is the form that truststoreWarnings shows (reference mutual-tls.md A3.3).
func (w Warning) String() string {
	if w.Subject == "" {
		return fmt.Sprintf("Certificate in %s %s.", w.Place, w.Problem)
	}
	return fmt.Sprintf("Certificate with subject %s %s.", w.Subject, w.Problem)
}

// ErrNoCertificate is matched by the error of a bundle in which no certificate can be read.
var ErrNoCertificate = errors.New("trust store holds no certificate that can be read")

// ParseBundle reads concatenated PEM certificates. An object that is not such a text,
// is over a limit or holds a private key is refused as a whole with the place of the
// fault; members that can be read but not trusted are warnings. now only decides
// which validity warnings there are.
func ParseBundle(data []byte, now time.Time, opts Options) (*Bundle, error) {
	if len(data) > MaxBundleSize {
		return nil, fmt.Errorf("trust store has %d octets, want at most %d", len(data), MaxBundleSize)
	}
	blocks, err := splitPEM(data, MaxBundleCertificates)
	if err != nil {
		return nil, fmt.Errorf("trust store: %w", err)
	}
	b := &Bundle{
		Source:    opts.Source,
		SHA256:    sha256.Sum256(data),
		maxCAs:    opts.MaxCAs,
		bySubject: map[string][]*node{},
		bySum:     map[[32]byte]int{},
	}
	if b.maxCAs == 0 {
		b.maxCAs = DefaultMaxCAs
	}
	places := make([]string, 0, len(blocks))
	for _, block := range blocks {
		if b.add(block) {
			places = append(places, block.place())
		}
	}
	if len(b.nodes) == 0 {
		if len(b.Warnings) > 0 {
			return nil, fmt.Errorf("%w: %s", ErrNoCertificate, b.Warnings[0])
		}
		return nil, ErrNoCertificate
	}
	work := inspectionChecks
	for i, n := range b.nodes {
		b.inspect(n, places[i], now, &work)
	}
	return b, nil
}

// inspectionChecks bounds the signatures checked for warnings, over the whole bundle.
const inspectionChecks = 4096

// add takes one block in and reports whether it became a member.
func (b *Bundle) add(block pemBlock) bool {
	if block.kind != "CERTIFICATE" && block.kind != "X509 CERTIFICATE" {
		b.warn(block.place(), "", fmt.Sprintf("is ignored: it is a %q, not a CERTIFICATE", block.kind))
		return false
	}
	cert, err := x509.ParseCertificate(block.der)
	if err != nil {
		b.warn(block.place(), "", "is ignored: "+err.Error())
		return false
	}
	n := newNode(cert)
	if _, dup := b.bySum[n.sum]; dup {
		b.warn(block.place(), n.name.RFC4514(), "is listed twice")
		return false
	}
	n.index = len(b.nodes)
	n.anchor = n.flaw == nil && n.selfSigned()
	b.bySum[n.sum] = len(b.nodes)
	b.nodes = append(b.nodes, n)
	b.bySubject[n.subject] = append(b.bySubject[n.subject], n)
	return true
}

func (b *Bundle) warn(place, subject, problem string) {
	b.Warnings = append(b.Warnings, Warning{Subject: subject, Problem: problem, Place: place})
}

// inspect warns of what will make clients of n fail.
func (b *Bundle) inspect(n *node, place string, now time.Time, work *int) {
	subject := n.name.RFC4514()
	if n.flaw != nil {
		b.warn(place, subject, flawProblem(n.flaw))
		return
	}
	switch {
	case now.After(n.cert.NotAfter):
		b.warn(place, subject, "has expired on "+n.cert.NotAfter.UTC().Format("2006-01-02"))
	case now.Before(n.cert.NotBefore):
		b.warn(place, subject, "is not yet valid before "+n.cert.NotBefore.UTC().Format("2006-01-02"))
	}
	if n.anchor {
		return // a listed self-signed certificate need not be a CA
	}
	if n.mayIssue() != nil && !b.signsCRLs(n) {
		b.warn(place, subject, "is not a CA")
	}
	if !b.reachesAnchor(n, work) {
		b.warn(place, subject, "has no issuer in the truststore")
	}
}

func flawProblem(r *Refusal) string {
	switch r.Reason {
	case InsecureSignature:
		return "has an unsupported signature algorithm (" + r.Detail + ")"
	case UnsupportedKey:
		return "has an unsupported key (" + r.Detail + ")"
	case CriticalExtension:
		return "has an unsupported critical extension (" + r.Detail + ")"
	}
	return "is malformed (" + r.Detail + ")"
}

// signsCRLs reports whether n is listed to sign revocation lists: keyUsage says so.
func (b *Bundle) signsCRLs(n *node) bool {
	return n.cert.KeyUsage&x509.KeyUsageCRLSign != 0
}

// reachesAnchor follows names and signatures, not validity, from n to a root. When work
// is used up the answer is yes: a warning would be a guess.
func (b *Bundle) reachesAnchor(n *node, work *int) bool {
	seen := map[*node]bool{n: true}
	for queue := []*node{n}; len(queue) > 0; queue = queue[1:] {
		child := queue[0]
		for _, parent := range b.issuersOf(child) {
			if seen[parent] || parent.flaw != nil || !keyFits(child.cert, parent.cert) {
				continue
			}
			signed, known := b.links.get(child, parent)
			if !known {
				if *work--; *work < 0 {
					return true
				}
				signed = signedBy(child.cert, parent.cert)
				b.links.put(child, parent, signed)
			}
			if !signed {
				continue
			}
			if parent.anchor {
				return true
			}
			seen[parent] = true
			queue = append(queue, parent)
		}
	}
	return false
}

// issuersOf returns the members whose subject is child's issuer, those first whose
// key identifier is the one that child names. The identifier is a hint, not a
// condition (RFC 4158 section 3.5.12).
func (b *Bundle) issuersOf(child *node) []*node {
	all := b.bySubject[child.issuer]
	aki := child.cert.AuthorityKeyId
	if len(all) < 2 || len(aki) == 0 {
		return all
	}
	sorted := make([]*node, 0, len(all))
	for _, n := range all {
		if bytes.Equal(n.cert.SubjectKeyId, aki) {
			sorted = append(sorted, n)
		}
	}
	for _, n := range all {
		if !bytes.Equal(n.cert.SubjectKeyId, aki) {
			sorted = append(sorted, n)
		}
	}
	return sorted
}

// Certificates returns the members in the order of the object, duplicates and
// unreadable ones left out. The slice is the caller's, the certificates are not.
func (b *Bundle) Certificates() []*x509.Certificate {
	out := make([]*x509.Certificate, len(b.nodes))
	for i, n := range b.nodes {
		out[i] = n.cert
	}
	return out
}

// IsAnchor reports whether cert is a trust anchor of the bundle.
func (b *Bundle) IsAnchor(cert *x509.Certificate) bool {
	i, ok := b.bySum[sha256.Sum256(cert.Raw)]
	return ok && b.nodes[i].anchor
}

// ID names the content in logs and ticket key derivation: the digest in hexadecimal.
func (b *Bundle) ID() string { return hex.EncodeToString(b.SHA256[:]) }

// Issuer returns a certificate's issuer, written as Subject does.
func Issuer(cert *x509.Certificate) string {
	n, err := dn.Parse(cert.RawIssuer)
	if err != nil {
		return cert.Issuer.String()
	}
	return n.RFC4514()
}

// Subject returns a certificate's subject most specific first, as warnings write it.
func Subject(cert *x509.Certificate) string {
	n, err := dn.Parse(cert.RawSubject)
	if err != nil {
		return cert.Subject.String()
	}
	return n.RFC4514()
}
