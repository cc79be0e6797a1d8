package jsonschema

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"gatehouse/internal/lang/ojson"
)

// Bounds of the messages: they end in logs and in $context.error.validationErrorString.
const (
	maxMessages = 50
	maxShown    = 512 // bytes of a value within a message
)

// Unparsable is the message for a body that is not JSON.
const Unparsable = "[Unknown error parsing request body]"

// Explain returns what is wrong with v, in the service's words and in one bracketed list as
// $context.error.validationErrorString has it; "" when v obeys the schema. Below a value
// that is wrong nothing is looked at: the service stops at the first level with a mistake.
func (s *Schema) Explain(v ojson.Value) string {
	if ok, err := s.Valid(v); ok {
		return ""
	} else if err != nil {
		return "[" + err.Error() + "]"
	}
	e := explanation{run: run{steps: maxSteps / 5}}
	e.explain(s, v)
	if len(e.messages) == 0 {
		e.add("instance does not match the schema")
	}
	return "[" + strings.Join(e.messages, ", ") + "]"
}

type explanation struct {
	run
	messages []string
}

func (e *explanation) add(format string, args ...any) {
	if len(e.messages) < maxMessages {
		e.messages = append(e.messages, fmt.Sprintf(format, args...))
	}
}

// shown prints a value in a message, cut when it is long.
func shown(v ojson.Value) string { return cut(v.JSON()) }

func cut(text string) string {
	if len(text) <= maxShown {
		return text
	}
	text = text[:maxShown]
	for !utf8.ValidString(text) {
		text = text[:len(text)-1]
	}
	return text + "..."
}

func quoted(text string) string { return `"` + cut(text) + `"` }

// list prints names as a JSON array.
func list(names []string) string {
	b := []byte{'['}
	for i, name := range names {
		if i > 0 {
			b = append(b, ',')
		}
		b = ojson.AppendQuoted(b, name, ojson.Smart)
	}
	return cut(string(append(b, ']')))
}

// explain goes through the keywords in alphabetical order, then through what is in v.
func (e *explanation) explain(s *Schema, v ojson.Value) {
	s = e.deref(s)
	if e.depth++; e.depth > maxNested || len(e.messages) >= maxMessages || !e.spend(1) {
		return
	}
	defer func() { e.depth-- }()
	before := len(e.messages)
	t := typeOf(v)
	if t == typeArray && s.array != nil && s.array.tooLong(v.Len()) {
		e.add("array is too long: must have at most %d elements but instance has %d elements", len(s.array.tuple), v.Len())
	}
	if t == typeObject && s.object != nil {
		e.extra(s.object, v)
	}
	if n := e.matching(s.allOf, v, len(s.allOf)+1); n < len(s.allOf) {
		e.add("instance failed to match all required schemas (matched only %d out of %d)", n, len(s.allOf))
	}
	if s.anyOf != nil && e.matching(s.anyOf, v, 1) == 0 {
		e.add("instance failed to match at least one required schema among %d", len(s.anyOf))
	}
	if t == typeObject && s.object != nil {
		e.dependencies(s.object, v)
	}
	if s.enum != nil && !e.inEnum(s.enum, v) {
		values := make([]string, len(s.enum))
		for i, x := range s.enum {
			values[i] = x.JSON()
		}
		e.add("instance value (%s) not found in enum (possible values: [%s])", shown(v), cut(strings.Join(values, ",")))
	}
	switch {
	case t == typeString && s.text != nil:
		e.text(s.text, v)
	case t == typeArray && s.array != nil:
		e.size(s.array, v.Len())
	case t == typeObject && s.object != nil:
		e.count(s.object, v.Len())
	case t&(typeNumber|typeInteger) != 0 && s.number != nil:
		e.number(s.number, v.Text())
	}
	if s.not != nil && e.valid(s.not, v) {
		e.add("instance matched a schema which it should not have")
	}
	if n := e.matching(s.oneOf, v, len(s.oneOf)+1); s.oneOf != nil && n != 1 {
		e.add("instance failed to match exactly one schema (matched %d out of %d)", n, len(s.oneOf))
	}
	if t == typeString && s.text != nil {
		e.pattern(s.text, v)
	}
	if t == typeObject && s.object != nil {
		e.required(s.object, v)
	}
	if s.types != 0 && s.types&t == 0 {
		e.add("instance type (%s) does not match any allowed primitive type (allowed: %s)", namesOf(t)[0], list(namesOf(s.types)))
	}
	if t == typeArray && s.array != nil && s.array.unique && !e.distinct(v) {
		e.add("array must not contain duplicate elements")
	}
	if len(e.messages) == before {
		e.children(s, v)
	}
}

func namesOf(set typeSet) []string {
	var names []string
	for _, x := range typeNames {
		if set&x.bit != 0 {
			names = append(names, x.name)
		}
	}
	return names
}

