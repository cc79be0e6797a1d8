// Package ocsp makes requests for and checks responses of the Online Certificate Status
// Protocol (RFC 6960, RFC 5019, RFC 9654). It does no I/O.
//
// golang.org/x/crypto/ocsp finds an answer by its serial number alone and leaves issuer,
// nonce, time and the rights of a delegated responder to its caller; all of these decide
// about trust here, so they are checked in one place.
//
// Values are immutable; functions may be called concurrently.
package ocsp

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/sha1" // identifies the issuer in CertID, protects nothing
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"gatehouse/internal/trust/sig"
)

// MaxSize bounds a response, in octets.
const MaxSize = 64 << 10

// NonceSize is the number of octets that RFC 9654 recommends.
const NonceSize = 32

var (
	oidSHA1   = asn1.ObjectIdentifier{1, 3, 14, 3, 2, 26}
	oidSHA256 = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}
	oidBasic  = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 1}
	oidNonce  = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 2}
)

// An ID names a certificate to a responder: a digest of issuer and serial number.
type ID struct {
	nameHash, keyHash [sha1.Size]byte
	serial            string // DER content
	issuer            *x509.Certificate
}

// NewID identifies cert, issued by issuer.
func NewID(cert, issuer *x509.Certificate) (ID, error) {
	key, err := publicKeyBits(issuer)
	if err != nil {
		return ID{}, err
	}
	return ID{
		nameHash: sha1.Sum(issuer.RawSubject), keyHash: sha1.Sum(key),
		serial: string(serialContent(cert.SerialNumber)), issuer: issuer,
	}, nil
}

// Key is equal for equal certificates: what answers are kept under.
func (id ID) Key() string { return string(id.nameHash[:]) + string(id.keyHash[:]) + id.serial }

// publicKeyBits returns the BIT STRING of the key, without tag, length and unused bits.
func publicKeyBits(c *x509.Certificate) ([]byte, error) {
	in := cryptobyte.String(c.RawSubjectPublicKeyInfo)
	var seq, alg cryptobyte.String
	var bits asn1.BitString
	if !in.ReadASN1(&seq, cbasn1.SEQUENCE) || !seq.ReadASN1(&alg, cbasn1.SEQUENCE) || !seq.ReadASN1BitString(&bits) {
		return nil, errors.New("OCSP: malformed public key of the issuer")
	}
	return bits.RightAlign(), nil
}

func serialContent(n *big.Int) []byte {
	var b cryptobyte.Builder
	b.AddASN1BigInt(n)
	var content cryptobyte.String
	in := cryptobyte.String(b.BytesOrPanic())
	in.ReadASN1(&content, cbasn1.INTEGER)
	return content
}

// NewNonce makes a nonce.
func NewNonce() []byte {
	n := make([]byte, NonceSize)
	rand.Read(n)
	return n
}

// Request encodes a request about one certificate. nonce may be nil: answers may then
// come from a cache of the responder.
func (id ID) Request(nonce []byte) []byte {
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { // OCSPRequest
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { // TBSRequest
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { // requestList
				b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { // Request
					b.AddASN1(cbasn1.SEQUENCE, id.encode)
				})
			})
			if nonce != nil {
				b.AddASN1(cbasn1.Tag(2).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) {
					b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
						b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
							b.AddASN1ObjectIdentifier(oidNonce)
							b.AddASN1(cbasn1.OCTET_STRING, func(b *cryptobyte.Builder) { b.AddASN1OctetString(nonce) })
						})
					})
				})
			}
		})
	})
	return b.BytesOrPanic()
}

func (id ID) encode(b *cryptobyte.Builder) {
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(oidSHA1)
		b.AddASN1NULL()
	})
	b.AddASN1OctetString(id.nameHash[:])
	b.AddASN1OctetString(id.keyHash[:])
	b.AddASN1(cbasn1.INTEGER, func(b *cryptobyte.Builder) { b.AddBytes([]byte(id.serial)) })
}

// A Status is what a responder says about a certificate.
type Status uint8

// The statuses.
const (
	Good Status = iota
	Revoked
	Unknown
)

// A Response is a response whose signature and signer were checked.
type Response struct {
	Status     Status
	ThisUpdate time.Time
	NextUpdate time.Time // zero when absent
	RevokedAt  time.Time // of Revoked
	Reason     int       // of Revoked; 0 when absent
	// Nonce tells that the response had the nonce that was asked with.
	Nonce bool
}

