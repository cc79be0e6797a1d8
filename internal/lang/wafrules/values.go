package wafrules

import "gatehouse/internal/lang/wafrules/transform"

// A nodeState holds the values of one node for the request at hand.
type nodeState struct {
	ready    bool
	decision decision // of the component; values are inspected only if it says so
	values   []string
	names    []string // where each value came from: a header's or an argument's name; of roots only
}

func (n *nodeState) add(value, name string) {
	n.values = append(n.values, value)
	n.names = append(n.names, name)
}

func (n *nodeState) addPair(name, value string, s scope) {
	if s.keys {
		n.add(name, name)
	}
	if s.values {
		n.add(value, name)
	}
}

// clear empties n, letting go of the strings but not of the room for them.
func (n *nodeState) clear() {
	clear(n.values)
	clear(n.names)
	*n = nodeState{values: n.values[:0], names: n.names[:0]}
}

// A scanState holds what a scanner found for the request at hand.
type scanState struct {
	ready bool
	hits  []hit
}

// values returns node n of the ACL, extracting or transforming at the first use.
func (x *evaluation) values(n uint16) *nodeState {
	state := &x.nodes[n]
	if state.ready {
		return state
	}
	state.ready = true
	x.touched = append(x.touched, n)
	plan := &x.acl.nodes[n]
	if plan.parent < 0 {
		plan.field.extract(x, state)
		return state
	}
	parent := x.values(uint16(plan.parent))
	state.decision = parent.decision
	t := plan.t
	for _, v := range parent.values {
		if t.MayChange(v) {
			v = x.arena.commit(t.Append(x.arena.reserve(transform.MaxLen(len(v))), v))
		}
		state.values = append(state.values, v)
	}
	return state
}

// at returns the values of a node of the current unit.
func (x *evaluation) at(n uint16) *nodeState { return x.values(x.unit.nodes[n]) }

// scan returns the hits of the scanner at a node of the current unit.
func (x *evaluation) scan(n uint16) []hit {
	state := &x.scans[x.unit.scanBase+int(n)]
	if state.ready {
		return state.hits
	}
	state.ready = true
	x.scanned = append(x.scanned, x.unit.scanBase+int(n))
	s := x.unit.unit.nodes[n].scan
	for len(x.seen) < int(s.targets) {
		x.seen = append(x.seen, 0)
	}
	values := x.at(n).values
	state.hits = s.scan(values, state.hits, x.seen, x.stamp)
	x.stamp += uint64(len(values))
	return state.hits
}
