package restapis

import (
	"maps"
	"slices"
	"strings"

	"gatehouse/internal/model"
	"gatehouse/internal/store"
)

// undocumented returns, as parts without id and properties, the entities of an API that no
// part is about. Inheritance does not count: a part for all methods documents none of them.
func undocumented(tx *store.Tx, owner store.Scope, parts []model.DocumentationPart) ([]model.DocumentationPart, error) {
	documented := map[model.DocumentationLocation]bool{}
	for _, p := range parts {
		documented[fullLocation(p.Location)] = true
	}
	all, err := documentable(tx, owner)
	if err != nil {
		return nil, err
	}
	var out []model.DocumentationPart
	for _, l := range all {
		if key := fullLocation(l); !documented[key] {
			documented[key] = true
			out = append(out, model.DocumentationPart{Location: l})
		}
	}
	return out, nil
}

// documentable lists every entity of an API that a documentation part could be about.
func documentable(tx *store.Tx, owner store.Scope) ([]model.DocumentationLocation, error) {
	all := []model.DocumentationLocation{{Type: "API"}}
	for a, err := range authorizers.In(tx, owner) {
		if err != nil {
			return nil, err
		}
		all = append(all, model.DocumentationLocation{Type: "AUTHORIZER", Name: a.Value.Name})
	}
	for m, err := range models.In(tx, owner) {
		if err != nil {
			return nil, err
		}
		all = append(all, model.DocumentationLocation{Type: "MODEL", Name: m.Value.Name})
	}
	for r, err := range resources.In(tx, owner) {
		if err != nil {
			return nil, err
		}
		all = append(all, model.DocumentationLocation{Type: "RESOURCE", Path: r.Value.Path})
		for _, name := range slices.Sorted(maps.Keys(r.Value.Methods)) {
			all = append(all, documentableMethod(r.Value.Path, r.Value.Methods[name])...)
		}
	}
	return all, nil
}

// parameterTypes are the types of parts about request parameters, by the parameters' place.
var parameterTypes = []struct{ prefix, sort string }{
	{"method.request.path.", "PATH_PARAMETER"}, {"method.request.querystring.", "QUERY_PARAMETER"}, {"method.request.header.", "REQUEST_HEADER"},
}

func documentableMethod(path string, m *model.Method) []model.DocumentationLocation {
	at := func(sort string) model.DocumentationLocation {
		return model.DocumentationLocation{Type: sort, Path: path, Method: m.HTTPMethod}
	}
	out := []model.DocumentationLocation{at("METHOD")}
	if len(m.RequestModels) > 0 {
		out = append(out, at("REQUEST_BODY"))
	}
	for _, key := range slices.Sorted(maps.Keys(m.RequestParameters)) {
		for _, t := range parameterTypes {
			if name, ok := strings.CutPrefix(key, t.prefix); ok {
				l := at(t.sort)
				l.Name = name
				out = append(out, l)
			}
		}
	}
	for _, code := range slices.Sorted(maps.Keys(m.MethodResponses)) {
		r := m.MethodResponses[code]
		l := at("RESPONSE")
		l.StatusCode = code
		out = append(out, l)
		if l.Type = "RESPONSE_BODY"; len(r.ResponseModels) > 0 {
			out = append(out, l)
		}
		for _, key := range slices.Sorted(maps.Keys(r.ResponseParameters)) {
			l.Type, l.Name = "RESPONSE_HEADER", strings.TrimPrefix(key, "method.response.header.")
			out = append(out, l)
		}
	}
	return out
}
