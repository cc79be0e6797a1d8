package dn

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/crypto/cryptobyte/asn1"
)

// Universal tags of string types that cryptobyte does not name.
const (
	tagNumericString   = asn1.Tag(18)
	tagVisibleString   = asn1.Tag(26)
	tagUniversalString = asn1.Tag(28)
	tagBMPString       = asn1.Tag(30)
)

// decodeText decodes the string types to UTF-8. TeletexString is read as
// ISO 8859-1, as every implementation does; the standard's T.61 is used by nobody.
func decodeText(tag asn1.Tag, content []byte) (text string, ok bool, err error) {
	switch tag {
	case asn1.UTF8String:
		if !utf8.Valid(content) {
			return "", false, errors.New("UTF8String is not valid UTF-8")
		}
		return string(content), true, nil
	case asn1.PrintableString, asn1.IA5String, tagNumericString, tagVisibleString:
		for _, c := range content {
			if c >= utf8.RuneSelf {
				return "", false, fmt.Errorf("string of tag %d holds octet %#x, want ASCII", tag, c)
			}
		}
		return string(content), true, nil
	case asn1.T61String:
		runes := make([]rune, len(content))
		for i, c := range content {
			runes[i] = rune(c)
		}
		return string(runes), true, nil
	case tagBMPString:
		if len(content)%2 != 0 {
			return "", false, fmt.Errorf("BMPString has %d octets, want an even number", len(content))
		}
		units := make([]uint16, len(content)/2)
		for i := range units {
			units[i] = uint16(content[2*i])<<8 | uint16(content[2*i+1])
		}
		return string(utf16.Decode(units)), true, nil
	case tagUniversalString:
		if len(content)%4 != 0 {
			return "", false, fmt.Errorf("UniversalString has %d octets, want a multiple of four", len(content))
		}
		var b strings.Builder
		for i := 0; i < len(content); i += 4 {
			b.WriteRune(rune(uint32(content[i])<<24 | uint32(content[i+1])<<16 | uint32(content[i+2])<<8 | uint32(content[i+3])))
		}
		return b.String(), true, nil
	}
	return "", false, nil
}

// fold prepares a string for comparison: RFC 4518 section 2 without normalisation.
// White space at the ends goes, inner runs become one space, invisible characters
// go, letters lose their case.
func fold(s string) string {
	var b strings.Builder
	b.Grow(len(s))
	space := false
	for _, r := range s {
		switch {
		case mappedToNothing(r):
		case unicode.IsSpace(r):
			space = b.Len() > 0
		default:
			if space {
				b.WriteByte(' ')
				space = false
			}
			b.WriteRune(foldRune(r))
		}
	}
	return b.String()
}

func foldRune(r rune) rune {
	if r < utf8.RuneSelf {
		if 'A' <= r && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	}
	return unicode.ToLower(unicode.ToUpper(r))
}

// mappedToNothing lists what RFC 4518 section 2.2 removes, white space
// controls and U+0000 excepted: a NUL stays, so that it cannot hide.
func mappedToNothing(r rune) bool {
	switch {
	case r == 0x00AD, r == 0x034F, r == 0x1806, r == 0x200B, r == 0x2060, r == 0xFEFF, r == 0xFFFC:
		return true
	case 0x180B <= r && r <= 0x180D, 0xFE00 <= r && r <= 0xFE0F, 0x200C <= r && r <= 0x200F:
		return true
	}
	return false
}
