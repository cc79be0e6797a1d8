// Package xmlbody reads and writes the XML of the REST-XML and Query protocols by the
// tables of a service. It has no state.
package xmlbody

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"

	"gatehouse/internal/awsapi/scalar"
	"gatehouse/internal/awsapi/schema"
)

// maxDepth bounds the nesting of elements; the deepest message of S3 has eight levels.
const maxDepth = 64

// An element is one element of a document: namespaces dropped, text joined.
type element struct {
	name     string
	attrs    []xml.Attr
	text     string
	children []*element
}

// Decode reads a document whose root element is called root into the body members of
// into, a pointer to the struct of sh. Unknown elements are passed over. Document types
// are refused. The error says what is wrong with the document.
func Decode(data []byte, root string, sh *schema.Shape, into any) error {
	e, err := parse(data)
	if err != nil {
		return err
	}
	if e.name != root {
		return fmt.Errorf("the root element is %s, want %s", e.name, root)
	}
	return decodeInto(e, sh, reflect.ValueOf(into).Elem())
}

// parse reads exactly one element.
func parse(data []byte) (*element, error) {
	dec := xml.NewDecoder(bytes.NewReader(data))
	var root *element
	var open []*element
	for {
		tok, err := dec.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		switch t := tok.(type) {
		case xml.Directive:
			return nil, errors.New("document type declarations are not allowed")
		case xml.StartElement:
			e := &element{name: t.Name.Local, attrs: t.Attr}
			switch {
			case len(open) == maxDepth:
				return nil, fmt.Errorf("more than %d nested elements", maxDepth)
			case len(open) > 0:
				parent := open[len(open)-1]
				parent.children = append(parent.children, e)
			case root != nil:
				return nil, errors.New("more than one root element")
			default:
				root = e
			}
			open = append(open, e)
		case xml.EndElement:
			open = open[:len(open)-1]
		case xml.CharData:
			if len(open) > 0 {
				open[len(open)-1].text += string(t)
			} else if len(bytes.TrimSpace(t)) > 0 {
				return nil, errors.New("text outside the root element")
			}
		}
	}
	if root == nil {
		return nil, errors.New("no root element")
	}
	return root, nil
}

func decodeInto(e *element, sh *schema.Shape, v reflect.Value) error {
	switch sh.Kind {
	case schema.Structure:
		return decodeStructure(e, sh, v)
	case schema.List:
		return appendElements(e.named(elementName(sh.Elem, "member")), sh, v)
	case schema.Map:
		return decodeMap(e.named("entry"), sh, v)
	}
	text := e.text
	if sh.Kind != schema.String {
		text = strings.TrimSpace(text)
	}
	if err := scalar.Set(v, sh, text); err != nil {
		return fmt.Errorf("%s: %w", e.name, err)
	}
	return nil
}

func decodeStructure(e *element, sh *schema.Shape, v reflect.Value) error {
	for i := range sh.Members {
		m := &sh.Members[i]
		if m.Loc != schema.Body {
			continue
		}
		if err := decodeMember(e, m, v.Field(i)); err != nil {
			return fmt.Errorf("%s: %w", e.name, err)
		}
	}
	return nil
}

func decodeMember(e *element, m *schema.Member, field reflect.Value) error {
	if m.XMLAttr {
		for _, a := range e.attrs {
			if a.Name.Local == localName(m.Wire) {
				return scalar.Set(scalar.Make(field), m.Shape, a.Value)
			}
		}
		return nil
	}
	if m.IsFlattened() {
		found := e.named(FlatName(m))
		if len(found) == 0 {
			return nil
		}
		if m.Shape.Kind == schema.Map {
			return decodeMap(found, m.Shape, field)
		}
		return appendElements(found, m.Shape, field)
	}
	found := e.named(m.Wire)
	if len(found) == 0 {
		return nil
	}
	if len(found) > 1 {
		return fmt.Errorf("more than one %s", m.Wire)
	}
	return decodeInto(found[0], m.Shape, scalar.Make(field))
}

func appendElements(elements []*element, sh *schema.Shape, v reflect.Value) error {
	list := reflect.MakeSlice(v.Type(), len(elements), len(elements))
	for i, e := range elements {
		if err := decodeInto(e, sh.Elem.Shape, list.Index(i)); err != nil {
			return err
		}
	}
	v.Set(list)
	return nil
}

func decodeMap(entries []*element, sh *schema.Shape, v reflect.Value) error {
	out := reflect.MakeMapWithSize(v.Type(), len(entries))
	for _, entry := range entries {
		key := entry.named(elementName(sh.Key, "key"))
		value := entry.named(elementName(sh.Elem, "value"))
		if len(key) != 1 || len(value) != 1 {
			return fmt.Errorf("%s: want one key and one value", entry.name)
		}
		x := reflect.New(v.Type().Elem()).Elem()
		if err := decodeInto(value[0], sh.Elem.Shape, x); err != nil {
			return err
		}
		out.SetMapIndex(reflect.ValueOf(key[0].text), x)
	}
	v.Set(out)
	return nil
}

// named returns the children called name, in order.
func (e *element) named(name string) []*element {
	var found []*element
	for _, c := range e.children {
		if c.name == name {
			found = append(found, c)
		}
	}
	return found
}

// elementName is the name of the elements of a list, or of a map's keys or values.
func elementName(m *schema.Member, otherwise string) string {
	if m.Wire != "" {
		return m.Wire
	}
	return otherwise
}

// FlatName is the name under which each element of a flattened list is sent: that of
// the list's elements when the model gives one, else the member's own.
func FlatName(m *schema.Member) string {
	if m.Shape.Kind == schema.List && m.Shape.Elem.Wire != "" {
		return m.Shape.Elem.Wire
	}
	return m.Wire
}

// localName drops a prefix: "xsi:type" is "type".
func localName(name string) string {
	return name[strings.IndexByte(name, ':')+1:]
}
