package jsonschema

import (
	"errors"
	"fmt"
	"strings"

	"gatehouse/internal/lang/ojson"
)

// modelsURI is the beginning of the URI of every model.
const modelsURI = "https://apigateway.amazonaws.com/restapis/"

// ModelURI returns the URI by which models of an API refer to each other.
func ModelURI(api, name string) string { return modelsURI + api + "/models/" + name }

// ParseModelURI splits a model's URI; ok is false for any other.
func ParseModelURI(uri string) (api, name string, ok bool) {
	rest, ok := strings.CutPrefix(uri, modelsURI)
	if !ok {
		return "", "", false
	}
	api, name, ok = strings.Cut(rest, "/models/")
	return api, name, ok && api != "" && name != "" && !strings.ContainsAny(api+name, "/?#")
}

// ErrForeign is wrapped by a refusal of a $ref to anything but a model of the same API: the
// service says "Model reference must be in canonical form".
var ErrForeign = errors.New("reference to something other than a model of the API")

// CompileModel compiles the model called name of an API. load returns the schema text of
// another model of the API; it is called for each model that the schema refers to, which
// may refer back. An error is an *Error, or a *ojson.SyntaxError for text that is not JSON.
func CompileModel(api, name string, load func(name string) (string, bool)) (*Schema, error) {
	text, ok := load(name)
	if !ok {
		return nil, fmt.Errorf("model %q: %w", name, ErrReference)
	}
	v, err := ojson.Parse(text, ojson.Limits{})
	if err != nil {
		return nil, err
	}
	var foreign, broken error
	s, err := Compile(v, ModelURI(api, name), func(uri string) (ojson.Value, bool) {
		a, n, ok := ParseModelURI(uri)
		if !ok || a != api {
			foreign = fmt.Errorf("%q: %w", uri, ErrForeign)
			return ojson.Value{}, false
		}
		text, ok := load(n)
		if !ok {
			return ojson.Value{}, false
		}
		v, err := ojson.Parse(text, ojson.Limits{})
		if err != nil {
			broken = fmt.Errorf("model %q: %w", n, err)
		}
		return v, err == nil
	})
	switch {
	case foreign != nil:
		return nil, &Error{"", foreign}
	case broken != nil:
		return nil, &Error{"", broken}
	}
	return s, err
}

// References returns the names of the models of the API that a schema refers to, in order,
// without repetition. Only strings under "$ref" count.
func References(schema ojson.Value, api string) []string {
	var names []string
	seen := map[string]bool{}
	var visit func(v ojson.Value)
	visit = func(v ojson.Value) {
		for e := range v.Elements() {
			visit(e)
		}
		for key, m := range v.Members() {
			if key == "$ref" && m.Kind() == ojson.String {
				uri, _, _ := strings.Cut(m.Text(), "#")
				if a, name, ok := ParseModelURI(uri); ok && a == api && !seen[name] {
					seen[name] = true
					names = append(names, name)
				}
			}
			visit(m)
		}
	}
	visit(schema)
	return names
}
