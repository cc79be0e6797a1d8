package crl

import (
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"gatehouse/internal/trust/dn"
)

// Content of the OIDs below 2.5.29 that matter here.
const (
	oidCRLNumber      = "\x55\x1d\x14"
	oidReasonCode     = "\x55\x1d\x15"
	oidInvalidityDate = "\x55\x1d\x18"
	oidDeltaIndicator = "\x55\x1d\x1b"
	oidIDP            = "\x55\x1d\x1c"
	oidAuthorityKeyID = "\x55\x1d\x23"
	oidFreshest       = "\x55\x1d\x2e"
)

// Reasons is a set of reason flags in the order of RFC 5280's ReasonFlags: bit i is
// flag i.
type Reasons uint16

// AllReasons has every flag but the unused bit 0.
const AllReasons Reasons = 0x1fe

// A Scope is the issuing distribution point of a list. The zero value is that of a
// list without one, but for Reasons, which Parse always sets.
type Scope struct {
	Names          []dn.GeneralName // distribution point; none: any
	OnlyUser       bool
	OnlyCA         bool
	OnlyAttributes bool
	Indirect       bool
	Reasons        Reasons
}

// Key is equal for equal scopes: complete and delta lists of one kind.
func (s Scope) Key() string {
	var names []string
	for _, n := range s.Names {
		names = append(names, fmt.Sprintf("%d %q %q", n.Form, n.Text, n.Directory.Key()))
	}
	slices.Sort(names)
	return fmt.Sprint(s.OnlyUser, s.OnlyCA, s.OnlyAttributes, s.Indirect, s.Reasons, strings.Join(names, ","))
}

// A Point is one distribution point of a certificate: where a list about it may be had.
type Point struct {
	Names   []dn.GeneralName
	Issuers []dn.GeneralName // cRLIssuer: others than the certificate's issuer
	Reasons Reasons
}

// URLs returns the http and https places of the point.
func (p Point) URLs() []string {
	var out []string
	for _, n := range p.Names {
		if n.Form == dn.URI && (strings.HasPrefix(n.Text, "http://") || strings.HasPrefix(n.Text, "https://")) {
			out = append(out, n.Text)
		}
	}
	return out
}

// maxPoints bounds distribution points, and names of one.
const maxPoints = 64

// ParsePoints reads the value of a cRLDistributionPoints or freshestCRL extension. issuer
// completes names that are relative to it.
func ParsePoints(der []byte, issuer dn.Name) ([]Point, error) {
	in := cryptobyte.String(der)
	var seq cryptobyte.String
	if !in.ReadASN1(&seq, asn1.SEQUENCE) || !in.Empty() {
		return nil, errors.New("distribution points: want a SEQUENCE")
	}
	var points []Point
	for !seq.Empty() {
		if len(points) == maxPoints {
			return nil, fmt.Errorf("more than %d distribution points", maxPoints)
		}
		var in, name, reasons, issuers cryptobyte.String
		var hasName, hasReasons, hasIssuers bool
		if !seq.ReadASN1(&in, asn1.SEQUENCE) ||
			!in.ReadOptionalASN1(&name, &hasName, asn1.Tag(0).ContextSpecific().Constructed()) ||
			!in.ReadOptionalASN1(&reasons, &hasReasons, asn1.Tag(1).ContextSpecific()) ||
			!in.ReadOptionalASN1(&issuers, &hasIssuers, asn1.Tag(2).ContextSpecific().Constructed()) || !in.Empty() {
			return nil, fmt.Errorf("distribution point %d is malformed", len(points)+1)
		}
		p, base := Point{Reasons: AllReasons}, issuer
		var err error
		if hasIssuers {
			if p.Issuers, err = dn.ParseGeneralNames(issuers, maxPoints); err != nil {
				return nil, err
			}
			if len(p.Issuers) > 0 && p.Issuers[0].Form == dn.DirectoryName {
				base = p.Issuers[0].Directory
			}
		}
		if hasName {
			if p.Names, err = parsePointName(name, base); err != nil {
				return nil, err
			}
		}
		if hasReasons {
			if p.Reasons, err = parseReasons(reasons); err != nil {
				return nil, err
			}
		}
		points = append(points, p)
	}
	return points, nil
}

// parsePointName reads a DistributionPointName.
func parsePointName(in cryptobyte.String, issuer dn.Name) ([]dn.GeneralName, error) {
	var full, relative cryptobyte.String
	var isFull, isRelative bool
	if !in.ReadOptionalASN1(&full, &isFull, asn1.Tag(0).ContextSpecific().Constructed()) ||
		!in.ReadOptionalASN1(&relative, &isRelative, asn1.Tag(1).ContextSpecific().Constructed()) ||
		!in.Empty() || isFull == isRelative {
		return nil, errors.New("malformed distribution point name")
	}
	if isFull {
		return dn.ParseGeneralNames(full, maxPoints)
	}
	rdn, err := dn.ParseRelative(relative)
	if err != nil {
		return nil, err
	}
	name := append(slices.Clone(issuer), rdn)
	return []dn.GeneralName{{Form: dn.DirectoryName, Directory: name}}, nil
}

