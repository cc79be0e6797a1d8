package jsonschema

import (
	"errors"
	"fmt"
	"net/url"
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
	return NewModels(api, load).Model(name)
}

// Models compiles the models of one API, each once, however many refer to it: what a thousand
// models that contain each other cost is a thousand schemas. It is not safe for concurrent use;
// the schemas are.
type Models struct {
	api             string
	load            func(name string) (string, bool)
	c               *compiler
	foreign, broken error
}

// NewModels makes the models of an API from their texts; load is as for CompileModel.
func NewModels(api string, load func(name string) (string, bool)) *Models {
	m := &Models{api: api, load: load}
	m.reset()
	return m
}

// reset forgets what was compiled: after an error, schemas may be half filled.
func (m *Models) reset() {
	m.foreign, m.broken = nil, nil
	m.c = newCompiler(func(uri string) (ojson.Value, bool) {
		api, name, ok := ParseModelURI(uri)
		if !ok || api != m.api {
			m.foreign = fmt.Errorf("%q: %w", uri, ErrForeign)
			return ojson.Value{}, false
		}
		text, ok := m.load(name)
		if !ok {
			return ojson.Value{}, false
		}
		v, err := ojson.Parse(text, ojson.Limits{})
		if err != nil {
			m.broken = fmt.Errorf("model %q: %w", name, err)
		}
		return v, err == nil
	})
}

// Model compiles the model called name. Errors are those of CompileModel.
func (m *Models) Model(name string) (*Schema, error) {
	s, err := m.model(name)
	if err == nil && m.foreign == nil && m.broken == nil {
		return s, nil
	}
	switch {
	case m.foreign != nil:
		err = &Error{"", m.foreign}
	case m.broken != nil:
		err = &Error{"", m.broken}
	}
	m.reset()
	return nil, err
}

func (m *Models) model(name string) (*Schema, error) {
	u, err := url.Parse(ModelURI(m.api, name))
	if err != nil {
		return nil, &Error{"", err}
	}
	l, known := m.c.known[u.String()]
	if !known {
		text, ok := m.load(name)
		if !ok {
			return nil, fmt.Errorf("model %q: %w", name, ErrReference)
		}
		v, err := ojson.Parse(text, ojson.Limits{})
		if err != nil {
			return nil, err
		}
		l = m.c.add(v, u)
	}
	return m.c.all(l.v, l.base)
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
