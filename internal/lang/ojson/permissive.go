package ojson

import "strings"

// ParsePermissive reads text as the service reads payloads in templates (and the answer
// of a MOCK template): a lenient reader of JSON that also takes names and values without
// quotes, single quotes, spare commas, leading zeros, and anything after the value. A text
// that does not begin like JSON is one string, without the white space around it: that is
// how a form post arrives in $input.path('$').
//
// It fails on what the service refuses: containers and strings that do not end, a
// bracket or colon where a value or name is expected. An error is a *SyntaxError. Bytes
// that are not UTF-8 are read as U+FFFD. An empty text is the empty string.
func ParsePermissive(text string, l Limits) (Value, error) {
	if v, err := Parse(text, l); err == nil {
		return v, nil
	}
	l = l.withDefaults()
	if len(text) > l.Bytes {
		return Value{}, errorAt(text, l.Bytes, ErrTooLarge, "found %d bytes, expected at most %d", len(text), l.Bytes)
	}
	text = strings.ToValidUTF8(text, "\uFFFD")
	p := lenient{newParser(text, l)}
	defer p.free()
	p.space()
	if err := p.value(stopNever); err != nil {
		return Value{}, err
	}
	return p.document(true), nil
}

// Characters that end a name or value without quotes, by where it stands.
const (
	stopNever = ""
	stopName  = ":"
	stopValue = ",}"
	stopArray = ",]"
)

type lenient struct{ *parser }

// value reads the value at the next byte; stop ends it when it has no quotes.
func (p lenient) value(stop string) error {
	if p.i >= len(p.text) {
		if stop != stopNever {
			return p.fail("found the end, expected a value")
		}
		p.add(p.i, p.i, String, 0)
		return nil
	}
	switch p.text[p.i] {
	case ':', '}', ']':
		return p.fail("found %s, expected a value", found(p.text, p.i))
	case '{':
		return p.object()
	case '[':
		return p.array()
	case '"', '\'':
		_, err := p.quoted()
		return err
	}
	start := p.i
	p.bare(start, p.until(stop), None)
	return nil
}

// until moves to the first byte of stop, or the end, and returns where that is.
func (p lenient) until(stop string) int {
	if n := strings.IndexAny(p.text[p.i:], stop); stop != "" && n >= 0 {
		p.i += n
	} else {
		p.i = len(p.text)
	}
	return p.i
}

// bare adds the node of text without quotes: of the kind that is given, or else a number,
// a word or a string as the text has it.
func (p lenient) bare(from, to int, kind Kind) uint32 {
	s := strings.TrimSpace(p.text[from:to])
	from += strings.Index(p.text[from:to], s)
	switch {
	case kind != None:
	case s == "null":
		kind = Null
	case s == "true":
		kind = True
	case s == "false":
		kind = False
	case isLooseNumber(s):
		kind = Number
	default:
		kind = String
	}
	return p.add(from, from+len(s), kind, 0)
}

// isLooseNumber reports whether s is a number, leading zeros and a final point allowed.
func isLooseNumber(s string) bool {
	p := parser{text: strings.TrimPrefix(s, "-")}
	if !p.digits() {
		return false
	}
	if p.i < len(p.text) && p.text[p.i] == '.' {
		p.i++
		p.digits()
	}
	if p.i < len(p.text) && (p.text[p.i] == 'e' || p.text[p.i] == 'E') {
		p.i++
		if p.i < len(p.text) && (p.text[p.i] == '+' || p.text[p.i] == '-') {
			p.i++
		}
		if !p.digits() {
			return false
		}
	}
	return p.i == len(p.text)
}

// quoted reads a string in single or double quotes.
func (p lenient) quoted() (uint32, error) {
	quote := p.text[p.i]
	p.i++
	start, flags := p.i, uint8(0)
	for p.i < len(p.text) {
		switch p.text[p.i] {
		case quote:
			p.i++
			return p.add(start, p.i-1, String, flags), nil
		case '\\':
			flags = escaped
			p.i++
		}
		p.i++
	}
	p.i = len(p.text)
	return 0, p.fail("found the end, expected %q", quote)
}

func (p lenient) array() error {
	at, err := p.open(Array)
	if err != nil {
		return err
	}
	for n := 0; ; {
		p.space()
		if p.i >= len(p.text) {
			return p.fail("found the end, expected ']'")
		}
		switch p.text[p.i] {
		case ']':
			p.close(at, n)
			return nil
		case ',':
			p.i++
		default:
			if err := p.value(stopArray); err != nil {
				return err
			}
			if err := p.crowded(); err != nil {
				return err
			}
			n++
		}
	}
}

func (p lenient) object() error {
	at, err := p.open(Object)
	if err != nil {
		return err
	}
	comma := true // a name may follow
	for n := 0; ; {
		p.space()
		if p.i >= len(p.text) {
			return p.fail("found the end, expected '}'")
		}
		switch c := p.text[p.i]; {
		case c == '}':
			n -= p.shadow(at, n)
			p.close(at, n)
			return nil
		case c == ',':
			p.i++
			comma = true
		case !comma || c == ':' || c == '[' || c == ']' || c == '{':
			return p.fail("found %s, expected a name", found(p.text, p.i))
		default:
			if err := p.member(); err != nil {
				return err
			}
			if err := p.crowded(); err != nil {
				return err
			}
			n++
			comma = false
		}
	}
}

// member reads a name, a colon and a value.
func (p lenient) member() error {
	var name uint32
	if c := p.text[p.i]; c == '"' || c == '\'' {
		at, err := p.quoted()
		if err != nil {
			return err
		}
		name = at
	} else {
		start := p.i
		name = p.bare(start, p.until(stopName), String)
	}
	p.space()
	if p.i >= len(p.text) || p.text[p.i] != ':' {
		return p.fail("found %s, expected ':'", found(p.text, p.i))
	}
	p.i++
	p.space()
	p.nodes[name].next = name + 1
	return p.value(stopValue)
}
