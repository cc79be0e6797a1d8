package vtl

import (
	"errors"
	"fmt"
)

// An expr is something that has a value.
type expr interface {
	eval(s *state) (Value, error)
}

type operator uint8

const (
	opOr operator = iota + 1
	opAnd
	opEq
	opNe
	opLt
	opLe
	opGt
	opGe
	opAdd
	opSub
	opMul
	opDiv
	opMod
)

type (
	constant   struct{ v Value }
	stringExpr struct{ nodes []node } // in double quotes, with references
	defineExpr struct{ nodes []node } // the body of a #define
	notExpr    struct{ e expr }
	listExpr   struct{ items []expr }
	mapExpr    struct{ keys, values []expr }
	rangeExpr  struct {
		place    place
		from, to expr
	}
	binaryExpr struct {
		place       place
		op          operator
		left, right expr
	}

	// ref is a reference: a variable, or a macro's argument, and steps from it.
	ref struct {
		place place
		name  string
		slot  int
		param int // index of the macro's argument; -1 for a variable
		steps []step
	}
	step struct {
		kind  stepKind
		name  string
		index expr
		args  []expr
	}
	stepKind uint8
)

const (
	propertyStep stepKind = iota
	indexStep
	methodStep
)

func (c constant) eval(*state) (Value, error) { return c.v, nil }

func (e *stringExpr) eval(s *state) (Value, error) {
	text, err := s.capture(e.nodes)
	if err != nil {
		return nil, err
	}
	return text, nil
}

func (e *defineExpr) eval(s *state) (Value, error) { return &block{e.nodes, s.frame}, nil }

func (e *notExpr) eval(s *state) (Value, error) {
	v, err := e.e.eval(s)
	if err != nil {
		return nil, err
	}
	return !truth(v), nil
}

func (e *listExpr) eval(s *state) (Value, error) {
	if err := s.spend(1 + len(e.items)); err != nil {
		return nil, err
	}
	l := &List{items: make([]cell, len(e.items))}
	for i, item := range e.items {
		v, err := item.eval(s)
		if err != nil {
			return nil, err
		}
		l.items[i].v = v
	}
	return l, nil
}

func (e *mapExpr) eval(s *state) (Value, error) {
	if err := s.spend(1 + len(e.keys)); err != nil {
		return nil, err
	}
	m := NewMap()
	for i := range e.keys {
		k, err := e.keys[i].eval(s)
		if err != nil {
			return nil, err
		}
		key, err := s.text(k)
		if err != nil {
			return nil, err
		}
		v, err := e.values[i].eval(s)
		if err != nil {
			return nil, err
		}
		m.Put(key, v)
	}
	return m, nil
}

// maxRange bounds the elements of a range: one loop goes through a thousand.
const maxRange = 100_000

func (e *rangeExpr) eval(s *state) (Value, error) {
	from, err := e.from.eval(s)
	if err != nil {
		return nil, err
	}
	to, err := e.to.eval(s)
	if err != nil {
		return nil, err
	}
	a, ok1 := from.(int64)
	b, ok2 := to.(int64)
	if !ok1 || !ok2 {
		return nil, nil
	}
	s.at = e.place
	step, n := int64(1), uint64(b)-uint64(a)
	if b < a {
		step, n = -1, uint64(a)-uint64(b)
	}
	if n >= maxRange {
		return nil, fmt.Errorf("range [%d..%d] has more than %d elements", a, b, maxRange)
	}
	if err := s.spend(int(n)/4 + 1); err != nil {
		return nil, err
	}
	l := &List{items: make([]cell, n+1)}
	for i := range l.items {
		l.items[i].v = a
		a += step
	}
	return l, nil
}

func (e *binaryExpr) eval(s *state) (Value, error) {
	if err := s.spend(1); err != nil {
		return nil, err
	}
	left, err := e.left.eval(s)
	if err != nil {
		return nil, err
	}
	switch e.op {
	case opAnd:
		if !truth(left) {
			return false, nil
		}
	case opOr:
		if truth(left) {
			return true, nil
		}
	}
	right, err := e.right.eval(s)
	if err != nil {
		return nil, err
	}
	s.at = e.place
	switch e.op {
	case opAnd, opOr:
		return truth(right), nil
	case opEq, opNe:
		eq, err := s.equal(left, right, 0)
		return eq == (e.op == opEq), err
	case opLt, opLe, opGt, opGe:
		return s.ordered(e.op, left, right)
	}
	return s.arithmetic(e.op, left, right)
}

// eval follows the steps. Once the value is null it stays so.
func (r *ref) eval(s *state) (Value, error) {
	v, err := r.base(s)
	if err != nil || len(r.steps) == 0 {
		return v, err
	}
	return s.follow(v, r.steps, r.place)
}

