package vtl

import (
	"math/big"
	"strconv"
	"strings"
)

// reference reads a reference; nil when the '$' begins none. What follows a reference that
// cannot belong to it is left.
func (p *parser) reference() (*ref, error) {
	start := p.i
	if p.peek(0) != '$' {
		return nil, nil
	}
	p.i++
	if p.peek(0) == '!' {
		p.i++
	}
	braced := p.peek(0) == '{'
	if braced {
		p.i++
	}
	n := identifier(p.text[p.i:])
	if n == 0 {
		p.i = start
		return nil, nil
	}
	r := &ref{place: p.place(start), name: p.text[p.i : p.i+n], param: -1}
	p.i += n
	for i, name := range p.params {
		if name == r.name {
			r.param = i
		}
	}
	if r.param < 0 {
		r.slot = p.symbols.slot(r.name)
	}
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer p.leave()
	for {
		st, ok, err := p.step()
		if err != nil {
			return nil, err
		}
		if !ok {
			break
		}
		r.steps = append(r.steps, st)
	}
	if braced {
		if p.peek(0) != '}' {
			return nil, p.fail(p.i, "found %s, expected '}' of %s", p.found(), p.text[start:min(p.i, start+40)])
		}
		p.i++
	}
	return r, nil
}

// step reads ".name", ".name(arguments)" or "[expression]".
func (p *parser) step() (step, bool, error) {
	switch p.peek(0) {
	case '.':
		n := identifier(p.text[p.i+1:])
		if n == 0 {
			return step{}, false, nil
		}
		st := step{kind: propertyStep, name: p.text[p.i+1 : p.i+1+n]}
		p.i += n + 1
		if p.peek(0) != '(' {
			return st, true, nil
		}
		st.kind = methodStep
		p.i++
		var err error
		st.args, err = p.list(')')
		return st, true, err
	case '[':
		start := p.i
		if p.brackets[start] {
			return step{}, false, nil
		}
		p.i++
		e, err := p.expression()
		if err == nil {
			err = p.expect(']', "of an index")
		}
		if err != nil { // text like $x[y]
			if p.brackets == nil {
				p.brackets = map[int]bool{}
			}
			p.brackets[start] = true
			p.i = start
			return step{}, false, nil
		}
		return step{kind: indexStep, index: e}, true, nil
	}
	return step{}, false, nil
}

// list reads expressions separated by commas up to the byte end, which it takes.
func (p *parser) list(end byte) ([]expr, error) {
	var list []expr
	for p.space(); p.peek(0) != end; p.space() {
		if len(list) > 0 {
			if p.peek(0) != ',' {
				return nil, p.fail(p.i, "found %s, expected ',' or %q", p.found(), end)
			}
			p.i++
		}
		e, err := p.expression()
		if err != nil {
			return nil, err
		}
		list = append(list, e)
	}
	p.i++
	return list, nil
}

// levels are the binary operators by rising precedence. Of the symbols in one level, none
// hides a longer one; words must not be followed by a letter.
var levels = [][]struct {
	text string
	op   operator
}{
	{{"||", opOr}, {"or", opOr}},
	{{"&&", opAnd}, {"and", opAnd}},
	{{"==", opEq}, {"!=", opNe}, {"eq", opEq}, {"ne", opNe}},
	{{"<=", opLe}, {">=", opGe}, {"<", opLt}, {">", opGt}, {"le", opLe}, {"ge", opGe}, {"lt", opLt}, {"gt", opGt}},
	{{"+", opAdd}, {"-", opSub}},
	{{"*", opMul}, {"/", opDiv}, {"%", opMod}},
}

func (p *parser) expression() (expr, error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer p.leave()
	return p.binary(0)
}

func (p *parser) binary(level int) (expr, error) {
	if level == len(levels) {
		return p.unary()
	}
	left, err := p.binary(level + 1)
	if err != nil {
		return nil, err
	}
	for {
		p.space()
		at := p.i
		op := p.operator(level)
		if op == 0 {
			return left, nil
		}
		right, err := p.binary(level + 1)
		if err != nil {
			return nil, err
		}
		left = &binaryExpr{place: p.place(at), op: op, left: left, right: right}
	}
}

func (p *parser) operator(level int) operator {
	rest := p.text[p.i:]
	for _, o := range levels[level] {
		if !strings.HasPrefix(rest, o.text) {
			continue
		}
		if letter(o.text[0]) && identifier(rest) != len(o.text) {
			continue
		}
		p.i += len(o.text)
		return o.op
	}
	return 0
}

func (p *parser) unary() (expr, error) {
	p.space()
	rest := p.text[p.i:]
	not := strings.HasPrefix(rest, "!")
	if strings.HasPrefix(rest, "not") && identifier(rest) == 3 {
		not = true
		p.i += 2
	}
	if not || p.peek(0) == '-' && !digit(p.peek(1)) {
		if err := p.enter(); err != nil {
			return nil, err
		}
		defer p.leave()
		at := p.i
		p.i++
		e, err := p.unary()
		if err != nil {
			return nil, err
		}
		if not {
			return &notExpr{e}, nil
		}
		return &binaryExpr{place: p.place(at), op: opSub, left: constant{int64(0)}, right: e}, nil
	}
	return p.primary()
}

