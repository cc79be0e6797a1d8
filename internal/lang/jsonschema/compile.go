package jsonschema

import (
	_ "embed" // the meta-schema
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"gatehouse/internal/lang/ojson"
)

// ErrReference is wrapped by a refusal of a $ref that leads nowhere.
var ErrReference = errors.New("reference leads nowhere")

// An Error says where in a schema something is wrong.
type Error struct {
	Where string // JSON pointer within the schema, "" for its root
	Err   error
}

// Error returns the place and the cause.
func (e *Error) Error() string { return fmt.Sprintf("schema at %q: %v", e.Where, e.Err) }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// A Loader returns the document with an absolute URI without fragment, and whether there
// is one. It is called while compiling, at most once for a URI.
type Loader func(uri string) (ojson.Value, bool)

const metaURI = "http://json-schema.org/draft-04/schema"

//go:embed metaschema.json
var metaSchema string

// Compile compiles a schema whose own URI is base (may be ""). References to other documents
// go through load, which may be nil; the draft 4 meta-schema is known. An error is an *Error.
func Compile(schema ojson.Value, base string, load Loader) (*Schema, error) {
	u, err := url.Parse(base)
	if err != nil {
		return nil, &Error{"", err}
	}
	c := newCompiler(load)
	l := c.add(schema, u)
	return c.all(l.v, l.base)
}

func newCompiler(load Loader) *compiler {
	return &compiler{load: load, done: map[ojson.Value]*Schema{}, known: map[string]located{}}
}

// add makes a document known by its URI.
func (c *compiler) add(v ojson.Value, u *url.URL) located {
	c.index(v, u, 0)
	l := located{v, u}
	c.known[u.String()] = l
	return l
}

// all compiles a schema with everything that it refers to. What references lead to comes after
// what refers to it: models may refer to each other in chains that are longer than any schema is
// deep.
func (c *compiler) all(schema ojson.Value, base *url.URL) (*Schema, error) {
	s, err := c.compile(schema, base, "")
	for len(c.queue) > 0 && err == nil {
		next := c.queue[0]
		c.queue = c.queue[1:]
		err = c.fill(next.s, next.v, next.base, next.where)
	}
	if err != nil {
		return nil, err
	}
	return s, nil
}

// located is a schema and the URI that its references are relative to.
type located struct {
	v    ojson.Value
	base *url.URL
}

type compiler struct {
	load  Loader
	done  map[ojson.Value]*Schema
	queue []referred         // targets of references that are not filled yet
	known map[string]located // by URI, with the fragment of plain names
	depth int
}

// referred is a schema that a reference, at where, leads to.
type referred struct {
	s *Schema
	located
	where string
}

// maxDepth bounds schemas within each other.
const maxDepth = 500

// child returns the base URI within v: an id changes it, unless $ref stands beside.
func child(v ojson.Value, base *url.URL) *url.URL {
	if ref, ok := v.Get("$ref"); ok && ref.Kind() == ojson.String {
		return base
	}
	id, ok := v.Get("id")
	if !ok || id.Kind() != ojson.String {
		return base
	}
	u, err := url.Parse(id.Text())
	if err != nil {
		return base
	}
	return base.ResolveReference(u)
}

// index notes the schemas with an id in v.
func (c *compiler) index(v ojson.Value, base *url.URL, depth int) {
	if v.Kind() != ojson.Object || depth > maxDepth {
		return
	}
	if u := child(v, base); u != base {
		base = u
		c.known[u.String()] = located{v, withoutFragment(u)}
		if u.Fragment != "" {
			base = withoutFragment(u)
		}
	}
	for name, m := range v.Members() {
		switch name {
		case "properties", "patternProperties", "definitions", "dependencies":
			for _, s := range m.Members() {
				c.index(s, base, depth+1)
			}
		case "items", "allOf", "anyOf", "oneOf", "not", "additionalItems", "additionalProperties":
			c.index(m, base, depth+1)
			for s := range m.Elements() {
				c.index(s, base, depth+1)
			}
		}
	}
}

