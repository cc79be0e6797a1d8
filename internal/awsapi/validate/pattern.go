package validate

import (
	"fmt"
	"regexp"
	"strings"
	"sync"
)

// A matcher is a pattern of the models in a form that Go can run: its text must match
// and, where the original looks ahead or behind, another must not.
type matcher struct {
	match *regexp.Regexp
	not   *regexp.Regexp // nil when nothing is excluded
}

// rewritten holds the patterns of the models that RE2 lacks the means for, with their
// equivalents. The service's own text stays in errors.
var rewritten = map[string]struct{ match, not string }{
	// Labels that do not begin with a hyphen (ACM DomainNameString).
	`(\*\.)?(((?!-)[A-Za-z0-9-]{0,62}[A-Za-z0-9])\.)+((?!-)[A-Za-z0-9-]{1,62}[A-Za-z0-9])`: {
		match: `(\*\.)?([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z0-9][A-Za-z0-9-]{0,61}[A-Za-z0-9]`},
	// Anything but digits alone (Lambda Alias, FunctionUrlQualifier).
	`(?!^[0-9]+$)([a-zA-Z0-9-_]+)`:              {match: `[a-zA-Z0-9_-]+`, not: `[0-9]+`},
	`((?!^\d+$)^[0-9a-zA-Z-_]+$)`:               {match: `[a-zA-Z0-9_-]+`, not: `[0-9]+`},
	`[0-9A-Za-z\.\-_]*(?<!\.)`:                  {match: `[0-9A-Za-z.\-_]*`, not: `.*\.`},
	`(^(?!(system\x2e)))(^[_a-zA-Z0-9])([^$]*)`: {match: `[_a-zA-Z0-9][^$]*`, not: `(?s)system\..*`},
	// No two hyphens in a row (IAM accountAliasType).
	`^[a-z0-9]([a-z0-9]|-(?!-)){1,61}[a-z0-9]$`: {match: `[a-z0-9]([a-z0-9]|-){1,61}[a-z0-9]`, not: `.*--.*`},
	// The last range is meant for the characters beyond the first plane (STS arnType).
	`[\u0009\u000A\u000D\u0020-\u007E\u0085\u00A0-\uD7FF\uE000-\uFFFD\u10000-\u10FFFF]+`: {
		match: `[\x09\x0A\x0D\x20-\x7E\x{85}\x{A0}-\x{D7FF}\x{E000}-\x{FFFD}\x{10000}-\x{10FFFF}]+`},
}

var unicodeEscape = regexp.MustCompile(`\\u([0-9A-Fa-f]{4})`)

var compiled sync.Map // pattern to *matcher

// Match reports whether the whole of s matches a pattern of the models. It panics when
// the pattern cannot be compiled, which a test rules out for the patterns in use.
func Match(pattern, s string) bool {
	m, ok := compiled.Load(pattern)
	if !ok {
		built, err := compile(pattern)
		if err != nil {
			panic(err)
		}
		m, _ = compiled.LoadOrStore(pattern, built)
	}
	x := m.(*matcher)
	return x.match.MatchString(s) && (x.not == nil || !x.not.MatchString(s))
}

func compile(pattern string) (*matcher, error) {
	r, ok := rewritten[pattern]
	if !ok {
		r.match = unicodeEscape.ReplaceAllString(pattern, `\x{$1}`)
		r.match = strings.ReplaceAll(r.match, `\/`, `/`)
	}
	match, err := whole(r.match)
	if err != nil {
		return nil, fmt.Errorf("pattern %q of a model: %w", pattern, err)
	}
	m := &matcher{match: match}
	if r.not != "" {
		if m.not, err = whole(r.not); err != nil {
			return nil, fmt.Errorf("pattern %q of a model: %w", pattern, err)
		}
	}
	return m, nil
}

// whole compiles a pattern that must match from the first character to the last.
func whole(pattern string) (*regexp.Regexp, error) {
	return regexp.Compile(`\A(?:` + pattern + `)\z`)
}
