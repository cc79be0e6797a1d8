package pattern

import "regexp/syntax"

// A byteSet is a set of bytes.
type byteSet [4]uint64

func (s *byteSet) add(c byte)      { s[c>>6] |= 1 << (c & 63) }
func (s *byteSet) has(c byte) bool { return s[c>>6]&(1<<(c&63)) != 0 }

// in reports whether any byte of v is in the set.
func (s *byteSet) in(v string) bool {
	for i := 0; i < len(v); i++ {
		if s.has(v[i]) {
			return true
		}
	}
	return false
}

const (
	maxDemands = 4  // of a pattern
	maxDemand  = 16 // bytes; of a larger set most values have one
)

// demands lists sets of marks (bytes that are neither letters, digits nor space) of each of
// which every match contains one. Where literals are common words, marks tell that a value
// has a word alone: "id" but none of the separators before it.
func demands(re *syntax.Regexp) []byteSet {
	switch re.Op {
	case syntax.OpLiteral:
		var sets []byteSet
		for _, r := range re.Rune {
			if r <= 0xff && isMark(byte(r)) {
				var s byteSet
				s.add(byte(r))
				sets = demand(sets, s)
			}
		}
		return sets
	case syntax.OpCharClass:
		if s, ok := classMarks(re.Rune); ok {
			return []byteSet{s}
		}
	case syntax.OpCapture, syntax.OpPlus:
		return demands(re.Sub[0])
	case syntax.OpRepeat:
		if re.Min > 0 {
			return demands(re.Sub[0])
		}
	case syntax.OpConcat:
		var sets []byteSet
		for _, sub := range re.Sub {
			for _, s := range demands(sub) {
				sets = demand(sets, s)
			}
		}
		return sets
	case syntax.OpAlternate:
		return alternativeDemands(re.Sub)
	}
	return nil
}

// demand adds a set that is not there yet.
func demand(sets []byteSet, s byteSet) []byteSet {
	for _, have := range sets {
		if have == s {
			return sets
		}
	}
	if len(sets) == maxDemands {
		return sets
	}
	return append(sets, s)
}

// alternativeDemands is the union of what the alternatives demand first.
func alternativeDemands(subs []*syntax.Regexp) []byteSet {
	var union byteSet
	for _, sub := range subs {
		sets := demands(sub)
		if len(sets) == 0 {
			return nil
		}
		for i, word := range sets[0] {
			union[i] |= word
		}
	}
	n := 0
	for c := range 256 {
		if union.has(byte(c)) {
			n++
		}
	}
	if n > maxDemand {
		return nil
	}
	return []byteSet{union}
}

// classMarks returns the members of a class that has only marks, and few.
func classMarks(ranges []rune) (s byteSet, ok bool) {
	n := 0
	for i := 0; i < len(ranges); i += 2 {
		for r := ranges[i]; r <= ranges[i+1] && r <= 0xff; r++ {
			if n++; n > maxDemand || !isMark(byte(r)) {
				return s, false
			}
			s.add(byte(r))
		}
	}
	return s, n > 0
}

func isMark(c byte) bool {
	return c > ' ' && c < 0x7f && (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') || c == '\n'
}
