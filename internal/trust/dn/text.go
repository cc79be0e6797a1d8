package dn

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// shortNames are the attribute types that are written by name. The first seven
// are RFC 4514's table, the rest OpenSSL's.
var shortNames = []struct{ oid, name string }{
	{"\x55\x04\x03", "CN"},
	{"\x55\x04\x07", "L"},
	{"\x55\x04\x08", "ST"},
	{"\x55\x04\x0a", "O"},
	{"\x55\x04\x0b", "OU"},
	{"\x55\x04\x06", "C"},
	{"\x55\x04\x09", "STREET"},
	{"\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x19", "DC"},
	{"\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x01", "UID"},
	{"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x01", "emailAddress"},
	{"\x55\x04\x04", "SN"},
	{"\x55\x04\x05", "serialNumber"},
	{"\x55\x04\x0c", "title"},
	{"\x55\x04\x0f", "businessCategory"},
	{"\x55\x04\x11", "postalCode"},
	{"\x55\x04\x29", "name"},
	{"\x55\x04\x2a", "GN"},
	{"\x55\x04\x2b", "initials"},
	{"\x55\x04\x2c", "generationQualifier"},
	{"\x55\x04\x2e", "dnQualifier"},
	{"\x55\x04\x41", "pseudonym"},
	{"\x55\x04\x61", "organizationIdentifier"},
}

// EmailAddress is the OID, in the form of Attribute.OID, of the PKCS #9 attribute
// that puts an address into a subject.
const EmailAddress = "\x2a\x86\x48\x86\xf7\x0d\x01\x09\x01"

// String writes the name in encoded order, "C=US,O=Example,CN=client": the form of
// $context.identity.clientCert.subjectDN (reference mutual-tls.md A6.3), with the
// escapes of RFC 4514 section 2.4.
func (n Name) String() string {
	var b strings.Builder
	for i, rdn := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		rdn.write(&b)
	}
	return b.String()
}

// RFC4514 writes the name in the order of RFC 4514, most specific first:
// "CN=client,O=Example,C=US".
func (n Name) RFC4514() string {
	var b strings.Builder
	for i := len(n) - 1; i >= 0; i-- {
		if i < len(n)-1 {
			b.WriteByte(',')
		}
		n[i].write(&b)
	}
	return b.String()
}

func (r RDN) write(b *strings.Builder) {
	for i, a := range r {
		if i > 0 {
			b.WriteByte('+')
		}
		name, known := typeName(a.OID)
		b.WriteString(name)
		b.WriteByte('=')
		if known && a.IsText {
			escape(b, a.Text)
		} else {
			b.WriteByte('#')
			b.WriteString(hex.EncodeToString(a.DER))
		}
	}
}

func typeName(oid string) (name string, known bool) {
	for _, s := range shortNames {
		if s.oid == oid {
			return s.name, true
		}
	}
	return dotted(oid), false
}

// dotted writes an encoded OID as numbers; a malformed one as hexadecimal.
func dotted(oid string) string {
	var parts []string
	var v uint64
	for i := 0; i < len(oid); i++ {
		if v > 1<<56 {
			return "oid." + hex.EncodeToString([]byte(oid))
		}
		v = v<<7 | uint64(oid[i]&0x7f)
		if oid[i]&0x80 != 0 {
			continue
		}
		if parts == nil {
			first := min(v/40, 2)
			parts = append(parts, strconv.FormatUint(first, 10), strconv.FormatUint(v-40*first, 10))
		} else {
			parts = append(parts, strconv.FormatUint(v, 10))
		}
		v = 0
	}
	return strings.Join(parts, ".")
}

