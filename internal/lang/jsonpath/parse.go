package jsonpath

import (
	"fmt"
	"strconv"
	"strings"
)

// Bounds on the text of a path.
const (
	maxText  = 16 << 10 // bytes
	maxDepth = 32       // filters and arguments within each other
)

// Compile reads a path. One without a leading $ or @ is read as if it began with "$.".
// An error is an *Error.
func Compile(text string) (*Path, error) {
	if len(text) > maxText {
		return nil, &Error{text[:64], maxText, fmt.Sprintf("found %d bytes, expected at most %d", len(text), maxText)}
	}
	p := &parser{text: text, source: text}
	if trimmed := strings.TrimSpace(text); trimmed == "" {
		return nil, p.fail("found no path")
	} else if trimmed[0] != '$' && trimmed[0] != '@' {
		p.text = "$." + trimmed
		if trimmed[0] == '[' {
			p.text = "$" + trimmed
		}
	} else {
		p.text = trimmed
	}
	path, err := p.path(false)
	if err != nil {
		return nil, err
	}
	path.text = text
	return path, nil
}

type parser struct {
	text   string
	source string // what the caller gave, for errors
	i      int
	depth  int
}

func (p *parser) fail(format string, args ...any) error {
	return &Error{p.source, p.i, fmt.Sprintf(format, args...)}
}

func (p *parser) found() string {
	if p.i >= len(p.text) {
		return "the end"
	}
	return strconv.QuoteRune([]rune(p.text[p.i:min(len(p.text), p.i+4)])[0])
}

// peek returns the byte n after the next one, 0 beyond the end.
func (p *parser) peek(n int) byte {
	if p.i+n < len(p.text) {
		return p.text[p.i+n]
	}
	return 0
}

func (p *parser) space() {
	for p.i < len(p.text) && (p.text[p.i] == ' ' || p.text[p.i] == '\t' || p.text[p.i] == '\n' || p.text[p.i] == '\r') {
		p.i++
	}
}

// path reads a path that begins with $ or @. Within a filter or argument it ends before the
// first character that cannot belong to it; otherwise everything must.
func (p *parser) path(within bool) (*Path, error) {
	start := p.i
	p.i++
	path := &Path{}
	for p.i < len(p.text) {
		c := p.text[p.i]
		if c != '.' && c != '[' {
			if within {
				break
			}
			return nil, p.fail("found %s, expected '.' or '['", p.found())
		}
		var err error
		if c == '[' {
			err = p.bracket(path)
		} else {
			err = p.dot(path, within)
		}
		if err != nil {
			return nil, err
		}
	}
	if n := len(path.tokens); n > 0 && path.tokens[n-1].kind == scanToken {
		return nil, p.fail("a path must not end with '..'")
	}
	path.text = p.text[start:p.i]
	path.finish()
	return path, nil
}

// dot reads ".name", ".*", ".name(...)" or "..".
func (p *parser) dot(path *Path, within bool) error {
	p.i++
	if p.peek(0) == '.' {
		p.i++
		path.tokens = append(path.tokens, token{kind: scanToken})
		if p.peek(0) == '[' {
			return nil
		}
	}
	if p.peek(0) == '*' {
		p.i++
		path.tokens = append(path.tokens, token{kind: wildcardToken})
		return nil
	}
	start := p.i
	for p.i < len(p.text) {
		c := p.text[p.i]
		if c == '.' || c == '[' || c == '(' || c == ' ' || within && strings.IndexByte(")=<>!&|,\t\n\r]}", c) >= 0 {
			break
		}
		p.i++
	}
	name := p.text[start:p.i]
	if name == "" {
		return p.fail("found %s, expected a name", p.found())
	}
	switch p.peek(0) {
	case '(':
		return p.call(path, name)
	case ' ':
		if !within {
			return p.fail("use ['%s ...'] for names with blanks", name)
		}
	}
	path.tokens = append(path.tokens, token{kind: nameToken, name: name})
	return nil
}

// call reads the arguments of a function, whose opening parenthesis is next.
func (p *parser) call(path *Path, name string) error {
	f, ok := functions[name]
	if !ok {
		return p.fail("no function is called %q", name)
	}
	if n := len(path.tokens); n > 0 && path.tokens[n-1].kind == scanToken {
		return p.fail("a function must not follow '..'")
	}
	if p.depth++; p.depth > maxDepth {
		return p.fail("nested deeper than %d", maxDepth)
	}
	defer func() { p.depth-- }()
	t := token{kind: functionToken, function: f}
	p.i++
	for p.space(); p.peek(0) != ')'; p.space() {
		if len(t.arguments) > 0 {
			if p.peek(0) != ',' {
				return p.fail("found %s, expected ',' or ')'", p.found())
			}
			p.i++
			p.space()
		}
		arg, err := p.operand()
		if err != nil {
			return err
		}
		t.arguments = append(t.arguments, arg)
	}
	p.i++
	path.tokens = append(path.tokens, t)
	return nil
}

