package iampolicy

import (
	"errors"
	"strings"
	"unicode/utf8"
)

// A pattern is a text with wildcards and variables, compiled. In the document "*"
// stands for any characters, "?" for one; neither stops at slashes or colons.
type pattern struct {
	parts   []part
	dynamic bool // has variables
	all     bool // is "*"
}

type part struct {
	kind partKind
	text string // literal; or the variable's key in lower case
	def  string // a variable's default
	has  bool   // the variable has a default
}

type partKind uint8

const (
	literal partKind = iota
	one              // "?"
	star             // "*"
	variable
)

var (
	errOpenVariable = errors.New("a variable begins with \"${\" and does not end")
	errBadVariable  = errors.New("a variable is ${key}, ${key, 'default'}, ${*}, ${?} or ${$}")
)

// compilePattern compiles a text. Variables exist from Version 2012-10-17 on; wild is
// false for operators that compare literally.
func compilePattern(s string, variables, wild bool) (pattern, error) {
	var p pattern
	text := func(t string) {
		if n := len(p.parts); n > 0 && p.parts[n-1].kind == literal {
			p.parts[n-1].text += t
		} else if t != "" {
			p.parts = append(p.parts, part{kind: literal, text: t})
		}
	}
	for s != "" {
		i := strings.IndexAny(s, "*?$")
		if i < 0 {
			text(s)
			break
		}
		text(s[:i])
		switch s = s[i:]; {
		case variables && strings.HasPrefix(s, "${"):
			end := strings.IndexByte(s, '}')
			if end < 0 {
				return pattern{}, errOpenVariable
			}
			v, lit, err := parseVariable(s[2:end])
			if err != nil {
				return pattern{}, err
			}
			if lit != "" {
				text(lit)
			} else {
				p.parts, p.dynamic = append(p.parts, v), true
			}
			s = s[end+1:]
			continue
		case s[0] == '$' || !wild:
			text(s[:1])
		case s[0] == '?':
			p.parts = append(p.parts, part{kind: one})
		default:
			if n := len(p.parts); n == 0 || p.parts[n-1].kind != star {
				p.parts = append(p.parts, part{kind: star})
			}
		}
		s = s[1:]
	}
	p.all = len(p.parts) == 1 && p.parts[0].kind == star
	return p, nil
}

// parseVariable reads what is between "${" and "}": a variable, or a character that
// stands for itself.
func parseVariable(s string) (v part, lit string, _ error) {
	if s == "*" || s == "?" || s == "$" {
		return v, s, nil
	}
	name, def, has := strings.Cut(s, ",")
	name = strings.Trim(name, " ")
	if name == "" || strings.ContainsAny(name, "*?${'\" ") {
		return v, "", errBadVariable
	}
	v = part{kind: variable, text: strings.ToLower(name)}
	if has {
		def = strings.Trim(def, " ")
		if len(def) < 2 || def[0] != '\'' || def[len(def)-1] != '\'' {
			return v, "", errBadVariable
		}
		v.def, v.has = def[1:len(def)-1], true
	}
	return v, "", nil
}

// match reports whether the whole of s matches. A variable that cannot be filled in
// makes the pattern match nothing. Wildcards in a variable's value are literal: nobody
// chooses a name to widen a policy.
func (p *pattern) match(s string, keys Keys, fold bool) bool {
	if p.all {
		return true
	}
	parts := p.parts
	if p.dynamic {
		var ok bool
		if parts, ok = p.fill(keys); !ok {
			return false
		}
	}
	return matchParts(parts, s, fold)
}

// fill returns the parts with variables replaced by their values.
func (p *pattern) fill(keys Keys) ([]part, bool) {
	parts := make([]part, len(p.parts))
	for i, pt := range p.parts {
		if pt.kind == variable {
			text, ok := fillOne(pt, keys)
			if !ok {
				return nil, false
			}
			pt = part{kind: literal, text: text}
		}
		parts[i] = pt
	}
	return parts, true
}

// fillOne returns the value of a variable: of a key with exactly one value, or the
// default.
func fillOne(v part, keys Keys) (string, bool) {
	if keys != nil {
		switch val := keys.Value(v.text); val.count() {
		case 0:
		case 1:
			return val.text(0), true
		default:
			return "", false
		}
	}
	return v.def, v.has
}

