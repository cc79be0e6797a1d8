package trust

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"time"

	"gatehouse/internal/trust/dn"
)

// maxAlternativeNames bounds the names of one certificate that are read.
const maxAlternativeNames = 1024

// handled are the extensions whose meaning path validation honours, or that bind
// nobody: a critical extension outside this set makes a certificate unusable.
var handled = map[string]bool{
	"2.5.29.9": true, "2.5.29.14": true, "2.5.29.15": true, "2.5.29.17": true, "2.5.29.18": true,
	"2.5.29.19": true, "2.5.29.30": true, "2.5.29.31": true, "2.5.29.32": true, "2.5.29.33": true,
	"2.5.29.35": true, "2.5.29.36": true, "2.5.29.37": true, "2.5.29.46": true, "2.5.29.54": true,
	"1.3.6.1.5.5.7.1.1": true, "1.3.6.1.5.5.7.1.11": true,
}

var (
	oidSubjectAltName  = asn1.ObjectIdentifier{2, 5, 29, 17}
	oidNameConstraints = asn1.ObjectIdentifier{2, 5, 29, 30}
)

// A node is what path building wants to know of one certificate, computed once.
type node struct {
	cert    *x509.Certificate
	sum     [32]byte // SHA-256 of the DER
	subject string   // normal forms of the names
	issuer  string
	name    dn.Name // the subject
	alt     []dn.GeneralName
	within  *constraints // name constraints that it sets; nil without
	flaw    *Refusal     // what excludes it from every path; nil when nothing does
	index   int          // place in the bundle; -1 outside
	anchor  bool         // self-signed member of the bundle
}

// newNode reads what crypto/x509 leaves unread. It never fails: what is wrong
// becomes the node's flaw.
func newNode(cert *x509.Certificate) *node {
	n := &node{cert: cert, sum: sha256.Sum256(cert.Raw), index: -1}
	if err := n.readNames(); err != nil {
		n.flaw = n.refuse(Malformed, err.Error())
		return n
	}
	for _, e := range cert.Extensions {
		if e.Critical && !handled[e.Id.String()] {
			n.flaw = n.refuse(CriticalExtension, e.Id.String())
			return n
		}
	}
	switch {
	case !acceptedSignature(cert.SignatureAlgorithm):
		n.flaw = n.refuse(InsecureSignature, signatureName(cert))
	case !acceptedKey(cert.PublicKey):
		n.flaw = n.refuse(UnsupportedKey, keyName(cert))
	}
	return n
}

func (n *node) readNames() error {
	var err error
	if n.name, err = dn.Parse(n.cert.RawSubject); err != nil {
		return fmt.Errorf("subject: %w", err)
	}
	issuer, err := dn.Parse(n.cert.RawIssuer)
	if err != nil {
		return fmt.Errorf("issuer: %w", err)
	}
	n.subject, n.issuer = n.name.Key(), issuer.Key()
	if n.name.HasNUL() || issuer.HasNUL() {
		return fmt.Errorf("a name holds the character NUL")
	}
	for _, e := range n.cert.Extensions {
		switch {
		case e.Id.Equal(oidSubjectAltName):
			if n.alt, err = parseAlternativeNames(e.Value); err != nil {
				return fmt.Errorf("subject alternative name: %w", err)
			}
		case e.Id.Equal(oidNameConstraints):
			if n.within, err = parseConstraints(e.Value); err != nil {
				return fmt.Errorf("name constraints: %w", err)
			}
		}
	}
	return nil
}

// refuse makes a Refusal about this certificate; the caller knows the depth.
func (n *node) refuse(r Reason, detail string) *Refusal {
	return &Refusal{Reason: r, Subject: n.name.String(), Detail: detail}
}

func (n *node) selfIssued() bool { return n.subject == n.issuer }

// selfSigned reports whether the certificate's own key signed it.
func (n *node) selfSigned() bool {
	return n.selfIssued() && signedBy(n.cert, n.cert)
}

// mayIssue returns what forbids the certificate to issue others; nil when nothing does.
func (n *node) mayIssue() *Refusal {
	switch {
	case n.cert.Version != 3 || !n.cert.BasicConstraintsValid || !n.cert.IsCA:
		return n.refuse(NotCA, "basic constraints do not name it a CA")
	case n.cert.KeyUsage != 0 && n.cert.KeyUsage&x509.KeyUsageCertSign == 0:
		return n.refuse(NotCA, "key usage lacks keyCertSign")
	}
	return nil
}

