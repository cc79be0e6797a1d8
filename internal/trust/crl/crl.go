// Package crl reads certificate revocation lists (RFC 5280 section 5) into a form that is
// small and fast to ask, for lists of a million entries.
//
// It interprets what crypto/x509 leaves to its caller: issuing distribution points, delta
// CRLs, critical extensions of lists and entries. Which list may speak about which
// certificate, and whether its signer may sign it, is decided by package trust. A List is
// immutable and may be used concurrently.
package crl

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"time"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"gatehouse/internal/trust/dn"
	"gatehouse/internal/trust/sig"
)

// Bounds of one object. The load balancer's are 50 MB and 500,000 entries.
const (
	MaxSize    = 64 << 20
	MaxEntries = 1_000_000
	maxLists   = 100 // PEM blocks in one object
)

// A List is one CRL.
type List struct {
	Issuer         dn.Name
	IssuerKey      string // Issuer.Key()
	AuthorityKeyID []byte // nil when absent

	// Number is the CRL number; nil when absent.
	Number *big.Int
	// Base is the number of the list that this one is a delta to; nil on complete lists.
	Base *big.Int

	ThisUpdate time.Time
	NextUpdate time.Time // zero when absent

	// Scope says which certificates the list speaks about.
	Scope Scope
	// Freshest are the places of delta CRLs to this list.
	Freshest []Point

	// Doubt is set when the list has a critical extension that is not understood, or is
	// indirect: it then proves nobody good. Its entries still count, unless Indirect.
	Doubt string

	// SHA256 is the digest of the encoded list.
	SHA256 [32]byte

	signature *sig.Signature
	serials   serials
}

// Parse reads one list in DER.
func Parse(der []byte) (*List, error) {
	if len(der) > MaxSize {
		return nil, fmt.Errorf("CRL has %d octets, want at most %d", len(der), MaxSize)
	}
	in := cryptobyte.String(der)
	var outer, tbs, algorithm, value cryptobyte.String
	var bits []byte
	if !in.ReadASN1(&outer, asn1.SEQUENCE) || !in.Empty() {
		return nil, errors.New("CRL: want one SEQUENCE")
	}
	if !outer.ReadASN1Element(&tbs, asn1.SEQUENCE) || !outer.ReadASN1(&algorithm, asn1.SEQUENCE) ||
		!outer.ReadASN1(&value, asn1.BIT_STRING) || !outer.Empty() || len(value) < 1 || value[0] != 0 {
		return nil, errors.New("CRL: want tbsCertList, algorithm and signature")
	}
	bits = value[1:]
	l := &List{SHA256: sha256.Sum256(der), Scope: Scope{Reasons: AllReasons}}
	var err error
	if l.signature, err = sig.New(algorithm, tbs, bits); err != nil {
		return nil, fmt.Errorf("CRL: %w", err)
	}
	if err := l.parseTBS(tbs, algorithm); err != nil {
		return nil, fmt.Errorf("CRL: %w", err)
	}
	return l, nil
}

// ParseAll reads an object: one list in DER, or PEM blocks "X509 CRL" with anything
// between them.
func ParseAll(data []byte) ([]*List, error) {
	if len(data) > MaxSize {
		return nil, fmt.Errorf("CRL object has %d octets, want at most %d", len(data), MaxSize)
	}
	if len(data) > 0 && data[0] == 0x30 {
		l, err := Parse(data)
		if err != nil {
			return nil, err
		}
		return []*List{l}, nil
	}
	var lists []*List
	for number := 1; ; number++ {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			break
		}
		if block.Type != "X509 CRL" {
			return nil, fmt.Errorf("PEM block %d is a %q, want X509 CRL", number, block.Type)
		}
		if number > maxLists {
			return nil, fmt.Errorf("more than %d lists in one object", maxLists)
		}
		l, err := Parse(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("PEM block %d: %w", number, err)
		}
		lists = append(lists, l)
	}
	if bytes.Contains(data, []byte("-----BEGIN")) {
		return nil, fmt.Errorf("PEM block %d is damaged or cut off", len(lists)+1)
	}
	if len(lists) == 0 {
		return nil, errors.New("object is neither a CRL in DER nor PEM blocks X509 CRL")
	}
	return lists, nil
}

func (l *List) parseTBS(tbs, algorithm cryptobyte.String) error {
	var in, inner, issuer cryptobyte.String
	if !tbs.ReadASN1(&in, asn1.SEQUENCE) {
		return errors.New("malformed tbsCertList")
	}
	version := 0
	if in.PeekASN1Tag(asn1.INTEGER) && !in.ReadASN1Integer(&version) || version > 1 || version < 0 {
		return fmt.Errorf("version %d, want v1 or v2", version+1)
	}
	if !in.ReadASN1(&inner, asn1.SEQUENCE) || !bytes.Equal(inner, algorithm) {
		return errors.New("the two signature algorithms differ")
	}
	if !in.ReadASN1Element(&issuer, asn1.SEQUENCE) {
		return errors.New("malformed issuer")
	}
	var err error
	if l.Issuer, err = dn.Parse(issuer); err != nil {
		return fmt.Errorf("issuer: %w", err)
	}
	l.IssuerKey = l.Issuer.Key()
	if l.ThisUpdate, err = readTime(&in); err != nil {
		return fmt.Errorf("thisUpdate: %w", err)
	}
	if in.PeekASN1Tag(asn1.UTCTime) || in.PeekASN1Tag(asn1.GeneralizedTime) {
		if l.NextUpdate, err = readTime(&in); err != nil {
			return fmt.Errorf("nextUpdate: %w", err)
		}
	}
	if in.PeekASN1Tag(asn1.SEQUENCE) {
		var entries cryptobyte.String
		if !in.ReadASN1(&entries, asn1.SEQUENCE) {
			return errors.New("malformed entries")
		}
		if err := l.parseEntries(entries); err != nil {
			return err
		}
	}
	var exts cryptobyte.String
	var present bool
	if !in.ReadOptionalASN1(&exts, &present, asn1.Tag(0).ContextSpecific().Constructed()) || !in.Empty() {
		return errors.New("malformed end of tbsCertList")
	}
	if present {
		return l.parseExtensions(exts)
	}
	return nil
}