// FreshAt reports whether the response may be relied upon at now: until its nextUpdate,
// or maxAge after thisUpdate when it has none.
func (r *Response) FreshAt(now time.Time, maxAge time.Duration) bool {
	const skew = 5 * time.Minute
	return !r.ThisUpdate.After(now.Add(skew)) && now.Before(r.Expires(maxAge))
}

// Expires returns when FreshAt turns false.
func (r *Response) Expires(maxAge time.Duration) time.Time {
	if r.NextUpdate.IsZero() {
		return r.ThisUpdate.Add(maxAge)
	}
	return r.NextUpdate
}

// statusNames are the values of OCSPResponseStatus.
var statusNames = map[int]string{1: "malformedRequest", 2: "internalError", 3: "tryLater", 5: "sigRequired", 6: "unauthorized"}

// Parse reads a response to a request about id, and checks that it speaks about that
// certificate, that the issuer or a responder delegated by it signed it at now, and that
// it repeats the nonce if it has one. It does not check the time of the answer: see FreshAt.
func Parse(der []byte, id ID, nonce []byte, now time.Time) (*Response, error) {
	if len(der) > MaxSize {
		return nil, fmt.Errorf("OCSP response has %d octets, want at most %d", len(der), MaxSize)
	}
	in := cryptobyte.String(der)
	var outer, explicit, seq, basic cryptobyte.String
	var status int
	var kind asn1.ObjectIdentifier
	if !in.ReadASN1(&outer, cbasn1.SEQUENCE) || !in.Empty() || !outer.ReadASN1Enum(&status) {
		return nil, errors.New("OCSP: malformed response")
	}
	if status != 0 {
		if name, ok := statusNames[status]; ok {
			return nil, fmt.Errorf("OCSP: the responder answers %s", name)
		}
		return nil, fmt.Errorf("OCSP: the responder answers with status %d", status)
	}
	if !outer.ReadASN1(&explicit, cbasn1.Tag(0).ContextSpecific().Constructed()) || !outer.Empty() ||
		!explicit.ReadASN1(&seq, cbasn1.SEQUENCE) || !seq.ReadASN1ObjectIdentifier(&kind) ||
		!seq.ReadASN1(&basic, cbasn1.OCTET_STRING) || !seq.Empty() {
		return nil, errors.New("OCSP: malformed response bytes")
	}
	if !kind.Equal(oidBasic) {
		return nil, fmt.Errorf("OCSP: response type %v, want basic", kind)
	}
	r, err := parseBasic(basic, id, nonce, now)
	if err != nil {
		return nil, fmt.Errorf("OCSP: %w", err)
	}
	return r, nil
}

func parseBasic(in cryptobyte.String, id ID, nonce []byte, now time.Time) (*Response, error) {
	var seq, data, algorithm, bits, certs, list cryptobyte.String
	var hasCerts bool
	if !in.ReadASN1(&seq, cbasn1.SEQUENCE) || !in.Empty() ||
		!seq.ReadASN1Element(&data, cbasn1.SEQUENCE) || !seq.ReadASN1(&algorithm, cbasn1.SEQUENCE) ||
		!seq.ReadASN1(&bits, cbasn1.BIT_STRING) || len(bits) == 0 || bits[0] != 0 ||
		!seq.ReadOptionalASN1(&certs, &hasCerts, cbasn1.Tag(0).ContextSpecific().Constructed()) || !seq.Empty() {
		return nil, errors.New("malformed basic response")
	}
	if hasCerts && (!certs.ReadASN1(&list, cbasn1.SEQUENCE) || !certs.Empty()) {
		return nil, errors.New("malformed certificates")
	}
	signature, err := sig.New(algorithm, data, bits[1:])
	if err != nil {
		return nil, err
	}
	d, err := parseData(data)
	if err != nil {
		return nil, err
	}
	if err := checkSigner(signature, d, list, id.issuer, now); err != nil {
		return nil, err
	}
	return d.answer(id, nonce)
}

// responseData is a ResponseData, read as far as is needed.
type responseData struct {
	name      []byte // ResponderID byName: the encoded Name
	keyHash   []byte // ResponderID byKey
	responses cryptobyte.String
	nonce     []byte
}

func parseData(element cryptobyte.String) (*responseData, error) {
	var in, id cryptobyte.String
	var produced time.Time
	var tag cbasn1.Tag
	d := &responseData{}
	if !element.ReadASN1(&in, cbasn1.SEQUENCE) ||
		!in.SkipOptionalASN1(cbasn1.Tag(0).ContextSpecific().Constructed()) ||
		!in.ReadAnyASN1(&id, &tag) || !in.ReadASN1GeneralizedTime(&produced) ||
		!in.ReadASN1(&d.responses, cbasn1.SEQUENCE) {
		return nil, errors.New("malformed response data")
	}
	switch tag {
	case cbasn1.Tag(1).ContextSpecific().Constructed():
		d.name = id
	case cbasn1.Tag(2).ContextSpecific().Constructed():
		var hash cryptobyte.String
		if !id.ReadASN1(&hash, cbasn1.OCTET_STRING) {
			return nil, errors.New("malformed responder id")
		}
		d.keyHash = hash
	default:
		return nil, errors.New("malformed responder id")
	}
	return d, d.parseExtensions(in)
}

