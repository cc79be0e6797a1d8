package wire

import (
	"strings"
	"unsafe"
)

// Classes of bytes, as bits of class.
const (
	classToken  = 1 << iota // tchar, RFC 9110 section 5.6.2
	classValue              // field-vchar, SP, HTAB: what a field value may hold
	classTarget             // what a request target may hold: no controls, no SP, no DEL
	classHost               // letters, digits and "-._~": a reg-name without escapes
	classHex                // HEXDIG in either case
	classURI                // what RFC 3986 allows in path and query, and "%"
	classMethod             // what the name of a method may hold
)

var class = func() (t [256]uint8) {
	set := func(bits uint8, chars string) {
		for i := range len(chars) {
			t[chars[i]] |= bits
		}
	}
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	const digits = "0123456789"
	set(classToken, letters+digits+"!#$%&'*+-.^_`|~")
	set(classHost, letters+digits+"-._~")
	set(classMethod, "ABCDEFGHIJKLMNOPQRSTUVWXYZ-_")
	set(classHex, digits+"abcdefABCDEF")
	set(classURI, letters+digits+"-._~!$&'()*+,;=:@/?%")
	for c := 0x21; c < 256; c++ {
		if c != 0x7f {
			t[c] |= classValue | classTarget
		}
	}
	set(classValue, " \t")
	return t
}()

func allOf[S string | []byte](s S, bits uint8) bool {
	for i := range len(s) {
		if class[s[i]]&bits == 0 {
			return false
		}
	}
	return true
}

// IsToken reports whether s is a token: a field name, say.
func IsToken[S string | []byte](s S) bool {
	return len(s) > 0 && allOf(s, classToken)
}

// maxMethod bounds method names; the longest registered one has 17 letters.
const maxMethod = 32

// IsMethod reports whether s can be a request's method: at most 32 capital letters,
// "-" and "_". RFC 9110 allows any token, but methods differ by case, and a parser that
// folds it would see another one.
func IsMethod[S string | []byte](s S) bool {
	return len(s) > 0 && len(s) <= maxMethod && allOf(s, classMethod)
}

// IsPath reports whether path, a target up to its "?", has only complete escapes and
// none of them stands for NUL: decoders differ on what the others mean, and on where a
// string ends.
func IsPath(path string) bool {
	for {
		i := strings.IndexByte(path, '%')
		if i < 0 {
			return true
		}
		path = path[i+1:]
		if len(path) < 2 || class[path[0]]&class[path[1]]&classHex == 0 || path[:2] == "00" {
			return false
		}
		path = path[2:]
	}
}

// IsTarget reports whether s holds only bytes that may stand in a request target.
// RFC 3986 allows fewer; bytes above 0x7F, "#" and the like are kept as they came,
// and it is for whoever builds the upstream request to escape them.
func IsTarget[S string | []byte](s S) bool {
	return len(s) > 0 && allOf(s, classTarget)
}

// IsURI reports whether c may stand in the path or query of a request target that is
// sent, "%" of an escape included.
func IsURI(c byte) bool { return class[c]&classURI != 0 }

// IsValue reports whether s may stand in a field line after the colon. An empty
// value may.
func IsValue(s string) bool {
	// Eight bytes at a time: a word is clean when no byte is below SP and none is DEL.
	// Words with a tab are looked at byte by byte.
	const lows, highs = 0x0101010101010101, 0x8080808080808080
	for len(s) >= 8 {
		w := *(*uint64)(unsafe.Pointer(unsafe.StringData(s)))
		control := (w - lows*0x20) & ^w & highs
		x := w ^ lows*0x7f
		del := (x - lows) & ^x & highs
		if control|del != 0 && !allOf(s[:8], classValue) {
			return false
		}
		s = s[8:]
	}
	return allOf(s, classValue)
}

// TrimOWS returns s without the spaces and tabs around it (RFC 9110 section 5.6.3).
func TrimOWS(s string) string {
	for len(s) > 0 && (s[0] == ' ' || s[0] == '\t') {
		s = s[1:]
	}
	for len(s) > 0 && (s[len(s)-1] == ' ' || s[len(s)-1] == '\t') {
		s = s[:len(s)-1]
	}
	return s
}

// IsHost reports whether s is host[":"port] as the Host field and :authority may
// carry it: a name or IPv4 address of letters, digits and "-._~", or an IPv6
// address in brackets; a port of one to five digits. User information, escapes, "/",
// empty labels and an empty host are refused, though RFC 3986 knows them: nobody names a
// gateway so.
func IsHost(s string) bool {
	host := s
	if len(s) > 0 && s[0] == '[' {
		end := 1
		for end < len(s) && (class[s[end]]&classHex != 0 || s[end] == ':' || s[end] == '.') {
			end++
		}
		if end == len(s) || s[end] != ']' || end < 3 {
			return false
		}
		return end+1 == len(s) || isPort(s[end+1:])
	}
	for i := range len(s) {
		if s[i] == ':' {
			if !isPort(s[i:]) {
				return false
			}
			host = s[:i]
			break
		}
	}
	return len(host) > 0 && len(host) <= 255 && host[0] != '.' && !strings.Contains(host, "..") && allOf(host, classHost)
}

// isPort reports whether s is ":" and a decimal number of one to five digits up to
// 65535: what is larger, some parsers cut down to another port.
func isPort(s string) bool {
	if len(s) < 2 || len(s) > 6 || s[0] != ':' {
		return false
	}
	n := 0
	for _, c := range []byte(s[1:]) {
		if c < '0' || c > '9' {
			return false
		}
		n = n*10 + int(c-'0')
	}
	return n <= 65535
}

// ParseLength parses a Content-Length value: one to eighteen digits without sign,
// space, list or leading zero.
func ParseLength(s string) (n int64, ok bool) {
	if len(s) == 0 || len(s) > 18 || (s[0] == '0' && len(s) > 1) {
		return 0, false
	}
	for i := range len(s) {
		c := s[i]
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, true
}

// BlankControls replaces every byte of b that may not stand in a field value by a space.
func BlankControls(b []byte) {
	for i, c := range b {
		if class[c]&classValue == 0 {
			b[i] = ' '
		}
	}
}
