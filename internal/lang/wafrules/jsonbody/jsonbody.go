// Package jsonbody takes JSON apart the way WAFv2's JSON body inspection does: into
// keys and values with their places, leniently, and keeping what was read before an error.
//
// Package wafrules calls it once per request that has a rule on JSON. Nothing is built
// but a flat list in memory that the caller reuses. A Document belongs to one
// goroutine.
//
// Behaviour: reference/wafv2.md section 7.4, "JsonBody steps".
package jsonbody

import (
	"errors"
	"hash/maphash"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// maxDepth bounds nesting; a deeper body is invalid.
const maxDepth = 500

// The reasons why a body is not valid JSON for inspection.
var (
	errRoot      = errors.New("the root is not an object or array")
	errCharacter = errors.New("invalid character")
	errTruncated = errors.New("the text ends early")
	errDuplicate = errors.New("duplicate key")
	errDepth     = errors.New("nested too deeply")
)

// Kind tells keys from values.
type Kind uint8

// The kinds of elements.
const (
	Key Kind = iota
	Value
)

// An Element is one key, or one scalar value: a string without quotes and escapes, or a
// number or literal as written.
type Element struct {
	Kind Kind
	Text string
	node int32 // the node that the key names or that is the value
}

// A node is a position in the tree. The root has parent -1.
type node struct {
	parent int32
	index  int32  // position in an array, -1 for the member of an object
	key    string // name of the member
}

// A Document is a parsed body. The zero value is ready for Parse.
type Document struct {
	// Elements are all that were read. Those from Valid on stand behind the first error: who
	// follows the service leaves them alone.
	Elements []Element
	Valid    int
	// Err is the first error, nil for a valid document. A duplicate key alone does not stop
	// the parser.
	Err error
	// Rest is where parsing stopped: the length of the source when it was read to its end.
	Rest int

	nodes []node
	stack []frame
	keys  map[keyID]struct{}
	seed  maphash.Seed
	text  []byte // decoded strings; grown only by Parse
}

// frame is an open object or array.
type frame struct {
	node   int32
	next   int32 // index of the next array element; for objects the number of members
	object bool
	first  int32 // for objects: index in nodes of the first member
}

type keyID struct {
	object int32
	hash   uint64
}

// Reset empties d, keeping its memory, so that no text of a past request is referred to.
func (d *Document) Reset() {
	clear(d.Elements)
	clear(d.nodes)
	d.Elements, d.nodes, d.stack, d.text = d.Elements[:0], d.nodes[:0], d.stack[:0], d.text[:0]
	clear(d.keys)
	d.Err, d.Valid, d.Rest = nil, 0, 0
}

// Parse reads src into d, replacing what was there. Texts of elements refer to src or to
// memory of d, and are valid until the next Parse or Reset. truncated says that src is the
// beginning of a longer body.
func (d *Document) Parse(src string, truncated bool) {
	d.Reset()
	// A decoded string is never longer than its source, so text never moves while
	// elements refer to it.
	if cap(d.text) < len(src) {
		d.text = make([]byte, 0, len(src))
	}
	p := parser{src: src, doc: d}
	if strings.HasPrefix(src, byteOrderMark) {
		p.pos = len(byteOrderMark) // backends ignore it, as RFC 8259 section 8.1 lets them
	}
	err := p.document()
	if err == nil && truncated {
		err = errTruncated
	}
	if d.Err == nil {
		d.Err, d.Valid = err, len(d.Elements)
	}
	d.Rest = p.pos
}

const byteOrderMark = "\xef\xbb\xbf"

// A Pointer is a JSON pointer (RFC 6901), split and unescaped.
type Pointer []string

// ParsePointer reads a pointer such as "/a/b~1c/0". The whole document is "" or, as
// WAFv2 writes it, "/".
func ParsePointer(s string) (Pointer, error) {
	if s == "" || s == "/" {
		return nil, nil
	}
	if s[0] != '/' {
		return nil, errors.New(`a JSON pointer begins with "/"`)
	}
	var p Pointer
	for token := range strings.SplitSeq(s[1:], "/") {
		for i := 0; i < len(token); i++ {
			if token[i] == '~' && (i+1 == len(token) || token[i+1] != '0' && token[i+1] != '1') {
				return nil, errors.New(`in a JSON pointer "~" is followed by 0 or 1`)
			}
		}
		p = append(p, strings.NewReplacer("~1", "/", "~0", "~").Replace(token))
	}
	return p, nil
}

// Under reports whether e lies below the place that p names. Keys that form the pointer
// itself do not.
func (d *Document) Under(e *Element, p Pointer) bool {
	n := e.node
	if e.Kind == Key {
		n = d.nodes[n].parent
	}
	depth := 0
	for i := n; d.nodes[i].parent >= 0; i = d.nodes[i].parent {
		depth++
	}
	for ; depth > len(p); depth-- {
		n = d.nodes[n].parent
	}
	if depth < len(p) {
		return false
	}
	for i := len(p) - 1; i >= 0; i-- {
		if !d.nodes[n].is(p[i]) {
			return false
		}
		n = d.nodes[n].parent
	}
	return true
}

// is reports whether the node is the member, or the array element, that token names.
func (n *node) is(token string) bool {
	if n.index < 0 {
		return n.key == token
	}
	v := int32(0)
	for i := 0; i < len(token); i++ {
		if token[i] < '0' || token[i] > '9' || v > 1<<24 || i > 0 && v == 0 {
			return false
		}
		v = v*10 + int32(token[i]-'0')
	}
	return token != "" && v == n.index
}

// AppendPath appends the JSON pointer of e's place, for people who ask what matched.
func (d *Document) AppendPath(dst []byte, e *Element) []byte {
	var chain [maxDepth + 2]int32
	n := 0
	for i := e.node; d.nodes[i].parent >= 0; i = d.nodes[i].parent {
		chain[n] = i
		n++
	}
	for n--; n >= 0; n-- {
		dst = append(dst, '/')
		at := &d.nodes[chain[n]]
		if at.index >= 0 {
			dst = appendInt(dst, at.index)
			continue
		}
		dst = append(dst, at.key...)
	}
	return dst
}

func appendInt(dst []byte, v int32) []byte {
	if v >= 10 {
		dst = appendInt(dst, v/10)
	}
	return append(dst, byte('0'+v%10))
}

// A parser reads one document.
type parser struct {
	src string
	pos int
	doc *Document
}

func (p *parser) document() error {
	p.space()
	if p.pos == len(p.src) {
		return errTruncated
	}
	if c := p.src[p.pos]; c != '{' && c != '[' {
		return errRoot
	}
	p.open(-1, -1, "")
	for len(p.doc.stack) > 0 {
		if err := p.member(); err != nil {
			return err
		}
	}
	p.space()
	if p.pos < len(p.src) {
		return errCharacter
	}
	return nil
}

func (p *parser) space() {
	for p.pos < len(p.src) {
		switch p.src[p.pos] {
		case ' ', '\t', '\n', '\r':
			p.pos++
		default:
			return
		}
	}
}

// separators skips white space and, as the service's parser does, any number of the
// given separator.
func (p *parser) separators(c byte) {
	for p.space(); p.pos < len(p.src) && p.src[p.pos] == c; p.space() {
		p.pos++
	}
}

// open enters the object or array at pos.
func (p *parser) open(parent, index int32, key string) {
	d := p.doc
	id := p.add(parent, index, key)
	d.stack = append(d.stack, frame{node: id, object: p.src[p.pos] == '{', first: id + 1})
	p.pos++
}

func (p *parser) add(parent, index int32, key string) int32 {
	p.doc.nodes = append(p.doc.nodes, node{parent, index, key})
	return int32(len(p.doc.nodes) - 1)
}

// member reads the next member or element of the innermost container, or its end.
func (p *parser) member() error {
	d := p.doc
	p.separators(',')
	if p.pos == len(p.src) {
		return errTruncated
	}
	top := &d.stack[len(d.stack)-1]
	closing := byte(']')
	if top.object {
		closing = '}'
	}
	if p.src[p.pos] == closing {
		p.pos++
		d.stack = d.stack[:len(d.stack)-1]
		return nil
	}
	parent, index, key := top.node, top.next, ""
	top.next++
	if top.object {
		index = -1
		var err error
		if key, err = p.key(parent); err != nil {
			return err
		}
	}
	return p.value(parent, index, key)
}

func (p *parser) key(object int32) (string, error) {
	if p.src[p.pos] != '"' {
		return "", errCharacter
	}
	key, err := p.str()
	if err != nil {
		return "", err
	}
	d := p.doc
	if d.keys == nil {
		d.keys, d.seed = make(map[keyID]struct{}), maphash.MakeSeed()
	}
	id := keyID{object, maphash.String(d.seed, key)}
	if _, dup := d.keys[id]; dup && d.Err == nil {
		d.Err, d.Valid = errDuplicate, len(d.Elements)
	}
	d.keys[id] = struct{}{}
	// The key's node is the one that its value is about to get.
	d.Elements = append(d.Elements, Element{Key, key, int32(len(d.nodes))})
	p.separators(':')
	return key, nil
}

func (p *parser) value(parent, index int32, key string) error {
	if p.pos == len(p.src) {
		p.add(parent, index, key) // the key that stands there already refers to it
		return errTruncated
	}
	c := p.src[p.pos]
	if c == '{' || c == '[' {
		p.open(parent, index, key)
		if len(p.doc.stack) > maxDepth {
			return errDepth
		}
		return nil
	}
	id := p.add(parent, index, key)
	text, err := p.scalar(c)
	if text != "" || err == nil {
		p.doc.Elements = append(p.doc.Elements, Element{Value, text, id})
	}
	return err
}

// scalar reads a string, number or literal. With an error it returns what was read of
// a string.
func (p *parser) scalar(c byte) (string, error) {
	if c == '"' {
		return p.str()
	}
	start := p.pos
	for p.pos < len(p.src) && isScalarByte(p.src[p.pos]) {
		p.pos++
	}
	text := p.src[start:p.pos]
	switch {
	case text == "true", text == "false", text == "null", isNumber(text):
		return text, nil
	case p.pos == len(p.src):
		return text, errTruncated
	}
	return "", errCharacter
}

func isScalarByte(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || c == 'E' || c == '-' || c == '+' || c == '.'
}

func isNumber(s string) bool {
	digits := false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case '0' <= c && c <= '9':
			digits = true
		case c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E':
		default:
			return false
		}
	}
	return digits
}

