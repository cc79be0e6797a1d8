package ojson

import (
	"unicode/utf16"
	"unicode/utf8"
)

// unescape decodes the text between the quotes of a string. A surrogate without its
// partner becomes U+FFFD, since Go strings cannot hold it. A backslash before any
// other character stands for that character (permissive texts only).
func unescape(s string) string {
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); {
		if s[i] != '\\' || i+1 == len(s) {
			b = append(b, s[i])
			i++
			continue
		}
		c := s[i+1]
		i += 2
		switch c {
		case 'b':
			b = append(b, '\b')
		case 'f':
			b = append(b, '\f')
		case 'n':
			b = append(b, '\n')
		case 'r':
			b = append(b, '\r')
		case 't':
			b = append(b, '\t')
		case 'u':
			r, ok := hex4(s[i:])
			if !ok {
				b = append(b, 'u')
				continue
			}
			i += 4
			if utf16.IsSurrogate(r) {
				low := rune(0)
				if i+1 < len(s) && s[i] == '\\' && s[i+1] == 'u' {
					low, _ = hex4(s[i+2:])
				}
				if r = utf16.DecodeRune(r, low); r != utf8.RuneError {
					i += 6
				}
			}
			b = utf8.AppendRune(b, r)
		default:
			b = append(b, c)
		}
	}
	return string(b)
}

const upperHex = "0123456789ABCDEF"

// plain are the bytes that stand for themselves in a string, but for "/" in the Web style.
var plain = func() (t [utf8.RuneSelf]bool) {
	for c := range t {
		t[c] = c >= 0x20 && c != '"' && c != '\\' && c != 0x7f
	}
	return t
}()

// plainWord reports whether all of eight bytes stand for themselves: each test leaves the
// high bit of a byte that does not.
func plainWord(s string, st Style) bool {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	w := uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 | uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
	quote, backslash, slash := w^'"'*ones, w^'\\'*ones, w^'/'*ones
	found := w | (w + ones) | (w-0x20*ones)&^w | (quote-ones)&^quote | (backslash-ones)&^backslash
	if st == Web {
		found |= (slash - ones) &^ slash
	}
	return found&highs == 0
}

// AppendQuoted appends s as a JSON string, escaped as the service escapes: quotation mark
// and backslash, controls (short forms where JSON has them), and U+007F to U+009F and
// U+2000 to U+20FF as \uXXXX. The Web style also escapes the slash. Bytes that are not
// UTF-8 become U+FFFD.
func AppendQuoted(dst []byte, s string, st Style) []byte {
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); {
		if i+8 <= len(s) && plainWord(s[i:i+8], st) {
			i += 8
			continue
		}
		c := s[i]
		if c < utf8.RuneSelf {
			if plain[c] && (c != '/' || st != Web) {
				i++
				continue
			}
			dst = append(dst, s[start:i]...)
			dst = appendEscape(dst, rune(c))
			i++
			start = i
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			dst = append(dst, s[start:i]...)
			dst = append(dst, "\uFFFD"...)
			start = i + n
		case r <= 0x9f || r >= 0x2000 && r <= 0x20ff:
			dst = append(dst, s[start:i]...)
			dst = appendEscape(dst, r)
			start = i + n
		}
		i += n
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}

func appendEscape(dst []byte, r rune) []byte {
	switch r {
	case '"', '\\', '/':
		return append(dst, '\\', byte(r))
	case '\b':
		return append(dst, '\\', 'b')
	case '\f':
		return append(dst, '\\', 'f')
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	}
	return append(dst, '\\', 'u', upperHex[r>>12&15], upperHex[r>>8&15], upperHex[r>>4&15], upperHex[r&15])
}