func readTime(in *cryptobyte.String) (time.Time, error) {
	var t time.Time
	switch {
	case in.PeekASN1Tag(asn1.UTCTime):
		if in.ReadASN1UTCTime(&t) {
			return t, nil
		}
	case in.PeekASN1Tag(asn1.GeneralizedTime):
		if in.ReadASN1GeneralizedTime(&t) {
			return t, nil
		}
	}
	return t, errors.New("malformed time")
}

// Reason codes with a meaning here (RFC 5280 section 5.3.1).
const (
	CertificateHold = 6
	RemoveFromCRL   = 8
)

func (l *List) parseEntries(in cryptobyte.String) error {
	var b serialsBuilder
	for number := 1; !in.Empty(); number++ {
		if number > MaxEntries {
			return fmt.Errorf("more than %d entries", MaxEntries)
		}
		var entry, serial, date cryptobyte.String
		var tag asn1.Tag
		if !in.ReadASN1(&entry, asn1.SEQUENCE) || !entry.ReadASN1(&serial, asn1.INTEGER) || len(serial) == 0 ||
			!entry.ReadAnyASN1(&date, &tag) || tag != asn1.UTCTime && tag != asn1.GeneralizedTime {
			return fmt.Errorf("entry %d is malformed", number)
		}
		// A serial applies from now on whatever its date: a date in the future is no pardon.
		key := minimal(serial)
		if len(key) > maxSerial {
			return fmt.Errorf("entry %d: serial number of %d octets, want at most %d", number, len(key), maxSerial)
		}
		var reason uint8
		if !entry.Empty() {
			var err error
			if reason, err = l.parseEntryExtensions(entry); err != nil {
				return fmt.Errorf("entry %d: %w", number, err)
			}
		}
		b.add(key, reason)
	}
	l.serials = b.build()
	return nil
}

// minimal drops padding that DER forbids, so that a sloppy encoding still matches.
func minimal(b []byte) []byte {
	for len(b) > 1 && (b[0] == 0 && b[1] < 0x80 || b[0] == 0xff && b[1] >= 0x80) {
		b = b[1:]
	}
	return b
}

func (l *List) parseEntryExtensions(in cryptobyte.String) (reason uint8, err error) {
	var exts cryptobyte.String
	if !in.ReadASN1(&exts, asn1.SEQUENCE) || !in.Empty() {
		return 0, errors.New("malformed extensions")
	}
	for !exts.Empty() {
		e, err := readExtension(&exts)
		if err != nil {
			return 0, err
		}
		switch e.oid {
		case oidReasonCode:
			var code int
			if !e.value.ReadASN1Enum(&code) || code < 0 || code > 10 {
				return 0, errors.New("malformed reason code")
			}
			reason = uint8(code)
		case oidInvalidityDate:
		default:
			if e.critical {
				l.doubt("an entry has an unknown critical extension")
			}
		}
	}
	return reason, nil
}

func (l *List) doubt(why string) {
	if l.Doubt == "" {
		l.Doubt = why
	}
}

// CheckSignature verifies the list with the key of issuer, and nothing else about it.
func (l *List) CheckSignature(issuer *x509.Certificate) error {
	return l.signature.Check(issuer.PublicKey)
}

// Find reports whether the list has an entry for a serial number, and its reason code.
func (l *List) Find(serial *big.Int) (reason int, ok bool) {
	r, ok := l.serials.find(serialKey(serial))
	return int(r), ok
}

// Len returns the number of entries.
func (l *List) Len() int { return l.serials.count }

// FreshAt reports whether the list may be relied upon at now. It is relied upon for
// grace beyond its nextUpdate; without nextUpdate for maxAge, which may be 0.
func (l *List) FreshAt(now time.Time, grace, maxAge time.Duration) bool {
	const skew = 5 * time.Minute // between the issuer's clock and ours
	return !l.ThisUpdate.After(now.Add(skew)) && now.Before(l.Expires(grace, maxAge))
}

// Expires returns when FreshAt turns false.
func (l *List) Expires(grace, maxAge time.Duration) time.Time {
	if l.NextUpdate.IsZero() {
		return l.ThisUpdate.Add(maxAge)
	}
	return l.NextUpdate.Add(grace)
}

// Supersedes reports whether l may take the place of old, a list of the same issuer and
// scope: going back to a lower number with an older date is a roll-back attack.
func (l *List) Supersedes(old *List) bool {
	if l.Number != nil && old.Number != nil {
		if c := l.Number.Cmp(old.Number); c != 0 {
			return c > 0 || l.ThisUpdate.After(old.ThisUpdate)
		}
	}
	return !l.ThisUpdate.Before(old.ThisUpdate)
}
