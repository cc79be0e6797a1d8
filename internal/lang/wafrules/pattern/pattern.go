// Package pattern compiles the regular expressions of WAFv2: a subset of PCRE without
// what needs backtracking, matched byte by byte in linear time.
//
// Package wafrules compiles patterns when rules are validated and matches them when
// requests arrive. It also asks which literals a pattern needs, so that most values
// are dismissed by one automaton and the expression never runs. A Regexp is immutable
// and safe for concurrent use.
//
// The engine is the standard library's: with the literals in front, expressions run on
// suspicious values only, where a first match matters more than throughput.
package pattern

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"
	"unicode/utf8"
)

// maxInstructions bounds a compiled program. Matching costs at most this many steps for
// each byte; the service's limit of 200 characters alone would allow counted
// repetitions a hundred times as large.
const maxInstructions = 4000

// A Regexp is a compiled pattern.
type Regexp struct {
	source   string
	re       *regexp.Regexp
	literals []string
	demands  []byteSet
}

// Compile parses the pattern as WAFv2 does. It refuses what has no linear-time
// matcher (look-around, back-references, atomic groups, possessive quantifiers,
// conditionals, recursion) and what would compile to an excessive program; the error
// says what was found.
func Compile(source string) (*Regexp, error) {
	translated, err := translate(source)
	if err != nil {
		return nil, err
	}
	tree, err := syntax.Parse(translated, syntax.Perl)
	if err != nil {
		return nil, fmt.Errorf("pattern %q: %w", source, err)
	}
	if strings.Contains(source, "$") {
		dollarBeforeNewline(tree)
		translated = tree.String()
	}
	prog, err := syntax.Compile(tree.Simplify())
	if err != nil {
		return nil, fmt.Errorf("pattern %q: %w", source, err)
	}
	if n := len(prog.Inst); n > maxInstructions {
		return nil, fmt.Errorf("pattern %q: needs %d steps, want at most %d", source, n, maxInstructions)
	}
	re, err := regexp.Compile(translated)
	if err != nil {
		return nil, fmt.Errorf("pattern %q: %w", source, err)
	}
	return &Regexp{source: source, re: re, literals: required(tree), demands: demands(tree)}, nil
}

// MustCompile is Compile for patterns that are part of the program.
func MustCompile(source string) *Regexp {
	re, err := Compile(source)
	if err != nil {
		panic(err) // ours to keep compiling; a test loads them all
	}
	return re
}

// String returns the pattern as given.
func (r *Regexp) String() string { return r.source }

// Literals returns strings of which every match contains at least one, without regard
// to ASCII case; nil when no useful set is known. The slice must not be modified.
func (r *Regexp) Literals() []string { return r.literals }

// Find returns where the first match in s begins and ends. buf is working memory that
// is used, and grown, for values with bytes outside ASCII; it may be shared by
// calls that do not overlap.
func (r *Regexp) Find(s string, buf *[]byte) (start, end int, ok bool) {
	for i := range r.demands {
		if !r.demands[i].in(s) {
			return 0, 0, false
		}
	}
	if isASCII(s) {
		if !r.re.MatchString(s) { // far cheaper than finding where
			return 0, 0, false
		}
		loc := r.re.FindStringIndex(s)
		return loc[0], loc[1], true
	}
	wide := (*buf)[:0]
	for i := 0; i < len(s); i++ {
		wide = utf8.AppendRune(wide, rune(s[i]))
	}
	*buf = wide
	if !r.re.Match(wide) {
		return 0, 0, false
	}
	loc := r.re.FindIndex(wide)
	start = utf8.RuneCount(wide[:loc[0]])
	return start, start + utf8.RuneCount(wide[loc[0]:loc[1]]), true
}

// Match reports whether s contains a match. buf is as for Find.
func (r *Regexp) Match(s string, buf *[]byte) bool {
	if isASCII(s) {
		return r.re.MatchString(s)
	}
	wide := (*buf)[:0]
	for i := 0; i < len(s); i++ {
		wide = utf8.AppendRune(wide, rune(s[i]))
	}
	*buf = wide
	return r.re.Match(wide)
}

