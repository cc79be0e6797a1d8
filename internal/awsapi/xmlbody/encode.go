package xmlbody

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"

	"gatehouse/internal/awsapi/scalar"
	"gatehouse/internal/awsapi/schema"
)

// Declaration is the line that every document begins with.
const Declaration = `<?xml version="1.0" encoding="UTF-8"?>` + "\n"

// Append appends the element called root with the body members of v, a struct of shape
// sh or a pointer to one; nil is an empty element. A namespace, when not "", is declared
// on it.
func Append(dst []byte, root, namespace string, sh *schema.Shape, v any) []byte {
	dst = Open(dst, root, namespace)
	rv := reflect.ValueOf(v)
	if rv.Kind() == reflect.Pointer {
		rv = rv.Elem()
	}
	if rv.IsValid() {
		dst = appendMembers(dst, sh, rv)
	}
	return Close(dst, root)
}

// Open appends a start tag.
func Open(dst []byte, name, namespace string) []byte {
	dst = append(append(dst, '<'), name...)
	if namespace != "" {
		dst = append(dst, ` xmlns="`...)
		dst = append(AppendText(dst, namespace), '"')
	}
	return append(dst, '>')
}

// Close appends an end tag.
func Close(dst []byte, name string) []byte {
	return append(append(append(dst, "</"...), name...), '>')
}

// Element appends an element that holds text.
func Element(dst []byte, name, text string) []byte {
	return Close(AppendText(Open(dst, name, ""), text), name)
}

func appendMembers(dst []byte, sh *schema.Shape, v reflect.Value) []byte {
	for i := range sh.Members {
		m := &sh.Members[i]
		if m.Loc != schema.Body || m.XMLAttr {
			continue
		}
		value, ok := scalar.Present(v.Field(i))
		if !ok {
			continue
		}
		switch {
		case m.IsFlattened() && m.Shape.Kind == schema.List:
			dst = appendList(dst, FlatName(m), m.Shape, value)
		case m.IsFlattened() && m.Shape.Kind == schema.Map:
			dst = appendMap(dst, m.Wire, m.Shape, value)
		default:
			dst = appendElement(dst, m.Wire, m, value)
		}
	}
	return dst
}

// appendElement appends one element called name with a value of the member's shape.
func appendElement(dst []byte, name string, m *schema.Member, v reflect.Value) []byte {
	sh := m.Shape
	dst = append(append(dst, '<'), name...)
	if sh.Kind == schema.Structure {
		dst = appendAttributes(dst, sh, v)
	}
	dst = append(dst, '>')
	switch sh.Kind {
	case schema.Structure:
		dst = appendMembers(dst, sh, v)
	case schema.List:
		dst = appendList(dst, elementName(sh.Elem, "member"), sh, v)
	case schema.Map:
		dst = appendMap(dst, "entry", sh, v)
	default:
		dst = AppendText(dst, scalar.Text(v, sh, scalar.TimeFormat(m, schema.ISO8601)))
	}
	return Close(dst, name)
}

func appendList(dst []byte, name string, sh *schema.Shape, v reflect.Value) []byte {
	for i := range v.Len() {
		dst = appendElement(dst, name, sh.Elem, v.Index(i))
	}
	return dst
}

func appendMap(dst []byte, name string, sh *schema.Shape, v reflect.Value) []byte {
	keys := make([]string, 0, v.Len())
	for _, k := range v.MapKeys() {
		keys = append(keys, k.String())
	}
	slices.Sort(keys)
	for _, k := range keys {
		dst = Open(dst, name, "")
		dst = Element(dst, elementName(sh.Key, "key"), k)
		dst = appendElement(dst, elementName(sh.Elem, "value"), sh.Elem, v.MapIndex(reflect.ValueOf(k)))
		dst = Close(dst, name)
	}
	return dst
}

// appendAttributes appends the members that travel as attributes, after the
// declaration of the prefix that they use.
func appendAttributes(dst []byte, sh *schema.Shape, v reflect.Value) []byte {
	if sh.XMLPrefix != "" {
		dst = fmt.Appendf(dst, ` xmlns:%s="%s"`, sh.XMLPrefix, sh.XMLSpace)
	}
	for i := range sh.Members {
		m := &sh.Members[i]
		if !m.XMLAttr {
			continue
		}
		if value, ok := scalar.Present(v.Field(i)); ok {
			dst = append(append(append(dst, ' '), m.Wire...), `="`...)
			dst = append(AppendText(dst, scalar.Text(value, m.Shape, schema.ISO8601)), '"')
		}
	}
	return dst
}

// AppendText appends s escaped for element content and attribute values. Characters
// that XML 1.0 cannot hold become numeric references, as S3 sends them in object keys;
// bytes that are not UTF-8 become U+FFFD.
func AppendText(dst []byte, s string) []byte {
	if !strings.ContainsFunc(s, special) && utf8.ValidString(s) {
		return append(dst, s...)
	}
	for _, r := range s { // RuneError is U+FFFD
		switch {
		case r == '&':
			dst = append(dst, "&amp;"...)
		case r == '<':
			dst = append(dst, "&lt;"...)
		case r == '>':
			dst = append(dst, "&gt;"...)
		case r == '"':
			dst = append(dst, "&quot;"...)
		case special(r):
			dst = fmt.Appendf(dst, "&#x%x;", r)
		default:
			dst = utf8.AppendRune(dst, r)
		}
	}
	return dst
}

func special(r rune) bool {
	return r == '&' || r == '<' || r == '>' || r == '"' || r < ' ' || r == 0xFFFE || r == 0xFFFF
}
