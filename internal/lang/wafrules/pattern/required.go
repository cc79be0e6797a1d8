package pattern

import (
	"regexp/syntax"
	"strings"
)

const (
	maxLiterals   = 2000 // of one pattern; beyond, it is not worth the automaton
	maxClass      = 6    // a larger class is not spelled out
	minUsefulSize = 2    // a single byte occurs almost everywhere
	maxMinimal    = 300
)

// facts are what is known about the strings that an expression matches, in lower case.
type facts struct {
	// exact lists every string that matches, or is nil when there are too many to list.
	exact []string
	// need lists strings of which each match contains one; nil when unknown.
	need []string
}

// required returns the most selective set of literals of which every match of re
// contains at least one; nil when there is none worth looking for.
func required(re *syntax.Regexp) []string {
	f := analyze(re)
	best := better(f.need, f.exact)
	if len(best) == 0 || shortest(best) < minUsefulSize {
		return nil
	}
	return minimal(best)
}

func analyze(re *syntax.Regexp) facts {
	switch re.Op {
	case syntax.OpEmptyMatch, syntax.OpBeginLine, syntax.OpEndLine, syntax.OpBeginText,
		syntax.OpEndText, syntax.OpWordBoundary, syntax.OpNoWordBoundary:
		return facts{exact: []string{""}}
	case syntax.OpLiteral:
		return literalFacts(re.Rune)
	case syntax.OpCharClass:
		return classFacts(re.Rune)
	case syntax.OpCapture:
		return analyze(re.Sub[0])
	case syntax.OpConcat:
		return concatFacts(re.Sub)
	case syntax.OpAlternate:
		return alternateFacts(re.Sub)
	case syntax.OpQuest:
		if f := analyze(re.Sub[0]); f.exact != nil && len(f.exact) < maxLiterals {
			return facts{exact: dedupe(append([]string{""}, f.exact...))}
		}
	case syntax.OpPlus:
		return atLeastOnce(re.Sub[0])
	case syntax.OpRepeat:
		if re.Min > 0 {
			return repeatFacts(re)
		}
	}
	return facts{}
}

func literalFacts(runes []rune) facts {
	var b strings.Builder
	for _, r := range runes {
		if r > 0xff {
			return facts{} // never occurs: the expression sees bytes as runes
		}
		b.WriteByte(lowerByte(byte(r)))
	}
	return facts{exact: []string{b.String()}}
}

// classFacts lists the members of a small class; the two cases of a letter are one.
func classFacts(ranges []rune) facts {
	var members []string
	for i := 0; i < len(ranges); i += 2 {
		for r := ranges[i]; r <= ranges[i+1] && r <= 0xff; r++ {
			members = append(members, string([]byte{lowerByte(byte(r))}))
			if len(members) > 2*maxClass {
				return facts{}
			}
		}
	}
	if members = dedupe(members); len(members) > maxClass {
		return facts{}
	}
	return facts{exact: members}
}

func lowerByte(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// concatFacts multiplies out the exact parts that stand together, and keeps the best
// set seen on the way.
func concatFacts(subs []*syntax.Regexp) facts {
	run := []string{""} // what the parts since the last gap can spell
	var best []string
	whole := true
	for _, sub := range subs {
		f := analyze(sub)
		if f.exact != nil && len(run)*len(f.exact) <= maxLiterals {
			run = product(run, f.exact)
			continue
		}
		whole = false
		best = better(better(best, run), better(f.need, f.exact))
		run = []string{""}
		if f.exact != nil {
			run = f.exact
		}
	}
	if whole {
		return facts{exact: run}
	}
	return facts{need: better(best, run)}
}

func alternateFacts(subs []*syntax.Regexp) facts {
	var exact, need []string
	allExact := true
	for _, sub := range subs {
		f := analyze(sub)
		part := better(f.need, f.exact)
		if part == nil || shortest(part) == 0 && f.exact == nil {
			return facts{}
		}
		if f.exact == nil {
			allExact = false
		}
		exact = append(exact, f.exact...)
		need = append(need, part...)
	}
	need = dedupe(need)
	if allExact && len(dedupe(exact)) <= maxLiterals {
		return facts{exact: dedupe(exact)}
	}
	if len(need) > maxNeed {
		return facts{}
	}
	return facts{need: need}
}

// maxNeed bounds the literals of one pattern; long alternations of words are common
// and still cheap in a shared automaton.
const maxNeed = 400

func atLeastOnce(sub *syntax.Regexp) facts {
	f := analyze(sub)
	return facts{need: better(f.need, f.exact)}
}

func repeatFacts(re *syntax.Regexp) facts {
	f := analyze(re.Sub[0])
	if f.exact == nil || re.Min > 8 {
		return facts{need: better(f.need, f.exact)}
	}
	run := []string{""}
	for range re.Min {
		if len(run)*len(f.exact) > maxLiterals {
			return facts{need: better(f.need, f.exact)}
		}
		run = product(run, f.exact)
	}
	if re.Max == re.Min {
		return facts{exact: run}
	}
	return facts{need: run}
}

// better returns the set that dismisses more values: the one whose shortest member
// is longer, then the smaller one. nil loses against anything.
func better(a, b []string) []string {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	}
	// Beyond a handful of bytes, length no longer helps but numbers still cost.
	sa, sb := min(shortest(a), 5), min(shortest(b), 5)
	if sa != sb {
		if sa > sb {
			return a
		}
		return b
	}
	if len(a) <= len(b) {
		return a
	}
	return b
}

func shortest(set []string) int {
	n := len(set[0])
	for _, s := range set[1:] {
		n = min(n, len(s))
	}
	return n
}

func product(a, b []string) []string {
	all := make([]string, 0, len(a)*len(b))
	for _, x := range a {
		for _, y := range b {
			all = append(all, x+y)
		}
	}
	return dedupe(all)
}

func dedupe(set []string) []string {
	seen := make(map[string]bool, len(set))
	kept := make([]string, 0, len(set))
	for _, s := range set {
		if !seen[s] {
			seen[s] = true
			kept = append(kept, s)
		}
	}
	return kept
}

// minimal drops members that contain another one. The comparison is quadratic, so a
// large set stays as it is.
func minimal(set []string) []string {
	if len(set) > maxMinimal {
		return set
	}
	var kept []string
	for i, s := range set {
		redundant := false
		for j, other := range set {
			if i != j && strings.Contains(s, other) && (s != other || j < i) {
				redundant = true
				break
			}
		}
		if !redundant {
			kept = append(kept, s)
		}
	}
	return kept
}
