package openapi

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"regexp"
	"slices"
	"strings"

	"gatehouse/internal/lang/jsonschema"
	"gatehouse/internal/lang/ojson"
	"gatehouse/internal/model"
)

var modelName = regexp.MustCompile(`^[a-zA-Z0-9]+$`)

// schemaRoots are where a document keeps its named schemas.
const (
	root2 = "#/definitions/"
	root3 = "#/components/schemas/"
)

// readModels makes a model of each named schema.
func (r *reader) readModels() {
	holder, where := r.object(r.root, "definitions", ""), "definitions"
	if !r.v2 {
		holder, where = r.object(r.object(r.root, "components", ""), "schemas", "components"), "components.schemas"
	}
	r.schemas = make(map[string]ojson.Value, holder.Len())
	for name, v := range holder.Members() {
		r.schemas[name] = v
	}
	for name, v := range holder.Members() {
		if v.Kind() != ojson.Object {
			r.bad[name] = true
			r.wrong(member(where, name), "object")
			continue
		}
		if !modelName.MatchString(name) {
			r.bad[name] = true
			r.problem("Unable to create model for '%s': Model name must be alphanumeric: %s", clip(name), clip(name))
			continue
		}
		r.addModel(name, v)
	}
}

// addModel makes a model of a schema.
func (r *reader) addModel(name string, v ojson.Value) {
	w := schemaWriter{r: r, name: name}
	w.value(v, true, 0)
	if len(w.unsupported) > 0 {
		r.bad[name] = true
		r.problem("Unable to create model for '%s': Invalid model specified: Validation Result: warnings : [], errors : [Invalid model schema specified. Unsupported keyword(s): [\"%s\"]]", name, strings.Join(w.unsupported, `","`))
		return
	}
	if w.foreign != "" {
		r.bad[name] = true
		r.problem("Unable to create model for '%s': Invalid model specified: Validation Result: warnings : [], errors : [Model reference must be in canonical form. Found %s]", name, clip(w.foreign))
		return
	}
	description, _ := v.Get("description")
	r.models[name] = true
	r.Models = append(r.Models, model.APIModel{Name: name, ContentType: "application/json", Schema: string(w.out), Description: description.Text()})
}

// checkModels refuses schemas that cannot validate anything. Each is compiled by itself: what it
// refers to must be there, and is judged in its own turn. So the cost stays linear however the
// models contain each other.
func (r *reader) checkModels() {
	byName := make(map[string]string, len(r.Models))
	fragments := map[string]bool{} // models into which others refer
	for _, m := range r.Models {
		byName[m.Name] = m.Schema
		for _, name := range partsReferred(m.Schema, r.o.API) {
			fragments[name] = true
		}
	}
	stub, err := ojson.Parse("{}", ojson.Limits{})
	if err != nil {
		panic("openapi: {} is not JSON: " + err.Error())
	}
	for _, m := range r.Models {
		v, err := ojson.Parse(m.Schema, ojson.Limits{})
		missing := ""
		if err == nil {
			_, err = jsonschema.Compile(v, jsonschema.ModelURI(r.o.API, m.Name), func(uri string) (ojson.Value, bool) {
				_, name, ok := jsonschema.ParseModelURI(uri)
				text, there := byName[name]
				if !ok || !there {
					missing = name
					return ojson.Value{}, false
				}
				if !fragments[name] {
					return stub, true
				}
				other, err := ojson.Parse(text, ojson.Limits{})
				return other, err == nil
			})
		}
		if err != nil {
			if missing != "" {
				r.warn("Reference to model '%s' not found. Ignoring.", missing)
			}
			r.problem("Unable to create model for '%s': Invalid model specified: Validation Result: warnings : [], errors : [Invalid model schema specified. %s]", m.Name, clip(err.Error()))
		}
	}
}

