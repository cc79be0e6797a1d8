// Package logfilter is the language of CloudWatch Logs filter patterns, as the logs
// service's FilterLogEvents takes it: terms, and selections of JSON members. (Patterns over
// space-delimited fields, "[a, b, …]", are refused.)
//
//	ERROR "out of memory"    both occur, with case
//	?ERROR ?WARN             one of them occurs
//	ERROR -harmless          the first occurs, the second does not
//	%4\d\d%                  a regular expression matches
//	{ $.status = 4* && $.user.name = "eve" }
//
// A Pattern is immutable and may be used by any number of goroutines. Compiling and matching
// take time linear in pattern and message.
package logfilter

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
)

// MaxLength is the longest pattern, in bytes, as the service has it.
const MaxLength = 1024

// A Pattern selects messages.
type Pattern struct {
	all  []term // every one occurs
	any  []term // one of them occurs; only without all and none
	none []term // none occurs
	json expression
}

// A term occurs in a message, or a regular expression matches it.
type term struct {
	text []byte
	re   *regexp.Regexp
}

func (t term) in(message []byte) bool {
	if t.re != nil {
		return t.re.Match(message)
	}
	return bytes.Contains(message, t.text)
}

// Compile compiles a pattern. The empty pattern matches everything. Errors say what was
// found, and where.
func Compile(pattern string) (*Pattern, error) {
	if len(pattern) > MaxLength {
		return nil, fmt.Errorf("the pattern has %d bytes, want at most %d", len(pattern), MaxLength)
	}
	trimmed := strings.TrimSpace(pattern)
	switch {
	case strings.HasPrefix(trimmed, "{"):
		e, err := parseJSON(trimmed)
		return &Pattern{json: e}, err
	case strings.HasPrefix(trimmed, "["):
		return nil, fmt.Errorf("patterns over space-delimited fields ([a, b]) are not supported")
	}
	return parseTerms(pattern)
}

// Match reports whether the pattern selects a message.
func (p *Pattern) Match(message []byte) bool {
	if p.json != nil {
		return p.matchJSON(message)
	}
	for _, t := range p.all {
		if !t.in(message) {
			return false
		}
	}
	for _, t := range p.none {
		if t.in(message) {
			return false
		}
	}
	for _, t := range p.any {
		if t.in(message) {
			return true
		}
	}
	return len(p.any) == 0
}

// parseTerms reads terms separated by white space.
func parseTerms(s string) (*Pattern, error) {
	p := &Pattern{}
	for i := skipSpace(s, 0); i < len(s); i = skipSpace(s, i) {
		at, sign := i, s[i]
		if sign == '?' || sign == '-' {
			i++
		}
		t, end, err := readTerm(s, i)
		if err != nil {
			return nil, err
		}
		if t.re == nil && len(t.text) == 0 {
			return nil, fmt.Errorf("position %d: found no term", at+1)
		}
		i = end
		switch sign {
		case '?':
			p.any = append(p.any, t)
		case '-':
			p.none = append(p.none, t)
		default:
			p.all = append(p.all, t)
		}
	}
	if len(p.all)+len(p.none) > 0 {
		p.any = nil // the service ignores them beside other terms
	}
	return p, nil
}

// readTerm reads a quoted term, a regular expression or a bare word from s[i:].
func readTerm(s string, i int) (term, int, error) {
	switch {
	case i < len(s) && s[i] == '"':
		text, end, err := quoted(s, i)
		return term{text: []byte(text)}, end, err
	case i < len(s) && s[i] == '%':
		n := strings.IndexByte(s[i+1:], '%')
		if n < 0 {
			break
		}
		re, err := regexp.Compile(s[i+1 : i+1+n])
		if err != nil {
			return term{}, 0, fmt.Errorf("position %d: %w", i+1, err)
		}
		return term{re: re}, i + n + 2, nil
	}
	end := i
	for end < len(s) && !isSpace(s[end]) {
		if s[end] == '"' {
			return term{}, 0, fmt.Errorf("position %d: found a quote within a term, want terms with quotes quoted whole", end+1)
		}
		end++
	}
	return term{text: []byte(s[i:end])}, end, nil
}

// quoted reads a text in quotes, in which a backslash stands before quotes and backslashes.
func quoted(s string, i int) (text string, end int, err error) {
	var b strings.Builder
	for end = i + 1; end < len(s); end++ {
		switch c := s[end]; {
		case c == '"':
			return b.String(), end + 1, nil
		case c == '\\' && end+1 < len(s) && (s[end+1] == '"' || s[end+1] == '\\'):
			end++
			b.WriteByte(s[end])
		default:
			b.WriteByte(c)
		}
	}
	return "", 0, fmt.Errorf("position %d: the quote is not closed", i+1)
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

func skipSpace(s string, i int) int {
	for i < len(s) && isSpace(s[i]) {
		i++
	}
	return i
}