// bracket reads "[...]".
func (p *parser) bracket(path *Path) error {
	p.i++
	p.space()
	var t token
	var err error
	switch c := p.peek(0); {
	case c == '*':
		p.i++
		t.kind = wildcardToken
	case c == '\'' || c == '"':
		t, err = p.names()
	case c == '?':
		t, err = p.filterToken()
	case c == '-' || c == ':' || '0' <= c && c <= '9':
		t, err = p.indexes()
	default:
		err = p.fail("found %s, expected a name in quotes, an index, '*' or '?'", p.found())
	}
	if err != nil {
		return err
	}
	p.space()
	if p.peek(0) != ']' {
		return p.fail("found %s, expected ']'", p.found())
	}
	p.i++
	path.tokens = append(path.tokens, t)
	return nil
}

func (p *parser) names() (token, error) {
	var names []string
	for {
		s, err := p.quoted()
		if err != nil {
			return token{}, err
		}
		names = append(names, s)
		p.space()
		if p.peek(0) != ',' {
			break
		}
		p.i++
		p.space()
		if c := p.peek(0); c != '\'' && c != '"' {
			return token{}, p.fail("found %s, expected a name in quotes", p.found())
		}
	}
	if len(names) == 1 {
		return token{kind: nameToken, name: names[0]}, nil
	}
	return token{kind: namesToken, names: names}, nil
}

// quoted reads a string in single or double quotes; a backslash takes the special meaning
// from quotes and backslashes and has JSON's meaning before letters.
func (p *parser) quoted() (string, error) {
	quote := p.text[p.i]
	p.i++
	var b strings.Builder
	for p.i < len(p.text) {
		c := p.text[p.i]
		p.i++
		switch {
		case c == quote:
			return b.String(), nil
		case c == '\\' && p.i < len(p.text):
			if err := p.escape(&b); err != nil {
				return "", err
			}
		default:
			b.WriteByte(c)
		}
	}
	return "", p.fail("found the end, expected %q", quote)
}

// escape reads what follows a backslash.
func (p *parser) escape(b *strings.Builder) error {
	c := p.text[p.i]
	p.i++
	switch c {
	case 'n':
		b.WriteByte('\n')
	case 't':
		b.WriteByte('\t')
	case 'r':
		b.WriteByte('\r')
	case 'b':
		b.WriteByte('\b')
	case 'f':
		b.WriteByte('\f')
	case 'u':
		if p.i+4 > len(p.text) {
			return p.fail("found the end, expected four hexadecimal digits")
		}
		n, err := strconv.ParseUint(p.text[p.i:p.i+4], 16, 16)
		if err != nil {
			return p.fail("found %q, expected four hexadecimal digits", p.text[p.i:p.i+4])
		}
		b.WriteRune(rune(n))
		p.i += 4
	default:
		b.WriteByte(c)
	}
	return nil
}

// indexes reads an index, several separated by commas, or a slice.
func (p *parser) indexes() (token, error) {
	end := strings.IndexByte(p.text[p.i:], ']')
	if end < 0 {
		return token{}, p.fail("found no ']'")
	}
	body := p.text[p.i : p.i+end]
	if strings.Contains(body, ":") {
		return p.slice(body)
	}
	var list []int
	for part := range strings.SplitSeq(body, ",") {
		n, err := strconv.ParseInt(strings.TrimSpace(part), 10, 32)
		if err != nil {
			return token{}, p.fail("found %q, expected an index", part)
		}
		list = append(list, int(n))
	}
	p.i += end
	if len(list) == 1 {
		return token{kind: indexToken, index: list[0]}, nil
	}
	return token{kind: indexesToken, indexes: list}, nil
}

func (p *parser) slice(body string) (token, error) {
	t := token{kind: sliceToken}
	parts := strings.Split(body, ":")
	if len(parts) != 2 {
		return token{}, p.fail("found %q, expected a slice of two bounds", body)
	}
	for i, part := range parts {
		part = strings.TrimSpace(part)
		if part == "" {
			continue
		}
		n, err := strconv.ParseInt(part, 10, 32)
		if err != nil {
			return token{}, p.fail("found %q, expected an index", part)
		}
		if i == 0 {
			t.from, t.hasFrom = int(n), true
		} else {
			t.to, t.hasTo = int(n), true
		}
	}
	if !t.hasFrom && !t.hasTo {
		return token{}, p.fail("found a slice without bounds")
	}
	p.i += len(body)
	return t, nil
}
