package wafrules

import (
	"slices"
	"strings"

	"gatehouse/internal/lang/wafrules/pattern"
	"gatehouse/internal/lang/wafrules/transform"
)

// A matcher is a compiled statement. match reports whether it is true of the request at
// hand, and notes on the trail of x what made it so.
type matcher interface {
	match(x *evaluation) bool
}

type allOf []matcher

func (l allOf) match(x *evaluation) bool {
	mark := len(x.trail)
	for _, m := range l {
		if !m.match(x) {
			x.trail = x.trail[:mark]
			return false
		}
	}
	return true
}

type anyOf []matcher

func (l anyOf) match(x *evaluation) bool {
	for _, m := range l {
		if m.match(x) {
			return true
		}
	}
	return false
}

type not struct{ m matcher }

func (n not) match(x *evaluation) bool {
	mark := len(x.trail)
	matched := n.m.match(x)
	x.trail = x.trail[:mark]
	return !matched
}

// claim is ClaimStatement.
type claim struct {
	claim, proof     matcher // proof is nil when there can be none
	always           bool
	proven, unproven []string // labels
}

func (c *claim) match(x *evaluation) bool {
	mark := len(x.trail)
	if !c.claim.match(x) {
		return false
	}
	claimed := len(x.trail)
	if c.proof == nil || !c.proof.match(x) {
		x.pending = append(x.pending, c.unproven...)
		return true
	}
	x.pending = append(x.pending, c.proven...)
	if c.always {
		x.trail = x.trail[:claimed]
		return true
	}
	x.trail = x.trail[:mark]
	return false
}

// An inspection is the part that all statements on a component share.
type inspection struct {
	node uint16 // of the unit
	info *leafInfo
}

// leafInfo describes a statement to people; it is shared by everything that matched it.
type leafInfo struct {
	path        string // place in the rule, such as "And/1/ByteMatch"
	condition   string // SQL_INJECTION, XSS, or ""
	sensitivity string // of SQL_INJECTION
	chain       []transform.Type
}

// A trace is one thing that made a statement true.
type trace struct {
	info       *leafInfo
	value      int32 // index at the node; -1 when no value was inspected
	start, end int32
	node       uint16 // of the ACL
}

// note remembers that value i matched at [start, end), and reports true.
func (in *inspection) note(x *evaluation, i, start, end int) bool {
	x.trail = append(x.trail, trace{in.info, int32(i), int32(start), int32(end), x.unit.nodes[in.node]})
	return true
}

// values returns what to inspect; decided says that result stands without inspection.
func (in *inspection) values(x *evaluation) (vs []string, decided, result bool) {
	state := x.at(in.node)
	switch state.decision {
	case decideMatch:
		return nil, true, in.note(x, -1, 0, 0)
	case decideNoMatch:
		return nil, true, false
	}
	return state.values, false, false
}

// byteMatch compares values with a string at one of three places.
type byteMatch struct {
	inspection
	position string
	text     string
}

func (m *byteMatch) match(x *evaluation) bool {
	vs, decided, result := m.values(x)
	if decided {
		return result
	}
	n := len(m.text)
	for i, v := range vs {
		switch m.position {
		case "EXACTLY":
			if v == m.text {
				return m.note(x, i, 0, n)
			}
		case "STARTS_WITH":
			if strings.HasPrefix(v, m.text) {
				return m.note(x, i, 0, n)
			}
		case "ENDS_WITH":
			if strings.HasSuffix(v, m.text) {
				return m.note(x, i, len(v)-n, len(v))
			}
		case "CONTAINS":
			if at := strings.Index(v, m.text); at >= 0 {
				return m.note(x, i, at, at+n)
			}
		case "CONTAINS_WORD":
			if at := indexWord(v, m.text); at >= 0 {
				return m.note(x, i, at, at+n)
			}
		}
	}
	return false
}

// scanned asks the scanner of its node whether a string was found.
type scanned struct {
	inspection
	target uint32
}

func (m *scanned) match(x *evaluation) bool {
	_, decided, result := m.values(x)
	if decided {
		return result
	}
	for _, h := range x.scan(m.node) {
		if h.target == m.target {
			return m.note(x, int(h.value), int(h.start), int(h.end))
		}
	}
	return false
}

// regexes looks for any of several patterns.
type regexes struct {
	inspection
	always  []*pattern.Regexp // no literal tells beforehand
	guarded []*pattern.Regexp // pattern i runs only on values with a hit for first+i
	first   uint32
}

func (m *regexes) match(x *evaluation) bool {
	vs, decided, result := m.values(x)
	if decided {
		return result
	}
	for i, v := range vs {
		for _, re := range m.always {
			if start, end, ok := re.Find(v, &x.wide); ok {
				return m.note(x, i, start, end)
			}
		}
	}
	if len(m.guarded) == 0 {
		return false
	}
	for _, h := range x.scan(m.node) {
		if h.target < m.first || h.target >= m.first+uint32(len(m.guarded)) {
			continue
		}
		if start, end, ok := m.guarded[h.target-m.first].Find(vs[h.value], &x.wide); ok {
			return m.note(x, int(h.value), start, end)
		}
	}
	return false
}

// detector runs one of the two libinjection detectors.
type detector struct {
	inspection
	detect func(string) bool
}

func (m *detector) match(x *evaluation) bool {
	vs, decided, result := m.values(x)
	if decided {
		return result
	}
	for i, v := range vs {
		if m.detect(v) {
			return m.note(x, i, 0, len(v))
		}
	}
	return false
}

// comparisons are the operators of SizeConstraint.
var comparisons = map[string]func(a, b int64) bool{
	"EQ": func(a, b int64) bool { return a == b },
	"NE": func(a, b int64) bool { return a != b },
	"LE": func(a, b int64) bool { return a <= b },
	"LT": func(a, b int64) bool { return a < b },
	"GE": func(a, b int64) bool { return a >= b },
	"GT": func(a, b int64) bool { return a > b },
}

type sizeConstraint struct {
	inspection
	compare func(a, b int64) bool
	size    int64
}

func (m *sizeConstraint) match(x *evaluation) bool {
	vs, decided, result := m.values(x)
	if decided {
		return result
	}
	for i, v := range vs {
		if m.compare(int64(len(v)), m.size) {
			return m.note(x, i, 0, len(v))
		}
	}
	return false
}

// labelMatch looks for a label of an earlier rule.
type labelMatch struct {
	key       string
	context   string // prefix of labels that a key without prefix may name
	namespace bool
	full      bool // the key has the whole prefix
	info      *leafInfo
}

func (m *labelMatch) match(x *evaluation) bool {
	if slices.ContainsFunc(x.labels, m.names) {
		x.trail = append(x.trail, trace{info: m.info, value: -1})
		return true
	}
	return false
}

// names reports whether the key names the label (reference/wafv2.md section 7.5).
func (m *labelMatch) names(label string) bool {
	if m.full {
		if m.namespace {
			return strings.HasPrefix(label, m.key)
		}
		return label == m.key
	}
	own, inContext := strings.CutPrefix(label, m.context)
	if !inContext {
		return false
	}
	if m.namespace {
		return strings.HasPrefix(own, m.key) || strings.Contains(own, m.colonKey())
	}
	return own == m.key || strings.HasSuffix(own, m.colonKey())
}

// colonKey is the key after a component boundary; concatenation of this size stays
// on the stack.
func (m *labelMatch) colonKey() string { return ":" + m.key }
