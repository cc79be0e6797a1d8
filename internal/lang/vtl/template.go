// Package vtl is Apache Velocity's template language as the service runs it in mapping
// templates: the language of Velocity 1.7, Java's methods on strings, lists and maps, and the
// service's own rules (what is undefined or null prints nothing and equals ""; see the
// mapping-templates reference, section 1).
//
// A template is compiled once, when a deployment's plan is built, and rendered by many
// requests at once: a Template is read-only. What a rendering may cost is bounded by Limits.
// #include and #parse are refused at compile time, since a template has no files to read.
package vtl

import (
	"errors"
	"fmt"
	"time"
)

// Limits that a rendering can pass; a RenderError wraps them.
var (
	ErrOutput = errors.New("output is larger than the limit")
	ErrWork   = errors.New("template takes too many steps")
	ErrDepth  = errors.New("template is nested too deeply")
	ErrTime   = errors.New("template takes too long")
)

// Limits bound one rendering. Zero values give the defaults.
type Limits struct {
	Output     int           // bytes of output, and of any one string; default 10 MiB
	Iterations int           // turns of one #foreach, which then ends silently; default 1000
	Depth      int           // macros, blocks and evaluations within each other; default 64
	Work       int           // steps, about one visit of a node each; default 5 million
	Time       time.Duration // default 5 s
}

func (l Limits) withDefaults() Limits {
	def := func(p *int, n int) {
		if *p <= 0 {
			*p = n
		}
	}
	def(&l.Output, 10<<20)
	def(&l.Iterations, 1000)
	def(&l.Depth, 64)
	def(&l.Work, 5_000_000)
	if l.Time <= 0 {
		l.Time = 5 * time.Second
	}
	return l
}

// MaxTemplate is the longest template, in bytes (quotas reference, section 2).
const MaxTemplate = 300 << 10

// A ParseError says where a template's text is wrong.
type ParseError struct {
	Line, Column int // from 1; the column counts bytes
	Msg          string
}

// Error returns the place and the message.
func (e *ParseError) Error() string {
	return fmt.Sprintf("line %d, column %d: %s", e.Line, e.Column, e.Msg)
}

// A RenderError says where and why a rendering failed.
type RenderError struct {
	Line, Column int // of the reference or directive that failed
	Err          error
}

// Error returns the place and the cause.
func (e *RenderError) Error() string {
	return fmt.Sprintf("line %d, column %d: %v", e.Line, e.Column, e.Err)
}

// Unwrap returns the cause.
func (e *RenderError) Unwrap() error { return e.Err }

// Variables supplies what a template's references begin with, like $input.
type Variables interface {
	// Variable returns the value of $name, and whether there is one. A rendering asks once
	// for each name.
	Variable(name string) (Value, bool)
}

// A Template is a compiled template.
type Template struct {
	text    string
	body    []node
	symbols *symbols
}

// Compile reads a template. An error is a *ParseError.
func Compile(text string) (*Template, error) {
	if len(text) > MaxTemplate {
		return nil, &ParseError{1, 1, fmt.Sprintf("template has %d bytes, at most %d are allowed", len(text), MaxTemplate)}
	}
	t := &Template{text: text, symbols: &symbols{slots: map[string]int{}, macros: map[string]*macro{}}}
	p := &parser{text: text, root: text, symbols: t.symbols}
	p.findMacros()
	body, err := p.template()
	if err != nil {
		return nil, located(err, text)
	}
	t.body = body
	return t, nil
}

// Render appends the template's output to dst. An error is a *RenderError; what was
// appended before it is not to be used.
func (t *Template) Render(dst []byte, vars Variables, l Limits) ([]byte, error) {
	l = l.withDefaults()
	s := &state{
		out:     dst,
		start:   len(dst),
		vars:    make([]variable, len(t.symbols.slots)),
		symbols: t.symbols,
		host:    vars,
		limits:  l,
		work:    l.Work,
		check:   max(l.Work-timeEvery, 0), // short templates never look at the clock
	}
	s.call.s = s
	if err := s.block(t.body); err != nil && err != errStop && err != errBreak && err != errReturn {
		return dst, s.failure(err, t.text)
	}
	return s.out, nil
}

// symbols numbers the variables of a template and holds its macros.
type symbols struct {
	slots  map[string]int
	names  []string
	macros map[string]*macro
}

func (sy *symbols) slot(name string) int {
	i, ok := sy.slots[name]
	if !ok {
		i = len(sy.names)
		sy.slots[name] = i
		sy.names = append(sy.names, name)
	}
	return i
}

// clone copies the symbols, so that a rendering can add its own (#evaluate).
func (sy *symbols) clone() *symbols {
	c := &symbols{slots: make(map[string]int, len(sy.slots)), names: append([]string(nil), sy.names...), macros: make(map[string]*macro, len(sy.macros))}
	for name, i := range sy.slots {
		c.slots[name] = i
	}
	for name, m := range sy.macros {
		c.macros[name] = m
	}
	return c
}