// parseExtensions reads the optional responseExtensions, for the nonce.
func (d *responseData) parseExtensions(in cryptobyte.String) error {
	var exts cryptobyte.String
	var present bool
	if !in.ReadOptionalASN1(&exts, &present, cbasn1.Tag(1).ContextSpecific().Constructed()) || !in.Empty() {
		return errors.New("malformed end of response data")
	}
	if !present {
		return nil
	}
	return eachExtension(exts, func(oid asn1.ObjectIdentifier, critical bool, value cryptobyte.String) error {
		switch {
		case oid.Equal(oidNonce):
			var n cryptobyte.String
			if !value.ReadASN1(&n, cbasn1.OCTET_STRING) || !value.Empty() || len(n) == 0 || len(n) > 128 {
				return errors.New("malformed nonce")
			}
			d.nonce = n
		case critical:
			return fmt.Errorf("unknown critical extension %v", oid)
		}
		return nil
	})
}

func eachExtension(in cryptobyte.String, f func(oid asn1.ObjectIdentifier, critical bool, value cryptobyte.String) error) error {
	var seq cryptobyte.String
	if !in.ReadASN1(&seq, cbasn1.SEQUENCE) || !in.Empty() {
		return errors.New("malformed extensions")
	}
	for !seq.Empty() {
		var e, value cryptobyte.String
		var oid asn1.ObjectIdentifier
		var critical bool
		if !seq.ReadASN1(&e, cbasn1.SEQUENCE) || !e.ReadASN1ObjectIdentifier(&oid) ||
			e.PeekASN1Tag(cbasn1.BOOLEAN) && !e.ReadASN1Boolean(&critical) ||
			!e.ReadASN1(&value, cbasn1.OCTET_STRING) || !e.Empty() {
			return errors.New("malformed extension")
		}
		if err := f(oid, critical, value); err != nil {
			return err
		}
	}
	return nil
}

// maxCertificates bounds the certificates of a response that are looked at.
const maxCertificates = 8

// checkSigner finds who signed: the issuer itself, or a certificate in the response that
// the issuer signed for this purpose (RFC 6960 section 4.2.2.2).
func checkSigner(s *sig.Signature, d *responseData, certs cryptobyte.String, issuer *x509.Certificate, now time.Time) error {
	if d.names(issuer) && s.Check(issuer.PublicKey) == nil {
		return nil
	}
	why := errors.New("not signed by the issuer, and no delegated responder is in the response")
	for range maxCertificates {
		var der cryptobyte.String
		if certs.Empty() || !certs.ReadASN1Element(&der, cbasn1.SEQUENCE) {
			break
		}
		c, err := x509.ParseCertificate(der)
		if err != nil {
			why = fmt.Errorf("responder certificate: %w", err)
			continue
		}
		if !d.names(c) {
			continue
		}
		if err := checkDelegate(c, issuer, now); err != nil {
			why = fmt.Errorf("responder %s: %w", c.Subject, err)
			continue
		}
		if err := s.Check(c.PublicKey); err != nil {
			why = fmt.Errorf("responder %s did not sign the response: %w", c.Subject, err)
			continue
		}
		return nil
	}
	return why
}

// names reports whether the responder id is that of c.
func (d *responseData) names(c *x509.Certificate) bool {
	if d.name != nil {
		return bytes.Equal(d.name, c.RawSubject)
	}
	key, err := publicKeyBits(c)
	if err != nil {
		return false
	}
	sum := sha1.Sum(key)
	return bytes.Equal(sum[:], d.keyHash)
}

// checkDelegate checks a delegated responder: issued directly by issuer, for OCSP
// signing, valid now. Its own revocation is not looked at, whether or not it has
// id-pkix-ocsp-nocheck: the list that could tell comes from the same issuer, and the
// certificates are short-lived by design (RFC 6960 section 4.2.2.2.1 leaves this open).
func checkDelegate(c, issuer *x509.Certificate, now time.Time) error {
	if !bytes.Equal(c.RawIssuer, issuer.RawSubject) {
		return errors.New("not issued by the issuer of the certificate")
	}
	if err := issuer.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature); err != nil {
		return fmt.Errorf("not signed by the issuer of the certificate: %w", err)
	}
	if now.Before(c.NotBefore) || now.After(c.NotAfter) {
		return errors.New("its certificate is not valid now")
	}
	for _, e := range c.ExtKeyUsage {
		if e == x509.ExtKeyUsageOCSPSigning {
			return nil
		}
	}
	return errors.New("its certificate lacks the extended key usage OCSPSigning")
}

