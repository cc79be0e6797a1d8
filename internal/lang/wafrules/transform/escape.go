package transform

// cEscapes are the one-letter escapes of C and JavaScript.
var cEscapes = [256]byte{'a': 7, 'b': 8, 'f': 12, 'n': 10, 'r': 13, 't': 9, 'v': 11}

// octal reads up to three octal digits at s[i:] whose value fits a byte, and returns how
// many it used.
func octal(s string, i int) (b byte, n int) {
	v := 0
	for n < 3 && i+n < len(s) && '0' <= s[i+n] && s[i+n] <= '7' && v<<3|int(s[i+n]-'0') <= 255 {
		v = v<<3 | int(s[i+n]-'0')
		n++
	}
	return byte(v), n
}

// escapeSeqDecode decodes the escapes of ANSI C; what is not one of them stays,
// with its backslash.
func escapeSeqDecode(dst []byte, src string) []byte {
	for i := 0; i < len(src); i++ {
		if src[i] != '\\' || i+1 == len(src) {
			dst = append(dst, src[i])
			continue
		}
		c := src[i+1]
		switch c {
		case 'a', 'b', 'f', 'n', 'r', 't', 'v':
			dst = append(dst, cEscapes[c])
			i++
		case '\\', '?', '\'', '"':
			dst = append(dst, c)
			i++
		case 'x', 'X':
			if b, ok := hexByte(src, i+2); ok {
				dst = append(dst, b)
				i += 3
			} else {
				dst = append(dst, '\\')
			}
		default:
			if b, n := octal(src, i+1); n > 0 {
				dst = append(dst, b)
				i += n
			} else {
				dst = append(dst, '\\')
			}
		}
	}
	return dst
}

// jsDecode decodes JavaScript's escapes; the backslash of an unknown one is dropped.
func jsDecode(dst []byte, src string) []byte {
	for i := 0; i < len(src); i++ {
		if src[i] != '\\' || i+1 == len(src) {
			dst = append(dst, src[i])
			continue
		}
		if b, n := jsCode(src, i+1); n > 0 {
			dst = append(dst, b)
			i += n
			continue
		}
		c := src[i+1]
		if cEscapes[c] != 0 {
			c = cEscapes[c]
		}
		dst = append(dst, c)
		i++
	}
	return dst
}

// jsDecodeExt decodes numeric escapes and escaped quotes, slashes and backslashes;
// every other escape stays as written.
func jsDecodeExt(dst []byte, src string) []byte {
	for i := 0; i < len(src); i++ {
		if src[i] != '\\' || i+1 == len(src) {
			dst = append(dst, src[i])
			continue
		}
		if b, n := jsCode(src, i+1); n > 0 {
			dst = append(dst, b)
			i += n
			continue
		}
		switch c := src[i+1]; c {
		case '\\', '/', '\'', '"':
			dst = append(dst, c)
		default:
			dst = append(dst, '\\', c)
		}
		i++
	}
	return dst
}

// jsCode reads the numeric escape (uHHHH, xHH, octal) at s[i:], after the backslash.
func jsCode(s string, i int) (b byte, n int) {
	switch s[i] {
	case 'u':
		if u, ok := hex4(s, i+1); ok {
			return narrow(u), 5
		}
	case 'x':
		if b, ok := hexByte(s, i+1); ok {
			return b, 3
		}
	default:
		return octal(s, i)
	}
	return 0, 0
}

// cssDecode decodes the escapes of CSS 2: up to six hexadecimal digits, of which
// the last two count (four of a full-width form), and one white space after them; an
// escaped line feed vanishes, any other escaped character stands for itself.
func cssDecode(dst []byte, src string) []byte {
	for i := 0; i < len(src); i++ {
		if src[i] != '\\' {
			dst = append(dst, src[i])
			continue
		}
		if i+1 == len(src) {
			break // a backslash with nothing to escape
		}
		n := 0
		var v uint32
		for n < 6 && i+1+n < len(src) && nibble(src[i+1+n]) >= 0 {
			v = v<<4 | uint32(nibble(src[i+1+n]))
			n++
		}
		switch {
		case n > 0:
			if v > 0xffff {
				v &= 0xff
			}
			dst = append(dst, narrow(uint16(v)))
			i += n
			if i+1 < len(src) && isSpace(src[i+1]) {
				i++
			}
		case src[i+1] == '\n':
			i++
		default:
			dst = append(dst, src[i+1])
			i++
		}
	}
	return dst
}