// escape writes s with the escapes of RFC 4514 section 2.4. Control characters are
// written as hexadecimal pairs, so that a name never breaks a log line or a header.
func escape(b *strings.Builder, s string) {
	for i, r := range s {
		switch {
		case strings.ContainsRune(`"+,;<>\`, r),
			i == 0 && (r == ' ' || r == '#'),
			i == len(s)-1 && r == ' ':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < 0x20 || r == 0x7f:
			fmt.Fprintf(b, "\\%02X", r)
		default:
			b.WriteRune(r)
		}
	}
}

// ParseText reads a name written most specific first (RFC 4514): the forms that
// RFC4514 writes, optional space around separators, short names in any case and dotted
// OIDs. Errors give the offset of the RDN at fault.
func ParseText(s string) (Name, error) {
	if len(s) > MaxSize {
		return nil, fmt.Errorf("distinguished name has %d octets, want at most %d", len(s), MaxSize)
	}
	if strings.TrimSpace(s) == "" {
		return nil, errors.New("distinguished name is empty")
	}
	var rev Name
	var rdn RDN
	for rest := s; ; {
		at := len(s) - len(rest)
		a, sep, after, err := parseAttribute(rest)
		if err != nil {
			return nil, fmt.Errorf("distinguished name %q, offset %d: %w", s, at, err)
		}
		rdn = append(rdn, a)
		if sep != '+' {
			rev = append(rev, rdn)
			rdn = nil
		}
		if sep == 0 {
			break
		}
		rest = after
	}
	name := make(Name, len(rev))
	for i := range rev {
		name[len(rev)-1-i] = rev[i]
	}
	return name, nil
}

// parseAttribute reads "type=value" up to the separator (',', '+' or 0 for the end).
func parseAttribute(s string) (a Attribute, sep byte, rest string, err error) {
	key, s, ok := strings.Cut(s, "=")
	if !ok {
		return a, 0, "", errors.New(`want "type=value"`)
	}
	if a.OID, err = parseType(strings.TrimSpace(key)); err != nil {
		return a, 0, "", err
	}
	s = strings.TrimLeft(s, " ")
	value, sep, rest, err := unescape(s)
	if err != nil {
		return a, 0, "", err
	}
	if strings.HasPrefix(s, "#") {
		return parseHexValue(a, value, sep, rest)
	}
	if !utf8.ValidString(value) {
		return a, 0, "", errors.New("value is not valid UTF-8")
	}
	a.Text, a.IsText = value, true
	var b cryptobyte.Builder
	b.AddASN1(asn1.UTF8String, func(b *cryptobyte.Builder) { b.AddBytes([]byte(value)) })
	a.DER, err = b.Bytes()
	return a, sep, rest, err
}

func parseHexValue(a Attribute, value string, sep byte, rest string) (Attribute, byte, string, error) {
	der, err := hex.DecodeString(strings.TrimPrefix(value, "#"))
	if err != nil {
		return a, 0, "", fmt.Errorf("value after #: %w", err)
	}
	in := cryptobyte.String(der)
	var content cryptobyte.String
	var tag asn1.Tag
	if !in.ReadAnyASN1(&content, &tag) || !in.Empty() {
		return a, 0, "", errors.New("value after # is not one DER element")
	}
	a.DER = der
	a.Text, a.IsText, err = decodeText(tag, content)
	return a, sep, rest, err
}

func parseType(key string) (oid string, err error) {
	for _, s := range shortNames {
		if strings.EqualFold(s.name, key) {
			return s.oid, nil
		}
	}
	if strings.EqualFold(key, "S") { // Java and .NET write S for ST
		return "\x55\x04\x08", nil
	}
	oid, ok := encodeOID(key)
	if !ok {
		return "", fmt.Errorf("unknown attribute type %q", key)
	}
	return oid, nil
}

func encodeOID(s string) (string, bool) {
	parts := strings.Split(s, ".")
	if len(parts) < 2 || len(parts) > 64 {
		return "", false
	}
	arcs := make([]uint64, len(parts))
	for i, p := range parts {
		v, err := strconv.ParseUint(p, 10, 48)
		if err != nil {
			return "", false
		}
		arcs[i] = v
	}
	if arcs[0] > 2 || arcs[0] < 2 && arcs[1] > 39 {
		return "", false
	}
	out := appendArc(nil, arcs[0]*40+arcs[1])
	for _, v := range arcs[2:] {
		out = appendArc(out, v)
	}
	return string(out), true
}

func appendArc(b []byte, v uint64) []byte {
	shift := 0
	for v>>(shift+7) != 0 {
		shift += 7
	}
	for ; shift > 0; shift -= 7 {
		b = append(b, byte(v>>shift)|0x80)
	}
	return append(b, byte(v&0x7f))
}

// unescape reads a value up to an unescaped separator. Unescaped white space at
// its end is not part of it.
func unescape(s string) (value string, sep byte, rest string, err error) {
	var b strings.Builder
	end := 0 // length of b up to the last character that must stay
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case ',', '+':
			return b.String()[:end], c, s[i+1:], nil
		case '\\':
			n, out, err := unescapeOne(s[i:])
			if err != nil {
				return "", 0, "", err
			}
			b.WriteByte(out)
			end = b.Len()
			i += n - 1
		case '"', ';', '<', '>':
			return "", 0, "", fmt.Errorf("%q must be escaped", c)
		default:
			b.WriteByte(c)
			if c != ' ' {
				end = b.Len()
			}
		}
	}
	return b.String()[:end], 0, "", nil
}

// unescapeOne reads "\," or "\2C" at the start of s.
func unescapeOne(s string) (n int, c byte, err error) {
	if len(s) < 2 {
		return 0, 0, errors.New(`value ends in "\"`)
	}
	if strings.IndexByte(` "#+,;<>\=`, s[1]) >= 0 {
		return 2, s[1], nil
	}
	if len(s) >= 3 {
		if v, err := strconv.ParseUint(s[1:3], 16, 8); err == nil {
			return 3, byte(v), nil
		}
	}
	return 0, 0, fmt.Errorf("unknown escape at %q", s[:2])
}
