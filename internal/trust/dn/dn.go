// Package dn reads X.501 distinguished names as certificates carry them, compares
// them by the rules of RFC 5280, and writes and reads their text form.
//
// It is used by the packages below internal/trust and by whatever shows a subject or
// an issuer. Values are immutable once made; functions are safe for concurrent use.
//
// crypto/x509 compares names octet by octet and its pkix.Name forgets the order of
// attributes. A trust store may chain "Example  CA" as PrintableString to "example ca"
// as UTF8String, and $context.identity.clientCert shows names in encoded order, so both
// are done here.
package dn

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// MaxSize is the number of octets of an encoded name above which Parse refuses
// it. The Application Load Balancer sets the same bound on subjects.
const MaxSize = 10_000

// An Attribute is one type and value of a name.
type Attribute struct {
	// OID is the content of the type's OBJECT IDENTIFIER, without tag and length.
	OID string
	// Text is the value decoded to UTF-8. It is set when IsText.
	Text string
	// IsText tells that the value is one of the string types that a DirectoryString
	// or a domain component may have.
	IsText bool
	// DER is the encoded value with tag and length.
	DER []byte
}

// An RDN is a set of attributes, nearly always of one.
type RDN []Attribute

// A Name is a sequence of RDNs in encoded order: most general first, usually.
type Name []RDN

// Parse reads an encoded Name (RFC 5280 section 4.1.2.4). The result does not keep der.
func Parse(der []byte) (Name, error) {
	if len(der) > MaxSize {
		return nil, fmt.Errorf("distinguished name has %d octets, want at most %d", len(der), MaxSize)
	}
	in := cryptobyte.String(der)
	var rdns cryptobyte.String
	if !in.ReadASN1(&rdns, asn1.SEQUENCE) || !in.Empty() {
		return nil, errors.New("distinguished name: want one SEQUENCE")
	}
	var name Name
	for !rdns.Empty() {
		var set cryptobyte.String
		if !rdns.ReadASN1(&set, asn1.SET) {
			return nil, fmt.Errorf("distinguished name: RDN %d: want a SET", len(name)+1)
		}
		rdn, err := parseRDN(set)
		if err != nil {
			return nil, fmt.Errorf("distinguished name: RDN %d: %w", len(name)+1, err)
		}
		name = append(name, rdn)
	}
	return name, nil
}

// ParseRelative reads one RDN, as nameRelativeToCRLIssuer carries it: the content of a SET.
func ParseRelative(set []byte) (RDN, error) {
	if len(set) > MaxSize {
		return nil, fmt.Errorf("relative distinguished name has %d octets, want at most %d", len(set), MaxSize)
	}
	return parseRDN(set)
}

func parseRDN(set cryptobyte.String) (RDN, error) {
	var rdn RDN
	for !set.Empty() {
		var pair, oid, value, content cryptobyte.String
		var tag asn1.Tag
		if !set.ReadASN1(&pair, asn1.SEQUENCE) ||
			!pair.ReadASN1(&oid, asn1.OBJECT_IDENTIFIER) ||
			!pair.ReadAnyASN1Element(&value, &tag) || !pair.Empty() {
			return nil, errors.New("want a SEQUENCE of type and value")
		}
		if !validOID(oid) {
			return nil, fmt.Errorf("type %x is not an encoded OBJECT IDENTIFIER", []byte(oid))
		}
		element := value
		element.ReadAnyASN1(&content, &tag)
		a := Attribute{OID: string(oid), DER: bytes.Clone(value)}
		var err error
		if a.Text, a.IsText, err = decodeText(tag, content); err != nil {
			return nil, err
		}
		rdn = append(rdn, a)
	}
	if len(rdn) == 0 {
		return nil, errors.New("the SET is empty")
	}
	return rdn, nil
}

// validOID reports whether b is the DER content of an OBJECT IDENTIFIER: whole arcs
// without padding, so that one type has one encoding.
func validOID(b []byte) bool {
	start := true
	for _, c := range b {
		if start && c == 0x80 {
			return false
		}
		start = c&0x80 == 0
	}
	return start && len(b) > 0
}

// Key returns the name's normal form: two names match by RFC 5280 section 7.1
// exactly when their keys are equal. It is not meant to be read.
//
// Decided here, and wider than octet equality on purpose: strings match without
// regard to case, to their ASN.1 string type, and to the amount of white space (RFC 4518,
// caseIgnoreMatch); attributes inside one RDN match in any order. Compatibility
// decomposition (NFKC) is not applied: names that differ in it do not match. Values of
// other types match octet by octet.
func (n Name) Key() string {
	var b strings.Builder
	for _, rdn := range n {
		b.WriteString(rdn.Key())
	}
	return b.String()
}

// Key is the normal form of one RDN; see Name.Key.
func (r RDN) Key() string {
	parts := make([]string, len(r))
	for i, a := range r {
		if a.IsText {
			parts[i] = counted(a.OID) + "s" + counted(fold(a.Text))
		} else {
			parts[i] = counted(a.OID) + "x" + counted(string(a.DER))
		}
	}
	if len(parts) > 1 {
		slices.Sort(parts)
	}
	return "R" + fmt.Sprint(len(parts)) + ";" + strings.Join(parts, "")
}

// counted prefixes s with its length, so that joined parts stay apart.
func counted(s string) string { return fmt.Sprint(len(s)) + ":" + s }

// HasNUL reports whether a text value holds U+0000, which no honest name does.
func (n Name) HasNUL() bool {
	for _, rdn := range n {
		for _, a := range rdn {
			if a.IsText && strings.ContainsRune(a.Text, 0) {
				return true
			}
		}
	}
	return false
}

// HasPrefix reports whether n starts with the RDNs of p, that is, whether n lies
// in the subtree p of a name constraint (RFC 5280 section 4.2.1.10).
func (n Name) HasPrefix(p Name) bool {
	if len(p) > len(n) {
		return false
	}
	for i := range p {
		if n[i].Key() != p[i].Key() {
			return false
		}
	}
	return true
}
