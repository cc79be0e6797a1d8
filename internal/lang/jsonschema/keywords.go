package jsonschema

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"gatehouse/internal/lang/ojson"
	"gatehouse/internal/lang/regex"
)

// keywords reads one schema's keywords.
type keywords struct {
	*compiler
	s     *Schema
	v     ojson.Value
	base  *url.URL
	where string
}

func (k *keywords) fail(name, format string, args ...any) error {
	return &Error{k.where + "/" + name, fmt.Errorf(format, args...)}
}

// read goes through the keywords of draft 4; unknown ones mean nothing.
func (k *keywords) read() error {
	for name, m := range k.v.Members() {
		var err error
		switch name {
		case "type":
			err = k.types(m)
		case "enum":
			err = k.enum(m)
		case "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf":
			err = k.number(name, m)
		case "minLength", "maxLength", "pattern", "format":
			err = k.text(name, m)
		case "items", "additionalItems", "minItems", "maxItems", "uniqueItems":
			err = k.array(name, m)
		case "properties", "patternProperties", "additionalProperties", "required", "minProperties", "maxProperties", "dependencies":
			err = k.object(name, m)
		case "allOf":
			k.s.allOf, err = k.schemas(name, m)
		case "anyOf":
			k.s.anyOf, err = k.schemas(name, m)
		case "oneOf":
			k.s.oneOf, err = k.schemas(name, m)
		case "not":
			k.s.not, err = k.compile(m, k.base, k.where+"/not")
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (k *keywords) schemas(name string, m ojson.Value) ([]*Schema, error) {
	if m.Kind() != ojson.Array || m.Len() == 0 {
		return nil, k.fail(name, "found %s, expected an array of schemas", m.Kind())
	}
	var list []*Schema
	for e := range m.Elements() {
		s, err := k.compile(e, k.base, k.where+"/"+name+"/"+strconv.Itoa(len(list)))
		if err != nil {
			return nil, err
		}
		list = append(list, s)
	}
	return list, nil
}

func (k *keywords) types(m ojson.Value) error {
	add := func(t ojson.Value) bool {
		for _, x := range typeNames {
			if t.Kind() == ojson.String && t.Text() == x.name {
				k.s.types |= x.bit
				if x.bit == typeNumber {
					k.s.types |= typeInteger
				}
				return true
			}
		}
		return false
	}
	if m.Kind() != ojson.Array {
		if !add(m) {
			return k.fail("type", "found %s, expected a primitive type", m.JSON())
		}
		return nil
	}
	for t := range m.Elements() {
		if !add(t) {
			return k.fail("type", "found %s, expected a primitive type", t.JSON())
		}
	}
	if m.Len() == 0 {
		return k.fail("type", "found no type")
	}
	return nil
}

func (k *keywords) enum(m ojson.Value) error {
	if m.Kind() != ojson.Array || m.Len() == 0 {
		return k.fail("enum", "found %s, expected an array of values", m.Kind())
	}
	for e := range m.Elements() {
		k.s.enum = append(k.s.enum, e)
	}
	return nil
}

func (k *keywords) number(name string, m ojson.Value) error {
	if k.s.number == nil {
		k.s.number = &numberRules{}
	}
	r := k.s.number
	if strings.HasPrefix(name, "exclusive") {
		if !m.IsBool() {
			return k.fail(name, "found %s, expected a boolean", m.Kind())
		}
		if name == "exclusiveMinimum" {
			r.exclusiveMin = m.Kind() == ojson.True
		} else {
			r.exclusiveMax = m.Kind() == ojson.True
		}
		return nil
	}
	if m.Kind() != ojson.Number {
		return k.fail(name, "found %s, expected a number", m.Kind())
	}
	switch name {
	case "minimum":
		r.minimum = m.Text()
	case "maximum":
		r.maximum = m.Text()
	default:
		if ojson.CompareNumbers(m.Text(), "0") <= 0 {
			return k.fail(name, "found %s, expected a number above 0", m.Text())
		}
		r.multipleOf = m.Text()
	}
	return nil
}

// count reads a keyword whose value is an integer from 0 on.
func (k *keywords) count(name string, m ojson.Value) (int, error) {
	n, ok := m.Int()
	if !ok {
		f, isNumber := m.Float()
		if !isNumber || f != float64(int64(f)) {
			return 0, k.fail(name, "found %s, expected an integer", m.JSON())
		}
		n = int64(f)
	}
	if n < 0 {
		return 0, k.fail(name, "found %d, expected 0 or more", n)
	}
	return int(n), nil
}

func (k *keywords) text(name string, m ojson.Value) error {
	if k.s.text == nil {
		k.s.text = &textRules{maxLength: -1}
	}
	r := k.s.text
	var err error
	switch name {
	case "minLength":
		r.minLength, err = k.count(name, m)
	case "maxLength":
		r.maxLength, err = k.count(name, m)
	case "pattern":
		if m.Kind() != ojson.String {
			return k.fail(name, "found %s, expected a string", m.Kind())
		}
		if r.pattern, err = regex.Compile(m.Text(), regex.ECMA, false); err != nil {
			err = k.fail(name, "%w", err)
		}
	default:
		if m.Kind() != ojson.String {
			return k.fail(name, "found %s, expected a string", m.Kind())
		}
		r.format = formats[m.Text()]
	}
	return err
}

func (k *keywords) array(name string, m ojson.Value) error {
	if k.s.array == nil {
		k.s.array = &arrayRules{maxItems: -1}
	}
	r := k.s.array
	var err error
	switch name {
	case "items":
		if m.Kind() == ojson.Array {
			for e := range m.Elements() {
				s, err := k.compile(e, k.base, k.where+"/items/"+strconv.Itoa(len(r.tuple)))
				if err != nil {
					return err
				}
				r.tuple = append(r.tuple, s)
			}
			if r.tuple == nil {
				r.tuple = []*Schema{}
			}
			return nil
		}
		r.items, err = k.compile(m, k.base, k.where+"/items")
	case "additionalItems":
		if m.IsBool() {
			r.noMore = m.Kind() == ojson.False
			return nil
		}
		r.additional, err = k.compile(m, k.base, k.where+"/"+name)
	case "minItems":
		r.minItems, err = k.count(name, m)
	case "maxItems":
		r.maxItems, err = k.count(name, m)
	default:
		if !m.IsBool() {
			return k.fail(name, "found %s, expected a boolean", m.Kind())
		}
		r.unique = m.Kind() == ojson.True
	}
	return err
}

func (k *keywords) object(name string, m ojson.Value) error {
	if k.s.object == nil {
		k.s.object = &objectRules{properties: map[string]property{}, maximum: -1}
	}
	r := k.s.object
	var err error
	switch name {
	case "properties":
		return k.properties(m)
	case "patternProperties":
		return k.patternProperties(m)
	case "additionalProperties":
		if m.IsBool() {
			r.noMore = m.Kind() == ojson.False
			return nil
		}
		r.additional, err = k.compile(m, k.base, k.where+"/"+name)
	case "required":
		return k.required(m)
	case "minProperties":
		r.minimum, err = k.count(name, m)
	case "maxProperties":
		r.maximum, err = k.count(name, m)
	default:
		return k.dependencies(m)
	}
	return err
}

func (k *keywords) properties(m ojson.Value) error {
	if m.Kind() != ojson.Object {
		return k.fail("properties", "found %s, expected an object", m.Kind())
	}
	for name, v := range m.Members() {
		s, err := k.compile(v, k.base, k.where+"/properties/"+name)
		if err != nil {
			return err
		}
		p := k.s.object.properties[name]
		p.schema, p.declared = s, true
		k.s.object.properties[name] = p
	}
	return nil
}

func (k *keywords) patternProperties(m ojson.Value) error {
	if m.Kind() != ojson.Object {
		return k.fail("patternProperties", "found %s, expected an object", m.Kind())
	}
	for pattern, v := range m.Members() {
		re, err := regex.Compile(pattern, regex.ECMA, false)
		if err != nil {
			return k.fail("patternProperties", "%w", err)
		}
		s, err := k.compile(v, k.base, k.where+"/patternProperties/"+pattern)
		if err != nil {
			return err
		}
		k.s.object.patterns = append(k.s.object.patterns, patternProperty{re, s})
	}
	return nil
}

// required reads a list of names; draft 4 demands at least one, the service's users do not.
func (k *keywords) required(m ojson.Value) error {
	names, err := k.names("required", m)
	for _, name := range names {
		p := k.s.object.properties[name]
		if !p.required {
			p.required = true
			k.s.object.properties[name] = p
			k.s.object.required = append(k.s.object.required, name)
		}
	}
	return err
}

func (k *keywords) names(keyword string, m ojson.Value) ([]string, error) {
	if m.Kind() != ojson.Array {
		return nil, k.fail(keyword, "found %s, expected an array of strings", m.Kind())
	}
	var names []string
	for e := range m.Elements() {
		if e.Kind() != ojson.String {
			return nil, k.fail(keyword, "found %s, expected a string", e.Kind())
		}
		names = append(names, e.Text())
	}
	return names, nil
}

func (k *keywords) dependencies(m ojson.Value) error {
	if m.Kind() != ojson.Object {
		return k.fail("dependencies", "found %s, expected an object", m.Kind())
	}
	for name, v := range m.Members() {
		d := dependency{name: name}
		var err error
		if v.Kind() == ojson.Array {
			d.needs, err = k.names("dependencies", v)
		} else {
			d.schema, err = k.compile(v, k.base, k.where+"/dependencies/"+name)
		}
		if err != nil {
			return err
		}
		k.s.object.dependencies = append(k.s.object.dependencies, d)
	}
	return nil
}
