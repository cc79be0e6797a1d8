package pattern

import (
	"regexp/syntax"
	"strings"
)

const (
	maxLiterals    = 2000 // of one pattern; beyond, it is not worth the automaton
	maxLiteralSize = 40   // more bytes do not make a literal rarer
	maxClass       = 10   // a larger class is not spelled out
	maxUnrolled    = 8
	minUsefulSize  = 2 // a single byte occurs almost everywhere
	maxMinimal     = 300
)

// facts are what is known about the strings that an expression matches, in lower case.
// Sets are nil when nothing is known; one that contains "" says nothing either.
type facts struct {
	exact  []string // every string that matches
	prefix []string // each match begins with one of these
	suffix []string // each match ends with one of these
	need   []string // each match contains one of these
}

// nothing is known about a string that may be empty.
var nothing = []string{""}

func unknown() facts { return facts{prefix: nothing, suffix: nothing} }

func exactly(set []string) facts {
	if len(set) > maxLiterals {
		return unknown()
	}
	return facts{exact: set, prefix: set, suffix: set}
}

// required returns the most selective set of literals of which every match of re
// contains at least one; nil when there is none worth looking for.
func required(re *syntax.Regexp) []string {
	f := analyze(re)
	best := better(better(f.need, f.exact), better(f.prefix, f.suffix))
	if len(best) == 0 || shortest(best) < minUsefulSize {
		return nil
	}
	return minimal(best)
}

func analyze(re *syntax.Regexp) facts {
	switch re.Op {
	case syntax.OpEmptyMatch, syntax.OpBeginLine, syntax.OpEndLine, syntax.OpBeginText,
		syntax.OpEndText, syntax.OpWordBoundary, syntax.OpNoWordBoundary:
		return exactly(nothing)
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
		if f := analyze(re.Sub[0]); f.exact != nil {
			return exactly(dedupe(append([]string{""}, f.exact...)))
		}
	case syntax.OpPlus:
		return concatFacts(unrolled(re.Sub[0], 1, true))
	case syntax.OpRepeat:
		return concatFacts(unrolled(re.Sub[0], re.Min, re.Max != re.Min))
	}
	return unknown()
}

// unrolled spells a repetition as a sequence; long ones end in "any number more".
func unrolled(sub *syntax.Regexp, times int, more bool) []*syntax.Regexp {
	var subs []*syntax.Regexp
	for range min(times, maxUnrolled) {
		subs = append(subs, sub)
	}
	if more || times > maxUnrolled {
		subs = append(subs, &syntax.Regexp{Op: syntax.OpStar, Sub: []*syntax.Regexp{sub}})
	}
	return subs
}

func literalFacts(runes []rune) facts {
	var b strings.Builder
	for _, r := range runes {
		if r > 0xff {
			return unknown() // never occurs: the expression sees bytes as runes
		}
		b.WriteByte(lowerByte(byte(r)))
	}
	return exactly([]string{b.String()})
}

// classFacts lists the members of a small class; the two cases of a letter are one.
func classFacts(ranges []rune) facts {
	var members []string
	for i := 0; i < len(ranges); i += 2 {
		for r := ranges[i]; r <= ranges[i+1] && r <= 0xff; r++ {
			members = append(members, string([]byte{lowerByte(byte(r))}))
			if len(members) > 2*maxClass {
				return unknown()
			}
		}
	}
	if members = dedupe(members); len(members) > maxClass || len(members) == 0 {
		return unknown()
	}
	return exactly(members)
}

func lowerByte(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// concatFacts multiplies out what stands together, and keeps the best set seen on the way.
func concatFacts(subs []*syntax.Regexp) facts {
	run := nothing // what the parts so far can end with
	var best, prefix []string
	whole := true // run is everything that the parts so far can spell
	end := func() {
		if whole {
			prefix, whole = run, false
		}
	}
	for _, sub := range subs {
		if sub.Op == syntax.OpStar {
			end()
			best = better(best, run)
			// The end is what stood before, or that of a repetition.
			run = union(run, analyze(sub.Sub[0]).suffix)
			continue
		}
		f := analyze(sub)
		if all := product(run, f.exact); all != nil {
			run = all
			continue
		}
		joined := product(run, f.prefix)
		if joined == nil {
			joined = better(run, f.prefix)
		} else if whole {
			prefix, whole = joined, false
		}
		end()
		best = better(better(best, joined), f.need)
		run = f.suffix
	}
	if whole {
		return exactly(run)
	}
	return facts{prefix: prefix, suffix: run, need: better(best, run)}
}

func alternateFacts(subs []*syntax.Regexp) facts {
	all := facts{exact: []string{}, prefix: []string{}, suffix: []string{}, need: []string{}}
	for _, sub := range subs {
		f := analyze(sub)
		if f.exact == nil {
			all.exact = nil
		} else if all.exact != nil {
			all.exact = append(all.exact, f.exact...)
		}
		all.prefix = append(all.prefix, f.prefix...)
		all.suffix = append(all.suffix, f.suffix...)
		all.need = append(all.need, better(better(f.need, f.exact), better(f.prefix, f.suffix))...)
	}
	if all.exact != nil {
		return exactly(dedupe(all.exact))
	}
	return facts{prefix: union(all.prefix, nil), suffix: union(all.suffix, nil), need: union(all.need, nil)}
}

// union merges two sets, to nothing if there are too many.
func union(a, b []string) []string {
	all := dedupe(append(append([]string(nil), a...), b...))
	if len(all) > maxLiterals {
		return nothing
	}
	return all
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

// product joins every member of a with every member of b; nil if b is, or if there are
// too many.
func product(a, b []string) []string {
	if b == nil || len(a)*len(b) > maxLiterals {
		return nil
	}
	all := make([]string, 0, len(a)*len(b))
	for _, x := range a {
		for _, y := range b {
			if len(x)+len(y) > maxLiteralSize {
				return nil
			}
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
