package vtl

import "strings"

// directive reads the directive called name, whose name is taken already and began at at.
// It returns the name when the directive ends a block.
func (p *parser) directive(name string, at int) (end string, err error) {
	switch name {
	case "end", "else":
		p.gobble()
		return name, nil
	case "elseif":
		return name, nil
	case "set":
		return "", p.set(at)
	case "if":
		return "", p.ifelse(at)
	case "foreach":
		return "", p.foreach(at)
	case "macro":
		return "", p.macro(at)
	case "define":
		return "", p.define(at)
	case "literal":
		return "", p.literalBlock(at)
	case "evaluate":
		return "", p.evaluate(at)
	case "stop":
		p.arguments()
		p.add(signalNode{errStop})
		return "", nil
	case "return":
		p.arguments()
		p.add(signalNode{errReturn})
		return "", nil
	case "break":
		if arg := strings.TrimSpace(p.arguments()); arg != "" && arg != "$foreach" {
			return "", p.fail(at, "#break(%s): only the innermost loop can be left", arg)
		}
		p.add(signalNode{errBreak})
		return "", nil
	}
	return "", p.fail(at, "#%s is not available: a template has no files to read", name)
}

// arguments takes a parenthesis and what is in it without reading it, "" without one.
func (p *parser) arguments() string {
	if p.peek(0) != '(' {
		return ""
	}
	end := strings.IndexByte(p.text[p.i:], ')')
	if end < 0 {
		return ""
	}
	text := p.text[p.i+1 : p.i+end]
	p.i += end + 1
	p.gobble()
	return text
}

// set reads "( $reference = expression )". Blanks before #set go with it when they stand
// behind a reference or directive, or at the beginning: behind text they belong to the text,
// as in Velocity 1.7.
func (p *parser) set(at int) error {
	text := p.pending.String()
	text = text[:len(text)-min(p.blanks, len(text))]
	p.pending.Reset()
	p.pending.WriteString(text)
	if err := p.expect('(', "after #set"); err != nil {
		return err
	}
	p.space()
	r, err := p.reference()
	if err != nil {
		return err
	}
	if r == nil {
		return p.fail(p.i, "found %s, expected a reference in #set", p.found())
	}
	if n := len(r.steps); n > 0 && r.steps[n-1].kind == methodStep {
		return p.fail(at, "#set cannot assign to the result of a method")
	}
	if err := p.expect('=', "in #set"); err != nil {
		return err
	}
	value, err := p.expression()
	if err != nil {
		return err
	}
	if err := p.expect(')', "after #set"); err != nil {
		return err
	}
	p.gobble()
	p.add(&setNode{place: p.place(at), target: r, value: value})
	return nil
}

// condition reads "( expression )".
func (p *parser) condition(where string) (expr, error) {
	if err := p.expect('(', where); err != nil {
		return nil, err
	}
	e, err := p.expression()
	if err != nil {
		return nil, err
	}
	if err := p.expect(')', where); err != nil {
		return nil, err
	}
	p.gobble()
	return e, nil
}

func (p *parser) ifelse(at int) error {
	p.flush()
	n := &ifNode{place: p.place(at)}
	cond, err := p.condition("after #if")
	for {
		if err != nil {
			return err
		}
		body, end, err2 := p.block()
		if err2 != nil {
			return err2
		}
		n.branches = append(n.branches, branch{cond, body})
		switch end {
		case "end":
			p.add(n)
			return nil
		case "elseif":
			cond, err = p.condition("after #elseif")
		case "else":
			if n.otherwise, end, err = p.block(); err != nil {
				return err
			}
			if end != "end" {
				return p.fail(at, "found %s, expected #end of this #if", endName(end))
			}
			p.add(n)
			return nil
		default:
			return p.fail(at, "found the end of the template, expected #end of this #if")
		}
	}
}

func endName(end string) string {
	if end == "" {
		return "the end of the template"
	}
	return "#" + end
}

// body reads a block up to #end.
func (p *parser) body(at int, name string) ([]node, error) {
	p.flush()
	body, end, err := p.block()
	if err == nil && end != "end" {
		err = p.fail(at, "found %s, expected #end of this #%s", endName(end), name)
	}
	return body, err
}

// foreach reads "( $variable in expression ) ... #end".
func (p *parser) foreach(at int) error {
	if err := p.expect('(', "after #foreach"); err != nil {
		return err
	}
	p.space()
	r, err := p.reference()
	if err != nil {
		return err
	}
	if r == nil || len(r.steps) > 0 {
		return p.fail(p.i, "found %s, expected a variable in #foreach", p.found())
	}
	p.space()
	if !strings.HasPrefix(p.text[p.i:], "in") || identifier(p.text[p.i:]) != 2 {
		return p.fail(p.i, "found %s, expected 'in'", p.found())
	}
	p.i += 2
	list, err := p.expression()
	if err != nil {
		return err
	}
	if err := p.expect(')', "after #foreach"); err != nil {
		return err
	}
	p.gobble()
	n := &foreachNode{
		place: p.place(at), variable: p.symbols.slot(r.name), list: list,
		loop: p.symbols.slot("foreach"), count: p.symbols.slot("velocityCount"), hasNext: p.symbols.slot("velocityHasNext"),
	}
	if r.param >= 0 {
		return p.fail(at, "#foreach cannot assign to the macro's argument $%s", r.name)
	}
	if n.body, err = p.body(at, "foreach"); err != nil {
		return err
	}
	p.add(n)
	return nil
}

