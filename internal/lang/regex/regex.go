// Package regex runs the regular expressions that customers write for the service: Java's
// in selection patterns, JSONPath filters and string methods of templates, and ECMA 262's in
// models. Patterns within the subset that means the same everywhere run on Go's engine in
// linear time; others (look-around, back references, possessive quantifiers) run on a
// backtracking engine with a deadline, so that no pattern can hold a request.
//
// A Regexp is safe for concurrent use.
package regex

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/dlclark/regexp2"
)

// Flavor is the language of a pattern.
type Flavor uint8

// The flavors.
const (
	Java Flavor = iota // java.util.regex
	ECMA               // ECMA 262, as JSON Schema wants it
)

// ErrTimeout is returned when matching took longer than Timeout.
var ErrTimeout = errors.New("regular expression took too long")

// Timeout bounds one search on the backtracking engine.
const Timeout = 100 * time.Millisecond

// maxPattern is the longest pattern, in bytes. Go's own compiler bounds the rest.
const maxPattern = 16 << 10

// A Regexp is a compiled pattern. Either engine may be absent.
type Regexp struct {
	text string
	full *regexp.Regexp  // matches whole strings; nil outside the subset
	find *regexp.Regexp  // searches; nil outside the subset
	slow *regexp2.Regexp // searches; nil when find is set
	all  *regexp2.Regexp // matches whole strings; nil when full is set
}

// Compile compiles a pattern. ignoreCase is the flag i. Of Java's syntax, possessive
// quantifiers, unions and intersections of classes, and POSIX classes are refused.
func Compile(pattern string, f Flavor, ignoreCase bool) (*Regexp, error) {
	if len(pattern) > maxPattern {
		return nil, fmt.Errorf("regular expression of %d bytes: want at most %d", len(pattern), maxPattern)
	}
	r := &Regexp{text: pattern}
	if f == Java {
		pattern = unquote(pattern)
		if nestedClass(pattern) {
			return nil, fmt.Errorf("regular expression %q: unions and intersections of classes are not supported", pattern)
		}
	}
	if text, ok := translate(pattern, f, true); ok {
		r.full, _ = regexp.Compile(flags(ignoreCase) + `\A(?:` + text + `)\z`)
	}
	if text, ok := translate(pattern, f, false); ok {
		r.find, _ = regexp.Compile(flags(ignoreCase) + text)
	}
	var err error
	if r.find == nil {
		if r.slow, err = backtracking(pattern, f, ignoreCase); err != nil {
			return nil, err
		}
	}
	if r.full == nil {
		if r.all, err = backtracking(`\A(?:`+pattern+`)\z`, f, ignoreCase); err != nil {
			return nil, err
		}
	}
	return r, nil
}

func flags(ignoreCase bool) string {
	if ignoreCase {
		return "(?i)"
	}
	return ""
}

func backtracking(pattern string, f Flavor, ignoreCase bool) (re *regexp2.Regexp, err error) {
	var opt regexp2.RegexOptions
	if f == ECMA {
		opt |= regexp2.ECMAScript
		pattern = strings.NewReplacer(`\A(?:`, `^(?:`, `)\z`, `)$`).Replace(pattern)
	}
	if ignoreCase {
		opt |= regexp2.IgnoreCase
	}
	// The library's parser has panicked on broken patterns; a pattern is the customer's.
	defer func() {
		if p := recover(); p != nil {
			re, err = nil, fmt.Errorf("regular expression %q: %v", pattern, p)
		}
	}()
	re, err = regexp2.Compile(pattern, opt)
	if err != nil {
		return nil, fmt.Errorf("regular expression %q: %w", pattern, err)
	}
	re.MatchTimeout = Timeout
	return re, nil
}

// String returns the pattern.
func (r *Regexp) String() string { return r.text }

// MatchAll reports whether the whole of s matches, as Java's matches.
func (r *Regexp) MatchAll(s string) (bool, error) {
	if r.full != nil {
		return r.full.MatchString(s), nil
	}
	return match(r.all, s)
}

// Match reports whether some part of s matches, as Java's find and JSON Schema's pattern.
func (r *Regexp) Match(s string) (bool, error) {
	if r.find != nil {
		return r.find.MatchString(s), nil
	}
	return match(r.slow, s)
}

func match(re *regexp2.Regexp, s string) (bool, error) {
	ok, err := re.MatchString(s)
	if err != nil {
		return false, ErrTimeout
	}
	return ok, nil
}

// maxMatches bounds the matches of one search.
const maxMatches = 500_000

var errMatches = fmt.Errorf("regular expression matches more than %d times", maxMatches)

