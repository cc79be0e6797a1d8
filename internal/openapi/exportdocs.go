package openapi

import (
	"cmp"
	"slices"
	"strings"

	"gatehouse/internal/lang/ojson"
	"gatehouse/internal/model"
)

// docs are documentation parts by type.
type docs map[string][]documented

type documented struct {
	at    model.DocumentationLocation
	props ojson.Value
}

func documents(parts []model.DocumentationPart) docs {
	d := docs{}
	for _, p := range parts {
		if v, err := ojson.Parse(p.Properties, ojson.Limits{}); err == nil {
			d[p.Location.Type] = append(d[p.Location.Type], documented{p.Location, v})
		}
	}
	return d
}

// about returns the properties of the part that says most about an entity: parts are inherited
// by paths below theirs, and by every method and status code when they name none. A longer
// path wins over everything, then the method, then the status code.
func (d docs) about(kind, path, method, status, name string) ojson.Value {
	var best *documented
	rank := func(p documented) int {
		n := 4 * len(p.at.Path)
		if p.at.Method == method {
			n += 2
		}
		if p.at.StatusCode == status {
			n++
		}
		return n
	}
	for i, p := range d[kind] {
		if !covers(p.at, kind, path, method, status, name) {
			continue
		}
		if best == nil || rank(p) > rank(*best) {
			best = &d[kind][i]
		}
	}
	if best == nil {
		return ojson.Value{}
	}
	return best.props
}

// covers reports whether a part at l is about the entity, by itself or by inheritance.
func covers(l model.DocumentationLocation, kind, path, method, status, name string) bool {
	from := cmp.Or(l.Path, "/")
	inherits := kind != "RESOURCE" && (from == "/" || strings.HasPrefix(path, from+"/"))
	return (path == "" || from == path || inherits) &&
		(method == "" || l.Method == "" || l.Method == "*" || l.Method == method) &&
		(status == "" || l.StatusCode == "" || l.StatusCode == "*" || l.StatusCode == status) &&
		l.Name == name
}

// inject puts those properties into an entity that OpenAPI knows there, and customers' own
// extensions.
func inject(to *object, props ojson.Value, names ...string) {
	for name, v := range props.Members() {
		own := strings.HasPrefix(name, "x-") && !strings.HasPrefix(name, "x-amazon-apigateway-")
		if slices.Contains(names, name) || own {
			to.set(name, v)
		}
	}
}

// documentation writes the extension: all parts of the stage's version.
func (x *exporter) documentation() {
	parts := list{}
	for _, p := range x.Documentation {
		at := object{{"type", p.Location.Type}}
		at.addText("path", p.Location.Path)
		at.addText("method", p.Location.Method)
		at.addText("statusCode", p.Location.StatusCode)
		at.addText("name", p.Location.Name)
		parts = append(parts, object{{"location", at}, {"properties", parsed(p.Properties)}})
	}
	d := object{}
	d.addText("version", x.DocumentationVersion)
	d.add("documentationParts", parts)
	x.root.add("x-amazon-apigateway-documentation", d)
}
