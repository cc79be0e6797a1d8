package plan

import (
	"net/url"
	"strings"
)

// A Node is one place in an API's path tree. Each node has at most one variable and
// one greedy child (aws-behaviour-recorded, section 3), so a request path reaches a
// node in at most one way and matching visits each node at most once.
type Node struct {
	Resource *Resource        // nil when no resource ends here
	Literals map[string]*Node // by path part, case-sensitive
	Variable *Node            // {name}
	Greedy   *Node            // {name+}
	Name     string           // parameter name of a variable or greedy node
}

// A Resource is a routed path with its methods.
type Resource struct {
	ID   string
	Path string // as the API defines it: "/pets/{petId}"

	methods [len(methodNames)]*Method
	any     *Method
}

// MethodIndex numbers the HTTP methods that an API can have.
type MethodIndex int8

// The methods of a REST API (routing-and-integrations, section 1). NoMethod stands for
// every other token: it matches nothing, not even ANY.
const (
	NoMethod MethodIndex = iota - 1
	Get
	Post
	Put
	Delete
	Patch
	Head
	Options
)

var methodNames = [...]string{"GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"}

// IndexMethod returns the index of an HTTP method; methods are case-sensitive.
func IndexMethod(method string) MethodIndex {
	for i, n := range methodNames {
		if n == method {
			return MethodIndex(i)
		}
	}
	return NoMethod
}

// Method returns what serves a request with method m on the resource: its own method,
// else ANY, else nil.
func (r *Resource) Method(m MethodIndex) *Method {
	if r == nil || m == NoMethod {
		return nil
	}
	if own := r.methods[m]; own != nil {
		return own
	}
	return r.any
}

// SetMethod puts m under its name, "ANY" included. It is for building a plan only.
func (r *Resource) SetMethod(name string, m *Method) {
	if name == "ANY" {
		r.any = m
		return
	}
	if i := IndexMethod(name); i != NoMethod {
		r.methods[i] = m
	}
}

// Methods calls yield for each method with its name, ANY last.
func (r *Resource) Methods(yield func(name string, m *Method) bool) {
	for i, m := range r.methods {
		if m != nil && !yield(methodNames[i], m) {
			return
		}
	}
	if r.any != nil {
		yield("ANY", r.any)
	}
}

// Only returns the resource of a tree that has one; nil when it has none.
func (n *Node) Only() *Resource {
	if n == nil || n.Resource != nil {
		return n.resource()
	}
	for _, child := range n.Literals {
		return child.Only()
	}
	if n.Variable != nil {
		return n.Variable.Only()
	}
	return n.Greedy.Only()
}

func (n *Node) resource() *Resource {
	if n == nil {
		return nil
	}
	return n.Resource
}

// MaxParams is how many path parameters a route can have: a path of an API is
// at most 1,024 characters of "/{x}" and deeper ones are refused at compilation.
const MaxParams = 32

// Params holds the path parameters of one match. Values are parts of the request path,
// still percent-encoded. The zero value is empty.
type Params struct {
	n    int
	list [MaxParams]Param
}

// A Param is one path parameter.
type Param struct{ Name, Value string }

// All returns the parameters in path order. The slice is valid until the next match.
func (p *Params) All() []Param { return p.list[:p.n] }

// Get returns the raw value of the parameter called name.
func (p *Params) Get(name string) (string, bool) {
	for i := range p.list[:p.n] {
		if p.list[i].Name == name {
			return p.list[i].Value, true
		}
	}
	return "", false
}

// Reset empties p.
func (p *Params) Reset() {
	clear(p.list[:p.n])
	p.n = 0
}

func (p *Params) push(name, value string) { p.list[p.n] = Param{name, value}; p.n++ }
func (p *Params) pop()                    { p.n--; p.list[p.n] = Param{} }

// Match finds the method that serves path, filling params. path starts after the
// stage or base path, is still percent-encoded and may have extra leading slashes
// and a trailing one, which do not count (routing-and-integrations, section 2.1).
//
// At each level a literal wins over a variable and a variable over a greedy one; a
// branch that ends without the method is left again, so that with POST /test and OPTIONS
// /{proxy+} an OPTIONS /test is served by {proxy+} (aws-behaviour-recorded, section 17).
func (n *Node) Match(path string, m MethodIndex, params *Params) *Method {
	params.Reset()
	path = strings.TrimLeft(path, "/")
	path = strings.TrimSuffix(path, "/")
	if path == "" {
		return n.Resource.Method(m)
	}
	return n.match(path, m, params)
}

func (n *Node) match(rest string, m MethodIndex, params *Params) *Method {
	segment, tail, more := strings.Cut(rest, "/")
	if child := n.literalFor(segment); child != nil {
		if found := child.descend(tail, more, m, params); found != nil {
			return found
		}
	}
	if n.Variable != nil && segment != "" {
		params.push(n.Variable.Name, segment)
		if found := n.Variable.descend(tail, more, m, params); found != nil {
			return found
		}
		params.pop()
	}
	if n.Greedy != nil {
		if found := n.Greedy.Resource.Method(m); found != nil {
			params.push(n.Greedy.Name, rest)
			return found
		}
	}
	return nil
}

// literalFor finds the literal child that a segment names, however it is escaped: "%61dmin" is
// "admin" to every backend (RFC 3986, section 6.2.2.2) and must not pass it by to a variable with
// less in its way. An escaped slash separates nothing, and is in no literal.
func (n *Node) literalFor(segment string) *Node {
	child := n.Literals[segment]
	if child == nil && len(n.Literals) > 0 && strings.Contains(segment, "%") {
		if plain, err := url.PathUnescape(segment); err == nil {
			child = n.Literals[plain]
		}
	}
	return child
}

func (n *Node) descend(tail string, more bool, m MethodIndex, params *Params) *Method {
	if more {
		return n.match(tail, m, params)
	}
	return n.Resource.Method(m)
}

// Insert adds a resource under its path. It is for building a plan only; it reports
// false when the path has more variables than MaxParams.
func (n *Node) Insert(r *Resource) bool {
	variables := 0
	for part := range strings.SplitSeq(strings.Trim(r.Path, "/"), "/") {
		if part == "" {
			continue
		}
		name, variable := strings.CutPrefix(part, "{")
		name = strings.TrimSuffix(name, "}")
		switch {
		case !variable:
			n = n.literal(part)
			continue
		case strings.HasSuffix(name, "+"):
			n.Greedy = named(n.Greedy, strings.TrimSuffix(name, "+"))
			n = n.Greedy
		default:
			n.Variable = named(n.Variable, name)
			n = n.Variable
		}
		if variables++; variables > MaxParams {
			return false
		}
	}
	n.Resource = r
	return true
}

func (n *Node) literal(part string) *Node {
	if n.Literals == nil {
		n.Literals = map[string]*Node{}
	}
	child := n.Literals[part]
	if child == nil {
		child = &Node{}
		n.Literals[part] = child
	}
	return child
}

func named(n *Node, name string) *Node {
	if n == nil {
		n = &Node{Name: name}
	}
	return n
}