func withoutFragment(u *url.URL) *url.URL {
	c := *u
	c.Fragment, c.RawFragment = "", ""
	return &c
}

// resolve finds what a $ref refers to.
func (c *compiler) resolve(ref string, base *url.URL) (located, error) {
	u, err := url.Parse(ref)
	if err != nil {
		return located{}, err
	}
	u = base.ResolveReference(u)
	if l, ok := c.known[u.String()]; ok {
		return l, nil
	}
	root := withoutFragment(u)
	l, ok := c.document(root)
	if !ok {
		return located{}, fmt.Errorf("%q: %w", ref, ErrReference)
	}
	if u.Fragment == "" {
		return l, nil
	}
	if found, ok := c.known[u.String()]; ok {
		return found, nil
	}
	if !strings.HasPrefix(u.Fragment, "/") {
		return located{}, fmt.Errorf("%q: %w", ref, ErrReference)
	}
	return c.pointer(l, u.Fragment, ref)
}

// document returns the document with the URI, loading it when it is not known.
func (c *compiler) document(u *url.URL) (located, bool) {
	key := u.String()
	if l, ok := c.known[key]; ok {
		return l, true
	}
	var v ojson.Value
	ok := false
	if key == metaURI {
		var err error
		if v, err = ojson.Parse(metaSchema, ojson.Limits{}); err != nil {
			panic("jsonschema: the embedded meta-schema is not JSON: " + err.Error())
		}
		ok = true
	} else if c.load != nil {
		v, ok = c.load(key)
	}
	if !ok {
		return located{}, false
	}
	l := located{v, u}
	c.known[key] = l
	c.index(v, u, 0)
	return l, true
}

// pointer follows a JSON pointer (RFC 6901).
func (c *compiler) pointer(l located, path, ref string) (located, error) {
	for i, part := range strings.Split(path[1:], "/") {
		part = strings.NewReplacer("~1", "/", "~0", "~").Replace(part)
		if i > 0 {
			l.base = withoutFragment(child(l.v, l.base))
		}
		ok := false
		switch l.v.Kind() {
		case ojson.Object:
			l.v, ok = l.v.Get(part)
		case ojson.Array:
			n, err := strconv.Atoi(part)
			l.v = l.v.At(n)
			ok = err == nil && l.v.Kind() != ojson.None
		}
		if !ok {
			return located{}, fmt.Errorf("%q: %w", ref, ErrReference)
		}
	}
	return l, nil
}

// compile compiles the schema v.
func (c *compiler) compile(v ojson.Value, base *url.URL, where string) (*Schema, error) {
	if s, ok := c.done[v]; ok {
		return s, nil
	}
	if v.Kind() != ojson.Object {
		return nil, &Error{where, fmt.Errorf("found %s, expected an object", v.Kind())}
	}
	s := &Schema{}
	c.done[v] = s
	return s, c.fill(s, v, base, where)
}

// later returns the schema of a reference's target, which is filled when its turn comes.
func (c *compiler) later(target located, where string) (*Schema, error) {
	if s, ok := c.done[target.v]; ok {
		return s, nil
	}
	if target.v.Kind() != ojson.Object {
		return nil, &Error{where, fmt.Errorf("found %s, expected an object", target.v.Kind())}
	}
	s := &Schema{}
	c.done[target.v] = s
	c.queue = append(c.queue, referred{s, target, where})
	return s, nil
}

// fill compiles the schema v into s.
func (c *compiler) fill(s *Schema, v ojson.Value, base *url.URL, where string) error {
	if c.depth++; c.depth > maxDepth {
		return &Error{where, fmt.Errorf("nested deeper than %d", maxDepth)}
	}
	defer func() { c.depth-- }()
	base = withoutFragment(child(v, base))
	if ref, ok := v.Get("$ref"); ok && ref.Kind() == ojson.String {
		target, err := c.resolve(ref.Text(), base)
		if err != nil {
			return &Error{where, err}
		}
		s.ref, err = c.later(target, where)
		return err
	}
	k := keywords{compiler: c, s: s, v: v, base: base, where: where}
	return k.read()
}
