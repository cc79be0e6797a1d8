package ojson

import (
	"math"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"
)

// Limits bound what a parser accepts. The zero value gives the defaults.
type Limits struct {
	Depth  int // containers within containers; default 1000
	Bytes  int // length of the text; default and most 1 GiB
	Values int // values and names; default 2 million, which take 40 MB
}

const (
	defaultDepth  = 1000
	defaultValues = 2_000_000
	maxBytes      = 1 << 30
)

func (l Limits) withDefaults() Limits {
	if l.Depth <= 0 {
		l.Depth = defaultDepth
	}
	if l.Bytes <= 0 || l.Bytes > maxBytes {
		l.Bytes = maxBytes
	}
	if l.Values <= 0 {
		l.Values = defaultValues
	}
	return l
}

// Parse reads one JSON text, strictly as RFC 8259 has it: UTF-8, one value, no byte order
// mark, nothing after it but white space. A name may occur several times in an object: the
// last one counts. An error is a *SyntaxError. The value keeps text alive.
func Parse(text string, l Limits) (Value, error) {
	l = l.withDefaults()
	if len(text) > l.Bytes {
		return Value{}, errorAt(text, l.Bytes, ErrTooLarge, "found %d bytes, expected at most %d", len(text), l.Bytes)
	}
	if !utf8.ValidString(text) {
		i := len(text) - len(validSuffix(text))
		return Value{}, errorAt(text, i, nil, "found byte 0x%02x, expected UTF-8", text[i])
	}
	p := newParser(text, l)
	defer p.free()
	p.space()
	if err := p.value(); err != nil {
		return Value{}, err
	}
	p.space()
	if p.i < len(text) {
		return Value{}, p.fail("found %s, expected the end", found(text, p.i))
	}
	return p.document(false), nil
}

// validSuffix returns text from its first byte that is not UTF-8.
func validSuffix(text string) string {
	for len(text) > 0 {
		r, n := utf8.DecodeRuneInString(text)
		if r == utf8.RuneError && n == 1 {
			return text
		}
		text = text[n:]
	}
	return text
}

// A parser reads one text. Its scratch space is pooled: nodes grow there, and the document
// gets a copy of the right size.
type parser struct {
	text  string
	i     int // next byte
	depth int // containers that may still be opened
	most  int // nodes
	nodes []node
}

var parsers = sync.Pool{New: func() any { return &parser{nodes: make([]node, 0, 512)} }}

func newParser(text string, l Limits) *parser {
	p := parsers.Get().(*parser)
	p.text, p.i, p.depth, p.most = text, 0, l.Depth, l.Values
	return p
}

// maxPooled is the number of nodes above which scratch space is left to the collector.
const maxPooled = 1 << 15

func (p *parser) free() {
	if cap(p.nodes) > maxPooled {
		return
	}
	p.text, p.nodes = "", p.nodes[:0]
	parsers.Put(p)
}

// document returns the root of what was read.
func (p *parser) document(permissive bool) Value {
	return Value{&document{
		text:       p.text,
		nodes:      append(make([]node, 0, len(p.nodes)), p.nodes...),
		permissive: permissive,
	}, 0}
}

func (p *parser) fail(format string, args ...any) error {
	return errorAt(p.text, p.i, nil, format, args...)
}

