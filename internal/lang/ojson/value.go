// Package ojson is a read-only JSON tree that keeps what encoding/json loses: the order
// of members, and numbers as they were written. Mapping templates, JSONPath, models and
// imports all read customers' JSON through it.
//
// A parsed document is one slice of nodes over the text, so that reading a body costs
// two or three allocations whatever its shape. A Value is a handle into it: small,
// copied freely, never changed after parsing, and safe for concurrent use.
package ojson

import (
	"iter"
	"strconv"
	"strings"
)

// Kind is the type of a JSON value.
type Kind uint8

// The kinds of values. None is the kind of the zero Value: no value at all.
const (
	None Kind = iota
	Null
	False
	True
	Number
	String
	Array
	Object
)

// String returns the kind as JSON Schema names it ("boolean" for both booleans).
func (k Kind) String() string {
	switch k {
	case Null:
		return "null"
	case False, True:
		return "boolean"
	case Number:
		return "number"
	case String:
		return "string"
	case Array:
		return "array"
	case Object:
		return "object"
	}
	return "none"
}

// A Value is one value of a document. The zero Value has kind None.
type Value struct {
	doc *document
	i   uint32
}

// document is the shared part of all values of one text.
type document struct {
	text       string
	nodes      []node
	permissive bool // the text is not necessarily JSON: see ParsePermissive
}

// node is one value or member name. Children follow their container in the slice:
// an array is followed by its elements' subtrees, an object by name, value, name, value.
type node struct {
	off, end uint32 // the text: scalars whole, strings without quotes, containers with brackets
	next     uint32 // containers: first node after the subtree; names: their value
	n        uint32 // containers: number of elements, or of distinct names
	kind     Kind
	flags    uint8
}

const (
	escaped  uint8 = 1 << iota // the string's text has backslashes to decode
	shadowed                   // a name that occurred before in the object: see the first one
)

// after returns the index of the node that follows the subtree of i.
func (d *document) after(i uint32) uint32 {
	if nd := &d.nodes[i]; nd.kind >= Array {
		return nd.next
	}
	return i + 1
}

// string returns the decoded text of a string or name.
func (d *document) string(i uint32) string {
	nd := &d.nodes[i]
	s := d.text[nd.off:nd.end]
	if nd.flags&escaped != 0 {
		return unescape(s)
	}
	return s
}

// Kind returns what v is.
func (v Value) Kind() Kind {
	if v.doc == nil {
		return None
	}
	return v.doc.nodes[v.i].kind
}

// IsBool reports whether v is true or false.
func (v Value) IsBool() bool { k := v.Kind(); return k == True || k == False }

// Raw returns the source text of v: numbers as written, strings with quotes and escapes,
// containers with the white space between their parts. It is "" for no value.
func (v Value) Raw() string {
	if v.doc == nil {
		return ""
	}
	nd := &v.doc.nodes[v.i]
	off, end := nd.off, nd.end
	if nd.kind == String && off > 0 && int(end) < len(v.doc.text) &&
		v.doc.text[off-1] == v.doc.text[end] && (v.doc.text[end] == '"' || v.doc.text[end] == '\'') {
		off, end = off-1, end+1
	}
	return v.doc.text[off:end]
}

// Text returns the decoded characters of a string, the source text of a number, and
// "true", "false" or "null"; for containers and no value it is "".
func (v Value) Text() string {
	if v.doc == nil {
		return ""
	}
	nd := &v.doc.nodes[v.i]
	switch nd.kind {
	case String:
		return v.doc.string(v.i)
	case Array, Object:
		return ""
	}
	return v.doc.text[nd.off:nd.end]
}

// Int returns the value of a number that is written as an integer of 64 bits.
func (v Value) Int() (int64, bool) {
	if v.Kind() != Number {
		return 0, false
	}
	n, err := strconv.ParseInt(v.Text(), 10, 64)
	return n, err == nil
}

// Float returns the nearest double of a number; ±Inf when it is too large.
func (v Value) Float() (float64, bool) {
	if v.Kind() != Number {
		return 0, false
	}
	f, err := strconv.ParseFloat(v.Text(), 64)
	return f, err == nil || f != 0
}

// Len returns the number of elements of an array or of distinct names of an object;
// 0 for everything else.
func (v Value) Len() int {
	if v.Kind() < Array {
		return 0
	}
	return int(v.doc.nodes[v.i].n)
}

// Get returns the member called name. Of several, the last counts, as in the service's
// reader. A value that is not an object has no members. The cost is linear in the members.
func (v Value) Get(name string) (Value, bool) {
	if v.Kind() != Object {
		return Value{}, false
	}
	d := v.doc
	end := d.nodes[v.i].next
	for k := v.i + 1; k < end; {
		nd := &d.nodes[k]
		if nd.flags == 0 {
			if d.text[nd.off:nd.end] == name {
				return Value{d, nd.next}, true
			}
		} else if nd.flags == escaped && d.string(k) == name {
			return Value{d, nd.next}, true
		}
		k = d.after(k + 1)
	}
	return Value{}, false
}

// At returns element i of an array, counted from 0; no value when there is none.
// The cost is linear in i: use Elements to visit all.
func (v Value) At(i int) Value {
	if v.Kind() != Array || i < 0 || i >= v.Len() {
		return Value{}
	}
	d := v.doc
	if d.nodes[v.i].next-v.i-1 == d.nodes[v.i].n { // scalars alone: the offset is the index
		return Value{d, v.i + 1 + uint32(i)}
	}
	k := v.i + 1
	for ; i > 0; i-- {
		k = d.after(k)
	}
	return Value{d, k}
}

// Elements visits the elements of an array in order.
func (v Value) Elements() iter.Seq[Value] {
	return func(yield func(Value) bool) {
		if v.Kind() != Array {
			return
		}
		d := v.doc
		end := d.nodes[v.i].next
		for k := v.i + 1; k < end; k = d.after(k) {
			if !yield(Value{d, k}) {
				return
			}
		}
	}
}

// Members visits the members of an object in the order in which each name occurred
// first; a name that occurred again has its last value.
func (v Value) Members() iter.Seq2[string, Value] {
	return func(yield func(string, Value) bool) {
		if v.Kind() != Object {
			return
		}
		d := v.doc
		end := d.nodes[v.i].next
		for k := v.i + 1; k < end; k = d.after(k + 1) {
			if d.nodes[k].flags&shadowed != 0 {
				continue
			}
			if !yield(d.string(k), Value{d, d.nodes[k].next}) {
				return
			}
		}
	}
}

// Same reports whether a and b are the same place of the same document.
func Same(a, b Value) bool { return a == b }

// Of returns the JSON string with the characters s.
func Of(s string) Value {
	d := &document{text: s, nodes: []node{{end: uint32(len(s)), kind: String}}, permissive: true}
	return Value{d, 0}
}

// Contains reports whether part is v itself or lies within it, in the same document.
func Contains(v, part Value) bool {
	return v.doc != nil && v.doc == part.doc && v.i <= part.i && part.i < v.doc.after(v.i)
}

// Repeated returns the name of a member of v, or of a value within v, that occurred before in
// its object, and the line of the text on which it stands again, from 1. Most readers take the
// last of such members; who must not guess refuses them.
func (v Value) Repeated() (name string, line int, ok bool) {
	if v.doc == nil {
		return "", 0, false
	}
	d := v.doc
	for k := v.i; k < d.after(v.i); k++ {
		if nd := &d.nodes[k]; nd.flags&shadowed != 0 {
			return d.string(k), strings.Count(d.text[:nd.off], "\n") + 1, true
		}
	}
	return "", 0, false
}
