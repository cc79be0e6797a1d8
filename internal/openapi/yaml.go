package openapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v3"

	"gatehouse/internal/lang/ojson"
)

// Limits of documents. AWS's limit of 6 MB is on the bytes sent; the rest bounds what they
// may become.
const (
	maxDocument = 6 << 20  // bytes sent
	maxExpanded = 24 << 20 // bytes of JSON that a YAML document becomes: aliases repeat what they name
	maxDepth    = 200      // values within values
	maxValues   = 2_000_000
)

// parse reads a document, JSON when it begins as JSON does, else YAML, into one tree.
func parse(body []byte) (ojson.Value, error) {
	if len(body) > maxDocument {
		return ojson.Value{}, fmt.Errorf("found %d bytes, expected at most %d", len(body), maxDocument)
	}
	text := strings.TrimPrefix(string(body), "\ufeff")
	if !strings.HasPrefix(strings.TrimLeft(text, " \t\r\n"), "{") {
		var err error
		if text, err = fromYAML(text); err != nil {
			return ojson.Value{}, err
		}
	}
	v, err := ojson.Parse(text, ojson.Limits{Depth: maxDepth, Bytes: maxExpanded, Values: maxValues})
	if errors.Is(err, ojson.ErrTooDeep) {
		return v, fmt.Errorf("%w: nested deeper than %d", err, maxDepth)
	}
	if err != nil {
		return v, err
	}
	if name, line, ok := v.Repeated(); ok {
		return v, fmt.Errorf("line %d: the name %q stands twice in one object", line, clip(name))
	}
	if v.Kind() != ojson.Object {
		return v, fmt.Errorf("found %s, expected an object", v.Kind())
	}
	return v, nil
}

// clip shortens what is shown of foreign text.
func clip(s string) string {
	if len(s) > 100 {
		return strings.ToValidUTF8(s[:100], "") + "..."
	}
	return s
}

// fromYAML writes a YAML document as JSON text, keeping the order of members.
func fromYAML(text string) (string, error) {
	var doc yaml.Node
	d := yaml.NewDecoder(strings.NewReader(text))
	switch err := d.Decode(&doc); {
	case errors.Is(err, io.EOF):
		return "", errors.New("found no document")
	case err != nil:
		return "", errors.New(strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if err := d.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return "", errors.New("found more than one document")
	}
	if doc.Kind != yaml.DocumentNode || len(doc.Content) != 1 {
		return "", errors.New("found no document")
	}
	c := &converter{open: map[*yaml.Node]bool{}}
	c.value(doc.Content[0], 0)
	return string(c.out), c.err
}

// converter writes YAML nodes as JSON. It stops at the first error.
type converter struct {
	out  []byte
	err  error
	open map[*yaml.Node]bool // anchored nodes that are being written: an alias to one would not end
}

func (c *converter) fail(n *yaml.Node, format string, args ...any) {
	if c.err == nil {
		c.err = fmt.Errorf("line %d, column %d: %s", n.Line, n.Column, fmt.Sprintf(format, args...))
	}
}

func (c *converter) value(n *yaml.Node, depth int) {
	switch {
	case c.err != nil:
		return
	case depth > maxDepth:
		c.fail(n, "nested deeper than %d", maxDepth)
		return
	case len(c.out) > maxExpanded:
		c.fail(n, "aliases make the document longer than %d bytes", maxExpanded)
		return
	}
	switch n.Kind {
	case yaml.AliasNode:
		if c.open[n.Alias] {
			c.fail(n, "the alias *%s stands within what it names", clip(n.Value))
			return
		}
		c.value(n.Alias, depth+1)
	case yaml.MappingNode:
		c.anchored(n, func() { c.mapping(n, depth) })
	case yaml.SequenceNode:
		c.anchored(n, func() { c.sequence(n, depth) })
	case yaml.ScalarNode:
		c.scalar(n)
	default:
		c.fail(n, "found a node of kind %d, expected a value", n.Kind)
	}
}

// anchored writes n while aliases to it are refused.
func (c *converter) anchored(n *yaml.Node, write func()) {
	if n.Anchor == "" {
		write()
		return
	}
	c.open[n] = true
	write()
	delete(c.open, n)
}

func (c *converter) sequence(n *yaml.Node, depth int) {
	c.out = append(c.out, '[')
	for i, e := range n.Content {
		if i > 0 {
			c.out = append(c.out, ',')
		}
		c.value(e, depth+1)
	}
	c.out = append(c.out, ']')
}

func (c *converter) mapping(n *yaml.Node, depth int) {
	c.out = append(c.out, '{')
	seen := make(map[string]bool, len(n.Content)/2)
	c.members(n, depth, seen)
	c.out = append(c.out, '}')
}

// members writes the members of a mapping. What "<<" merges in comes last and never replaces a
// member that the mapping has itself.
func (c *converter) members(n *yaml.Node, depth int, seen map[string]bool) {
	var merged []*yaml.Node
	for i := 0; i+1 < len(n.Content) && c.err == nil; i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.Kind == yaml.AliasNode {
			key = key.Alias
		}
		if key.Kind != yaml.ScalarNode {
			c.fail(key, "found a name that is no text")
			return
		}
		if key.Tag == "!!merge" || key.Value == "<<" && key.Style == 0 {
			merged = append(merged, value)
			continue
		}
		if seen[key.Value] {
			c.fail(key, "the name %q stands twice in one object", clip(key.Value))
			return
		}
		c.member(key.Value, value, depth, seen)
	}
	for _, m := range merged {
		c.merge(m, depth, seen)
	}
}

