package transform

import "unicode/utf8"

// nibble returns the value of a hexadecimal digit, or -1.
func nibble(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// hexByte reads two hexadecimal digits at s[i:].
func hexByte(s string, i int) (byte, bool) {
	if i+2 > len(s) {
		return 0, false
	}
	h, l := nibble(s[i]), nibble(s[i+1])
	return byte(h<<4 | l), h >= 0 && l >= 0
}

// hex4 reads four hexadecimal digits at s[i:].
func hex4(s string, i int) (uint16, bool) {
	h, ok1 := hexByte(s, i)
	l, ok2 := hexByte(s, i+2)
	return uint16(h)<<8 | uint16(l), ok1 && ok2
}

// narrow reduces a UTF-16 unit to a byte: full-width forms (U+FF01 to U+FF5E) to the ASCII
// character they look like, anything else to its low byte.
func narrow(u uint16) byte {
	if 0xff01 <= u && u <= 0xff5e {
		return byte(u) + 0x20
	}
	return byte(u)
}

func hasPercentOrPlus(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] == '%' || s[i] == '+' {
			return true
		}
	}
	return false
}

func urlDecode(dst []byte, src string) []byte {
	for i := 0; i < len(src); i++ {
		c := src[i]
		if c == '+' {
			c = ' '
		} else if c == '%' {
			if b, ok := hexByte(src, i+1); ok {
				c, i = b, i+2
			}
		}
		dst = append(dst, c)
	}
	return dst
}

// urlDecodeUni also decodes Microsoft's %uHHHH.
func urlDecodeUni(dst []byte, src string) []byte {
	for i := 0; i < len(src); i++ {
		c := src[i]
		switch {
		case c == '+':
			c = ' '
		case c == '%' && i+1 < len(src) && (src[i+1] == 'u' || src[i+1] == 'U'):
			if u, ok := hex4(src, i+2); ok {
				c, i = narrow(u), i+5
			}
		case c == '%':
			if b, ok := hexByte(src, i+1); ok {
				c, i = b, i+2
			}
		}
		dst = append(dst, c)
	}
	return dst
}

// hexDecode decodes a value that is hexadecimal throughout; any other stays.
func hexDecode(dst []byte, src string) []byte {
	start := len(dst)
	for i := 0; i < len(src); i += 2 {
		b, ok := hexByte(src, i)
		if !ok {
			return append(dst[:start], src...)
		}
		dst = append(dst, b)
	}
	return dst
}

// sqlHexDecode decodes SQL's hexadecimal strings (0x414243), wherever a "0x" is
// followed by at least one pair of digits.
func sqlHexDecode(dst []byte, src string) []byte {
	for i := 0; i < len(src); i++ {
		if src[i] == '0' && i+1 < len(src) && (src[i+1] == 'x' || src[i+1] == 'X') {
			if _, ok := hexByte(src, i+2); ok {
				for i += 2; ; i += 2 {
					b, ok := hexByte(src, i)
					if !ok {
						break
					}
					dst = append(dst, b)
				}
				i-- // the loop's own step
				continue
			}
		}
		dst = append(dst, src[i])
	}
	return dst
}

// base64Value returns the value of a character of the standard alphabet, or -1.
func base64Value(c byte) int {
	switch {
	case 'A' <= c && c <= 'Z':
		return int(c - 'A')
	case 'a' <= c && c <= 'z':
		return int(c-'a') + 26
	case '0' <= c && c <= '9':
		return int(c-'0') + 52
	case c == '+':
		return 62
	case c == '/':
		return 63
	}
	return -1
}

// base64Decode decodes up to the first character that is not of the alphabet;
// padding is such a character.
func base64Decode(dst []byte, src string) []byte { return decode64(dst, src, false) }

// base64DecodeExt skips the characters that are not of the alphabet, padding included.
func base64DecodeExt(dst []byte, src string) []byte { return decode64(dst, src, true) }

func decode64(dst []byte, src string, lenient bool) []byte {
	var acc uint32
	bits := 0
	for i := 0; i < len(src); i++ {
		v := base64Value(src[i])
		if v < 0 {
			if lenient {
				continue
			}
			break
		}
		acc = acc<<6 | uint32(v)
		bits += 6
		if bits >= 8 {
			bits -= 8
			dst = append(dst, byte(acc>>bits))
		}
	}
	return dst
}

const hexDigits = "0123456789abcdef"

// utf8ToUnicode writes each valid multi-byte sequence as %uHHHH, with more digits
// beyond the basic plane. Invalid and over-long sequences stay.
func utf8ToUnicode(dst []byte, src string) []byte {
	for i := 0; i < len(src); {
		if src[i] < utf8.RuneSelf {
			dst = append(dst, src[i])
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(src[i:])
		if r == utf8.RuneError && n <= 1 {
			dst = append(dst, src[i])
			i++
			continue
		}
		dst = append(dst, '%', 'u')
		shift := 12
		for r>>(shift+4) != 0 {
			shift += 4
		}
		for ; shift >= 0; shift -= 4 {
			dst = append(dst, hexDigits[r>>shift&15])
		}
		i += n
	}
	return dst
}
