package expression

import "strings"

// ResolveStageVariables replaces every ${stageVariables.NAME} of text by its value, a missing
// one by nothing. Other ${...} stay as they are, and so does $stageVariables.NAME: in
// URIs, ARNs and credentials the service replaces the spelling with braces alone.
func ResolveStageVariables(text string, lookup func(name string) (string, bool)) string {
	const opening = "${stageVariables."
	if !strings.Contains(text, opening) {
		return text
	}
	var b strings.Builder
	for {
		i := strings.Index(text, opening)
		if i < 0 {
			break
		}
		name, rest, ok := strings.Cut(text[i+len(opening):], "}")
		if !ok || !validName(name) {
			b.WriteString(text[:i+len(opening)])
			text = text[i+len(opening):]
			continue
		}
		b.WriteString(text[:i])
		if v, ok := lookup(name); ok {
			b.WriteString(v)
		}
		text = rest
	}
	b.WriteString(text)
	return b.String()
}

// StageVariables returns the names of the stage variables that text uses in braces, in order.
func StageVariables(text string) []string {
	var names []string
	ResolveStageVariables(text, func(name string) (string, bool) {
		names = append(names, name)
		return "", true
	})
	return names
}

// A URI is an integration's URI with {name} placeholders, compiled. Stage variables are
// resolved before.
type URI struct {
	parts []uriPart
	query int // index of the part that has the first "?", len(parts) when none has
	host  int // placeholders with a lower index stand before the path begins
}

// uriPart is literal text followed by a placeholder, or by nothing when name is "".
type uriPart struct {
	literal, name string
}

// CompileURI compiles text. Braces that hold no name stay literal, and so does ${...}.
func CompileURI(text string) *URI {
	u := &URI{}
	start := 0
	for i := 0; i < len(text); i++ {
		if text[i] != '{' || i > 0 && text[i-1] == '$' {
			continue
		}
		end := strings.IndexByte(text[i:], '}')
		if end < 0 {
			break
		}
		name := strings.TrimSuffix(text[i+1:i+end], "+")
		if !validName(name) {
			continue
		}
		u.parts = append(u.parts, uriPart{text[start:i], name})
		i += end
		start = i + 1
	}
	u.parts = append(u.parts, uriPart{literal: text[start:]})
	u.locate()
	return u
}

// locate finds where the path and the query begin.
func (u *URI) locate() {
	u.query, u.host = len(u.parts), len(u.parts)
	slashes := 0
	for i, p := range u.parts {
		for j := 0; j < len(p.literal); j++ {
			switch p.literal[j] {
			case '/':
				slashes++
				if slashes == 3 {
					u.host = min(u.host, i)
				}
			case '?':
				u.query = min(u.query, i)
				u.host = min(u.host, i)
			}
		}
	}
}

// Placeholders returns the names in the URI, in order, with repetitions.
func (u *URI) Placeholders() []string {
	var names []string
	for _, p := range u.parts {
		if p.name != "" {
			names = append(names, p.name)
		}
	}
	return names
}

// AuthorityPlaceholders returns the names that stand before the path of an absolute URI:
// in its scheme, host or port, which a request must never choose.
func (u *URI) AuthorityPlaceholders() []string {
	var names []string
	for i, p := range u.parts {
		if p.name != "" && i < u.host {
			names = append(names, p.name)
		}
	}
	return names
}

// Append appends the URI. value gives what stands for a placeholder, already escaped for
// its place (inQuery tells which); when it reports false the placeholder stays as written.
func (u *URI) Append(dst []byte, value func(dst []byte, name string, inQuery bool) ([]byte, bool)) []byte {
	for i, p := range u.parts {
		dst = append(dst, p.literal...)
		if p.name == "" {
			continue
		}
		out, ok := value(dst, p.name, i >= u.query)
		if !ok {
			out = append(append(append(dst, '{'), p.name...), '}')
		}
		dst = out
	}
	return dst
}