func isASCII(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// dollarBeforeNewline gives "$" its PCRE meaning: the end, or before a line feed
// that ends the value.
func dollarBeforeNewline(re *syntax.Regexp) {
	for i, sub := range re.Sub {
		if sub.Op == syntax.OpEndText && sub.Flags&syntax.WasDollar != 0 {
			re.Sub[i] = beforeFinalNewline(sub)
			continue
		}
		dollarBeforeNewline(sub)
	}
	if re.Op == syntax.OpEndText && re.Flags&syntax.WasDollar != 0 {
		*re = *beforeFinalNewline(&syntax.Regexp{Op: re.Op, Flags: re.Flags})
	}
}

func beforeFinalNewline(end *syntax.Regexp) *syntax.Regexp {
	end.Flags &^= syntax.WasDollar
	newline := &syntax.Regexp{Op: syntax.OpLiteral, Rune: []rune{'\n'}}
	optional := &syntax.Regexp{Op: syntax.OpQuest, Sub: []*syntax.Regexp{newline}}
	return &syntax.Regexp{Op: syntax.OpConcat, Sub: []*syntax.Regexp{optional, end}}
}

// translate rewrites a pattern for Go's parser: bytes outside ASCII become escapes
// (the expression sees one rune per byte), and PCRE's spellings that Go lacks become
// those it has.
func translate(p string) (string, error) {
	var b strings.Builder
	inClass := false
	for i := 0; i < len(p); i++ {
		c := p[i]
		switch {
		case c >= utf8.RuneSelf:
			fmt.Fprintf(&b, `\x{%02x}`, c)
		case c == '\\':
			if i+1 == len(p) {
				return "", fmt.Errorf("pattern %q: trailing backslash", p)
			}
			n, err := translateEscape(&b, p[i:], inClass)
			if err != nil {
				return "", fmt.Errorf("pattern %q: offset %d: %w", p, i, err)
			}
			i += n - 1
		case inClass:
			n, closes := classByte(p, i)
			b.WriteString(p[i : i+n])
			i += n - 1
			inClass = !closes
		case c == '[':
			n := openClass(p, i)
			b.WriteString(p[i : i+n])
			i += n - 1
			inClass = true
		case strings.HasPrefix(p[i:], "(?#"):
			end := strings.IndexByte(p[i:], ')')
			if end < 0 {
				return "", fmt.Errorf("pattern %q: comment at offset %d does not end", p, i)
			}
			i += end
		case strings.HasPrefix(p[i:], "(*"):
			return "", fmt.Errorf("pattern %q: backtracking verb at offset %d is not supported", p, i)
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), nil
}

// openClass returns the length of "[", "[^" and a "]" directly after, which is a member.
func openClass(p string, i int) int {
	n := 1
	if i+n < len(p) && p[i+n] == '^' {
		n++
	}
	if i+n < len(p) && p[i+n] == ']' {
		n++
	}
	return n
}

// classByte returns the length of the item at p[i] inside a bracket expression, and
// whether it closes it.
func classByte(p string, i int) (n int, closes bool) {
	if strings.HasPrefix(p[i:], "[:") {
		if end := strings.Index(p[i:], ":]"); end > 0 {
			return end + 2, false
		}
	}
	return 1, p[i] == ']'
}

// translateEscape writes the escape that p begins with and returns its length.
func translateEscape(b *strings.Builder, p string, inClass bool) (int, error) {
	switch c := p[1]; {
	case c >= utf8.RuneSelf:
		fmt.Fprintf(b, `\x{%02x}`, c)
	case c == 'Q':
		body, _, closed := strings.Cut(p[2:], `\E`)
		for i := 0; i < len(body); i++ {
			fmt.Fprintf(b, `\x{%02x}`, body[i])
		}
		if closed {
			return len(body) + 4, nil
		}
		return len(body) + 2, nil
	case c == 'h' && inClass:
		b.WriteString(` \t\x{a0}`)
	case c == 'h':
		b.WriteString(`[ \t\x{a0}]`)
	case c == 'H' && !inClass:
		b.WriteString(`[^ \t\x{a0}]`)
	case c == 'e':
		b.WriteString(`\x1b`)
	case c == 'Z' && !inClass:
		b.WriteString(`(?:\n?\z)`)
	case strings.IndexByte("CRKGXkgN", c) >= 0:
		return 0, fmt.Errorf(`\%c is not supported`, c)
	case '1' <= c && c <= '9' && !inClass:
		return 0, fmt.Errorf("back-reference %s is not supported", p[:2])
	default:
		b.WriteString(p[:2])
	}
	return 2, nil
}
