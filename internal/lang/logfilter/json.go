package logfilter

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

// maxDepth bounds the parentheses of a pattern.
const maxDepth = 32

// An expression judges a JSON document.
type expression interface{ holds(doc any) bool }

type (
	conjunction []expression
	disjunction []expression
)

func (c conjunction) holds(doc any) bool {
	for _, e := range c {
		if !e.holds(doc) {
			return false
		}
	}
	return true
}

func (d disjunction) holds(doc any) bool {
	for _, e := range d {
		if e.holds(doc) {
			return true
		}
	}
	return false
}

// A comparison is a selector, an operator and a value.
type comparison struct {
	path     []step
	operator string // = != < <= > >= IS "NOT EXISTS"
	text     string // of = and !=, with * as wildcard; of IS: TRUE, FALSE, NULL
	number   float64
	numeric  bool // the value is a number
}

// A step goes to a member, or to an element of a list.
type step struct {
	member string
	index  int // of a list; -1 for a member, allElements for [*]
}

const allElements = -2

// matchJSON judges a message; what is not a JSON object matches nothing.
func (p *Pattern) matchJSON(message []byte) bool {
	if trimmed := bytes.TrimLeft(message, " \t\r\n"); len(trimmed) == 0 || trimmed[0] != '{' {
		return false
	}
	d := json.NewDecoder(bytes.NewReader(message))
	d.UseNumber()
	var doc any
	if d.Decode(&doc) != nil {
		return false
	}
	if _, err := d.Token(); err != io.EOF {
		return false
	}
	return p.json.holds(doc)
}

func (c *comparison) holds(doc any) bool {
	values := find(nil, doc, c.path)
	if c.operator == "NOT EXISTS" {
		return len(values) == 0
	}
	for _, v := range values {
		if c.one(v) {
			return true
		}
	}
	return false
}

func (c *comparison) one(v any) bool {
	switch c.operator {
	case "IS":
		switch v := v.(type) {
		case nil:
			return c.text == "NULL"
		case bool:
			return v && c.text == "TRUE" || !v && c.text == "FALSE"
		}
		return false
	case "=":
		return c.equal(v)
	case "!=":
		return !c.equal(v)
	}
	n, ok := v.(json.Number)
	if !ok {
		return false
	}
	f, err := n.Float64()
	if err != nil {
		return false
	}
	switch c.operator {
	case "<":
		return f < c.number
	case "<=":
		return f <= c.number
	case ">":
		return f > c.number
	}
	return f >= c.number
}

func (c *comparison) equal(v any) bool {
	switch v := v.(type) {
	case string:
		return wildcard(c.text, v)
	case json.Number:
		if f, err := v.Float64(); c.numeric {
			return err == nil && f == c.number
		}
		return wildcard(c.text, v.String())
	case bool:
		return strings.EqualFold(c.text, strconv.FormatBool(v))
	}
	return false
}

// wildcard reports whether text fits a pattern in which * stands for anything.
func wildcard(pattern, text string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == text
	}
	text, ok := strings.CutPrefix(text, parts[0])
	if !ok {
		return false
	}
	last := parts[len(parts)-1]
	for _, part := range parts[1 : len(parts)-1] {
		i := strings.Index(text, part)
		if i < 0 {
			return false
		}
		text = text[i+len(part):]
	}
	return strings.HasSuffix(text, last)
}

// find appends the values that a path leads to.
func find(to []any, v any, path []step) []any {
	if len(path) == 0 {
		return append(to, v)
	}
	s := path[0]
	if s.index == -1 {
		if m, ok := v.(map[string]any); ok {
			if child, ok := m[s.member]; ok {
				return find(to, child, path[1:])
			}
		}
		return to
	}
	list, _ := v.([]any)
	if s.index == allElements {
		for _, child := range list {
			to = find(to, child, path[1:])
		}
		return to
	}
	if s.index < len(list) {
		return find(to, list[s.index], path[1:])
	}
	return to
}

// parser reads { … } by recursive descent.
type parser struct {
	s     string
	i     int
	depth int
}

func parseJSON(s string) (expression, error) {
	p := &parser{s: s, i: 1}
	e, err := p.disjunction()
	if err != nil {
		return nil, err
	}
	if !p.eat("}") {
		return nil, p.errorf(`found %s, want "}", "&&" or "||"`, p.found())
	}
	if p.space(); p.i < len(p.s) {
		return nil, p.errorf("found %s behind the pattern's end", p.found())
	}
	return e, nil
}

func (p *parser) disjunction() (expression, error) {
	e, err := p.conjunction()
	d := disjunction{e}
	for err == nil && p.eat("||") {
		e, err = p.conjunction()
		d = append(d, e)
	}
	return d, err
}

func (p *parser) conjunction() (expression, error) {
	e, err := p.operand()
	c := conjunction{e}
	for err == nil && p.eat("&&") {
		e, err = p.operand()
		c = append(c, e)
	}
	return c, err
}

