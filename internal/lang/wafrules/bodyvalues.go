package wafrules

import (
	"strings"
)

// maxBodyValues bounds the values of one body; what lies beyond is inspected as one piece.
const maxBodyValues = 10_000

// bodyValues lists what an application would make of the body: keys and values of JSON,
// fields of a form, parts of a multipart message, else the whole. The content type is
// not trusted: what looks like JSON is read as JSON, and whatever does not parse to its
// end is also inspected whole.
func (x *evaluation) bodyValues(vs *nodeState) {
	text, more := x.loadBody()
	if more {
		x.oversize |= oversizeBody
	}
	if text == "" {
		return
	}
	kind := x.contentType()
	start := strings.TrimLeft(text, " \t\r\n")
	switch {
	case start != "" && (start[0] == '{' || start[0] == '['):
		x.loadJSON()
		for i := range x.json.Elements {
			vs.add(x.json.Elements[i].Text, "")
		}
		if x.json.Err != nil {
			x.formValues(vs, text)
			vs.add(text, "")
		}
	case strings.HasPrefix(start, "<?xml") || start != "" && start[0] == '<' && containsFold(kind, "xml"):
		xmlValues(vs, start)
	case strings.HasPrefix(start, "--") || containsFold(kind, "multipart/"):
		if !multipartValues(vs, text) {
			vs.add(text, "")
		}
	case start != "" && start[0] != '<' && strings.IndexByte(text, '=') >= 0:
		x.formValues(vs, text)
		if !containsFold(kind, "x-www-form-urlencoded") {
			vs.add(text, "")
		}
	default:
		vs.add(text, "")
	}
}

func (x *evaluation) contentType() string {
	for i := range x.req.Header {
		if h := &x.req.Header[i]; equalFold("content-type", h.Name) {
			return h.Value
		}
	}
	return ""
}

// containsFold looks for a lower-case word without regard to case.
func containsFold(s, word string) bool {
	for i := 0; i+len(word) <= len(s); i++ {
		if equalFold(word, s[i:i+len(word)]) {
			return true
		}
	}
	return false
}

// formValues lists names and values of a form, still encoded.
func (x *evaluation) formValues(vs *nodeState, text string) {
	for n := 0; text != ""; n++ {
		if n == maxBodyValues {
			vs.add(text, "")
			return
		}
		var pair string
		pair, text, _ = strings.Cut(text, "&")
		name, value, _ := strings.Cut(pair, "=")
		if name != "" {
			vs.add(name, name)
		}
		if value != "" {
			vs.add(value, name)
		}
	}
}

// multipartValues lists header lines and contents of the parts. The boundary is taken
// from the body's first line, as lenient parsers do. It reports false when the message
// does not end properly: then the whole must be inspected too.
func multipartValues(vs *nodeState, text string) (complete bool) {
	text = strings.TrimLeft(text, "\r\n")
	line, _, _ := strings.Cut(text, "\n")
	boundary := strings.TrimRight(line, " \t\r")
	if len(boundary) < 3 || !strings.HasPrefix(boundary, "--") {
		return false
	}
	text = text[len(boundary):]
	for range maxBodyValues {
		if strings.HasPrefix(text, "--") {
			return strings.Trim(text, "-\r\n \t") == "" // nothing hides in an epilogue
		}
		part, rest, found := strings.Cut(text, boundary)
		multipartPart(vs, strings.TrimLeft(part, " \t"))
		if !found {
			return false
		}
		text = rest
	}
	return false
}

func multipartPart(vs *nodeState, part string) {
	part = strings.TrimPrefix(strings.TrimPrefix(part, "\r"), "\n")
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
		for piece := range strings.SplitSeq(line, ";") {
			vs.add(strings.TrimSpace(piece), "")
		}
		// Names and file names are values of their own: quotes end where the value ends.
		for quoted := line; ; {
			open := strings.Index(quoted, `="`)
			if open < 0 {
				break
			}
			value, after, _ := strings.Cut(quoted[open+2:], `"`)
			vs.add(value, "")
			quoted = after
		}
	}
	vs.add(strings.TrimSuffix(strings.TrimSuffix(part, "\n"), "\r"), "")
}

// xmlValues lists texts, attribute values and names of an XML document, and what is not an
// element (declarations of types and entities, CDATA sections) as written.
func xmlValues(vs *nodeState, text string) {
	for range maxBodyValues {
		open := strings.IndexByte(text, '<')
		if open < 0 {
			break
		}
		if plain := strings.TrimSpace(text[:open]); plain != "" {
			vs.add(plain, "")
		}
		text = text[open:]
		var tag string
		switch {
		case strings.HasPrefix(text, "<?xml "):
			_, text, _ = strings.Cut(text, "?>")
			continue
		case strings.HasPrefix(text, "<!DOCTYPE"), strings.HasPrefix(text, "<![CDATA["), strings.HasPrefix(text, "<!--"), strings.HasPrefix(text, "<?"):
			tag, text = xmlSection(text)
			vs.add(tag, "")
			continue
		}
		end := strings.IndexByte(text, '>')
		if end < 0 {
			break
		}
		tag, text = text[1:end], text[end+1:]
		xmlTag(vs, tag)
	}
	if plain := strings.TrimSpace(text); plain != "" {
		vs.add(plain, "")
	}
}

// xmlSection takes what begins text and is not an element: to its own end mark, or to the
// end of the text.
func xmlSection(text string) (section, rest string) {
	mark := ">"
	switch {
	case strings.HasPrefix(text, "<![CDATA["):
		text, mark = text[len("<![CDATA["):], "]]>"
	case strings.HasPrefix(text, "<!--"):
		mark = "-->"
	case strings.HasPrefix(text, "<?"):
		mark = "?>"
	case strings.Contains(text[:min(len(text), 1000)], "["):
		mark = "]>"
	}
	end := strings.Index(text, mark)
	if end < 0 {
		return text, ""
	}
	if mark == "]]>" {
		return text[:end], text[end+len(mark):]
	}
	return text[:end+len(mark)], text[end+len(mark):]
}

// xmlTag lists the names and attribute values of a tag.
func xmlTag(vs *nodeState, tag string) {
	name, rest, _ := strings.Cut(tag, " ")
	vs.add(strings.Trim(name, "/"), "")
	for rest != "" {
		attribute, after, found := strings.Cut(rest, "=")
		if attribute = strings.TrimSpace(attribute); attribute != "" && attribute != "/" {
			vs.add(attribute, "")
		}
		if !found {
			return
		}
		after = strings.TrimLeft(after, " \t\r\n")
		if after == "" {
			return
		}
		if q := after[0]; q == '"' || q == '\'' {
			value, tail, _ := strings.Cut(after[1:], string(q))
			vs.add(value, attribute)
			rest = tail
			continue
		}
		value, tail, _ := strings.Cut(after, " ")
		vs.add(value, attribute)
		rest = tail
	}
}