// base returns the value of the variable or argument that r begins with.
func (r *ref) base(s *state) (Value, error) {
	if err := s.spend(1 + len(r.steps)); err != nil {
		return nil, err
	}
	if r.param < 0 {
		return s.lookup(r.slot), nil
	}
	a := &s.frame.args[r.param]
	if a.set || a.e == nil {
		return a.v, nil
	}
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.leave()
	f := s.frame
	s.frame = f.caller
	v, err := a.e.eval(s)
	s.frame = f
	return v, err
}

func (s *state) follow(v Value, steps []step, at place) (Value, error) {
	for i := range steps {
		if v == nil {
			return nil, nil
		}
		st := &steps[i]
		var err error
		switch st.kind {
		case propertyStep:
			v = property(v, st.name)
		case indexStep:
			v, err = s.index(v, st.index)
		default:
			v, err = s.method(v, st, at)
		}
		if err != nil {
			return nil, err
		}
	}
	return v, nil
}

// property returns v.name.
func property(v Value, name string) Value {
	switch v := v.(type) {
	case *Map:
		m, _ := v.Get(name)
		return m
	case Object:
		return v.Property(name)
	case *Entry:
		switch name {
		case "key":
			return v.key
		case "value":
			return v.value()
		}
	case string:
		if name == "empty" {
			return v == ""
		}
	case *List:
		if name == "empty" {
			return v.Len() == 0
		}
	}
	return nil
}

// index returns v[e]: an element of a list, counted from the end when negative, or a
// member. Outside of a list there is null.
func (s *state) index(v Value, e expr) (Value, error) {
	at, err := e.eval(s)
	if err != nil {
		return nil, err
	}
	if l, ok := v.(*List); ok {
		n, ok := at.(int64)
		if !ok {
			return nil, nil
		}
		if n < 0 {
			n += int64(l.Len())
		}
		if n < 0 || n >= int64(l.Len()) {
			return nil, nil
		}
		return l.At(int(n)), nil
	}
	key, err := s.text(at)
	if err != nil {
		return nil, err
	}
	return property(v, key), nil
}

// method calls v.name(args).
func (s *state) method(v Value, st *step, at place) (Value, error) {
	base := len(s.stack)
	for _, a := range st.args {
		x, err := a.eval(s)
		if err != nil {
			return nil, err
		}
		s.stack = append(s.stack, x)
	}
	s.at = at
	args := s.stack[base:len(s.stack):len(s.stack)]
	res, err := s.invoke(v, st.name, args)
	clear(s.stack[base:])
	s.stack = s.stack[:base]
	return res, err
}

// assign sets what r refers to. A step from null, or from something that takes no such
// member, assigns nothing, as in Velocity.
func (r *ref) assign(s *state, v Value) error {
	if len(r.steps) == 0 {
		if r.param >= 0 {
			a := &s.frame.args[r.param]
			a.v, a.set = v, true
			return nil
		}
		s.vars[r.slot] = variable{v, true}
		return nil
	}
	holder, err := r.base(s)
	if err != nil {
		return err
	}
	last := len(r.steps) - 1
	if holder, err = s.follow(holder, r.steps[:last], r.place); err != nil {
		return err
	}
	st := &r.steps[last]
	if st.kind == propertyStep {
		return s.put(holder, st.name, v)
	}
	at, err := st.index.eval(s)
	if err != nil {
		return err
	}
	if l, ok := holder.(*List); ok {
		n, ok := at.(int64)
		if !ok {
			return nil
		}
		if n < 0 {
			n += int64(l.Len())
		}
		_, err := l.set(n, v)
		return err
	}
	key, err := s.text(at)
	if err != nil {
		return err
	}
	return s.put(holder, key, v)
}

// put sets a member of a map or an object.
func (s *state) put(holder Value, key string, v Value) error {
	switch h := holder.(type) {
	case *Map:
		return s.putMap(h, key, v)
	case Setter:
		return h.SetProperty(key, v)
	}
	return nil
}

// putMap puts into a map, whose size a template's work bounds.
func (s *state) putMap(m *Map, key string, v Value) error {
	m.Put(key, v)
	return s.spend(4)
}

var errIndex = errors.New("index is outside of the list")

// set replaces element i and returns what it was.
func (l *List) set(i int64, v Value) (Value, error) {
	l.change()
	if i < 0 || i >= int64(len(l.items)) {
		return nil, errIndex
	}
	old := l.items[i].get(l.changed)
	l.items[i] = cell{v: v}
	return old, nil
}
