package vtl

import "unicode/utf8"

// A node is a part of a template that prints, or does something.
type node interface {
	render(s *state) error
}

type (
	textNode   string
	signalNode struct{ signal error } // #stop, #break, #return

	escapedNode struct {
		ref  *ref
		text string // as it is written, without the backslash
	}
	setNode struct {
		place  place
		target *ref
		value  expr
	}
	ifNode struct {
		place     place
		branches  []branch
		otherwise []node
	}
	branch struct {
		condition expr
		body      []node
	}
	foreachNode struct {
		place                          place
		variable, loop, count, hasNext int // slots
		list                           expr
		body                           []node
	}
	callNode struct {
		place      place
		macro      *macro
		args       []expr
		content    []node // of a #@call
		hasContent bool
	}
	evaluateNode struct {
		place place
		text  expr
	}
)

// macro is a #macro. It is complete when its template is compiled.
type macro struct {
	name        string
	params      int
	body        []node
	defined     bool
	bodyContent int // slot
}

func (n textNode) render(s *state) error {
	before := len(s.out)
	s.out = append(s.out, n...)
	return s.wrote(before)
}

func (n signalNode) render(*state) error { return n.signal }

// render of a reference prints its value; null prints nothing. A last property that is a
// scalar of JSON nobody changed, the most common reference of all, is printed in place.
func (r *ref) render(s *state) error {
	v, err := r.base(s)
	if err != nil {
		return err
	}
	before := len(s.out)
	if last := len(r.steps) - 1; last >= 0 {
		if v, err = s.follow(v, r.steps[:last], r.place); err != nil {
			return err
		}
		m, ok := v.(*Map)
		if ok && r.steps[last].kind == propertyStep && m.appendScalar(&s.out, r.steps[last].name) {
			s.at = r.place
			return s.wrote(before)
		}
		if v, err = s.follow(v, r.steps[last:], r.place); err != nil {
			return err
		}
	}
	s.at = r.place
	before = len(s.out)
	switch v := v.(type) {
	case nil:
	case string:
		s.out = append(s.out, v...)
	case *block:
		return s.renderBlock(v)
	default:
		if s.out, err = s.appendText(s.out, v); err != nil {
			return err
		}
	}
	return s.wrote(before)
}

// render prints a reference as it is written; the backslash before it stays when there is no
// such value, as in Velocity.
func (n *escapedNode) render(s *state) error {
	v, err := n.ref.eval(s)
	if err != nil {
		return err
	}
	before := len(s.out)
	if v == nil {
		s.out = append(s.out, '\\')
	}
	s.out = append(s.out, n.text...)
	return s.wrote(before)
}

func (n *setNode) render(s *state) error {
	v, err := n.value.eval(s)
	if err != nil {
		return err
	}
	s.at = n.place
	return n.target.assign(s, v)
}

func (n *ifNode) render(s *state) error {
	if err := s.spend(1); err != nil {
		return err
	}
	for i := range n.branches {
		v, err := n.branches[i].condition.eval(s)
		if err != nil {
			return err
		}
		if truth(v) {
			return s.block(n.branches[i].body)
		}
	}
	return s.block(n.otherwise)
}

// truth is Velocity's: null and false are false, everything else is true, the empty string
// too (mapping-templates reference, section 1.2).
func truth(v Value) bool {
	b, ok := v.(bool)
	return v != nil && (!ok || b)
}

func (n *foreachNode) render(s *state) error {
	v, err := n.list.eval(s)
	if err != nil {
		return err
	}
	s.at = n.place
	list := iterable(v)
	if list == nil || list.Len() == 0 {
		return nil
	}
	if err := s.spend(list.Len()/16 + 1); err != nil {
		return err
	}
	saved := [...]variable{s.vars[n.variable], s.vars[n.loop], s.vars[n.count], s.vars[n.hasNext]}
	defer func() {
		s.vars[n.variable], s.vars[n.loop], s.vars[n.count], s.vars[n.hasNext] = saved[0], saved[1], saved[2], saved[3]
	}()
	lp := &loop{}
	if outer, ok := saved[1].v.(*loop); ok {
		lp.parent = outer
	}
	s.vars[n.loop] = variable{lp, true}
	total := list.Len()
	for i := 0; i < total && i < s.limits.Iterations; i++ {
		if err := s.spend(1); err != nil {
			return err
		}
		lp.index, lp.more = i, i+1 < total
		s.vars[n.variable] = variable{list.At(i), true}
		s.vars[n.count] = variable{int64(i + 1), true}
		s.vars[n.hasNext] = variable{lp.more, true}
		switch err := s.block(n.body); err {
		case nil:
		case errBreak:
			return nil
		default:
			return err
		}
	}
	return nil
}