// crowded refuses more values than the limit.
func (p *parser) crowded() error {
	if len(p.nodes) <= p.most {
		return nil
	}
	return errorAt(p.text, p.i, ErrTooLarge, "found more than %d values and names", p.most)
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

// add appends a node. The fields are set one by one: appending a whole node that was just
// put together cost a third of the parse (the copy waits for the stores).
func (p *parser) add(off, end int, kind Kind, flags uint8) uint32 {
	n := len(p.nodes)
	if n == cap(p.nodes) {
		p.nodes = slices.Grow(p.nodes, n)
	}
	p.nodes = p.nodes[:n+1]
	nd := &p.nodes[n]
	nd.off, nd.end, nd.next, nd.n = uint32(off), uint32(end), 0, 0
	nd.kind, nd.flags = kind, flags
	return uint32(n)
}

// value reads the value that begins at the next byte.
func (p *parser) value() error {
	if p.i >= len(p.text) {
		return p.fail("found the end, expected a value")
	}
	switch c := p.text[p.i]; c {
	case '{':
		return p.object()
	case '[':
		return p.array()
	case '"':
		_, err := p.string()
		return err
	case 't':
		return p.word("true", True)
	case 'f':
		return p.word("false", False)
	case 'n':
		return p.word("null", Null)
	default:
		if c == '-' || '0' <= c && c <= '9' {
			return p.number()
		}
		return p.fail("found %s, expected a value", found(p.text, p.i))
	}
}

func (p *parser) word(w string, k Kind) error {
	if !strings.HasPrefix(p.text[p.i:], w) {
		return p.fail("found %.8q, expected %s", p.text[p.i:], w)
	}
	p.add(p.i, p.i+len(w), k, 0)
	p.i += len(w)
	return nil
}

func (p *parser) digits() bool {
	start := p.i
	for p.i < len(p.text) && '0' <= p.text[p.i] && p.text[p.i] <= '9' {
		p.i++
	}
	return p.i > start
}

// number reads a number: RFC 8259 section 6.
func (p *parser) number() error {
	start := p.i
	if p.text[p.i] == '-' {
		p.i++
	}
	if p.i < len(p.text) && p.text[p.i] == '0' {
		p.i++
	} else if !p.digits() {
		return p.fail("found %s, expected a digit", found(p.text, p.i))
	}
	if p.i < len(p.text) && p.text[p.i] == '.' {
		p.i++
		if !p.digits() {
			return p.fail("found %s, expected a digit", found(p.text, p.i))
		}
	}
	if p.i < len(p.text) && (p.text[p.i] == 'e' || p.text[p.i] == 'E') {
		p.i++
		if p.i < len(p.text) && (p.text[p.i] == '+' || p.text[p.i] == '-') {
			p.i++
		}
		if !p.digits() {
			return p.fail("found %s, expected a digit", found(p.text, p.i))
		}
	}
	p.add(start, p.i, Number, 0)
	return nil
}

// ordinary are the bytes that stand for themselves in a string.
var ordinary = func() (t [256]bool) {
	for c := 0x20; c < 256; c++ {
		t[c] = c != '"' && c != '\\'
	}
	return t
}()

// string reads a string and adds its node: RFC 8259 section 7.
func (p *parser) string() (uint32, error) {
	p.i++
	start, flags := p.i, uint8(0)
	s, i := p.text, p.i
	for i < len(s) {
		c := s[i]
		if ordinary[c] {
			i++
			continue
		}
		if c == '"' {
			p.i = i + 1
			return p.add(start, i, String, flags), nil
		}
		if c == '\\' {
			flags = escaped
			n := escapeLen(s[i:])
			if n == 0 {
				p.i = i
				return 0, p.fail("found %.6q, expected an escape", s[i:])
			}
			i += n
			continue
		}
		p.i = i
		return 0, p.fail("found %s in a string, expected it escaped", found(s, i))
	}
	p.i = i
	return 0, p.fail("found the end, expected '\"'")
}

// escapeLen returns the length of the escape at the start of s, 0 when it is none.
func escapeLen(s string) int {
	if len(s) < 2 {
		return 0
	}
	switch s[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		if _, ok := hex4(s[2:]); ok {
			return 6
		}
	}
	return 0
}

// open adds the node of a container whose bracket is the next byte.
func (p *parser) open(k Kind) (uint32, error) {
	if p.depth == 0 {
		return 0, errorAt(p.text, p.i, ErrTooDeep, "found %s, expected no deeper nesting", found(p.text, p.i))
	}
	p.depth--
	at := p.add(p.i, p.i, k, 0)
	p.i++
	p.space()
	return at, nil
}

// close completes the node at with n members; the closing bracket is the next byte.
func (p *parser) close(at uint32, n int) {
	p.i++
	p.depth++
	nd := &p.nodes[at]
	nd.end, nd.next, nd.n = uint32(p.i), uint32(len(p.nodes)), uint32(n)
}

func (p *parser) array() error {
	at, err := p.open(Array)
	if err != nil {
		return err
	}
	if p.i < len(p.text) && p.text[p.i] == ']' {
		p.close(at, 0)
		return nil
	}
	for n := 1; ; n++ {
		if err := p.value(); err != nil {
			return err
		}
		if err := p.crowded(); err != nil {
			return err
		}
		p.space()
		switch {
		case p.i < len(p.text) && p.text[p.i] == ',':
			p.i++
			p.space()
		case p.i < len(p.text) && p.text[p.i] == ']':
			p.close(at, n)
			return nil
		default:
			return p.fail("found %s, expected ',' or ']'", found(p.text, p.i))
		}
	}
}

func (p *parser) object() error {
	at, err := p.open(Object)
	if err != nil {
		return err
	}
	if p.i < len(p.text) && p.text[p.i] == '}' {
		p.close(at, 0)
		return nil
	}
	var seen filter
	for n := 1; ; n++ {
		if p.i >= len(p.text) || p.text[p.i] != '"' {
			return p.fail("found %s, expected a name in double quotes", found(p.text, p.i))
		}
		name, err := p.string()
		if err != nil {
			return err
		}
		p.space()
		if p.i >= len(p.text) || p.text[p.i] != ':' {
			return p.fail("found %s, expected ':'", found(p.text, p.i))
		}
		p.i++
		p.space()
		nd := &p.nodes[name]
		nd.next = name + 1
		seen.add(p.text[nd.off:nd.end], nd.flags&escaped != 0)
		if err := p.value(); err != nil {
			return err
		}
		if err := p.crowded(); err != nil {
			return err
		}
		p.space()
		switch {
		case p.i < len(p.text) && p.text[p.i] == ',':
			p.i++
			p.space()
		case p.i < len(p.text) && p.text[p.i] == '}':
			if seen.doubt {
				n -= p.shadow(at, n)
			}
			p.close(at, n)
			return nil
		default:
			return p.fail("found %s, expected ',' or '}'", found(p.text, p.i))
		}
	}
}

// filter is a Bloom filter of the names of one object: most objects have no two names that
// share length, first and last byte, and need no closer look.
type filter struct {
	bits  [4]uint64
	doubt bool // a name may have occurred before
}

func (f *filter) add(name string, escaped bool) {
	h := uint(len(name)) * 37
	if name != "" {
		h += uint(name[0])*7 + uint(name[len(name)/2])*3 + uint(name[len(name)-1])
	}
	word, bit := &f.bits[h>>6&3], uint64(1)<<(h&63)
	if escaped || *word&bit != 0 {
		f.doubt = true
	}
	*word |= bit
}

// fewNames is the number of members up to which pairs are compared instead of hashed.
const fewNames = 24

// shadow looks for names that occur more than once in the object at, whose n members
// are all read. It gives the first occurrence the last value, marks the others and
// returns how many they are.
func (p *parser) shadow(at uint32, n int) int {
	if n < 2 {
		return 0
	}
	d := document{text: p.text, nodes: p.nodes}
	if n <= fewNames {
		return d.shadowFew(at)
	}
	names := make(map[string]uint32, n)
	repeated := 0
	for k := at + 1; k < uint32(len(d.nodes)); k = d.after(k + 1) {
		s := d.string(k)
		if first, ok := names[s]; ok {
			d.nodes[first].next = k + 1
			d.nodes[k].flags |= shadowed
			repeated++
		} else {
			names[s] = k
		}
	}
	return repeated
}

// shadowFew is shadow for small objects.
func (d *document) shadowFew(at uint32) int {
	repeated := 0
	for k := at + 1; k < uint32(len(d.nodes)); k = d.after(k + 1) {
		s := d.string(k)
		for j := at + 1; j < k; j = d.after(j + 1) {
			if d.nodes[j].flags&shadowed == 0 && d.string(j) == s {
				d.nodes[j].next = k + 1
				d.nodes[k].flags |= shadowed
				repeated++
				break
			}
		}
	}
	return repeated
}

// hex4 reads four hexadecimal digits.
func hex4(s string) (rune, bool) {
	if len(s) < 4 {
		return 0, false
	}
	r := rune(0)
	for i := range 4 {
		d := hexDigit(s[i])
		if d > 15 {
			return 0, false
		}
		r = r<<4 | rune(d)
	}
	return r, true
}

// hexDigit returns the value of a hexadecimal digit, or a number above 15.
func hexDigit(c byte) uint8 {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10
	}
	return math.MaxUint8
}
