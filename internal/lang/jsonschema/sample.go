package jsonschema

import (
	"strconv"
	"strings"

	"gatehouse/internal/lang/ojson"
)

// Template returns the sample mapping template that GetModelTemplate answers: Velocity text
// that gives a payload the structure of the model. For a model without properties it is
// `#set($inputRoot = $input.path('$'))` and `{ }`, as the service answers for Empty.
// References within the schema's own definitions are followed, others become empty objects.
func Template(schema ojson.Value) string {
	s := sampler{root: schema}
	s.b.WriteString("#set($inputRoot = $input.path('$'))\n")
	s.value(schema, "$inputRoot", "", 0)
	return s.b.String()
}

// maxSampleDepth bounds the depth of a sample, since models may contain themselves.
const maxSampleDepth = 8

// maxSample bounds the length of a sample, in bytes.
const maxSample = 100 << 10

type sampler struct {
	root ojson.Value
	b    strings.Builder
}

// local follows a reference within the document.
func (s *sampler) local(v ojson.Value) ojson.Value {
	for range 16 {
		ref, ok := v.Get("$ref")
		if !ok {
			return v
		}
		path, ok := strings.CutPrefix(ref.Text(), "#")
		if !ok {
			return ojson.Value{}
		}
		v = s.root
		for part := range strings.SplitSeq(strings.TrimPrefix(path, "/"), "/") {
			if part != "" {
				v, _ = v.Get(part)
			}
		}
	}
	return ojson.Value{}
}

// value writes the sample of schema v, whose data is at the reference at.
func (s *sampler) value(v ojson.Value, at, indent string, depth int) {
	v = s.local(v)
	if depth > maxSampleDepth || s.b.Len() > maxSample {
		s.b.WriteString("{ }")
		return
	}
	t, _ := v.Get("type")
	kind := t.Text()
	if t.Kind() == ojson.Array {
		kind = t.At(0).Text()
	}
	_, hasProperties := v.Get("properties")
	_, hasItems := v.Get("items")
	switch {
	case kind == "array" || kind == "" && hasItems:
		s.array(v, at, indent, depth)
	case kind == "object" || hasProperties || kind == "":
		s.object(v, at, indent, depth)
	case kind == "string":
		s.b.WriteString(`"` + at + `"`)
	default:
		s.b.WriteString(at)
	}
}

func (s *sampler) object(v ojson.Value, at, indent string, depth int) {
	properties, _ := v.Get("properties")
	if properties.Len() == 0 {
		s.b.WriteString("{ }")
		return
	}
	s.b.WriteString("{\n")
	i := 0
	for name, p := range properties.Members() {
		if i > 0 {
			s.b.WriteString(",\n")
		}
		i++
		s.b.WriteString(indent + "  ")
		s.b.Write(ojson.AppendQuoted(nil, name, ojson.Smart))
		s.b.WriteString(" : ")
		s.value(p, member(at, name), indent+"  ", depth+1)
	}
	s.b.WriteString("\n" + indent + "}")
}

// member returns the reference to a member, in brackets when its name is no identifier.
func member(at, name string) string {
	for i := range len(name) {
		c := name[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_' || i > 0 && '0' <= c && c <= '9') {
			return at + "['" + strings.ReplaceAll(name, "'", "''") + "']"
		}
	}
	return at + "." + name
}

func (s *sampler) array(v ojson.Value, at, indent string, depth int) {
	items, _ := v.Get("items")
	if items.Kind() == ojson.Array {
		items = items.At(0)
	}
	elem := "$elem"
	if depth > 0 {
		elem += strconv.Itoa(depth)
	}
	s.b.WriteString("[\n#foreach(" + elem + " in " + at + ")\n" + indent + "  ")
	s.value(items, elem, indent+"  ", depth+1)
	s.b.WriteString("#if($foreach.hasNext),#end\n\n#end\n" + indent + "]")
}
