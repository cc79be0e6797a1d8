package transform

import "strings"

// entities are the names that WAFv2 documents, in lower case.
var entities = map[string]byte{
	"quot": '"', "amp": '&', "lt": '<', "gt": '>',
	"nbsp": 160, "nonbreakingspace": 160, "newline": '\n', "tab": '\t',
	"lcub": '{', "lbrace": '{', "verbar": '|', "vert": '|', "verticalline": '|',
	"rcub": '}', "rbrace": '}', "excl": '!', "num": '#', "dollar": '$',
	"percent": '%', "percnt": '%', "apos": '\'', "lpar": '(', "rpar": ')',
	"ast": '*', "midast": '*', "plus": '+', "comma": ',', "period": '.', "sol": '/',
	"colon": ':', "semi": ';', "equals": '=', "quest": '?',
	"tilde": '~', "diacriticaltilde": '~', "minus": '-',
	"lsqb": '[', "lbrack": '[', "bsol": '\\', "rsqb": ']', "rbrack": ']', "hat": '^',
	"lowbar": '_', "underbar": '_', "grave": '`', "diacriticalgrave": '`',
}

const (
	longestEntity = 16 // diacriticaltilde, diacriticalgrave
	longestNumber = 10 // digits read of &#…;, leading zeros included; browsers accept more
)

// htmlEntityDecode decodes numeric and named entities to one byte each. As browsers
// do, it does not insist on the semicolon.
func htmlEntityDecode(dst []byte, src string) []byte {
	for {
		amp := strings.IndexByte(src, '&')
		if amp < 0 {
			return append(dst, src...)
		}
		dst = append(dst, src[:amp]...)
		b, n := entity(src[amp:])
		dst = append(dst, b)
		src = src[amp+n:]
	}
}

// entity decodes the entity that s begins with, and returns its length; without one it
// returns the ampersand itself.
func entity(s string) (b byte, n int) {
	if strings.HasPrefix(s, "&#") {
		if b, n = numericEntity(s); n > 0 {
			return b, n
		}
		return '&', 1
	}
	var name [longestEntity]byte
	for n = 0; n < longestEntity && 1+n < len(s); n++ {
		c := lower(s[1+n])
		if c < 'a' || c > 'z' {
			break
		}
		name[n] = c
	}
	b, ok := entities[string(name[:n])]
	if !ok {
		return '&', 1
	}
	return b, skipSemicolon(s, 1+n)
}

func numericEntity(s string) (b byte, n int) {
	i, base := 2, uint32(10)
	if i < len(s) && lower(s[i]) == 'x' {
		i, base = 3, 16
	}
	start := i
	var v uint32
	for i < len(s) && i-start < longestNumber {
		d := nibble(s[i])
		if d < 0 || uint32(d) >= base {
			break
		}
		v = v*base + uint32(d)
		i++
	}
	if i == start {
		return 0, 0
	}
	return byte(v), skipSemicolon(s, i)
}

func skipSemicolon(s string, i int) int {
	if i < len(s) && s[i] == ';' {
		return i + 1
	}
	return i
}