// str reads the string at pos. Without escapes the result refers to the source.
func (p *parser) str() (string, error) {
	start := p.pos + 1
	for i := start; i < len(p.src); i++ {
		switch c := p.src[i]; {
		case c == '"':
			p.pos = i + 1
			return p.src[start:i], nil
		case c == '\\':
			return p.escaped(start, i)
		case c < 0x20:
			p.pos = i
			return p.src[start:i], errCharacter
		}
	}
	p.pos = len(p.src)
	return p.src[start:], errTruncated
}

// escaped reads on from the first backslash, decoding into the document's text.
func (p *parser) escaped(start, i int) (string, error) {
	d := p.doc
	from := len(d.text)
	d.text = append(d.text, p.src[start:i]...)
	for i < len(p.src) {
		c := p.src[i]
		switch {
		case c == '"':
			p.pos = i + 1
			return bytesString(d.text[from:]), nil
		case c < 0x20:
			p.pos = i
			return bytesString(d.text[from:]), errCharacter
		case c != '\\':
			d.text = append(d.text, c)
			i++
			continue
		}
		n, err := p.escape(i + 1)
		if err != nil {
			p.pos = i
			return bytesString(d.text[from:]), err
		}
		i += 1 + n
	}
	p.pos = len(p.src)
	return bytesString(d.text[from:]), errTruncated
}

