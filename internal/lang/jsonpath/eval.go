package jsonpath

import (
	"gatehouse/internal/lang/ojson"
)

// Eval evaluates the path on root. It takes its steps from budget, which several
// evaluations may share; nil gives DefaultBudget. The only error is ErrBudget.
func (p *Path) Eval(root ojson.Value, budget *int) (Result, error) {
	if p.simple {
		return p.walk(root, budget)
	}
	if budget == nil {
		budget = new(DefaultBudget)
	}
	e := evaluation{root: root, budget: budget}
	return e.path(p, root)
}

// evaluation is one run of a path, with the filters and arguments it contains.
type evaluation struct {
	root   ojson.Value
	budget *int
}

// spend takes n steps and reports whether they were left.
func (e *evaluation) spend(n int) bool {
	*e.budget -= n
	return *e.budget >= 0
}

// path evaluates p on the value at.
func (e *evaluation) path(p *Path, at ojson.Value) (Result, error) {
	if p.simple {
		return p.walk(at, e.budget)
	}
	w := walker{evaluation: e, tokens: p.tokens}
	if n := len(p.tokens); p.tokens[n-1].scanned {
		fn := &p.tokens[n-1]
		w.tokens = p.tokens[:n-1]
		w.from(0, at)
		if w.failed {
			return Result{}, ErrBudget
		}
		return Result{Value: e.callOnList(fn, w.out)}, e.state()
	}
	w.from(0, at)
	if w.failed || *e.budget < 0 {
		return Result{}, ErrBudget
	}
	if p.definite {
		if len(w.out) == 0 {
			return Result{}, nil
		}
		return Result{Value: w.out[len(w.out)-1]}, nil
	}
	if w.out == nil {
		w.out = []ojson.Value{}
	}
	return Result{List: w.out}, nil
}

func (e *evaluation) state() error {
	if *e.budget < 0 {
		return ErrBudget
	}
	return nil
}

// walk evaluates a simple path without collecting anything.
func (p *Path) walk(v ojson.Value, budget *int) (Result, error) {
	for i := range p.tokens {
		t := &p.tokens[i]
		if budget != nil {
			if *budget -= 1 + v.Len()/8; *budget < 0 {
				return Result{}, ErrBudget
			}
		}
		if t.kind == nameToken {
			v, _ = v.Get(t.name)
		} else {
			v = element(v, t.index)
		}
		if v.Kind() == ojson.None {
			return Result{}, nil
		}
	}
	return Result{Value: v}, nil
}

// element returns element i of an array, counted from its end when negative.
func element(v ojson.Value, i int) ojson.Value {
	if i < 0 {
		i += v.Len()
	}
	return v.At(i)
}

// walker collects what the tokens of one path select.
type walker struct {
	*evaluation
	tokens []token
	out    []ojson.Value
	failed bool
}

// from applies the tokens from i on to v.
func (w *walker) from(i int, v ojson.Value) {
	if w.failed {
		return
	}
	if !w.spend(1) {
		w.failed = true
		return
	}
	if i == len(w.tokens) {
		w.out = append(w.out, v)
		return
	}
	t := &w.tokens[i]
	switch t.kind {
	case nameToken:
		w.spend(v.Len() / 8)
		if m, ok := v.Get(t.name); ok {
			w.from(i+1, m)
		}
	case namesToken:
		w.names(t, i, v)
	case indexToken:
		w.one(i+1, element(v, t.index))
	case indexesToken:
		for _, n := range t.indexes {
			w.one(i+1, element(v, n))
		}
	case sliceToken:
		w.slice(t, i, v)
	case wildcardToken:
		w.children(v, func(c ojson.Value) { w.from(i+1, c) })
	case scanToken:
		w.scan(i+1, v)
	case filterToken:
		w.filter(t, i, v)
	case functionToken:
		w.one(i+1, w.call(t, v))
	}
}

// one goes on with v if it is a value.
func (w *walker) one(i int, v ojson.Value) {
	if v.Kind() != ojson.None {
		w.from(i, v)
	}
}

