package regex

import (
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// translate rewrites a pattern for Go's engine when all of it lies in the subset that means
// the same in the flavor and in Go, after spelling out what differs: the dot, white space
// classes and \u escapes. whole tells that the pattern will match whole strings only, where
// Java's $ can but be the end; in a search it also stands before a final line end.
func translate(pattern string, f Flavor, whole bool) (string, bool) {
	if !utf8.ValidString(pattern) {
		return "", false
	}
	t := translator{in: pattern, flavor: f, whole: whole}
	if t.run() {
		return t.out.String(), true
	}
	return "", false
}

type translator struct {
	in     string
	i      int
	flavor Flavor
	whole  bool
	out    strings.Builder
}

// What the dot leaves out, and what \s stands for, within a class.
var (
	lineEnds = [...]string{Java: `\n\r\x{85}\x{2028}\x{2029}`, ECMA: `\n\r\x{2028}\x{2029}`}
	spaces   = [...]string{
		Java: `\t-\r `,
		ECMA: `\t-\r \x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}\x{feff}`,
	}
)

func (t *translator) run() bool {
	for t.i < len(t.in) {
		c := t.in[t.i]
		ok := true
		switch c {
		case '.':
			t.out.WriteString(`[^` + lineEnds[t.flavor] + `]`)
			t.i++
		case '$':
			ok = t.flavor == ECMA || t.whole && t.lastOfBranch()
			t.out.WriteByte(c)
			t.i++
		case '\\':
			ok = t.escape(false)
		case '[':
			ok = t.class()
		case '(':
			ok = t.open()
		case '{':
			ok = t.brace()
		case '*', '+', '?':
			t.out.WriteByte(c)
			t.i++
			ok = t.afterQuantifier()
		case '}', ']':
			t.out.WriteByte('\\')
			t.out.WriteByte(c)
			t.i++
		default:
			t.out.WriteByte(c)
			t.i++
		}
		if !ok {
			return false
		}
	}
	return true
}

// lastOfBranch reports whether nothing but ends of groups and branches follows.
func (t *translator) lastOfBranch() bool {
	return strings.Trim(t.in[t.i+1:], ")") == "" || t.in[t.i+1] == '|'
}

// afterQuantifier takes the ? of a reluctant quantifier; a possessive one is not in the subset.
func (t *translator) afterQuantifier() bool {
	if t.i < len(t.in) {
		switch t.in[t.i] {
		case '?':
			t.out.WriteByte('?')
			t.i++
		case '+':
			return false
		}
	}
	return true
}

// open reads the beginning of a group.
func (t *translator) open() bool {
	rest := t.in[t.i:]
	switch {
	case strings.HasPrefix(rest, "(?:"):
		t.out.WriteString("(?:")
		t.i += 3
	case strings.HasPrefix(rest, "(?i)") && t.i == 0 && t.flavor == Java:
		t.out.WriteString("(?i)")
		t.i += 4
	case strings.HasPrefix(rest, "(?<") && len(rest) > 3 && rest[3] != '=' && rest[3] != '!':
		end := strings.IndexByte(rest, '>')
		if end < 0 {
			return false
		}
		t.out.WriteString("(?P" + rest[2:end+1])
		t.i += end + 1
	case strings.HasPrefix(rest, "(?"):
		return false
	default:
		t.out.WriteByte('(')
		t.i++
	}
	return true
}

// brace reads a bounded repetition, or for ECMA 262 a brace that is a character.
func (t *translator) brace() bool {
	end := strings.IndexByte(t.in[t.i:], '}')
	if end > 0 {
		low, high, two := strings.Cut(t.in[t.i+1:t.i+end], ",")
		_, err := strconv.ParseUint(low, 10, 16)
		_, err2 := strconv.ParseUint(high, 10, 16)
		if err == nil && (!two || high == "" || err2 == nil) {
			t.out.WriteString(t.in[t.i : t.i+end+1])
			t.i += end + 1
			return t.afterQuantifier()
		}
	}
	t.out.WriteString(`\{`)
	t.i++
	return t.flavor == ECMA
}

// escape reads a backslash and what belongs to it.
func (t *translator) escape(inClass bool) bool {
	if t.i+1 >= len(t.in) {
		return false
	}
	c := t.in[t.i+1]
	switch c {
	case 'd', 'D', 'w', 'W', 't', 'n', 'r', 'f':
		t.out.WriteString(t.in[t.i : t.i+2])
		t.i += 2
		return true
	case 's':
		t.i += 2
		if inClass {
			t.out.WriteString(spaces[t.flavor])
		} else {
			t.out.WriteString("[" + spaces[t.flavor] + "]")
		}
		return true
	case 'S':
		t.i += 2
		t.out.WriteString("[^" + spaces[t.flavor] + "]")
		return !inClass
	case 'b', 'B':
		t.out.WriteString(t.in[t.i : t.i+2])
		t.i += 2
		return t.flavor == ECMA && !inClass
	case 'x':
		return t.hex(2)
	case 'u':
		return t.hex(4)
	}
	if c < utf8.RuneSelf && strings.IndexByte("^$\\.*+?()[]{}|/-:\"'`,;<>=!@#%&~_ ", c) >= 0 {
		if strings.IndexByte("^$\\.*+?()[]{}|-", c) >= 0 {
			t.out.WriteByte('\\')
		}
		t.out.WriteByte(c)
		t.i += 2
		return true
	}
	return false
}

// hex reads \xHH or \uHHHH.
func (t *translator) hex(digits int) bool {
	if t.i+2+digits > len(t.in) {
		return false
	}
	n, err := strconv.ParseUint(t.in[t.i+2:t.i+2+digits], 16, 32)
	if err != nil || n >= 0xd800 && n <= 0xdfff {
		return false
	}
	t.out.WriteString(`\x{` + strconv.FormatUint(n, 16) + `}`)
	t.i += 2 + digits
	return true
}

// class reads a character class. Java's unions and intersections are not in the subset.
func (t *translator) class() bool {
	t.out.WriteByte('[')
	t.i++
	if t.i < len(t.in) && t.in[t.i] == '^' {
		t.out.WriteByte('^')
		t.i++
	}
	for first := true; t.i < len(t.in); first = false {
		switch c := t.in[t.i]; {
		case c == ']':
			if first {
				return false
			}
			t.out.WriteByte(']')
			t.i++
			return true
		case c == '\\':
			if !t.escape(true) {
				return false
			}
		case c == '[':
			if t.flavor == Java {
				return false
			}
			t.out.WriteString(`\[`)
			t.i++
		case c == '&' && t.flavor == Java && strings.HasPrefix(t.in[t.i:], "&&"):
			return false
		case c == '^' && first:
			t.out.WriteString(`\^`)
			t.i++
		default:
			t.out.WriteByte(c)
			t.i++
		}
	}
	return false
}

// unquote replaces Java's \Q...\E by escaped text.
func unquote(pattern string) string {
	if !strings.Contains(pattern, `\Q`) {
		return pattern
	}
	var b strings.Builder
	for i := 0; i < len(pattern); i++ {
		if pattern[i] != '\\' || i+1 == len(pattern) {
			b.WriteByte(pattern[i])
			continue
		}
		if pattern[i+1] != 'Q' {
			b.WriteString(pattern[i : i+2])
			i++
			continue
		}
		quoted, rest, ended := strings.Cut(pattern[i+2:], `\E`)
		b.WriteString(regexp.QuoteMeta(quoted))
		if !ended {
			break
		}
		i = len(pattern) - len(rest) - 1
	}
	return b.String()
}

// nestedClass reports whether a character class has one within, or an intersection: the
// backtracking engine would read both as plain characters.
func nestedClass(pattern string) bool {
	in := false
	for i := 0; i < len(pattern); i++ {
		switch c := pattern[i]; {
		case c == '\\':
			i++
		case c == '[' && in, in && strings.HasPrefix(pattern[i:], "&&"):
			return true
		case c == '[':
			in = true
			if strings.HasPrefix(pattern[i+1:], "^]") {
				i += 2
			} else if strings.HasPrefix(pattern[i+1:], "]") {
				i++
			}
		case c == ']':
			in = false
		}
	}
	return false
}