// spans returns the byte offsets of up to limit matches that do not overlap, each as
// Go's FindStringSubmatchIndex gives them; a negative limit means all.
func (r *Regexp) spans(s string, limit int) ([][]int, error) {
	if limit < 0 {
		limit = maxMatches + 1
	}
	if r.find != nil {
		all := r.find.FindAllStringSubmatchIndex(s, limit)
		if len(all) > maxMatches {
			return nil, errMatches
		}
		return all, nil
	}
	deadline := time.Now().Add(Timeout) // one for all matches together
	offsets := runeOffsets(s)
	m, err := r.slow.FindStringMatch(s)
	var all [][]int
	for err == nil && m != nil && len(all) != limit {
		groups := m.Groups()
		span := make([]int, 0, 2*len(groups))
		for i := range groups {
			if len(groups[i].Captures) == 0 {
				span = append(span, -1, -1)
				continue
			}
			span = append(span, offsets[groups[i].Index], offsets[groups[i].Index+groups[i].Length])
		}
		all = append(all, span)
		if time.Now().After(deadline) {
			return nil, ErrTimeout
		}
		m, err = r.slow.FindNextMatch(m)
	}
	if err != nil {
		return nil, ErrTimeout
	}
	if len(all) > maxMatches {
		return nil, errMatches
	}
	return all, nil
}

// runeOffsets returns the byte offset of every rune of s, and of its end.
func runeOffsets(s string) []int {
	offsets := make([]int, 0, len(s)+1)
	for i := range s {
		offsets = append(offsets, i)
	}
	return append(offsets, len(s))
}

// Replace replaces the matches in s as Java's replaceAll, or replaceFirst when first is set:
// in the replacement $1 stands for a group, ${name} for a named one, and a backslash takes
// the special meaning from what follows. A result longer than maxLen is an error.
func (r *Regexp) Replace(s, replacement string, first bool, maxLen int) (string, error) {
	limit := -1
	if first {
		limit = 1
	} else if r.find != nil && !strings.ContainsAny(replacement, `$\`) && (len(s)+1)*(len(replacement)+1) <= maxLen {
		return r.find.ReplaceAllLiteralString(s, replacement), nil
	}
	spans, err := r.spans(s, limit)
	if err != nil || len(spans) == 0 {
		return s, err
	}
	var b strings.Builder
	end := 0
	for _, span := range spans {
		b.WriteString(s[end:span[0]])
		if err := r.expand(&b, s, span, replacement); err != nil {
			return "", err
		}
		if end = span[1]; b.Len() > maxLen {
			return "", fmt.Errorf("replacement is longer than %d bytes", maxLen)
		}
	}
	b.WriteString(s[end:])
	return b.String(), nil
}

// expand writes the replacement of one match.
func (r *Regexp) expand(b *strings.Builder, s string, span []int, replacement string) error {
	for i := 0; i < len(replacement); i++ {
		c := replacement[i]
		switch {
		case c == '\\':
			if i++; i == len(replacement) {
				return errors.New("replacement ends in a backslash")
			}
			b.WriteByte(replacement[i])
		case c == '$':
			group, n := r.group(replacement[i+1:], len(span)/2)
			if n == 0 {
				return fmt.Errorf("replacement %q: no such group at offset %d", replacement, i)
			}
			if from := span[2*group]; from >= 0 {
				b.WriteString(s[from:span[2*group+1]])
			}
			i += n
		default:
			b.WriteByte(c)
		}
	}
	return nil
}

// group reads what follows '$' in a replacement: the group's number, with as many digits
// as give a group that exists, or its name in braces. It returns the length, 0 when there
// is no such group.
func (r *Regexp) group(s string, groups int) (number, n int) {
	if name, ok := strings.CutPrefix(s, "{"); ok {
		name, _, ok = strings.Cut(name, "}")
		number = -1
		if r.find != nil {
			number = r.find.SubexpIndex(name)
		} else if ok {
			number = r.slow.GroupNumberFromName(name)
		}
		if !ok || number < 0 || number >= groups {
			return 0, 0
		}
		return number, len(name) + 2
	}
	for n < len(s) && '0' <= s[n] && s[n] <= '9' {
		next := number*10 + int(s[n]-'0')
		if next >= groups {
			break
		}
		number = next
		n++
	}
	return number, n
}

// Split cuts s at the matches as Java's split with the given limit: 0 drops empty strings at
// the end, a negative one keeps them, a positive one bounds the number of parts. A match of
// no width at the start gives no empty first part.
func (r *Regexp) Split(s string, limit int) ([]string, error) {
	spans, err := r.spans(s, -1)
	if err != nil {
		return nil, err
	}
	var parts []string
	start := 0
	for _, span := range spans {
		if limit > 0 && len(parts) == limit-1 {
			break
		}
		if span[1] == 0 || span[0] == span[1] && span[0] == len(s) {
			continue
		}
		parts = append(parts, s[start:span[0]])
		start = span[1]
	}
	if len(parts) == 0 {
		return []string{s}, nil
	}
	parts = append(parts, s[start:])
	if limit == 0 {
		for len(parts) > 0 && parts[len(parts)-1] == "" {
			parts = parts[:len(parts)-1]
		}
	}
	return parts, nil
}