// text returns the pattern as one text, for operators without wildcards.
func (p *pattern) literalText(keys Keys) (string, bool) {
	if len(p.parts) == 0 {
		return "", true
	}
	if len(p.parts) == 1 && p.parts[0].kind == literal {
		return p.parts[0].text, true
	}
	parts, ok := p.fill(keys)
	if !ok {
		return "", false
	}
	var b strings.Builder
	for _, pt := range parts {
		b.WriteString(pt.text)
	}
	return b.String(), true
}

// matchParts matches without variables. Only the last star is ever tried again, so
// the time is bounded by the product of both lengths.
func matchParts(parts []part, s string, fold bool) bool {
	if n := len(parts); n > 0 && parts[n-1].kind == literal && !hasSuffix(s, parts[n-1].text, fold) {
		return false // most mismatches are seen here
	}
	i, pos, starAt, starPos := 0, 0, -1, 0
	for {
		if i == len(parts) {
			if pos == len(s) {
				return true
			}
		} else {
			switch pt := &parts[i]; pt.kind {
			case star:
				if i == len(parts)-1 {
					return true
				}
				starAt, starPos = i, pos
				i++
				continue
			case one:
				if pos < len(s) {
					_, n := utf8.DecodeRuneInString(s[pos:])
					pos += n
					i++
					continue
				}
			case literal:
				if hasPrefix(s[pos:], pt.text, fold) {
					pos += len(pt.text)
					i++
					continue
				}
			}
		}
		if starAt < 0 || starPos >= len(s) {
			return false
		}
		_, n := utf8.DecodeRuneInString(s[starPos:])
		starPos += n
		if next := &parts[starAt+1]; next.kind == literal && !fold {
			skip := strings.Index(s[starPos:], next.text)
			if skip < 0 {
				return false
			}
			starPos += skip
		}
		pos, i = starPos, starAt+1
	}
}

func hasPrefix(s, prefix string, fold bool) bool {
	if !fold {
		return strings.HasPrefix(s, prefix)
	}
	return len(s) >= len(prefix) && equalFoldASCII(s[:len(prefix)], prefix)
}

func hasSuffix(s, suffix string, fold bool) bool {
	if !fold {
		return strings.HasSuffix(s, suffix)
	}
	return len(s) >= len(suffix) && equalFoldASCII(s[len(s)-len(suffix):], suffix)
}

func equalFoldASCII(a, b string) bool {
	for i := 0; i < len(a); i++ {
		x, y := a[i], b[i]
		if x != y {
			if 'A' <= x && x <= 'Z' {
				x += 'a' - 'A'
			}
			if 'A' <= y && y <= 'Z' {
				y += 'a' - 'A'
			}
			if x != y {
				return false
			}
		}
	}
	return true
}

// An arnPattern compares the six parts of an ARN one by one, as the Arn operators do.
type arnPattern struct {
	whole pattern    // with variables: split when they are filled in
	parts [6]pattern // without
}

func compileARN(s string, variables bool) (arnPattern, error) {
	whole, err := compilePattern(s, variables, true)
	if err != nil || whole.all || whole.dynamic {
		return arnPattern{whole: whole}, err
	}
	a := arnPattern{whole: whole}
	var ok bool
	if a.parts, ok = splitARNParts(whole.parts); !ok {
		return a, errors.New("want an ARN, arn:partition:service:region:account:resource")
	}
	return a, nil
}

// splitARNParts splits at the first five colons in literals.
func splitARNParts(parts []part) (out [6]pattern, ok bool) {
	n := 0
	for _, pt := range parts {
		for pt.kind == literal && n < 5 {
			before, after, found := strings.Cut(pt.text, ":")
			if !found {
				break
			}
			if before != "" {
				out[n].parts = append(out[n].parts, part{kind: literal, text: before})
			}
			n++
			pt.text = after
		}
		if pt.kind != literal || pt.text != "" {
			out[n].parts = append(out[n].parts, pt)
		}
	}
	for i := range out {
		out[i].all = len(out[i].parts) == 1 && out[i].parts[0].kind == star
	}
	return out, n == 5
}

func (a *arnPattern) match(s string, keys Keys) bool {
	if a.whole.all {
		return true
	}
	parts := a.parts
	if a.whole.dynamic {
		filled, found := a.whole.fill(keys)
		if !found {
			return false
		}
		var ok bool
		if parts, ok = splitARNParts(filled); !ok {
			return false
		}
	}
	for i := range parts {
		piece := s
		if i < 5 {
			var found bool
			if piece, s, found = strings.Cut(s, ":"); !found {
				return false
			}
		}
		if !parts[i].match(piece, nil, false) {
			return false
		}
	}
	return true
}
