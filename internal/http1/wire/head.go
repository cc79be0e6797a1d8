package wire

import (
	"bytes"
	"strings"

	"gatehouse/internal/message"
)

// HeadEnd looks for the empty line that ends a head. Lines before from are known to
// be complete and to end in CRLF. It returns the length of the head with its empty
// line, or 0 and where to go on looking when more bytes have come. A line that ends
// in a bare LF is an error, as is an empty first line.
func HeadEnd(b []byte, from int) (end, next int, err error) {
	for {
		i := bytes.IndexByte(b[from:], '\n')
		if i < 0 {
			return 0, from, nil
		}
		if i == 0 || b[from+i-1] != '\r' {
			return 0, from, ErrBareLF
		}
		if i == 1 {
			if from == 0 {
				return 0, 0, ErrEmptyLine
			}
			return from + 2, from + 2, nil
		}
		from += i + 1
	}
}

// FirstLine returns the start line in b without its CRLF; false while it is not
// complete.
func FirstLine(b []byte) ([]byte, bool) {
	i := bytes.IndexByte(b, '\n')
	if i < 1 {
		return nil, false
	}
	return b[:i-1], true
}

// A RequestLine is the first line of a request, cut into its parts.
type RequestLine struct {
	Method string
	Target string // as sent, in whatever form
	HTTP10 bool   // the version is HTTP/1.0, else HTTP/1.1
}

// ParseRequestLine parses line, which has no CRLF. Targets longer than maxTarget
// bytes are ErrTargetLong.
func ParseRequestLine(line string, maxTarget int) (rl RequestLine, err error) {
	method, rest, ok := strings.Cut(line, " ")
	if !IsMethod(method) {
		return rl, ErrMethod
	}
	if !ok {
		return rl, ErrRequestLine
	}
	target, version, ok := strings.Cut(rest, " ")
	if !ok {
		return rl, ErrRequestLine
	}
	if len(target) > maxTarget {
		return rl, ErrTargetLong
	}
	if !IsTarget(target) {
		return rl, ErrTarget
	}
	switch version {
	case "HTTP/1.1":
	case "HTTP/1.0":
		rl.HTTP10 = true
	default:
		return rl, ErrVersion
	}
	rl.Method, rl.Target = method, target
	return rl, nil
}

// A StatusLine is the first line of a response, cut into its parts.
type StatusLine struct {
	Status int // 100 to 599
	Reason string
	HTTP10 bool
}

// ParseStatusLine parses line, which has no CRLF. A missing space after the status is
// accepted (RFC 9112 section 4: clients should not care for the reason).
func ParseStatusLine(line string) (sl StatusLine, err error) {
	if len(line) < len("HTTP/1.1 200") || line[8] != ' ' {
		return sl, ErrStatusLine
	}
	switch line[:8] {
	case "HTTP/1.1":
	case "HTTP/1.0":
		sl.HTTP10 = true
	default:
		return sl, ErrVersion
	}
	for _, c := range []byte(line[9:12]) {
		if c < '0' || c > '9' {
			return sl, ErrStatusLine
		}
		sl.Status = sl.Status*10 + int(c-'0')
	}
	if sl.Status < 100 || sl.Status > 599 {
		return sl, ErrStatusLine
	}
	if rest := line[12:]; rest != "" {
		if rest[0] != ' ' || !IsValue(rest) {
			return sl, ErrStatusLine
		}
		sl.Reason = rest[1:]
	}
	return sl, nil
}

// ParseFields cuts a block of field lines, each ended by CRLF, and appends them to
// dst. The block has no final empty line. More than maxLines lines are ErrTooManyLines.
// The fields alias block.
func ParseFields(block string, dst message.Header, maxLines int) (message.Header, error) {
	for len(block) > 0 {
		i := strings.IndexByte(block, '\n')
		if i < 1 || block[i-1] != '\r' {
			return dst, ErrBareLF
		}
		line := block[:i-1]
		block = block[i+1:]
		f, err := ParseField(line)
		if err != nil {
			return dst, err
		}
		if maxLines--; maxLines < 0 {
			return dst, ErrTooManyLines
		}
		dst = append(dst, f)
	}
	return dst, nil
}

// ParseField cuts one field line, which has no CRLF, into name and value.
func ParseField(line string) (message.Field, error) {
	colon := 0
	for colon < len(line) && class[line[colon]]&classToken != 0 {
		colon++
	}
	if colon == len(line) {
		return message.Field{}, ErrNoColon
	}
	if line[colon] != ':' || colon == 0 {
		switch {
		case colon == 0 && (line[0] == ' ' || line[0] == '\t'):
			return message.Field{}, ErrFold
		case strings.IndexByte(line, ':') < 0:
			return message.Field{}, ErrNoColon
		}
		return message.Field{}, ErrName
	}
	value := line[colon+1:]
	if !IsValue(value) {
		return message.Field{}, ErrValue
	}
	f := message.Field{Name: line[:colon], Value: TrimOWS(value)}
	if len(f.Value) < len(value) && steers(f.Name) && strings.IndexByte(value, '\t') >= 0 {
		return message.Field{}, ErrTab
	}
	return f, nil
}

// steers reports whether a field decides framing or routing. In these, tabs around the
// value are refused although RFC 9110 allows them: nginx, for one, takes them for a part
// of the value.
func steers(name string) bool {
	switch len(name) {
	case 4:
		return message.EqualName(name, "Host")
	case 6:
		return message.EqualName(name, "Expect")
	case 10:
		return message.EqualName(name, "Connection")
	case 14:
		return message.EqualName(name, "Content-Length")
	case 17:
		return message.EqualName(name, "Transfer-Encoding")
	}
	return false
}