// iterable returns what #foreach goes through: a list, the values of a map, the rest of an
// iterator. Everything else gives nil.
func iterable(v Value) *List {
	switch v := v.(type) {
	case *List:
		return v
	case *Map:
		return v.values()
	case *iterator:
		rest := &List{}
		for v.next < v.list.Len() {
			rest.Add(v.list.At(v.next))
			v.next++
		}
		return rest
	case Iterable:
		return v.Values()
	}
	return nil
}

// An Iterable is an Object that #foreach can go through.
type Iterable interface {
	Object
	// Values returns what #foreach goes through.
	Values() *List
}

// loop is $foreach.
type loop struct {
	index  int
	more   bool
	parent *loop
}

// Property returns index, count, hasNext, first, last, parent or topmost.
func (l *loop) Property(name string) Value {
	switch name {
	case "index":
		return int64(l.index)
	case "count":
		return int64(l.index + 1)
	case "hasNext":
		return l.more
	case "first":
		return l.index == 0
	case "last":
		return !l.more
	case "parent":
		if l.parent != nil {
			return l.parent
		}
	case "topmost":
		for l.parent != nil {
			l = l.parent
		}
		return l
	}
	return nil
}

// Call is the getters of the properties.
func (l *loop) Call(_ *Call, name string, args []Value) (Value, bool, error) {
	if len(args) > 0 {
		return nil, false, nil
	}
	switch name {
	case "getIndex", "index":
		return int64(l.index), true, nil
	case "getCount", "count":
		return int64(l.index + 1), true, nil
	case "hasNext", "getHasNext":
		return l.more, true, nil
	case "isFirst":
		return l.index == 0, true, nil
	case "isLast":
		return !l.more, true, nil
	}
	return nil, false, nil
}

// String is what $foreach prints.
func (l *loop) String() string { return "" }

func (n *callNode) render(s *state) error {
	s.at = n.place
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	if err := s.spend(1 + len(n.args)); err != nil {
		return err
	}
	f := &frame{args: make([]argument, n.macro.params), caller: s.frame}
	for i := range f.args {
		if i < len(n.args) {
			f.args[i].e = n.args[i]
		}
	}
	if n.hasContent {
		saved := s.vars[n.macro.bodyContent]
		s.vars[n.macro.bodyContent] = variable{&block{n.content, s.frame}, true}
		defer func() { s.vars[n.macro.bodyContent] = saved }()
	}
	s.frame = f
	err := s.block(n.macro.body)
	s.frame = f.caller
	if err == errReturn {
		return nil
	}
	return err
}

// block is what #define assigns: it is rendered at each use.
type block struct {
	nodes []node
	frame *frame // of the macro around #define
}

func (s *state) renderBlock(b *block) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	if err := s.spend(1); err != nil {
		return err
	}
	frame := s.frame
	s.frame = b.frame
	err := s.block(b.nodes)
	s.frame = frame
	return err
}

func (n *evaluateNode) render(s *state) error {
	v, err := n.text.eval(s)
	if err != nil {
		return err
	}
	s.at = n.place
	text, err := s.text(v)
	if err != nil {
		return err
	}
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	// Compiling costs more than a step per byte: a loop of evaluations must end in time.
	if err := s.spend(100 + len(text)); err != nil {
		return err
	}
	symbols := s.symbols.clone()
	p := &parser{text: text, root: text, symbols: symbols}
	p.findMacros()
	body, err := p.template()
	if err != nil {
		return located(err, text)
	}
	s.symbols = symbols
	for len(s.vars) < len(symbols.names) {
		s.vars = append(s.vars, variable{})
	}
	frame := s.frame
	s.frame = nil
	err = s.block(body)
	s.frame = frame
	s.at = n.place
	return err
}

// units returns the number of UTF-16 units of s, which is what Java counts.
func units(s string) int {
	n := 0
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf {
			for _, r := range s[i:] {
				if n++; r > 0xffff {
					n++
				}
			}
			return n
		}
		n++
	}
	return n
}
