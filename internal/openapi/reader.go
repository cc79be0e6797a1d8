package openapi

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"gatehouse/internal/lang/ojson"
)

// Options say how a document is read.
type Options struct {
	API                        string // the id of the API, which references between models carry
	Account, Region, Partition string // what ${AWS::AccountId} and so on stand for; Partition "" is "aws"
	BasePath                   string // what becomes of the base path: "ignore" (also ""), "prepend" or "split"
	IgnoreDocumentation        bool   // leave the documentation extension out
}

// A Document is what was read.
type Document struct {
	API

	// Given tells which settings of the API the document has, by their names in model.RestAPI's
	// JSON: "policy", "binaryMediaTypes". A merge leaves the others alone.
	Given map[string]bool

	Warnings []string // what was left out, in the order of the document
	Problems []string // why the document may not be imported; none for one that may
}

// A Refusal is the error of a document that cannot be read at all, in the service's words.
type Refusal struct{ Message string }

// Error returns the message.
func (r *Refusal) Error() string { return r.Message }

// Refused words the refusal of an import as the service does: the problems, then the warnings,
// each on a line of its own (openapi-extensions, section 5.4). With neither it is "".
func Refused(problems, warnings []string) string {
	lines := func(head string, list []string) string {
		const most = 200
		text := head + "\n\t" + strings.Join(list[:min(len(list), most)], "\n\t")
		if len(list) > most {
			text += fmt.Sprintf("\n\t... and %d more", len(list)-most)
		}
		return text
	}
	switch {
	case len(problems) > 0 && len(warnings) > 0:
		return lines("Errors found during import:", problems) + "\n" + lines("Additionally, these warnings were found:", warnings)
	case len(problems) > 0:
		return lines("Errors found during import:", problems)
	case len(warnings) > 0:
		return lines("Warnings found during import:", warnings)
	}
	return ""
}

// maxRemarks bounds the warnings and the problems that are gathered: a hostile document could
// have one on each line.
const maxRemarks = 1000

// reader walks one document.
type reader struct {
	Document
	o       Options
	root    ojson.Value
	v2      bool                   // Swagger 2.0, else OpenAPI 3.0
	schemas map[string]ojson.Value // definitions or components.schemas
	schemes map[string]scheme
	models  map[string]bool                   // names of the models that were made
	bad     map[string]bool                   // names of schemas that no model can be made of
	content map[string]string                 // generated models: schema to name
	index   map[string]map[string]ojson.Value // members of large objects, by their place
	halt    *Refusal
}

func (r *reader) warn(format string, args ...any) {
	if len(r.Warnings) < maxRemarks {
		r.Warnings = append(r.Warnings, fmt.Sprintf(format, args...))
	}
}

func (r *reader) problem(format string, args ...any) {
	if text := fmt.Sprintf(format, args...); len(r.Problems) < maxRemarks && !slices.Contains(r.Problems, text) {
		r.Problems = append(r.Problems, text) // once, by however many members it is met
	}
}

// wrong notes a value of the wrong type, with its place.
func (r *reader) wrong(where, want string) {
	r.problem("Parse issue: attribute %s is not of type `%s`", where, want)
}

// member is the place of a member of the value at where.
func member(where, name string) string {
	if where == "" {
		return clip(name)
	}
	return where + "." + clip(name)
}

// object returns the member of v called name when it is an object, no value when it is absent.
func (r *reader) object(v ojson.Value, name, where string) ojson.Value {
	return r.kind(v, name, where, ojson.Object, "object")
}

func (r *reader) array(v ojson.Value, name, where string) ojson.Value {
	return r.kind(v, name, where, ojson.Array, "array")
}

func (r *reader) kind(v ojson.Value, name, where string, kind ojson.Kind, word string) ojson.Value {
	m, ok := v.Get(name)
	if !ok || m.Kind() == ojson.Null {
		return ojson.Value{}
	}
	if m.Kind() != kind {
		r.wrong(member(where, name), word)
		return ojson.Value{}
	}
	return m
}

// text returns a member that must be a string; "" when it is absent.
func (r *reader) text(v ojson.Value, name, where string) string {
	return r.kind(v, name, where, ojson.String, "string").Text()
}

