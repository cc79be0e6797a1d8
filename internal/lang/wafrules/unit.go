package wafrules

import (
	"slices"
	"strings"

	"gatehouse/internal/lang/wafrules/literal"
	"gatehouse/internal/lang/wafrules/pattern"
	"gatehouse/internal/lang/wafrules/transform"
)

// A unit is the immutable outcome of compiling rules together: those of a web ACL, of a
// rule group, or of all managed groups. Units are shared by all ACLs that use them; an
// ACL says which of its own nodes each node of a unit is.
type unit struct {
	nodes []unitNode
}

// A unitNode is a component (t is None, parent is -1), or a transformation of its parent.
type unitNode struct {
	field  *field
	parent int32
	t      transform.Type
	scan   *scanner // nil when nothing is looked for here
	key    string   // identity among all units
}

// A builder collects nodes and literals while statements are compiled.
type builder struct {
	unit   *unit
	byKey  map[string]uint16
	wanted []scanPlan // per node
	refs   References
	rates  []RateRule
	// patterns holds our own patterns by source.
	patterns map[string]*pattern.Regexp
}

func newBuilder(refs References) *builder {
	return &builder{unit: new(unit), byKey: map[string]uint16{}, refs: refs, patterns: map[string]*pattern.Regexp{}}
}

// node returns the node of a component after a chain of transformations.
func (b *builder) node(f *FieldToMatch, ts []TextTransformation) uint16 {
	fd := newField(f)
	n := b.intern(unitNode{field: fd, parent: -1, key: fd.key})
	return b.chain(n, ts)
}

func (b *builder) chain(n uint16, ts []TextTransformation) uint16 {
	sorted := slices.Clone(ts)
	slices.SortStableFunc(sorted, func(a, b TextTransformation) int { return int(a.Priority) - int(b.Priority) })
	for _, tt := range sorted {
		t, _ := transform.Parse(tt.Type) // validated
		if t == transform.None {
			continue
		}
		parent := &b.unit.nodes[n]
		n = b.intern(unitNode{field: parent.field, parent: int32(n), t: t, key: parent.key + "|" + t.String()})
	}
	return n
}

func (b *builder) intern(n unitNode) uint16 {
	if i, ok := b.byKey[n.key]; ok {
		return i
	}
	b.unit.nodes = append(b.unit.nodes, n)
	b.wanted = append(b.wanted, scanPlan{})
	i := uint16(len(b.unit.nodes) - 1)
	b.byKey[n.key] = i
	return i
}

// finish builds the automata: one for all components that go through the same chain, since
// rules look for much the same in each of them and tables are large.
func (b *builder) finish() *unit {
	byChain := map[string][]int{}
	var chains []string // in order: what is compiled must not depend on a map
	for i := range b.wanted {
		if b.wanted[i].targets == 0 {
			continue
		}
		n := &b.unit.nodes[i]
		chain := n.key[len(n.field.key):]
		if byChain[chain] == nil {
			chains = append(chains, chain)
		}
		byChain[chain] = append(byChain[chain], i)
	}
	for _, chain := range chains {
		b.scanners(byChain[chain])
	}
	return b.unit
}

// scanners gives nodes their scanners, with one automaton for all.
func (b *builder) scanners(nodes []int) {
	ids := map[string]uint32{}
	var literals []string
	for _, i := range nodes {
		for _, l := range b.wanted[i].literals {
			key := lowered(l) // as the automaton compares; exact ones are compared again
			if _, ok := ids[key]; !ok {
				ids[key] = uint32(len(literals))
				literals = append(literals, key)
			}
		}
	}
	automaton := literal.Build(literals)
	for _, i := range nodes {
		b.unit.nodes[i].scan = b.wanted[i].scanner(automaton, len(literals), ids)
	}
}

