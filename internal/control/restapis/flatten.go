package restapis

import (
	"slices"
	"strings"

	"gatehouse/internal/control/operation"
	"gatehouse/internal/lang/jsonschema"
	"gatehouse/internal/lang/ojson"
	"gatehouse/internal/model"
	"gatehouse/internal/store"
)

// maxFlat bounds the length of a flattened schema, in bytes: models that contain each other
// are written once each, but there may be many.
const maxFlat = 4 << 20

// flatten returns a model's schema with the models that it refers to, directly or not, in
// its own definitions. A schema without such references comes back as it was sent.
func flatten(tx *store.Tx, owner store.Scope, m model.APIModel) (string, error) {
	schema, err := ojson.Parse(m.Schema, ojson.Limits{})
	if err != nil || len(jsonschema.References(schema, owner.Parent)) == 0 {
		return m.Schema, nil
	}
	f := flattener{api: owner.Parent}
	todo := jsonschema.References(schema, owner.Parent)
	parsed := map[string]ojson.Value{}
	var names []string
	for len(todo) > 0 {
		name := todo[0]
		todo = todo[1:]
		if slices.Contains(names, name) {
			continue
		}
		other, err := models.Get(tx, owner, name)
		if err != nil {
			return "", operation.OrElse(err, noModel(name))
		}
		v, err := ojson.Parse(other.Schema, ojson.Limits{})
		if err != nil {
			return "", badRequest("Model " + name + " has no schema")
		}
		parsed[name] = v
		names = append(names, name)
		todo = append(todo, jsonschema.References(v, owner.Parent)...)
	}
	f.root(schema, names, parsed)
	if f.b.Len() > maxFlat {
		return "", badRequest("The flattened schema of model " + m.Name + " is longer than " + itoa(maxFlat) + " bytes")
	}
	return f.b.String(), nil
}

// flattener writes schemas with their references turned inwards.
type flattener struct {
	api string
	b   strings.Builder
}

// root writes the schema with its definitions: its own, then one for each other model.
func (f *flattener) root(schema ojson.Value, names []string, parsed map[string]ojson.Value) {
	f.b.WriteByte('{')
	first := true
	for name, v := range schema.Members() {
		if name == "definitions" {
			continue
		}
		f.comma(&first)
		f.member(name, v, "")
	}
	f.comma(&first)
	f.b.WriteString(`"definitions":{`)
	first = true
	if own, ok := schema.Get("definitions"); ok {
		for name, v := range own.Members() {
			f.comma(&first)
			f.quote(name)
			f.b.WriteByte(':')
			f.value(v, "")
		}
	}
	for _, name := range names {
		f.comma(&first)
		f.quote(name)
		f.b.WriteByte(':')
		f.value(parsed[name], "#/definitions/"+name)
	}
	f.b.WriteString("}}")
}

func (f *flattener) comma(first *bool) {
	if !*first {
		f.b.WriteByte(',')
	}
	*first = false
}

func (f *flattener) quote(s string) {
	f.b.Write(ojson.AppendQuoted(nil, s, ojson.Smart))
}

// member writes one member. base is where the schema it belongs to stands in the result,
// "" for the root.
func (f *flattener) member(name string, v ojson.Value, base string) {
	f.quote(name)
	f.b.WriteByte(':')
	if name != "$ref" || v.Kind() != ojson.String {
		f.value(v, base)
		return
	}
	ref := v.Text()
	uri, fragment, _ := strings.Cut(ref, "#")
	api, other, ok := jsonschema.ParseModelURI(uri)
	switch {
	case ok && api == f.api:
		f.quote("#/definitions/" + other + strings.TrimSuffix(fragment, "/"))
	case uri == "" && base != "":
		f.quote(base + strings.TrimSuffix(fragment, "/"))
	default:
		f.quote(ref)
	}
}

func (f *flattener) value(v ojson.Value, base string) {
	first := true
	switch {
	case f.b.Len() > maxFlat: // refused by the caller
	case v.Kind() == ojson.Object:
		f.b.WriteByte('{')
		for name, m := range v.Members() {
			f.comma(&first)
			f.member(name, m, base)
		}
		f.b.WriteByte('}')
	case v.Kind() == ojson.Array:
		f.b.WriteByte('[')
		for e := range v.Elements() {
			f.comma(&first)
			f.value(e, base)
		}
		f.b.WriteByte(']')
	default:
		f.b.WriteString(v.JSON())
	}
}