// children explains what is in v: elements in their order, members by name.
func (e *explanation) children(s *Schema, v ojson.Value) {
	switch v.Kind() {
	case ojson.Array:
		i := 0
		for x := range v.Elements() {
			if s.array != nil {
				if sub := s.array.element(i); sub != nil && !e.valid(sub, x) {
					e.explain(sub, x)
				}
			}
			i++
		}
	case ojson.Object:
		if s.object == nil {
			return
		}
		type member struct {
			name string
			v    ojson.Value
		}
		var members []member
		for name, m := range v.Members() {
			members = append(members, member{name, m})
		}
		slices.SortFunc(members, func(a, b member) int { return strings.Compare(a.name, b.name) })
		for _, m := range members {
			for _, sub := range e.schemasOf(s.object, m.name) {
				if !e.valid(sub, m.v) {
					e.explain(sub, m.v)
				}
			}
		}
	}
}

// schemasOf returns the schemas of the property name.
func (e *explanation) schemasOf(o *objectRules, name string) []*Schema {
	var subs []*Schema
	p := o.properties[name]
	if p.schema != nil {
		subs = append(subs, p.schema)
	}
	matched := p.declared
	for i := range o.patterns {
		if e.matches(&o.patterns[i], name) {
			subs = append(subs, o.patterns[i].schema)
			matched = true
		}
	}
	if !matched && o.additional != nil {
		subs = append(subs, o.additional)
	}
	return subs
}

// extra explains additionalProperties: false.
func (e *explanation) extra(o *objectRules, v ojson.Value) {
	if !o.noMore {
		return
	}
	var names []string
	for name := range v.Members() {
		if o.properties[name].declared || slices.ContainsFunc(o.patterns, func(p patternProperty) bool { return e.matches(&p, name) }) {
			continue
		}
		names = append(names, name)
	}
	if names != nil {
		slices.Sort(names)
		e.add("object instance has properties which are not allowed by the schema: %s", list(names))
	}
}

func (e *explanation) required(o *objectRules, v ojson.Value) {
	var missing []string
	for _, name := range o.required {
		if _, ok := v.Get(name); !ok {
			missing = append(missing, name)
		}
	}
	if missing != nil {
		e.add("object has missing required properties (%s)", list(missing))
	}
}

func (e *explanation) dependencies(o *objectRules, v ojson.Value) {
	for i := range o.dependencies {
		d := &o.dependencies[i]
		if e.obeys(d, v) {
			continue
		}
		if d.schema != nil {
			e.explain(d.schema, v)
			continue
		}
		var missing []string
		for _, name := range d.needs {
			if _, ok := v.Get(name); !ok {
				missing = append(missing, name)
			}
		}
		e.add("property %q of object has missing property dependencies (schema requires %s; missing: %s)", cut(d.name), list(d.needs), list(missing))
	}
}

func (e *explanation) size(a *arrayRules, n int) {
	if a.maxItems >= 0 && n > a.maxItems {
		e.add("array is too long: must have at most %d elements but instance has %d elements", a.maxItems, n)
	}
	if n < a.minItems {
		e.add("array is too short: must have at least %d elements but instance has %d elements", a.minItems, n)
	}
}

func (e *explanation) count(o *objectRules, n int) {
	if o.maximum >= 0 && n > o.maximum {
		e.add("object has too many properties (found %d but schema requires at most %d)", n, o.maximum)
	}
	if n < o.minimum {
		e.add("object has too few properties (found %d but schema requires at least %d)", n, o.minimum)
	}
}

func (e *explanation) number(r *numberRules, text string) {
	if r.maximum != "" {
		switch c := ojson.CompareNumbers(text, r.maximum); {
		case c > 0:
			e.add("numeric instance is greater than the required maximum (maximum: %s, found: %s)", r.maximum, cut(text))
		case c == 0 && r.exclusiveMax:
			e.add("numeric instance is not strictly lower than the required maximum %s", r.maximum)
		}
	}
	if r.minimum != "" {
		switch c := ojson.CompareNumbers(text, r.minimum); {
		case c < 0:
			e.add("numeric instance is lower than the required minimum (minimum: %s, found: %s)", r.minimum, cut(text))
		case c == 0 && r.exclusiveMin:
			e.add("numeric instance is not strictly greater than the required minimum %s", r.minimum)
		}
	}
	if r.multipleOf != "" && !isMultiple(text, r.multipleOf) {
		e.add("remainder of division is not zero (%s / %s)", cut(text), r.multipleOf)
	}
}

func (e *explanation) text(r *textRules, v ojson.Value) {
	text := v.Text()
	if r.format != nil && !r.format.valid(text) {
		e.add("string %s is %s", quoted(text), r.format.complaint)
	}
	n := utf8.RuneCountInString(text)
	if r.maxLength >= 0 && n > r.maxLength {
		e.add("string %s is too long (length: %d, maximum allowed: %d)", quoted(text), n, r.maxLength)
	}
	if n < r.minLength {
		e.add("string %s is too short (length: %d, required minimum: %d)", quoted(text), n, r.minLength)
	}
}

func (e *explanation) pattern(r *textRules, v ojson.Value) {
	if r.pattern == nil {
		return
	}
	if !e.search(r.pattern, v.Text()) && e.err == nil {
		e.add("ECMA 262 regex \"%s\" does not match input string \"%s\"", cut(r.pattern.String()), cut(v.Text()))
	}
}
