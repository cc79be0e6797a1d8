// Package literal finds any of many literals in a value with one pass: an Aho-Corasick
// automaton over byte classes that ignores ASCII case.
//
// Package wafrules builds one Automaton per transformed field of a rule set and asks
// it which literals occur; whoever cares for case compares the bytes at the reported
// place. An Automaton is immutable and safe for concurrent use.
package literal

import "slices"

// An Automaton is a complete transition table. States are numbered such that those
// which end a literal come last, so the scan tests one comparison per byte.
type Automaton struct {
	class   [256]uint8
	classes uint32   // columns of the table
	next    []uint32 // next[state+class] is a state; states are multiples of classes
	accept  uint32   // states from here on end a literal
	starts  []uint32 // per accepting state, where its outputs begin; one more at the end
	outputs []uint32 // literal ids
	lengths []int
}

// State is a position in the automaton between two bytes; 0 is the start.
type State uint32

// Build makes the automaton of the given literals; their index is their id. Empty
// literals are never reported.
func Build(literals []string) *Automaton {
	a := &Automaton{lengths: make([]int, len(literals))}
	a.classify(literals)
	t := newTrie(int(a.classes))
	for id, l := range literals {
		a.lengths[id] = len(l)
		if l != "" {
			t.insert(a, l, uint32(id))
		}
	}
	t.link()
	a.number(t)
	return a
}

// classify gives every byte that occurs in a literal a class of its own, shared by the two
// cases of a letter; class 0 is everything else.
func (a *Automaton) classify(literals []string) {
	a.classes = 1
	for _, l := range literals {
		for i := 0; i < len(l); i++ {
			c := fold(l[i])
			if a.class[c] != 0 {
				continue
			}
			a.class[c] = uint8(a.classes)
			if 'a' <= c && c <= 'z' {
				a.class[c-'a'+'A'] = uint8(a.classes)
			}
			a.classes++
		}
	}
}

// fold maps ASCII upper case to lower case. With 26 letters folded, at most 230 classes
// exist and fit a byte.
func fold(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// Len returns the length in bytes of the literal id.
func (a *Automaton) Len(id uint32) int { return a.lengths[id] }

// Size returns the bytes that the tables take, for memory accounting.
func (a *Automaton) Size() int { return 4 * (len(a.next) + len(a.starts) + len(a.outputs)) }

// Next scans s from pos, in state st, to the first position where literals end. It
// returns the position after their last byte and the state to go on with, or -1 when s
// ended first. Outputs tells which literals these are.
func (a *Automaton) Next(s string, pos int, st State) (int, State) {
	state := uint32(st)
	for ; pos < len(s); pos++ {
		state = a.next[state+uint32(a.class[s[pos]])]
		if state >= a.accept {
			return pos + 1, State(state)
		}
	}
	return -1, State(state)
}

// Outputs returns the ids of the literals that end in st, which Next returned. The
// slice must not be modified.
func (a *Automaton) Outputs(st State) []uint32 {
	i := (uint32(st) - a.accept) / a.classes
	return a.outputs[a.starts[i]:a.starts[i+1]]
}

// A trie is the automaton under construction, states numbered as they are made.
type trie struct {
	classes int
	next    []int32 // -1: no edge yet
	fail    []int32
	ids     [][]uint32
	order   []int32 // breadth first
}

func newTrie(classes int) *trie {
	t := &trie{classes: classes}
	t.add()
	return t
}

func (t *trie) add() int32 {
	for range t.classes {
		t.next = append(t.next, -1)
	}
	t.fail = append(t.fail, 0)
	t.ids = append(t.ids, nil)
	return int32(len(t.ids) - 1)
}

func (t *trie) insert(a *Automaton, l string, id uint32) {
	s := int32(0)
	for i := 0; i < len(l); i++ {
		edge := int(s)*t.classes + int(a.class[l[i]])
		if t.next[edge] < 0 {
			made := t.add() // may move t.next
			t.next[edge] = made
		}
		s = t.next[edge]
	}
	t.ids[s] = append(t.ids[s], id)
}

// link completes the table breadth first: a missing edge leads where the edge of the
// longest proper suffix leads, and a state also ends what its suffix ends.
func (t *trie) link() {
	t.order = append(t.order, 0)
	for i := 0; i < len(t.order); i++ {
		s := t.order[i]
		for c := range t.classes {
			edge := int(s)*t.classes + c
			child := t.next[edge]
			viaFail := int32(0)
			if s != 0 {
				viaFail = t.next[int(t.fail[s])*t.classes+c]
			}
			if child < 0 {
				t.next[edge] = viaFail
				continue
			}
			t.fail[child] = viaFail
			t.ids[child] = append(t.ids[child], t.ids[viaFail]...)
			t.order = append(t.order, child)
		}
	}
}

// number writes the table with the accepting states last, each group breadth first
// so that the rows near the start share cache lines.
func (a *Automaton) number(t *trie) {
	position := make([]uint32, len(t.ids))
	n := uint32(0)
	place := func(accepting bool) {
		for _, s := range t.order {
			if (len(t.ids[s]) > 0) == accepting {
				position[s] = n * a.classes
				n++
			}
		}
	}
	place(false)
	a.accept = n * a.classes
	place(true)

	a.next = make([]uint32, len(t.next))
	for s := range t.ids {
		for c := range t.classes {
			a.next[int(position[s])+c] = position[t.next[s*t.classes+c]]
		}
	}
	for _, s := range t.order {
		if len(t.ids[s]) > 0 {
			a.starts = append(a.starts, uint32(len(a.outputs)))
			ids := slices.Clone(t.ids[s])
			slices.Sort(ids)
			a.outputs = append(a.outputs, slices.Compact(ids)...)
		}
	}
	a.starts = append(a.starts, uint32(len(a.outputs)))
}