// children visits the elements or members' values of v.
func (w *walker) children(v ojson.Value, visit func(ojson.Value)) {
	switch v.Kind() {
	case ojson.Array:
		for c := range v.Elements() {
			if w.failed {
				return
			}
			visit(c)
		}
	case ojson.Object:
		for _, c := range v.Members() {
			if w.failed {
				return
			}
			visit(c)
		}
	}
}

// names selects several members: at the end of a path they become one object.
func (w *walker) names(t *token, i int, v ojson.Value) {
	if v.Kind() != ojson.Object {
		return
	}
	w.spend(len(t.names) * (1 + v.Len()/8))
	if i+1 < len(w.tokens) {
		for _, name := range t.names {
			if m, ok := v.Get(name); ok {
				w.from(i+1, m)
			}
		}
		return
	}
	text := []byte{'{'}
	for _, name := range t.names {
		if m, ok := v.Get(name); ok {
			if len(text) > 1 {
				text = append(text, ',')
			}
			text = append(ojson.AppendQuoted(text, name, ojson.Smart), ':')
			text = m.Append(text, ojson.Raw)
		}
	}
	w.one(i+1, w.build(append(text, '}')))
}

// build makes a value of JSON text that was put together from values.
func (e *evaluation) build(text []byte) ojson.Value {
	if !e.spend(len(text) / 16) {
		return ojson.Value{}
	}
	v, err := ojson.Parse(string(text), ojson.Limits{Depth: 1 << 20})
	if err != nil {
		return ojson.Value{} // a double beyond the range prints as no JSON
	}
	return v
}

// slice selects a range as Jayway does: a lone bound counts from the end when negative;
// of two bounds the indexes between them do.
func (w *walker) slice(t *token, i int, v ojson.Value) {
	if v.Kind() != ojson.Array {
		return
	}
	n := v.Len()
	from, to := 0, n
	switch {
	case t.hasFrom && t.hasTo:
		from, to = t.from, min(n, t.to)
	case t.hasFrom:
		from = t.from
		if from < 0 {
			from += n
		}
		from = max(0, from)
	default:
		to = t.to
		if to < 0 {
			to += n
		}
		to = min(n, to)
	}
	if from >= 0 {
		k := 0
		for c := range v.Elements() {
			if k >= to || w.failed {
				return
			}
			if k >= from {
				w.from(i+1, c)
			}
			k++
		}
		return
	}
	for k := max(from, -n); k < to && !w.failed; k++ {
		w.spend(n / 8)
		w.one(i+1, element(v, k))
	}
}

// scan applies the token at i, and what follows it, to v and everything below it that the
// token fits, containers before their contents.
func (w *walker) scan(i int, v ojson.Value) {
	if w.failed || v.Kind() < ojson.Array {
		return
	}
	if !w.spend(1) {
		w.failed = true
		return
	}
	if w.fits(&w.tokens[i], v) {
		w.from(i, v)
	}
	w.children(v, func(c ojson.Value) { w.scan(i, c) })
}

// fits tells whether a scan applies the token to the container v.
func (w *walker) fits(t *token, v ojson.Value) bool {
	switch t.kind {
	case nameToken:
		return v.Kind() == ojson.Object
	case namesToken:
		if v.Kind() != ojson.Object {
			return false
		}
		for _, name := range t.names {
			if _, ok := v.Get(name); !ok {
				return false
			}
		}
	case indexToken, indexesToken, sliceToken:
		return v.Kind() == ojson.Array
	case filterToken:
		return v.Kind() == ojson.Object && t.filter.holds(w.evaluation, v)
	}
	return true
}

// filter selects the elements of an array for which the condition holds; an object is
// selected itself.
func (w *walker) filter(t *token, i int, v ojson.Value) {
	switch v.Kind() {
	case ojson.Object:
		if t.filter.holds(w.evaluation, v) {
			w.from(i+1, v)
		}
	case ojson.Array:
		for c := range v.Elements() {
			if w.failed || *w.budget < 0 {
				return
			}
			if t.filter.holds(w.evaluation, c) {
				w.from(i+1, c)
			}
		}
	}
}
