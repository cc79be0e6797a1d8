package wafrules

import "strings"

// xmlValues lists texts, attribute values and names of an XML document, and what is not an
// element (declarations of types and entities, CDATA sections) as written. Texts that
// comments, sections or elements interrupt are also listed in one piece, which is what a
// parser makes of them.
func (x *evaluation) xmlValues(vs *nodeState, text string) {
	joined, interrupted := x.arena.reserve(len(text)), false
	for range maxBodyValues {
		open := strings.IndexByte(text, '<')
		if open < 0 {
			break
		}
		joined = append(joined, text[:open]...)
		if plain := strings.TrimSpace(text[:open]); plain != "" {
			vs.add(plain, "")
		}
		text = text[open:]
		if strings.HasPrefix(text, "<?xml ") {
			_, text, _ = strings.Cut(text, "?>")
			continue
		}
		if isXMLSection(text) {
			var section string
			cdata := strings.HasPrefix(text, "<![CDATA[")
			section, text = xmlSection(text)
			vs.add(section, "")
			if cdata {
				joined = append(joined, section...)
			}
			interrupted = interrupted || !strings.HasPrefix(section, "<!DOCTYPE")
			continue
		}
		end := tagEnd(text)
		if end < 0 {
			break
		}
		xmlTag(vs, text[1:end])
		text = text[end+1:]
	}
	joined = append(joined, text...)
	if plain := strings.TrimSpace(text); plain != "" {
		vs.add(plain, "")
	}
	if interrupted {
		vs.add(x.arena.commit(joined), "")
	}
}

func isXMLSection(text string) bool {
	return strings.HasPrefix(text, "<!DOCTYPE") || strings.HasPrefix(text, "<![CDATA[") || strings.HasPrefix(text, "<!--") || strings.HasPrefix(text, "<?")
}

// tagEnd is the place of the ">" that ends a tag, quotes around attributes respected; where
// a quote does not end, of the first one; -1 without any.
func tagEnd(text string) int {
	first, quote := -1, byte(0)
	for i := 0; i < len(text); i++ {
		c := text[i]
		if c == '>' && first < 0 {
			first = i
		}
		switch {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '>':
			return i
		case (c == '"' || c == '\'') && i > 0 && text[i-1] == '=':
			quote = c
		}
	}
	return first
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
