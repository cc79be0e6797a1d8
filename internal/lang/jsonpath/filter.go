package jsonpath

import (
	"strings"

	"gatehouse/internal/lang/ojson"
	"gatehouse/internal/lang/regex"
)

// A condition is the content of a filter.
type condition interface {
	// holds tells whether the condition is true of item. After the budget is used up it
	// may say anything.
	holds(e *evaluation, item ojson.Value) bool
}

type (
	allOf   []condition // &&
	anyOf   []condition // ||
	negated struct{ condition }
	exists  struct{ path operand }

	comparison struct {
		left, right operand
		op          operator
	}
)

func (c allOf) holds(e *evaluation, item ojson.Value) bool {
	for _, x := range c {
		if !x.holds(e, item) {
			return false
		}
	}
	return true
}

func (c anyOf) holds(e *evaluation, item ojson.Value) bool {
	for _, x := range c {
		if x.holds(e, item) {
			return true
		}
	}
	return false
}

func (c negated) holds(e *evaluation, item ojson.Value) bool {
	return !c.condition.holds(e, item)
}

// holds: a definite path exists when it leads somewhere, to null too; an indefinite one
// always does, as in Jayway.
func (c exists) holds(e *evaluation, item ojson.Value) bool {
	if c.path.path == nil { // a literal
		return c.path.value.Kind() == ojson.True
	}
	r, err := c.path.eval(e, item)
	return err == nil && (r.List != nil || r.Value.Kind() != ojson.None)
}

// An operand is one side of a comparison, or an argument of a function.
type operand struct {
	path  *Path // nil for a literal
	item  bool  // the path begins with @, otherwise with $
	value ojson.Value
	re    *regex.Regexp // a literal regular expression
}

func (o *operand) eval(e *evaluation, item ojson.Value) (Result, error) {
	if o.path == nil {
		return Result{Value: o.value}, nil
	}
	if o.item {
		return e.path(o.path, item)
	}
	return e.path(o.path, e.root)
}

// get returns the operand's value for item; a list becomes an array. What is missing is undefined,
// Jayway's value that equals nothing, itself and null included.
func (o *operand) get(e *evaluation, item ojson.Value) ojson.Value {
	r, err := o.eval(e, item)
	if err != nil {
		return undefined
	}
	if r.List != nil {
		return e.build(r.Append(nil, ojson.Raw))
	}
	return r.Value
}

var undefined ojson.Value // of kind None

type operator uint8

const (
	opEq operator = iota + 1
	opNe
	opStrictEq
	opStrictNe
	opLt
	opLe
	opGt
	opGe
	opMatch
	opIn
	opNin
	opSubsetOf
	opAnyOf
	opNoneOf
	opAll
	opContains
	opSize
	opEmpty
)

// symbols are ordered so that no one hides a longer one.
var symbols = []struct {
	text string
	op   operator
}{
	{"===", opStrictEq}, {"!==", opStrictNe}, {"==", opEq}, {"!=", opNe},
	{"<=", opLe}, {">=", opGe}, {"=~", opMatch}, {"<", opLt}, {">", opGt},
}

var words = map[string]operator{
	"in": opIn, "nin": opNin, "subsetof": opSubsetOf, "anyof": opAnyOf, "noneof": opNoneOf,
	"all": opAll, "contains": opContains, "size": opSize, "empty": opEmpty,
}

func (c comparison) holds(e *evaluation, item ojson.Value) bool {
	if c.op == opMatch {
		return c.matches(e, item)
	}
	l, r := c.left.get(e, item), c.right.get(e, item)
	if !e.spend(1) {
		return false
	}
	switch c.op {
	case opEq:
		return e.equal(l, r)
	case opNe:
		return !e.equal(l, r)
	case opStrictEq:
		return kindsAgree(l, r) && e.equal(l, r)
	case opStrictNe:
		return !kindsAgree(l, r) || !e.equal(l, r)
	case opLt, opLe, opGt, opGe:
		return ordered(c.op, l, r)
	case opContains:
		if l.Kind() == ojson.String {
			return r.Kind() == ojson.String && strings.Contains(l.Text(), r.Text())
		}
		return e.contains(l, r)
	case opSize:
		n, ok := r.Int()
		return ok && size(l) == int(n)
	case opEmpty:
		return r.IsBool() && size(l) >= 0 && (size(l) == 0) == (r.Kind() == ojson.True)
	}
	return e.setHolds(c.op, l, r)
}

