package wafrules

import (
	"encoding/base64"
	"io"
	"mime"
	"mime/quotedprintable"
	"strings"
)

// multipartValues lists header lines and contents of the parts. The boundary is taken
// from the body's first line, as lenient parsers do. It reports false when another parser
// may find other parts: the message does not end properly, the content type names another
// boundary or several, or a delimiter does not stand on a line of its own. Then the whole
// must be inspected too.
func (x *evaluation) multipartValues(vs *nodeState, text, kind string) (sure bool) {
	text = strings.TrimLeft(text, "\r\n")
	line, _, _ := strings.Cut(text, "\n")
	boundary := strings.TrimRight(line, " \t\r")
	if len(boundary) < 3 || !strings.HasPrefix(boundary, "--") {
		return false
	}
	sure = namesBoundary(kind, boundary[2:])
	text = text[len(boundary):]
	for range maxBodyValues {
		if strings.HasPrefix(text, "--") {
			return sure && strings.Trim(text, "-\r\n \t") == "" // nothing hides in an epilogue
		}
		part, rest, found := strings.Cut(text, boundary)
		part = strings.TrimLeft(part, " \t")
		sure = sure && strings.HasPrefix(strings.TrimPrefix(part, "\r"), "\n") && (!found || strings.HasSuffix(part, "\n"))
		x.multipartPart(vs, strings.TrimPrefix(strings.TrimPrefix(part, "\r"), "\n"))
		if !found {
			return false
		}
		text = rest
	}
	return false
}

// namesBoundary reports whether a content type names this boundary and no other.
func namesBoundary(kind, boundary string) bool {
	const parameter = "boundary="
	at := indexFold(kind, parameter)
	if at < 0 || containsFold(kind[at+1:], "boundary") || containsFold(kind[:at], "boundary") {
		return false
	}
	value, _, _ := strings.Cut(kind[at+len(parameter):], ";")
	value = strings.TrimSpace(value)
	if len(value) > 1 && value[0] == '"' && value[len(value)-1] == '"' {
		value = value[1 : len(value)-1]
	}
	return value == boundary
}

// multipartPart lists one part: its header lines in pieces, names and file names in all ways
// in which they may be written, and its content.
func (x *evaluation) multipartPart(vs *nodeState, part string) {
	encoding, utf7 := "", false
	for {
		line, rest, found := strings.Cut(part, "\n")
		if !found {
			break
		}
		line = strings.TrimRight(line, "\r")
		part = rest
		if line == "" {
			break
		}
		if name, value, ok := strings.Cut(line, ":"); ok && equalFold("content-transfer-encoding", strings.TrimSpace(name)) {
			encoding = strings.TrimSpace(value)
		}
		utf7 = utf7 || isUTF7(strings.ReplaceAll(line, " ", ""))
		for piece := range strings.SplitSeq(line, ";") {
			vs.add(strings.TrimSpace(piece), "")
		}
		quotedValues(vs, line)
	}
	content := strings.TrimSuffix(strings.TrimSuffix(part, "\n"), "\r")
	vs.add(content, "")
	if plain := decodedPart(content, encoding); plain != "" {
		vs.add(plain, "")
	}
	if utf7 {
		vs.add(fromUTF7(content), "")
	}
}

// quotedValues lists what stands between quotes in a header line of a part: ending at the
// next quote, and, where the line says so, with escaped quotes, in several pieces (RFC 2231)
// or as encoded words (RFC 2047).
func quotedValues(vs *nodeState, line string) {
	joined := ""
	for rest := line; ; {
		open := strings.Index(rest, `="`)
		if open < 0 {
			break
		}
		value, after, _ := strings.Cut(rest[open+2:], `"`)
		vs.add(value, "")
		if end := closingQuote(rest[open+2:]); end != len(value) {
			vs.add(strings.ReplaceAll(rest[open+2:open+2+end], `\`, ""), "")
		}
		joined += value
		rest = after
	}
	if strings.Contains(line, "*0") {
		vs.add(joined, "")
	}
	if strings.Contains(line, "=?") {
		if word, err := new(mime.WordDecoder).DecodeHeader(line); err == nil {
			quotedValues(vs, strings.ReplaceAll(word, "=?", ""))
		}
	}
}

// decodedPart undoes a part's transfer encoding, which some applications do; "" for none.
func decodedPart(content, encoding string) string {
	switch {
	case containsFold(encoding, "base64"):
		clean := strings.Map(func(r rune) rune {
			if strings.ContainsRune(" \t\r\n=", r) {
				return -1
			}
			return r
		}, content)
		plain, _ := base64.RawStdEncoding.DecodeString(clean) // what came before an error counts
		return string(plain)
	case containsFold(encoding, "quoted-printable"):
		plain, _ := io.ReadAll(quotedprintable.NewReader(strings.NewReader(content)))
		return string(plain)
	}
	return ""
}
