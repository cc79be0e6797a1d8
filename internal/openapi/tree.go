package openapi

import (
	"regexp"
	"strconv"
	"strings"

	"gatehouse/internal/lang/ojson"
)

// A Tree is a document that was written: JSON and YAML are two forms of it.
type Tree struct{ root object }

// object is a JSON object whose members keep their order. Values are string, bool, int, nil,
// list, object or ojson.Value.
type object []entry

type entry struct {
	name  string
	value any
}

type list []any

// add appends a member.
func (o *object) add(name string, value any) { *o = append(*o, entry{name, value}) }

// addText appends a member unless its value is "".
func (o *object) addText(name, value string) {
	if value != "" {
		o.add(name, value)
	}
}

// set replaces the member called name, or appends it.
func (o *object) set(name string, value any) {
	for i := range *o {
		if (*o)[i].name == name {
			(*o)[i].value = value
			return
		}
	}
	o.add(name, value)
}

func (o object) has(name string) bool {
	for _, e := range o {
		if e.name == name {
			return true
		}
	}
	return false
}

// texts is a list of strings.
func texts(in []string) list {
	out := make(list, len(in))
	for i, s := range in {
		out[i] = s
	}
	return out
}

// JSON returns the document as JSON, in the layout of the service.
func (t Tree) JSON() []byte { return appendJSON(nil, t.root, 0) }

func appendJSON(dst []byte, v any, depth int) []byte {
	switch v := v.(type) {
	case object:
		if len(v) == 0 {
			return append(dst, "{ }"...)
		}
		dst = append(dst, '{')
		for i, e := range v {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = indent(append(dst, '\n'), depth+1)
			dst = append(ojson.AppendQuoted(dst, e.name, ojson.Smart), " : "...)
			dst = appendJSON(dst, e.value, depth+1)
		}
		return append(indent(append(dst, '\n'), depth), '}')
	case list:
		if len(v) == 0 {
			return append(dst, "[ ]"...)
		}
		dst = append(dst, "[ "...)
		for i, e := range v {
			if i > 0 {
				dst = append(dst, ", "...)
			}
			dst = appendJSON(dst, e, depth)
		}
		return append(dst, " ]"...)
	case ojson.Value:
		return appendJSON(dst, fromValue(v), depth)
	}
	return appendScalar(dst, v)
}

// raw is a number as it was written.
type raw string

func appendScalar(dst []byte, v any) []byte {
	switch v := v.(type) {
	case string:
		return ojson.AppendQuoted(dst, v, ojson.Smart)
	case bool:
		return strconv.AppendBool(dst, v)
	case int:
		return strconv.AppendInt(dst, int64(v), 10)
	case raw:
		return append(dst, v...)
	}
	return append(dst, "null"...)
}

func indent(dst []byte, depth int) []byte {
	for range depth {
		dst = append(dst, "  "...)
	}
	return dst
}

// fromValue turns parsed JSON into what is written.
func fromValue(v ojson.Value) any {
	switch v.Kind() {
	case ojson.Object:
		out := object{}
		for name, m := range v.Members() {
			out.add(name, fromValue(m))
		}
		return out
	case ojson.Array:
		out := list{}
		for e := range v.Elements() {
			out = append(out, fromValue(e))
		}
		return out
	case ojson.String:
		return v.Text()
	case ojson.Number:
		return raw(v.Text())
	case ojson.True, ojson.False:
		return v.Kind() == ojson.True
	}
	return nil
}

// YAML returns the document as YAML.
func (t Tree) YAML() []byte { return appendYAML([]byte("---\n"), t.root, 0) }

func appendYAML(dst []byte, v any, depth int) []byte {
	switch v := v.(type) {
	case ojson.Value:
		return appendYAML(dst, fromValue(v), depth)
	case object:
		for _, e := range v {
			dst = append(appendKey(indent(dst, depth), e.name), ':')
			dst = appendNested(dst, e.value, depth)
		}
	case list:
		for _, e := range v {
			dst = append(indent(dst, depth), '-')
			if o, ok := e.(object); ok && len(o) > 0 { // the first member stands beside the dash
				start := len(dst)
				dst = appendYAML(dst, o, depth+1)
				copy(dst[start:], " ")
				dst = append(dst[:start+1], dst[start+len(indent(nil, depth+1)):]...)
				continue
			}
			dst = appendNested(dst, e, depth)
		}
	}
	return dst
}

// appendNested writes a value behind its name or dash.
func appendNested(dst []byte, v any, depth int) []byte {
	if value, ok := v.(ojson.Value); ok {
		v = fromValue(value)
	}
	switch v := v.(type) {
	case object:
		if len(v) == 0 {
			return append(dst, " {}\n"...)
		}
		return appendYAML(append(dst, '\n'), v, depth+1)
	case list:
		if len(v) == 0 {
			return append(dst, " []\n"...)
		}
		return appendYAML(append(dst, '\n'), v, depth)
	}
	return append(appendScalar(append(dst, ' '), v), '\n')
}

var plainKey = regexp.MustCompile(`^[A-Za-z_/$][A-Za-z0-9_./-]*$`)

// yamlWords are words that some readers take for truth values or for nothing.
var yamlWords = regexp.MustCompile(`(?i)^(?:y|n|yes|no|true|false|on|off|null)$`)

func appendKey(dst []byte, name string) []byte {
	if plainKey.MatchString(name) && !yamlWords.MatchString(name) {
		return append(dst, name...)
	}
	return ojson.AppendQuoted(dst, name, ojson.Smart)
}

// parsed reads JSON text that the store holds; what is no JSON is written as a string.
func parsed(text string) any {
	v, err := ojson.Parse(strings.TrimSpace(text), ojson.Limits{})
	if err != nil {
		return text
	}
	return v
}
