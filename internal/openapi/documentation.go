package openapi

import (
	"strconv"

	"gatehouse/internal/lang/ojson"
	"gatehouse/internal/model"
)

// documentation reads the documentation extension: parts, and the version they had.
func (r *reader) documentation() {
	const where = "x-amazon-apigateway-documentation"
	d := r.object(r.root, where, "")
	r.DocumentationVersion = r.scalar(d, "version", where)
	i := 0
	for v := range r.array(d, "documentationParts", where).Elements() {
		at := where + ".documentationParts[" + strconv.Itoa(i) + "]"
		i++
		if v.Kind() != ojson.Object {
			r.wrong(at, "object")
			continue
		}
		l := r.object(v, "location", at)
		if l.Kind() == ojson.None {
			r.problem("Parse issue: attribute %s.location is missing", at)
			continue
		}
		in := member(at, "location")
		p := model.DocumentationPart{Location: model.DocumentationLocation{
			Type: r.text(l, "type", in), Path: r.text(l, "path", in), Method: r.text(l, "method", in),
			StatusCode: r.scalar(l, "statusCode", in), Name: r.text(l, "name", in),
		}}
		props, _ := v.Get("properties")
		switch props.Kind() {
		case ojson.String:
			p.Properties = props.Text()
		case ojson.Object:
			p.Properties = props.JSON()
		default:
			r.wrong(member(at, "properties"), "object")
			continue
		}
		r.Documentation = append(r.Documentation, p)
	}
}
