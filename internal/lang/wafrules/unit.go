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

// finish builds the automata.
func (b *builder) finish() *unit {
	for i := range b.wanted {
		b.unit.nodes[i].scan = b.wanted[i].build()
	}
	return b.unit
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

func (p *scanPlan) build() *scanner {
	if p.targets == 0 {
		return nil
	}
	return &scanner{automaton: literal.Build(p.literals), literals: p.details, targets: p.targets}
}

// A scanner finds all literals of a node in one pass.
type scanner struct {
	automaton *literal.Automaton
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
				l := &s.literals[id]
				if seen[l.target] == stamp {
					continue
				}
				start := pos - a.Len(id)
				if l.exact && v[start:pos] != l.text || l.word && !standsAlone(v, start, pos) {
					continue
				}
				seen[l.target] = stamp
				hits = append(hits, hit{l.target, int32(i), int32(start), int32(pos)})
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
