package vtl

import (
	"fmt"
	"strings"
)

// maxNesting bounds directives, expressions and strings within each other.
const maxNesting = 100

// parser reads a template's text into nodes.
type parser struct {
	text    string
	i       int
	symbols *symbols
	params  []string // of the macro whose body is read
	nesting int

	// For a string that is a template itself: the whole template, and where text is in it.
	root string
	base int

	// Offsets of brackets that were tried as an index and are text.
	brackets map[int]bool

	pending strings.Builder // text not yet made a node
	blanks  int             // bytes of it that are blanks and nothing else since whatever is no text
	nodes   []node          // of the block that is read
}

// place returns offset i as one of the whole template.
func (p *parser) place(i int) place { return place(p.base + i) }

// syntaxError is a ParseError whose line is not computed yet: text that merely looks
// like an index makes many that nobody sees.
type syntaxError struct {
	at     place
	format string
	args   []any
}

func (e *syntaxError) Error() string { return fmt.Sprintf(e.format, e.args...) }

func (p *parser) fail(at int, format string, args ...any) error {
	return &syntaxError{p.place(at), format, args}
}

// located makes a ParseError of a syntaxError.
func located(err error, text string) error {
	e, ok := err.(*syntaxError)
	if !ok {
		return err
	}
	line, column := e.at.in(text)
	return &ParseError{line, column, e.Error()}
}

func (p *parser) peek(n int) byte {
	if p.i+n < len(p.text) {
		return p.text[p.i+n]
	}
	return 0
}

func (p *parser) found() string {
	if p.i >= len(p.text) {
		return "the end"
	}
	return fmt.Sprintf("%q", p.text[p.i:min(len(p.text), p.i+1)])
}

// enter counts a level of nesting, and leave takes it back.
func (p *parser) enter() error {
	if p.nesting++; p.nesting > maxNesting {
		return p.fail(p.i, "nested deeper than %d", maxNesting)
	}
	return nil
}

func (p *parser) leave() { p.nesting-- }

// findMacros notes the names of all macros, which may be called before they are defined.
func (p *parser) findMacros() {
	text := p.text
	for {
		i := strings.Index(text, "#macro")
		if i < 0 {
			return
		}
		text = text[i+len("#macro"):]
		rest := strings.TrimLeft(text, " \t")
		if !strings.HasPrefix(rest, "(") {
			continue
		}
		rest = strings.TrimLeft(rest[1:], " \t\r\n")
		if n := identifier(rest); n > 0 && p.symbols.macros[rest[:n]] == nil {
			p.symbols.macros[rest[:n]] = &macro{name: rest[:n]}
		}
	}
}

// identifier returns the length of the identifier at the start of s. Hyphens belong to it
// as in Velocity 1.7, when another of its characters follows.
func identifier(s string) int {
	if s == "" || !letter(s[0]) {
		return 0
	}
	i := 1
	for i < len(s) {
		c := s[i]
		if letter(c) || digit(c) || c == '-' && i+1 < len(s) && (letter(s[i+1]) || digit(s[i+1])) {
			i++
			continue
		}
		break
	}
	return i
}