// primary reads a literal, a reference, or an expression in parentheses.
func (p *parser) primary() (expr, error) {
	p.space()
	switch c := p.peek(0); {
	case c == '$':
		r, err := p.reference()
		if err != nil {
			return nil, err
		}
		if r == nil {
			return nil, p.fail(p.i, "found %s, expected a reference", p.found())
		}
		return r, nil
	case c == '"' || c == '\'':
		return p.string()
	case c == '[':
		return p.listLiteral()
	case c == '{':
		return p.mapLiteral()
	case c == '(':
		p.i++
		e, err := p.expression()
		if err != nil {
			return nil, err
		}
		return e, p.expect(')', "in an expression")
	case digit(c) || c == '-' && digit(p.peek(1)) || c == '.' && digit(p.peek(1)):
		return p.number()
	}
	n := identifier(p.text[p.i:])
	switch p.text[p.i : p.i+n] {
	case "true":
		p.i += n
		return constant{true}, nil
	case "false":
		p.i += n
		return constant{false}, nil
	case "null":
		p.i += n
		return constant{nil}, nil
	}
	return nil, p.fail(p.i, "found %s, expected a value", p.found())
}

// number reads an integer of any size or a double. Two points belong to a range.
func (p *parser) number() (expr, error) {
	start := p.i
	if p.peek(0) == '-' {
		p.i++
	}
	for digit(p.peek(0)) {
		p.i++
	}
	integer := true
	if p.peek(0) == '.' && p.peek(1) != '.' && digit(p.peek(1)) {
		integer = false
		for p.i++; digit(p.peek(0)); p.i++ {
		}
	}
	if c := p.peek(0); c == 'e' || c == 'E' {
		n := 1
		if c := p.peek(1); c == '+' || c == '-' {
			n = 2
		}
		if digit(p.peek(n)) {
			integer = false
			for p.i += n; digit(p.peek(0)); p.i++ {
			}
		}
	}
	text := p.text[start:p.i]
	if !integer {
		f, _ := strconv.ParseFloat(text, 64)
		return constant{f}, nil
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return constant{n}, nil
	}
	n, ok := new(big.Int).SetString(text, 10)
	if !ok || len(text) > 1000 {
		return nil, p.fail(start, "number of %d digits", len(text))
	}
	return constant{n}, nil
}

// string reads a string. A doubled quote is one; a backslash is itself. In double quotes the
// text is a template.
func (p *parser) string() (expr, error) {
	start := p.i
	quote := p.text[p.i]
	var b strings.Builder
	for p.i++; ; p.i++ {
		if p.i >= len(p.text) {
			return nil, p.fail(start, "string without its closing %q", quote)
		}
		if c := p.text[p.i]; c != quote {
			b.WriteByte(c)
			continue
		}
		if p.peek(1) != quote {
			break
		}
		b.WriteByte(quote)
		p.i++
	}
	p.i++
	text := b.String()
	if quote == '\'' || !strings.ContainsAny(text, `$#`) {
		return constant{text}, nil
	}
	inner := &parser{text: text, symbols: p.symbols, params: p.params, nesting: p.nesting, root: p.root, base: p.base + start + 1}
	nodes, err := inner.template()
	if err != nil {
		return nil, err
	}
	if len(nodes) == 1 {
		if t, ok := nodes[0].(textNode); ok {
			return constant{string(t)}, nil
		}
	}
	return &stringExpr{nodes}, nil
}

// listLiteral reads "[a, b]" or the range "[a..b]".
func (p *parser) listLiteral() (expr, error) {
	at := p.i
	p.i++
	p.space()
	if p.peek(0) == ']' {
		p.i++
		return &listExpr{}, nil
	}
	first, err := p.expression()
	if err != nil {
		return nil, err
	}
	p.space()
	if p.peek(0) == '.' && p.peek(1) == '.' {
		p.i += 2
		last, err := p.expression()
		if err != nil {
			return nil, err
		}
		return &rangeExpr{place: p.place(at), from: first, to: last}, p.expect(']', "of a range")
	}
	list := &listExpr{items: []expr{first}}
	for ; p.peek(0) != ']'; p.space() {
		if p.peek(0) != ',' {
			return nil, p.fail(p.i, "found %s, expected ',' or ']'", p.found())
		}
		p.i++
		e, err := p.expression()
		if err != nil {
			return nil, err
		}
		list.items = append(list.items, e)
	}
	p.i++
	return list, nil
}

// mapLiteral reads "{key: value, ...}".
func (p *parser) mapLiteral() (expr, error) {
	p.i++
	m := &mapExpr{}
	for p.space(); p.peek(0) != '}'; p.space() {
		if len(m.keys) > 0 {
			if p.peek(0) != ',' {
				return nil, p.fail(p.i, "found %s, expected ',' or '}'", p.found())
			}
			p.i++
		}
		key, err := p.expression()
		if err != nil {
			return nil, err
		}
		if err := p.expect(':', "in a map"); err != nil {
			return nil, err
		}
		value, err := p.expression()
		if err != nil {
			return nil, err
		}
		m.keys, m.values = append(m.keys, key), append(m.values, value)
	}
	p.i++
	return m, nil
}
