package query

import (
	"fmt"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"gatehouse/internal/awsapi/scalar"
	"gatehouse/internal/awsapi/schema"
	"gatehouse/internal/awsapi/xmlbody"
)

// A node is a parameter's name up to some dot: "Tags.member.1" is a node whose
// children are Key and Value.
type node struct {
	value    string
	set      bool // a parameter has exactly this name
	children map[string]*node
}

// DecodeForm fills into, a pointer to the struct of sh, from the parameters of a form:
// "Name=x", "Tags.member.1.Key=y", "Map.entry.1.key=z". Parameters that no member names
// are passed over; an empty parameter in the place of a list is an empty list. The
// error names the parameter.
func DecodeForm(form url.Values, sh *schema.Shape, into any) error {
	root := &node{}
	for name, values := range form {
		if len(values) > 1 {
			return fmt.Errorf("the parameter %s is given more than once", name)
		}
		n := root
		for part := range strings.SplitSeq(name, ".") {
			n = n.child(part)
		}
		n.value, n.set = values[0], true
	}
	return root.decode("", sh, reflect.ValueOf(into).Elem())
}

func (n *node) child(name string) *node {
	c := n.children[name]
	if c == nil {
		c = &node{}
		if n.children == nil {
			n.children = map[string]*node{}
		}
		n.children[name] = c
	}
	return c
}

func (n *node) decode(path string, sh *schema.Shape, v reflect.Value) error {
	switch sh.Kind {
	case schema.Structure:
		return n.decodeStructure(path, sh, v)
	case schema.List:
		return n.children[wireName(sh.Elem, "member")].decodeList(path, sh, v)
	case schema.Map:
		return n.children["entry"].decodeMap(path, sh, v)
	}
	if !n.set {
		return fmt.Errorf("%s: want one value", path)
	}
	if err := scalar.Set(v, sh, n.value); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

func (n *node) decodeStructure(path string, sh *schema.Shape, v reflect.Value) error {
	for i := range sh.Members {
		m := &sh.Members[i]
		name := m.Wire
		if m.IsFlattened() {
			name = xmlbody.FlatName(m)
		}
		c := n.children[name]
		if c == nil {
			continue
		}
		var err error
		at, field := join(path, name), v.Field(i)
		switch {
		case m.IsFlattened() && m.Shape.Kind == schema.List:
			err = c.decodeList(at, m.Shape, field)
		case m.IsFlattened() && m.Shape.Kind == schema.Map:
			err = c.decodeMap(at, m.Shape, field)
		default:
			err = c.decode(at, m.Shape, scalar.Make(field))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// decodeList takes the children with numbers as names, in their order; gaps do not
// matter. A nil node is an empty list.
func (n *node) decodeList(path string, sh *schema.Shape, v reflect.Value) error {
	numbered, err := n.numbered(path)
	if err != nil {
		return err
	}
	list := reflect.MakeSlice(v.Type(), len(numbered), len(numbered))
	for i, c := range numbered {
		if err := c.decode(join(path, strconv.Itoa(i+1)), sh.Elem.Shape, list.Index(i)); err != nil {
			return err
		}
	}
	v.Set(list)
	return nil
}

func (n *node) decodeMap(path string, sh *schema.Shape, v reflect.Value) error {
	numbered, err := n.numbered(path)
	if err != nil {
		return err
	}
	out := reflect.MakeMapWithSize(v.Type(), len(numbered))
	for _, c := range numbered {
		key, value := c.children[wireName(sh.Key, "key")], c.children[wireName(sh.Elem, "value")]
		if key == nil || value == nil || !key.set {
			return fmt.Errorf("%s: an entry wants a key and a value", path)
		}
		x := reflect.New(v.Type().Elem()).Elem()
		if err := value.decode(path, sh.Elem.Shape, x); err != nil {
			return err
		}
		out.SetMapIndex(reflect.ValueOf(key.value), x)
	}
	v.Set(out)
	return nil
}

// numbered returns the children in the order of their numbers.
func (n *node) numbered(path string) ([]*node, error) {
	if n == nil {
		return nil, nil
	}
	numbers := make([]int, 0, len(n.children))
	for name := range n.children {
		i, err := strconv.Atoi(name)
		if err != nil || i < 0 || strconv.Itoa(i) != name {
			return nil, fmt.Errorf("%s: %q is not a position", path, name)
		}
		numbers = append(numbers, i)
	}
	slices.Sort(numbers)
	nodes := make([]*node, len(numbers))
	for i, number := range numbers {
		nodes[i] = n.children[strconv.Itoa(number)]
	}
	return nodes, nil
}

func wireName(m *schema.Member, otherwise string) string {
	if m.Wire != "" {
		return m.Wire
	}
	return otherwise
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}