// transformations returns the chain that leads to node n, in order.
func (u *unit) transformations(n uint16) []transform.Type {
	var chain []transform.Type
	for i := int32(n); u.nodes[i].parent >= 0; i = u.nodes[i].parent {
		chain = append(chain, u.nodes[i].t)
	}
	slices.Reverse(chain)
	return chain
}

// A scanPlan collects what is looked for at one node. Each question gets a number, the
// target of its literals.
type scanPlan struct {
	literals []string
	details  []scanLiteral
	targets  uint32
}

// A scanLiteral says what an occurrence of a literal means.
type scanLiteral struct {
	target uint32
	exact  bool // compare with case
	word   bool // must stand alone
	text   string
}

// contains asks for a string and returns the target's number.
func (p *scanPlan) contains(text string, word bool) uint32 {
	p.literals = append(p.literals, text)
	p.details = append(p.details, scanLiteral{p.targets, true, word, text})
	p.targets++
	return p.targets - 1
}

// pattern asks for the literals that a pattern needs.
func (p *scanPlan) pattern(re *pattern.Regexp) uint32 {
	for _, l := range re.Literals() {
		p.literals = append(p.literals, l)
		p.details = append(p.details, scanLiteral{target: p.targets})
	}
	p.targets++
	return p.targets - 1
}

// scanner finds what is asked for by an automaton of n literals, which has an id for each.
func (p *scanPlan) scanner(automaton *literal.Automaton, n int, ids map[string]uint32) *scanner {
	s := &scanner{automaton: automaton, starts: make([]uint32, n+1), targets: p.targets}
	for _, l := range p.literals {
		s.starts[ids[lowered(l)]+1]++
	}
	for i := range n {
		s.starts[i+1] += s.starts[i]
	}
	s.literals = make([]scanLiteral, len(p.literals))
	next := slices.Clone(s.starts)
	for i, l := range p.literals {
		id := ids[lowered(l)]
		s.literals[next[id]] = p.details[i]
		next[id]++
	}
	return s
}

// lowered maps A to Z to lower case and leaves all other bytes alone, valid UTF-8 or not.
func lowered(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

// A scanner finds all literals of a node in one pass. Its automaton is shared with other
// nodes and may know literals that are not looked for here.
type scanner struct {
	automaton *literal.Automaton
	starts    []uint32 // literals[starts[id]:starts[id+1]] is what the literal id means here
	literals  []scanLiteral
	targets   uint32
}

// A hit is the first occurrence, in one value, of a literal of target.
type hit struct {
	target     uint32
	value      int32
	start, end int32
}

// scan appends the hits of all values to hits. seen has room for every target; stamp is a
// number not used in it before, and so are the following ones, one for each value.
func (s *scanner) scan(values []string, hits []hit, seen []uint64, stamp uint64) []hit {
	a := s.automaton
	for i, v := range values {
		stamp++
		pos, st := 0, literal.State(0)
		for {
			if pos, st = a.Next(v, pos, st); pos < 0 {
				break
			}
			for _, id := range a.Outputs(st) {
				start := pos - a.Len(id)
				for k := s.starts[id]; k < s.starts[id+1]; k++ {
					l := &s.literals[k]
					if seen[l.target] == stamp || l.exact && v[start:pos] != l.text || l.word && !standsAlone(v, start, pos) {
						continue
					}
					seen[l.target] = stamp
					hits = append(hits, hit{l.target, int32(i), int32(start), int32(pos)})
				}
			}
		}
	}
	return hits
}

func isWordByte(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_'
}

// standsAlone reports whether s[start:end] is bounded by what is not part of a word.
func standsAlone(s string, start, end int) bool {
	return (start == 0 || !isWordByte(s[start-1])) && (end == len(s) || !isWordByte(s[end]))
}

// indexWord returns where word stands alone in s, or -1.
func indexWord(s, word string) int {
	for from := 0; ; {
		i := strings.Index(s[from:], word)
		if i < 0 {
			return -1
		}
		if i += from; standsAlone(s, i, i+len(word)) {
			return i
		}
		from = i + 1
	}
}