// setHolds decides the operators whose right side is a list.
func (e *evaluation) setHolds(op operator, l, r ojson.Value) bool {
	if r.Kind() != ojson.Array {
		return op == opNin
	}
	switch op {
	case opIn:
		return e.contains(r, l)
	case opNin:
		return !e.contains(r, l)
	}
	if l.Kind() != ojson.Array {
		return false
	}
	hits, total := 0, l.Len()
	from, in := l, r
	if op == opAll {
		from, in, total = r, l, r.Len()
	}
	for x := range from.Elements() {
		if e.contains(in, x) {
			hits++
		}
	}
	switch op {
	case opAnyOf:
		return hits > 0
	case opNoneOf:
		return hits == 0
	}
	return hits == total // opSubsetOf, opAll
}

// size returns the length of a string, array or object, -1 for everything else.
func size(v ojson.Value) int {
	switch v.Kind() {
	case ojson.String:
		return len([]rune(v.Text()))
	case ojson.Array, ojson.Object:
		return v.Len()
	}
	return -1
}

func (e *evaluation) contains(list, x ojson.Value) bool {
	for y := range list.Elements() {
		if !e.spend(1) {
			return false
		}
		if e.equal(y, x) {
			return true
		}
	}
	return false
}

// equal compares as Jayway's ==: a string and a number are equal when the string's text
// is the number.
func (e *evaluation) equal(l, r ojson.Value) bool {
	lk, rk := l.Kind(), r.Kind()
	switch {
	case lk == ojson.None || rk == ojson.None:
		return false
	case lk == ojson.Number && rk == ojson.String:
		l, r = r, l
		fallthrough
	case lk == ojson.String && rk == ojson.Number:
		n, err := ojson.Parse(strings.TrimSpace(l.Text()), ojson.Limits{})
		return err == nil && n.Kind() == ojson.Number && ojson.CompareNumbers(n.Text(), r.Text()) == 0
	case lk >= ojson.Array && lk == rk:
		if !e.spend(len(l.Raw())/16 + len(r.Raw())/16) {
			return false
		}
	}
	return ojson.Equal(l, r)
}

func kindsAgree(l, r ojson.Value) bool {
	return l.Kind() == r.Kind() || l.IsBool() && r.IsBool()
}

// ordered decides <, <=, > and >=: two numbers, or two strings.
func ordered(op operator, l, r ojson.Value) bool {
	var c int
	switch {
	case l.Kind() == ojson.Number && r.Kind() == ojson.Number:
		c = ojson.CompareNumbers(l.Text(), r.Text())
	case l.Kind() == ojson.String && r.Kind() == ojson.String:
		c = strings.Compare(l.Text(), r.Text())
	default:
		return false
	}
	switch op {
	case opLt:
		return c < 0
	case opLe:
		return c <= 0
	case opGt:
		return c > 0
	}
	return c >= 0
}

// matches decides =~ : one side is a regular expression, which must match the whole of the
// other, or of an element of the other.
func (c comparison) matches(e *evaluation, item ojson.Value) bool {
	re, o := c.right.re, &c.left
	if re == nil {
		re, o = c.left.re, &c.right
	}
	if re == nil || o.re != nil || !e.spend(10) {
		return false
	}
	v := o.get(e, item)
	if v.Kind() != ojson.Array {
		return e.matchesOne(re, v)
	}
	for x := range v.Elements() {
		if e.matchesOne(re, x) {
			return true
		}
	}
	return false
}

func (e *evaluation) matchesOne(re *regex.Regexp, v ojson.Value) bool {
	text := ""
	if k := v.Kind(); k == ojson.String || k == ojson.Number || v.IsBool() {
		text = v.Text()
	}
	if !e.spend(1 + len(text)/8) {
		return false
	}
	watch := re.Watch()
	ok, err := re.MatchAll(text)
	return e.spend(watch.Steps()) && ok && err == nil
}
