package managed

import (
	"strings"
	"testing"

	"gatehouse/internal/lang/wafrules"
	"gatehouse/internal/lang/wafrules/pattern"
)

// eachPattern visits all patterns of all groups.
func eachPattern(visit func(rule, pattern string)) {
	var walk func(name string, s *wafrules.Statement)
	walk = func(name string, s *wafrules.Statement) {
		switch {
		case s.AnyPattern != nil:
			for _, p := range s.AnyPattern.Patterns {
				visit(name, p)
			}
		case s.Claim != nil:
			walk(name, s.Claim.Claim)
		case s.And != nil:
			for i := range s.And.Statements {
				walk(name, &s.And.Statements[i])
			}
		case s.Or != nil:
			for i := range s.Or.Statements {
				walk(name, &s.Or.Statements[i])
			}
		case s.Not != nil:
			walk(name, s.Not.Statement)
		}
	}
	for _, group := range sources(nil) {
		for i := range group.rules {
			walk(group.name+"/"+group.rules[i].Name, group.rules[i].Statement)
		}
	}
}

// TestPatternsAreGuarded holds that no pattern runs on a value unless a literal of it
// was found there: that is what keeps clean requests fast.
func TestPatternsAreGuarded(t *testing.T) {
	seen := map[string]bool{}
	eachPattern(func(rule, p string) {
		if seen[p] {
			return
		}
		seen[p] = true
		re, err := pattern.Compile(p)
		if err != nil {
			t.Errorf("%s: %v", rule, err)
			return
		}
		if re.Literals() == nil {
			t.Errorf("%s: %s needs no literal", rule, p)
		}
		for _, l := range re.Literals() {
			if len(strings.TrimSpace(l)) < 2 {
				t.Logf("%s: %.60s: weak literal %q", rule, p, l)
			}
		}
	})
}