// validAt returns what the time now makes of the certificate at depth: the leaf
// has reasons of its own.
func (n *node) validAt(now time.Time, depth int) *Refusal {
	late, early := IssuerExpired, IssuerNotYetValid
	if depth == 0 {
		late, early = Expired, NotYetValid
	}
	switch {
	case now.After(n.cert.NotAfter):
		return n.refuse(late, "not after "+n.cert.NotAfter.UTC().Format(time.RFC3339))
	case now.Before(n.cert.NotBefore):
		return n.refuse(early, "not before "+n.cert.NotBefore.UTC().Format(time.RFC3339))
	}
	return nil
}

// usableByClient applies the purpose rules to a certificate of a path, as an
// OpenSSL server does: an extended key usage must allow client authentication on every
// certificate that has one, and a leaf's key usage must allow signing or key agreement.
func (n *node) usableByClient(leaf bool) *Refusal {
	c := n.cert
	if len(c.ExtKeyUsage)+len(c.UnknownExtKeyUsage) > 0 && !allowsClientAuth(c.ExtKeyUsage) {
		return n.refuse(Purpose, "extended key usage lacks clientAuth")
	}
	if leaf && c.KeyUsage != 0 && c.KeyUsage&(x509.KeyUsageDigitalSignature|x509.KeyUsageKeyAgreement) == 0 {
		return n.refuse(Purpose, "key usage lacks digitalSignature")
	}
	return nil
}

func allowsClientAuth(usages []x509.ExtKeyUsage) bool {
	for _, u := range usages {
		if u == x509.ExtKeyUsageClientAuth || u == x509.ExtKeyUsageAny {
			return true
		}
	}
	return false
}

// acceptedSignature holds the algorithms of reference mutual-tls.md A3.1: SHA-256 or
// stronger with RSA or ECDSA. RSA-PSS belongs to RSA.
func acceptedSignature(a x509.SignatureAlgorithm) bool {
	switch a {
	case x509.SHA256WithRSA, x509.SHA384WithRSA, x509.SHA512WithRSA,
		x509.SHA256WithRSAPSS, x509.SHA384WithRSAPSS, x509.SHA512WithRSAPSS,
		x509.ECDSAWithSHA256, x509.ECDSAWithSHA384, x509.ECDSAWithSHA512:
		return true
	}
	return false
}

// acceptedKey: RSA of 2048 to 8192 bits, ECDSA on P-256 and P-384. The upper
// bound is the load balancer's and keeps a signature check cheap.
func acceptedKey(key any) bool {
	switch k := key.(type) {
	case *rsa.PublicKey:
		bits := k.N.BitLen()
		return bits >= 2048 && bits <= 8192
	case *ecdsa.PublicKey:
		return k.Curve == elliptic.P256() || k.Curve == elliptic.P384()
	}
	return false
}

func signatureName(c *x509.Certificate) string {
	if c.SignatureAlgorithm == x509.UnknownSignatureAlgorithm {
		return "unknown signature algorithm"
	}
	return c.SignatureAlgorithm.String()
}

func keyName(c *x509.Certificate) string {
	switch k := c.PublicKey.(type) {
	case *rsa.PublicKey:
		return fmt.Sprintf("RSA %d bits", k.N.BitLen())
	case *ecdsa.PublicKey:
		return "ECDSA " + k.Curve.Params().Name
	}
	if c.PublicKeyAlgorithm == x509.UnknownPublicKeyAlgorithm {
		return "unknown key algorithm"
	}
	return c.PublicKeyAlgorithm.String()
}

// signedBy checks child's signature with parent's key, and nothing else. The
// algorithm of both must have been accepted: crypto/x509 knows more than we accept.
func signedBy(child, parent *x509.Certificate) bool {
	return parent.CheckSignature(child.SignatureAlgorithm, child.RawTBSCertificate, child.Signature) == nil
}

// keyFits reports whether parent's kind of key can have made child's signature, so
// that impossible checks cost nothing.
func keyFits(child, parent *x509.Certificate) bool {
	switch child.SignatureAlgorithm {
	case x509.ECDSAWithSHA256, x509.ECDSAWithSHA384, x509.ECDSAWithSHA512:
		return parent.PublicKeyAlgorithm == x509.ECDSA
	}
	return parent.PublicKeyAlgorithm == x509.RSA
}