// macro reads "( name $a $b ) ... #end". Of several definitions the first counts.
func (p *parser) macro(at int) error {
	if p.params != nil {
		return p.fail(at, "#macro within a macro")
	}
	if err := p.expect('(', "after #macro"); err != nil {
		return err
	}
	p.space()
	n := identifier(p.text[p.i:])
	if n == 0 {
		return p.fail(p.i, "found %s, expected the macro's name", p.found())
	}
	m := p.symbols.macros[p.text[p.i:p.i+n]]
	if m == nil || m.defined {
		m = &macro{name: p.text[p.i : p.i+n]} // not found before (#evaluate), or a second one
		if p.symbols.macros[m.name] == nil {
			p.symbols.macros[m.name] = m
		}
	}
	p.i += n
	params := []string{}
	for p.separators(); p.peek(0) != ')'; p.separators() {
		n := 0
		if p.peek(0) == '$' {
			n = identifier(p.text[p.i+1:])
		}
		if n == 0 {
			return p.fail(p.i, "found %s, expected an argument of the macro or ')'", p.found())
		}
		params = append(params, p.text[p.i+1:p.i+1+n])
		p.i += n + 1
	}
	p.i++
	p.gobble()
	m.defined = true
	m.params = len(params)
	m.bodyContent = p.symbols.slot("bodyContent")
	p.params = params
	body, err := p.body(at, "macro")
	p.params = nil
	m.body = body
	return err
}

// separators takes white space and commas.
func (p *parser) separators() {
	for p.space(); p.peek(0) == ','; p.space() {
		p.i++
	}
}

// call reads the arguments of a macro.
func (p *parser) call(m *macro, at int) error {
	n, err := p.callArguments(m, at)
	if err != nil {
		return err
	}
	p.gobble()
	p.add(n)
	return nil
}

func (p *parser) callArguments(m *macro, at int) (*callNode, error) {
	n := &callNode{place: p.place(at), macro: m}
	if err := p.expect('(', "after #"+m.name); err != nil {
		return nil, err
	}
	for p.separators(); p.peek(0) != ')'; p.separators() {
		arg, err := p.primary()
		if err != nil {
			return nil, err
		}
		n.args = append(n.args, arg)
	}
	p.i++
	return n, nil
}

// blockCall reads "#@name( arguments ) ... #end", the body of which is $bodyContent.
func (p *parser) blockCall() error {
	at := p.i
	n := identifier(p.text[p.i+2:])
	m := p.symbols.macros[p.text[p.i+2:p.i+2+n]]
	if m == nil {
		p.literal(2)
		return nil
	}
	p.i += n + 2
	call, err := p.callArguments(m, at)
	if err != nil {
		return err
	}
	p.gobble()
	if call.content, err = p.body(at, "@"+m.name); err != nil {
		return err
	}
	call.hasContent = true
	p.add(call)
	return nil
}

// define reads "( $name ) ... #end".
func (p *parser) define(at int) error {
	if err := p.expect('(', "after #define"); err != nil {
		return err
	}
	p.space()
	r, err := p.reference()
	if err != nil {
		return err
	}
	if r == nil || len(r.steps) > 0 {
		return p.fail(p.i, "found %s, expected a variable in #define", p.found())
	}
	if err := p.expect(')', "after #define"); err != nil {
		return err
	}
	p.gobble()
	body, err := p.body(at, "define")
	if err != nil {
		return err
	}
	p.add(&setNode{place: p.place(at), target: r, value: &defineExpr{body}})
	return nil
}

// literalBlock reads "#literal() ... #end", the text of which is kept as written. Blocks
// within it keep their own #end.
func (p *parser) literalBlock(at int) error {
	p.arguments()
	start, open := p.i, 1
	for {
		n := strings.IndexByte(p.text[p.i:], '#')
		if n < 0 {
			return p.fail(at, "found the end of the template, expected #end of this #literal")
		}
		p.i += n
		name, n := p.directiveName()
		switch name {
		case "if", "foreach", "define", "macro", "literal":
			open++
		case "end":
			open--
		}
		if open == 0 {
			p.pending.WriteString(p.text[start:p.i])
			p.i += n
			return nil
		}
		p.i += max(n, 1)
	}
}

// evaluate reads "( expression )".
func (p *parser) evaluate(at int) error {
	e, err := p.condition("after #evaluate")
	if err != nil {
		return err
	}
	p.add(&evaluateNode{place: p.place(at), text: e})
	return nil
}