func (c *converter) member(name string, value *yaml.Node, depth int, seen map[string]bool) {
	if len(seen) > 0 {
		c.out = append(c.out, ',')
	}
	seen[name] = true
	c.out = ojson.AppendQuoted(c.out, name, ojson.Smart)
	c.out = append(c.out, ':')
	c.value(value, depth+1)
}

// merge writes the members of a mapping, or of several, that are not there yet.
func (c *converter) merge(n *yaml.Node, depth int, seen map[string]bool) {
	if depth > maxDepth {
		c.fail(n, "nested deeper than %d", maxDepth)
		return
	}
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	switch n.Kind {
	case yaml.SequenceNode:
		for _, e := range n.Content {
			c.merge(e, depth+1, seen)
		}
	case yaml.MappingNode:
		if c.open[n] {
			c.fail(n, "a mapping merges itself")
			return
		}
		c.open[n] = true
		defer delete(c.open, n)
		for i := 0; i+1 < len(n.Content) && c.err == nil; i += 2 {
			key, value := n.Content[i], n.Content[i+1]
			switch {
			case key.Value == "<<":
				c.merge(value, depth+1, seen)
			case key.Kind == yaml.ScalarNode && !seen[key.Value]:
				c.member(key.Value, value, depth, seen)
			}
		}
	default:
		c.fail(n, "<< merges something that is no mapping")
	}
}

// scalar writes a scalar by its type: what YAML takes for a number, a truth value or nothing
// is one, all else is text.
func (c *converter) scalar(n *yaml.Node) {
	switch n.ShortTag() {
	case "!!null":
		c.out = append(c.out, "null"...)
	case "!!bool", "!!int", "!!float":
		var v any
		if err := n.Decode(&v); err != nil {
			c.fail(n, "%v", err)
			return
		}
		if _, ok := v.(float64); ok && isJSONNumber(n.Value) { // the text is exact where the number is not
			c.out = append(c.out, n.Value...)
			return
		}
		text, err := json.Marshal(v)
		if err != nil {
			c.fail(n, "found %q, expected a number that JSON can hold", clip(n.Value))
			return
		}
		c.out = append(c.out, text...)
	default:
		c.out = ojson.AppendQuoted(c.out, n.Value, ojson.Smart)
	}
}

func isJSONNumber(s string) bool {
	v, err := ojson.Parse(s, ojson.Limits{})
	return err == nil && v.Kind() == ojson.Number
}