// scalar returns a member as text, also where YAML took the text for a number or a truth value.
func (r *reader) scalar(v ojson.Value, name, where string) string {
	m, ok := v.Get(name)
	switch {
	case !ok || m.Kind() == ojson.Null:
		return ""
	case m.Kind() >= ojson.Array:
		r.wrong(member(where, name), "string")
		return ""
	}
	return m.Text()
}

// flag returns a member that must be true or false; false when it is absent.
func (r *reader) flag(v ojson.Value, name, where string) bool {
	m, ok := v.Get(name)
	if ok && !m.IsBool() {
		// Some writers quote truth values.
		if t := m.Text(); m.Kind() == ojson.String && (t == "true" || t == "false") {
			return t == "true"
		}
		r.wrong(member(where, name), "boolean")
	}
	return m.Kind() == ojson.True
}

// integer returns a member that is a number without fraction, or the text of one; ok is false
// when it is absent.
func (r *reader) integer(v ojson.Value, name, where string) (n int, ok bool) {
	m, ok := v.Get(name)
	if !ok || m.Kind() == ojson.Null {
		return 0, false
	}
	if m.Kind() == ojson.Number || m.Kind() == ojson.String {
		if n, ok := wholeNumber(m.Text()); ok {
			return n, true
		}
	}
	r.wrong(member(where, name), "integer")
	return 0, false
}

func wholeNumber(s string) (int, bool) {
	v, err := ojson.Parse(strings.TrimSpace(s), ojson.Limits{})
	if err != nil {
		return 0, false
	}
	n, ok := v.Int()
	return int(n), ok && n >= -1<<31 && n < 1<<31
}

// texts returns a member that must be a list of strings.
func (r *reader) texts(v ojson.Value, name, where string) []string {
	var out []string
	list := r.array(v, name, where)
	i := 0
	for e := range list.Elements() {
		if e.Kind() != ojson.String {
			r.wrong(fmt.Sprintf("%s[%d]", member(where, name), i), "string")
		} else {
			out = append(out, e.Text())
		}
		i++
	}
	return out
}

// textMap returns a member that must be an object of strings; nil when it is absent.
func (r *reader) textMap(v ojson.Value, name, where string) map[string]string {
	m := r.object(v, name, where)
	if m.Kind() == ojson.None {
		return nil
	}
	out := make(map[string]string, m.Len())
	for key, e := range m.Members() {
		if e.Kind() != ojson.String {
			r.wrong(member(member(where, name), key), "string")
			continue
		}
		out[key] = e.Text()
	}
	return out
}

// maxHops bounds references to references.
const maxHops = 20

// follow returns what v refers to within the document, v itself when it is no reference. A
// reference that leads nowhere is a problem, and no value.
func (r *reader) follow(v ojson.Value, where string) ojson.Value {
	for range maxHops {
		ref, ok := v.Get("$ref")
		if !ok {
			return v
		}
		path, ok := strings.CutPrefix(ref.Text(), "#/")
		if !ok {
			r.problem("Parse issue: attribute %s.$ref is not a reference within the document: %s", where, clip(ref.Text()))
			return ojson.Value{}
		}
		v = r.lookUp(path)
		if v.Kind() == ojson.None {
			r.problem("Parse issue: attribute %s.%s is missing", where, clip(ref.Text()))
			return ojson.Value{}
		}
	}
	r.problem("Parse issue: attribute %s is a reference to itself", where)
	return ojson.Value{}
}

// lookUp follows a JSON pointer without its first slash. Objects of many members are indexed
// once: a hostile document could have as many references as members.
func (r *reader) lookUp(path string) ojson.Value {
	v := r.root
	at := ""
	for part := range strings.SplitSeq(path, "/") {
		name := strings.NewReplacer("~1", "/", "~0", "~").Replace(part)
		if v.Len() < 16 {
			v, _ = v.Get(name)
		} else {
			members, ok := r.index[at]
			if !ok {
				members = maps.Collect(v.Members())
				r.index[at] = members
			}
			v = members[name]
		}
		at += "/" + part
	}
	return v
}
