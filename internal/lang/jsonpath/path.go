// Package jsonpath evaluates JSONPath as the service does, with the semantics of the Java
// library Jayway JsonPath: definite paths give a value, indefinite ones a list; filters with
// Jayway's operators; functions at the end. What is missing is null for a definite path and
// left out of a list (mapping-templates reference, section 2.2).
//
// Templates ($input.path, $input.json) and parameter mappings use it. A Path is compiled
// once, read-only, and safe for concurrent use. The cost of an evaluation is bounded by a
// budget of steps.
package jsonpath

import (
	"errors"
	"fmt"

	"gatehouse/internal/lang/ojson"
)

// ErrBudget is returned when an evaluation used up its budget.
var ErrBudget = errors.New("JSONPath takes too many steps")

// DefaultBudget is the number of steps when a caller gives none. A step is about one visit
// of a value; ten million take some tenths of a second.
const DefaultBudget = 10_000_000

// An Error says where a path's text is wrong.
type Error struct {
	Path   string
	Offset int // in bytes, from 0
	Msg    string
}

// Error returns the path, the place and the message.
func (e *Error) Error() string {
	return fmt.Sprintf("JSONPath %q at offset %d: %s", e.Path, e.Offset, e.Msg)
}

// A Path is a compiled path.
type Path struct {
	text     string
	tokens   []token
	definite bool
	simple   bool // names and indexes alone
}

// String returns the path's text as it was compiled.
func (p *Path) String() string { return p.text }

// Definite reports whether the path gives a value; an indefinite one gives a list.
func (p *Path) Definite() bool { return p.definite }

// Result is what a path found.
type Result struct {
	// Value is what a definite path found; its kind is ojson.None when it found nothing.
	Value ojson.Value
	// List has, for an indefinite path, everything found, in document order. It is nil
	// for a definite path and never nil for an indefinite one.
	List []ojson.Value
}

// Found reports whether there is a result: something definite that is not JSON's null, or
// a list, even an empty one.
func (r Result) Found() bool {
	return r.List != nil || r.Value.Kind() > ojson.Null
}

// Append appends the result as JSON; nothing found is null.
func (r Result) Append(dst []byte, st ojson.Style) []byte {
	if r.List == nil {
		return r.Value.Append(dst, st)
	}
	dst = append(dst, '[')
	for i, v := range r.List {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = v.Append(dst, st)
	}
	return append(dst, ']')
}

type tokenKind uint8

const (
	nameToken     tokenKind = iota + 1 // .a or ['a']
	namesToken                         // ['a','b']
	indexToken                         // [0]
	indexesToken                       // [0,1]
	sliceToken                         // [0:2]
	wildcardToken                      // .* or [*]
	scanToken                          // ..
	filterToken                        // [?(...)]
	functionToken                      // .length()
)

type token struct {
	kind    tokenKind
	name    string   // nameToken
	names   []string // namesToken
	index   int      // indexToken
	indexes []int    // indexesToken

	from, to       int // sliceToken
	hasFrom, hasTo bool
	filter         condition // filterToken
	function       function  // functionToken
	arguments      []operand
	scanned        bool // functionToken: takes the whole of an indefinite path, see finish
}

// definite reports whether the token at i of n selects at most one value.
func (t *token) definite(last bool) bool {
	switch t.kind {
	case nameToken, indexToken, functionToken:
		return true
	case namesToken:
		return last // the members are merged into one object
	}
	return false
}

// finish computes what depends on all tokens.
func (p *Path) finish() {
	p.definite, p.simple = true, true
	for i := range p.tokens {
		t := &p.tokens[i]
		if t.kind != nameToken && t.kind != indexToken {
			p.simple = false
		}
		if !t.definite(i == len(p.tokens)-1) {
			p.definite = false
		}
	}
	// A function that ends a path which begins with a scan takes all that the scan finds:
	// $..price.sum() is one number.
	if n := len(p.tokens); n > 1 && p.tokens[n-1].kind == functionToken && p.tokens[0].kind == scanToken {
		p.tokens[n-1].scanned = true
		p.definite = true
	}
}
