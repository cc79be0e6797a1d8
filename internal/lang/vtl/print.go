package vtl

import (
	"math/big"
	"strconv"

	"gatehouse/internal/lang/ojson"
)

// maxPrintDepth bounds lists and maps within each other when they are printed or compared; a
// template can put a list into itself.
const maxPrintDepth = 1100

// text returns what a reference to v prints; null prints nothing.
func (s *state) text(v Value) (string, error) {
	switch v := v.(type) {
	case nil:
		return "", nil
	case string:
		return v, nil
	case int64:
		return strconv.FormatInt(v, 10), nil
	case *block:
		return s.capture([]node{blockNode{v}})
	}
	b, err := s.appendText(nil, v)
	if err != nil {
		return "", err
	}
	return string(b), s.fits(len(b))
}

// blockNode renders a block as part of a text.
type blockNode struct{ b *block }

func (n blockNode) render(s *state) error { return s.renderBlock(n.b) }

// appendText appends what v prints.
func (s *state) appendText(dst []byte, v Value) ([]byte, error) {
	p := printer{dst: dst, limit: len(dst) + s.limits.Output}
	if b, ok := v.(*block); ok {
		text, err := s.text(b)
		return append(dst, text...), err
	}
	err := p.java(v, 0)
	return p.dst, err
}

// A printer prints values within a limit.
type printer struct {
	dst   []byte
	limit int
}

// java appends v as Java's toString. Below the top, null is "null".
func (p *printer) java(v Value, depth int) error {
	if depth > maxPrintDepth {
		return ErrDepth
	}
	if len(p.dst) > p.limit {
		return ErrOutput
	}
	switch v := v.(type) {
	case nil:
		p.dst = append(p.dst, "null"...)
	case bool:
		p.dst = strconv.AppendBool(p.dst, v)
	case string:
		p.dst = append(p.dst, v...)
	case int64:
		p.dst = strconv.AppendInt(p.dst, v, 10)
	case float64:
		p.dst = ojson.AppendDouble(p.dst, v)
	case *big.Int:
		p.dst = v.Append(p.dst, 10)
	case Decimal:
		p.dst = append(p.dst, v...)
	case *List:
		return p.list(v, depth)
	case *Map:
		return p.mapping(v, depth)
	case *Entry:
		p.dst = append(append(p.dst, v.key...), '=')
		return p.java(v.value(), depth+1)
	case Object:
		p.dst = append(p.dst, v.String()...)
	}
	return nil
}

func (p *printer) list(l *List, depth int) error {
	if l.json {
		return p.json(l, depth)
	}
	p.dst = append(p.dst, '[')
	for i := range l.items {
		if i > 0 {
			p.dst = append(p.dst, ", "...)
		}
		if err := p.java(l.items[i].get(l.changed), depth+1); err != nil {
			return err
		}
	}
	p.dst = append(p.dst, ']')
	return nil
}

func (p *printer) mapping(m *Map, depth int) error {
	if m.src.Kind() != ojson.None && len(m.seen) == 0 {
		p.dst = m.src.AppendJava(p.dst)
		return nil
	}
	m.read() // what was looked at may have changed
	p.dst = append(p.dst, '{')
	for i := range m.entries {
		if i > 0 {
			p.dst = append(p.dst, ", "...)
		}
		p.dst = append(append(p.dst, m.entries[i].key...), '=')
		if err := p.java(m.entries[i].get(m.changed), depth+1); err != nil {
			return err
		}
	}
	p.dst = append(p.dst, '}')
	return nil
}

// json appends v as JSON, the way the service prints an array and what is in it.
func (p *printer) json(v Value, depth int) error {
	if depth > maxPrintDepth {
		return ErrDepth
	}
	if len(p.dst) > p.limit {
		return ErrOutput
	}
	switch v := v.(type) {
	case string:
		p.dst = ojson.AppendQuoted(p.dst, v, ojson.Web)
	case *List:
		if v.src.Kind() != ojson.None {
			p.dst = v.src.Append(p.dst, ojson.Web)
			return nil
		}
		p.dst = append(p.dst, '[')
		for i := range v.items {
			if i > 0 {
				p.dst = append(p.dst, ',')
			}
			if err := p.cell(&v.items[i], depth+1); err != nil {
				return err
			}
		}
		p.dst = append(p.dst, ']')
	case *Map:
		return p.jsonMap(v, depth)
	case nil, bool, int64, float64, *big.Int, Decimal:
		return p.java(v, depth)
	case *Entry:
		return p.json(v.key+"=", depth)
	case Object:
		p.dst = ojson.AppendQuoted(p.dst, v.String(), ojson.Web)
	}
	return nil
}

// cell appends an element as JSON, unread JSON directly.
func (p *printer) cell(c *cell, depth int) error {
	if c.src.Kind() != ojson.None {
		p.dst = c.src.Append(p.dst, ojson.Web)
		return nil
	}
	return p.json(c.v, depth)
}

func (p *printer) jsonMap(m *Map, depth int) error {
	if m.src.Kind() != ojson.None && len(m.seen) == 0 {
		p.dst = m.src.Append(p.dst, ojson.Web)
		return nil
	}
	m.read()
	p.dst = append(p.dst, '{')
	for i := range m.entries {
		if i > 0 {
			p.dst = append(p.dst, ',')
		}
		p.dst = ojson.AppendQuoted(p.dst, m.entries[i].key, ojson.Web)
		p.dst = append(p.dst, ':')
		if err := p.cell(&m.entries[i].cell, depth+1); err != nil {
			return err
		}
	}
	p.dst = append(p.dst, '}')
	return nil
}

// AppendJSON appends v as JSON, at most limit bytes; an error is ErrOutput or ErrDepth.
func AppendJSON(dst []byte, v Value, limit int) ([]byte, error) {
	p := printer{dst: dst, limit: len(dst) + limit}
	err := p.json(v, 0)
	return p.dst, err
}

// AppendText appends what a reference to v prints, at most limit bytes; null prints nothing.
// An error is ErrOutput or ErrDepth.
func AppendText(dst []byte, v Value, limit int) ([]byte, error) {
	if v == nil {
		return dst, nil
	}
	p := printer{dst: dst, limit: len(dst) + limit}
	err := p.java(v, 0)
	return p.dst, err
}
