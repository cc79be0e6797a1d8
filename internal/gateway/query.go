package gateway

import (
	"strings"
)

// A query string is read as the service reads it (routing-and-integrations, section 2.2):
// "&" and ";" separate, "+" is a space, a key without "=" has the value "". Escapes that
// are not valid stand for themselves.

// eachQuery calls yield with every raw pair of a query string.
func eachQuery(raw string, yield func(key, value string) bool) {
	for raw != "" {
		var pair string
		if i := strings.IndexAny(raw, "&;"); i >= 0 {
			pair, raw = raw[:i], raw[i+1:]
		} else {
			pair, raw = raw, ""
		}
		if pair == "" {
			continue
		}
		key, value, _ := strings.Cut(pair, "=")
		if !yield(key, value) {
			return
		}
	}
}

// lastQuery returns the last value of a parameter.
func lastQuery(raw, name string) (value string, ok bool) {
	for k, v := range pairs(raw) {
		if unescapeQuery(k) == name {
			value, ok = v, true
		}
	}
	return unescapeQuery(value), ok
}

// allQuery returns every value of a parameter, in order.
func allQuery(raw, name string) []string {
	var vs []string
	for k, v := range pairs(raw) {
		if unescapeQuery(k) == name {
			vs = append(vs, unescapeQuery(v))
		}
	}
	return vs
}

// pairs iterates over the raw pairs of a query string.
func pairs(raw string) func(yield func(key, value string) bool) {
	return func(yield func(key, value string) bool) { eachQuery(raw, yield) }
}

// isPlainQuery reports whether a raw query string means the same to every parser: it can
// then be passed on as it is.
func isPlainQuery(raw string) bool {
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case strings.IndexByte("-._~=&+*!'(),:@/?$", c) >= 0:
		case c == '%' && i+2 < len(raw) && isHex(raw[i+1]) && isHex(raw[i+2]):
		default:
			return false
		}
	}
	return true
}

// appendQuery appends raw, re-encoded where parsers could differ about it.
func appendQuery(dst []byte, raw string) []byte {
	if isPlainQuery(raw) {
		return append(dst, raw...)
	}
	first := true
	for k, v := range pairs(raw) {
		if !first {
			dst = append(dst, '&')
		}
		first = false
		dst = appendQueryPair(dst, unescapeQuery(k), unescapeQuery(v))
	}
	return dst
}

// appendQueryPair appends key=value, encoded as a form.
func appendQueryPair(dst []byte, key, value string) []byte {
	dst = appendQueryEscaped(dst, key)
	dst = append(dst, '=')
	return appendQueryEscaped(dst, value)
}

func appendQueryEscaped(dst []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("-._*", c) >= 0:
			dst = append(dst, c)
		case c == ' ':
			dst = append(dst, '+')
		default:
			dst = append(dst, '%', upperHex[c>>4], upperHex[c&15])
		}
	}
	return dst
}

// appendPathEscaped appends a decoded path value; slashes stay when they may.
func appendPathEscaped(dst []byte, s string, slashes bool) []byte {
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("-._~!$&'()*+,;=:@", c) >= 0, c == '/' && slashes:
			dst = append(dst, c)
		default:
			dst = append(dst, '%', upperHex[c>>4], upperHex[c&15])
		}
	}
	return dst
}

const upperHex = "0123456789ABCDEF"

func unescapeQuery(s string) string { return unescape(s, true) }
func unescapePath(s string) string  { return unescape(s, false) }

// unescape decodes percent escapes, and "+" when plus is set. What is no escape stays.
func unescape(s string, plus bool) string {
	if strings.IndexByte(s, '%') < 0 && (!plus || strings.IndexByte(s, '+') < 0) {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '%' && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]):
			b = append(b, unhex(s[i+1])<<4|unhex(s[i+2]))
			i += 2
		case c == '+' && plus:
			b = append(b, ' ')
		default:
			b = append(b, c)
		}
	}
	return string(b)
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

func unhex(c byte) byte {
	switch {
	case c <= '9':
		return c - '0'
	case c <= 'F':
		return c - 'A' + 10
	}
	return c - 'a' + 10
}

// hasDotSegment reports whether a raw path value has a segment "." or "..", plain, escaped,
// with parameters ("..;x"), or behind an escaped slash or backslash: put into a backend's path,
// some backend would climb out of the place it was put in.
func hasDotSegment(raw string) bool {
	if !strings.Contains(raw, ".") && !strings.ContainsAny(raw, "%\\") {
		return false
	}
	for segment := range strings.FieldsFuncSeq(unescapePath(raw), func(r rune) bool { return r == '/' || r == '\\' }) {
		if segment, _, _ = strings.Cut(segment, ";"); segment == "." || segment == ".." {
			return true
		}
	}
	return false
}
