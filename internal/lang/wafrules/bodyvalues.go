package wafrules

import (
	"strings"

	"gatehouse/internal/lang/wafrules/jsonbody"
	"gatehouse/internal/lang/wafrules/transform"
)

// maxBodyValues bounds the values of one body; what lies beyond is inspected as one piece.
const maxBodyValues = 10_000

// bodyValues lists what an application would make of the body: keys and values of JSON,
// fields of a form, parts of a multipart message, else the whole. The content type is
// not trusted: what looks like JSON is read as JSON, and whatever does not parse to its
// end, or may be read in more than one way, is also inspected whole.
func (x *evaluation) bodyValues(vs *nodeState) {
	text, more := x.loadBody()
	if more {
		x.oversize |= oversizeBody
	}
	x.legibleRuns(vs)
	if text == "" {
		return
	}
	kind := x.contentType()
	for _, other := range recode(text, kind) {
		doc := new(jsonbody.Document) // x.json is about the body as it was sent
		doc.Parse(other, more)
		x.valuesOf(vs, other, kind, doc)
	}
	if looksLikeJSON(text) {
		x.loadJSON()
	}
	x.valuesOf(vs, strings.TrimPrefix(text, utf8Mark), kind, &x.json)
}

// minLegible is how many legible bytes in a row do not come about by chance in a compressed
// body: in 16 KB there is less than one such run.
const minLegible = 10

// legibleRuns lists what a backend that does not decode a compressed body can read in it: names
// of files in its header, what stands behind its end, blocks that are not compressed.
func (x *evaluation) legibleRuns(vs *nodeState) {
	start := 0
	for i := 0; i <= len(x.sent); i++ {
		if i < len(x.sent) && (x.sent[i] >= ' ' && x.sent[i] <= '~' || x.sent[i] == '\t' || x.sent[i] == '\r' || x.sent[i] == '\n') {
			continue
		}
		if i-start >= minLegible {
			x.formValues(vs, x.sent[start:i])
			vs.add(x.sent[start:i], asSent)
		}
		start = i + 1
	}
}

// looksLikeJSON says that the first byte which is not white space opens an object, a list or
// a string.
func looksLikeJSON(text string) bool {
	start := strings.TrimLeft(strings.TrimPrefix(text, utf8Mark), " \t\r\n")
	return start != "" && (start[0] == '{' || start[0] == '[' || start[0] == '"')
}

// valuesOf lists the values of a body in ASCII or what extends it. doc is the text, parsed if
// it looks like JSON.
func (x *evaluation) valuesOf(vs *nodeState, text, kind string, doc *jsonbody.Document) {
	start := strings.TrimLeft(text, " \t\r\n")
	switch {
	case looksLikeJSON(text):
		x.documentValues(vs, text, kind, doc)
	case strings.HasPrefix(start, "<"):
		x.xmlValues(vs, start)
		if !strings.HasPrefix(start, "<?xml") && !containsFold(kind, "xml") {
			vs.add(text, "")
		}
	case strings.HasPrefix(start, "--") || containsFold(kind, "multipart/"):
		if !x.multipartValues(vs, text, kind) {
			vs.add(text, "")
		}
	case strings.IndexByte(text, '=') >= 0:
		x.formValues(vs, text)
		if !containsFold(kind, "x-www-form-urlencoded") {
			vs.add(text, "")
		}
	default:
		vs.add(text, "")
	}
}

// documentValues lists keys and values of JSON. Lenient parsers go on where ours stops (at
// comments, single quotes, NaN), so that the rest of the text is inspected too, whole and by
// what stands between quotes, with escapes undone.
func (x *evaluation) documentValues(vs *nodeState, text, kind string, doc *jsonbody.Document) {
	for i := range doc.Elements {
		vs.add(doc.Elements[i].Text, "")
	}
	whole := doc.Rest >= len(text) && len(doc.Elements) > 0
	if !whole || containsFold(kind, "x-www-form-urlencoded") {
		x.formValues(vs, text)
	}
	if whole {
		return
	}
	vs.add(text, "")
	rest := text[min(doc.Rest, len(text)):]
	if strings.IndexByte(rest, '\\') < 0 {
		return
	}
	vs.add(x.unescaped(rest), "")
	for range maxBodyValues {
		end := closingQuote(rest)
		if piece := rest[:end]; strings.IndexByte(piece, '\\') >= 0 {
			vs.add(x.unescaped(piece), "")
		}
		if end == len(rest) {
			return
		}
		rest = rest[end+1:]
	}
}

// closingQuote is the place of the first quote that no backslash stands before, or the
// length of s.
func closingQuote(s string) int {
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return i
		}
	}
	return len(s)
}

func (x *evaluation) unescaped(s string) string {
	return x.arena.commit(transform.JSDecode.Append(x.arena.reserve(transform.MaxLen(len(s))), s))
}

// contentType joins the Content-Type lines; more than one is the sender's trick.
func (x *evaluation) contentType() string {
	kind := ""
	for i := range x.req.Header {
		if h := &x.req.Header[i]; equalFold("content-type", h.Name) {
			if kind != "" {
				kind += "; "
			}
			kind += h.Value
		}
	}
	return kind
}

// containsFold looks for a lower-case word without regard to case.
func containsFold(s, word string) bool {
	return indexFold(s, word) >= 0
}

func indexFold(s, word string) int {
	for i := 0; i+len(word) <= len(s); i++ {
		if equalFold(word, s[i:i+len(word)]) {
			return i
		}
	}
	return -1
}

// formValues lists names and values of a form, still encoded. Some applications separate
// fields by semicolons too: a field with semicolons is inspected whole and in its parts.
func (x *evaluation) formValues(vs *nodeState, text string) {
	for n := 0; text != ""; n++ {
		if n == maxBodyValues {
			vs.add(text, "")
			return
		}
		var pair string
		pair, text, _ = strings.Cut(text, "&")
		formField(vs, pair)
		if strings.IndexByte(pair, ';') < 0 {
			continue
		}
		for parts := pair; parts != "" && n < maxBodyValues; n++ {
			var part string
			part, parts, _ = strings.Cut(parts, ";")
			if strings.IndexByte(part, '=') > 0 {
				formField(vs, part)
			}
		}
	}
}

func formField(vs *nodeState, pair string) {
	name, value, _ := strings.Cut(pair, "=")
	if name != "" {
		vs.add(name, name)
	}
	if value != "" {
		vs.add(value, name)
	}
}