// partsReferred returns the models of which a schema refers to a part.
func partsReferred(schema, api string) []string {
	if !strings.Contains(schema, "/models/") || !strings.Contains(schema, "#/") {
		return nil
	}
	v, err := ojson.Parse(schema, ojson.Limits{})
	if err != nil {
		return nil
	}
	var names []string
	var visit func(v ojson.Value)
	visit = func(v ojson.Value) {
		for e := range v.Elements() {
			visit(e)
		}
		for key, m := range v.Members() {
			if uri, fragment, ok := strings.Cut(m.Text(), "#"); key == "$ref" && ok && fragment != "" {
				if a, name, ok := jsonschema.ParseModelURI(uri); ok && a == api {
					names = append(names, name)
				}
			}
			visit(m)
		}
	}
	visit(v)
	return names
}

// keywords are what the service's models know: JSON Schema draft 4. The value tells what stands
// under a keyword: a schema, a list of schemas or a schema, schemas by name, or data.
var keywords = map[string]byte{
	"$ref": 'r', "$schema": 'd', "id": 'd', "title": 'd', "description": 'd', "default": 'd', "format": 'd',
	"multipleOf": 'd', "maximum": 'd', "exclusiveMaximum": 'd', "minimum": 'd', "exclusiveMinimum": 'd',
	"maxLength": 'd', "minLength": 'd', "pattern": 'd', "maxItems": 'd', "minItems": 'd', "uniqueItems": 'd',
	"maxProperties": 'd', "minProperties": 'd', "required": 'd', "enum": 'd', "type": 'd',
	"items": 's', "additionalItems": 's', "additionalProperties": 's', "not": 's',
	"allOf": 's', "anyOf": 's', "oneOf": 's',
	"properties": 'm', "patternProperties": 'm', "definitions": 'm', "dependencies": 'm',
}

// dropped are members of OpenAPI schemas that say nothing about what is valid.
var dropped = []string{"externalDocs", "xml", "deprecated", "readOnly", "writeOnly", "discriminator"}

// schemaWriter writes a schema of a document as the text of a model: in the order of the
// document and in the layout that the service gives it, with references in canonical form.
type schemaWriter struct {
	r           *reader
	name        string // of the model
	out         []byte
	unsupported []string // keywords
	foreign     string   // a reference to something that is no model
}

// value writes v; schema tells whether it is a schema, or data in one.
func (w *schemaWriter) value(v ojson.Value, schema bool, depth int) {
	switch {
	case v.Kind() == ojson.Array:
		w.out = append(w.out, "[ "...)
		first := true
		for e := range v.Elements() {
			if !first {
				w.out = append(w.out, ", "...)
			}
			first = false
			w.value(e, schema, depth+1)
		}
		w.out = append(w.out, " ]"...)
	case v.Kind() == ojson.Object:
		w.object(v, schema, depth)
	default:
		w.out = v.Append(w.out, ojson.Raw)
	}
}

func (w *schemaWriter) object(v ojson.Value, schema bool, depth int) {
	w.out = append(w.out, '{')
	first := true
	for key, m := range v.Members() {
		kind := byte('d')
		if schema {
			var ok bool
			kind, ok = keywords[key]
			if !ok {
				if !strings.HasPrefix(key, "x-") && !slices.Contains(dropped, key) && !slices.Contains(w.unsupported, key) {
					w.unsupported = append(w.unsupported, clip(key))
				}
				continue
			}
		}
		if !first {
			w.out = append(w.out, ',')
		}
		first = false
		w.newline(depth + 1)
		w.out = ojson.AppendQuoted(w.out, key, ojson.Smart)
		w.out = append(w.out, " : "...)
		switch {
		case kind == 'r' && m.Kind() == ojson.String:
			w.out = ojson.AppendQuoted(w.out, w.reference(m.Text()), ojson.Smart)
		case kind == 'm' && m.Kind() == ojson.Object:
			w.named(m, depth+1)
		default:
			w.value(m, kind == 's', depth+1)
		}
	}
	if !first {
		w.newline(depth)
	}
	w.out = append(w.out, '}')
}

