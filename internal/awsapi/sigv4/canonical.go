package sigv4

import (
	"bytes"
	"slices"
	"strings"

	"gatehouse/internal/message"
)

const upperHex = "0123456789ABCDEF"

// unreserved reports the bytes that a canonical request leaves as they are (RFC 3986
// section 2.3).
func unreserved(c byte) bool {
	return 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' || '0' <= c && c <= '9' ||
		c == '-' || c == '.' || c == '_' || c == '~'
}

func appendEscaped(b []byte, c byte) []byte {
	return append(b, '%', upperHex[c>>4], upperHex[c&15])
}

// appendPathOnce appends the canonical path of S3: every byte that the path means,
// encoded once. An escaped slash stays escaped, so that it differs from a separator;
// dot segments and doubled slashes stay as they are.
func appendPathOnce(b []byte, raw string) ([]byte, bool) {
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		switch {
		case c == '/' || unreserved(c):
			b = append(b, c)
		case c == '%':
			if i+2 >= len(raw) {
				return b, false
			}
			hi, lo := unhex(raw[i+1]), unhex(raw[i+2])
			if hi > 15 || lo > 15 {
				return b, false
			}
			i += 2
			if d := hi<<4 | lo; unreserved(d) {
				b = append(b, d)
			} else {
				b = appendEscaped(b, d)
			}
		default:
			b = appendEscaped(b, c)
		}
	}
	return b, true
}

func unhex(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10
	}
	return 255
}

// appendPathTwice appends the canonical path of all services but S3: the path as sent,
// encoded once more.
func appendPathTwice(b []byte, raw string) []byte {
	for i := 0; i < len(raw); i++ {
		if c := raw[i]; c == '/' || unreserved(c) {
			b = append(b, c)
		} else {
			b = appendEscaped(b, c)
		}
	}
	return b
}

// normalised returns the path without empty and dot segments, as the Python and Java
// SDKs sign it, and whether that differs from raw. (The Go SDK signs the path
// unchanged; the service accepts both.)
func normalised(raw string) (string, bool) {
	if !strings.Contains(raw, "//") && !strings.Contains(raw, "/.") {
		return raw, false
	}
	var kept []string
	for seg := range strings.SplitSeq(raw, "/") {
		switch seg {
		case "", ".":
		case "..":
			if len(kept) > 0 {
				kept = kept[:len(kept)-1]
			}
		default:
			kept = append(kept, seg)
		}
	}
	out := "/" + strings.Join(kept, "/")
	if strings.HasSuffix(raw, "/") && len(kept) > 0 {
		out += "/"
	}
	return out, out != raw
}

// A param is a canonical query parameter: a range of a buffer for name and value.
type param struct{ name, eq, end int }

// appendQuery appends the canonical query: names and values decoded, encoded, sorted
// by name and then by value; X-Amz-Signature is left out when omit is set. It reports
// false when an escape is broken. params is scratch space and returned for reuse.
func appendQuery(b []byte, raw string, omit bool, tmp []byte, params []param) ([]byte, []byte, []param, bool) {
	tmp, params = tmp[:0], params[:0]
	for raw != "" {
		var pair string
		pair, raw, _ = strings.Cut(raw, "&")
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		p := param{name: len(tmp)}
		var ok1, ok2 bool
		tmp, ok1 = appendQueryPart(tmp, name)
		p.eq = len(tmp)
		tmp, ok2 = appendQueryPart(tmp, value)
		p.end = len(tmp)
		if !ok1 || !ok2 {
			return b, tmp, params, false
		}
		if omit && string(tmp[p.name:p.eq]) == "X-Amz-Signature" {
			tmp = tmp[:p.name]
			continue
		}
		params = append(params, p)
	}
	slices.SortFunc(params, func(x, y param) int {
		if c := bytes.Compare(tmp[x.name:x.eq], tmp[y.name:y.eq]); c != 0 {
			return c
		}
		return bytes.Compare(tmp[x.eq:x.end], tmp[y.eq:y.end])
	})
	for i, p := range params {
		if i > 0 {
			b = append(b, '&')
		}
		b = append(b, tmp[p.name:p.eq]...)
		b = append(b, '=')
		b = append(b, tmp[p.eq:p.end]...)
	}
	return b, tmp, params, true
}

// appendQueryPart decodes and encodes one name or value. A plus means a space, as
// every reader of queries here understands it.
func appendQueryPart(b []byte, s string) ([]byte, bool) {
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case unreserved(c):
			b = append(b, c)
			continue
		case c == '+':
			c = ' '
		case c == '%':
			if i+2 >= len(s) {
				return b, false
			}
			hi, lo := unhex(s[i+1]), unhex(s[i+2])
			if hi > 15 || lo > 15 {
				return b, false
			}
			c = hi<<4 | lo
			i += 2
			if unreserved(c) {
				b = append(b, c)
				continue
			}
		}
		b = appendEscaped(b, c)
	}
	return b, true
}

// appendHeaders appends the canonical headers that names lists. It returns the name of
// a header that is not there, or "".
func appendHeaders(b []byte, r *Request, names string) (_ []byte, absent string) {
	for name := range strings.SplitSeq(names, ";") {
		b = append(b, name...)
		b = append(b, ':')
		if name == "host" {
			b = append(b, r.Host...)
			b = append(b, '\n')
			continue
		}
		found := false
		for i := range r.Header {
			if !message.EqualName(r.Header[i].Name, name) {
				continue
			}
			if found {
				b = append(b, ',')
			}
			b = appendFieldValue(b, r.Header[i].Value)
			found = true
		}
		if !found {
			return b, name
		}
		b = append(b, '\n')
	}
	return b, ""
}

// appendFieldValue appends a value without surrounding spaces and with runs of spaces
// made one.
func appendFieldValue(b []byte, v string) []byte {
	v = strings.Trim(v, " \t")
	if !strings.Contains(v, "  ") {
		return append(b, v...)
	}
	space := false
	for i := 0; i < len(v); i++ {
		if v[i] == ' ' && space {
			continue
		}
		space = v[i] == ' '
		b = append(b, v[i])
	}
	return b
}