func letter(c byte) bool { return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_' }
func digit(c byte) bool  { return '0' <= c && c <= '9' }

// template reads everything.
func (p *parser) template() ([]node, error) {
	nodes, end, err := p.block()
	if err == nil && end != "" {
		err = p.fail(p.i, "#%s without a directive that it belongs to", end)
	}
	return nodes, err
}

// block reads nodes until #end, #else or #elseif, whose name it returns with p.i behind it,
// or the end of the text.
func (p *parser) block() ([]node, string, error) {
	if err := p.enter(); err != nil {
		return nil, "", err
	}
	defer p.leave()
	outer := p.nodes
	p.nodes = nil
	defer func() { p.nodes = outer }()
	for p.i < len(p.text) {
		n := strings.IndexAny(p.text[p.i:], `$#\`)
		if n < 0 {
			p.pending.WriteString(p.text[p.i:])
			p.i = len(p.text)
			break
		}
		p.pending.WriteString(p.text[p.i : p.i+n])
		p.blanks = 0
		if strings.Trim(p.text[p.i:p.i+n], " \t") == "" {
			p.blanks = n
		}
		p.i += n
		end, err := p.special()
		if err != nil {
			return nil, "", err
		}
		if end != "" {
			p.flush()
			return p.nodes, end, nil
		}
	}
	p.flush()
	return p.nodes, "", nil
}

// flush makes a node of the pending text.
func (p *parser) flush() {
	if p.pending.Len() > 0 {
		p.nodes = append(p.nodes, textNode(p.pending.String()))
		p.pending.Reset()
	}
}

func (p *parser) add(n node) {
	p.flush()
	p.nodes = append(p.nodes, n)
}

// literal takes the next n bytes as text.
func (p *parser) literal(n int) {
	p.pending.WriteString(p.text[p.i : p.i+n])
	p.i += n
}

// special reads what begins with '$', '#' or '\'.
func (p *parser) special() (end string, err error) {
	switch p.text[p.i] {
	case '\\':
		return "", p.backslashes()
	case '$':
		start := p.i
		r, err := p.reference()
		if err != nil {
			return "", err
		}
		if r == nil {
			p.i = start
			p.literal(1)
			return "", nil
		}
		p.add(r)
		return "", nil
	}
	return p.hash()
}

// backslashes reads a run of them. Before a reference or directive each pair is one, and an
// odd one makes it text, and stays itself where the reference has no value; elsewhere they
// are text.
func (p *parser) backslashes() error {
	n := 0
	for p.peek(n) == '\\' {
		n++
	}
	start := p.i
	p.i += n
	length, r, err := p.escapable()
	if err != nil {
		return err
	}
	if length == 0 {
		p.pending.WriteString(p.text[start : start+n])
		return nil
	}
	p.pending.WriteString(p.text[start : start+n/2])
	switch {
	case n%2 == 0:
	case r != nil:
		p.add(&escapedNode{r, p.text[p.i : p.i+length]})
		p.i += length
	default:
		p.literal(length)
	}
	return nil
}

// escapable returns the length of the reference, and the reference, or the length of the
// directive's name, at p.i.
func (p *parser) escapable() (int, *ref, error) {
	switch p.peek(0) {
	case '$':
		start := p.i
		r, err := p.reference()
		n := p.i - start
		p.i = start
		if r == nil || err != nil {
			return 0, nil, err
		}
		return n, r, nil
	case '#':
		if name, n := p.directiveName(); name != "" && (directives[name] || p.symbols.macros[name] != nil) {
			return n, nil, nil
		}
	}
	return 0, nil, nil
}

// directiveName returns the name behind '#' or "#{", and the length of all of it.
func (p *parser) directiveName() (string, int) {
	rest := p.text[p.i+1:]
	if braced, ok := strings.CutPrefix(rest, "{"); ok {
		n := identifier(braced)
		if n > 0 && n < len(braced) && braced[n] == '}' {
			return braced[:n], n + 3
		}
		return "", 0
	}
	if n := identifier(rest); n > 0 {
		return rest[:n], n + 1
	}
	return "", 0
}

var directives = map[string]bool{
	"set": true, "if": true, "elseif": true, "else": true, "end": true, "foreach": true,
	"macro": true, "define": true, "include": true, "parse": true, "stop": true, "break": true,
	"evaluate": true, "return": true, "literal": true,
}

// hash reads a comment, literal text, or a directive; another '#' is text.
func (p *parser) hash() (end string, err error) {
	rest := p.text[p.i:]
	switch {
	case strings.HasPrefix(rest, "##"):
		p.i += len(rest)
		if n := strings.IndexAny(rest, "\r\n"); n >= 0 {
			p.i += n - len(rest)
			p.newline()
		}
		return "", nil
	case strings.HasPrefix(rest, "#*"):
		n := strings.Index(rest[2:], "*#")
		if n < 0 {
			return "", p.fail(p.i, "comment #* without *#")
		}
		p.i += n + 4
		return "", nil
	case strings.HasPrefix(rest, "#[["):
		n := strings.Index(rest, "]]#")
		if n < 0 {
			return "", p.fail(p.i, "#[[ without ]]#")
		}
		p.pending.WriteString(rest[3:n])
		p.i += n + 3
		return "", nil
	case strings.HasPrefix(rest, "#@"):
		return "", p.blockCall()
	}
	name, n := p.directiveName()
	switch {
	case name != "" && directives[name]:
		at := p.i
		p.i += n
		return p.directive(name, at)
	case name != "" && p.symbols.macros[name] != nil && p.opens(n):
		at := p.i
		p.i += n
		return "", p.call(p.symbols.macros[name], at)
	}
	p.literal(1)
	return "", nil
}

// opens reports whether a parenthesis follows n bytes on, blanks apart.
func (p *parser) opens(n int) bool {
	for p.peek(n) == ' ' || p.peek(n) == '\t' {
		n++
	}
	return p.peek(n) == '('
}

// newline takes one line end.
func (p *parser) newline() {
	if p.peek(0) == '\r' {
		p.i++
	}
	if p.peek(0) == '\n' {
		p.i++
	}
}

// gobble takes blanks and the line end behind them, or nothing: a directive's line
// leaves no empty line, as in Velocity 1.7.
func (p *parser) gobble() {
	n := 0
	for p.peek(n) == ' ' || p.peek(n) == '\t' {
		n++
	}
	if c := p.peek(n); c == '\n' || c == '\r' {
		p.i += n
		p.newline()
	}
}

func (p *parser) space() {
	for p.i < len(p.text) {
		switch p.text[p.i] {
		case ' ', '\t', '\n', '\r':
			p.i++
		default:
			return
		}
	}
}

// expect takes the byte c after white space.
func (p *parser) expect(c byte, where string) error {
	p.space()
	if p.peek(0) != c {
		return p.fail(p.i, "found %s, expected %q %s", p.found(), c, where)
	}
	p.i++
	return nil
}