// escape decodes the escape whose letter is at src[i] and returns its length.
func (p *parser) escape(i int) (int, error) {
	if i == len(p.src) {
		return 0, errTruncated
	}
	text := &p.doc.text
	switch c := p.src[i]; c {
	case '"', '\\', '/':
		*text = append(*text, c)
	case 'b':
		*text = append(*text, '\b')
	case 'f':
		*text = append(*text, '\f')
	case 'n':
		*text = append(*text, '\n')
	case 'r':
		*text = append(*text, '\r')
	case 't':
		*text = append(*text, '\t')
	case 'u':
		r, ok := hex4(p.src, i+1)
		if !ok {
			if i+5 > len(p.src) {
				return 0, errTruncated
			}
			return 0, errCharacter
		}
		if utf16.IsSurrogate(r) && strings.HasPrefix(p.src[i+5:], `\u`) {
			if low, ok := hex4(p.src, i+7); ok {
				if full := utf16.DecodeRune(r, low); full != utf8.RuneError {
					*text = utf8.AppendRune(*text, full)
					return 11, nil
				}
			}
		}
		*text = utf8.AppendRune(*text, r)
		return 5, nil
	default:
		return 0, errCharacter
	}
	return 1, nil
}

func hex4(s string, i int) (rune, bool) {
	if i+4 > len(s) {
		return 0, false
	}
	var r rune
	for _, c := range []byte(s[i : i+4]) {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}
