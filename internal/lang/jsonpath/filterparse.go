package jsonpath

import (
	"strings"

	"gatehouse/internal/lang/ojson"
	"gatehouse/internal/lang/regex"
)

// filterToken reads "?(condition)" up to the closing bracket.
func (p *parser) filterToken() (token, error) {
	p.i++
	p.space()
	if p.peek(0) != '(' {
		return token{}, p.fail("found %s, expected '(' after '?'", p.found())
	}
	p.i++
	c, err := p.or()
	if err != nil {
		return token{}, err
	}
	p.space()
	if p.peek(0) != ')' {
		return token{}, p.fail("found %s, expected ')'", p.found())
	}
	p.i++
	return token{kind: filterToken, filter: c}, nil
}

func (p *parser) or() (condition, error) {
	if p.depth++; p.depth > maxDepth {
		return nil, p.fail("nested deeper than %d", maxDepth)
	}
	defer func() { p.depth-- }()
	var list anyOf
	for {
		c, err := p.and()
		if err != nil {
			return nil, err
		}
		list = append(list, c)
		if p.space(); p.peek(0) != '|' || p.peek(1) != '|' {
			break
		}
		p.i += 2
	}
	if len(list) == 1 {
		return list[0], nil
	}
	return list, nil
}

func (p *parser) and() (condition, error) {
	var list allOf
	for {
		c, err := p.not()
		if err != nil {
			return nil, err
		}
		list = append(list, c)
		if p.space(); p.peek(0) != '&' || p.peek(1) != '&' {
			break
		}
		p.i += 2
	}
	if len(list) == 1 {
		return list[0], nil
	}
	return list, nil
}

func (p *parser) not() (condition, error) {
	odd := false
	for p.space(); p.peek(0) == '!'; p.space() {
		odd = !odd
		p.i++
	}
	c, err := p.term()
	if err == nil && odd {
		c = negated{c}
	}
	return c, err
}

// term reads a condition in parentheses, a comparison, or a path that must exist.
func (p *parser) term() (condition, error) {
	p.space()
	if p.peek(0) == '(' {
		p.i++
		c, err := p.or()
		if err != nil {
			return nil, err
		}
		p.space()
		if p.peek(0) != ')' {
			return nil, p.fail("found %s, expected ')'", p.found())
		}
		p.i++
		return c, nil
	}
	left, err := p.operand()
	if err != nil {
		return nil, err
	}
	op := p.operator()
	if op == 0 {
		return exists{left}, nil
	}
	p.space()
	right, err := p.operand()
	if err != nil {
		return nil, err
	}
	if op != opMatch && (left.re != nil || right.re != nil) {
		return nil, p.fail("a regular expression stands only beside =~")
	}
	return comparison{left, right, op}, nil
}

// operator reads an operator, 0 when there is none.
func (p *parser) operator() operator {
	p.space()
	rest := p.text[p.i:]
	for _, s := range symbols {
		if strings.HasPrefix(rest, s.text) {
			p.i += len(s.text)
			return s.op
		}
	}
	n := 0
	for n < len(rest) && n < 10 && (rest[n]|0x20 >= 'a' && rest[n]|0x20 <= 'z') {
		n++
	}
	if op, ok := words[strings.ToLower(rest[:n])]; ok {
		p.i += n
		return op
	}
	return 0
}

// operand reads a path, a string, a number, a word, a regular expression or a JSON literal.
func (p *parser) operand() (operand, error) {
	switch c := p.peek(0); c {
	case '@', '$':
		path, err := p.path(true)
		return operand{path: path, item: c == '@'}, err
	case '\'', '"':
		s, err := p.quoted()
		return operand{value: ojson.Of(s)}, err
	case '/':
		return p.pattern()
	case '[', '{':
		return p.literal()
	}
	start := p.i
	for p.i < len(p.text) && strings.IndexByte(" \t\r\n)]},=<>!&|", p.text[p.i]) < 0 {
		p.i++
	}
	word := p.text[start:p.i]
	v, err := ojson.Parse(word, ojson.Limits{})
	if err != nil {
		p.i = start
		return operand{}, p.fail("found %s, expected a path or a literal", p.found())
	}
	return operand{value: v}, nil
}

// pattern reads /regular expression/flags.
func (p *parser) pattern() (operand, error) {
	start := p.i + 1
	for p.i++; p.i < len(p.text) && p.text[p.i] != '/'; p.i++ {
		if p.text[p.i] == '\\' {
			p.i++
		}
	}
	if p.i >= len(p.text) {
		return operand{}, p.fail("found the end, expected '/'")
	}
	body := p.text[start:p.i]
	p.i++
	ignoreCase := false
	for p.i < len(p.text) && strings.IndexByte("dixmsuU", p.text[p.i]) >= 0 {
		if p.text[p.i] == 'i' {
			ignoreCase = true
		} else if p.text[p.i] != 'u' && p.text[p.i] != 'U' {
			return operand{}, p.fail("flag %q of a regular expression is not supported", p.text[p.i])
		}
		p.i++
	}
	re, err := regex.Compile(body, regex.Java, ignoreCase)
	if err != nil {
		return operand{}, p.fail("%v", err)
	}
	return operand{re: re}, nil
}

// literal reads an array or object, leniently: strings may have single quotes.
func (p *parser) literal() (operand, error) {
	start, depth := p.i, 0
	for ; p.i < len(p.text); p.i++ {
		switch c := p.text[p.i]; c {
		case '[', '{':
			depth++
		case ']', '}':
			depth--
		case '\'', '"':
			if _, err := p.quoted(); err != nil {
				return operand{}, err
			}
			p.i--
		}
		if depth == 0 {
			break
		}
	}
	if depth != 0 {
		return operand{}, p.fail("found the end, expected a bracket")
	}
	p.i++
	v, err := ojson.ParsePermissive(p.text[start:p.i], ojson.Limits{Depth: maxDepth})
	if err != nil {
		return operand{}, p.fail("literal: %v", err)
	}
	return operand{value: v}, nil
}
