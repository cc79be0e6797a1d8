package mapping

import (
	"maps"
	"slices"
	"strings"
	"sync"

	"gatehouse/internal/lang/expression"
	"gatehouse/internal/lang/jsonpath"
	"gatehouse/internal/lang/ojson"
	"gatehouse/internal/lang/vtl"
)

// input is $input.
type input struct {
	call *Call
	body string

	current string // the body as templates changed it; "" before they did
	parsed  bool
	doc     ojson.Value
	root    vtl.Value // what $input.path('$') returned
	changed bool      // root, or something in it, was changed since doc was read
	params  *vtl.Map  // what $input.params() returned
}

// Property has body alone. It is text: $input.body.x is nothing.
func (in *input) Property(name string) vtl.Value {
	if name != "body" {
		return nil
	}
	if in.body == "" {
		return emptyBody
	}
	return in.body
}

// String is nothing: $input itself has no text.
func (in *input) String() string { return "" }

// Call has json, path and params.
func (in *input) Call(c *vtl.Call, name string, args []vtl.Value) (vtl.Value, bool, error) {
	if name == "params" && len(args) == 0 {
		return in.allParams(), true, nil
	}
	if name == "getBody" && len(args) == 0 {
		return in.Property("body"), true, nil
	}
	if len(args) != 1 {
		return nil, false, nil
	}
	arg, ok := args[0].(string)
	if !ok {
		return nil, false, nil
	}
	switch name {
	case "params":
		return in.param(arg), true, nil
	case "path":
		v, err := in.path(c, arg)
		return v, true, err
	case "json":
		v, err := in.json(c, arg)
		return v, true, err
	}
	return nil, false, nil
}

// param looks a parameter up in path, query string and headers; a missing one is "".
func (in *input) param(name string) vtl.Value {
	if in.call.Parameters == nil {
		return ""
	}
	for _, place := range []expression.Source{expression.Path, expression.Query, expression.Header} {
		if v, ok := in.call.Parameters.Parameter(place, name); ok {
			return v
		}
	}
	return ""
}

// allParams is $input.params(): the maps path, querystring and header.
func (in *input) allParams() vtl.Value {
	if in.params != nil {
		return in.params
	}
	in.params = vtl.NewMap()
	for _, p := range []struct {
		name  string
		place expression.Source
	}{{"path", expression.Path}, {"querystring", expression.Query}, {"header", expression.Header}} {
		m := vtl.NewMap()
		if in.call.Parameters != nil {
			for name, v := range in.call.Parameters.All(p.place) {
				m.Put(name, v)
			}
		}
		in.params.Put(p.name, m)
	}
	return in.params
}

// document reads the body once, and again when a template changed what it was given.
func (in *input) document(c *vtl.Call) error {
	if in.changed {
		text, err := vtl.AppendJSON(nil, in.root, maxChanged)
		if err != nil {
			return err
		}
		if err := c.Fits(len(text)); err != nil {
			return err
		}
		in.current, in.parsed, in.changed = string(text), false, false
	}
	if in.parsed {
		return nil
	}
	body := in.current
	if body == "" {
		body = in.body
	}
	if strings.TrimSpace(body) == "" {
		body = emptyBody
	}
	if err := c.Spend(len(body) / 64); err != nil {
		return err
	}
	var err error
	if in.doc, err = read(body); err != nil {
		return err
	}
	in.parsed = true
	return nil
}

// maxChanged bounds a body that a template made of the one it got.
const maxChanged = 10 << 20

// path is $input.path: the value, or the list of an indefinite path. Values of a definite
// path are parts of one tree, so that a change is seen wherever it is looked at again;
// those of a list are copies.
func (in *input) path(c *vtl.Call, text string) (vtl.Value, error) {
	r, err := in.eval(c, text)
	switch {
	case err != nil:
		return nil, err
	case r.List != nil:
		return vtl.FromJSONList(r.List), nil
	case r.Value.Kind() < ojson.Array:
		return vtl.FromJSON(r.Value), nil
	}
	if ojson.Same(r.Value, in.doc) {
		return in.tree(), nil
	}
	if v, ok := in.inTree(r.Value); ok {
		return v, nil
	}
	return vtl.FromJSON(r.Value), nil
}

// tree returns the body as the value that templates may change.
func (in *input) tree() vtl.Value {
	if in.root == nil {
		in.root = vtl.FromJSONTracked(in.doc, &in.changed)
	}
	return in.root
}

// maxTreeDepth bounds how deep a value is looked for in the tree: further down it is a copy.
const maxTreeDepth = 32

// inTree finds the part of the tree that stands for v, going down the members and elements
// that contain it.
func (in *input) inTree(v ojson.Value) (vtl.Value, bool) {
	at, doc := in.tree(), in.doc
	for range maxTreeDepth {
		next := ojson.Value{}
		switch tree := at.(type) {
		case *vtl.Map:
			for name, member := range doc.Members() {
				if ojson.Contains(member, v) {
					next = member
					at, _ = tree.Get(name)
					break
				}
			}
		case *vtl.List:
			i := 0
			for element := range doc.Elements() {
				if ojson.Contains(element, v) {
					next = element
					at = tree.At(i)
					break
				}
				i++
			}
		}
		if next.Kind() == ojson.None {
			return nil, false
		}
		if ojson.Same(next, v) {
			return at, true
		}
		doc = next
	}
	return nil, false
}

// json is $input.json: the value as JSON text; what is missing, and null, is two quotes.
func (in *input) json(c *vtl.Call, text string) (vtl.Value, error) {
	r, err := in.eval(c, text)
	if err != nil {
		return nil, err
	}
	if !r.Found() {
		return `""`, nil
	}
	out := r.Append(nil, ojson.Smart)
	return string(out), c.Fits(len(out))
}

func (in *input) eval(c *vtl.Call, text string) (jsonpath.Result, error) {
	if err := in.document(c); err != nil {
		return jsonpath.Result{}, err
	}
	p, err := compiled(c, text)
	if err != nil {
		return jsonpath.Result{}, err
	}
	before := max(c.Budget(), 0)
	budget := before
	r, err := p.Eval(in.doc, &budget)
	if err != nil {
		return r, err
	}
	return r, c.Spend(before - budget)
}

// paths keeps compiled paths, which templates nearly always write as constants. It is
// emptied when it is full.
var paths struct {
	sync.RWMutex
	m map[string]*jsonpath.Path
}

const (
	maxPaths    = 4096
	maxPathText = 512 // longer ones are compiled at each use
)

func compiled(c *vtl.Call, text string) (*jsonpath.Path, error) {
	paths.RLock()
	p := paths.m[text]
	paths.RUnlock()
	if p != nil {
		return p, nil
	}
	if err := c.Spend(50 + len(text)); err != nil {
		return nil, err
	}
	p, err := jsonpath.Compile(text)
	if err != nil {
		return nil, err
	}
	if len(text) <= maxPathText {
		paths.Lock()
		if paths.m == nil || len(paths.m) >= maxPaths {
			paths.m = make(map[string]*jsonpath.Path)
		}
		paths.m[strings.Clone(text)] = p
		paths.Unlock()
	}
	return p, nil
}

// sortedMap makes a map of vars, in the order of their names.
func sortedMap(vars map[string]string) *vtl.Map {
	m := vtl.NewMap()
	for _, name := range slices.Sorted(maps.Keys(vars)) {
		m.Put(name, vars[name])
	}
	return m
}