// answer picks the response about id and checks the nonce. A nonce that is not the one
// asked with is an answer to somebody else; one that is missing is usual.
func (d *responseData) answer(id ID, nonce []byte) (*Response, error) {
	if d.nonce != nil && nonce != nil && !bytes.Equal(d.nonce, nonce) {
		return nil, errors.New("the nonce is another than that of the request")
	}
	for in := d.responses; !in.Empty(); {
		var single, certID cryptobyte.String
		if !in.ReadASN1(&single, cbasn1.SEQUENCE) || !single.ReadASN1(&certID, cbasn1.SEQUENCE) {
			return nil, errors.New("malformed single response")
		}
		if !id.matches(certID) {
			continue
		}
		r, err := parseSingle(single)
		if err != nil {
			return nil, err
		}
		r.Nonce = d.nonce != nil && nonce != nil
		return r, nil
	}
	return nil, errors.New("no answer about the certificate in the response")
}

func (id ID) matches(certID cryptobyte.String) bool {
	var alg, name, key, serial cryptobyte.String
	var oid asn1.ObjectIdentifier
	if !certID.ReadASN1(&alg, cbasn1.SEQUENCE) || !alg.ReadASN1ObjectIdentifier(&oid) ||
		!certID.ReadASN1(&name, cbasn1.OCTET_STRING) || !certID.ReadASN1(&key, cbasn1.OCTET_STRING) ||
		!certID.ReadASN1(&serial, cbasn1.INTEGER) || !certID.Empty() || string(serial) != id.serial {
		return false
	}
	switch {
	case oid.Equal(oidSHA1):
		return bytes.Equal(name, id.nameHash[:]) && bytes.Equal(key, id.keyHash[:])
	case oid.Equal(oidSHA256): // asked with SHA-1, but a signed answer is an answer
		bits, err := publicKeyBits(id.issuer)
		return err == nil && bytes.Equal(name, sha256Sum(id.issuer.RawSubject)) && bytes.Equal(key, sha256Sum(bits))
	}
	return false
}

func sha256Sum(b []byte) []byte {
	h := crypto.SHA256.New()
	h.Write(b)
	return h.Sum(nil)
}

// parseSingle reads a SingleResponse behind its CertID.
func parseSingle(in cryptobyte.String) (*Response, error) {
	r := &Response{}
	var status cryptobyte.String
	var tag cbasn1.Tag
	if !in.ReadAnyASN1(&status, &tag) {
		return nil, errors.New("malformed certificate status")
	}
	switch tag {
	case cbasn1.Tag(0).ContextSpecific():
		r.Status = Good
	case cbasn1.Tag(1).ContextSpecific().Constructed():
		r.Status = Revoked
		var reason cryptobyte.String
		var hasReason bool
		if !status.ReadASN1GeneralizedTime(&r.RevokedAt) ||
			!status.ReadOptionalASN1(&reason, &hasReason, cbasn1.Tag(0).ContextSpecific().Constructed()) ||
			hasReason && !reason.ReadASN1Enum(&r.Reason) {
			return nil, errors.New("malformed revocation info")
		}
	case cbasn1.Tag(2).ContextSpecific():
		r.Status = Unknown
	default:
		return nil, errors.New("malformed certificate status")
	}
	var next, exts cryptobyte.String
	var hasNext, hasExts bool
	if !in.ReadASN1GeneralizedTime(&r.ThisUpdate) ||
		!in.ReadOptionalASN1(&next, &hasNext, cbasn1.Tag(0).ContextSpecific().Constructed()) ||
		hasNext && !next.ReadASN1GeneralizedTime(&r.NextUpdate) ||
		!in.ReadOptionalASN1(&exts, &hasExts, cbasn1.Tag(1).ContextSpecific().Constructed()) || !in.Empty() {
		return nil, errors.New("malformed single response")
	}
	if !hasExts {
		return r, nil
	}
	return r, eachExtension(exts, func(oid asn1.ObjectIdentifier, critical bool, _ cryptobyte.String) error {
		if critical {
			return fmt.Errorf("unknown critical extension %v", oid)
		}
		return nil
	})
}