// parseReasons reads the content of a BIT STRING of ReasonFlags.
func parseReasons(bits []byte) (Reasons, error) {
	if len(bits) < 1 || len(bits) > 3 || bits[0] > 7 {
		return 0, errors.New("malformed reason flags")
	}
	var r Reasons
	for i := range 8 * (len(bits) - 1) {
		if bits[1+i/8]&(0x80>>(i%8)) != 0 && i < 9 {
			r |= 1 << i
		}
	}
	return r & AllReasons, nil
}

type extension struct {
	oid      string
	critical bool
	value    cryptobyte.String
}

func readExtension(in *cryptobyte.String) (extension, error) {
	var seq, oid, value cryptobyte.String
	var critical bool
	if !in.ReadASN1(&seq, asn1.SEQUENCE) || !seq.ReadASN1(&oid, asn1.OBJECT_IDENTIFIER) ||
		seq.PeekASN1Tag(asn1.BOOLEAN) && !seq.ReadASN1Boolean(&critical) ||
		!seq.ReadASN1(&value, asn1.OCTET_STRING) || !seq.Empty() {
		return extension{}, errors.New("malformed extension")
	}
	return extension{string(oid), critical, value}, nil
}

// parseExtensions reads the extensions of the list.
func (l *List) parseExtensions(in cryptobyte.String) error {
	var exts cryptobyte.String
	if !in.ReadASN1(&exts, asn1.SEQUENCE) || !in.Empty() {
		return errors.New("malformed extensions")
	}
	seen := map[string]bool{}
	for !exts.Empty() {
		e, err := readExtension(&exts)
		if err != nil {
			return err
		}
		if seen[e.oid] {
			return fmt.Errorf("extension %x is there twice", e.oid)
		}
		seen[e.oid] = true
		if err := l.parseExtension(e); err != nil {
			return err
		}
	}
	return nil
}

func (l *List) parseExtension(e extension) error {
	switch e.oid {
	case oidCRLNumber:
		l.Number = new(big.Int)
		if !e.value.ReadASN1Integer(l.Number) {
			return errors.New("malformed CRL number")
		}
	case oidDeltaIndicator:
		l.Base = new(big.Int)
		if !e.value.ReadASN1Integer(l.Base) {
			return errors.New("malformed delta CRL indicator")
		}
	case oidAuthorityKeyID:
		var seq cryptobyte.String
		var id cryptobyte.String
		var present bool
		if !e.value.ReadASN1(&seq, asn1.SEQUENCE) || !seq.ReadOptionalASN1(&id, &present, asn1.Tag(0).ContextSpecific()) {
			return errors.New("malformed authority key identifier")
		}
		if present {
			l.AuthorityKeyID = slices.Clone(id)
		}
	case oidIDP:
		return l.parseIDP(e.value)
	case oidFreshest:
		points, err := ParsePoints(e.value, l.Issuer)
		if err != nil {
			return fmt.Errorf("freshest CRL: %w", err)
		}
		l.Freshest = points
	default:
		if e.critical {
			l.doubt("the list has an unknown critical extension")
		}
	}
	return nil
}

func (l *List) parseIDP(in cryptobyte.String) error {
	var seq, name, reasons cryptobyte.String
	var hasName, hasReasons bool
	s := &l.Scope
	if !in.ReadASN1(&seq, asn1.SEQUENCE) ||
		!seq.ReadOptionalASN1(&name, &hasName, asn1.Tag(0).ContextSpecific().Constructed()) ||
		!readFlag(&seq, 1, &s.OnlyUser) || !readFlag(&seq, 2, &s.OnlyCA) ||
		!seq.ReadOptionalASN1(&reasons, &hasReasons, asn1.Tag(3).ContextSpecific()) ||
		!readFlag(&seq, 4, &s.Indirect) || !readFlag(&seq, 5, &s.OnlyAttributes) || !seq.Empty() {
		return errors.New("malformed issuing distribution point")
	}
	var err error
	if hasName {
		if s.Names, err = parsePointName(name, l.Issuer); err != nil {
			return fmt.Errorf("issuing distribution point: %w", err)
		}
	}
	if hasReasons {
		if s.Reasons, err = parseReasons(reasons); err != nil {
			return fmt.Errorf("issuing distribution point: %w", err)
		}
	}
	if s.Indirect {
		l.doubt("the list is indirect")
	}
	return nil
}

// readFlag reads an implicitly tagged BOOLEAN DEFAULT FALSE.
func readFlag(in *cryptobyte.String, tag uint8, out *bool) bool {
	var v cryptobyte.String
	var present bool
	if !in.ReadOptionalASN1(&v, &present, asn1.Tag(tag).ContextSpecific()) {
		return false
	}
	if present {
		if len(v) != 1 {
			return false
		}
		*out = v[0] != 0
	}
	return true
}