// named writes schemas by name: of properties and so on.
func (w *schemaWriter) named(v ojson.Value, depth int) {
	w.out = append(w.out, '{')
	first := true
	for key, m := range v.Members() {
		if !first {
			w.out = append(w.out, ',')
		}
		first = false
		w.newline(depth + 1)
		w.out = ojson.AppendQuoted(w.out, key, ojson.Smart)
		w.out = append(w.out, " : "...)
		w.value(m, m.Kind() == ojson.Object, depth+1)
	}
	if !first {
		w.newline(depth)
	}
	w.out = append(w.out, '}')
}

// newline indents, no deeper than anybody reads: white space would make deep schemas quadratic.
func (w *schemaWriter) newline(depth int) {
	w.out = append(w.out, '\n')
	for range min(depth, 20) {
		w.out = append(w.out, "  "...)
	}
}

// reference turns a reference within the document into one between models.
func (w *schemaWriter) reference(ref string) string {
	rest, ok := strings.CutPrefix(ref, root3)
	if w.r.v2 {
		rest, ok = strings.CutPrefix(ref, root2)
	}
	if !ok {
		if api, _, canonical := jsonschema.ParseModelURI(ref); canonical && api == w.r.o.API {
			return ref
		}
		w.foreign = ref
		return ref
	}
	name, inner, deeper := strings.Cut(rest, "/")
	switch {
	case deeper && name == w.name:
		return "#/" + inner
	case deeper:
		return jsonschema.ModelURI(w.r.o.API, name) + "#/" + inner
	}
	return jsonschema.ModelURI(w.r.o.API, name)
}

// errPrimitive is why no model is made of a schema: the service has models of objects and lists.
var errPrimitive = errors.New("a schema of a single value")

// modelOf returns the name of the model that stands for a schema of a body: the one it refers
// to, or one that is made of it. It returns "" with an error for a schema of a single value, and
// "" without one where there is nothing, or what it refers to is missing, which is noted.
func (r *reader) modelOf(v ojson.Value, where string) (string, error) {
	if v.Kind() == ojson.None {
		return "", nil
	}
	if v.Kind() != ojson.Object {
		r.wrong(where, "object")
		return "", nil
	}
	if ref, ok := v.Get("$ref"); ok {
		return r.referred(ref.Text()), nil
	}
	kind, _ := v.Get("type")
	if kind.Text() == "array" {
		items, _ := v.Get("items")
		ref, _ := items.Get("$ref")
		if name := r.nameIn(ref.Text()); name != "" && modelName.MatchString(name) && items.Len() == 1 {
			return r.inline("ArrayOf"+name, v), nil
		}
	}
	switch kind.Text() {
	case "string", "number", "integer", "boolean", "file", "null":
		return "", errPrimitive
	}
	sum := sha256.Sum256([]byte(v.JSON()))
	return r.inline("MODEL"+hex.EncodeToString(sum[:3]), v), nil
}

// nameIn returns the name that a reference gives, "" for a reference to anything but a schema.
func (r *reader) nameIn(ref string) string {
	name, ok := strings.CutPrefix(ref, root3)
	if r.v2 {
		name, ok = strings.CutPrefix(ref, root2)
	}
	if !ok || strings.Contains(name, "/") {
		return ""
	}
	return name
}

// referred returns the model that a reference names, "" with a warning when there is none.
func (r *reader) referred(ref string) string {
	name := r.nameIn(ref)
	if name == "" {
		if _, n, ok := jsonschema.ParseModelURI(ref); ok {
			name = n
		}
	}
	if r.models[name] {
		return name
	}
	if name == "" {
		name = ref
	}
	r.warn("Reference to model '%s' not found. Ignoring.", clip(name))
	return ""
}

// inline makes a model of a schema that has no name. The same schema is the same model.
func (r *reader) inline(name string, v ojson.Value) string {
	text := v.JSON()
	if known, ok := r.content[text]; ok {
		return known
	}
	if r.bad[name] {
		return ""
	}
	for n := 0; r.models[name]; n++ { // another schema has the name
		sum := sha256.Sum256([]byte(text + strings.Repeat(" ", n)))
		name = "MODEL" + hex.EncodeToString(sum[:6])
	}
	if r.addModel(name, v); !r.models[name] {
		return ""
	}
	r.content[text] = name
	return name
}