func (p *parser) operand() (expression, error) {
	if !p.eat("(") {
		return p.comparison()
	}
	if p.depth++; p.depth > maxDepth {
		return nil, p.errorf("more than %d parentheses within each other", maxDepth)
	}
	e, err := p.disjunction()
	if err == nil && !p.eat(")") {
		err = p.errorf(`found %s, want ")"`, p.found())
	}
	p.depth--
	return e, err
}

func (p *parser) comparison() (expression, error) {
	c := &comparison{}
	var err error
	if c.path, err = p.selector(); err != nil {
		return nil, err
	}
	for _, op := range []string{"!=", "<=", ">=", "=", "<", ">"} {
		if p.eat(op) {
			c.operator = op
			return c, p.value(c)
		}
	}
	switch {
	case p.word("IS"):
		for _, v := range []string{"TRUE", "FALSE", "NULL"} {
			if p.word(v) {
				c.operator, c.text = "IS", v
				return c, nil
			}
		}
		return nil, p.errorf("found %s, want TRUE, FALSE or NULL", p.found())
	case p.word("NOT"):
		if p.word("EXISTS") {
			c.operator = "NOT EXISTS"
			return c, nil
		}
		return nil, p.errorf("found %s, want EXISTS", p.found())
	}
	return nil, p.errorf("found %s, want a comparison", p.found())
}

// selector reads $.a.b[0]["c d"].
func (p *parser) selector() ([]step, error) {
	if !p.eat("$") {
		return nil, p.errorf(`found %s, want a selector, which starts with "$"`, p.found())
	}
	var path []step
	for p.i < len(p.s) {
		switch p.s[p.i] {
		case '.':
			start := p.i + 1
			for p.i = start; p.i < len(p.s) && strings.IndexByte(".[]=!<>(){}&|\" \t\r\n", p.s[p.i]) < 0; p.i++ {
			}
			if p.i == start {
				return nil, p.errorf("found %s, want the name of a member", p.found())
			}
			path = append(path, step{p.s[start:p.i], -1})
		case '[':
			s, err := p.index()
			if err != nil {
				return nil, err
			}
			path = append(path, s)
		default:
			return path, nil
		}
	}
	return path, nil
}

func (p *parser) index() (step, error) {
	p.i++
	if p.space(); p.i < len(p.s) && p.s[p.i] == '"' {
		name, end, err := quoted(p.s, p.i)
		if err != nil {
			return step{}, err
		}
		p.i = end
		if !p.eat("]") {
			return step{}, p.errorf(`found %s, want "]"`, p.found())
		}
		return step{name, -1}, nil
	}
	end := strings.IndexByte(p.s[p.i:], ']')
	if end < 0 {
		return step{}, p.errorf(`found no "]"`)
	}
	text := strings.TrimSpace(p.s[p.i : p.i+end])
	s := step{index: allElements}
	if text != "*" {
		n, err := strconv.ParseUint(text, 10, 31)
		if err != nil {
			return step{}, p.errorf("found index %q, want a number or *", text)
		}
		s.index = int(n)
	}
	p.i += end + 1
	return s, nil
}

// value reads what a selection is compared with.
func (p *parser) value(c *comparison) error {
	p.space()
	if p.i < len(p.s) && p.s[p.i] == '"' {
		text, end, err := quoted(p.s, p.i)
		if err != nil {
			return err
		}
		c.text, p.i = text, end
	} else {
		start := p.i
		for p.i < len(p.s) && strings.IndexByte("(){}&|\" \t\r\n", p.s[p.i]) < 0 {
			p.i++
		}
		if c.text = p.s[start:p.i]; c.text == "" {
			return p.errorf("found %s, want a value", p.found())
		}
		if f, err := strconv.ParseFloat(c.text, 64); err == nil && !math.IsNaN(f) {
			c.number, c.numeric = f, true
		}
	}
	if c.operator != "=" && c.operator != "!=" && !c.numeric {
		return p.errorf("found %q, want a number after %s", c.text, c.operator)
	}
	return nil
}

func (p *parser) space() { p.i = skipSpace(p.s, p.i) }

// eat steps over token, when it is next.
func (p *parser) eat(token string) bool {
	p.space()
	if !strings.HasPrefix(p.s[p.i:], token) {
		return false
	}
	p.i += len(token)
	return true
}

// word steps over a word in upper case, when it is next.
func (p *parser) word(w string) bool {
	p.space()
	rest := p.s[p.i:]
	if !strings.HasPrefix(rest, w) || len(rest) > len(w) && 'A' <= rest[len(w)] && rest[len(w)] <= 'Z' {
		return false
	}
	p.i += len(w)
	return true
}

func (p *parser) found() string {
	if p.space(); p.i >= len(p.s) {
		return "the end"
	}
	return strconv.Quote(p.s[p.i : p.i+1])
}

func (p *parser) errorf(format string, args ...any) error {
	return fmt.Errorf("position %d: "+format, append([]any{p.i + 1}, args...)...)
}
